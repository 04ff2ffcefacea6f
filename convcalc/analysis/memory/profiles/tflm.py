"""TensorFlow Lite Micro, and runtimes that work as it does: the operators of a .tflite file converted from Keras."""

from __future__ import annotations

from convcalc.analysis.memory.profile import Profile, Step, always, attention_steps
from convcalc.kinds import Kind

# An operator of TensorFlow Lite ends with relu, relu6 or a clip to -1..1 where these have it as an attribute
_SUMS = frozenset({"conv", "transposed_conv", "linear", "batch_norm", "scale"})
_OTHERS = frozenset({"add", "subtract", "multiply", "divide", "max_pool", "avg_pool"})
_NORM = always(Step("multiply", (), (0,)), Step("add", (0,)))
_GATED = always(Step("sigmoid", (), (0,)), Step("multiply", (0,), (0,)))


def is_fused(activation: Kind, layer: Kind) -> bool:
    """Whether an activation is an attribute of the operator before it."""
    is_clip = activation.name == "hard_tanh" and (activation.low, activation.high) == (-1, 1)  # type: ignore[attr-defined]
    return (activation.name in ("relu", "relu6") or is_clip) and layer.name in _SUMS | _OTHERS


PROFILE = Profile(
    "tflm",
    "int8 runtime (TensorFlow Lite Micro): batch norms folded, relu and relu6 and padding inside their layer, reshapes "
    "free; a norm that does not fold is a product and a sum, silu a sigmoid and a product",
    views=frozenset({"flatten", "reshape", "identity", "dropout", "drop_path"}),
    is_fused=is_fused,
    expansions={
        "batch_norm": _NORM,
        "layer_norm": _NORM,
        "rms_norm": _NORM,
        "group_norm": _NORM,
        "instance_norm": _NORM,
        "scale": lambda layer: (
            (Step("multiply", (), (0,)), Step("add", (0,)))
            if getattr(layer.kind, "bias", False)
            else (Step("multiply", (), (0,)),)
        ),
        "silu": _GATED,
        "mish": always(Step("softplus", (), (0,)), Step("tanh", (0,)), Step("multiply", (1,), (0,))),
        "softsign": always(Step("abs", (), (0,)), Step("add", (0,)), Step("divide", (1,), (0,))),
        "hard_sigmoid": always(Step("add", (), (0,)), Step("multiply", (0,))),
        "attention": attention_steps,
    },
)
