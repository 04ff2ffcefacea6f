"""Build the tables that `train` prints: what each layer keeps and computes, and the figures of a step."""

from __future__ import annotations

from typing import Any

from convcalc.analysis.training.saved import Kept
from convcalc.analysis.training.step import OPTIMIZERS, Training, Work
from convcalc.errors import quoted
from convcalc.report import Column, Report, Table
from convcalc.tables.count import conditions, lower_bound, network_facts, title, without_bits

LAYERS = (
    Column("name", "name", "name"),
    Column("kind", "kind", "text", optional=True),
    Column("output", "output", "shape", optional=True),
    Column("params", "params"),
    Column("keeps", "keeps", "text", optional=True),
    Column("saved_bytes", "saved"),
    Column("forward_flops", "forward"),
    Column("backward_flops", "backward"),
)
FIGURES = (Column("figure", "figure", "text"), Column("value", "value"), Column("meaning", "meaning", "text"))
SAVED = (
    "saved: bytes that PyTorch keeps of a layer for the backward pass, counted at the first layer that keeps them, as "
    "on a CPU; without rounding of allocators and the workspace of libraries"
)
FLOPS = (
    "forward, backward: FLOPs, 2 for each multiply-accumulate; backward has one for the gradient of the weights and "
    "one for that of the input, which the network's input does not need; element-wise work is not counted"
)


def train_report(step: Training) -> Report:
    """The tables of a training step."""
    name, graph = title(step.graph), step.graph
    rows = [_row(work) for work in step.work]
    total = ["total", None, None, step.counted.figure("params"), None]
    total += [sum(work.saved for work in step.work), step.forward, step.backward]
    figures = figure_rows(step)
    facts = {
        **network_facts(graph),
        "optimizer": step.optimizer,
        "precision": step.precision.name,
        "checkpoint": step.checkpoint,
        "status": "lower_bound" if _bounds(step) else "complete",
        **{figure.replace(" ", "_"): value for figure, value, _ in figures},
    }
    tables = [
        Table(name, LAYERS, rows, total),
        Table(f"{name}: a training step", FIGURES, figures, None, _conditions(step), facts),
    ]
    return Report("train", tables, (f"{SAVED}.", f"{FLOPS}."), {"conventions": {"saved": SAVED, "flops": FLOPS}})


def _row(work: Work) -> list[Any]:
    row = work.row
    return [
        row.path, row.kind, row.output or None, row.figure("params"), _keeps(work.kept), work.saved, work.forward,
        work.backward,
    ]  # fmt: skip


def _keeps(kept: Kept | None) -> str:
    """What a layer keeps, in words."""
    if kept is None:
        return "not known"
    parts = [["input", "inputs"][len(kept.inputs) > 1]] * bool(kept.inputs) + ["output"] * kept.output
    return ", ".join([*parts, *(own.what for own in kept.own)])


def figure_rows(step: Training) -> list[list[Any]]:
    """The bytes of a step and its FLOPs, each with what it means."""
    saved = "activations kept for the backward pass"
    if step.checkpoint:
        count = len(step.blocks)
        saved = f"kept of {count:,} checkpointed block{'s'[: count != 1]} the inputs, and the most that one adds again"
    rows = [
        ["weights bytes", step.weights, "trainable params"],
        ["buffers bytes", step.buffers, "running statistics and frozen weights"],
        ["gradients bytes", step.gradients, "one for each trainable param"],
        ["optimizer bytes", step.state, f"{step.optimizer}: {OPTIMIZERS[step.optimizer]} x the trainable params"],
        ["saved bytes", step.saved, saved],
        ["upper bytes", step.upper, "an upper figure: the sum, although saved and gradients are not all alive at once"],
        ["forward flops", step.forward, "2 for each multiply-accumulate"],
        ["backward flops", step.backward, "gradients of weights and of inputs"],
    ]
    if step.checkpoint:
        rows.append(["again flops", step.again, "the forward pass of the checkpointed blocks, computed again"])
    return [*rows, ["step flops", step.step, "one step: all passes; the optimizer's own work is not counted"]]


def _bounds(step: Training) -> list[str]:
    reasons = [lower_bound(step.counted)] if step.counted.uncounted else []
    names = [layer for layer in step.unknown if layer.kind.is_counted]
    if names:
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        reasons.append(
            f"saved is a lower bound (>=): what {names[0].kind.name} layers keep is not known "
            f"({quoted(names[0].path)}{more})"
        )
    return reasons


def _conditions(step: Training) -> list[str]:
    precision = step.precision
    each = f"{precision.name}: {precision.bits // 8} bytes an element, indices 8, statistics of norms at least 4"
    return [conditions(step.counted), each, *without_bits(step.graph), *_bounds(step)]
