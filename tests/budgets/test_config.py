"""Settings of a project: limits of convcalc.yaml and of pyproject.toml hold beside those of specs, and loosen none."""

import pytest

from convcalc.cli import BAD, FINE, run

BROKEN = 1
# 280 params (3*10*3*3 + 10), 243,000 MACs (270 * 30*30)
SPEC = "input: 3x32x32\nlayers:\n  - conv: {name: head, filters: 10, kernel: 3}\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with two networks, nets/a.yaml and nets/b.yaml, and a folder to stand in."""
    for folder in (".git", "nets", "deep/er"):
        (tmp_path / folder).mkdir(parents=True)
    for name in "ab":
        (tmp_path / f"nets/{name}.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(project, text, name="convcalc.yaml"):
    (project / name).write_text(text)


YAML = "specs: ['nets/*.yaml']\nbudget: {params: MOST}\n"
TOML = '[tool.convcalc]\nspecs = ["nets/*.yaml"]\n[tool.convcalc.budget]\nparams = MOST\n'


@pytest.mark.parametrize(("name", "text"), [("convcalc.yaml", YAML), ("pyproject.toml", TOML)])
@pytest.mark.parametrize("folder", [".", "deep/er"])
@pytest.mark.parametrize(("most", "code"), [("280", FINE), ("279", BROKEN)])
def test_every_listed_spec_is_held_to_the_nearest_settings(
    name, text, folder, most, code, project, monkeypatch, capsys
):
    settings(project, text.replace("MOST", most), name)
    monkeypatch.chdir(project / folder)
    assert run(["check"]) == code
    out = capsys.readouterr().out
    line = 2 if name == "convcalc.yaml" else 4
    assert out.count(f"{'../../' if folder != '.' else ''}{name}:{line}\n") == 2, (
        "both networks, and where the limit is"
    )
    assert run(["check", str(project / "nets/a.yaml")]) == code
    assert run(["check", "--no-config", "--max-params", "1M", str(project / "nets/a.yaml")]) == FINE


def test_settings_outside_the_repository_do_not_count(project, monkeypatch, capsys):
    settings(project, "budget: {params: 1}")
    (project / "deep/.git").mkdir()
    monkeypatch.chdir(project / "deep/er")
    assert run(["check", "../../nets/a.yaml", "--max-params", "1M"]) == FINE
    (project / "deep/.git").rmdir()
    assert run(["check", "../../nets/a.yaml", "--max-params", "1M"]) == BROKEN


def test_a_file_named_is_read_in_place_of_the_nearest(project, monkeypatch, capsys):
    settings(project, "budget: {params: 1}")
    settings(project, "budget: {params: 1k}", "deep/other.yaml")
    assert run(["check", "nets/a.yaml", "--config", "deep/other.yaml"]) == FINE
    monkeypatch.setenv("CONVCALC_CONFIG", "deep/other.yaml")
    assert run(["check", "nets/a.yaml"]) == FINE


@pytest.mark.parametrize(
    ("shared", "own", "option", "code", "said"),
    [
        ("1k", "500", "300", FINE, ""),
        ("1k", "500", "100", BROKEN, ""),
        ("1k", "100", "300", BROKEN, "params: 300 (--max-params) has no effect: 100 (nets/a.yaml:4) is stricter"),
        ("100", "500", "", BROKEN, "params: 500 (nets/a.yaml:4) has no effect: 100 (convcalc.yaml:1) is stricter"),
        ("100", "500", "1M", BROKEN, "params: 1,000,000 (--max-params) has no effect"),
        ("{at_most: 100, level: warn}", "500", "", FINE, ""),
        ("{at_most: 100, level: info}", "{at_most: 200, level: warn}", "", FINE, ""),
    ],
)
def test_the_strictest_limit_holds_whichever_the_source(shared, own, option, code, said, project, capsys):
    settings(project, f"budget: {{params: {shared}}}\n")
    (project / "nets/a.yaml").write_text(SPEC + f"budget: {{params: {own}}}\n")
    assert run(["check", "nets/a.yaml", *(["--max-params", option] if option else [])]) == code
    out = capsys.readouterr().out
    assert said in out
    assert said or "loosens" not in out


def test_budgets_hold_for_specs_whose_path_fits(project, monkeypatch, capsys):
    settings(project, "specs: nets/*.yaml\nbudget: {params: 1k}\nbudgets: {'nets/b*': {layers: {head: {macs: 1k}}}}\n")
    assert run(["check"]) == BROKEN
    assert run(["check", "nets/a.yaml"]) == FINE
    monkeypatch.chdir(project / "nets")
    assert run(["check", "b.yaml"]) == BROKEN, "paths are from the settings' folder"
    assert "convcalc.yaml:3:" in capsys.readouterr().out


def test_bytes_are_of_the_spec_s_precision_unless_the_settings_declare_one(project, capsys):
    (project / "nets/a.yaml").write_text(SPEC + "budget: {precision: int8, params: 1k}\n")
    settings(project, "budget: {weight_bytes: 280 B}")
    assert run(["check", "nets/a.yaml"]) == FINE
    assert run(["check", "nets/a.yaml", "--max-weight-bytes", "279 B"]) == BROKEN
    settings(project, "budget: {precision: fp16, weight_bytes: 559 B}")
    assert run(["check", "nets/a.yaml"]) == BROKEN


MISTAKES = [
    ("convcalc.yaml", "spec: [a]", "1:1: error: the settings have no key 'spec'", "did you mean 'specs'?"),
    ("convcalc.yaml", "specs: [nest/*.yaml]", "1:9: error: 'nest/*.yaml' matches no file", ""),
    ("convcalc.yaml", "specs: [3]", "1:9: error: 'specs' is a list of paths or patterns, found 3", ""),
    ("convcalc.yaml", "specs: {a: b}", "1:8: error: 'specs' is a list of paths or patterns, found a mapping", ""),
    ("convcalc.yaml", "budget: 5M", "1:9: error: 'budget' must be a mapping", ""),
    (
        "convcalc.yaml",
        "- a",
        "1:1: error: settings are a mapping of specs, budget, budgets, new, rules, found a list",
        "",
    ),
    ("convcalc.yaml", SPEC, "1:1: error: the settings have no key 'input'", "give the spec another name"),
    ("convcalc.yaml", "", "'convcalc.yaml' is empty", ""),
    (
        "convcalc.yaml",
        "specs: nets/*.yaml\nbudget: {params: 5m}",
        "2:18: error: a whole number was expected, found '5m'",
        "did you mean '5M'?",
    ),
    (
        "convcalc.yaml",
        "specs: nets/*.yaml\nbudget: {params: 5M}\nbudgets: {net/*: {params: 1}}",
        "3:11: error: 'net/*' matches none of the specs",
        "",
    ),
    ("pyproject.toml", "[tool.convcalc]\nspec = 3", "2:1: error: the settings have no key 'spec'", "mean 'specs'?"),
    (
        "pyproject.toml",
        '[tool]\nconvcalc.specs = "nets/*.yaml"\n[tool.convcalc.budget]\n"params" = {at_most = "1k", lvel = "warn"}',
        "4:29: error: a limit has no 'lvel'",
        "did you mean 'level'?",
    ),
    (
        "pyproject.toml",
        "[tool.convcalc]\nspecs = [\n  'nets/a.yaml', # one\n  'nest/*.yaml',\n]",
        "4:3: error: 'nest/*.yaml' matches no file",
        "",
    ),
    ("pyproject.toml", "[tool.convcalc.budget\n", "1:22: error: not TOML: Expected ']'", ""),
    ("pyproject.toml", "[tool.convcalc]\nspecs = '''x", "2:13: error: not TOML", ""),
]


@pytest.mark.parametrize(("name", "text", "said", "hint"), MISTAKES)
def test_a_mistake_in_the_settings_is_2_and_has_a_place(name, text, said, hint, project, capsys):
    settings(project, text, name)
    assert run(["check"]) == BAD
    err = capsys.readouterr().err
    assert (f"{name}:{said}" if said[0].isdigit() else said) in err
    assert hint in err


def test_settings_in_two_files_or_in_none_are_2(project, capsys):
    assert run(["check"]) == BAD
    assert "no SPEC is named" in capsys.readouterr().err
    settings(project, TOML.replace("MOST", "1"), "pyproject.toml")
    settings(project, YAML.replace("MOST", "1M"))
    assert run(["check"]) == BAD, "the stricter of the two is not left out without a word"
    assert "two files" in capsys.readouterr().err
    settings(project, "[project]\nname = 'convcalc'\n", "pyproject.toml")
    assert run(["check"]) == FINE
    assert run(["check", "--config", "pyproject.toml"]) == BAD
    assert run(["check", "--config", "nosuch.yaml"]) == BAD


def test_one_spec_that_is_wrong_does_not_hide_the_others(project, capsys):
    settings(project, YAML.replace("MOST", "1"))
    (project / "nets/b.yaml").write_text("input: 3x8x8\nlayers: [relo]\n")
    assert run(["check"]) == BAD
    out, err = capsys.readouterr()
    assert "279 over" in out
    assert "did you mean 'relu'?" in err


RULES = "com.example:Ring: {inputs: {x: [N, C, H, W]}, output: x, macs: C*H*W, params: 100}\n"


@pytest.fixture
def model(project):
    """A model with an operator that only the rules of the settings know, and a folder outside of the repository."""
    from helpers.onnx_models import build
    from onnx import helper

    nodes = [helper.make_node("Ring", ["x"], ["y"], domain="com.example")]
    (project / "nets/ring.onnx").write_bytes(build(nodes, shape=(1, 3, 8, 8)).SerializeToString())
    (project / "deep/rules.yaml").write_text(RULES)
    settings(project, "specs: [nets/ring.onnx]\nrules: deep/rules.yaml\nbudget: {params: 99}\n")
    return project


def test_rules_of_the_settings_count_operators_in_every_command(model, monkeypatch, capsys):
    assert run(["check"]) == BROKEN
    monkeypatch.chdir(model / "deep/er")
    for command in ("params", "import", "compare", "explain"):
        specs = ["../../nets/ring.onnx"] * (2 if command == "compare" else 1)
        assert run([command, *specs]) == FINE
        out = capsys.readouterr().out
        assert "192" in out, command
        assert ">=" not in out, command


def test_rules_on_the_command_line_take_the_place_of_the_settings(model, capsys):
    (model / "own.yaml").write_text(RULES.replace("100", "7"))
    assert run(["check", "--rules", "own.yaml"]) == FINE
    assert run(["check", "--no-config", "--max-params", "7", "--rules", "own.yaml", "nets/ring.onnx"]) == FINE
    assert run(["params", "nets/ring.onnx", "--rules", "own.yaml"]) == FINE
    assert "counted by own.yaml:1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("../rules.yaml", "'../rules.yaml' is outside the repository"),
        ("link.yaml", "'link.yaml' leads outside the repository"),
        ("deep", "'deep' is a folder"),
        ("pipe.yaml", "'pipe.yaml' is no regular file"),
        ("none.yaml", "no file 'none.yaml'"),
        ("[1]", "'rules' is a list of paths, found 1"),
    ],
)
def test_rules_of_the_settings_are_regular_files_of_the_repository(rules, said, model, tmp_path_factory, capsys):
    import os

    outside = tmp_path_factory.mktemp("outside") / "rules.yaml"
    outside.write_text(RULES)
    (model / "link.yaml").symlink_to(outside)
    os.mkfifo(model / "pipe.yaml")
    settings(model, f"specs: [nets/ring.onnx]\nrules: {rules}\nbudget: {{params: 99}}\n")
    for command in (["check"], ["params", "nets/ring.onnx"]):
        assert run(command) == BAD
        assert said in capsys.readouterr().err
