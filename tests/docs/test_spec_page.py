"""The page of the spec language: every example is a network, and has the totals that it states."""

import re

import pytest
from helpers.paths import ROOT

from convcalc.analysis.count import count
from convcalc.loader import read

PAGE = (ROOT / "docs" / "spec.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_has_the_totals_it_states(text):
    graph = read(text)
    counted = count(graph)
    expected = graph.provenance.expect.plain()
    assert expected == {name: counted.figure(name) for name in expected}
    (total,) = expected.values()
    assert total == eval(re.search(r"^expect: .*# (.*)$", text, re.MULTILINE)[1]), "the sum beside it"


def test_the_page_has_examples_and_names_every_key():
    from convcalc.language.document import BLOCK_KEYS, BRANCH_KEYS, COMMON_FIELDS, KEYS, REPEAT_KEYS
    from convcalc.syntax.expression import FUNCTIONS

    assert len(EXAMPLES) == 9
    for word in [*KEYS, *BLOCK_KEYS, *BRANCH_KEYS, *REPEAT_KEYS, *COMMON_FIELDS, *FUNCTIONS]:
        assert word.startswith("$") or word in PAGE, word
