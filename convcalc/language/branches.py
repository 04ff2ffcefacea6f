"""Branches of a join, or of `parallel`: lists of layers, or mappings that say when, how often and on what.

`- [layers...]` is one branch. `- {when: CONDITION, layers: [...]}` is left out if the condition is 0, or is `else:`;
`times:` and `over:` make several; `from:` begins at another layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from convcalc.errors import LocatedError, quoted, suggested
from convcalc.graph import Ref
from convcalc.language.document import BRANCH_KEYS
from convcalc.language.layer_entry import Entry
from convcalc.language.loops import rounds
from convcalc.language.scope import Names, Refs, Use
from convcalc.syntax.node import Node, describe

if TYPE_CHECKING:
    from convcalc.language.scope import Build

_HINT = "write - [layers...] for each branch, [] for the skip"
_LEFT_OUT = "write '- when: CONDITION' with 'layers: [...]' to leave the branch out, and 'else: []' to make it a skip"


def build_branches(node: Node, what: str, use: Use, names: Names, build: Build) -> tuple[Refs, bool]:
    """Build the branches of a join. Raises LocatedError.

    Returns the outputs of all branches in order, None where one is unknown, and whether conditions or loops decide how
    many branches there are.
    """
    items = node.value if isinstance(node.value, list) else []
    wrong = next((item for item in items if not isinstance(item.value, list | dict)), None)
    if not isinstance(node.value, list) or wrong is not None:
        raise LocatedError(f"{what} takes a list of branches, each a list of layers", (wrong or node).place, _HINT)
    refs: list[Ref] = []
    is_known, varies = True, False
    for item in items:
        if isinstance(item.value, list):
            ends = [_build(item, use, build)]
        else:
            varies = varies or any(key in item.value for key in ("when", "times", "over"))
            ends = list(_branches_of(item, use, names, build))
        for end in ends:
            is_known = is_known and end is not None
            refs.extend(end or ())
    if not refs and is_known and varies:
        raise LocatedError(f"no branch of {what} is left", node.place, "keep one branch, or omit it by 'when' as well")
    return tuple(refs) if is_known else None, varies


def _branches_of(item: Node, use: Use, names: Names, build: Build) -> Iterator[Refs]:
    """Build the branches that one mapping describes."""
    fields = _checked(item)
    whole = Use(Entry("branch", item, fields), use.scope, use.inputs)
    if "times" not in fields and "over" not in fields:
        yield from _branch(fields, whole, names, build)
        return
    for number, values in enumerate(rounds(fields, names, whole), 1):
        names.count_one()
        yield from _branch(fields, whole._replace(scope=use.scope.beside(number, values)), names, build)


def _branch(fields: Mapping[str, Node], use: Use, names: Names, build: Build) -> Iterator[Refs]:
    when = fields.get("when")
    if when is not None and not names.holds(when, use):
        if "else" in fields:
            yield build(fields["else"].value, use.scope, names.inputs_of(use))
        return
    inputs = names.inputs_of(use)
    if "layers" not in fields:
        yield inputs
    elif "from" in fields:
        yield build(fields["layers"].value, use.scope, inputs)
    else:
        yield _build(fields["layers"], use, build)


def _build(branch: Node, use: Use, build: Build) -> Refs:
    """Build a list of layers. A skip that only its conditions make is an error: it was seldom meant."""
    end = build(branch.value, use.scope, use.inputs)
    if branch.value and end is not None and end == use.inputs and all(map(_has_condition, branch.value)):
        message = "'when' leaves out every layer of this branch"
        raise LocatedError(message, branch.value[0].place, _LEFT_OUT)
    return end


def _has_condition(item: Node) -> bool:
    inner = next(iter(item.value.values()), None) if isinstance(item.value, dict) else None
    return inner is not None and isinstance(inner.value, dict) and "when" in inner.value


def _checked(item: Node) -> dict[str, Node]:
    fields: dict[str, Node] = item.value
    for key, node in fields.items():
        if key not in BRANCH_KEYS:
            hint = suggested(key, BRANCH_KEYS, "begin a branch of one layer with '- - '")
            raise LocatedError(f"a branch has no key {quoted(key)}", node.key_place, hint)
        if key in ("layers", "else") and not isinstance(node.value, list):
            raise LocatedError(f"'{key}' of a branch must be a list, found {describe(node)}", node.place, _HINT)
    if "layers" not in fields and "from" not in fields:
        raise LocatedError("a branch needs 'layers' or 'from'", item.place, _HINT)
    if "else" in fields and "when" not in fields:
        raise LocatedError("'else' needs 'when'", fields["else"].key_place, "when: CONDITION")
    return fields


def lists_of_layers(node: Node) -> list[list[Node]]:
    """The lists of layers of the branches that a node holds, as they are written."""
    lists: list[list[Node]] = []
    for branch in node.value if isinstance(node.value, list) else []:
        inner = [branch] if isinstance(branch.value, list) else []
        if isinstance(branch.value, dict):
            inner = [branch.value[key] for key in ("layers", "else") if key in branch.value]
        lists.extend(part.value for part in inner if isinstance(part.value, list))
    return lists


def inner_lists(node: Node | None) -> list[list[Node]]:
    """The lists of layers that a field holds: of branches, or the one list that it is."""
    if node is None or not isinstance(node.value, list):
        return []
    if node.value and all(map(_is_branch, node.value)):
        return lists_of_layers(node)
    return [node.value]


def _is_branch(item: Node) -> bool:
    return isinstance(item.value, list) or (isinstance(item.value, dict) and {*item.value} <= {*BRANCH_KEYS})
