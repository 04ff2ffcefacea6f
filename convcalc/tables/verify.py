"""Build the table that `verify` prints: PyTorch's shapes, params and MACs of each layer beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convcalc.analysis.count import Count
from convcalc.kinds import shape_text
from convcalc.report import Column, Table
from convcalc.tables.count import conditions, facts, title

if TYPE_CHECKING:
    from convcalc.exporters.torch.verify import Checked

COLUMNS = (
    Column("name", "name", "name"),
    Column("kind", "kind", "text"),
    Column("output", "output", "shape"),
    Column("torch_output", "in PyTorch", "text"),
    Column("params", "params", "exact"),
    Column("torch_params", "in PyTorch", "exact"),
    Column("macs", "MACs", "exact"),
    Column("torch_macs", "in PyTorch", "exact"),
)


def verify_table(counted: Count, checked: Sequence[Checked], version: str, is_all: bool) -> Table:
    """A row for each layer that differs, or each layer. The last of `checked` is the whole network."""
    *layers, whole = [_row(check) for check in checked]
    rows = [row for row, check in zip(layers, checked, strict=False) if is_all or not check.is_same]
    different = sum(not check.is_same for check in checked)
    result = f"{len(layers):,} layer{'s'[: len(layers) != 1]} and the network: " + (
        f"{different:,} differ" if different else "shapes, params and MACs are the same"
    )
    notes = [f"{result} in PyTorch", conditions(counted)]
    more = {"torch": version, "different": different}
    return Table(title(counted.graph), COLUMNS, rows, whole, notes, {**facts(counted), **more})


def _row(check: Checked) -> list[Any]:
    ours, theirs = check.ours, check.theirs
    if check.layer is None:
        head = ["total", None, ours.shapes[-1] if ours.shapes else None]
    else:
        head = [check.layer.path, check.layer.kind.name, check.layer.output]
    if theirs.error:
        return [*head, theirs.error, ours.params, None, ours.macs, None]
    return [*head, " ".join(map(shape_text, theirs.shapes)), ours.params, theirs.params, ours.macs, theirs.macs]
