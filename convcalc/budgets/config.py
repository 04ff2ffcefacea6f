"""A project's settings for `check`: which specs there are, and limits that hold for all of them or for some.

They stand in `convcalc.yaml` or under `[tool.convcalc]` in `pyproject.toml`: the nearest from the working folder up to
the root of its repository. One file is read, nothing is merged, and nothing outside the repository counts.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from os.path import abspath, basename, dirname, isfile, join, relpath
from typing import NamedTuple

from convcalc.errors import Problem, SpecError, UserError, did_you_mean, quoted
from convcalc.language.sources import Files, repository
from convcalc.loader import SpecName
from convcalc.syntax.yaml import Node, describe, read

KEYS = ("specs", "budget", "budgets")
NAMES = ("convcalc.yaml", "pyproject.toml")
_MAY_HOLD = re.compile(rb"""tool["']?\s*(?:\.\s*["']?convcalc|\]|=)""")


class Config(NamedTuple):
    """What a file of settings says. `budgets` are the limits of specs whose path fits a pattern."""

    name: str
    folder: str
    specs: list[Node]
    budget: Node | None
    budgets: dict[str, Node]

    def files(self) -> list[str]:
        """The specs it lists, sorted. Raises SpecError for a pattern that no file fits."""
        from glob import glob, has_magic

        found: set[str] = set()
        problems = []
        for node in self.specs:
            pattern = str(node.value)
            paths = glob(join(self.folder, pattern), recursive=True)
            found.update(relpath(path) for path in paths)
            if not paths and not has_magic(pattern) and "/" not in pattern:
                found.add(pattern)  # of the catalogue, or SPEC@VARIANT: whoever opens it will say
            elif not paths:
                problems.append(node.problem(f"{quoted(pattern)} fits no file"))
        if problems:
            raise SpecError(problems)
        return sorted(found)

    def budgets_of(self, spec: str) -> list[Node]:
        """The limits that hold for a spec: those of all, and those of every pattern that its path fits."""
        name = SpecName.parse(spec)
        path = relpath(name.path, self.folder or ".").replace(os.sep, "/") if name.exists else name.path
        fitting = [node for pattern, node in self.budgets.items() if fnmatchcase(path, pattern)]
        return [node for node in (self.budget, *fitting) if node is not None]

    def unused(self, specs: list[str]) -> list[Problem]:
        """The patterns that no spec fits: limits that would never fire."""
        used = {id(node) for spec in specs for node in self.budgets_of(spec)}
        return [
            Problem(f"{quoted(pattern)} fits none of the specs that are checked", node.key_place)
            for pattern, node in self.budgets.items()
            if id(node) not in used
        ]


def config(path: str = "") -> Config | None:
    """The settings of a file, or of the nearest; None where there are none. Raises SpecError."""
    if path:
        found = _read(path)
        if found is None:
            raise SpecError(f"{quoted(path)} has no [tool.convcalc]")
        return found
    top = repository(".")
    folder = ""
    while True:
        here = [join(folder, name) for name in NAMES if isfile(join(folder, name))]
        several = [one for one in map(_read, here) if one is not None]
        if len(several) > 1:
            raise SpecError(f"settings stand in two files: {several[0].name} and {several[1].name}", "keep one of them")
        if several:
            return several[0]
        if top is None or abspath(folder or ".") == top:
            return None
        folder = join(folder, "..")


def _read(path: str) -> Config | None:
    """The settings in a file; None for a pyproject.toml without any."""
    try:
        data = Files().load(path)
    except UserError as misfit:
        raise SpecError(misfit.message, misfit.hint) from None
    if not data.strip():
        raise SpecError(f"{quoted(path)} is empty", f"settings are {', '.join(KEYS)}")
    node: Node | None
    if path.endswith(".toml"):
        if not _MAY_HOLD.search(data):
            return None  # loading the parser takes longer than all else
        from convcalc.syntax.toml import read as read_toml

        node = read_toml(data, path, "tool", "convcalc")
    else:
        node = read(data, path)
    return None if node is None else _checked(node, path)


def _checked(node: Node, path: str) -> Config:
    problems = []
    if not isinstance(node.value, dict):
        raise SpecError(node.problem(f"settings are a mapping of {', '.join(KEYS)}, found {describe(node)}"))
    for key, value in node.items():
        if key not in KEYS:
            is_spec = key in ("layers", "input") and basename(path) in NAMES
            hint = f"{basename(path)} holds settings; call the spec otherwise" if is_spec else did_you_mean(key, KEYS)
            problems.append(Problem(f"the settings have no key {quoted(key)}", value.key_place, (), hint))
    specs, budget, budgets = (node.value.get(key) for key in KEYS)
    items = [] if specs is None else specs.value if isinstance(specs.value, list) else [specs]
    for item in items:
        if not isinstance(item.value, str) or not item.value:
            problems.append(item.problem(f"'specs' is a list of paths or patterns, found {describe(item)}"))
    named = list(budgets.items()) if budgets is not None else []
    for key, one in [("budgets", budgets), ("budget", budget), *named]:
        if one is not None and not isinstance(one.value, dict):
            problems.append(one.problem(f"{quoted(key)} must be a mapping, found {describe(one)}"))
    if problems:
        raise SpecError(problems)
    return Config(path, dirname(path), items, budget, dict(named))
