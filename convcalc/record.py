"""A base class for values of named fields that are made rarely: cheaper to define than a NamedTuple.

Defining a NamedTuple takes about seven times the instructions of an ordinary class, and a short command defines more of
them than it makes values. So what is made once or a few times in a run is a Record; what is made for every layer or
every character of a spec stays a NamedTuple, whose values are the cheaper ones to make.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Any:
        return lambda base: base


Self = TypeVar("Self", bound="Record")


@dataclass_transform(frozen_default=True)
class Record:
    """A value of named fields, stated as annotations; it is not changed once it is made.

    >>> class Size(Record):
    ...     height: int
    ...     width: int = 1
    >>> Size(3), Size(3) == Size(3, width=1), Size(3)._replace(width=2).width
    (Size(height=3, width=1), True, 2)
    >>> Size(width=3)
    Traceback (most recent call last):
    TypeError: Size needs height
    """

    _fields: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        cls._fields = (*cls._fields, *cls.__annotations__)

    def __init__(self, *values: Any, **named: Any) -> None:
        given = dict(zip(self._fields, values), **named)  # noqa: B905  # too many values are an error below
        if len(given) < len(values) + len(named) or not given.keys() <= set(self._fields):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self._fields)}, each once")
        state = self.__dict__
        for name in self._fields:
            if name in given:
                state[name] = given[name]
            elif hasattr(type(self), name):
                state[name] = getattr(type(self), name)
            else:
                raise TypeError(f"{type(self).__name__} needs {name}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a {type(self).__name__} is not changed: use _replace({name}=...)")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"

    def _replace(self: Self, **changes: Any) -> Self:
        """Make the same value with other values of some fields."""
        return type(self)(**{**self.__dict__, **changes})
