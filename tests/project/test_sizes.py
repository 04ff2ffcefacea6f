"""Files stay under 300 lines and functions under 40: what is longer is listed here, with the reason why it is.

A function's lines are counted from `def`, without its decorators, to its end.
"""

import ast

from helpers.sources import FILES, relative, tree

MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_FUNCTION = 40

LONG_FILES = {
    "exporters/yaml/blocks.py": "one subject: what repeats in a graph, as blocks",
    "exporters/yaml/writer.py": "one subject: a graph as the text of a spec, proved before it is returned",
    "importers/onnx/file.py": "one subject: the bytes of an ONNX file as a model",
    "kinds/fields.py": "one subject: every type of field",
    "language/scope.py": "one subject: what names mean where a spec uses them",
    "sweep/space.py": "one subject: the distribution of params and MACs over a space of networks",
    "sweep/sweep.py": "one subject: a grid counted in chunks",
}

LONG_FUNCTIONS = {
    "commands/check.py command": "its options and their help",
    "commands/params.py command": "its options and their help",
    "commands/solve.py command": "its options and their help",
    "commands/sweep.py command": "its options and their help",
    "deploy.py deploy": "one pass over the layers, whose cases share what was folded so far",
    "exporters/onnx.py write": "the steps of PyTorch's exporter in their order",
    "formats/_chart.py draw": "mostly its docstring and doctest",
    "formats/_chart.py svg": "the elements of the picture in their order",
    "kinds/window.py slide": "mostly its docstring and doctest: one formula and its one condition",
    "sweep/space.py space": "one pass that adds up the networks shape by shape",
}


def compare_with_list(long, listed, name, most):
    """Fail for what is long and not listed, and for what is listed and no longer long."""
    problems = [
        f"{what} has {lines} lines: split it, or add it to {name} with the reason"
        for what, lines in long.items()
        if what not in listed
    ]
    gone = sorted(set(listed) - set(long))
    problems += [f"{what} is gone or has at most {most} lines: remove it from {name}" for what in gone]
    assert not problems, "edit tests/project/test_sizes.py:\n" + "\n".join(problems)


def test_files_are_short_or_listed_with_a_reason():
    lines = {relative(path): len(path.read_text("utf-8").splitlines()) for path in FILES.values()}
    long = {name: count for name, count in lines.items() if count > MOST_LINES_OF_A_FILE}
    compare_with_list(long, LONG_FILES, "LONG_FILES", MOST_LINES_OF_A_FILE)


def test_functions_are_short_or_listed_with_a_reason():
    lines = {
        f"{relative(path)} {node.name}": node.end_lineno - node.lineno + 1
        for path in FILES.values()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    long = {name: count for name, count in lines.items() if count > MOST_LINES_OF_A_FUNCTION}
    compare_with_list(long, LONG_FUNCTIONS, "LONG_FUNCTIONS", MOST_LINES_OF_A_FUNCTION)


def test_every_listed_reason_is_a_sentence():
    for reason in [*LONG_FILES.values(), *LONG_FUNCTIONS.values()]:
        assert len(reason.split()) > 3, f"'{reason}' does not say why the length is right"
