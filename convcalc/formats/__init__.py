"""Report -> text: one format a file, with `write(report, stream)`; the file's name is what `-f` takes.

A format with `STREAMS = True` writes each row as it arrives and keeps none; one with `OF_FINDINGS = True` writes
findings and no tables; one with `FOR_READERS = True` writes a long report folded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TextIO

from convcalc.discovery import modules

if TYPE_CHECKING:
    from pathlib import Path

    from convcalc.report import Report

BINARY = ("parquet",)  # formats for a file, not for a terminal


def names() -> list[str]:
    """The text formats there are."""
    return [name for name in modules(__file__) if name not in BINARY]


def streams(form: str) -> bool:
    """Whether a format writes tables of any length in bounded memory."""
    return getattr(import_module(f"{__name__}.{form}"), "STREAMS", False)


def is_of_findings(form: str) -> bool:
    """Whether a format writes the findings, not the tables."""
    return getattr(import_module(f"{__name__}.{form}"), "OF_FINDINGS", False)


def write(report: Report, form: str, stream: TextIO) -> None:
    """Write a report in the format `form`."""
    module = import_module(f"{__name__}.{form}")
    module.write(report.for_readers() if getattr(module, "FOR_READERS", False) else report, stream)


def write_file(report: Report, form: str, path: Path) -> None:
    """Write a report into a file, UTF-8, line ends as they are."""
    from convcalc.storage import replacement

    with replacement(path) as stream:
        write(report, form, stream)
