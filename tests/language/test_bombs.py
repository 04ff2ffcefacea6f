"""Small files that stand for much work: each is refused or counted with an effort that grows no faster than the file.

What is counted is the calls of functions, so that no slow machine makes a test fail.
"""

import pytest
from helpers.effort import calls

from convcalc.cli import BAD, FINE, run
from convcalc.errors import MOST_SHOWN, Problem, SpecError, nearest
from convcalc.language.builder import MOST_PROBLEMS
from convcalc.loader import read
from convcalc.syntax import yaml as reader
from convcalc.syntax.yaml import MOST_NODES

HEAD = "input: 3x8x8\nlayers:\n"
GROWING = {
    "unknown names in from": lambda n: HEAD + "".join(f"  - relu: {{from: x{i}}}\n" for i in range(n)),
    "names that are nearly right": lambda n: (
        HEAD + "".join(f"  - relu: {{name: layer_{i:05d}, from: leyer_{i:05d}}}\n" for i in range(n))
    ),
    "unknown kinds": lambda n: HEAD + "  - nosuch\n" * n,
    "unknown kinds, all different": lambda n: HEAD + "".join(f"  - nosuch{i}\n" for i in range(n)),
    "unknown fields": lambda n: HEAD + "".join(f"  - conv: {{kernal{i}: 3}}\n" for i in range(n)),
    "unknown fields of one layer": lambda n: f"{HEAD}  - conv: {{{', '.join(f'k{i}: 3' for i in range(n))}}}\n",
    "unknown keys": lambda n: "".join(f"key{i}: 3\n" for i in range(n)),
    "unknown variables": lambda n: (
        "vars:\n"
        + "".join(f"  v{i}: 1\n" for i in range(n))
        + HEAD
        + "".join(f'  - linear: "${{w{i}}}"\n' for i in range(n))
    ),
    "a name twice": lambda n: HEAD + "  - relu: {name: a}\n" * n,
    "variants of unknown keys": lambda n: (
        "vars: {w: 1}\nvariants:\n" + "".join(f"  v{i}: {{k{i}: 1}}\n" for i in range(n)) + HEAD + "  - relu\n" * n
    ),
    "branches that are left out": lambda n: (
        "input: 3x8x8\nblocks:\n  b:\n    layers:\n"
        + f"      - add: {{when: 0, branches: [[{', '.join(['relu'] * n)}]]}}\n"
        + f"layers:\n  - repeat: {{times: {n}, layers: [b]}}\n"
    ),
    "alternatives that are not chosen": lambda n: (
        HEAD + f"  - repeat: {{times: {n}, layers: [{{choice: {{name: c, of: {{a: [], b: [{'relu, ' * n}]}}}}}}]}}"
    ),
    "a circle of variables": lambda n: (
        "vars:\n" + "".join(f'  v{i}: "${{v{(i + 1) % n} + v{(i + 7) % n}}}"\n' for i in range(n)) + HEAD + "  - relu\n"
    ),
    "a chain of variables": lambda n: (
        "vars:\n" + "".join(f'  v{i}: "${{v{i + 1} + 1}}"\n' for i in range(n)) + f"  v{n}: 1\n{HEAD}  - relu\n"
    ),
    "layers in a row": lambda n: HEAD + "  - relu\n" * n,
}


def read_or_refuse(text):
    try:
        str(read(text))
    except SpecError as error:
        str(error)


@pytest.mark.parametrize("way", GROWING)
def test_work_grows_with_the_file(way):
    size = 150
    read("input: 3x8x8\nlayers: [relu]")
    small, large = (calls(read_or_refuse, GROWING[way](number)) for number in (size, 4 * size))
    assert large < 8 * small + 20_000, (small, large)


def test_hints_are_worked_out_for_the_errors_that_are_shown():
    asked = []

    def hint():
        asked.append(1)
        return "look again"

    error = SpecError([Problem(f"wrong {number}", hint=hint) for number in range(1_000)])
    assert not asked
    assert str(error).count("hint: look again") == MOST_SHOWN
    plain = error.plain()
    assert len(plain["problems"]) == 1_000
    assert plain["hints_for_first"] == MOST_SHOWN == sum(bool(problem["hint"]) for problem in plain["problems"])
    assert "hints_for_first" not in SpecError([Problem("wrong", hint=hint)]).plain()
    assert len(asked) == 2 * MOST_SHOWN + 1


def test_a_misspelling_is_compared_with_a_bounded_number_of_words():
    taken = []
    words = (taken.append(1) or f"word{number}" for number in range(10**6))
    assert nearest("wrod0", words) == "word0"
    assert len(taken) <= 1_001


def test_after_many_errors_no_more_are_looked_for():
    with pytest.raises(SpecError) as caught:
        read(HEAD + "".join(f"  - nosuch{number}\n" for number in range(3 * MOST_PROBLEMS)))
    assert len(caught.value.problems) == MOST_PROBLEMS + 1


def test_a_list_of_millions_is_refused_while_it_is_read():
    taken = 0

    class Counting(reader._Reader):
        def _scalar(self, event):
            nonlocal taken
            taken += 1
            return super()._scalar(event)

    source = reader.Source("net.yaml", "a: [" + "b," * (MOST_NODES + 1_000) + "]")
    with pytest.raises(SpecError, match=r"more than 1,000,000 values"):
        Counting(source).read()
    assert taken <= MOST_NODES + 2


def test_arguments_of_blocks_are_counted():
    arguments = ", ".join(f"a{number}: 1" for number in range(2_000))
    with pytest.raises(SpecError, match="take more than 1,000,000 arguments in all their uses"):
        read(f"input: 3x8x8\nblocks: {{b: {{args: {{{arguments}}}, layers: [relu]}}}}\n"
             "layers: [{repeat: {times: 100000, layers: [b]}}]")  # fmt: skip


@pytest.mark.parametrize("command", ["params", "explain", "suggest"])
def test_aliases_are_shown_in_short(command, tmp_path, capsys):
    """A value of 100,000 parts where a name should be."""
    parts = "".join(f"  b{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 5))
    first = f"  b0: &a0 [{', '.join('x' * 10)}]\n"
    text = f"input: 3x8x8\nvars:\n{first}{parts}layers:\n  - relu: {{name: '${{b4}}'}}\n"
    path = tmp_path / "net.yaml"
    path.write_text(text)
    assert run([command, str(path)]) in (FINE, BAD)
    assert len(capsys.readouterr().err) < 2_000
