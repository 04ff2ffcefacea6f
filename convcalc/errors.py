"""Locations in a spec, the problems there, and the exceptions that carry them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, NamedTuple

MOST_SHOWN = 20
MOST_CANDIDATES = 1_000  # words that a misspelling is compared with
Hint = str | Callable[[], str]  # a text, or what works it out if the message is shown


class Source:
    """The text of one file, kept so that an error can show its line."""

    __slots__ = ("_lines", "name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._lines: list[str] | None = None

    def line(self, number: int) -> str:
        """Line `number`, counted from 1; empty past the end.

        >>> Source("net.yaml", "input: 3x8x8\\nlayers: []").line(2)
        'layers: []'
        """
        if self._lines is None:
            self._lines = self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""


class Place(NamedTuple):
    """A location in a file: line and column count from 1; `end` is the column after the last."""

    source: Source
    line: int
    column: int
    end: int

    def __str__(self) -> str:
        return f"{printable(self.source.name)}:{self.line}:{self.column}"


class _Problem(NamedTuple):
    message: str
    place: Place | None = None
    notes: tuple[str, ...] = ()
    hint: Hint = ""


class Problem(_Problem):
    """One error: the fact, its location, how the location was reached (`notes`), and a fix (`hint`).

    A hint that is a function is called when the hint is read: a file may have thousands of errors that nobody sees.
    """

    __slots__ = ()

    @property
    def hint(self) -> str:
        hint: Any = self[3]
        return str(hint() if callable(hint) else hint)

    def __str__(self) -> str:
        message = printable(self.message)
        lines = [f"{self.place}: error: {message}" if self.place else f"error: {message}"]
        if self.place and (shown := self.place.source.line(self.place.line)).strip():
            lines += _snippet(self.place, shown)
        lines += [f"   note: {printable(note)}" for note in self.notes]
        if hint := self.hint:
            lines.append(f"   hint: {printable(hint)}")
        return "\n".join(lines)


def _snippet(place: Place, shown: str) -> list[str]:
    """The source line with a line of carets under it, cut to 100 columns around the location."""
    start = max(0, place.column - 60) if len(shown) > 100 else 0
    window = printable(shown[start : start + 100])
    offset = place.column - 1 - start
    width = max(1, min(place.end - place.column, len(window) - offset))
    number = f"{place.line:>5}"
    return [f"{number} | {window}", f"{'':>5} | {' ' * offset}^{'~' * (width - 1)}"]


class SpecError(Exception):
    """A spec, or an option for it, is invalid. `problems` holds every error, in file order.

    >>> print(SpecError([Problem("no layers", hint="add 'layers:'")]))
    error: no layers
       hint: add 'layers:'
    """

    def __init__(self, problems: Problem | str | Iterable[Problem], hint: Hint = "") -> None:
        if isinstance(problems, str):
            problems = Problem(problems, hint=hint)
        all_problems = [problems] if isinstance(problems, Problem) else list(problems)
        distinct: dict[tuple[str, str], Problem] = {}
        for problem in all_problems:
            distinct.setdefault((str(problem.place), problem.message), problem)
        problems = sorted(distinct.values(), key=_order)
        rest = [problem._replace(hint="") for problem in problems[MOST_SHOWN:]]  # hints take longer than errors
        self.problems: list[Problem] = [*problems[:MOST_SHOWN], *rest]
        super().__init__(self.problems)

    def __str__(self) -> str:
        shown = [str(problem) for problem in self.problems[:MOST_SHOWN]]
        more = len(self.problems) - MOST_SHOWN
        if more > 0:
            shown.append(f"... and {more} more error{'s' if more > 1 else ''}")
        return "\n".join(shown)

    def plain(self) -> dict[str, Any]:
        """Convert to plain values, for JSON; `hints_for_first` says how many have a hint, where not all may."""
        problems: list[dict[str, Any]] = []
        for problem in self.problems:
            place = problem.place
            location = {"file": place.source.name, "line": place.line, "column": place.column} if place else {}
            problems.append({"message": problem.message, **location, "notes": problem.notes, "hint": problem.hint})
        left_out = {"hints_for_first": MOST_SHOWN} if len(problems) > MOST_SHOWN else {}
        return {"problems": problems, **left_out}


def _order(problem: Problem) -> tuple[str, int, int]:
    place = problem.place
    return (place.source.name, place.line, place.column) if place else ("", 0, 0)


class UserError(Exception):
    """An error that does not know its location yet. The caller that does turns it into a Problem.

    `field` names the field at fault; `offset` and `width` say which characters of an expression's text are.
    `given_hint` is the hint as it was given, for whoever passes it on.
    """

    def __init__(self, message: str, field: str = "", hint: Hint = "", offset: int = 0, width: int = 0) -> None:
        super().__init__(message)
        self.message, self.field, self.given_hint, self.offset, self.width = message, field, hint, offset, width

    @property
    def hint(self) -> str:
        """The hint, worked out now."""
        return self.given_hint() if callable(self.given_hint) else self.given_hint


class TooLarge(UserError):
    """A limit of this program that a network exceeds: no layer is wrong, and there is nothing to try instead."""


class LocatedError(UserError):
    """A UserError that knows its location."""

    def __init__(self, message: str, place: Place, hint: Hint = "") -> None:
        super().__init__(message, hint=hint)
        self.place = place

    def problem(self) -> Problem:
        return Problem(self.message, self.place, (), self.given_hint)


class UnknownField(UserError):
    """A field that a kind does not have: the key is wrong, not its value."""


class ChangesGraph(Exception):
    """The structure of the graph depends on a sweep's array: the sweep must build each point on its own."""


def printable(text: str) -> str:
    """Escape every character of `text` that could move a cursor, end a line or be invisible.

    >>> printable("a\\x1b[31m\\n")
    'a\\\\x1b[31m\\\\n'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quoted(value: object, most: int = 60) -> str:
    """Quote a user's own word for a message: escaped, and cut to `most` characters.

    >>> quoted("kernal"), quoted("x" * 100, most=8)
    ("'kernal'", "'xxxxxxxx...'")
    """
    text = str(value)
    return f"'{printable(text[:most])}{'...' if len(text) > most else ''}'"


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Find the word that `word` is most likely a misspelling of; None if no word is close.

    >>> nearest("kernal", ["filters", "kernel"])
    'kernel'
    """
    import difflib

    lower = {candidate.lower(): candidate for candidate in islice(words, MOST_CANDIDATES)}
    matches = difflib.get_close_matches(word[:100].lower(), lower, n=1, cutoff=0.6)
    return lower[matches[0]] if matches else None


def suggested(word: str, words: Iterable[str], otherwise: str = "") -> Callable[[], str]:
    """Make a hint that is worked out when it is read: the nearest of `words`, or `otherwise` where there are none.

    >>> suggested("relo", ["conv", "relu"])()
    "did you mean 'relu'?"
    """
    return lambda: did_you_mean(word, words) or otherwise


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Make a hint: the nearest of `words`, or all of them if none is close.

    >>> did_you_mean("relo", ["conv", "relu"])
    "did you mean 'relu'?"
    >>> did_you_mean("spam", ["conv", "relu"])
    'expected one of: conv, relu'
    >>> did_you_mean("filters:8", ["filters"])
    "is a space missing after the ':'?"
    """
    if ":" in word:
        return "is a space missing after the ':'?"
    choices = list(words)
    match = nearest(word, choices)
    if match:
        return f"did you mean '{match}'?"
    return f"expected one of: {', '.join(choices[:40])}{', ...' if len(choices) > 40 else ''}" if choices else ""
