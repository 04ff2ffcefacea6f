"""What is asked of a spec: variables, a variant, another input, a batch. The same for a command line and a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os.path import dirname, isfile, join, splitext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from convcalc.graph import Graph
    from convcalc.language.builder import Settings
    from convcalc.language.document import Document
    from convcalc.language.sources import Files


def load(
    spec: str | Path,
    variables: Mapping[str, Any] | None = None,
    variant: str = "",
    inputs: str | Sequence[str] = (),
    batch: int = 1,
    deploy: bool = False,
) -> Graph:
    """The network of a spec: a path, a name of the catalogue, or NAME@VARIANT. Raises SpecError."""
    sets = tuple(f"{name}={value}" for name, value in (variables or {}).items())
    return graph(
        str(spec), sets, variant, (inputs,) if isinstance(inputs, str) else tuple(inputs), batch, deploy=deploy
    )


def read(text: str, name: str = "<text>") -> Graph:
    """The network of a spec given as text; it may include blocks of the catalogue by name. Raises SpecError.

    >>> read("input: 256x28x28\\nlayers: [{conv: {filters: 16, kernel: 1}}]").layers[0].output
    (16, 28, 28)
    """
    from convcalc.language.builder import build
    from convcalc.language.document import parse
    from convcalc.language.sources import File

    return build(parse(File(name, text.encode(), None), is_strict=False))


def settings(
    sets: tuple[str, ...],
    variant: str,
    inputs: tuple[str, ...],
    batch: int,
    document: Document,
    deploy: bool = False,
) -> Settings:
    """The options that change a spec, checked against it. Raises SpecError."""
    from convcalc.language.builder import Settings

    variables, shapes = _variables(sets, document)
    return Settings(variables, variant, (*inputs, *shapes), batch, deploy)


def _variables(sets: tuple[str, ...], document: Document) -> tuple[Mapping[str, Any], list[str]]:
    from convcalc.errors import Problem, SpecError, UserError, did_you_mean, quoted
    from convcalc.language.choices import choices
    from convcalc.syntax.yaml import read

    found: dict[str, Any] = {}
    shapes: list[str] = []
    problems = []
    for text in sets:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            problems.append(Problem(f"--set: VAR=VALUE was expected, found {quoted(text)}"))
        elif name in document.variables:
            found[name] = read(value, f"--set {name}").plain()
            if found[name] is None or isinstance(found[name], dict):
                problems.append(Problem(f"--set: {quoted(value)} is not a number, a word or a list"))
        elif name == "input":
            shapes.append(value)
        elif name in (known := choices(document)):
            try:
                found[name] = known[name].pick(value)
            except UserError as misfit:
                problems.append(Problem(f"--set: {misfit.message}", hint=misfit.hint))
        else:
            hint = did_you_mean(name, [*document.variables, *known]) or "the spec has no vars:"
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
    strict: bool = False,
    deploy: bool = False,
) -> Graph:
    """The graph that a command line asks for: SPEC, SPEC@VARIANT, a model.onnx, module:attribute. Raises SpecError."""
    reader = _reader(spec)
    if reader is not None:
        model = _model(reader, spec, sets, variant, inputs, batch, strict)
        if deploy:
            from convcalc.deploy import deploy as deployed

            return deployed(model)
        return model
    from convcalc.language.builder import build

    return build(*asked(spec, sets, variant, inputs, batch, root, deploy, is_strict=False))


def graph_at(revision: str, spec: str, options: Mapping[str, Any]) -> Graph | None:
    """The graph of a spec as it was at a git revision, under the same options; None where there was none yet.

    Raises SpecError.
    """
    from convcalc.errors import SpecError, UserError, quoted
    from convcalc.language.builder import build
    from convcalc.language.revision import Revision
    from convcalc.language.sources import Files, without_variant

    if spec == "-" or _reader(spec) is not None:
        raise SpecError(f"--base: {quoted(spec)} is no spec with a history", "name a file of the repository")
    path = without_variant(spec)
    try:
        files = Revision(revision, spec, options.get("root"))
        if Files().exists(path) and not files.exists(path):
            return None
    except UserError as misfit:
        raise SpecError(misfit.message, misfit.hint) from None
    known = {key: value for key, value in options.items() if key != "strict"}
    return build(*asked(spec, **known, is_strict=False, files=files))


def asked(
    spec: str,
    sets: tuple[str, ...] = (),
    variant: str = "",
    inputs: tuple[str, ...] = (),
    batch: int = 1,
    root: Path | None = None,
    deploy: bool = False,
    is_strict: bool = True,
    files: Files | None = None,
) -> tuple[Document, Settings]:
    """The document that a command line names, and what its options change about it. Raises SpecError."""
    document, variant = opened(spec, variant, root, is_strict, files, inputs)
    return document, settings(sets, variant, inputs, batch, document, deploy)


def opened(
    spec: str,
    variant: str = "",
    root: Path | None = None,
    is_strict: bool = True,
    files: Files | None = None,
    inputs: tuple[str, ...] = (),
) -> tuple[Document, str]:
    """The document of SPEC or SPEC@VARIANT, and the variant; of another tool's model its spec. Raises SpecError."""
    from convcalc.language.document import load, parse
    from convcalc.language.sources import File, Files, family

    reader = _reader(spec)
    if reader is not None:
        from importlib import import_module

        text = import_module("convcalc.exporters.yaml.writer").write_spec(
            _model(reader, spec, (), variant, inputs, 1, False)
        )
        return parse(File(f"spec of {spec}", text.encode(), None)), ""
    base, at, own = spec.rpartition("@")
    if Files().exists(spec):
        return load(spec, files or Files(root), is_strict), variant
    if at:
        spec, variant = base, own
    elif not variant:
        spec, variant = family(spec)
    return load(spec, files or Files(root), is_strict), variant


def _reader(spec: str) -> str | None:
    """The module that reads another tool's model: a file by its suffix, `module:attribute`; None for a spec."""
    if is_code(spec):
        return "convcalc.importers.torch"
    suffix = splitext(spec)[1][1:].lower()
    if not suffix.isidentifier() or not isfile(join(dirname(__file__), "importers", suffix, "importer.py")):
        return None
    return f"convcalc.importers.{suffix}.importer"


def is_code(spec: str) -> bool:
    """Whether a spec names something in Python code.

    >>> [is_code(spec) for spec in ("torchvision.models:resnet50", "nets/mine.py:Net", "net.yaml", "a:1")]
    [True, True, False, False]
    """
    module, colon, name = spec.rpartition(":")
    names = name.split(".") if module.endswith(".py") else [*module.split("."), *name.split(".")]
    return bool(colon) and all(part.isidentifier() for part in names) and not isfile(spec)


def _model(
    reader: str, spec: str, sets: tuple[str, ...], variant: str, inputs: tuple[str, ...], batch: int, strict: bool
) -> Graph:
    """The graph of another tool's model, which has an input and a batch to change but no variables."""
    from importlib import import_module

    from convcalc.errors import SpecError, quoted

    shapes = [value for name, _, value in (text.partition("=") for text in sets) if name == "input"]
    if len(shapes) < len(sets) or variant:
        what = "variants" if variant else "variables"
        raise SpecError(f"{quoted(spec)} is a model and has no {what}", "convcalc import writes a spec of it to change")
    if not isfile(spec) and not is_code(spec):
        raise SpecError(f"no file {quoted(spec)}")
    found: Graph = import_module(reader).load(spec, (*inputs, *shapes), batch, strict)
    return found


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
