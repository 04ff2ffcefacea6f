"""What is asked of a spec: variables, a variant, another input, a batch. The same for a command line and a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convcalc.build import Settings
    from convcalc.document import Document
    from convcalc.graph import Graph


def load(
    spec: str | Path,
    variables: Mapping[str, Any] | None = None,
    variant: str = "",
    inputs: str | Sequence[str] = (),
    batch: int = 1,
) -> Graph:
    """The network of a spec: a path, a name of the catalogue, or NAME@VARIANT. Raises SpecError."""
    sets = tuple(f"{name}={value}" for name, value in (variables or {}).items())
    return graph(str(spec), sets, variant, (inputs,) if isinstance(inputs, str) else tuple(inputs), batch)


def read(text: str, name: str = "<text>") -> Graph:
    """The network of a spec given as text; it may include blocks of the catalogue by name. Raises SpecError.

    >>> read("input: 256x28x28\\nlayers: [{conv: {filters: 16, kernel: 1}}]").layers[0].output
    (16, 28, 28)
    """
    from convcalc.build import build
    from convcalc.document import parse
    from convcalc.files import File

    return build(parse(File(name, text.encode(), None)))


def settings(sets: tuple[str, ...], variant: str, inputs: tuple[str, ...], batch: int, document: Document) -> Settings:
    """The options that change a spec, checked against it. Raises SpecError."""
    from convcalc.build import Settings

    variables, shapes = _variables(sets, document)
    return Settings(variables, variant, (*inputs, *shapes), batch)


def _variables(sets: tuple[str, ...], document: Document) -> tuple[Mapping[str, Any], list[str]]:
    from convcalc.errors import Problem, SpecError, did_you_mean, quoted
    from convcalc.spec import read

    found: dict[str, Any] = {}
    shapes: list[str] = []
    problems = []
    for text in sets:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            problems.append(Problem(f"--set: VAR=VALUE was expected, found {quoted(text)}"))
        elif name in document.variables:
            found[name] = read(value, f"--set {name}").plain()
        elif name == "input":
            shapes.append(value)
        else:
            hint = did_you_mean(name, document.variables) or "the spec has no vars:"
            problems.append(Problem(f"--set: {document.file.name} has no variable {quoted(name)}", hint=hint))
    if problems:
        raise SpecError(problems)
    return found, shapes


def graph(
    spec: str,
    sets: tuple[str, ...] = (),
    variant: str = "",
    inputs: tuple[str, ...] = (),
    batch: int = 1,
    root: Path | None = None,
) -> Graph:
    """The graph that a command line asks for; `spec` may be SPEC@VARIANT. Raises SpecError."""
    from convcalc.build import build

    document, variant = opened(spec, variant, root)
    return build(document, settings(sets, variant, inputs, batch, document))


def opened(spec: str, variant: str = "", root: Path | None = None) -> tuple[Document, str]:
    """The document of SPEC or SPEC@VARIANT, and the variant. Raises SpecError."""
    from convcalc.document import load
    from convcalc.files import Files

    files = Files(root)
    base, at, own = spec.rpartition("@")
    if at and not files.exists(Path(spec)):
        spec, variant = base, own
    return load(spec, files), variant


def graphs(specs: tuple[str, ...], **options: Any) -> list[Graph]:
    """The graphs of several specs; the errors of all of them together. Raises SpecError."""
    from convcalc.errors import SpecError

    found, problems = [], []
    for spec in specs:
        try:
            found.append(graph(spec, **options))
        except SpecError as error:
            problems.extend(error.problems)
    if problems:
        raise SpecError(problems)
    return found
