"""A project's configuration for `check`: its specs, and limits for all of them or for some.

It is in `convcalc.yaml` or under `[tool.convcalc]` in `pyproject.toml`: the nearest from the working folder up to the
root of its repository. One file is read, nothing is merged, and nothing outside the repository is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from os.path import abspath, basename, dirname, isfile, join, realpath, relpath
from typing import NamedTuple

from convcalc.errors import Problem, SpecError, UserError, did_you_mean, quoted
from convcalc.language.sources import Files, repository
from convcalc.loader import SpecName
from convcalc.syntax.node import Node, describe
from convcalc.syntax.yaml import read

KEYS = ("specs", "budget", "budgets", "new", "rules")
NEW = ("error", "warn", "ok")  # what becomes of a network with limits on growth that is not at the base
NAMES = ("convcalc.yaml", "pyproject.toml")
_MAY_HOLD = re.compile(rb"""tool["']?\s*(?:\.\s*["']?convcalc|\]|=)""")


class ProjectConfig(NamedTuple):
    """A project's configuration. `budgets` are the limits of specs whose path matches a pattern."""

    name: str
    folder: str
    specs: list[Node]
    budget: Node | None
    budgets: dict[str, Node]
    new: str = ""
    rules: Sequence[Node] = ()

    def rule_files(self) -> list[str]:
        """The files of rules for operators of models. Raises SpecError for one that is not inside the repository."""
        from convcalc.budgets.spec_list import list_files

        return list_files(self.rules, self.folder)

    def listed(self) -> list[SpecName]:
        """The specs it lists, sorted. Raises SpecError for an entry that names none inside the repository."""
        from convcalc.budgets.spec_list import list_specs

        return list_specs(self.specs, self.folder)

    def budgets_of(self, name: SpecName) -> list[Node]:
        """The limits of a spec: those for all specs, and those of every pattern that its path matches."""
        path = relpath(name.path, self.folder or ".").replace(os.sep, "/") if name.exists else name.path
        matching = [node for pattern, node in self.budgets.items() if fnmatchcase(path, pattern)]
        return [node for node in (self.budget, *matching) if node is not None]

    def unused(self, specs: list[SpecName]) -> list[Problem]:
        """A problem for each pattern that matches no spec, because its limits would never apply."""
        used = {id(node) for spec in specs for node in self.budgets_of(spec)}
        return [
            Problem(f"{quoted(pattern)} matches none of the specs that are checked", node.key_place)
            for pattern, node in self.budgets.items()
            if id(node) not in used
        ]


def project_config(path: str = "") -> ProjectConfig | None:
    """Read the configuration in a file, else the nearest; None where there is none. Raises SpecError."""
    if path:
        config = read_config(path)
        if config is None:
            raise SpecError(f"{quoted(path)} has no [tool.convcalc]")
        return config
    top = repository(".")
    folder = ""
    while True:
        paths = [join(folder, name) for name in NAMES if isfile(join(folder, name))]
        for path in paths:
            if not realpath(path).startswith(join(realpath(top or "."), "")):
                raise SpecError(f"{quoted(path)} leads outside the repository", "--config names any file")
        configs = [config for config in map(read_config, paths) if config is not None]
        if len(configs) > 1:
            raise SpecError(f"found settings in two files: {configs[0].name} and {configs[1].name}", "keep one of them")
        if configs:
            return configs[0]
        if top is None or abspath(folder or ".") == top:
            return None
        folder = join(folder, "..")


def read_config(path: str, files: Files | None = None) -> ProjectConfig | None:
    """Read the configuration in a file; None for a pyproject.toml without one. Raises SpecError."""
    try:
        data = (files or Files()).load(path)
    except UserError as error:
        raise SpecError(error.message, error.hint) from None
    if not data.strip():
        raise SpecError(f"{quoted(path)} is empty", f"settings are {', '.join(KEYS)}")
    node: Node | None
    if path.endswith(".toml"):
        if not _MAY_HOLD.search(data):
            return None  # importing the parser takes longer than everything else
        from convcalc.syntax.toml import read as read_toml

        node = read_toml(data, path, "tool", "convcalc")
    else:
        node = read(data, path)
    return None if node is None else _check(node, path)


def _check(node: Node, path: str) -> ProjectConfig:
    """Check the keys of a configuration. Raises SpecError with every error."""
    problems = []
    if not isinstance(node.value, dict):
        raise SpecError(node.problem(f"settings are a mapping of {', '.join(KEYS)}, found {describe(node)}"))
    for key, value in node.items():
        if key not in KEYS:
            is_spec = key in ("layers", "input") and basename(path) in NAMES
            hint = (
                f"{basename(path)} contains the project's settings; give the spec another name"
                if is_spec
                else did_you_mean(key, KEYS)
            )
            problems.append(Problem(f"the settings have no key {quoted(key)}", value.key_place, (), hint))
    specs, budget, budgets, new, rules = (node.value.get(key) for key in KEYS)
    items, files = (
        [] if value is None else value.value if isinstance(value.value, list) else [value] for value in (specs, rules)
    )
    for key, values, what in (("specs", items, "paths or patterns"), ("rules", files, "paths")):
        for item in values:
            if not isinstance(item.value, str) or not item.value:
                problems.append(item.problem(f"'{key}' is a list of {what}, found {describe(item)}"))
    by_pattern = list(budgets.items()) if budgets is not None else []
    for key, limits in [("budgets", budgets), ("budget", budget), *by_pattern]:
        if limits is not None and not isinstance(limits.value, dict):
            problems.append(limits.problem(f"{quoted(key)} must be a mapping, found {describe(limits)}"))
    if new is not None and new.value not in NEW:
        problems.append(new.problem(f"'new' cannot be {describe(new)}", did_you_mean(str(new.value), NEW)))
    if problems:
        raise SpecError(problems)
    level = "" if new is None else str(new.value)
    return ProjectConfig(path, dirname(path), items, budget, dict(by_pattern), level, files)
