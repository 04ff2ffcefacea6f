"""The catalogue is read from its own folder, whatever files of its names are where a command runs."""

from __future__ import annotations

import pytest

from convcalc.cli import run


@pytest.mark.parametrize("words", ["list lenet5", "show lenet5", "list conv_norm --folder blocks"])
def test_a_file_of_the_same_name_is_not_read(words: str, tmp_path, monkeypatch, capsys) -> None:
    assert run(words.split()) == 0
    expected = capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    for name in ("lenet5", "conv_norm"):
        (tmp_path / name).write_text("input: 1\nlayers: [relu]\n")
    assert run(words.split()) == 0
    assert capsys.readouterr().out == expected
