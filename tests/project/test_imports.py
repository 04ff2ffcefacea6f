"""Imports run one way: from a package only to those listed above it, never in a circle of files.

Each library that is not Python's own is imported in one place. Imports inside functions and for annotations count too.
"""

from graphlib import CycleError, TopologicalSorter

import pytest
from helpers.paths import ROOT
from helpers.sources import FILES, PACKAGE, imports, relative

# A line may import from the lines above it and from itself. `__init__` names the library's functions, loaded lazily.
ORDER = (
    # the catalogue is a folder of names and paths
    "errors record __init__ discovery optional numerals amounts arrays bits catalogue digest workflow_log",
    "storage cache scopes",
    "syntax",
    "kinds",
    "graph deploy",
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
    "cli",
    "entry __main__",
)
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names.split()}

# The only modules that may import a library: a prefix each. A library with none is not imported at all.
LIBRARIES = {
    "yaml": ["syntax/yaml"],
    "click": ["cli.py", "commands/"],
    "torch": ["importers/torch", "exporters/torch", "exporters/onnx", "commands/verify"],
    "onnx": ["exporters/onnx", "importers/torch"],
    "onnx_ir": ["exporters/onnx", "importers/torch"],
    "onnxscript": ["exporters/onnx", "importers/torch"],
    "keras": [],
    "numpy": ["arrays.py", "sweep/", "kinds/pool"],
    "dask": ["sweep/"],
    "distributed": ["sweep/"],
    "pyarrow": ["formats/parquet"],
    "rich": ["formats/_terminal"],
}


def part(module):
    return module.split(".")[1] if "." in module else "__init__"


def own_imports(module):
    """The modules of convcalc that a module imports."""
    return {name for name in imports(FILES[module]) if name in FILES}


@pytest.mark.parametrize("module", sorted(set(FILES) - {"convcalc"}))
def test_a_package_imports_only_what_is_above_it_in_the_order(module):
    for name in {module} | own_imports(module):
        assert part(name) in LEVEL, f"'{part(name)}' has no line in ORDER of tests/project/test_imports.py: add it"
        assert LEVEL[part(name)] <= LEVEL[part(module)], (
            f"{module} imports {name}, and '{part(name)}' comes after '{part(module)}' in ORDER: "
            "move what both need into the lower package"
        )


def test_the_page_of_the_architecture_shows_this_order():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    shown = page.partition("checks the order:\n\n")[2].partition("\n\n")[0].replace("->", " ").split()
    levels = [LEVEL.get(name, -1) for name in shown]
    assert levels == sorted(levels), "docs/architecture.md shows another order than ORDER"
    packages = {part(module) for module, path in FILES.items() if path.name == "__init__.py"} - {"__init__"}
    assert not packages - set(shown), f"docs/architecture.md leaves out {sorted(packages - set(shown))}"


def test_no_files_import_each_other_in_a_circle():
    graph = {module: own_imports(module) - {module} for module in FILES if module != "convcalc"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("circular import: " + " -> ".join(error.args[1]))


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_only_where_it_belongs(library):
    for path in FILES.values():
        if any(name.split(".")[0] == library for name in imports(path)):
            assert relative(path).startswith(tuple(LIBRARIES[library])), (
                f"convcalc/{relative(path)} imports {library}, which only {LIBRARIES[library] or 'nothing'} may"
            )


def test_every_place_named_for_a_library_is_a_file_or_folder():
    places = {place for named in LIBRARIES.values() for place in named}
    gone = sorted(place for place in places if not any(relative(path).startswith(place) for path in FILES.values()))
    assert not gone, f"remove from LIBRARIES of tests/project/test_imports.py: {gone}"


def test_no_module_at_the_root_has_the_name_of_a_public_function():
    """Importing convcalc/load.py would replace the function convcalc.load by the module."""
    import convcalc

    assert not set(convcalc.__all__) & {path.stem for path in PACKAGE.iterdir()}
