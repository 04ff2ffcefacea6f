"""Build the tables that `kinds` prints: what a layer can be, its fields, and an example."""

from __future__ import annotations

import inspect

from convcalc.analysis.explain import explain_layer
from convcalc.errors import SpecError, quoted
from convcalc.kinds import KINDS, Kind, find, foreign, suggest
from convcalc.kinds.fields import shown
from convcalc.language.builder import build
from convcalc.language.document import COMMON_FIELDS
from convcalc.language.document_loader import parse
from convcalc.language.sources import File
from convcalc.report import Column, Report, Table
from convcalc.tables.explain import COLUMNS, line_rows


def kinds_report(name: str = "") -> Report:
    """One kind, as a spec or another tool calls it: its fields and an example; for "" all kinds. Raises SpecError."""
    if not name:
        return Report("kinds", [every_kind(), common_fields()])
    kind = find(name) or KINDS.get(foreign(name) or "")
    if kind is None:
        raise SpecError(f"no layer kind {quoted(name)}", suggest(name, []))
    return Report("kinds", [fields(kind), worked_example(kind)])


def every_kind() -> Table:
    """All kinds, a row each, by family."""
    columns = [
        Column("kind", "kind", "name"),
        Column("family", "family", "text"),
        Column("about", "meaning", "text"),
    ]
    rows = [[kind.name, kind.family, about(kind)[0]] for kind in KINDS.values()]
    rows.sort(key=lambda row: (row[1], row[0]))
    return Table(
        f"{len(rows)} kinds of layers",
        columns,
        rows,
        None,
        ["'convcalc kinds KIND' shows the fields of a kind and an example"],
    )


def common_fields() -> Table:
    """The fields that every kind has."""
    columns = [Column("field", "field", "name"), Column("about", "meaning", "text")]
    return Table("Fields of every kind", columns, list(COMMON_FIELDS.items()))


def about(kind: type[Kind]) -> list[str]:
    """The lines that describe a kind: its docstring up to the worked example."""
    return inspect.cleandoc(kind.__doc__ or "").partition(">>>")[0].strip().split("\n")


def fields(kind: type[Kind]) -> Table:
    """A kind's fields, and what other tools call it."""
    headings = [("field", "name"), ("default", "text"), ("takes", "text"), ("letter", "text"), ("about", "text")]
    columns = [Column(key, key, holds, optional=key == "letter") for key, holds in headings]
    rows = []
    for name, field in kind.fields.items():
        default = "required" if field.is_required else "" if field.default is None else shown(field.default).strip("'")
        letter = getattr(field, "letters", "") or field.letter
        rows.append([name, default, field.expects(), " ".join(letter), field.doc])
    notes = [line for line in about(kind)[1:] if line]
    bare = [name for name, field in kind.fields.items() if field.bare]
    if bare:
        notes.append(f"short form: '{kind.name}: VALUE' sets {bare[0]}")
    if kind.has_branches:
        notes.append(f"takes branches: '{kind.name}: [[layers...], [layers...]]', [] for the skip; or from: [a, b]")
    if kind.like_field:
        notes.append(f"takes the size of another layer: '{kind.name}: {{like: NAME}}'")
    others = {"PyTorch": kind.torch, "Keras": kind.keras, "ONNX": kind.onnx}
    notes += [f"{tool}: {', '.join(names.split())}" for tool, names in others.items() if names]
    notes.append(f"every kind also takes {', '.join(COMMON_FIELDS)}; any value may be computed: ${{2 * width}}")
    facts = {
        "kind": kind.name,
        "family": kind.family,
        "names": {"torch": kind.torch.split(), "keras": kind.keras.split(), "onnx": kind.onnx.split()},
    }
    return Table(f"{kind.name}: {about(kind)[0]}", columns, rows, None, notes, facts)


def example_spec(kind: type[Kind]) -> str:
    """A kind's example as a spec that counts.

    >>> from convcalc.kinds.conv import Conv
    >>> print(example_spec(Conv))
    input: 256x28x28
    layers:
      - conv: {filters: 32, kernel: 5, padding: same}
    """
    shapes, values = kind.example
    given = shapes.split()
    names = [chr(ord("a") + at) for at in range(len(given))]
    several = "{" + ", ".join(f"{name}: {shape}" for name, shape in zip(names, given, strict=True)) + "}"
    written = {name: shown(value).strip("'") for name, value in values.items()}
    if len(given) != 1:
        written["from"] = f"[{', '.join(names)}]"
    inside = ", ".join(f"{name}: {value}" for name, value in written.items())
    entry = f"{kind.name}: {{{inside}}}" if inside else kind.name
    return f"input: {several if len(given) > 1 else given[0] if given else 1}\nlayers:\n  - {entry}"


def worked_example(kind: type[Kind]) -> Table:
    """What a kind's example costs, and why."""
    text = example_spec(kind)
    graph = build(parse(File(f"{kind.name}.yaml", text.encode(), None)))
    return Table(
        "Example",
        COLUMNS,
        line_rows(explain_layer(graph.layers[-1])),
        None,
        ["as a spec:", *text.split("\n")],
        {"example": text},
    )
