"""A file of rules is checked as a spec is: every error with its location, what was expected, and what would fix it."""

import pytest

from convcalc.errors import SpecError
from convcalc.importers.onnx.rule_amounts import products_of
from convcalc.importers.onnx.rule_file import KEYS, read_rules
from convcalc.syntax.expression_parser import parse

GOOD = "a.b:Op: {inputs: {x: [N, C]}, output: x, macs: N*C}"


@pytest.mark.parametrize(
    ("text", "where", "message", "hint"),
    [
        ("~", "1:1", "a mapping of operators to rules was expected, found nothing", "com.example:Scale"),
        ("[a]", "1:1", "a mapping of operators to rules was expected, found a list", "com.example:Scale"),
        ("a.b:Op: 3", "1:9", "a rule is a mapping, found 3", "com.example:Scale"),
        ("a b: {inputs: {x: }, output: x}", "1:1", "'a b' is no operator", "Name or domain:Name"),
        (GOOD.replace("macs", "mcas"), "1:42", "a rule has no key 'mcas'", "did you mean 'macs'?"),
        (GOOD.replace("N*C", "N*D"), "1:50", "'D' is no size, input or attribute", "expected one of"),
        (GOOD.replace("N*C", "N*chan"), "1:50", "'chan' is no size", "expected one of"),
        (GOOD.replace("N*C", "N**C"), "1:50", "a number or a name was expected", "there is no power"),
        (GOOD.replace("N*C", "x.size"), "1:48", "'x.size' is no size, input or attribute of the rule", "x, N, C"),
        (GOOD.replace("N*C", "__import__(N)"), "1:48", "no function '__import__'", ""),
        (GOOD.replace("N*C", "[N]"), "1:48", "an expression was expected, found a list", "such as"),
        (GOOD.replace("output: x", "output: y"), "1:39", "a shape is a list of sizes or the name of an input", "x"),
        (GOOD.replace("output: x", "output: [..., C]"), "1:40", "no input has '...'", "[..., C]"),
        (GOOD.replace("output: x, ", ""), "1:1", "the rule needs 'output'", "list of expressions"),
        (GOOD.replace("output: x", "output: x, outputs: [x]"), "1:1", "has both 'output' and 'outputs'", ""),
        (GOOD.replace("[N, C]", "NxC"), "1:22", "an input is a list of its axes, found 'NxC'", "[N, C, H, W]"),
        (GOOD.replace("[N, C]", "[N, max]"), "1:26", "'max' cannot be a name", "letters"),
        (GOOD.replace("[N, C]", "[x, C]"), "1:23", "'x' is an input already", "another name"),
        (GOOD.replace("[N, C]", "[..., C, ...]"), "1:31", "'...' is there twice", ""),
        (GOOD.replace("output", "attributes: {C: 1}, output"), "1:44", "'C' is a size already", "another name"),
        (GOOD.replace("output", "attributes: {k: true}, output"), "1:47", "a number, found true", ""),
        (GOOD.replace("output", "override: maybe, output"), "1:41", "must be true or false", ""),
        (GOOD.replace("macs", "linear_macs: 1, macs"), "1:58", "'macs' is 'linear_macs', which the rule has", ""),
        (GOOD.replace("a.b:Op", "Conv"), "1:1", "convcalc has a rule for Conv", "override: true"),
        (GOOD.replace("a.b:Op", "com.microsoft:Gelu"), "1:1", "convcalc has a rule for Gelu", "override: true"),
        (f"{GOOD}\nai.onnx:Foo: {{output: [1]}}\nFoo: {{output: [1]}}", "3:1", "a second rule for Foo", ""),
        (GOOD.replace("N*C", "N*" * 150 + "C"), "1:48", "the expression has 301 characters", "at most 200"),
    ],
)
def test_an_error_has_its_location_and_a_hint(tmp_path, text, where, message, hint):
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        read_rules([str(path)])
    assert any(
        f"rules.yaml:{where}: error: " in str(problem) and message in problem.message and hint in problem.hint
        for problem in caught.value.problems
    ), str(caught.value)


def test_all_errors_of_all_files_come_together(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(GOOD.replace("N*C", "D").replace("macs", "mcas") + f"\n{name}: 1\n")
    with pytest.raises(SpecError) as caught:
        read_rules([str(tmp_path / name) for name in "ab"])
    assert len(caught.value.problems) == 4


def test_a_good_rule_is_read(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD.replace("N*C", '"${N*C}"'))
    (rule,) = read_rules([str(path)])
    assert (rule.name, rule.place, rule.outputs) == ("a.b:Op", f"{path}:1"[-100:], ("x",))
    assert rule.tallies["linear_macs"].number({"N": 3, "C": 5}) == 15


@pytest.mark.parametrize("path", ["missing.yaml", ".", "/dev/zero"])
def test_what_is_no_regular_file_is_an_error(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match="--rules: "):
        read_rules([path])


@pytest.mark.parametrize(
    "text", ["2*C*(H - 1) + K", "C*H//2", "max(C + 1, 2)*K + 3", "C - 1", "(C)", "C*(K + (H*2))", "C == 3 or K > 2"]
)
def test_the_products_of_an_expression_give_its_value(text):
    names = {"C": 5, "H": 7, "K": 3}.__getitem__
    total = 0
    for factors in products_of(text):
        number = 1
        for _, factor in factors:
            number *= factor.evaluate(names)
        total += number
    assert total == parse(text).evaluate(names)


def test_every_key_says_what_it_is():
    assert all(KEYS.values())
