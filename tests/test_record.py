"""A Record is an immutable value of named fields; misuse is an error that names the field."""

from __future__ import annotations

import pytest

from convcalc.record import Record


class Window(Record):
    kernel: int
    stride: int = 1


class Padded(Window):
    padding: int = 0


def test_fields_are_taken_by_position_by_name_and_from_defaults() -> None:
    assert vars(Window(3)) == vars(Window(kernel=3)) == {"kernel": 3, "stride": 1}
    assert vars(Padded(3, 2, padding=1)) == {"kernel": 3, "stride": 2, "padding": 1}


def test_equal_fields_of_one_class_are_equal_and_hash_alike() -> None:
    assert Window(3, 1) == Window(3)
    assert hash(Window(3, 1)) == hash(Window(3))
    assert Window(3) != Window(5)
    assert Window(3) != Padded(3)


def test_a_record_is_not_changed_but_made_anew() -> None:
    window = Window(3)
    with pytest.raises(AttributeError, match="use _replace"):
        window.stride = 2  # type: ignore[misc]
    assert window._replace(stride=2) == Window(3, 2)
    assert window.stride == 1


@pytest.mark.parametrize(
    ("values", "named", "message"),
    [
        ((), {"stride": 2}, "Window needs kernel"),
        ((3, 1, 4), {}, "Window takes kernel, stride, each once"),
        ((3,), {"dilation": 2}, "Window takes kernel, stride, each once"),
        ((3,), {"kernel": 3}, "Window takes kernel, stride, each once"),
    ],
)
def test_a_missing_an_unknown_and_a_repeated_field_are_errors(values: tuple, named: dict, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Window(*values, **named)
