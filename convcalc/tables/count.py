"""Build the tables that `params` prints from a count: columns, order, notes. Other tables share its notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from convcalc.analysis.by_rule import counted_by_rules, rule_of
from convcalc.analysis.count import FLOP, MAC, Count, Row, by_kind, by_mixing, fold
from convcalc.errors import SpecError, did_you_mean, printable, quoted
from convcalc.graph import Graph, Layer
from convcalc.kinds import shape_text
from convcalc.record import Record
from convcalc.report import Column, Report, Table
from convcalc.tables.ends import end_facts, end_lines

if TYPE_CHECKING:
    from convcalc.language.document import Document

CONVENTIONS = {
    "macs": MAC,
    "flops": FLOP,
    "params": "weights + biases + other_params; weights used twice are counted once",
}
_MOST_NAMED = 4  # tensors in no layer that a note names
NOTES = (f"{MAC}.",)


class Measure(Record):
    """A column of `params`: how it is headed, and its value for a row of a count."""

    column: Column
    value: Callable[[Row, Count], Any]


def _figure(key: str, heading: str, optional: bool = False) -> Measure:
    return Measure(Column(key, heading, optional=optional), lambda row, counted: row.figure(key))


def _share(key: str, heading: str, optional: bool = False) -> Measure:
    return Measure(
        Column(f"{key}_share", heading, "share", optional),
        lambda row, counted: row.figure(key) / counted.figure(key) if counted.figure(key) else 0.0,
    )


ALIVE = (
    "alive: the most elements of activations that exist while a layer runs, in the deployed network (convcalc memory); "
    "blank where it is part of another layer"
)


def _alive(row: Row, counted: Count) -> int | None:
    """The most elements alive while the layers of a row run: of a layer, a block or repeat, or the network."""
    from convcalc.analysis.memory.live import alive_elements

    if row.layer is None and row.path and not row.output:  # a kind
        return None
    sizes = alive_elements(counted.graph)
    inside = [size for path, size in sizes.items() if f"{path}/".startswith(f"{row.path}/" if row.path else "")]
    return max(inside, default=None)


def _receptive(key: str, heading: str, name: str) -> Measure:
    """A column of the receptive field: what a function of `convcalc.tables.receptive` says of a row."""

    def value(row: Row, counted: Count) -> Any:
        from convcalc.tables import receptive

        return getattr(receptive, name)(row, counted)

    return Measure(Column(key, heading, "text", optional=True), value)


MEASURES: dict[str, Measure] = {
    measure.column.key: measure
    for measure in (
        Measure(Column("name", "name", "name"), lambda row, counted: row.path),
        Measure(Column("kind", "kind", "text", optional=True), lambda row, counted: row.kind),
        Measure(Column("output", "output", "shape"), lambda row, counted: row.output or None),
        _figure("weights", "weights"),
        _figure("biases", "biases", optional=True),
        _figure("other_params", "other", optional=True),
        _figure("params", "params"),
        _share("weights", "weights %", optional=True),
        _share("params", "params %", optional=True),
        _figure("macs", "MACs"),
        _share("macs", "MACs %"),
        _figure("flops", "FLOPs", optional=True),
        _figure("output_elements", "activations", optional=True),
        Measure(Column("alive", "alive", optional=True), _alive),
        _receptive("sees", "sees", "sees"),
        _receptive("sees_gate", "gate", "gate"),
        _receptive("sees_stride", "sees stride", "stride"),
        _receptive("sees_padding", "sees padding", "padding"),
        _figure("buffers", "buffers", optional=True),
        Measure(Column("weighted", "weighted", optional=True), lambda row, counted: row.depth),
        Measure(Column("nonlinearities", "non-linear", optional=True), lambda row, counted: row.nonlinearities),
        Measure(Column("mixing", "mixing", "text", optional=True), lambda row, counted: row.mixing),
        Measure(Column("layers", "layers", optional=True), lambda row, counted: row.layers),
        Measure(Column("shares", "shares weights of", "text", optional=True), lambda row, counted: row.shares),
    )
}
DEFAULT = ("name", "kind", "output", "weights", "biases", "other_params", "params", "macs", "macs_share")
SEES = ("sees", "sees_stride", "sees_padding")
GROUPED = ("layers", "weights", "weights_share", "params", "params_share", "macs", "macs_share")


def count_tables(counted: Count, depth: int | None, by: str, columns: str, sort: str) -> list[Table]:
    """The tables of one counted network. Raises SpecError for an unknown column."""
    name = title(counted.graph)
    if by == "kind":
        kinds, mixing = choose(columns, ("kind", *GROUPED)), choose(columns, ("mixing", *GROUPED))
        first = _table(name, counted, by_kind(counted), kinds, sort)
        second = _table(f"{name}: cross-channel and spatial", counted, by_mixing(counted), mixing, sort)
        return [first._replace(notes=()), second]
    rows = counted.rows if depth is None else fold(counted, depth)
    default = [key for key in DEFAULT if key != "other_params" or counted.figure(key)]
    measures, lines = _with_fields(choose(columns, default), counted.graph)
    return [_table(name, counted, rows, measures, sort, lines)]


def _with_fields(measures: list[Measure], graph: Graph) -> tuple[list[Measure], Sequence[str]]:
    """The measures, those of receptive fields with the marks of gates, and what the footer says of the fields."""
    keys = [measure.column.key for measure in measures]
    if not set(SEES) & set(keys):
        return measures, ()
    from convcalc.tables.receptive import has_gates, lines

    if "sees" in keys and "sees_gate" not in keys and has_gates(graph):
        measures = [*measures]
        measures.insert(keys.index("sees") + 1, MEASURES["sees_gate"])
    return measures, lines(graph)


def choose(columns: str, default: Sequence[str]) -> list[Measure]:
    """The measures of a comma-separated list of columns, `default` for an empty one. Raises SpecError."""
    keys = [key.strip() for key in columns.split(",")] if columns else list(default)
    if keys == ["all"]:
        keys = list(MEASURES)
    for key in keys:
        if key not in MEASURES:
            raise SpecError(f"no column {quoted(key)}", did_you_mean(key, MEASURES))
    return [MEASURES[key] for key in dict.fromkeys(keys)]


def notes(tables: Sequence[Table]) -> tuple[str, ...]:
    """What the figures of the tables mean."""
    has_flops = any(column.key == "flops" for table in tables for column in table.columns)
    has_alive = any(column.key == "alive" for table in tables for column in table.columns)
    found = (*NOTES, *([f"{FLOP}."] * has_flops), *([f"{ALIVE}."] * has_alive))
    if any(column.key in SEES for table in tables for column in table.columns):
        from convcalc.tables.receptive import MEANING

        found = (*found, f"{MEANING}.")
    return found


def _table(
    heading: str, counted: Count, rows: Sequence[Row], measures: list[Measure], sort: str, lines: Sequence[str] = ()
) -> Table:
    if sort:
        rows = _sorted(rows, sort, counted)
    whole = Row("", "", (), counted.tallies, counted.weighted, counted.nonlinearities, "", None, len(counted.rows))
    columns = [measure.column for measure in measures]
    total = [measure.value(whole, counted) for measure in measures]
    if columns[0].holds in ("name", "text"):
        total[0] = "total >=" if counted.uncounted else "total"
    return Table(
        heading,
        columns,
        [[measure.value(row, counted) for measure in measures] for row in rows],
        total,
        (*footer(counted), *lines),
        facts(counted),
    )


def _sorted(rows: Sequence[Row], sort: str, counted: Count) -> list[Row]:
    """Sorted by a column: counts from the largest, text from a to z; `-COLUMN` the other way round."""
    name = sort.removeprefix("-")
    if name not in MEASURES:
        raise SpecError(f"--sort: no column {quoted(name)}", did_you_mean(name, MEASURES))
    measure = MEASURES[name]
    is_text = measure.column.holds in ("name", "text")
    values = [(value is not None, value) for value in (measure.value(row, counted) for row in rows)]
    order = sorted(range(len(rows)), key=values.__getitem__, reverse=not is_text)
    found = [rows[at] for at in order]
    return found[::-1] if sort.startswith("-") else found


def counted_report(command: str, tables: Sequence[Table], counts: Sequence[Count] = ()) -> Report:
    """Tables of counted networks with what their figures mean, and the facts of `counts`."""
    networks = {"networks": [facts(counted) for counted in counts]} if counts else {}
    return Report(command, tables, notes(tables), {"conventions": CONVENTIONS, **networks})


def document_title(document: Document) -> str:
    """What a document calls its network, else the name of its file."""
    return document.text("name") or document.file.name.removesuffix(".yaml").rpartition("/")[2]


def title(graph: Graph) -> str:
    """What a network is called in a report: its name, with the variant if one was chosen, on one line."""
    return printable(" ".join(f"{graph.name} {graph.provenance.variant}".split()))


def conditions(counted: Count) -> str:
    """Under which conditions the figures hold: input, batch, variables."""
    graph = counted.graph
    given = graph.inputs
    inputs = ", ".join(
        shape_text(shape) if len(given) == 1 else f"{name} {shape_text(shape)}" for name, shape in given.items()
    )
    variables = ", ".join(f"{name}={value}" for name, value in graph.provenance.variables.items())
    return f"input {inputs}, batch {graph.batch}" + (f"; {variables}" if variables else "")


def footer(counted: Count) -> tuple[str, ...]:
    """The lines under a table of layers: conditions, depth, several outputs."""
    graph = counted.graph
    lines = [
        conditions(counted),
        f"depth {counted.depth} (weighted layers on the longest path, {counted.weighted} in all), "
        f"{counted.nonlinearities} non-linearities",
    ]
    if graph.provenance.note:
        lines.append(graph.provenance.note)
    lines += filter(None, [counted_by_rules(graph.layers)])
    lines += balance_lines(graph)
    if counted.uncounted:
        lines.append(lower_bound(counted))
    return (*lines, *end_lines(graph))


def balance_lines(graph: Graph) -> list[str]:
    """Return what a model stores that no layer counts, and whether its account is right."""
    balance, lines = graph.balance, []
    if balance is None:
        return []
    if balance.left_out:
        total = sum(tensor.elements for tensor in balance.left_out)
        names = [f"{tensor.name} ({tensor.elements:,}, {tensor.why})" for tensor in balance.left_out[:_MOST_NAMED]]
        more = len(balance.left_out) - len(names)
        names += [f"and {more:,} more"] * bool(more)
        lines.append(f"of {balance.stored:,} stored params {total:,} are in no layer: {', '.join(names)}")
    if balance.difference:
        lines.append(
            f"params do not add up: {balance.counted:,} are counted, and with those in no layer that is "
            f"{abs(balance.difference):,} {'more' if balance.difference > 0 else 'fewer'} than are stored"
        )
    return lines


def _balance_facts(graph: Graph) -> dict[str, Any]:
    """Return the account of an imported model."""
    balance = graph.balance
    if balance is None:
        return {}
    facts = {"stored": balance.stored, "counted": balance.counted, "not_stored": balance.not_stored}
    left_out = [dict(vars(tensor)) for tensor in balance.left_out]
    return {"balance": {**facts, "left_out": left_out, "difference": balance.difference}}


def lower_bound(counted: Count) -> str:
    """Return which operators have no rule, where, and why: the totals are lower bounds."""
    from convcalc.analysis.uncounted import has_unknown_input, operators_without_rule

    after = [layer for layer in counted.uncounted if has_unknown_input(layer)]
    named = operators_without_rule(layer for layer in counted.uncounted if not has_unknown_input(layer))
    parts = [f"no rule for {named}"] * bool(named)
    if after:
        plural = len(after) > 1
        them = f"{len(after):,} layer{'s' * plural} after {'them' if named else 'others'}"
        parts.append(f"{them} {'have inputs' if plural else 'has an input'} of unknown shape")
    return f"totals are lower bounds (>=): {'; '.join(parts)}"


def _reasons(uncounted: Sequence[Layer]) -> dict[str, str]:
    """Return why each of these layers is not counted, by path."""
    if uncounted:
        from convcalc.analysis.uncounted import reason_for
    return {layer.path: reason_for(layer) for layer in uncounted}


def facts(counted: Count) -> dict[str, Any]:
    """What a machine should know about a counted network."""
    graph, uncounted = counted.graph, counted.uncounted
    return {
        "spec": spec_facts(graph),
        "input": {name: list(shape) for name, shape in graph.inputs.items()},
        "batch": graph.batch,
        "note": graph.provenance.note,
        "totals": {
            **{
                key: counted.figure(key)
                for key in ("weights", "biases", "other_params", "params", "buffers", "macs", "flops")
            },
            "depth": counted.depth,
            "weighted_layers": counted.weighted,
            "nonlinearities": counted.nonlinearities,
            "layers": len(counted.rows),
        },
        "status": "lower_bound" if uncounted else "complete",
        "uncounted": [layer.path for layer in uncounted],
        "uncounted_reasons": _reasons(uncounted),
        "counted_by": {layer.path: rule for layer in graph.layers if (rule := rule_of(layer))},
        "tallies": dict(counted.tallies),
        **_balance_facts(graph),
        **end_facts(graph),
    }


def spec_facts(graph: Graph) -> dict[str, Any]:
    """Which spec, with which variables, and the hash of its text and includes; of a model its file and producer."""
    known = graph.provenance
    if not known.data:
        model = {"path": known.path, "producer": known.producer} if known.path else {}
        return {"name": graph.name, **model, **({} if known.opset is None else {"opset": known.opset})}
    # hashlib loads OpenSSL, a fortieth of the whole command
    try:
        from _sha256 import sha256  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        from hashlib import sha256

    digest = sha256()
    for data in known.data:
        digest.update(data)
    return {
        "name": graph.name,
        "path": known.path,
        "sha256": digest.hexdigest(),
        "variant": known.variant,
        "variables": known.variables,
        "source": known.source,
    }
