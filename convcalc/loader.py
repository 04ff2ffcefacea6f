"""The network that a SPEC names: a path, a name of the catalogue, SPEC@VARIANT, another tool's model, Python code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os.path import dirname, isfile, join, splitext
from typing import TYPE_CHECKING, Any

from convcalc.language.overrides import Overrides, overrides_of

if TYPE_CHECKING:
    from pathlib import Path

    from convcalc.graph import Graph
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
    return graph(str(spec), overrides_of(variables, variant, inputs, batch, deploy))


def read(text: str, name: str = "<text>") -> Graph:
    """The network of a spec given as text; it may include blocks of the catalogue by name. Raises SpecError.

    >>> read("input: 256x28x28\\nlayers: [{conv: {filters: 16, kernel: 1}}]").layers[0].output
    (16, 28, 28)
    """
    from convcalc.language.builder import build
    from convcalc.language.document import parse
    from convcalc.language.sources import File

    return build(parse(File(name, text.encode(), None), is_strict=False))


def graph(spec: str, overrides: Overrides = Overrides()) -> Graph:  # noqa: B008  (immutable)
    """The network of SPEC, SPEC@VARIANT, a model.onnx or module:attribute, under overrides. Raises SpecError."""
    reader = _reader(spec)
    if reader is not None:
        model = _model(reader, spec, overrides)
        if overrides.deploy:
            from convcalc.deploy import deploy

            return deploy(model)
        return model
    from convcalc.language.builder import build

    return build(*open_document(spec, overrides, is_strict=False))


def graph_at(revision: str, spec: str, overrides: Overrides) -> Graph | None:
    """The network of a spec as it was at a git revision, under the same overrides; None where there was none yet.

    Raises SpecError.
    """
    from convcalc.errors import SpecError, UserError, quoted
    from convcalc.language.builder import build
    from convcalc.language.revision import Revision
    from convcalc.language.sources import Files, without_variant

    if spec == "-" or _reader(spec) is not None:
        raise SpecError(f"--base: {quoted(spec)} is no spec with a history", "name a file of the repository")
    try:
        files = Revision(revision, spec, overrides.root)
    except UserError as error:
        raise SpecError(error.message, error.hint) from None
    path = without_variant(spec)
    if Files().exists(path) and not files.exists(path):
        return None
    return build(*open_document(spec, overrides, is_strict=False, files=files))


def open_document(
    spec: str, overrides: Overrides, is_strict: bool = True, files: Files | None = None
) -> tuple[Document, Overrides]:
    """The document of SPEC or SPEC@VARIANT, and the overrides with the variant; of a model the document of its spec.

    Raises SpecError.
    """
    from convcalc.language.document import load, parse
    from convcalc.language.sources import File, Files, family

    reader = _reader(spec)
    if reader is not None:
        from importlib import import_module

        whole = Overrides(variant=overrides.variant, inputs=overrides.inputs)
        text = import_module("convcalc.exporters.yaml.writer").write_spec(_model(reader, spec, whole))
        return parse(File(f"spec of {spec}", text.encode(), None)), overrides._replace(variant="")
    base, at, own = spec.rpartition("@")
    if not Files().exists(spec):
        if at:
            spec, overrides = base, overrides._replace(variant=own)
        elif not overrides.variant:
            spec, variant = family(spec)
            overrides = overrides._replace(variant=variant)
    return load(spec, files or Files(overrides.root), is_strict), overrides


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


def _model(reader: str, spec: str, overrides: Overrides) -> Graph:
    """The graph of another tool's model, which has an input and a batch to change but no variables."""
    from importlib import import_module

    from convcalc.errors import SpecError, quoted

    shapes = [value for name, _, value in (text.partition("=") for text in overrides.sets) if name == "input"]
    if len(shapes) < len(overrides.sets) or overrides.variant:
        what = "variants" if overrides.variant else "variables"
        raise SpecError(f"{quoted(spec)} is a model and has no {what}", "convcalc import writes a spec of it to change")
    if not isfile(spec) and not is_code(spec):
        raise SpecError(f"no file {quoted(spec)}")
    inputs = (*overrides.inputs, *shapes)
    found: Graph = import_module(reader).load(spec, inputs, overrides.batch, overrides.strict)
    return found


def graphs(specs: Sequence[str], overrides: Overrides) -> list[Graph]:
    """The networks of several specs; the errors of all of them together. Raises SpecError."""
    from convcalc.errors import SpecError

    found, problems = [], []
    for spec in specs:
        try:
            found.append(graph(spec, overrides))
        except SpecError as error:
            problems.extend(error.problems)
    if problems:
        raise SpecError(problems)
    return found
