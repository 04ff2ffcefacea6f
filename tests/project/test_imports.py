"""Imports run one way: from a package only to those listed above it, and never in a circle of files."""

import ast
from graphlib import CycleError, TopologicalSorter

import pytest
from helpers.paths import ROOT

PACKAGE = ROOT / "convcalc"
# what each package, or file beside them, may import: all that is named in the lines above its own, and its own line
ORDER = (
    "errors __init__ discovery optional amounts arrays workflow_log",  # __init__ names the library's functions lazily
    "syntax",
    "kinds",
    "graph weight_sharing deploy",
    "language",
    "analysis",
    "sweep conventions rewrites",
    "report",
    "formats",
    "exporters",
    "importers",
    "loader",
    "tables",
    "budgets",
    "schema",
    "commands",
    "cli __main__",
)
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names.split(" #")[0].split()}
FILES = {
    ".".join(("convcalc", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def imported(path):
    """The modules that a file imports, those for its annotations alone too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("convcalc"):
            found.update(
                f"{node.module}.{name.name}" if f"{node.module}.{name.name}" in FILES else node.module
                for name in node.names
            )
    return found


def part(module):
    return module.split(".")[1] if "." in module else "__init__"


@pytest.mark.parametrize("module", sorted(set(FILES) - {"convcalc"}))
def test_imports_run_one_way(module):
    for name in imported(FILES[module]):
        assert LEVEL[part(name)] <= LEVEL[part(module)], f"{module} imports {name}"


def test_no_files_import_each_other():
    graph = {module: imported(path) - {module} for module, path in FILES.items() if module != "convcalc"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_module_hides_a_function_of_the_library():
    import convcalc

    assert not set(convcalc.__all__) & {path.stem for path in PACKAGE.iterdir()}
