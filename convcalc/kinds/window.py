"""The sliding window that convolution and pooling share: output size, padding, ceil mode.

Not a kind: the arithmetic of https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html and, for `same`,
https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding: the output is the input over the stride, rounded up.
"""

from __future__ import annotations

from typing import Any

from convcalc.kinds.sizes import Shape, Size, require, spread

Spatial = tuple[Size, ...]  # the sizes of the spatial axes


def differences(ours: Shape, theirs: Shape, message: str) -> list[list[Size]]:
    """What [before, after] of each spatial axis makes up for a difference, where `theirs` is at least as large."""
    require(
        len(ours) == len(theirs), "{ours} and {theirs} differ in the number of axes", "like", ours=ours, theirs=theirs
    )
    found = []
    for small, large in zip(ours[1:], theirs[1:], strict=True):
        require(small <= large, message, "like", ours=ours, theirs=theirs)
        found.append([(large - small) // 2, (large - small + 1) // 2])
    return found


def slide(
    spatial: Spatial,
    kernel: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool = False,
    what: str = "kernel",
) -> Spatial:
    """Return the spatial size of the output of a window that slides over `spatial`.

    Along each axis: `(H + before + after - d*(R-1) - 1) // s + 1`; with `ceil_mode` the division rounds up, but no
    window starts in the padding after the input.

    >>> slide((224, 224), 7, 2, 3, 1), slide((112,), 3, 2, 0, 1, ceil_mode=True), slide((7, 7), 3, 2, "same", 1)
    ((112, 112), (56,), (4, 4))
    """
    axes = len(spatial)
    kernels, strides = spread(kernel, axes, "kernel"), spread(stride, axes, "stride")
    dilations = spread(dilation, axes, "dilation")
    if isinstance(padding, str) and padding == "same":
        return tuple((size + step - 1) // step for size, step in zip(spatial, strides, strict=True))
    sides = pairs(padding, axes)
    output = []
    for size, window, step, (before, after), spacing in zip(spatial, kernels, strides, sides, dilations, strict=True):
        free = size + before + after - spacing * (window - 1) - 1  # written as `explain` shows it
        require(
            free + (step - 1 if ceil_mode else 0) >= 0,  # rounded up, a window larger than the input is one window
            "{what} {kernel}{dilated} does not fit the {grid} input (padding {padding})",
            "kernel",
            "add padding, or use a smaller kernel",
            what=what,
            kernel=kernel,
            dilated="" if isinstance(dilation, int) and dilation == 1 else f" with dilation {dilation}",
            grid=spatial,
            padding=padding,
        )
        if ceil_mode:
            last = (free + step - 1) // step
            output.append(last + 1 - 1 * (last * step >= size + before))
        else:
            output.append(free // step + 1)
    return tuple(output)


def reach(
    spatial: Spatial, kernel: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[tuple[Size, Size, Size], ...]:
    """Return the elements that a window spans, its stride, and the padding before the input, along each axis.

    >>> reach((224, 224), 7, 2, 3, 1), reach((9,), 3, 1, "same", 2)
    (((7, 2, 3), (7, 2, 3)), ((5, 1, 2),))
    """
    axes = len(spatial)
    steps = spread(stride, axes, "stride")
    sizes = [
        spacing * (window - 1) + 1
        for window, spacing in zip(spread(kernel, axes, "kernel"), spread(dilation, axes, "dilation"), strict=True)
    ]
    if isinstance(padding, str) and padding == "same":
        before = [same_sides(size, span, step)[0] for size, span, step in zip(spatial, sizes, steps, strict=True)]
    else:
        before = [side[0] for side in pairs(padding, axes)]
    return tuple(zip(sizes, steps, before, strict=True))


def same_sides(size: Size, span: Size, stride: Size) -> tuple[Size, Size]:
    """Return the padding of "same" before and after along one axis: what the windows need, the odd one after.

    >>> same_sides(224, 7, 2), same_sides(7, 3, 2), same_sides(8, 1, 2)
    ((2, 3), (1, 1), (0, 0))
    """
    total = ((size - 1) // stride) * stride + span - size
    needed = total * (total > 0)
    return needed // 2, needed - needed // 2


def pairs(padding: Any, axes: int, field: str = "padding") -> tuple[tuple[Size, Size], ...]:
    """Return padding as (before, after) for each axis.

    >>> pairs(1, 2), pairs((1, (0, 2)), 2), pairs("valid", 1)
    (((1, 1), (1, 1)), ((1, 1), (0, 2)), ((0, 0),))
    """
    if isinstance(padding, str):  # "valid"; `same` depends on the input and never comes here
        padding = 0
    return tuple(side if isinstance(side, tuple) else (side, side) for side in spread(padding, axes, field))


def split(shape: Shape) -> tuple[Size, Spatial]:
    """Split a shape into its channels and its spatial size."""
    return shape[0], shape[1:]
