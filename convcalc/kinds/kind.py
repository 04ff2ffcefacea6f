"""What a layer kind is: fields, a rule for its output shape, and tallies as products of named sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from convcalc.errors import MOST_SHOWN, UnknownField, UserError, did_you_mean
from convcalc.kinds.fields import Field, shown
from convcalc.kinds.sizes import Product, Shape, Size, Tally, formula, shape_text, total
from convcalc.numerals import whole_number

KINDS: dict[str, type[Kind]] = {}
# sizes that other tools ask for and that follow from the input here
_FROM_THE_INPUT = ("in_channels", "in_features", "num_features", "input_size", "input_shape", "input_dim", "channels")


class Kind:
    """One layer: values for its kind's fields. Subclass it with `name=`; that is all the registration there is.

    Class attributes of a kind:
    - `inputs`: how many inputs it takes, least and most (None: any number).
    - `like_field`: the field that `like: NAME` sets, where the output may have the size of another layer.
    - `mixing`: which of MIXING its multiply-accumulates belong to, unless `mixes` says it per layer.
    - `depth`: weighted layers it adds to the depth of a path.
    - `nonlinearities`: how many it holds.
    - `is_counted`: False where its work is not known, so that totals are lower bounds.
    - `reads_shapes`: False where neither the output nor the costs depend on the input's shape.
    - `own_letters`: True where the letters in its formulas are not those of the literature.
    - `example`: input shapes and fields; the doctest, `convcalc kinds` and the law tests use it.
    - `torch`, `keras`, `onnx`: the names other tools give it: for exchange, and for "did you mean".
    - `known_as`: words for a special case of it, each with the hint that says how to write that case.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    fields: ClassVar[dict[str, Field[Any]]] = {}
    inputs: ClassVar[tuple[int, int | None]] = (1, 1)
    has_branches: ClassVar[bool] = False
    like_field: ClassVar[str] = ""
    mixing: ClassVar[str] = ""
    depth: ClassVar[int] = 0
    nonlinearities: ClassVar[int] = 0
    is_counted: ClassVar[bool] = True
    reads_shapes: ClassVar[bool] = True
    own_letters: ClassVar[bool] = False
    example: ClassVar[tuple[str, dict[str, Any]]]
    torch: ClassVar[str] = ""
    keras: ClassVar[str] = ""
    onnx: ClassVar[str] = ""
    known_as: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls, name: str = "", **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        own = {key: value for key, value in vars(cls).items() if isinstance(value, Field)}
        cls.fields = {**cls.fields, **own}
        if name:
            cls.name = name
            cls.family = cls.__module__.rpartition(".")[2]
            KINDS[name] = cls

    def __init__(self, **values: Any) -> None:
        for error in self.fill({key: (value, False) for key, value in values.items()}):
            raise error

    def fill(self, values: Mapping[str, tuple[Any, bool]]) -> list[UserError]:
        """Read every field from `values` (value, and whether it was quoted); return the errors."""
        errors: list[UserError] = []
        misspelt: list[str] = []
        for key, (value, is_quoted) in values.items():
            field = self.fields.get(key)
            if field is None:
                misspelt.append(key)
                errors.append(UnknownField(f"{self.name} has no field '{key}'", key, partial(self._suggest, key)))
                continue
            try:
                self.__dict__[key] = field.read(value, is_quoted)
            except UserError as error:
                errors.append(error)
        missing = [key for key, field in self.fields.items() if field.is_required and key not in values]
        meant = "".join(self._suggest(key.partition(":")[0]) for key in misspelt[:MOST_SHOWN]) if missing else ""
        for key in missing:
            field = self.fields[key]
            if f"'{key}'" not in meant:
                example = f"{key}: {shown(self.example[1].get(key))}"
                errors.append(UserError(f"{self.name} needs '{key}' ({field.doc})", "", f"for example {example}"))
        if not errors:
            try:
                self.check()
            except UserError as error:
                errors.append(error)
        return errors

    def _suggest(self, key: str) -> str:
        for name, field in self.fields.items():
            if key in field.also:
                return f"write '{name}'"
        if key in _FROM_THE_INPUT:
            return "leave it out: it follows from the input"
        return did_you_mean(key, [*self.fields, "name", "from"])

    def check(self) -> None:
        """Check what must hold between fields, whatever the input. Raises UserError."""

    def output(self, *inputs: Shape) -> Shape:
        """Return the output's shape for the inputs' (without the batch). Raises UserError where they do not fit."""
        return inputs[0]

    def outputs(self, *inputs: Shape) -> tuple[Shape, ...]:
        """Return the shapes of all outputs; most kinds have one."""
        return (self.output(*inputs),)

    def like(self, ours: Shape, theirs: Shape, fields: Mapping[str, Any]) -> Any:
        """Return the value of `like_field` that gives an input of shape `ours` the size of `theirs`; Sizes by default.

        `fields` are those that are given. Raises UserError where there is none.
        """
        return [*theirs[1:]]

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        """Yield what the layer costs for a batch of one: names from TALLIES with products of named sizes."""
        return ()

    def mixes(self, inputs: tuple[Shape, ...]) -> str:
        """Return which of MIXING the layer's weights and MACs belong to; "" for a layer with neither."""
        return self.mixing

    @property
    def output_count(self) -> int:
        """How many outputs the layer has, whatever the shape of its input."""
        return 1

    @property
    def weighted(self) -> int:
        """How many weighted layers this one is."""
        return self.depth

    def window(self, shape: Shape) -> tuple[tuple[Size, Size, Size], ...]:
        """Return what an output element sees of an input of this shape along each spatial axis: the number of elements,
        the stride to the next output element, and the padding before. () where it sees its own position alone."""
        return ()

    def values(self) -> dict[str, Any]:
        """Return the fields that were given, in the order of declaration.

        Two layers are equal when kind and values are.
        """
        return {key: self.__dict__[key] for key in self.fields if key in self.__dict__}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.values().items())})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((self.name, tuple(sorted(self.__dict__.items(), key=lambda item: item[0]))))


class Input(Kind, name="input"):
    """An input of a network. It is a layer of the graph that costs nothing."""

    inputs = (0, 0)
    shape: Shape = ()

    def output(self, *inputs: Shape) -> Shape:
        return self.shape


del KINDS["input"]  # a spec names its inputs at the top, not among its layers


def tallied(layer: Kind, inputs: tuple[Shape, ...], output: Shape) -> dict[str, list[Product]]:
    """Return the products of each tally, in the order the kind states them."""
    products: dict[str, list[Product]] = {}
    for name, product in layer.tally(inputs, output):
        products.setdefault(name, []).append(product)
    return products


def print_cost(layer: Kind, *inputs: str) -> None:
    """Print what a layer costs, each formula with its numbers, for doctests that a reader can check by hand."""
    shapes = tuple(tuple(map(whole_number, text.split("x"))) for text in inputs)
    outputs = layer.outputs(*shapes)
    print(" and ".join(map(shape_text, outputs)))
    for name, products in tallied(layer, shapes, outputs[0]).items():
        print(f"{name} = {formula(products)} = {formula(products, numbers=True)} = {total(products):,}")
