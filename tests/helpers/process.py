"""`params` in a process of its own, with a limit on time and memory."""

import os
import resource
import subprocess
import sys

from helpers.paths import ROOT

SECONDS = 20
MEMORY = 2**30


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def params(path, *words, loader="", **options):
    """Run `params` in a process of its own; `loader` is the parser of PyYAML, its C one where there is one."""
    setup = (
        f"import yaml, convcalc.syntax.yaml as s; s._LOADER = getattr(yaml, '{loader}', yaml.SafeLoader); "
        if loader
        else ""
    )
    program = f"{setup}from convcalc.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "params", str(path), *words],
        capture_output=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=limit,
        **options,
    )


def refused(result, *texts):
    err = result.stderr.decode()
    assert result.returncode == 2, err
    assert result.stdout == b""
    assert "Traceback" not in err
    for text in texts:
        assert text in err
