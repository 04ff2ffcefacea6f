"""Random ONNX graphs, and random bytes in real ones: each is counted, or refused in a SpecError.

By hand, for longer: `python tests/importers/onnx/test_fuzz.py COUNT`, as `tests/helpers/fuzzing.py` says.
"""

import sys
import tempfile
from pathlib import Path
from random import Random

import pytest
from onnx import TensorProto, helper

from convcalc.analysis.count import count
from convcalc.analysis.explain import explain_layer
from convcalc.errors import SpecError
from convcalc.importers.onnx.operators import RULES
from convcalc.loader import graph

OPERATORS = sorted(RULES)
SIZES = (1, 1, 2, 3, 3, 4, 8, 8, 16, 0, -1, 10**9, 2**31, 2**40, 2**62)
NUMBERS = (0, 1, 1, 2, 2, 3, 4, -1, -2, 100, 10**9, 2**31, 2**62, -(2**63))
NAMES = [
    "axis",
    "axes",
    "perm",
    "kernel_shape",
    "strides",
    "pads",
    "dilations",
    "group",
    "keepdims",
    "to",
    "split",
    "num_outputs",
    "k",
    "blocksize",
    "mode",
]
NAMES += [
    "starts",
    "ends",
    "steps",
    "equation",
    "transB",
    "alpha",
    "hidden_size",
    "num_heads",
    "auto_pad",
    "ceil_mode",
    "value",
    "value_ints",
    "body",
]
TEXTS = ("", "SAME_UPPER", "linear", "ij,jk->ik", "bij,bjk->bik", "\0", "x" * 2_000)


def attribute(random):
    ways = (
        lambda: random.choice(NUMBERS),
        lambda: [random.choice(NUMBERS) for _ in range(random.randint(1, 6))],
        lambda: random.choice((0.5, 1e30, float("nan"), float("inf"))),
        lambda: random.choice(TEXTS),
        lambda: tensor(random, "t"),
    )
    return random.choice(ways)()


def tensor(random, name):
    if random.random() < 0.5:
        numbers = [random.choice(NUMBERS) for _ in range(random.randint(0, 5))]
        return helper.make_tensor(name, TensorProto.INT64, [len(numbers)], numbers)
    shape = [random.choice((1, 2, 3, 3, 8, 8, 16, 0, 10**9)) for _ in range(random.randint(0, 5))]
    claimed = TensorProto(name=name, data_type=random.choice((1, 1, 7, 9, 99)))
    claimed.dims.extend(shape)
    return claimed


def body(random, values, depth):
    inner = nodes(random, [*values, "i", "c"], random.randint(1, 3), depth + 1, f"s{random.randint(0, 99)}_")
    made = helper.make_graph(inner, "b", [], [])
    made.input.extend(helper.make_tensor_value_info(name, 1, None) for name in ("i", "c")[: random.randint(0, 2)])
    made.output.extend(helper.make_tensor_value_info(name, 1, None) for node in inner for name in node.output)
    return made


def nodes(random, values, count, depth=0, prefix="v"):
    made, values = [], list(values)
    for number in range(count):
        operator = random.choice(OPERATORS) if random.random() < 0.95 else "Magic"
        inputs = [random.choice([*values[-3:], *values, ""]) for _ in range(random.choice((1, 1, 2, 2, 3, 4)))]
        outputs = [f"{prefix}{number}_{port}" for port in range(random.choice((1, 1, 1, 1, 2, 3)))]
        fields = {random.choice(NAMES): attribute(random) for _ in range(random.choice((0, 0, 1, 2, 3)))}
        if operator in ("If", "Loop", "Scan") and depth < 9:
            fields.update({name: body(random, values, depth) for name in ("body", "then_branch", "else_branch")})
        node = helper.make_node(operator, inputs, outputs, domain=random.choice(("", "", "", "d")))
        for name, value in fields.items():
            try:
                node.attribute.append(helper.make_attribute(name, value))
            except (ValueError, TypeError):
                continue
        if random.random() < 0.1:
            node.metadata_props.add(
                key="pkg.torch.onnx.name_scopes", value=random.choice(("{[]: 1}", "['', 'a.b', 'c']", "[["))
            )
        made.append(node)
        values += outputs
    return made


def model_of(random):
    """The bytes of a model of random nodes, values, weights and stated shapes."""
    names = [f"w{number}" for number in range(5)]
    inner = nodes(random, ["x", *names], random.randint(1, 8))
    made = helper.make_graph(inner, random.choice(("g", "\0", "a/b")), [], [])
    shape = random.choice(([1, 3, 8, 8], [1, 3, 8, 8], [2, 8], [1, 4, 16], [random.choice(SIZES) for _ in range(3)]))
    made.input.append(helper.make_tensor_value_info("x", 1, shape))
    made.initializer.extend(tensor(random, name) for name in names)
    made.output.extend(helper.make_tensor_value_info(name, 1, None) for name in list(inner[-1].output)[:1])
    for node in random.sample(inner, min(2, len(inner))):
        sizes = [random.choice(SIZES) for _ in range(random.randint(0, 7))]
        made.value_info.append(helper.make_tensor_value_info(node.output[0], 1, sizes))
    function = helper.make_function(
        "d", random.choice(OPERATORS), ["x"], ["y"], nodes(random, ["x"], 2), [helper.make_opsetid("", 17)]
    )
    opsets = [helper.make_opsetid("", random.choice((7, 9, 13, 17, 20)))]
    return helper.make_model(made, functions=[function], opset_imports=opsets).SerializeToString()


def mutated(random, data):
    """The bytes with a few of them changed, cut out or doubled."""
    data = bytearray(data)
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(data))
        way = random.randint(0, 2)
        if way == 0:
            data[at] = random.randrange(256)
        elif way == 1:
            del data[at : at + random.randint(1, 4)]
        else:
            data[at:at] = data[at : at + random.randint(1, 8)]
    return bytes(data)


def check(seed, folder):
    """Import and count one model; whether it could be."""
    random = Random(seed)
    data = model_of(random)
    path = Path(folder) / "m.onnx"
    path.write_bytes(mutated(random, data) if random.random() < 0.2 else data)
    try:
        counted = count(graph(str(path)))
    except SpecError as error:
        assert str(error)
        return False
    assert counted.figure("params") >= 0
    for layer in counted.graph.layers[:50]:
        explain_layer(layer)
    return True


@pytest.mark.parametrize("start", range(0, 600, 100))
def test_a_random_graph_is_counted_or_refused(start, tmp_path):
    for seed in range(start, start + 100):
        try:
            check(seed, tmp_path)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


def try_seed(seed):
    with tempfile.TemporaryDirectory() as folder:
        return check(seed, folder)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from helpers.fuzzing import main

    main(try_seed)
