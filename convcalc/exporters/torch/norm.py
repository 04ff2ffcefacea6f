"""Normalisation and learned scales in PyTorch."""

from __future__ import annotations

from convcalc.exporters.code.code import PLAIN, Code, Shapes
from convcalc.exporters.torch.helpers import RESPONSE_NORM, SCALE, call_on_axis, spatial_module
from convcalc.exporters.torch.table import torch_code
from convcalc.kinds import Shape
from convcalc.kinds.norm import BatchNorm, GlobalResponseNorm, GroupNorm, InstanceNorm, LayerNorm, Lrn, RmsNorm, Scale
from convcalc.kinds.sizes import axis_of


@torch_code(BatchNorm)
def batch_norm(layer: BatchNorm, inputs: Shapes, output: Shape) -> Code:
    options = {
        "eps": (layer.epsilon, layer.fields["epsilon"].default),
        "affine": (layer.affine, True),
        "track_running_stats": (layer.statistic == "running", True),
    }
    return spatial_module("BatchNorm", {"num_features": output[0]}, options, output)


@torch_code(LayerNorm)
def layer_norm(layer: LayerNorm, inputs: Shapes, output: Shape) -> Code:
    options = {
        "eps": (layer.epsilon, layer.fields["epsilon"].default),
        "elementwise_affine": (layer.affine, True),
        "bias": (layer.bias, True),
    }
    axis = 0 if layer.over == "channels" else len(output) - 1
    over = output if layer.over == "all" else output[axis]
    return Code("nn.LayerNorm", {"normalized_shape": over}, options, call_on_axis(axis, output))


@torch_code(RmsNorm)
def rms_norm(layer: RmsNorm, inputs: Shapes, output: Shape) -> Code:
    return Code("nn.RMSNorm", {"normalized_shape": output[-1]}, {"eps": (layer.epsilon, None)})


@torch_code(GroupNorm)
def group_norm(layer: GroupNorm, inputs: Shapes, output: Shape) -> Code:
    options = {"eps": (layer.epsilon, layer.fields["epsilon"].default), "affine": (layer.affine, True)}
    return Code("nn.GroupNorm", {"num_groups": layer.groups, "num_channels": output[0]}, options)


@torch_code(InstanceNorm)
def instance_norm(layer: InstanceNorm, inputs: Shapes, output: Shape) -> Code:
    options = {"eps": (layer.epsilon, layer.fields["epsilon"].default), "affine": (layer.affine, False)}
    return spatial_module("InstanceNorm", {"num_features": output[0]}, options, output)


@torch_code(GlobalResponseNorm)
def global_response_norm(layer: GlobalResponseNorm, inputs: Shapes, output: Shape) -> Code:
    options = {"eps": (layer.epsilon, layer.fields["epsilon"].default)}
    return Code("GlobalResponseNorm", {"num_channels": output[0]}, options, helper=RESPONSE_NORM)


@torch_code(Lrn)
def lrn(layer: Lrn, inputs: Shapes, output: Shape) -> Code:
    needs = {"size": layer.size}
    # PyTorch divides the sum by the size of the neighbourhood, the paper and this kind do not
    options = {"alpha": (layer.alpha * layer.size, None), "beta": (layer.beta, 0.75), "k": (layer.k, 1)}
    call = PLAIN if len(output) > 1 else "{module}({0}.unsqueeze(2)).squeeze(2)"
    return Code("nn.LocalResponseNorm", needs, options, call)


@torch_code(Scale)
def scale(layer: Scale, inputs: Shapes, output: Shape) -> Code:
    axis = axis_of(layer.axis, output)
    shape = (output[axis], *(1 for _ in output[axis + 1 :]))
    return Code("Scale", {"shape": shape}, {"bias": (layer.bias, False)}, helper=SCALE)
