"""How deep a spec may nest is stated, for each way to nest, and does not depend on the depth of Python's stack."""

import inspect
import sys
import threading

import pytest

from convcalc.analysis.count import count
from convcalc.cli import BAD, FINE, run
from convcalc.errors import SpecError
from convcalc.language.builder import MOST_NESTED
from convcalc.language.expander import MOST_BLOCKS_DEEP
from convcalc.language.variables import MOST_NAMED
from convcalc.loader import read

STACK = 800  # frames, of the 1,000 that Python allows
EXPRESSION = "(" * 20 + "1" + " + 1)" * 20


def on_a_small_stack(function, *arguments):
    """Call a function in a thread of its own whose stack may have STACK frames."""
    results = []

    def call():
        try:
            results.append(function(*arguments))
        except BaseException as error:
            results.append(error)

    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(STACK, len(inspect.stack()) + 50))
    try:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(before)
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


def chain(length, first="${1}"):
    names = [f"v{number}" for number in range(length)]
    values = [first, *(f"${{{name} + 0}}" for name in names)]
    return names, "\n".join(
        f'  {name}: "{value}"' for name, value in zip(reversed(names), reversed(values[:length]), strict=True)
    )


def blocks(count, inside):
    """Blocks that use each other, each with its use of the next wrapped by `inside`."""
    lines = [f"  b{number}: {{layers: [{inside(f'b{number + 1}')}]}}" for number in range(count - 1)]
    return "\n".join(
        ["blocks:", *lines, f'  b{count - 1}: {{layers: [{{conv: {{filters: "${{{EXPRESSION}}}", kernel: 1}}}}]}}']
    )


WRAPPERS = {
    "joins": lambda use: f"{{add: [[{use}], [{use}]]}}" if use == "b31" else f"{{add: [[{use}]]}}",
    "concat": lambda use: f"{{concat: [[{use}]]}}",
    "repeats": lambda use: f"{{repeat: {{times: 1, layers: [{use}]}}}}",
    "choices": lambda use: f"{{choice: {{name: c_{use}, of: {{a: [{use}], b: []}}}}}}",
}


@pytest.mark.parametrize("way", ["concat", "repeats", "choices"])
def test_blocks_around_lists_nest_as_deep_as_is_stated(way):
    depth = MOST_NESTED // 2 - 1
    text = f"input: 3x8x8\n{blocks(depth, WRAPPERS[way])}\nlayers: [b0]"
    assert on_a_small_stack(lambda: count(read(text))).figure("params") == 21 * 3 + 21
    deeper = text.replace("layers: [b0]", "layers: [{concat: [[{concat: [[{concat: [[b0]]}]]}]]}]")
    with pytest.raises(SpecError, match=f"nested deeper than {MOST_NESTED}"):
        on_a_small_stack(read, deeper)


@pytest.mark.parametrize("levels", [10, 12])
def test_blocks_times_lists_are_counted_together(levels):
    def wrapped(use):
        for _ in range(levels):
            use = f"{{add: [[{use}], []]}}"
        return use

    with pytest.raises(SpecError, match=f"nested deeper than {MOST_NESTED}"):
        on_a_small_stack(read, f"input: 3x8x8\n{blocks(20, wrapped)}\nlayers: [b0]")


def test_blocks_alone_nest_as_deep_as_is_stated():
    text = f"input: 3x8x8\n{blocks(MOST_BLOCKS_DEEP, str)}\nlayers: [b0]"
    assert on_a_small_stack(lambda: count(read(text))).figure("params") == 21 * 3 + 21
    with pytest.raises(SpecError, match=f"blocks are nested deeper than {MOST_BLOCKS_DEEP}"):
        on_a_small_stack(read, f"input: 3x8x8\n{blocks(MOST_BLOCKS_DEEP + 1, str)}\nlayers: [b0]")


def test_variables_name_each_other_as_deep_as_is_stated():
    for order in (1, -1):
        names, text = chain(MOST_NAMED + 1, f"${{{EXPRESSION}}}")
        text = "\n".join(text.split("\n")[::order])
        spec = f'input: 3x8x8\nvars:\n{text}\nlayers: [{{conv: {{filters: "${{{names[-1]}}}", kernel: 1}}}}]'
        assert on_a_small_stack(lambda spec=spec: count(read(spec))).figure("params") == 21 * 3 + 21
        names, text = chain(MOST_NAMED + 2)
        text = "\n".join(text.split("\n")[::order])
        spec = f'input: 3x8x8\nvars:\n{text}\nlayers: [{{conv: {{filters: "${{{names[-1]}}}", kernel: 1}}}}]'
        with pytest.raises(SpecError, match=f"variables name each other more than {MOST_NAMED} deep"):
            on_a_small_stack(read, spec)


def test_thousands_of_variables_in_a_row_are_one_error():
    names, text = chain(5_000)
    with pytest.raises(SpecError) as caught:
        on_a_small_stack(
            read, f'input: 3x8x8\nvars:\n{text}\nlayers: [{{conv: {{filters: "${{{names[-1]}}}", kernel: 1}}}}]'
        )
    assert len(caught.value.problems) == 1


def test_a_circle_of_thousands_of_variables_is_one_short_error():
    names = [f"v{number}" for number in range(3_000)]
    text = "\n".join(f'  {name}: "${{{other}}}"' for name, other in zip(names, [*names[1:], names[0]], strict=True))
    with pytest.raises(SpecError, match="circular reference: v0 -> v1 -> ") as caught:
        on_a_small_stack(read, f'input: 3x8x8\nvars:\n{text}\nlayers: [{{linear: "${{v0}}"}}]')
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "text",
    ["-" * 190 + "1", "(" * 98 + "1" + ")" * 98, "not " * 49 + "1", "max(" * 39 + "1" + ")" * 39, "1" + "+1" * 99],
)
def test_an_expression_nests_as_deep_as_is_stated(text):
    try:
        on_a_small_stack(
            read,
            f'input: 3x8x8\nvars: {{a: "${{{text}}}"}}\nlayers: [{{conv: {{filters: "${{max(a, 3)}}", kernel: 1}}}}]',
        )
    except SpecError as error:
        assert "nested deeper than 32 levels" in str(error)


def test_a_hundred_files_that_include_each_other_are_read(tmp_path):
    for number in range(99):
        text = f"include: f{number + 1}.yaml\nblocks: {{b{number}: {{layers: [relu]}}}}"
        (tmp_path / f"f{number}.yaml").write_text(text)
    (tmp_path / "f99.yaml").write_text("blocks: {last: {layers: [{conv: {filters: 4, kernel: 1}}]}}")
    (tmp_path / "net.yaml").write_text("input: 3x8x8\ninclude: f0.yaml\nlayers: [last]")
    assert on_a_small_stack(run, ["params", str(tmp_path / "net.yaml")]) == FINE


@pytest.mark.parametrize("target", ["torch", "keras", "dot", "mermaid"])
@pytest.mark.parametrize("way", ["concat", "repeats", "choices"])
def test_the_deepest_network_is_exported(way, target, tmp_path, capsys):
    path = tmp_path / "net.yaml"
    path.write_text(f"input: 3x8x8\n{blocks(MOST_NESTED // 2 - 1, WRAPPERS[way])}\nlayers: [b0]")
    assert on_a_small_stack(run, ["export", str(path), "--to", target]) in (FINE, BAD)


@pytest.mark.parametrize("command", ["params", "space", "explain", "suggest", "show"])
def test_every_command_takes_blocks_that_use_thousands_of_others(command, tmp_path, capsys):
    path = tmp_path / "net.yaml"
    path.write_text(
        f"input: 3x8x8\n{blocks(2_000, str)}\nlayers: [b0, {{choice: {{name: c, of: {{a: [b0], b: []}}}}}}]"
    )
    assert on_a_small_stack(run, [command, str(path)]) in (FINE, BAD)


def test_space_goes_through_each_block_once(tmp_path, capsys):
    """Blocks that use the one before twice have 2^30 paths."""
    lines = ["  b0: {layers: [{choice: {name: c, of: {a: [relu], b: []}}}]}"]
    lines += [f"  b{number}: {{layers: [b{number - 1}, b{number - 1}]}}" for number in range(1, 31)]
    path = tmp_path / "net.yaml"
    path.write_text("input: 3x8x8\nblocks:\n" + "\n".join(lines) + "\nlayers: [b30]")
    assert run(["space", str(path)]) in (FINE, BAD)
