"""What a mistake says: each `errors/*.yaml` beside the exact text that `params` prints for it.

A first line `# convcalc params NAME.yaml OPTIONS` gives the command line; without it the file alone is counted. After a
change of the words, `python tests/language/test_errors.py` writes the texts anew: read the
difference before it is committed.
"""

import shlex
from pathlib import Path

import pytest
import yaml

from convcalc.cli import BAD, run
from convcalc.syntax import yaml as spec

FOLDER = Path(__file__).parent / "errors"
CASES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
LOADERS = sorted({yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)}, key=lambda loader: loader.__name__)


def command(case):
    first = (FOLDER / f"{case}.yaml").read_text("utf-8").partition("\n")[0]
    said, _, words = first.partition("# convcalc ")
    return shlex.split(words) if words and not said else ["params", f"{case}.yaml"]


@pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: loader.__name__)
@pytest.mark.parametrize("case", CASES)
def test_a_mistake_says(case, loader, monkeypatch, capsys):
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr(spec, "_LOADER", loader)
    assert run(command(case)) == BAD
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (FOLDER / f"{case}.txt").read_text("utf-8")


def test_every_text_has_its_spec():
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == CASES
    assert len(CASES) > 100


if __name__ == "__main__":
    import contextlib
    import io
    import os

    os.chdir(FOLDER)
    for name in CASES:
        with contextlib.redirect_stderr(io.StringIO()) as text:
            code = run(command(name))
        Path(f"{name}.txt").write_text(text.getvalue(), "utf-8")
        print(name, "" if code == BAD else f"exits {code}!")
