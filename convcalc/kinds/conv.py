"""Convolution and transposed convolution, in as many dimensions (1 to 3) as the input has behind the channels."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

from convcalc.kinds.base import (
    LEARNED,
    Kind,
    Shape,
    Size,
    Tally,
    axes,
    is_fixed,
    learned_weights,
    rank,
    require,
    require_groups,
    spread,
)
from convcalc.kinds.code import BUFFER, PLAIN, Code, literal, one, padded, worked_out
from convcalc.kinds.code_keras import BEHIND, zeros_around
from convcalc.kinds.fields import Flag, Integer, Sizes
from convcalc.kinds.window import borders, pairs, reach, slide, split

_GROUPS = "groups that the channels are cut into; 'channels' for depthwise"


class _Convolution(Kind):
    """What both have: filters, kernel, groups, weights C/g*K*R*S."""

    filters = Integer[Any](
        None,
        letter="K",
        also="out_channels units features channels num_output depth_multiplier",
        doc="output channels; may be left out when groups is 'channels'",
    )
    kernel = Sizes[Any](
        letters="TRS", also="kernel_size kernel_shape size k ksize", doc="window, for example 3 or [1, 7]"
    )
    stride = Sizes[Any](1, letters="s", also="strides s", doc="step of the window")
    padding = Sizes[Any](
        0,
        at_least=0,
        words=("same", "valid"),
        pairs=True,
        letters="p",
        also="pad pads p",
        doc="zeros around the input; 'same': output = input / stride, rounded up",
    )
    dilation = Sizes[Any](
        1, letters="d", also="dilations dilation_rate atrous rate", doc="distance between the window's elements"
    )
    groups = Integer[Any](1, letter="g", words=("channels",), also="group num_groups", doc=_GROUPS)
    bias = Flag(True, also="use_bias", doc="one offset for each filter")
    learned = Integer[Any]("all", at_least=0, words=("all",), also="trainable requires_grad", doc=LEARNED)
    depth = 1

    def check(self) -> None:
        require(
            self.filters is not None or isinstance(self.groups, str),
            "{name} needs 'filters' (output channels)",
            hint="only with 'groups: channels' it may be left out",
            name=self.name,
        )

    def count_of(self, channels: Size) -> tuple[Size, Size]:
        """Groups and filters for so many input channels."""
        groups = channels if isinstance(self.groups, str) else self.groups
        filters = channels if self.filters is None else self.filters
        require_groups(channels, groups, "input channels")
        require_groups(filters, groups, "filters")
        return groups, filters

    @property
    def weighted(self) -> int:
        return 0 if is_fixed(self.learned) else self.depth

    def weights(self, shape: Shape) -> dict[str, Size]:
        channels, grid = split(shape)
        groups, filters = self.count_of(channels)
        return {"C/g": channels // groups, "K": filters, **axes("TRS", spread(self.kernel, len(grid), "kernel"))}

    def _code(self, module: str, shape: Shape, padding: Any, value: str = "{0}", output_padding: Any = 0) -> Code:
        """The module in as many dimensions as the input has."""
        axes = len(shape) - 1
        groups, filters = self.count_of(shape[0])
        kernel, stride, dilation = (
            one(spread(getattr(self, name), axes, name)) for name in ("kernel", "stride", "dilation")
        )
        needs = {"in_channels": shape[0], "out_channels": filters}
        options = {
            "kernel_size": (kernel, None),
            "stride": (stride, 1),
            "padding": (padding, 0),
            "output_padding": (output_padding, 0),
            "dilation": (dilation, 1),
            "groups": (groups, 1),
            "bias": (self.bias, True),
        }
        code = Code(f"nn.{module}{axes}d", needs, options, f"{{module}}({value})")
        if not is_fixed(self.learned):
            return worked_out(code, self.learned, prod(self.weights(shape).values()), filters)
        require(not self.bias, "weights that are fixed beside a bias that is learned are no layer of PyTorch's", "bias")
        del options["kernel_size"], options["bias"]
        function = "F.conv_transpose" if module == "ConvTranspose" else "F.conv"
        given = "".join(f", {key}={literal(value)}" for key, (value, usual) in options.items() if value != usual)
        ends = (shape[0], filters // groups) if module == "ConvTranspose" else (filters, shape[0] // groups)
        call = f"{function}{axes}d({value}, {{module}}[0]{given})"
        return Code(BUFFER, {"shape": (*ends, *spread(self.kernel, axes, "kernel"))}, {}, call)

    def keras_order(self, inputs: tuple[Shape, ...]) -> str:
        return BEHIND

    def _keras(self, module: str, needs: dict[str, Any], axes: int, **more: tuple[Any, Any]) -> Code:
        """Keras' layer, but for its border."""
        strides, kernels = spread(self.stride, axes, "stride"), spread(self.kernel, axes, "kernel")
        apart = spread(self.dilation, axes, "dilation")
        apart = tuple(1 if window == 1 else step for window, step in zip(kernels, apart, strict=True))
        require(
            max(strides) == 1 or max(apart) == 1, "Keras has no convolution with both a stride and a dilation", "stride"
        )
        options = {"strides": (one(strides), 1), "dilation_rate": (one(apart), 1), "use_bias": (self.bias, True)}
        if is_fixed(self.learned):
            require(not self.bias, "Keras' layer learns all it has or nothing: not only a bias", "bias")
            options["trainable"] = (False, True)
        require(self.learned in (0, "all"), "Keras has no layer that works its weights out from others", "learned")
        return Code(f"layers.{module}", {**needs, "kernel_size": one(kernels)}, {**options, **more})

    def mixes(self, inputs: tuple[Shape, ...]) -> str:
        channels, grid = split(inputs[0])
        if all(size == 1 for size in spread(self.kernel, len(grid), "kernel")):
            return "cross-channel (1x1)"
        return "spatial (depthwise)" if channels // self.count_of(channels)[0] == 1 else "both (kxk)"


class Conv(_Convolution, name="conv"):
    """Convolution: each of K filters looks at C/g channels through an R x S window.

    Shapes: C x H x W -> K x P x Q; 1-D and 3-D alike (kernel T R S, output Z P Q).
    MACs: one window of products for each output element.
    Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, arXiv:1603.07285.

    >>> worked(Conv(filters=32, kernel=5, padding="same"), "256x28x28")
    32x28x28
    weights = C/g*K*R*S = 256*32*5*5 = 204,800
    conv_macs = C/g*K*R*S*P*Q = 256*32*5*5*28*28 = 160,563,200
    biases = K = 32 = 32
    bias_adds = K*P*Q = 32*28*28 = 25,088
    """

    example = ("256x28x28", {"filters": 32, "kernel": 5, "padding": "same"})
    torch = "Conv1d Conv2d Conv3d"
    keras = "Conv1D Conv2D Conv3D Convolution2D DepthwiseConv2D"
    onnx = "Conv"

    def output(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        rank(shape, 2, 4, "conv")
        channels, grid = split(shape)
        _, filters = self.count_of(channels)
        return (filters, *slide(grid, self.kernel, self.stride, self.padding, self.dilation))

    def _sides(self, shape: Shape, output: Shape, padding: Any) -> tuple[tuple[Size, Size], ...]:
        """The border before and after along each axis, `same` worked out."""
        if padding != "same":
            return pairs(padding, len(shape) - 1)
        sides = borders(shape, output, self.kernel, self.stride, "same", self.dilation)
        return tuple((before, max(after, 0)) for before, after in sides)

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        (channels, *grid), axes = inputs[0], len(output) - 1
        groups, filters = self.count_of(channels)
        if axes < 3 and groups == channels and channels > 1:
            code = self._keras(f"DepthwiseConv{axes}D", {}, axes, depth_multiplier=(filters // channels, 1))
        else:
            code = self._keras(f"Conv{axes}D", {"filters": filters}, axes, groups=(groups, 1))
        sides = self._sides(inputs[0], output, self.padding)
        steps = spread(self.stride, axes, "stride")
        rounded = tuple(-(-size // step) for size, step in zip(grid, steps, strict=True))
        if not any(map(any, sides)):
            return code
        if rounded == output[1:] and sides == self._sides(inputs[0], output, "same"):
            return code._replace(options={**code.options, "padding": ("same", "valid")})
        return code._replace(call=f"{{module}}({zeros_around(sides)})")

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        shape, axes = inputs[0], len(inputs[0]) - 1
        if self.padding == "same" and all(step == 1 for step in spread(self.stride, axes, "stride")):
            return self._code("Conv", shape, "same")
        sides = self._sides(shape, output, self.padding)
        if all(before == after for before, after in sides):
            return self._code("Conv", shape, one(before for before, _ in sides))
        return self._code("Conv", shape, 0, padded(sides))

    def window(self, shape: Shape) -> tuple[tuple[Size, Size, Size], ...]:
        return reach(shape[1:], self.kernel, self.stride, self.padding, self.dilation)

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        weights, (filters, *grid) = self.weights(inputs[0]), output
        places = axes("ZPQ", grid)
        yield learned_weights(self.learned, weights)
        yield "conv_macs", {**weights, **places}
        if self.bias:
            yield "biases", {"K": filters}
            yield "bias_adds", {"K": filters, **places}


class TransposedConv(_Convolution, name="transposed_conv"):
    """Transposed ("up") convolution: each *input* element paints an R x S window on the output.

    Shapes: C x H x W -> K x P x Q with P = (H-1)*stride - before - after + dilation*(R-1) + output_padding + 1;
    `same` gives P = H*stride. MACs are counted on the input grid: C/g*K*R*S*H*W. Counting them on the output grid,
    as several counters do, is stride x stride times too high.

    >>> worked(TransposedConv(filters=8, kernel=2, stride=2, bias=False), "16x5x5")
    8x10x10
    weights = C/g*K*R*S = 16*8*2*2 = 512
    conv_macs = C/g*K*R*S*H*W = 16*8*2*2*5*5 = 12,800
    """

    output_padding = Sizes[Any](
        0, at_least=0, letters="o", also="adj", doc="rows and columns added at the end of the output"
    )
    example = ("16x5x5", {"filters": 8, "kernel": 2, "stride": 2})
    torch = "ConvTranspose1d ConvTranspose2d ConvTranspose3d"
    keras = "Conv1DTranspose Conv2DTranspose Conv3DTranspose Deconvolution2D"
    onnx = "ConvTranspose deconv deconvolution conv_transpose"

    def output(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        rank(shape, 2, 4, "transposed_conv")
        channels, grid = split(shape)
        _, filters = self.count_of(channels)
        strides = spread(self.stride, len(grid), "stride")
        extra = spread(self.output_padding, len(grid), "output_padding")
        if isinstance(self.padding, str) and self.padding == "same":
            return (filters, *(size * step + more for size, step, more in zip(grid, strides, extra, strict=True)))
        spans = [
            apart * (window - 1) + 1
            for window, apart in zip(
                spread(self.kernel, len(grid), "kernel"), spread(self.dilation, len(grid), "dilation"), strict=True
            )
        ]
        sizes = zip(grid, strides, pairs(self.padding, len(grid)), spans, extra, strict=True)
        found = tuple((size - 1) * step - sum(pad) + window + more for size, step, pad, window, more in sizes)
        for size in found:
            require(
                size >= 1,
                "padding {padding} leaves nothing of the output ({output})",
                "padding",
                "use less padding",
                padding=self.padding,
                output=found,
            )
        return (filters, *found)

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        (_, *grid), (filters, *places) = inputs[0], output
        weights = self.weights(inputs[0])
        yield learned_weights(self.learned, weights)
        yield "conv_macs", {**weights, **axes("DHW", grid)}
        if self.bias:
            yield "biases", {"K": filters}
            yield "bias_adds", {"K": filters, **axes("ZPQ", places)}

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        axes = len(output) - 1
        sizes = (spread(getattr(self, name), axes, name) for name in ("kernel", "stride", "dilation", "output_padding"))
        borders, extras, rests = [], [], []
        for at, (window, step, apart, extra) in enumerate(zip(*sizes, strict=True)):
            if self.padding == "same":
                over = apart * (window - 1) + 1 - step
                before, after, extra = max(over // 2, 0), max(over - over // 2, 0), extra + max(-over, 0)
            else:
                before, after = pairs(self.padding, axes)[at]
            is_plain = before == after and extra < max(step, apart)  # what the module does by itself
            borders.append(before if is_plain else 0)
            extras.append(extra if is_plain else 0)
            rests.append((0, 0) if is_plain else (-before, extra - after))
        code = self._code("ConvTranspose", inputs[0], one(borders), output_padding=one(extras))
        if not any(map(any, rests)):
            return code
        # what is added comes first: what is cut off may be all there was
        more, less = ([(edge(before, 0), edge(after, 0)) for before, after in rests] for edge in (max, min))
        call = padded(more).replace("{0}", code.call) if any(map(any, more)) else code.call
        return code._replace(call=padded(less).replace("{0}", call) if any(map(any, less)) else call)

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        (channels, *grid), axes = inputs[0], len(output) - 1
        groups, filters = self.count_of(channels)
        require(groups == 1, "Keras has no transposed convolution in groups", "groups")
        code = self._keras(f"Conv{axes}DTranspose", {"filters": filters}, axes)
        steps = spread(self.stride, axes, "stride")
        if self.padding == "same" and output[1:] == tuple(size * step for size, step in zip(grid, steps, strict=True)):
            return code._replace(options={**code.options, "padding": ("same", "valid")})
        spans = (
            apart * (window - 1) + 1
            for window, apart in zip(
                spread(self.kernel, axes, "kernel"), spread(self.dilation, axes, "dilation"), strict=True
            )
        )
        cuts, rests = [], []
        for at, (size, step, span, wanted) in enumerate(zip(grid, steps, spans, output[1:], strict=True)):
            before = max(span - step, 0) // 2 if self.padding == "same" else pairs(self.padding, axes)[at][0]
            after = size * step + max(span - step, 0) - before - wanted  # of what Keras gives without a border
            cuts.append((before, max(after, 0)))
            rests.append((0, max(-after, 0)))
        call = zeros_around(rests).replace("{0}", PLAIN)
        return code._replace(call=zeros_around(cuts, "Cropping").replace("{0}", call))
