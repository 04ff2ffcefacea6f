"""Einsum: two terms at a time, as fully connected layers, matrix products, or products element by element."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import NamedTuple

from convcalc.errors import quoted
from convcalc.graph import Ref
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import aligned, gathered
from convcalc.importers.onnx.operators.linear import linear
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.reshape import permuted
from convcalc.importers.onnx.values import Inputs, Shape, Value, checked, given


class _Equation(NamedTuple):
    """An equation over two values; each letter is an axis."""

    terms: tuple[str, str]
    output: str
    sizes: dict[str, int]
    batch: frozenset[str]  # the axes that hold the batch
    left_out: frozenset[str]  # those of them that our graph leaves out

    @property
    def shared(self) -> list[str]:
        return [letter for letter in self.terms[0] if letter in self.terms[1]]

    @property
    def summed(self) -> list[str]:
        return [letter for letter in self.shared if letter not in self.output]

    def own(self, term: int) -> list[str]:
        """The axes of one term that the other does not have."""
        return [letter for letter in self.terms[term] if letter not in self.terms[1 - term]]

    def shape(self, letters: Iterable[str]) -> Shape:
        return tuple(self.sizes[letter] for letter in letters)

    def merged(self, groups: Iterable[Sequence[str]]) -> Shape:
        """The shape where each group of axes is one axis, without the batch."""
        return tuple(prod(self.sizes[letter] for letter in group if letter not in self.left_out) for group in groups)


@rule("Einsum")
def einsum(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """Terms from the left, two at a time; what only one of two terms has, and nothing after them, is summed before."""
    values = [given(inputs, at) for at in range(len(inputs))]
    terms, output = _terms(node.text("equation"), [value.rank for value in values])
    if len(terms) != len(values) or not values:
        raise Unsupported(f"equation of {len(terms)} terms for {len(inputs)} inputs")
    made, term = values[0], terms[0]
    for at in range(1, len(values)):
        later = set("".join([*terms[at + 1 :], output]))
        made, term = _summed(ctx, node, made, term, later | set(terms[at]))
        other, own = _summed(ctx, node, values[at], terms[at], later | set(term))
        is_last = at == len(values) - 1
        kept = output if is_last else "".join(dict.fromkeys(letter for letter in term + own if letter in later))
        made = _pair(ctx, node, made, other, f"{term},{own}->{kept}", at)
        term = kept
    if len(values) > 1:
        return [made]
    made, term = _summed(ctx, node, made, term, set(output))
    if sorted(term) != sorted(output):
        raise Unsupported("equation with a new axis")
    return [permuted(ctx, node, made, [term.index(letter) for letter in output])]


def _terms(text: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The terms and the output of an equation; without an arrow the output has what stands once, sorted."""
    left, arrow, output = without_dots(text, ranks).partition("->")
    if not arrow:
        once = sorted(letter for letter in set(left) - {","} if left.count(letter) == 1)
        shared = [letter for letter in "ABCDEFGH" if letter in left and "..." in text]
        output = "".join([*shared, *(letter for letter in once if letter not in shared)])
    terms = left.split(",")
    if any(len(set(term)) < len(term) for term in (*terms, output)):
        raise Unsupported("equation with an axis twice in a term")
    if [len(term) for term in terms] != [*ranks][: len(terms)]:
        raise Unsupported("equation that does not fit its inputs")
    return terms, output


def _summed(ctx: Context, node: Node, value: Value, term: str, kept: set[str]) -> tuple[Value, str]:
    """A value with the axes summed that nothing else has, and the letters that are left."""
    axes = [at for at, letter in enumerate(term) if letter not in kept]
    if not axes:
        return value, term
    inner = tuple(ctx.inner_axis(value, axis) for axis in axes)
    left = [at for at in range(value.rank) if at not in axes]
    shape = tuple(value.sizes[at] for at in left)
    batch = left.index(value.batch) if value.batch in left else None
    fields = {"axes": inner[0] if len(inner) == 1 else inner}
    return ctx.layer(node, "reduce", [value], shape, batch, **fields), "".join(term[at] for at in left)


def _pair(ctx: Context, node: Node, first: Value, second: Value, text: str, at: int) -> Value:
    """An equation of two terms, of which the second is the input `at`."""
    equation = _equation(ctx, text, [first, second])
    if not equation.summed:
        return _elementwise(ctx, node, [first, second], equation)
    kept = [letter for letter in equation.shared if letter in equation.output]
    if second.ref is None and not kept and equation.terms[0].endswith("".join(equation.summed)):
        return _linear(ctx, node, first, second, equation, at)
    return _matmul(ctx, node, first, second, equation)


def _equation(ctx: Context, text: str, inputs: Inputs) -> _Equation:
    """An equation of two terms with its sizes. Raises Unsupported where they do not fit."""
    values = [given(inputs, 0), given(inputs, 1)]
    left, _, output = text.partition("->")
    terms = left.split(",")
    sizes = dict(zip(terms[0], values[0].sizes, strict=True))
    for letter, size in zip(terms[1], values[1].sizes, strict=True):
        if sizes.setdefault(letter, size) != size:
            raise Unsupported(f"axis {quoted(letter)} of {sizes[letter]} and {size} elements")
    if not set(terms[0]) ^ set(terms[1]) <= set(output) <= set(sizes):
        raise Unsupported("equation with a sum over one term, or a new axis")
    batch = frozenset(term[value.batch] for term, value in zip(terms, values, strict=True) if value.batch is not None)
    left_out = frozenset(letter for letter in batch if sizes[letter] == ctx.batch)
    return _Equation((terms[0], terms[1]), output, sizes, batch, left_out)


def without_dots(equation: str, ranks: Sequence[int]) -> str:
    """An equation with letters for the axes that `...` stands for.

    >>> without_dots("...ij, ...jk -> ...ik", [4, 3])
    'ABij,Bjk->ABik'
    """
    terms, arrow, output = equation.replace(" ", "").partition("->")
    letters = terms.split(",")
    free = [rank - len(term) + 3 for term, rank in zip(letters, ranks, strict=False) if "..." in term]
    names = "ABCDEFGH"[: max(free, default=0)]
    for at, (term, rank) in enumerate(zip(letters, ranks, strict=False)):
        letters[at] = term.replace("...", names[len(names) - (rank - len(term) + 3) :] if "..." in term else "")
    return ",".join(letters) + arrow + output.replace("...", names)


def _elementwise(ctx: Context, node: Node, values: Sequence[Value], equation: _Equation) -> Value:
    """An equation without a sum: a product that broadcasts each term over the axes it does not have."""
    output = equation.output
    operands: list[Value] = []
    for value, term in zip(values, equation.terms, strict=True):
        order = [term.index(letter) for letter in output if letter in term]
        if order != sorted(order):
            raise Unsupported("equation that permutes axes and sums nothing")
        own = tuple(equation.sizes[letter] if letter in term else 1 for letter in output)
        batch = None if value.batch is None else output.index(term[value.batch])
        operands.append(Value(own, ref=ctx.view(node, value, ctx.inner(own, batch)), batch=batch))
    batch, refs = aligned(ctx, node, operands, [value.sizes for value in operands], equation.shape(output))
    return ctx.layer(node, "multiply", refs, equation.shape(output), batch)


def _linear(ctx: Context, node: Node, value: Value, weight: Value, equation: _Equation, at: int) -> Value:
    """A sum over the last axes with constant weights: a fully connected layer."""
    rows, columns = equation.own(0), equation.own(1)
    if value.batch is not None and value.batch >= len(rows):
        raise Unsupported("sum over the batch axis")
    flat = (*value.sizes[: len(rows)], prod(value.sizes[len(rows) :]))
    merged = Value(flat, ref=ctx.view(node, value, ctx.inner(flat, value.batch)), batch=value.batch)
    made = linear(ctx, node, merged, prod(equation.shape(columns)), weight, None, at)
    in_order = checked(equation.shape(rows + columns))
    result = Value(in_order, ref=ctx.view(node, made, ctx.inner(in_order, value.batch)), batch=value.batch)
    if list(equation.output) == rows + columns:
        return result
    return gathered(ctx, node, [result], equation.shape(equation.output), _batch_axis(equation))


def _batch_axis(equation: _Equation) -> int | None:
    return next((at for at, letter in enumerate(equation.output) if letter in equation.batch), None)


def _matmul(ctx: Context, node: Node, first: Value, second: Value, equation: _Equation) -> Value:
    """A sum over shared axes: a matrix product, one for each element of the shared axes that are kept."""
    output, rows, summed, columns = equation.output, equation.own(0), equation.summed, equation.own(1)
    outer = [letter for letter in equation.shared if letter in output and letter not in equation.batch]
    left = _as_matrices(ctx, node, first, equation, 0, [outer, rows, summed])
    right = _as_matrices(ctx, node, second, equation, 1, [outer, summed, columns])
    result = ctx.layer(node, "matmul", [left, right], equation.merged([outer, rows, columns]), None)
    shape, batch = equation.shape(output), _batch_axis(equation)
    order = [*outer, *rows, *columns]
    if [letter for letter in output if letter in order] == order:
        return Value(shape, ref=ctx.view(node, result, ctx.inner(checked(shape), batch)), batch=batch)
    return gathered(ctx, node, [result], shape, batch)


def _as_matrices(
    ctx: Context, node: Node, value: Value, equation: _Equation, term: int, groups: Sequence[Sequence[str]]
) -> Ref:
    """A term with three axes: one for each group of its own."""
    inside = [letter for letter in equation.terms[term] if letter not in equation.left_out]
    wanted = equation.merged(groups)
    if [letter for group in groups for letter in group if letter in inside] == inside:
        return ctx.view(node, value, wanted)
    return ctx.ref(gathered(ctx, node, [value], wanted, None))
