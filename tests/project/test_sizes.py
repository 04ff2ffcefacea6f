"""Files stay under 300 lines and functions under 40: what is longer is listed here, with the reason why it is.

A function's lines are counted from `def`, without its decorators, to its end.
"""

import ast

from helpers.sources import FILES, relative, tree

MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_FUNCTION = 40

LONG_FILES = {
    "budgets/limits.py": "to be split: a budget's entries, and what is measured",
    "exporters/yaml/blocks.py": "one subject: what repeats in a graph, as blocks",
    "exporters/yaml/writer.py": "one subject: a graph as the text of a spec, proved before it is returned",
    "importers/onnx/file.py": "one subject: the bytes of an ONNX file as a model",
    "importers/onnx/fusions.py": "to be split by what is fused",
    "importers/onnx/operators/products.py": "to be split: linear, matmul, einsum, attention",
    "importers/onnx/values.py": "to be split: what flows, and arithmetic on small constants",
    "kinds/activation.py": "many small kinds; shorter when code generation has left it",
    "kinds/base.py": "to be split: Kind, and products of sizes",
    "kinds/conv.py": "shorter when code generation has left it",
    "kinds/fields.py": "one subject: every type of field",
    "kinds/linear.py": "shorter when code generation has left it",
    "kinds/norm.py": "shorter when code generation has left it",
    "kinds/pool.py": "shorter when code generation has left it",
    "language/builder.py": "to be split: the order of the layers, and one layer",
    "language/document.py": "to be split: the keys of one file, and how files are put together",
    "sweep/space.py": "one subject: the distribution of params and MACs over a space of networks",
    "sweep/sweep.py": "one subject: a grid counted in chunks",
    "syntax/expression.py": "to be split: the tree with its value, and the grammar",
    "syntax/yaml.py": "to be split: Node, and the events that make it",
}

LONG_FUNCTIONS = {
    "budgets/check.py judge": "shorter when its parameters travel together",
    "commands/check.py command": "its options and their help; shorter when its table is built in tables/",
    "commands/diff.py command": "shorter when its table is built in tables/",
    "commands/reconcile.py command": "shorter when its table is built in tables/",
    "commands/solve.py command": "shorter when its table is built in tables/",
    "commands/suggest.py command": "shorter when its table is built in tables/",
    "commands/sweep.py command": "shorter when its table is built in tables/",
    "deploy.py deploy": "one pass over the layers, whose cases share what was folded so far",
    "exporters/onnx.py write": "the steps of PyTorch's exporter in their order",
    "importers/onnx/fusions.py _layer_norm": "one pattern, node after node",
    "importers/onnx/operators/products.py einsum": "three cases of one operator",
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
