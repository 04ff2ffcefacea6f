"""The fields of a layer kind: what a spec may write there, how it reads, and its JSON schema.

A field is declared once, as a class attribute of its kind:

    class Conv(Kind, name="conv"):
        filters = Integer(letter="K", doc="output channels")

From that come the check of a spec's value with its message, the default, `convcalc kinds`, and `convcalc schema`.
During a sweep a value may be an array; each of its entries is checked as it would be alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Generic, TypeVar, overload

from convcalc.errors import UserError, nearest, quoted
from convcalc.numerals import whole_number

T = TypeVar("T")
LARGEST = 10**9
REQUIRED: Any = object()


class Field(Generic[T]):
    """One field. `bare` marks the one that a spec may write alone (`dropout: 0.5`); `also` are other tools' names.

    `letter` is the literature's name of the size, used in formulas.
    """

    def __init__(
        self, default: T = REQUIRED, *, doc: str = "", letter: str = "", also: str = "", bare: bool = False
    ) -> None:
        self.default = default
        self.doc = doc
        self.letter = letter
        self.also = also.split()
        self.bare = bare
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Field[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Field[T] | T:
        # a field without a value on the instance: its default (values live in the instance's __dict__ and win)
        return self if instance is None else self.default

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED

    def read(self, value: Any, is_quoted: bool = False) -> T:
        """The value as the kind wants it. Raises UserError saying what was expected and what was found."""
        if hasattr(value, "dtype"):
            return self._each(value, lambda entry: self.convert(entry) is not None)  # type: ignore[no-any-return]
        found = self.convert(value)
        if found is None:
            raise UserError(
                f"'{self.name}' must be {self.expects()}, found {shown(value)}", self.name, self.advice(value)
            )
        return found

    def _each(self, values: Any, fits: Callable[[Any], bool]) -> Any:
        """An array of a sweep, each entry checked."""
        from convcalc.arrays import check_values

        return check_values(values, fits, f"'{self.name}' must be {self.expects()}, found {{found}}", self.name)

    def convert(self, value: Any) -> T | None:
        """`value` as T, or None where it does not fit."""
        raise NotImplementedError

    def expects(self) -> str:
        """What a spec may write here, in words.

        >>> Integer(at_least=1).expects()
        'a whole number of at least 1'
        """
        raise NotImplementedError

    def advice(self, value: Any) -> str:
        """What would fix a value that does not fit."""
        return ""

    def schema(self) -> dict[str, Any]:
        """JSON schema of a value, without the `${...}` form that every field takes."""
        raise NotImplementedError


def shown(value: Any, depth: int = 2) -> str:
    """A spec's value inside a message, lists down to a depth.

    >>> shown(True), shown("yes"), shown([1]), shown(None), shown(Decimal("3.0"))
    ('true', "'yes'", '[1]', 'nothing', '3.0')
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        inside = [shown(item, depth - 1) for item in value[: 8 if depth else 0]]
        return f"[{', '.join([*inside, '...'] if len(value) > len(inside) else inside)}]"
    return str(value)


def is_whole(value: Any) -> bool:
    """True for an int that is not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


class Integer(Field[T]):
    """A whole number, or one of `words` that stands for one (`groups: channels`)."""

    def __init__(
        self,
        default: T = REQUIRED,
        *,
        at_least: int = 1,
        at_most: int = LARGEST,
        words: Iterable[str] = (),
        **about: Any,
    ) -> None:
        super().__init__(default, **about)
        self.at_least, self.at_most, self.words = at_least, at_most, tuple(words)

    def convert(self, value: Any) -> T | None:
        if (is_whole(value) and self.at_least <= value <= self.at_most) or (
            isinstance(value, str) and value in self.words
        ):
            return value  # type: ignore[no-any-return]
        return None

    def expects(self) -> str:
        most = f" and at most {self.at_most:,}" if self.at_most != LARGEST else ""
        words = "".join(f" or '{word}'" for word in self.words)
        return f"a whole number of at least {self.at_least}{most}{words}"

    def advice(self, value: Any) -> str:
        return _number_advice(value, self.words)

    def schema(self) -> dict[str, Any]:
        number = {"type": "integer", "minimum": self.at_least, "maximum": self.at_most}
        return {"anyOf": [number, {"enum": list(self.words)}]} if self.words else number


def _number_advice(value: Any, words: Iterable[str] = ()) -> str:
    """The usual reason why something is not the number it should be."""
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return f"write {int(value)}"
    if isinstance(value, Decimal):
        return "in ${...} floor, ceil, round and make_divisible give whole numbers"
    if is_whole(value) and value > LARGEST:
        return f"at most {LARGEST:,}"
    if not isinstance(value, str):
        return ""
    if near := nearest(value, words):
        return f"did you mean '{near}'?"
    if value.isascii() and value.replace("_", "").isdigit():
        return "remove the quotes"
    if value[:2].lower() in ("0x", "0o", "0b"):
        return "write the number in decimal digits"
    if value[:1] in ("$", "{") and value.strip("${}").isidentifier():
        return f"write ${{{value.strip('${}')}}}"
    if "#" in value:
        return "a comment begins with a space and '#'"
    if any(sign in value for sign in "+-*/%") and any(c.isalnum() for c in value):
        return "write a computation as ${...}"
    return ""


class Number(Field[T]):
    """A number with a range; written exactly, never computed with."""

    def __init__(self, default: T = REQUIRED, *, at_least: float, at_most: float = 1e9, **about: Any) -> None:
        super().__init__(default, **about)
        self.at_least, self.at_most = at_least, at_most

    def convert(self, value: Any) -> T | None:
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            return None
        return value if self.at_least <= value <= self.at_most else None  # type: ignore[return-value]

    def expects(self) -> str:
        return f"a number from {self.at_least:g} to {self.at_most:g}"

    def advice(self, value: Any) -> str:
        return _number_advice(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": self.at_least, "maximum": self.at_most}


class Flag(Field[bool]):
    """true or false."""

    def convert(self, value: Any) -> bool | None:
        return value if isinstance(value, bool) else bool(value) if is_whole(value) and value in (0, 1) else None

    def expects(self) -> str:
        return "true or false"

    def advice(self, value: Any) -> str:
        meant = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
        word = meant.get(str(value).lower())
        return f"did you mean {word}?" if word else ""

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class Choice(Field[str]):
    """One of a few words."""

    def __init__(self, *words: str, default: str = REQUIRED, **about: Any) -> None:
        super().__init__(default, **about)
        self.words = words

    def convert(self, value: Any) -> str | None:
        return value if isinstance(value, str) and value in self.words else None

    def expects(self) -> str:
        return " or ".join(f"'{word}'" for word in self.words)

    def advice(self, value: Any) -> str:
        near = nearest(str(value), self.words)
        return f"did you mean '{near}'?" if near else ""

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.words)}


class Sizes(Field[T]):
    """One whole number for every axis, or one for each; or one of `words`; with `pairs`, [before, after] too.

    `letters` name the sizes of up to three axes in formulas, the last for the last axis (T R S).
    """

    def __init__(
        self,
        default: T = REQUIRED,
        *,
        at_least: int = 1,
        most: int = 3,
        words: Iterable[str] = (),
        pairs: bool = False,
        letters: str = "",
        **about: Any,
    ) -> None:
        super().__init__(default, **about)
        self.at_least, self.most, self.words, self.pairs, self.letters = at_least, most, tuple(words), pairs, letters

    def _fits(self, value: Any) -> bool:
        return hasattr(value, "dtype") or self._is_size(value)

    def _is_size(self, value: Any) -> bool:
        return is_whole(value) and self.at_least <= value <= LARGEST

    def _item(self, item: Any) -> Any:
        if isinstance(item, (list, tuple)):
            return tuple(map(self._item, item))
        return self._each(item, self._is_size) if hasattr(item, "dtype") else item

    def convert(self, value: Any) -> T | None:
        if self._fits(value) or (isinstance(value, str) and value in self.words):
            return value  # type: ignore[no-any-return]
        if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= self.most:
            return None
        if not all(self._fits(item) or (self.pairs and self._is_pair(item)) for item in value):
            return None
        return tuple(map(self._item, value))  # type: ignore[return-value]

    def _is_pair(self, item: Any) -> bool:
        return isinstance(item, (list, tuple)) and len(item) == 2 and all(map(self._fits, item))

    def expects(self) -> str:
        words = "".join(f", or '{word}'" for word in self.words)
        pairs = ", or of [before, after] pairs" if self.pairs else ""
        return f"a whole number of at least {self.at_least}, or a list of up to {self.most}{pairs}{words}"

    def advice(self, value: Any) -> str:
        if isinstance(value, str) and value.isascii() and "x" in value and value.replace("x", "").isdigit():
            return f"write it as a list: [{value.replace('x', ', ')}]"
        return _number_advice(value, self.words)

    def schema(self) -> dict[str, Any]:
        number: dict[str, Any] = {"type": "integer", "minimum": self.at_least, "maximum": LARGEST}
        formula = {"type": "string", "pattern": "\\$\\{"}
        item: dict[str, Any] = {"anyOf": [number, formula]}
        if self.pairs:
            item["anyOf"].append({"type": "array", "items": {"anyOf": [number, formula]}, "minItems": 2, "maxItems": 2})
        choices: list[dict[str, Any]] = [number, {"type": "array", "items": item, "minItems": 1, "maxItems": self.most}]
        return {"anyOf": [*choices, {"enum": list(self.words)}] if self.words else choices}


class Text(Field[str]):
    """A name for people, of at most 100 characters."""

    def convert(self, value: Any) -> str | None:
        return value if isinstance(value, str) and 0 < len(value) <= 100 else None

    def expects(self) -> str:
        return "text of at most 100 characters"

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": 100}


class ShapeField(Field[tuple[int, ...]]):
    """A shape as a list of sizes; with `free`, one of them may be -1."""

    def __init__(self, default: tuple[int, ...] = REQUIRED, *, free: bool = False, **about: Any) -> None:
        super().__init__(default, **about)
        self.free = free

    def convert(self, value: Any) -> tuple[int, ...] | None:
        sizes = [value] if is_whole(value) else value
        if isinstance(sizes, str):
            parts = sizes.split("x")
            try:
                sizes = list(map(whole_number, parts))
            except UserError:
                return None
        if not isinstance(sizes, (list, tuple)) or not 1 <= len(sizes) <= 8:
            return None
        sizes = [self._each(size, self._fits) if hasattr(size, "dtype") else size for size in sizes]
        fits = all(hasattr(size, "dtype") or self._fits(size) for size in sizes)
        return tuple(sizes) if fits and [size for size in sizes if is_whole(size)].count(-1) <= 1 else None

    def _fits(self, size: Any) -> bool:
        return is_whole(size) and (1 <= size <= LARGEST or (self.free and size == -1))

    def expects(self) -> str:
        return f"a list of 1 to 8 sizes{', one of which may be -1' if self.free else ''}"

    def advice(self, value: Any) -> str:
        return "a shape is written without the batch, for example [768, 14, 14]"

    def schema(self) -> dict[str, Any]:
        number = {"type": "integer", "minimum": -1 if self.free else 1, "maximum": LARGEST}
        item = {"anyOf": [number, {"type": "string", "pattern": "\\$\\{"}]}
        return {"anyOf": [number, {"type": "array", "items": item, "minItems": 1, "maxItems": 8}, {"type": "string"}]}
