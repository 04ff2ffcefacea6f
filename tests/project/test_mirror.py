"""The tests mirror the packages: convcalc/kinds/ is tested in tests/kinds/.

A package of the second level has a folder (tests/importers/onnx/) or a file (tests/exporters/test_yaml.py).
"""

import ast

import pytest
from helpers.paths import ROOT
from helpers.sources import FILES, PACKAGE, tree

TESTS = ROOT / "tests"
PACKAGES = [path.parent.relative_to(PACKAGE) for path in FILES.values() if path.name == "__init__.py"]

# folders of tests/ that belong to no single package
COMMON = {
    "benchmarks": "how fast convcalc is, run by hand",
    "catalogue": "the networks of layers/",
    "data": "what tests read",
    "docs": "README and the pages of docs/",
    "helpers": "what tests of several packages import",
    "laws": "what holds for every kind, format or command",
    "project": "the structure of the project itself",
    "remeasure": "the reference figures measured anew, run by hand",
}

# packages without tests of their own
WITHOUT_TESTS = {
    "exporters/code": "shared by exporters/torch and exporters/keras, and tested through them",
}


def has_tests(package):
    if (TESTS / package).is_dir():
        return True
    return len(package.parts) > 1 and (TESTS / package.parent / f"test_{package.name}.py").is_file()


@pytest.mark.parametrize("package", [path.as_posix() for path in PACKAGES if 1 <= len(path.parts) <= 2])
def test_every_package_has_its_tests(package):
    path = PACKAGE.joinpath(package).relative_to(PACKAGE)
    if package in WITHOUT_TESTS:
        assert not has_tests(path), f"{package} has tests now: remove it from WITHOUT_TESTS of {__name__}"
    else:
        assert has_tests(path), f"convcalc/{package}/ has no tests: make the folder tests/{package}/" + (
            f" or the file tests/{path.parent.as_posix()}/test_{path.name}.py" if len(path.parts) > 1 else ""
        )


def test_every_folder_of_tests_belongs_to_a_package():
    folders = {path.name for path in TESTS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    packages = {path.name for path in PACKAGES if len(path.parts) == 1}
    strays = sorted(folders - packages - set(COMMON))
    assert not strays, f"tests/ has folders without a package of that name, nor are they in COMMON: {strays}"
    gone = sorted(set(COMMON) - folders) + sorted(set(WITHOUT_TESTS) - {path.as_posix() for path in PACKAGES})
    assert not gone, f"COMMON or WITHOUT_TESTS of tests/project/test_mirror.py name what is not there: {gone}"


@pytest.mark.parametrize("package", [path.as_posix() for path in PACKAGES if path.parts])
def test_every_package_says_what_comes_in_and_what_goes_out(package):
    text = ast.get_docstring(tree(PACKAGE / package / "__init__.py")) or ""
    first = text.partition("\n")[0]
    assert " -> " in first, (
        f"the first line of convcalc/{package}/__init__.py must say what comes in and goes out: 'Text -> Node: ...'"
    )
