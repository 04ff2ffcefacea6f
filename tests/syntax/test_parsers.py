"""libyaml and PyYAML's own parser read the same specs: what one refuses the other does, and values never differ."""

import random

import pytest
import yaml
from helpers.paths import ROOT

from convcalc.errors import SpecError
from convcalc.syntax import yaml as reader

pytestmark = pytest.mark.skipif(not hasattr(yaml, "CSafeLoader"), reason="PyYAML was built without libyaml")
SIGNS = [
    *"?:-,[]{}#&*!|>'\"%@` \n\t=~<.0a\\é\r\x85\u2028",
    *("? ", ": ", "- ", ",", " #", "  ", "\n  ", "---", "...", "&a ", "*a", "${x}", "''", '""'),
    *("?,", "?]", ":{", ":[", ":}", ",,", "\r\n", "|\n", ">-\n", "!!str ", "<<: ", "|#", "%YAML 1.2\n"),
]
SMALL = [
    "{small: {width: 2}}",
    "{params?  100k}",
    "[a, ?, b]",
    "a: b\tc",
    "{a: b, c: [d, e]}",
    "a:\n  - b: 1\n  - c\n",
    "? a\n: b\n",
    "a: |\n  x\n  y\nb: 1\n",
    "a: &x\n  # c\n  >-\n  x\n",
    "'a': \"b\"\n",
    "- - a\n  - b\n",
    "&x a: *x\n",
    "---\na: 1\n...\n",
    "a: b # c\nd: e#f\n",
    "[{a: 1}, b: 2, ? c : 3]",
    "a: >\n  b\n\n  c\n",
    "%YAML 1.2\n---\na: 1\n",
    "[\n a,\n b\n]\n",
]


def read(loader, text, monkeypatch):
    """What is read: the values, or None where the text is refused."""
    monkeypatch.setattr(reader, "_LOADER", loader)
    try:
        return repr(reader.read(text).plain())
    except SpecError:
        return None


def both(text, monkeypatch):
    values = {name: read(getattr(yaml, name), text, monkeypatch) for name in ("CSafeLoader", "SafeLoader")}
    assert values["CSafeLoader"] == values["SafeLoader"], f"{text!r}: {values}"
    return values["CSafeLoader"]


def mutated(text, source):
    """A text with some signs put in, taken out or copied from elsewhere in it."""
    for _ in range(source.randint(1, 4)):
        at, elsewhere = source.randrange(len(text) + 1), source.randrange(len(text) + 1)
        choice = source.random()
        if choice < 0.6:
            text = text[:at] + source.choice(SIGNS) + text[at + (source.random() < 0.3) :]
        elif choice < 0.8:
            text = text[:at] + text[at + source.randint(1, 3) :]
        else:
            text = text[:at] + text[elsewhere : elsewhere + source.randint(1, 12)] + text[at + source.randint(0, 3) :]
    return text


@pytest.mark.parametrize("seed", range(4))
def test_mutants_of_the_catalogue_and_of_small_texts_are_read_alike(seed, monkeypatch):
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "layers").rglob("*.yaml"))]
    source = random.Random(seed)
    accepted = 0
    for _ in range(250):
        text = source.choice(texts)
        start = text.rfind("\n", 0, source.randrange(len(text))) + 1
        text = text[start : start + source.randint(20, 600)]
        accepted += both(mutated(text, source), monkeypatch) is not None
    for _ in range(1_500):
        accepted += both(mutated(source.choice(SMALL), source), monkeypatch) is not None
    assert accepted > 300, "mutants that nobody accepts compare no values"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("{params?  100k}", {"params?  100k": None}),  # YAML 1.2: a ? may be within plain text
        ("[a?b]", ["a?b"]),
        ("{small:{width: 2}}", None),  # YAML 1.2 allows it, libyaml does not
        ("{small:}", None),
        ("[a:[1]]", None),
        ("[a, ?, b]", None),
        ("[?]", None),
        ("{: 1}", None),
        ("a: b#c\td", None),
        ("a: b\tc", None),
        ("a: b #\tc", {"a": "b"}),
        ("a: |#c\n  x", None),
        ("a: | #c\n  x", {"a": "x"}),
        ("a: &x\n  # c\n  |\n  x\n", {"a": "x\n"}),
        ("%YAML 1.2 # c\n---\na: 1", {"a": 1}),
        ("%YAML 1.2# c\n---\na: 1", None),
        ("%UNKNOWN 1\n---\na: 1", None),
    ],
)
def test_what_the_two_parsers_read_differently_is_decided(text, values, monkeypatch):
    assert both(text, monkeypatch) == (None if values is None else repr(values))


def test_a_missing_space_after_a_colon_is_said(monkeypatch):
    for name in ("CSafeLoader", "SafeLoader"):
        monkeypatch.setattr(reader, "_LOADER", getattr(yaml, name))
        with pytest.raises(SpecError, match="<text>:1:7: error: a space is missing after this ':'"):
            reader.read("{small:{width: 2}}")
