"""A user's rule for an operator: the shapes it gives and what it costs, from the sizes of the node at hand.

A rule that does not fit a node, such as one for another number of axes, says why, and the node stays opaque.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import isfinite, prod
from typing import Any, NamedTuple

from convcalc.errors import UserError, quoted
from convcalc.importers.onnx.context import Context, Rule
from convcalc.importers.onnx.elements import distinct
from convcalc.importers.onnx.model import FLOATS, Model, Node, Unsupported
from convcalc.importers.onnx.rule_amounts import Amount, Names
from convcalc.importers.onnx.values import Inputs, Shape, Value, checked, moved, optional
from convcalc.kinds.primitives import Custom
from convcalc.language.variables import whole

PARAMS = ("weights", "biases", "other_params")
REST = "..."  # any number of axes
OUTPUT = "output"  # the elements of the first output, in an expression


class InputPattern(NamedTuple):
    """An input: its name, a name or a number for each axis (None: any shape), and whether it may be left out."""

    name: str
    axes: tuple[str | int, ...] | None
    is_optional: bool


class AttributePattern(NamedTuple):
    """An attribute: the names of its numbers with their defaults, or the text that it must be if it is there.

    Without a default (None) it must be there.
    """

    name: str
    numbers: tuple[tuple[str, Any], ...]
    is_list: bool = False
    text: str | None = None


class OwnRule(NamedTuple):
    """A user's rule. An output is the name of the input whose shape it has, or its sizes."""

    domain: str
    operator: str
    place: str  # FILE:LINE
    inputs: tuple[InputPattern, ...]
    attributes: tuple[AttributePattern, ...]
    ignored: frozenset[str]
    outputs: tuple[str | tuple[Amount | str, ...], ...]
    tallies: Mapping[str, Amount]

    @property
    def name(self) -> str:
        """The operator with its domain; no rule of ours has such a name."""
        return f"{self.domain or 'ai.onnx'}:{self.operator}"

    @property
    def counts_params(self) -> bool:
        """Whether the rule says how many params there are."""
        return any(name in self.tallies for name in PARAMS)

    def apply(self, ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
        """Add the layer of a node. Raises Unsupported, with the location of the rule."""
        try:
            return _layers(self, ctx, node, inputs)
        except (Unsupported, UserError) as error:
            message = error.message if isinstance(error, UserError) else str(error)
            raise Unsupported(f"{self.place.rpartition('/')[2]}: {message}") from None


def own_rules(model: Model, rules: Sequence[OwnRule]) -> dict[str, Rule]:
    """Return users' rules by operator, whose nodes get names that tell them from the operators that we know."""
    if not rules:
        return {}
    names = {(rule.domain, rule.operator): rule.name for rule in rules}
    pending = [model.nodes, *(function.nodes for function in model.functions.values())]
    while pending:
        for node in pending.pop():
            domain = "" if node.domain == "ai.onnx" else node.domain
            if name := names.get((domain, node.operator)):
                node.operator, node.domain = name, ""
            pending.extend(subgraph.nodes for subgraph in node.subgraphs())
    return {rule.name: rule.apply for rule in rules}


def _layers(rule: OwnRule, ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """Return the layer of a node, with all its costs, and for each further output one without costs that reads it."""
    node.were_read.update(rule.ignored)
    given = {pattern.name: optional(inputs, at) for at, pattern in enumerate(rule.inputs)}
    attributes = {name: value for pattern in rule.attributes for name, value in _attribute(pattern, node).items()}

    def names_for(batch: int) -> Names:
        return {**_sizes(rule, given, ctx.batch, batch), **attributes}

    one, twice = names_for(1), names_for(2 * ctx.batch)
    outputs = _outputs(rule, given, names_for(ctx.batch), twice)
    shape, batch = outputs[0]
    one[OUTPUT] = prod(shape) // (1 if batch is None else ctx.batch)
    is_batch = frozenset(name for name, size in one.items() if size == 1 != twice.get(name, 1))
    kind = Custom(
        operator=rule.name[:100],
        shape=ctx.inner(shape, batch),
        rule=rule.place,
        **{tally: amount.number(one) for tally, amount in rule.tallies.items()},
    )
    kind.products = tuple(
        (tally, product) for tally, amount in rule.tallies.items() for product in amount.shown(one, is_batch)
    )
    values = [_with_weights(rule, ctx, node, kind, [*given.values()], shape, batch)]
    for shape, batch in outputs[1:]:
        other = Custom(operator=rule.name[:100], shape=ctx.inner(shape, batch), rule=rule.place)
        values.append(ctx.layer(node, other, values[:1], shape, batch))
    return values


def _with_weights(
    rule: OwnRule, ctx: Context, node: Node, kind: Custom, given: Inputs, shape: Shape, batch: int | None
) -> Value:
    """Add the layer with the learned tensors it was given: held against its params, or counted as they are stored."""
    refs = [value for value in given if value is not None and value.ref is not None]
    constants = [value for value in given if value is not None and value.ref is None]
    if rule.counts_params:
        stored = [value for value in constants if value.source_weights or value.dtype in FLOATS]
        value = ctx.layer(node, kind, refs, shape, batch, stored)
        if not stored and value.ref is not None:
            counted = sum(getattr(kind, name) for name in PARAMS)
            ctx.weights.use(value.ref.layer, (), absent=counted)
        return value
    parts = tuple(sorted({part for value in constants for part in value.source_weights}))
    if parts:
        kind.__dict__["other_params"] = distinct(parts)
    value = ctx.layer(node, kind, refs, shape, batch)
    if value.ref is not None:
        ctx.weights.use(value.ref.layer, [parts])
    return value


def _sizes(rule: OwnRule, given: Mapping[str, Value | None], stored: int, batch: int) -> Names:
    """Return the sizes that a rule names, with `batch` for the `stored` batch, and the elements of each input."""
    names: Names = {}
    for pattern in rule.inputs:
        value = given[pattern.name]
        names[pattern.name] = 0
        if value is None:
            if not pattern.is_optional:
                raise Unsupported(f"input {pattern.name} is missing")
            continue
        sizes = list(value.sizes)
        if value.batch is not None:
            sizes[value.batch] = sizes[value.batch] // stored * batch
        names[pattern.name] = prod(sizes)
        if pattern.axes is not None:
            _bind(pattern, value.sizes, sizes, names)
    return names


def _bind(pattern: InputPattern, stored: Shape, sizes: Sequence[int], names: Names) -> None:
    """Give the names of an input's axes their sizes. Raises Unsupported where they have others."""
    axes = list(pattern.axes or ())
    named = [*axes]
    if REST in axes:
        at, more = axes.index(REST), len(sizes) - len(axes) + 1
        named[at : at + 1] = [REST] * max(0, more)
        _set(REST, tuple(sizes[at : at + max(0, more)]), pattern, names)
    if len(named) != len(sizes) or (REST in axes and len(sizes) < len(axes) - 1):
        least = f"at least {len(axes) - 1}" if REST in axes else f"{len(axes)}"
        raise Unsupported(f"input {pattern.name} has {len(sizes)} axes, not {least}")
    for axis, size, real in zip(named, sizes, stored, strict=True):
        if isinstance(axis, int) and axis != real:
            raise Unsupported(f"input {pattern.name} has the size {real}, not {axis}")
        if isinstance(axis, str) and axis != REST:
            _set(axis, size, pattern, names)


def _set(name: str, value: Any, pattern: InputPattern, names: Names) -> None:
    if names.setdefault(name, value) != value:
        raise Unsupported(f"{name} is {names[name]}, but {value} in input {pattern.name}")


def _attribute(pattern: AttributePattern, node: Node) -> Names:
    """Return the numbers of an attribute by name. Raises Unsupported for one that is missing or of another type."""
    if pattern.text is not None:
        text = node.text(pattern.name, pattern.text)
        if text != pattern.text:
            raise Unsupported(f"attribute {pattern.name!r} is {quoted(text)}, not {quoted(pattern.text)}")
        return {}
    if not node.has(pattern.name):
        if any(default is None for _, default in pattern.numbers):
            raise Unsupported(f"attribute {pattern.name!r} is missing")
        return dict(pattern.numbers)
    numbers = node.floats(pattern.name) if pattern.is_list else [node.float(pattern.name)]
    if len(numbers) != len(pattern.numbers):
        raise Unsupported(f"attribute {pattern.name!r} has {len(numbers)} numbers, not {len(pattern.numbers)}")
    if not all(map(isfinite, numbers)):
        raise Unsupported(f"attribute {pattern.name!r} is not finite")
    exact = (number if isinstance(number, int) else whole(Decimal(number)) for number in numbers)
    return {name: number for (name, _), number in zip(pattern.numbers, exact, strict=True)}


def _outputs(
    rule: OwnRule, given: Mapping[str, Value | None], names: Names, twice: Names
) -> list[tuple[Shape, int | None]]:
    """Return the shape of each output, and the axis of its batch: the one that is twice as long for two batches."""
    batch = next((value.batch for value in given.values() if value is not None and value.batch is not None), None)
    found: list[tuple[Shape, int | None]] = []
    for output in rule.outputs:
        value = given.get(output) if isinstance(output, str) else None
        if isinstance(output, str):
            if value is None:
                raise Unsupported(f"input {output} is missing")
            found.append((value.sizes, value.batch))
            continue
        shape, wide = checked(_shape(output, names)), _shape(output, twice)
        axes = [axis for axis, (size, other) in enumerate(zip(shape, wide, strict=True)) if size != other]
        if batch is None:
            found.append((shape, None))
        elif len(axes) == 1 and wide[axes[0]] == 2 * shape[axes[0]]:
            found.append((shape, moved(batch, axes[0])))
        else:
            raise Unsupported("no axis of its output is the batch")
    return found


def _shape(output: Sequence[Amount | str], names: Names) -> Shape:
    sizes: list[int] = []
    for item in output:
        sizes += names.get(REST, ()) if isinstance(item, str) else [item.number(names)]
    return tuple(sizes)
