"""What a command line or a program changes about a spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convcalc.record import Record

if TYPE_CHECKING:
    from convcalc.language.document import Document


class Overrides(Record):
    """What is changed about a spec: variables, a variant, its input, the batch, whether it is deployed.

    `sets` are the texts of `--set`. They mean something only beside the variables of a document: `resolved` reads them.
    """

    variables: Mapping[str, Any] = {}
    variant: str = ""
    inputs: Sequence[Any] = ()  # texts as of --input, or pairs of a name ("" for the only one) and a shape
    batch: int = 1
    deploy: bool = False  # batch norms folded, dropout left out
    strict: bool = False  # a model with operators unknown here is an error
    root: str | None = None  # the folder that includes may not leave, by default the spec's
    sets: Sequence[str] = ()
    bits: Sequence[str] = ()  # texts as of --bits: 8x8, or stem*=8x8
    # the files with rules for a model's operators, or what finds them once a model is read
    rules: Sequence[str] | Callable[[], Sequence[str]] = ()

    @property
    def rule_files(self) -> Sequence[str]:
        """The files with rules for the operators of a model."""
        return self.rules() if callable(self.rules) else self.rules

    def resolved(self, document: Document) -> Overrides:
        """The same with `sets` as values of the document's variables. Raises SpecError for each that it lacks."""
        if not self.sets:
            return self
        variables, shapes = _read_sets(self.sets, document)
        return self._replace(variables={**self.variables, **variables}, inputs=(*self.inputs, *shapes), sets=())


def overrides_of(
    variables: Mapping[str, Any] | None,
    variant: str,
    inputs: str | Sequence[str],
    batch: int,
    deploy: bool,
    rules: str | Sequence[str] = (),
) -> Overrides:
    """The arguments of the library's functions as overrides."""
    sets = tuple(f"{name}={value}" for name, value in (variables or {}).items())
    shapes, files = ((value,) if isinstance(value, str) else tuple(value) for value in (inputs, rules))
    return Overrides({}, variant, shapes, batch, deploy, sets=sets, rules=files)


def _read_sets(sets: Sequence[str], document: Document) -> tuple[Mapping[str, Any], list[str]]:
    """The texts of `--set` as variables and choices, and the shapes that they give the input."""
    from convcalc.errors import Problem, SpecError, UserError, did_you_mean, quoted
    from convcalc.language.choices import choices
    from convcalc.syntax.yaml import read

    variables: dict[str, Any] = {}
    shapes: list[str] = []
    problems = []
    for text in sets:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            problems.append(Problem(f"--set: VAR=VALUE was expected, found {quoted(text)}"))
        elif name in document.variables:
            variables[name] = read(value, f"--set {name}").plain()
            if variables[name] is None or isinstance(variables[name], dict):
                problems.append(Problem(f"--set: {quoted(value)} is not a number, a word or a list"))
        elif name == "input":
            shapes.append(value)
        elif name in (known := choices(document)):
            try:
                variables[name] = known[name].pick(value)
            except UserError as error:
                problems.append(Problem(f"--set: {error.message}", hint=error.hint))
        else:
            hint = did_you_mean(name, [*document.variables, *known]) or "the spec has no vars:"
            problems.append(Problem(f"--set: {document.file.name} has no variable {quoted(name)}", hint=hint))
    if problems:
        raise SpecError(problems)
    return variables, shapes
