"""`--input` against the inputs of a spec: what is meant by another number of axes, and notes on other channels."""

import json

import pytest

from convcalc.cli import run
from convcalc.errors import SpecError
from convcalc.loader import load

SHAPES = ["3x224x224", "1x16000", "3x16x112x112", "197x768"]


def spec(tmp_path, shape):
    path = tmp_path / "net.yaml"
    path.write_text(f"input: {shape}\nlayers: [relu]\nbudget: {{params: 10}}\n")
    return path


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", [1, 4])
def test_a_shape_with_the_batch_is_refused_with_what_was_meant(tmp_path, shape, batch):
    with pytest.raises(SpecError) as error:
        load(spec(tmp_path, shape), inputs=f"{batch}x{shape}")
    meant = f"--input {shape}" + (f" --batch {batch}" if batch > 1 else "")
    assert error.value.problems[0].hint == f"leave the batch out: {meant}"


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_channels_last_are_refused_with_what_was_meant(tmp_path, shape):
    channels, *rest = shape.split("x")
    with pytest.raises(SpecError) as error:
        load(spec(tmp_path, shape), inputs="x".join([*rest, channels]))
    assert error.value.problems[0].hint == f"channels come first: --input {shape}"


@pytest.mark.parametrize("shape", SHAPES)
def test_another_number_of_axes_is_never_believed(tmp_path, shape):
    axes = shape.count("x") + 1
    for given in range(2, 7):
        if given != axes:
            with pytest.raises(SpecError, match=f"the spec's input is {shape}"):
                load(spec(tmp_path, shape), inputs="x".join(["5"] * given))


@pytest.mark.parametrize("shape", SHAPES)
def test_an_n_says_that_the_first_axis_is_the_batch(tmp_path, shape):
    path = spec(tmp_path, shape)
    assert load(path, inputs=f"Nx{shape}").inputs == load(path).inputs


@pytest.mark.parametrize("command", [["params"], ["compare"], ["check"], ["explain"], ["export", "--to", "mermaid"]])
def test_every_command_refuses_the_batch(tmp_path, command, capsys):
    paths = [str(spec(tmp_path, SHAPES[0]))] * (1 + (command[0] == "compare"))
    assert run([command[0], *paths, *command[1:], "--input", "1x3x224x224"]) == 2
    assert "leave the batch out: --input 3x224x224" in "".join(capsys.readouterr())


def test_a_sweep_refuses_the_batch_before_it_counts(tmp_path, capsys):
    assert run(["sweep", str(spec(tmp_path, SHAPES[0])), "--set", "input=3x224x224,1x3x224x224"]) == 2
    assert "leave the batch out: --input 3x224x224" in capsys.readouterr().err


def test_other_channels_are_a_note(tmp_path, capsys):
    path = str(spec(tmp_path, SHAPES[0]))
    for command in ("params", "compare", "check"):
        paths = [path] * (1 + (command == "compare"))
        assert run([command, *paths, "--input", "1x224x224"]) == 0
        assert "3 channels in the spec, 1 given" in capsys.readouterr().out
    assert run(["params", path, "--input", "1x224x224", "-f", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"][0]["note"] == "3 channels in the spec, 1 given"
    assert run(["params", path, "--input", "3x96x96"]) == 0
    assert "channels in the spec" not in capsys.readouterr().out


def test_more_channels_than_pixels_are_no_channels_last(tmp_path):
    assert load(spec(tmp_path, "64x56x56"), inputs="128x64x64").inputs == {"input": (128, 64, 64)}
