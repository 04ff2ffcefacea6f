"""Scalars follow YAML 1.2, not PyYAML's 1.1."""

import pytest

from convcalc.syntax.yaml import read


@pytest.mark.parametrize(("text", "value"), [("010", 10), ("1e1", 10), ("1.0e1", 10), ("1_0", 10), ("+10", 10)])
def test_numbers_are_those_of_yaml_1_2(text, value):
    number = read(f"a: {text}").plain()["a"]
    assert (type(number), number) == (int, value)


@pytest.mark.parametrize("word", ["no", "on", "off", "yes", "1:30", "0x10", "1.2.3", "2024-01-01", "=", "<b"])
def test_everything_else_is_a_word(word):
    assert read(f"a: {word}").plain() == {"a": word}


def test_null_and_nothing_are_nothing():
    assert read("a: null\nb: ~\nc:\nd: {e: }").plain() == {"a": None, "b": None, "c": None, "d": {"e": None}}


def test_anchors_save_writing():
    assert read("[{linear: &f {features: 4}}, {linear: *f}]").plain() == [{"linear": {"features": 4}}] * 2
