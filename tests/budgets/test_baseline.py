"""Recorded figures may fall and not rise: the file only tightens, unless someone says why."""

import pytest

from convcalc.cli import run

NET = "name: net\ninput: 3x8x8\nlayers:\n  - conv: {name: a, filters: 4, kernel: 3}\n  - relu\n"


@pytest.fixture
def nets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "one.yaml").write_text(NET)
    return tmp_path


def check(*words, spec="nets/one.yaml"):
    return run(["check", spec, "--baseline", "figures.yaml", *words])


def filters(nets, number):
    (nets / "nets" / "one.yaml").write_text(NET.replace("filters: 4", f"filters: {number}"))


RECORD = """\
# Figures that may fall and not rise, written by convcalc check --baseline FILE --update-baseline.
convcalc_baseline: 1
networks:
  "nets/one.yaml":
    params: 112
    macs: 3888
    flops: 8064
    activation: 144
    layers:
      "a": [112, 3888, 7920]
      "relu1": [0, 0, 144]
"""


def test_the_file_to_the_letter_and_the_same_every_time(nets):
    assert check("--update-baseline") == 0
    assert (nets / "figures.yaml").read_text() == RECORD
    assert check("--update-baseline") == 0
    assert (nets / "figures.yaml").read_text() == RECORD
    assert check() == 0


def test_growth_is_an_error_and_is_not_recorded(nets, capsys):
    check("--update-baseline")
    filters(nets, 5)
    for words in ((), ("--update-baseline",)):
        assert check(*words) == 1
        out = capsys.readouterr().out
        assert "figures.yaml:5:13: error: params: 140 is 28 over the recorded 112" in out
        assert "a +28" in out
        assert (nets / "figures.yaml").read_text() == RECORD


def test_what_falls_is_lowered(nets, capsys):
    check("--update-baseline")
    filters(nets, 3)
    assert check() == 0
    assert (nets / "figures.yaml").read_text() == RECORD, "only an update writes"
    assert check("--update-baseline") == 0
    assert "nets/one.yaml: lowered params 112 -> 84, macs 3,888 -> 2,916" in capsys.readouterr().out
    filters(nets, 4)
    assert check() == 1


def test_an_increase_is_recorded_with_its_reason(nets):
    check("--update-baseline")
    filters(nets, 5)
    assert check("--update-baseline", "--allow-increase", 'the mobile team: "yes"\n# no comment') == 0
    text = (nets / "figures.yaml").read_text()
    assert "params 112 -> 140" in text and 'the mobile team: \\"yes\\" # no comment' in text
    assert check() == 0
    assert check("--update-baseline") == 0
    assert (nets / "figures.yaml").read_text() == text, "the reason stays"


def test_one_that_is_not_recorded_is_no_pass(nets, capsys):
    check("--update-baseline")
    (nets / "nets" / "two.yaml").write_text(NET)
    assert check(spec="nets/two.yaml") == 2
    assert "figures.yaml records no figures of 'nets/two.yaml'" in capsys.readouterr().err


def test_a_spec_that_is_gone_is_taken_out(nets, capsys):
    (nets / "nets" / "two.yaml").write_text(NET)
    assert check("--update-baseline", spec="nets/two.yaml") == 0
    assert check("--update-baseline") == 0
    (nets / "nets" / "two.yaml").unlink()
    assert check("--update-baseline") == 0
    assert "nets/two.yaml: no longer exists, removed" in capsys.readouterr().out
    assert (nets / "figures.yaml").read_text() == RECORD


def test_variants_and_names_of_the_catalogue(nets):
    for spec in ("resnet18", "mobilenet_v1@x0.5"):
        assert check("--update-baseline", spec=spec) == 0
        assert check(spec=spec) == 0
    assert list((nets / "figures.yaml").read_text().splitlines())[3] == '  "mobilenet_v1@x0.5":'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "figures.yaml:1:1: error: the file is empty"),
        ("[]\n", "a baseline needs 'networks:'"),
        ("networks: {}\n", "'convcalc_baseline: 1' was expected, found nothing"),
        (
            "convcalc_baseline: 2\nnetworks: {}\n",
            "figures.yaml:1:20: error: 'convcalc_baseline: 1' was expected, found 2",
        ),
        (RECORD.replace("params: 112", "parms: 112"), "figures.yaml:5:5: error: a baseline has no figure 'parms'"),
        (RECORD.replace("112\n", "many\n"), "'params' must be a whole number, found 'many'"),
        (RECORD.replace("[112, 3888, 7920]", "112"), "'layers' must be lists of 3 whole numbers by layer"),
        (RECORD.replace("    layers", "    allowed: why\n    layers"), "'allowed' must be a list of reasons"),
        ("a: [", "figures.yaml:1"),
    ],
)
def test_a_file_that_someone_broke(nets, capsys, text, said):
    (nets / "figures.yaml").write_text(text)
    assert check() == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--update-baseline"], "--update-baseline needs --baseline FILE"),
        (["--baseline", "figures.yaml", "--allow-increase", "x"], "--allow-increase needs --update-baseline"),
        (["--baseline", "figures.yaml"], "'figures.yaml' cannot be read"),
        (["--baseline", "figures.yaml", "--update-baseline", "--input", "3x9x9"], "not with --input"),
        (["--baseline", "figures.yaml", "--update-baseline", "--batch", "2"], "not with --batch"),
    ],
)
def test_options_that_do_not_go_together(nets, capsys, words, said):
    assert run(["check", "nets/one.yaml", *words]) == 2
    assert said in capsys.readouterr().err
    assert not (nets / "figures.yaml").exists()


def test_formats_of_findings_hold_it_too(nets, capsys):
    check("--update-baseline")
    filters(nets, 9)
    capsys.readouterr()
    assert check("-f", "github") == 1
    assert "::error title=convcalc (params/baseline),file=figures.yaml,line=5" in capsys.readouterr().out


def test_a_limit_on_growth_without_anything_to_compare_with_is_no_pass(nets, capsys):
    (nets / "nets" / "one.yaml").write_text(NET + "budget: {params: {max_increase: 2%}}\n")
    assert run(["check", "nets/one.yaml"]) == 2
    err = capsys.readouterr().err
    assert "a limit on growth needs a revision to compare with" in err and "--base REV" in err
