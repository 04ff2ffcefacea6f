"""The network that a SPEC names: a path, a name of the catalogue, SPEC@VARIANT, another tool's model, Python code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os.path import exists, isfile, lexists, splitext
from typing import TYPE_CHECKING, Any

from convcalc.catalogue import family
from convcalc.discovery import packages
from convcalc.language.overrides import Overrides, overrides_of
from convcalc.record import Record

if TYPE_CHECKING:
    from pathlib import Path

    from convcalc.graph import Graph
    from convcalc.language.document import Document
    from convcalc.language.sources import Files


_CODE_READER = "convcalc.importers.torch"


class SpecName(Record):
    """What a SPEC names: a file, a network of the catalogue, `-`, another tool's model, or Python code.

    `parse` takes a word of the command line or of a call, which may be any of these. A name from anywhere else is made
    by `SpecName.file` or `CatalogueName.of`, and is never code, whatever it looks like.

    `variant` is that of SPEC@VARIANT, None without an @. `reader` is the module that reads a model, "" for a spec.
    """

    text: str
    path: str  # without @VARIANT
    variant: str | None
    exists: bool  # whether there is something at the path
    reader: str

    @classmethod
    def parse(cls, text: str) -> SpecName:
        """Take a SPEC apart. A file may have an @ in its name.

        >>> [(name.text, name.path, name.variant) for name in map(SpecName.parse, ("resnet@18", "net.yaml"))]
        [('resnet@18', 'resnet', '18'), ('net.yaml', 'net.yaml', None)]
        >>> SpecName.parse("torchvision.models:resnet50").reader, SpecName.parse("model.onnx").reader
        ('convcalc.importers.torch', 'convcalc.importers.onnx.importer')
        """
        reader = _reader(text)
        path, at, variant = text.rpartition("@")
        if reader or not at or exists(text):
            return cls(text, text, None, exists(text), reader)
        return cls(text, path, variant, exists(path), reader)

    @classmethod
    def file(cls, path: str, variant: str | None = None) -> SpecName:
        """Name a file that is there: a spec, or by its suffix another tool's model. It is never code.

        >>> SpecName.file("nets/evil.py:a.yaml").reader, SpecName.file("net.onnx").reader
        ('', 'convcalc.importers.onnx.importer')
        """
        return cls(path if variant is None else f"{path}@{variant}", path, variant, True, _model_reader(path))


class CatalogueName(SpecName):
    """A network of the catalogue, whatever files there are of its name."""

    __slots__ = ()

    @classmethod
    def of(cls, text: str, network: str, variant: str) -> CatalogueName:
        """Name a network and its variant, "" for none."""
        return cls(text, network, variant or None, False, "")


def load(
    spec: str | Path,
    variables: Mapping[str, Any] | None = None,
    variant: str = "",
    inputs: str | Sequence[str] = (),
    batch: int = 1,
    deploy: bool = False,
    rules: str | Sequence[str] = (),
) -> Graph:
    """The network of a spec: a path, a name of the catalogue, or NAME@VARIANT; of a model under files of `rules`.

    Raises SpecError.
    """
    return graph(str(spec), overrides_of(variables, variant, inputs, batch, deploy, rules))


def read(text: str, name: str = "<text>") -> Graph:
    """The network of a spec given as text; it may include blocks of the catalogue by name. Raises SpecError.

    >>> read("input: 256x28x28\\nlayers: [{conv: {filters: 16, kernel: 1}}]").layers[0].output
    (16, 28, 28)
    """
    from convcalc.language.builder import build
    from convcalc.language.document_loader import parse
    from convcalc.language.sources import File

    return build(parse(File(name, text.encode(), None), is_strict=False))


def graph(spec: str | SpecName, overrides: Overrides = Overrides()) -> Graph:  # noqa: B008  (immutable)
    """The network of SPEC, SPEC@VARIANT, a model.onnx or module:attribute, under overrides. Raises SpecError."""
    name = _named(spec)
    if name.reader:
        model = _model(name, overrides)
        if overrides.bits:
            from convcalc.language.bits import set_bits

            set_bits(model, (), overrides.bits)
        if overrides.deploy:
            from convcalc.deploy import deploy

            return deploy(model)
        return model
    from convcalc.language.builder import build

    network = build(*_open(name, overrides, is_strict=False))
    if overrides.rules and not callable(overrides.rules):  # named on the command line, not found in the settings
        from convcalc.graph import joined_notes

        note = joined_notes(network.provenance.note, "--rules is for models: nothing of a spec follows them")
        network.provenance = network.provenance._replace(note=note)
    return network


class Before(Record):
    """A network as it was at a revision, where its spec was then ("": it is still there), and the commit."""

    graph: Graph
    moved_from: str
    commit: str


def graph_at(revision: str, spec: str | SpecName, overrides: Overrides) -> Before | None:
    """The network of a spec as it was at a git revision, under the same overrides; None where there was none yet.

    A spec that was moved since is found where git finds it. What nothing used then is no error now. Raises SpecError.
    """
    from convcalc.errors import SpecError, UserError, quoted
    from convcalc.language.builder import build
    from convcalc.language.revision import Revision

    name, overrides = _named(spec), overrides._replace(strict=False)
    if name.text == "-" or name.reader:
        raise SpecError(f"--base: {quoted(name.text)} is no spec with a history", "name a file of the repository")
    moved_from = ""
    try:
        files = Revision(revision, name.text, overrides.root)
        if name.exists and not files.exists(name.path):
            moved_from = files.path_before(name.path) or ""
            if not moved_from:
                return None
    except UserError as error:
        raise SpecError(error.message, error.hint) from None
    if moved_from:
        name = name._replace(path=moved_from)
    return Before(build(*_open(name, overrides, is_strict=False, files=files)), moved_from, files.commit)


def open_document(spec: str, overrides: Overrides, is_strict: bool = True) -> tuple[Document, Overrides]:
    """The document of SPEC or SPEC@VARIANT, and the overrides with the variant; of a model the document of its spec.

    Raises SpecError.
    """
    return _open(SpecName.parse(spec), overrides, is_strict)


def _named(spec: str | SpecName) -> SpecName:
    return SpecName.parse(spec) if isinstance(spec, str) else spec


def _open(
    name: SpecName, overrides: Overrides, is_strict: bool, files: Files | None = None
) -> tuple[Document, Overrides]:
    from convcalc.language.document_loader import load, parse
    from convcalc.language.sources import CatalogueFiles, File, Files

    if name.reader:
        from importlib import import_module

        whole = Overrides(variant=overrides.variant, inputs=overrides.inputs, rules=overrides.rules)
        text = import_module("convcalc.exporters.yaml.writer").write_spec(_model(name, whole))
        return parse(File(f"spec of {name.text}", text.encode(), None)), overrides._replace(variant="", inputs=())
    path, variant = name.path, name.variant
    if variant is None and not name.exists and not overrides.variant:
        path, variant = family(path)
    if variant is not None:
        overrides = overrides._replace(variant=variant)
    if isinstance(name, CatalogueName):
        files = files or CatalogueFiles()
    return load(path, files or Files(overrides.root), is_strict), overrides


def _reader(spec: str) -> str:
    """The module that reads another tool's model: a file by its suffix, `module:attribute`; "" for a spec."""
    return _CODE_READER if _is_code(spec) else _model_reader(spec)


def _model_reader(path: str) -> str:
    """The module that reads another tool's model, by the file's suffix; "" for a spec."""
    suffix = splitext(path)[1][1:].lower()
    if suffix in ("", "yaml", "yml") or suffix not in packages(__file__, "importers", "importer.py"):
        return ""
    return f"convcalc.importers.{suffix}.importer"


def _is_code(spec: str) -> bool:
    """Whether a word of the command line names something in Python code: never where anything is called like it.

    >>> [_is_code(spec) for spec in ("torchvision.models:resnet50", "nets/mine.py:Net", "net.yaml", "a:1")]
    [True, True, False, False]
    """
    module, colon, name = spec.rpartition(":")
    names = name.split(".") if module.endswith(".py") else [*module.split("."), *name.split(".")]
    return bool(colon) and all(part.isidentifier() for part in names) and not lexists(spec)


def _model(name: SpecName, overrides: Overrides) -> Graph:
    """The graph of another tool's model, which has an input and a batch to change but no variables."""
    from importlib import import_module

    from convcalc.errors import SpecError, quoted

    shapes = [value for key, _, value in (text.partition("=") for text in overrides.sets) if key == "input"]
    if len(shapes) < len(overrides.sets) or overrides.variant:
        what = "variants" if overrides.variant else "variables"
        raise SpecError(
            f"{quoted(name.text)} is a model and has no {what}", "convcalc import writes a spec of it to change"
        )
    if name.reader != _CODE_READER and not isfile(name.path):
        raise SpecError(f"no file {quoted(name.text)}")
    inputs = (*overrides.inputs, *shapes)
    read = import_module(name.reader).load
    found: Graph = read(name.path, inputs, overrides.batch, overrides.strict, overrides.rule_files)
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
