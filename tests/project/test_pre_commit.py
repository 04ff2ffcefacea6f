"""The hook of pre-commit: what it runs for the files that pre-commit passes, which it never skips in silence."""

import re
from pathlib import Path

import pytest
import yaml
from helpers.paths import ROOT

from convcalc.cli import BAD, FINE, run

BROKEN = 1
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
SPEC = "input: 3x8x8\nlayers: [{conv: {name: head, filters: FILTERS, kernel: 1}}]\n"  # 4 params a filter
LISTED = "specs: [nets/*.yaml]\n"


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "nets").mkdir()
    write("nets/good.yaml", 1, "budget: {params: 4}\n")


def write(path, filters, budget=""):
    Path(path).write_text(SPEC.replace("FILTERS", str(filters)) + budget)


def commit(*files, args=()):
    """The exit code of the hook where these files change; it runs only if one fits its pattern."""
    chosen = [path for path in files if re.search(HOOK["files"], path)]
    assert chosen, "pre-commit would say that it skips the hook"
    return run([*HOOK["entry"].split()[1:], *(args or HOOK["args"]), *chosen])


def test_it_says_what_it_did_not_check_also_where_it_passes():
    assert HOOK["verbose"] is True


@pytest.mark.parametrize(
    "changed", ["nets/good.yaml", "convcalc.yaml", "blocks/x.yml", "pyproject.toml", "nets/bad.yaml"]
)
def test_all_that_the_settings_list_is_checked_whatever_changes(changed, capsys):
    Path("convcalc.yaml").write_text(LISTED)
    Path("blocks").mkdir()
    Path("blocks/x.yml").write_text("blocks: {x: {layers: [relu]}}\n")
    assert commit(changed) == FINE
    write("nets/bad.yaml", 2, "budget: {params: 4}\n")
    assert commit(changed) == BROKEN
    assert capsys.readouterr().out.endswith("2 limits in 2 networks: 1 failed\n")


def test_without_a_list_the_networks_among_the_files_are_checked(capsys):
    write("nets/bad.yaml", 2, "budget: {params: 4}\n")
    assert commit("nets/good.yaml", "README.md") == FINE
    assert commit("nets/bad.yaml", "nets/good.yaml") == BROKEN
    capsys.readouterr()


def test_nothing_is_left_out_in_silence(capsys):
    Path("ci.yaml").write_text("jobs: {}\n")
    write("free.yaml", 2)
    assert commit("ci.yaml", "free.yaml") == FINE
    assert capsys.readouterr().out == (
        "without limits: free.yaml\nwithout a network: ci.yaml\n"
        "nothing is checked: 1 network without limits; 1 file without a network\n"
    )
    Path("convcalc.yaml").write_text(LISTED)
    write("other.yaml", 2, "budget: {params: 4}\n")
    assert commit("other.yaml") == FINE
    assert capsys.readouterr().out.endswith(
        "not listed under specs: of the settings: other.yaml\n"
        "1 limit in 1 network passed; 1 changed network not listed\n"
    )


def test_with_limits_on_growth_it_says_which_arguments_it_needs(capsys):
    write("nets/good.yaml", 1, "budget: {params: {ratchet: true}}\n")
    assert commit("nets/good.yaml") == BAD
    assert "args: [--base, origin/main, --]" in capsys.readouterr().err


def test_a_file_may_be_called_like_an_option():
    write("--exit-zero.yaml", 2, "budget: {params: 4}\n")
    assert commit("--exit-zero.yaml") == BROKEN


def test_a_list_that_is_invalid_is_an_error(capsys):
    Path("convcalc.yaml").write_text("specs: [none/*.yaml]\n")
    assert commit("nets/good.yaml") == BAD
    assert "matches no file" in capsys.readouterr().err
