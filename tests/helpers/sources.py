"""The files of the package convcalc, for the tests of its structure."""

import ast
from pathlib import Path

from helpers.paths import ROOT

PACKAGE = ROOT / "convcalc"
FILES = {
    ".".join(("convcalc", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def relative(path: Path) -> str:
    """A file's path below convcalc/, as the tables of these tests write it."""
    return path.relative_to(PACKAGE).as_posix()


def imports(path: Path) -> set[str]:
    """The modules that a file imports: also inside functions, for annotations alone, and by a constant name.

    A constant name is the first argument of `import_module` or `need`.
    """
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{relative(path)}:{node.lineno}: imports are absolute, write 'from convcalc...'"
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            names.update(member if member in FILES else str(node.module) for member in members)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if function in ("import_module", "need"):
                names.add(str(node.args[0].value))
    return names
