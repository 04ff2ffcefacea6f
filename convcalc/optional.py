"""Import libraries that only some commands need, and silence what they print."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from convcalc.errors import SpecError, printable

INSTALL = 'pip install "convcalc[torch]"'


def need(name: str, purpose: str) -> Any:
    """Import a library of an extra. Raises SpecError where it is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        missing = printable(str(error.name or error))
        raise SpecError(f"{purpose} needs {missing}, which is not installed", INSTALL) from None


def first_line_of(error: BaseException) -> str:
    """The type of an error and the first line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable(f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings, logging and stderr, where exporters print; move stdout, where user code prints, to stderr."""
    level = logging.root.manager.disable
    kept, dropped = contextlib.redirect_stdout(sys.stderr), contextlib.redirect_stderr(io.StringIO())
    with warnings.catch_warnings(), kept, dropped:
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(level)
