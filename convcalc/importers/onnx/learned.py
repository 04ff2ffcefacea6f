"""Which tensors of a model are learned: PyTorch's newer exporter says so, and from which tensors folded ones come.

In other files their names tell."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from math import prod

from convcalc.importers.onnx.model import FLOATS, Model, Node, Tensor

_INPUT = re.compile(r"(PARAMETER|BUFFER|CONSTANT_TENSOR)(?:: \d+>, arg=\w+\(name='[^']*'\),)? target='([^']*)'")
_NAME = re.compile(r"'([^']*)'")
_BIASED = re.compile(
    r"target=torch\.ops\.aten\.(linear|conv\dd|convolution)\.\w+\]\(args = \(%\w+, %\w+, %p_"
    r"|target=torch\.ops\.aten\.\w*batch_norm\w*\.\w+\]\(args = \(%\w+, %\w+, %p_"
)
# names that exporters make up for constants, which are not trained
_MADE_UP = re.compile(r"(onnx::|val_|/|_v_|const|Constant|c_lifted|lifted_|_inlfunc|ortshared|\d+$|_to_copy)")
# names that modules give to tensors that are not trained
_BUFFER = re.compile(
    r"(?:.*\.)?(running_mean|running_var|relative_coords_table|attn_mask|inv_freq|(cos|sin)_cached|filt|anchors)\Z"
)
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "BatchNormalization", "Identity")
_WITH_KERNEL = ("Conv", "ConvTranspose", "Gemm", "MatMul")
# operators with inputs that are no weights -> those that may be
_OPERANDS: dict[str, tuple[int, ...]] = {
    "QuantizeLinear": (0,), "DequantizeLinear": (0,), "DynamicQuantizeLinear": (0,), "QLinearConv": (0, 3, 8),
    "QLinearMatMul": (0, 3), "ConvInteger": (0, 1), "MatMulInteger": (0, 1), "QLinearAdd": (0, 3), "QLinearMul": (0, 3),
    "QGemm": (0, 3, 6), "DynamicQuantizeMatMul": (0, 1, 4), "MatMulIntegerToFloat": (0, 1, 6),
    "MatMulNBits": (0, 1, 5), "QLinearGlobalAveragePool": (0,), "QLinearSigmoid": (0,), "QLinearSoftmax": (0,),
    "BatchNormalization": (0, 1, 2), "Resize": (0,), "Upsample": (0,), "Pad": (0,), "Clip": (0,), "Slice": (0,),
    "NonMaxSuppression": (0, 1), "OneHot": (0,), "Range": (), "RoiAlign": (0,), "Tile": (0,), "Expand": (0,),
    "QAttention": (0, 1, 2, 8), "DynamicQuantizeLSTM": (0, 1, 2, 3, 5, 6, 7), "MatMulBnb4": (0, 1),
    "QLinearWhere": (0, 1, 4), "QLinearReduceMean": (0,), "STFT": (0,), "DFT": (0,), "MelWeightMatrix": (),
}  # fmt: skip
_UINT8, _INT8, _INT32 = 2, 3, 6
_NEVER = ("val_", "c_lifted", "lifted_", "_tensor_constant")
# names that TensorFlow gives to values that training does not change: filled tensors, and numbers in the code
_FIXED = re.compile(r"(.*/)?((zeros|ones)(_like)?(_\d+)?(/Const)?|Const(_\d+)?|[xy]):\d+")


def signature(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the parameters and the other tensors of an exported program, from PyTorch's text on its inputs.

    >>> signature("p_a_b: PARAMETER target='a.b'\\nb_c: BUFFER target='c' persistent=True\\nx: USER_INPUT")
    (frozenset({'a.b'}), frozenset({'c'}))
    """
    inputs = _INPUT.findall(text)
    return (
        frozenset(name for kind, name in inputs if kind == "PARAMETER"),
        frozenset(name for kind, name in inputs if kind != "PARAMETER"),
    )


def is_buffer(name: str) -> bool:
    """Return whether a tensor has a name that modules give to tensors that are not trained.

    >>> is_buffer("layer1.0.filt"), is_buffer("layer1.0.weight")
    (True, False)
    """
    return _BUFFER.match(name) is not None


def names_in(text: str) -> tuple[str, ...]:
    """Return the names in a list of names as Python writes it.

    >>> names_in("['a.weight', 'val_3']")
    ('a.weight', 'val_3')
    """
    return tuple(_NAME.findall(text))


def says_bias(text: str) -> bool:
    """Return whether a call in a PyTorch program gives a layer a learned bias; the exporter leaves out one of zeros.

    >>> says_bias("%y : [] = call_function[target=torch.ops.aten.linear.default](args = (%x, %p_w, %p_b), kwargs = {})")
    True
    """
    return _BIASED.search(text) is not None


def _settings(nodes: Sequence[Node]) -> frozenset[str]:
    """Return the constants that nodes read as settings alone: scales of quantisation, bounds, sizes of an output."""
    settings: set[str] = set()
    others: set[str] = set()
    for node in nodes:
        weights = _OPERANDS.get(node.operator)
        for index, name in enumerate(node.inputs):
            (others if weights is None or index in weights else settings).add(name)
    return frozenset(settings - others)


class Origins:
    """The learned tensors that each constant of a model comes from; those that were `measured` are not learned."""

    def __init__(self, model: Model, measured: Collection[str] = (), nodes: Sequence[Node] | None = None) -> None:
        self.model, self.measured = model, frozenset(measured)
        # what convolutions and products are given as weights is learned whatever it is called
        self.weights = {
            node.inputs[1]
            for node in (model.nodes if nodes is None else nodes)
            if node.operator in _WITH_KERNEL and len(node.inputs) > 1
        }
        self.quantised = {
            node.inputs[index]
            for node in (model.nodes if nodes is None else nodes)
            if node.operator.startswith(("Q", "Dequantize"))
            for index in _OPERANDS.get(node.operator, ())
            if index < len(node.inputs)
        }
        self.settings = _settings(model.nodes if nodes is None else nodes)
        self.instead: dict[str, str] = {}  # a parameter that is not stored -> the largest tensor made from it
        # parameters that are stored themselves, or from which alone a stored tensor is made
        self.counted_elsewhere = set(model.tensors)
        for name in model.tensors:
            learned = [source for source in model.folded_from.get(name, ()) if source in model.parameters]
            self.counted_elsewhere.update(learned if len(learned) == 1 else ())
            for source in model.folded_from.get(name, ()):
                if (
                    source in model.parameters
                    and source not in model.tensors
                    and self._size(name) >= self._size(self.instead.get(source, ""))
                ):
                    self.instead[source] = name

    def _size(self, name: str) -> int:
        return prod(self.model.tensors[name].shape) if name in self.model.tensors else 0

    def of(self, name: str, tensor: Tensor) -> tuple[str, ...]:
        """Return the learned tensors that a constant is made from, or itself; none where it is not learned."""
        sources = self.model.folded_from.get(name)
        dtypes = (*FLOATS, _UINT8, _INT8, *([_INT32] if name in self.quantised else []))
        if tensor.dtype not in dtypes or name in self.model.buffers or name in self.settings | self.measured:
            return ()
        if sources is not None and self.model.parameters and name not in self.model.parameters:
            learned = [source for source in sources if source in self.model.parameters]
            if len(learned) > 1 and all(source in self.counted_elsewhere for source in learned):
                return ()  # each counts where it is used by itself
            if len(learned) == 1 and self._is_other_slice(name, learned[0]):
                return (name,)
            return tuple(dict.fromkeys(self.instead.get(source, source) for source in learned))
        return (name,) if self._is_learned(name, tensor) else ()

    def _is_other_slice(self, name: str, parameter: str) -> bool:
        """Return whether two stored tensors are different slices of a parameter that is not stored itself.

        Those folded from the parameter alone are transposed copies. A slice is folded from its indices as well.
        """
        other = self.instead.get(parameter, name)
        mine, theirs = self.model.tensors[name], self.model.tensors.get(other)
        if other == name or theirs is None or len(self.model.folded_from.get(name, ())) < 2:
            return False
        values = mine.values()
        is_same = values is not None and len(set(values)) > 1 and values == theirs.values()
        return mine.shape == theirs.shape and not is_same

    def computed_tables(self, nodes: list[Node]) -> list[str]:
        """Return the learned tables that the exporter computed from other tensors; not weights that it transposed."""
        weights = {name for node in nodes if node.operator in _WEIGHTED for name in node.inputs}
        tables = []
        for name, tensor in self.model.tensors.items():
            is_computed = name.startswith("onnx::") or len(self.model.folded_from.get(name, ())) > 1
            is_table = sum(size > 1 for size in tensor.shape) > 1
            if is_computed and is_table and name not in weights and name in self.of(name, tensor):
                tables.append(name)
        return tables

    def _is_learned(self, name: str, tensor: Tensor) -> bool:
        """Return whether the name of an initializer is that of a learned tensor; a single number seldom is."""
        if name in self.model.parameters:
            return True
        if _FIXED.fullmatch(name) or (name.startswith("const_fold") and tensor.is_mask()):
            return False
        if prod(tensor.shape) > 1:
            return (name in self.weights and len(tensor.shape) > 1 and not is_buffer(name)) or (
                not name.startswith(_NEVER) and not is_buffer(name)
            )
        return not _MADE_UP.match(name) and ("." in name or "_scale" in name or "/ReadVariableOp" in name)
