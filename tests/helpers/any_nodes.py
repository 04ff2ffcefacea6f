"""Nodes of an ONNX graph by chance: right ones, wrong ones, and the context in which a rule meets them."""

from math import inf, nan, prod

from convcalc.importers.onnx.elements import Part
from convcalc.importers.onnx.importer import Importer
from convcalc.importers.onnx.model import Model, Node, Reference, Subgraph, Tensor
from convcalc.importers.onnx.operators import RULES
from convcalc.importers.onnx.values import Value

WEIGHTS = {
    "w": (8, 3, 3, 3),
    "t": (3, 8, 3, 3),
    "c": (3, 1, 1),
    "v": (3, 8),
    "a": (12, 36),
    "u": (1, 20, 5),
    "x": (1, 20, 3),
    "gu": (1, 15, 5),
    "gx": (1, 15, 3),
    "ru": (1, 5, 5),
    "rx": (1, 5, 3),
    "du": (1, 5, 20),
    "dx": (1, 3, 20),
    "b": (8,),
    "n": (3,),
    "p": (8, 1, 8),
    "s": (),
    "e": (0, 4),
    "l": (2**20,),
}
IMAGE, TOKENS, ROW, STEPS = (2, 3, 8, 8), (2, 10, 12), (2, 3), (10, 2, 3)  # steps have the batch second
# nodes that are right, to be made wrong: activations are shapes, learned tensors names, constants lists or numbers
EXAMPLES = {
    ("Conv", "FusedConv", "ConvInteger"): (IMAGE, "w", "b", {"pads": [1] * 4, "strides": [2, 2], "group": 1}),
    ("QLinearConv",): (IMAGE, 1.0, 0, "w", 1.0, 0, 1.0, 0, "b", {"dilations": [2, 2]}),
    ("DeformConv",): (IMAGE, "w", (2, 18, 6, 6), "b", {}),
    ("ConvTranspose",): (IMAGE, "t", "b", {"strides": [2, 2], "pads": [1] * 4, "output_padding": [1, 1]}),
    ("MaxPool", "AveragePool", "LpPool"): (IMAGE, {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0] * 4}),
    ("MaxUnpool",): (IMAGE, IMAGE, [2, 3, 16, 16], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("Gemm", "MatMul", "FusedMatMul", "MatMulInteger", "Mul", "Add"): (ROW, "v", "b", {}),
    ("QLinearMatMul",): (ROW, 1.0, 0, "v", {}),
    ("Einsum",): (TOKENS, (2, 12, 7), {"equation": "bij,bjk->bik"}),
    ("Attention",): (TOKENS, "a", {"num_heads": 2}),
    ("MultiHeadAttention",): (TOKENS, TOKENS, TOKENS, {"num_heads": 3}),
    ("LSTM",): (STEPS, "x", "u", {"hidden_size": 5}),
    ("GRU",): (STEPS, "gx", "gu", {"direction": "reverse"}),
    ("RNN",): (STEPS, "rx", "ru", {}),
    ("GridSample",): (IMAGE, (2, 5, 5, 2), {"mode": "linear"}),
    ("AffineGrid",): ((2, 2, 3), [2, 3, 5, 5], {}),
    ("Col2Im",): ((2, 12, 16), [8, 8], [2, 2], {}),
    ("RoiAlign", "MaxRoiPool"): (IMAGE, (7, 4), {"output_height": 7, "output_width": 7}),
    ("DepthToSpace", "SpaceToDepth"): ((2, 4, 8, 8), {"blocksize": 2}),
    ("ResizeBilinear", "ResizeNearestNeighbor"): (IMAGE, [16, 16], {}),
    ("Resize", "Upsample"): (IMAGE, [], [1.0, 1.0, 2.0, 2.0], {"mode": "linear"}),
    ("Pad",): (IMAGE, [0, 0, 1, 1, 0, 0, 1, 2], {"mode": "reflect"}),
    ("Slice",): (IMAGE, [0, 1], [2, 9], [1, 2], [1, 2], {}),
    ("Split", "SplitToSequence"): (IMAGE, [4, 4], {"axis": 2}),
    ("Concat", "Sum", "Max", "Mean"): (IMAGE, IMAGE, IMAGE, IMAGE, {"axis": 1}),
    ("Gather",): (IMAGE, [1, 2], {"axis": 2}),
    ("GatherND",): (IMAGE, (2, 5, 2), {"batch_dims": 1}),
    ("OneHot",): ((2, 8), [5], {"axis": -1}),
    ("TopK",): ((2, 8), [5], {"axis": -1}),
    ("Expand", "Tile"): (IMAGE, [1, 1, 2, 2], {}),
    ("Reshape",): (IMAGE, [0, -1], {}),
    ("Squeeze", "Unsqueeze"): ((2, 1, 8), [1], {}),
    ("ReduceMean", "ReduceMax", "ReduceSum", "ReduceProd"): (IMAGE, [2, 3], {"keepdims": 0}),
    ("BatchNormalization",): (IMAGE, "n", "n", "n", "n", {}),
    ("GroupNormalization", "InstanceNormalization"): (IMAGE, "n", "n", {"num_groups": 3}),
    ("LayerNormalization",): ((2, 10, 3), "n", "n", {"axis": -1}),
    ("LinearClassifier",): (ROW, {"coefficients": [0.5] * 6, "intercepts": [1.0] * 2, "classlabels_ints": [0, 1]}),
    ("LinearRegressor",): (ROW, {"coefficients": [0.5] * 3, "intercepts": [1.0]}),
    ("SkipLayerNormalization",): ((2, 10, 3), (2, 10, 3), "n", "n", "n", {}),
    ("GroupNorm", "SkipGroupNorm"): ((2, 8, 8, 3), "n", "n", {"groups": 3}),
    ("EmbedLayerNormalization",): ((2, 4), (2, 4), "v", "v", "v", "b", "b", {}),
    ("GroupQueryAttention",): (TOKENS, TOKENS, TOKENS, {"num_heads": 3, "kv_num_heads": 3}),
    ("MatMulNBits",): (ROW, "p", {"K": 3, "N": 8, "block_size": 16}),
    ("FusedGemm", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"): (ROW, "v", {}),
    ("QGemm",): (ROW, 1.0, 0, "v", 1.0, 0, "b", {}),
    ("QLinearAdd", "QLinearMul"): (IMAGE, 1.0, 0, IMAGE, 1.0, 0, 1.0, 0, {}),
    ("DFT",): ((2, 3, 8, 1), None, 2, {"onesided": 1}),
    ("STFT",): ((2, 64, 1), 4, None, 16, {"onesided": 1}),
    ("MelWeightMatrix",): (8, 32, 8000, 0.0, 4000.0, {}),
    ("HannWindow", "HammingWindow", "BlackmanWindow"): (16, {}),
    ("QAttention",): (TOKENS, "a", "b", 1.0, 1.0, None, 0, 0, {"num_heads": 2}),
    ("DynamicQuantizeLSTM",): (STEPS, "dx", "du", {"hidden_size": 5}),
    ("BiasAdd", "BiasDropout"): ((2, 4, 8), "b", (2, 4, 8), {}),
    ("BiasSplitGelu",): ((2, 4, 8), "b", {}),
    ("BiasSoftmax",): ((2, 4, 8), (2, 4, 8), {"axis": -1}),
    ("QLinearWhere",): (IMAGE, IMAGE, 1.0, 0, IMAGE, 1.0, 0, 1.0, 0, {}),
    ("QLinearReduceMean",): (IMAGE, 1.0, 0, 1.0, 0, {"axes": [2, 3]}),
    ("NhwcMaxPool",): ((2, 8, 8, 3), {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("FusedMatMulActivation",): (ROW, "v", {"activation": "Relu"}),
    ("MatMulBnb4",): (ROW, "p", {"K": 3, "N": 8, "block_size": 16}),
    ("Compress",): (IMAGE, [1, 0, 1], {"axis": 1}),
    ("Range",): (0, 10, 2, {}),
    ("If",): (True, {}),
    ("Loop",): (3, True, IMAGE, {}),
    ("Scan",): ((2, 8), (5, 2, 8), {"num_scan_inputs": 1}),
}
EXAMPLES = {operator: example for operators, example in EXAMPLES.items() for operator in operators}
SHAPES = (
    *((1, 3, 8, 8), (1, 3, 8, 8), (2, 3, 8, 8), (1, 8, 4, 4), (4, 2, 3, 3), (1, 3, 8), (2, 10, 3), (10, 1, 3), (1, 8)),
    *((3, 8), (8, 3), (3,), (1,), (), (1, 1, 1, 1), (1, 3, 4, 4, 4), (1, 2, 1, 3, 1, 2), (1, 2**20, 2**18)),
    *((2, 3, 8, 8), (2, 8), (8, 8)),
)
CONSTANT_SHAPES = ((), (1,), (2,), (4,), (8,), (0,), (2, 3), (1, 1, 1), (2, 0), (2**40, 0), (1, 3, 8, 8))
NUMBERS = (
    0,
    1,
    2,
    3,
    4,
    8,
    -1,
    -2,
    -5,
    100,
    2**31,
    2**62,
    -(2**63),
    2**70,
    0.5,
    -1.5,
    1e30,
    1e-300,
    nan,
    inf,
    -inf,
    True,
)
OPERATORS = sorted(RULES)
SENSIBLE = (0, 1, 1, 1, 2, 2, 3, -1)


def any_number(chance):
    return chance.choice(SENSIBLE if chance.random() < 0.7 else NUMBERS)


def any_tensor(chance, name=""):
    tensor = Tensor(b"")
    tensor.name, tensor.shape, tensor.dtype = name, chance.choice(CONSTANT_SHAPES), chance.choice((1, 7, 9, 0, 99))
    return tensor


def any_subgraph(chance, depth=0):
    found = Subgraph()
    names = ["p", "q", "r"]
    found.inputs, found.outputs = chance.choices(names, k=3), chance.choices([*names, "t", "nowhere"], k=2)
    found.tensors = {"t": any_tensor(chance, "t")}
    for _ in range(chance.randrange(3) if depth < 2 else 0):
        operator, inputs, outputs = (
            chance.choice(sorted(RULES)),
            chance.choices([*names, "t"], k=2),
            chance.choices(names),
        )
        found.nodes.append(with_any_attributes(chance, Node(operator, inputs, outputs), depth + 1))
    return found


TEXTS = (
    "",
    "SAME_UPPER",
    "linear",
    "ij,jk->ik",
    "...ij,...jk->...ik",
    "bi,bj->bij",
    "abcd,bc->ad",
    "ab->",
    "a,b,c->abc",
)


def any_attribute(chance, name, depth):
    if name in ("body", "then_branch", "else_branch") and chance.random() < 0.9:
        return any_subgraph(chance, depth)
    if name == "equation" and chance.random() < 0.9:
        return chance.choice(TEXTS)
    values = (
        lambda: any_number(chance),
        lambda: any_number(chance),
        lambda: [chance.choice(SENSIBLE) for _ in range(chance.randrange(6))],
        lambda: [any_number(chance) for _ in range(chance.randrange(6))],
        lambda: [1] * chance.randrange(7),
        lambda: chance.sample(range(4), 4),
        lambda: chance.choice(TEXTS),
        lambda: chance.choice((["a"], [[1]], {}, None, Reference("axis"))),
        lambda: any_tensor(chance),
        lambda: any_subgraph(chance, depth),
    )
    return chance.choice(values)()


class AnyAttributes(dict):
    """Attributes of any type for whatever names a rule asks for; most are left out."""

    def __init__(self, chance, depth, right, wrong):
        super().__init__({name: value for name, value in right.items() if chance.random() > wrong})
        self.chance, self.depth, self.wrong, self.left_out = chance, depth, wrong, set()

    def __contains__(self, name):
        if not super().__contains__(name) and name not in self.left_out:
            if self.chance.random() > self.wrong and name not in ("body", "then_branch", "else_branch"):
                self.left_out.add(name)
            else:
                self[name] = any_attribute(self.chance, name, self.depth)
        return super().__contains__(name)

    def get(self, name, default=None):
        return super().get(name, default) if name in self else default


def with_any_attributes(chance, node, depth=0, right=None, wrong=0.4):
    """The node with right attributes, as far as they are given, and as many wrong ones."""
    node._attributes = AnyAttributes(chance, depth, right or {}, wrong)
    return node


def any_value(chance, ctx):
    """None, an activation, one of unknown shape, learned weights, numbers, or a constant of unknown numbers."""
    pick = chance.random()
    if pick < 0.08:
        return None
    if pick < 0.5:
        shape = chance.choice(SHAPES)
        value = activation(chance, ctx, shape, (None, 0, 0, 0, 1, 2))
        return value if chance.random() > 0.05 else Value(None, ref=value.ref)
    if pick < 0.7:
        name = chance.choice(sorted(WEIGHTS))
        return Value(WEIGHTS[name], source_weights=(Part(name, prod(WEIGHTS[name])),))
    shape = chance.choice(CONSTANT_SHAPES)
    if pick < 0.75:
        return Value(shape)
    number = chance.choice((any_number, lambda chance: chance.choice(SENSIBLE)))
    return Value(shape, [number(chance) for _ in range(prod(shape))], dtype=chance.choice((1, 7, 9)))


def activation(chance, ctx, shape, axes):
    batch = chance.choice(
        [axis for axis in axes if axis is None or (axis < len(shape) and shape[axis] % ctx.batch == 0)]
    )
    return Value(shape, ref=ctx.graph.add_input(f"x{len(ctx.graph.all)}", ctx.inner(shape, batch)), batch=batch)


def example_value(chance, ctx, given, wrong):
    """An input of an example, at times any other, or one of the same shape and another kind."""
    pick = chance.random()
    if pick < wrong / 2:
        return any_value(chance, ctx)
    if pick < wrong and isinstance(given, (str, tuple)):
        shape = WEIGHTS[given] if isinstance(given, str) else given
        return chance.choice(
            (activation(chance, ctx, shape, (None, 0, 1)), Value(shape), Value(shape, source_weights=(Part("w", 3),)))
        )
    if isinstance(given, tuple):
        return activation(
            chance, ctx, given, (1,) if given == STEPS else (0,) if given[0] % ctx.batch == 0 else (None,)
        )
    if given is None:
        return None
    if isinstance(given, str):
        return Value(WEIGHTS[given], source_weights=(Part(given, prod(WEIGHTS[given])),))
    return Value((len(given),), given, dtype=7) if isinstance(given, list) else Value((), [given], dtype=7)


def any_inputs(chance, ctx, operator):
    """Inputs and right attributes: those of an example, or any."""
    *given, attributes = EXAMPLES.get(operator, ({},))
    if not given or chance.random() < 0.3:
        return [any_value(chance, ctx) for _ in range(chance.choice((0, 1, 2, 2, 3, 3, 4, 5, 9)))], {}, 0.4
    wrong = chance.choice((0.05, 0.2, 0.4))
    values = [example_value(chance, ctx, value, wrong) for value in given]
    return values[: len(values) - (chance.random() < wrong)], attributes, wrong


def any_node(chance, ctx, operator):
    """A node, its inputs, and sometimes what reads its output."""
    inputs, right, wrong = any_inputs(chance, ctx, operator)
    names = [
        "" if value is None else (value.source_weights[0].name if value.source_weights else f"i{at}")
        for at, value in enumerate(inputs)
    ]
    outputs = ["y", "z", "", "h"][: chance.choice((0, 1, 1, 1, 1, 2, 2, 4))]
    node = with_any_attributes(chance, Node(operator, names, outputs), 0, right, wrong)
    node.domain = chance.choice(("", "", "com.microsoft"))
    node.has_bias = chance.random() < 0.2
    if chance.random() < 0.5:
        reads = ["y", chance.choice(sorted(WEIGHTS))]
        reader = Node(chance.choice(("Add", "Transpose", "Reshape", "Mul")), reads, ["a"][: chance.randrange(3)])
        ctx.readers["y"] = [with_any_attributes(chance, reader)]
    ctx.values.update((name, value) for name, value in zip(names, inputs, strict=True) if name)
    return node, inputs


def any_context(chance):
    model = Model("m")
    model.producer = chance.choice(("", "pytorch", "tf2onnx"))
    model.opsets = {"": chance.choice((5, 9, 17, 20))}
    for name, shape in WEIGHTS.items():
        model.tensors[name] = tensor = Tensor(b"")
        tensor.name, tensor.shape, tensor.dtype = name, shape, 1
    ctx = Importer(model, ())
    ctx.batch, ctx.steps = chance.choice((1, 1, 2)), 100
    ctx.outputs.add("z")
    return ctx
