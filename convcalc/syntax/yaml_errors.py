"""Explain YAML syntax errors to someone who writes a spec: what is written there, and the usual cause.

PyYAML's two parsers give the same context and location, but word the error differently; only the former are used.
"""

from __future__ import annotations

import re
from typing import Any

from convcalc.errors import Place, Problem, Source, printable, quoted

# the deepest nesting of a spec; the parsers' own limits are far higher
MOST_DEEP = 40

_EXPRESSION = "write a computation as ${...}, in quotes inside { } or [ ]"


def syntax_problem(error: Any, source: Source) -> Problem:
    """Convert a yaml.MarkedYAMLError to a Problem."""
    place = _place(error.problem_mark or error.context_mark, source)
    opened = _place(error.context_mark or error.problem_mark, source)
    line = source.line(place.line)
    here = line[place.column - 1 : place.column]
    context, complaint = str(error.context or ""), str(error.problem or "cannot be read")
    if "escape" in complaint:
        if here != "\\" and line[place.column - 2 : place.column - 1] == "\\":
            place = place._replace(column=place.column - 1)
        here = line[place.column - 1 : place.column + 1]
        place = place._replace(end=place.column + 2)
        return Problem(f"{quoted(here)} is not an escape sequence", place, hint="write \\\\ for a backslash")
    if "quoted scalar" in context:
        return Problem("this quote is never closed", opened)
    if "plain scalar" in context and "unexpected ':'" in complaint:
        return Problem("a space is missing after this ':'", place)
    if "next token" in context:
        return Problem(f"a value cannot begin with {quoted(here)}", place, hint="quote the text")
    if "alias" in context or "anchor" in context:
        word = source.line(opened.line)[opened.column - 1 :].split(" ")[0].rstrip(",]}")
        what = "alias" if "alias" in context else "anchor"
        place = opened._replace(end=opened.column + len(word))
        return Problem(f"{quoted(word)} is not the name of an {what}", place, hint=_EXPRESSION)
    if "nesting depth" in complaint:  # libyaml looks ahead and fails before the reader counts that many levels
        return Problem(f"nested deeper than {MOST_DEEP} levels", place)
    if "flow" in context:
        return _explain_flow(opened, place, here)
    if "mapping values" in complaint:
        return _explain_colon(line, place)
    if "block" in context:
        return _explain_block(line, place, here)
    if "simple key" in context:
        word = source.line(opened.line)[opened.column - 1 :].strip()
        return Problem(f"a ':' is missing after {quoted(word)}", opened._replace(end=opened.column + len(word)))
    return Problem(f"not YAML: {printable(complaint)}", place)


def _place(mark: Any, source: Source) -> Place:
    """The location of a mark; a mark past the last text becomes the end of that text."""
    last = len(source.text.rstrip().split("\n"))
    if mark is None or mark.line + 1 > last:
        column = len(source.line(last)) + 1
        return Place(source, last, column, column + 1)
    return Place(source, mark.line + 1, mark.column + 1, mark.column + 2)


def _explain_flow(opened: Place, place: Place, here: str) -> Problem:
    """Explain an error inside { } or [ ]: neither the next entry nor the end follows."""
    bracket = opened.source.line(opened.line)[opened.column - 1 : opened.column]
    closing = {"{": "}", "[": "]"}.get(bracket, "}")
    if not here:
        return Problem(f"this '{bracket}' is never closed", opened, hint=f"add a '{closing}'")
    line = place.source.line(place.line)
    if here == "{" and line[place.column - 2 : place.column - 1] == "$":
        expression = re.match(r"\$\{[^{}]*\}?", line[place.column - 2 :])
        text = expression[0] if expression else "${...}"
        place = place._replace(column=place.column - 1, end=place.column - 1 + len(text))
        return Problem(f"'{text}' needs quotes inside {bracket} {closing}", place, hint=f'write "{text}"')
    note = f"inside the '{bracket}' of line {opened.line}"
    hint = _EXPRESSION if here in "*{[" else f"separate entries with commas, and close with '{closing}'"
    return Problem(f"',' or '{closing}' was expected, found {quoted(here)}", place, (note,), hint)


def _explain_colon(line: str, place: Place) -> Problem:
    """Explain a colon that does not belong to a key."""
    before = line[: place.column - 1]
    if ": " in before:
        return Problem("a second ':' in one line", place, hint="quote text that contains ': '")
    hint = "is a space missing after a ':' above, or the indentation off?"
    return Problem("a ':' where no key is allowed", place, hint=hint)


def _explain_block(line: str, place: Place, here: str) -> Problem:
    """Explain an error in a mapping or list over several lines: its next entry does not follow."""
    if not line[: place.column - 1].strip(" -"):
        hint = "entries of one list or mapping begin in the same column"
        return Problem("the indentation matches no line above", place, hint=hint)
    if here and here in "*+-/%&{[":
        return Problem(f"{quoted(here)} after a complete value", place, hint=_EXPRESSION)
    if here and here in "]}":
        return Problem(f"'{here}' closes nothing", place, hint="remove it")
    return Problem(f"{quoted(line[place.column - 1 :])} after a complete value", place, hint="quote all of the text")
