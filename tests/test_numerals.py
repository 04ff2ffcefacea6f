"""Text becomes a number in one place, which states how many digits it reads."""

import ast

import pytest
from helpers.paths import ROOT
from helpers.sources import FILES, relative

from convcalc.cli import BAD, run
from convcalc.errors import SpecError, UserError
from convcalc.loader import read
from convcalc.numerals import MOST_DIGITS, exact_number, whole_number

CONVERSIONS = ("int", "float", "complex", "Decimal", "Fraction")
# conversions whose argument is a number already, or was made by this program: (file, argument)
OF_NUMBERS = {
    "analysis/count.py": (),
    "analysis/expect.py": ("value", "1", "stated.as_tuple().exponent"),
    "analysis/explain.py": ("size",),
    "analysis/roofline/bound.py": ("self.peak", "work.flops"),
    "tables/roofline.py": ("one.peak", "per_byte", "one.ridge"),
    "formats/_numbers.py": ("abs(size)",),
    "analysis/receptive_rules.py": ("1", "reach", "reach - before", "old", "*size", "span - 1", "span - 1 - before"),
    "analysis/sight.py": ("self.high - self.low",),
    "tables/receptive.py": ("wider",),
    "analysis/symbolic.py": ("value", "left", "right"),
    "amounts.py": ("value",),
    "arrays.py": ("value", "value.max()", "value.min()"),
    "budgets/limits.py": ("value",),
    "budgets/measure.py": ("was * percent / 100",),
    "budgets/propose.py": ("100 + headroom",),  # a Decimal, into a Fraction
    "commands/diff.py": ("exit_code and bool(difference.changes)",),
    "conventions/convention.py": ("rule.evaluate(quantities)",),
    "conventions/quantities.py": (
        "getattr(kind, field, None) == word",
        "value",
        "any(found.needed.inputs)",
        "found.needed.weights",
        "kernel",
        "groups",
        "getattr(found.layer.kind, 'scale', None) is not None",
        "found('biases') > 0",
        "found('other_params') > 0",
        "found.layer.shares is None",
        "found.layer.via != 'function'",
        "found.layer.via == 'function'",
    ),
    "conventions/reconcile.py": (
        "self.figure - claim.value",
        "abs(self.figure - claim.value)",
        "unit",
        "0",
        "rules[layer.kind.name].evaluate(known)",
    ),
    "exporters/code/code.py": ("value",),
    "formats/json.py": ("value", "size"),
    "formats/parquet.py": ("value",),
    "importers/onnx/constant_arithmetic.py": ("number",),
    "importers/onnx/file.py": ("numbers[0]",),
    "importers/onnx/fusions/engine.py": ("number",),
    "importers/onnx/operators/constants.py": ("column - row == shift",),
    "importers/onnx/own_rules.py": ("number",),  # a size, or an attribute of a file
    "importers/onnx/operators/resize.py": ("size", "1"),  # sizes of shapes
    "importers/onnx/values.py": ("number",),
    "importers/torch/own_operators.py": ("value",),  # an argument of PyTorch
    "importers/torch/translations.py": ("'inf'",),
    "kinds/fields.py": ("value",),
    "kinds/primitives.py": ("'weights' in self.__dict__",),
    "kinds/slicing.py": ("min(self.parts, _MOST_PARTS)",),
    "language/git.py": ("size.output",),  # git's own
    "language/loops.py": ("times",),  # a number of an expression
    "language/variables.py": ("value",),
    "numerals.py": ("text",),
    "sweep/grid.py": ("start", "stop", "step", "value", "(stop - start) / step"),
    "sweep/solve.py": ("'0.05'", "found.min() if limit.is_most else found.max()", "below.columns[figure][0]"),
    "syntax/expression.py": (
        "value.to_integral_value(rounding)",
        "divisor",
        "'0.5'",
        "nearest + divisor",
        "nearest + divisor if 10 * nearest < 9 * value else nearest",
        "left",
        "right",
        "quotient",
        "compare(left, right)",
        "bool(left) and bool(right)",
        "bool(left) or bool(right)",
    ),
    "syntax/expression_parser.py": ("not value",),
    "syntax/toml.py": ("text",),  # inf and nan
    "syntax/yaml.py": ("value",),
    "tables/reconcile.py": ("way.off(claim)", "claim.value"),
}


def conversions(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CONVERSIONS and node.args:
            yield ast.unparse(node.args[0])
        is_map = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "map"
        if is_map and any(isinstance(argument, ast.Name) and argument.id in CONVERSIONS for argument in node.args):
            yield ast.unparse(node)


def test_no_other_file_converts_text():
    """A new conversion goes through `numerals`, or is listed above because its argument is no text of a user's."""
    for name, path in FILES.items():
        found = set(conversions(ast.parse(path.read_text("utf-8"))))
        known = set(OF_NUMBERS.get(str(relative(path)), ()))
        assert found <= known, (name, found - known)


@pytest.mark.parametrize("text", ["9" * 31, "-" + "9" * 5_000, "1" * 100_000])
def test_a_number_of_too_many_digits_says_how_many(text):
    for convert in (whole_number, exact_number):
        with pytest.raises(UserError, match=rf"the number has {len(text.strip('-')):,} digits"):
            convert(text)


@pytest.mark.parametrize(
    "text", ["1e31", "1e-31", "1e99999999999999999999", "-1e-99999999999", "0e99999", "1e00000000000009"]
)
def test_an_exponent_out_of_range_is_never_computed(text):
    with pytest.raises(UserError, match="is too large, too small or too long"):
        exact_number(text)


@pytest.mark.parametrize("text", ["", "x", "1e", "nan", "inf", "1_0", "٣", "³", "0x10", " 1", "1 ", "1\n"])
def test_what_is_no_number_is_refused(text):
    for convert in (whole_number, exact_number):
        with pytest.raises(UserError, match="number was expected"):
            convert(text)


NUMBERS = (
    "1e99999999999999999999",
    "1e-99999999999999999999",
    "-1E+99999999999999999",
    "9" * 31,
    "9" * 4_301,
    "0." + "3" * 4_301,
    "1_" * 3_000 + "1",
)
PLACES = (
    "notes: {}\ninput: 3x8x8\nlayers: []",
    "input: {}\nlayers: []",
    "input: 3x{}\nlayers: []",
    "input: [3, {}]\nlayers: []",
    "vars: {{w: {}}}\ninput: 3x8x8\nlayers: []",
    "vars: {{w: '${{{}}}'}}\ninput: 3x8x8\nlayers: [{{linear: '${{w}}'}}]",
    "input: 3x8x8\nlayers: [{{linear: {}}}]",
    "input: 3x8x8\nlayers: [{{linear: '{}'}}]",
    "input: 3x8x8\nlayers: [{{dropout: {}}}]",
    "input: 3x8x8\nlayers: [{{gather: 3x{}}}]",
    "input: 3x8x8\nlayers: [{{split: {{name: a, parts: 3}}}}, {{relu: {{from: a.{}}}}}]",
    "input: 3x8x8\nlayers: [{{repeat: {{times: {}, layers: []}}}}]",
    "input: 3x8x8\nlayers: [relu]\nexpect: {{params: {}}}",
    "input: 3x8x8\nlayers: [relu]\nexpect: {{params: '{}M'}}",
    "input: 3x8x8\nlayers: [relu]\nexpect: {{output: {}x8}}",
)


@pytest.mark.parametrize("place", PLACES)
def test_a_spec_with_any_number_anywhere_is_counted_or_refused(place, tmp_path, capsys):
    for number in NUMBERS:
        path = tmp_path / "net.yaml"
        path.write_text(place.format(number))
        assert run(["params", str(path)]) in (0, BAD), number
        assert "bug" not in capsys.readouterr().err


SPEC = "vars: {w: 8}\ninput: 3x8x8\nlayers: [{linear: '${w}'}]"
OPTIONS = (
    ["params", "SPEC", "--set", "w={}"],
    ["params", "SPEC", "--input", "3x{}"],
    ["params", "SPEC", "--batch", "{}"],
    ["params", "SPEC", "--depth", "{}"],
    ["check", "SPEC", "--max-params", "{}"],
    ["check", "SPEC", "--max-params", "{}M"],
    ["check", "SPEC", "--max-weight-bytes", "{} MiB"],
    ["sweep", "SPEC", "--set", "w=1:{}"],
    ["sweep", "SPEC", "--set", "w=1:4:{}"],
    ["sweep", "SPEC", "--set", "w={}:4:log2"],
    ["sweep", "SPEC", "--set", "w=1,2", "--where", "params < {}"],
    ["sweep", "SPEC", "--set", "w=1,2", "--where", "params < {}M"],
    ["solve", "SPEC", "--set", "w=1:9", "--for", "params={}"],
    ["reconcile", "SPEC", "{}"],
    ["reconcile", "SPEC", "{}M params"],
    ["explain", "SPEC", "{}"],
)


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_an_option_with_any_number_is_taken_or_refused(words, tmp_path, capsys):
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    for number in NUMBERS:
        code = run([str(path) if word == "SPEC" else word.format(number) for word in words])
        assert code in (0, 1, BAD), number
        assert "bug" not in capsys.readouterr().err


BUDGETS = ("params: {}", "params: '{}'", "params: '{}k'", "params: {{max_increase: '{}%'}}", "weight_bytes: '{} KiB'")


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_budget_with_any_number_is_taken_or_refused(budget, tmp_path, capsys):
    for number in NUMBERS:
        path = tmp_path / "net.yaml"
        path.write_text(f"{SPEC}\nbudget:\n  {budget.format(number)}\n")
        assert run(["check", str(path)]) in (0, 1, BAD), number
        assert "bug" not in capsys.readouterr().err


TOML = (
    "[tool.convcalc.budget]\nparams = {}",
    "[tool.convcalc]\nspecs = " + "[" * 3_000 + "]" * 3_000,
    "[tool.convcalc]\nbudget." + "a." * 3_000 + "b = 1",
    "[tool.convcalc.budget]\nparams = 1979-99-99",
)


@pytest.mark.parametrize("text", TOML, ids=range(len(TOML)))
def test_settings_with_any_number_are_taken_or_refused(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(SPEC)
    for number in NUMBERS:
        (tmp_path / "pyproject.toml").write_text(text.format(number))
        assert run(["check", "net.yaml"]) in (0, 1, BAD), number
        assert "bug" not in capsys.readouterr().err


def test_the_message_names_the_place_and_the_limit():
    with pytest.raises(SpecError, match=rf":2:30: error: the number has 4,301 digits(.|\n)*at most {MOST_DIGITS}"):
        read("input: 3x8x8\nlayers: [relu, {relu: {from: relu1." + "9" * 4_301 + "}}]")


def test_the_limit_is_documented():
    assert f"{MOST_DIGITS} digits" in (ROOT / "docs" / "spec.md").read_text("utf-8")
