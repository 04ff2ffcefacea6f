"""Build the tables that `params` prints from a count: columns, order, notes. Other tables share its notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from convcalc.analysis.by_rule import counted_by_rules, rule_of
from convcalc.analysis.count import BITS, FLOP, MAC, Count, Row, by_kind, by_mixing, fold, unfold
from convcalc.errors import SpecError, did_you_mean, printable, quoted
from convcalc.graph import Graph, Layer
from convcalc.kinds import shape_text
from convcalc.report import Report, Table
from convcalc.tables.ends import end_facts, end_lines
from convcalc.tables.measures import ALIVE, MEASURES, Measure, as_tree, choose, spare_columns

if TYPE_CHECKING:
    from convcalc.language.document import Document

CONVENTIONS = {
    "macs": MAC,
    "flops": FLOP,
    "params": "weights + biases + other_params; weights used twice are counted once",
}
_MOST_NAMED = 4  # tensors in no layer that a note names
NOTES = (f"{MAC}.",)


DEFAULT = ("name", "kind", "output", "weights", "biases", "other_params", "params", "macs", "macs_share")
SEES = ("sees", "sees_stride", "sees_padding")
GROUPED = ("layers", "weights", "weights_share", "params", "params_share", "macs", "macs_share")


def count_tables(
    counted: Count, depth: int | None, by: str, columns: str, sort: str, is_tree: bool = False
) -> list[Table]:
    """The tables of one counted network; `is_tree`: with a row for each block. Raises SpecError."""
    name = title(counted.graph)
    if by == "kind":
        kinds, mixing = choose(columns, ("kind", *GROUPED)), choose(columns, ("mixing", *GROUPED))
        first = _table(name, counted, by_kind(counted), kinds, sort)
        second = _table(f"{name}: cross-channel and spatial", counted, by_mixing(counted), mixing, sort)
        return [first._replace(notes=()), second]
    default = [key for key in DEFAULT if key != "other_params" or counted.figure(key)]
    default += ["bits", *BITS] * counted.graph.has_bits
    measures, lines = _with_fields(choose(columns, default), counted.graph)
    if is_tree:
        return [_table(name, counted, unfold(counted, depth), as_tree(measures), "", lines)]
    rows = counted.rows if depth is None else fold(counted, depth)
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


def notes(tables: Sequence[Table]) -> tuple[str, ...]:
    """What the figures of the tables mean."""
    has_flops = any(column.key == "flops" for table in tables for column in table.columns)
    has_alive = any(column.key == "alive" for table in tables for column in table.columns)
    has_bits = any(column.key in BITS for table in tables for column in table.columns)
    found = (*NOTES, *([f"{FLOP}."] * has_flops), *([f"{ALIVE}."] * has_alive))
    if has_bits:
        found = (*found, *(f"{text}." for text in bit_conventions().values()))
    if any(column.key in SEES for table in tables for column in table.columns):
        from convcalc.tables.receptive import MEANING

        found = (*found, f"{MEANING}.")
    return found


def bit_conventions() -> dict[str, str]:
    """What the figures of bits mean."""
    from convcalc.analysis.bits import BOPS, BYTES

    return {"bops": BOPS, "bits": BYTES}


def _table(
    heading: str, counted: Count, rows: Sequence[Row], measures: list[Measure], sort: str, lines: Sequence[str] = ()
) -> Table:
    if sort:
        rows = _sorted(rows, sort, counted)
    whole = Row("", "", (), counted.tallies, counted.weighted, counted.nonlinearities, "", None, len(counted.rows))
    columns = [measure.column for measure in measures]
    total = [measure.value(whole, counted) for measure in measures]
    if columns[0].holds in ("name", "tree", "text"):
        total[0] = "total >=" if counted.uncounted else "total"
    return Table(
        heading,
        columns,
        [[measure.value(row, counted) for measure in measures] for row in rows],
        total,
        (*footer(counted), *lines),
        facts(counted),
        spare=partial(spare_columns, rows, columns),
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
    conventions: Mapping[str, str] = CONVENTIONS
    if any(column.key in BITS for table in tables for column in table.columns):
        conventions = {**CONVENTIONS, **bit_conventions()}
    return Report(command, tables, notes(tables), {"conventions": conventions, **networks})


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
    if balance.unneeded:
        macs = "an unknown number of" if balance.unneeded_macs is None else f"{balance.unneeded_macs:,}"
        names = [*balance.unneeded[:_MOST_NAMED]]
        names += [f"and {len(balance.unneeded) - len(names):,} more"] * (len(balance.unneeded) > len(names))
        lines.append(f"{macs} MACs that no output needs are not counted: {', '.join(names)}")
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
    unneeded = {"unneeded_macs": balance.unneeded_macs} if balance.unneeded else {}
    left_out = [dict(vars(tensor)) for tensor in balance.left_out]
    return {"balance": {**facts, "left_out": left_out, "difference": balance.difference, **unneeded}}


def lower_bound(counted: Count) -> str:
    """Return which operators have no rule, where, and why: the totals are lower bounds."""
    from convcalc.analysis.uncounted import why_uncounted

    return f"totals are lower bounds (>=): {why_uncounted(counted.uncounted)}"


def _reasons(uncounted: Sequence[Layer]) -> dict[str, str]:
    """Return why each of these layers is not counted, by path."""
    if uncounted:
        from convcalc.analysis.uncounted import reason_for
    return {layer.path: reason_for(layer) for layer in uncounted}


def facts(counted: Count) -> dict[str, Any]:
    """What a machine should know about a counted network."""
    graph, uncounted = counted.graph, counted.uncounted
    return {
        **network_facts(graph),
        "note": graph.provenance.note,
        "totals": {
            **{
                key: counted.figure(key)
                for key in ("weights", "biases", "other_params", "params", "buffers", "macs", "flops")
            },
            **({key: counted.figure(key) for key in BITS} if graph.has_bits else {}),
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


def network_facts(graph: Graph) -> dict[str, Any]:
    """Which network, on which input, and for which batch."""
    inputs = {name: list(shape) for name, shape in graph.inputs.items()}
    return {"spec": spec_facts(graph), "input": inputs, "batch": graph.batch}


def without_bits(graph: Graph) -> list[str]:
    """The line that figures at one precision need where layers have bits of their own."""
    return ["bits: of layers are not used here"] * graph.has_bits


def spec_facts(graph: Graph) -> dict[str, Any]:
    """Which spec, with which variables, and the hash of its text and includes; of a model its file and producer."""
    known = graph.provenance
    if not known.data:
        model = {"path": known.path, "producer": known.producer} if known.path else {}
        return {"name": graph.name, **model, **({} if known.opset is None else {"opset": known.opset})}
    from convcalc.digest import new_digest

    digest = new_digest("sha256")
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
