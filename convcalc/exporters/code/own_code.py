"""The second wall before written source is kept or run: it holds only the statements that we write.

The first one is that a name is only ever an identifier, a `literal`, or a line of a `docstring` or a `comment`. What
passed it all the same is found here, by the syntax tree: a file is imports, classes and functions; what they call and
read of a library is in the framework's vocabulary; nothing has a name that begins with `_`.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType
from typing import Any, NamedTuple

from convcalc.errors import SpecError, printable

_NODES = """
    Module Expression Expr Import ImportFrom alias ClassDef FunctionDef arguments arg keyword Assign Return If IfExp
    Name Load Store Attribute Subscript Slice Call Constant JoinedStr FormattedValue List Tuple Starred ListComp
    GeneratorExp comprehension BinOp Add Sub Mult MatMult Div FloorDiv Mod BoolOp Or And UnaryOp Not USub Compare Eq
    Is GtE
"""
_KNOWN_NODES = frozenset(_NODES.split())
_OF_MODULES = {"register_buffer", "add_weight", "training", "weight"}  # what a file reads of `self` and did not assign


class Vocabulary(NamedTuple):
    """What the files of a framework may name.

    `library` is a pattern of dotted names from one of `roots`; `methods` are those of values, `functions` of Python.
    """

    imports: frozenset[str]
    roots: frozenset[str]
    library: re.Pattern[str]
    methods: frozenset[str]
    functions: frozenset[str]


def require_own_code(text: str, vocabulary: Vocabulary) -> str:
    """Return the source of a file. Raises SpecError where it holds what we never write."""
    _parse(text, vocabulary, "exec")
    return text


def run(text: str, vocabulary: Vocabulary, scope: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Run the source of a file and return its names. Raises SpecError where it holds what we never write."""
    names = {"__name__": "convcalc_export", **(scope or {}), "__builtins__": _functions(vocabulary)}
    exec(_parse(text, vocabulary, "exec"), names)
    return names


def evaluate(text: str, vocabulary: Vocabulary, scope: Mapping[str, Any]) -> Any:
    """Return the value of an expression. Raises SpecError where it holds what we never write."""
    return eval(_parse(text, vocabulary, "eval"), {**scope, "__builtins__": _functions(vocabulary)})


def _functions(vocabulary: Vocabulary) -> dict[str, Any]:
    def import_(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] not in vocabulary.roots:
            raise ImportError(name)
        return builtins.__import__(name, *rest)

    own = {name: getattr(builtins, name) for name in vocabulary.functions}
    return {**own, "__build_class__": builtins.__build_class__, "__import__": import_}


def _parse(text: str, vocabulary: Vocabulary, mode: str) -> CodeType:
    try:
        tree = ast.parse(text, "<export>", mode)
        foreign = next(_foreign(tree, vocabulary), None)
        if foreign is None:
            code: CodeType = compile(tree, "<export>", mode)  # type: ignore[call-overload]
            return code
        what = f"line {getattr(foreign, 'lineno', 1)}: {type(foreign).__name__}"
    except (SyntaxError, ValueError) as error:
        what = printable(str(error))
    raise SpecError(f"the source that was written holds what convcalc never writes: {what}", "please report it")


def _foreign(tree: ast.AST, vocabulary: Vocabulary) -> Iterator[ast.AST]:
    """Yield every node that we never write."""
    own = _OF_MODULES | set(_assigned(tree))
    inside: set[int] = set()  # attributes that are part of a longer dotted name
    for node in ast.walk(tree):
        if type(node).__name__ not in _KNOWN_NODES or any(_is_reserved(name) for name in _names(node)):
            yield node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            if ast.unparse(node) not in vocabulary.imports:
                yield node
        elif isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            yield from _statements(node)
        elif isinstance(node, ast.arg):
            yield from filter(None, [node.annotation])
        elif isinstance(node, ast.Call):
            if not isinstance(node.func, (ast.Name, ast.Attribute, ast.Call)):
                yield node
        elif isinstance(node, ast.Attribute) and id(node) not in inside:
            root, path = _dotted(node, inside)
            if root in vocabulary.roots:
                is_known = bool(vocabulary.library.fullmatch(".".join([root, *path])))
            elif root == "self":
                is_known = own.issuperset(path[:-1]) and path[-1] in {*own, *vocabulary.methods}
            else:
                is_known = vocabulary.methods.issuperset(path)
            if not is_known:
                yield node


def _statements(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield what is a statement of a file, class or function and is none of ours there."""
    allowed: tuple[type[ast.stmt], ...] = (ast.Assign, ast.Return, ast.If)
    if isinstance(node, ast.Module):
        allowed = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
    else:
        yield from node.decorator_list
        yield from filter(None, [getattr(node, "returns", None)])
        if isinstance(node, ast.ClassDef):
            allowed = (ast.FunctionDef,)
            yield from node.keywords
    for number, line in enumerate(node.body):
        is_text = number == 0 and isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
        is_call = isinstance(node, ast.FunctionDef) and isinstance(line, ast.Expr) and isinstance(line.value, ast.Call)
        if not (is_text or is_call or isinstance(line, allowed)):
            yield line


def _assigned(tree: ast.AST) -> Iterable[str]:
    """The attributes that the file gives `self`, by assignment or as a buffer."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "self.register_buffer":
            yield from (str(name.value) for name in node.args[:1] if isinstance(name, ast.Constant))


def _dotted(node: ast.Attribute, inside: set[int]) -> tuple[str, list[str]]:
    """The name that a chain of attributes starts from, "" for another value, and the attributes."""
    path = [node.attr]
    value = node.value
    while isinstance(value, ast.Attribute):
        inside.add(id(value))
        path.insert(0, value.attr)
        value = value.value
    return value.id if isinstance(value, ast.Name) else "", path


def _names(node: ast.AST) -> Iterator[str]:
    for field in ("id", "attr", "arg", "name", "asname"):
        name = getattr(node, field, None)
        if isinstance(name, str):
            yield name


def _is_reserved(name: str) -> bool:
    return name.startswith("_") and name not in ("_", "__init__")
