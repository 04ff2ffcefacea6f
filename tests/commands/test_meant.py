"""What was meant: a word that names nothing is answered with the word, or the spelling, that would."""

from __future__ import annotations

import pytest

from convcalc.cli import run


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("para resnet18", "no such command 'para'. Did you mean 'params'?"),
        ("sho resnet18", "no such command 'sho'. Did you mean 'show'?"),
        ("list resnt", "error: no network 'resnt'\n   hint: did you mean 'resnet'?"),
        ("list --folder blocks conv_nrm", "error: no block 'conv_nrm'\n   hint: did you mean 'conv_norm'?"),
        ("list --folder blocks --sort params", "hint: a block has no figures of its own"),
        ("zzz", "no such command 'zzz'"),
        ("params resnet18@51", "hint: write 'resnet18' or 'resnet@18', with no other variant"),
        ("params resnet@51", "hint: expected one of: 18, 34, 50, 101, 152"),
        ("kinds depthwise", "hint: write a depthwise convolution as 'conv: {kernel: 3, groups: channels}'"),
        (
            "kinds SeparableConv2D",
            "hint: write a separable convolution as two: 'conv: {kernel: 3, groups: channels}', ",
        ),
        ("sweep resnet18 --input 128,160", "hint: inputs of several sizes are '--set input=128,160'"),
        ("sweep resnet18", "hint: for example --set NAME=4:64:4"),
    ],
)
def test_the_error_says_what_was_probably_meant(words: str, answer: str, capsys) -> None:
    assert run(words.split()) == 2
    printed = capsys.readouterr()
    assert answer in printed.err
    assert printed.out == ""


def test_what_a_hint_says_to_write_counts(tmp_path, capsys) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "input: 8x5x5\nlayers:\n  - conv: {kernel: 3, groups: channels}\n  - conv: {filters: 64, kernel: 1}\n"
    )
    assert run(["params", str(spec)]) == 0
    capsys.readouterr()


def test_rules_for_a_models_operators_do_not_pass_in_silence_with_a_spec(capsys):
    assert run(["params", "lenet5", "--rules", "mine.yaml"]) == 0
    assert "--rules is for models: nothing of a spec follows them" in capsys.readouterr().out.splitlines()
    assert run(["params", "lenet5"]) == 0
    assert "--rules" not in capsys.readouterr().out
