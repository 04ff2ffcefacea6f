"""Imports run one way: each file may import only from its own level and the levels below."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "convcalc"
# from the bottom up; a folder stands for all of its files
LEVELS = (
    ("__init__", "errors", "folders"),
    ("points", "syntax", "text"),
    ("spec", "expression", "amounts"),
    ("kinds",),
    ("graph", "files", "toml"),
    ("revision", "config"),
    ("sharing",),
    ("document", "variables", "names"),
    ("shapes", "entry", "layout"),
    ("choices",),
    ("scope", "unbuilt"),
    ("expand",),
    ("deploy",),
    ("build",),
    ("request",),
    ("analysis",),
    ("report", "exchange", "rewrites"),
    ("tables",),
    ("tables_as", "baseline"),
    ("gate",),
    ("schema",),
    ("commands",),
    ("cli",),
    ("__main__",),
)


def level(module: str) -> int:
    part = module.split(".")[1] if "." in module else "__init__"
    return next(number for number, names in enumerate(LEVELS) if part in names)


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("convcalc"):
            found.add(str(node.module))
        elif isinstance(node, ast.Import):
            found.update(name.name for name in node.names if name.name.startswith("convcalc"))
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    if path == PACKAGE / "__init__.py":
        return  # the library's front door names what it holds, and imports it when asked for
    module = "convcalc." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for name in imported(path):
        assert level(name) <= level(module), f"{module} imports {name}"
