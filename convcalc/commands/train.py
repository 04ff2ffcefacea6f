"""convcalc train: the bytes and FLOPs of a training step."""

from __future__ import annotations

import click

from convcalc.commands._options import SPEC, Output, WholeNumber, emit, output_options, spec_options, strict_option
from convcalc.commands._sections import Sectioned
from convcalc.language.overrides import Overrides


@click.command("train", cls=Sectioned)
@click.argument("spec", type=SPEC)
@click.option(
    "--optimizer",
    type=click.Choice(["sgd", "momentum", "adam", "adamw"]),
    default="sgd",
    show_default=True,
    help="Whose state is counted: 0, 1, 2 or 2 times the params.",
)
@click.option(
    "--precision",
    type=click.Choice(["float64", "float32", "float16", "bfloat16"]),
    default="float32",
    show_default=True,
    help="The type of weights, gradients, state and activations.",
)
@click.option(
    "--checkpoint",
    type=WholeNumber(1, 100),
    metavar="DEPTH",
    help="Keep only the inputs of the blocks at this depth, and compute them again.",
)
@spec_options
@strict_option
@output_options
def command(
    spec: str, optimizer: str, precision: str, checkpoint: int | None, overrides: Overrides, output: Output
) -> None:
    """Show what a training step needs: bytes and FLOPs.

    The bytes are those of weights, gradients, optimizer state and of the activations that PyTorch keeps for the
    backward pass, storages counted once.

    \b
    convcalc train resnet18 --optimizer adam --batch 32
    convcalc train mobilenet_v2 --precision bfloat16
    convcalc train resnet50 --checkpoint 2 --batch 32
    """
    from convcalc.analysis.count import count
    from convcalc.analysis.memory.precision import PRECISIONS
    from convcalc.analysis.training.step import Training
    from convcalc.loader import graph
    from convcalc.tables.train import train_report

    counted = count(graph(spec, overrides))
    emit(train_report(Training(counted, PRECISIONS[precision], optimizer, checkpoint)), output)
