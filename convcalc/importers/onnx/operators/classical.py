"""Operators of ai.onnx.ml that are linear: their weights are attributes, lists of numbers."""

from __future__ import annotations

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import gathered, same_shape
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import Inputs, Value, checked, given


@rule("Scaler")
def scaler(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """What it shifts and scales by was measured, and is not learned."""
    moved = same_shape(ctx, node, "elementwise", given(inputs, 0), operation="additions")
    return [same_shape(ctx, node, "elementwise", moved, operation="multiplications")]


@rule("Normalizer")
def normalizer(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [same_shape(ctx, node, "layer_norm", given(inputs, 0), affine=False)]


@rule("Imputer", "Binarizer")
def compared(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [same_shape(ctx, node, "elementwise", given(inputs, 0), operation="comparisons")]


@rule("ZipMap", "CastMap")
def passed_on(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [given(inputs, 0)]


@rule("ArrayFeatureExtractor")
def columns(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The columns with the numbers of the second input."""
    value, index = given(inputs, 0), given(inputs, 1)
    shape = checked((*value.sizes_of_rank(1, 8)[:-1], index.sizes_of_rank(1, 2)[-1]))
    return [gathered(ctx, node, [value], shape, value.batch)]


@rule("LinearRegressor")
def regressor(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [_linear(ctx, node, given(inputs, 0), node.int("targets", 1))]


@rule("LinearClassifier")
def classifier(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The class with the largest score, and the scores; of two classes that share one score, both."""
    value = given(inputs, 0)
    classes = max(len(node.ints("classlabels_ints")), len(node.texts("classlabels_strings")))
    entries = value.sizes_of_rank(2)[1]
    if value.batch not in (0, None):
        raise Unsupported("input whose first axis is not the batch")
    rows = len(node.floats("coefficients")) // max(1, entries)
    scores = _linear(ctx, node, value, rows)
    transform = node.text("post_transform", "NONE")
    if transform in ("LOGISTIC", "PROBIT"):
        scores = same_shape(ctx, node, "sigmoid", scores)
    elif transform.startswith("SOFTMAX"):
        scores = same_shape(ctx, node, "softmax", scores)
    count, axis = value.sizes[0], ctx.inner_axis(scores, 1)
    label = ctx.layer(node, "reduce", [scores], (count,), scores.batch, axes=axis, operation="comparisons")
    if rows == 1 and classes == 2:
        scores = gathered(ctx, node, [scores], (count, 2), scores.batch)
    return [label, scores]


def _linear(ctx: Context, node: Node, value: Value, features: int) -> Value:
    """A fully connected layer with the node's coefficients, and its intercepts where there are any."""
    count, entries = value.sizes_of_rank(2)
    coefficients, intercepts = len(node.floats("coefficients")), len(node.floats("intercepts"))
    if coefficients != features * entries or intercepts not in (0, features):
        raise Unsupported(f"{coefficients} coefficients of {entries} x {features}, {intercepts} intercepts")
    weights = [Value((features, entries)), Value((features,)) if intercepts else None]
    fields = {} if intercepts else {"bias": False}
    return ctx.layer(node, "linear", [value], (count, features), value.batch, weights, features=features, **fields)
