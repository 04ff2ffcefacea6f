"""Annotations of a GitHub workflow: the worst first, and no more than GitHub shows."""

from __future__ import annotations

from typing import TextIO

from convcalc.errors import printable
from convcalc.formats._findings import path
from convcalc.report import Report
from convcalc.workflow_log import harmless

OF_FINDINGS = True
LEVELS = {"error": "error", "warn": "warning", "info": "notice"}
_SIGNS = {"%": "%25", "\r": "%0D", "\n": "%0A"}
MOST = 9  # of each level, a tenth says how many more there are; GitHub drops the rest without a word
MOST_NOTICES = MOST - 1  # the verdict is one


def write(report: Report, stream: TextIO) -> None:
    """Write a workflow command for each finding."""
    write_command = getattr(stream, "write_command", stream.write)  # a log that takes no other commands
    for level, command in LEVELS.items():
        found = [finding for finding in report.broken if finding.level == level]
        most = MOST_NOTICES if level == "info" else MOST
        for one in found[:most]:
            title = _property(f"convcalc ({one.rule})")
            place = f"file={_property(path(one.file))},line={one.line},col={one.column}"
            write_command(f"::{command} title={title},{place}::{_text(f'{one.scope}: {one.message}')}\n")
        if len(found) > most:
            write_command(f"::{command} title=convcalc::and {len(found) - most} more, see the log\n")
    if not report.broken:
        write_command(f"::debug::convcalc: {_text(report.verdict or 'nothing found')}\n")
    elif report.verdict:
        write_command(f"::notice title=convcalc::{_text(report.verdict)}\n")


def append_summary(report: Report) -> None:
    """Append the tables to the summary of a workflow's step, where there is one."""
    import io
    import os

    from convcalc.formats import write as write_as
    from convcalc.storage import append_text

    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        stream = io.StringIO()
        write_as(report._replace(exact=True), "markdown", stream)
        append_text(path, stream.getvalue())


def _text(text: str) -> str:
    """Text that ends neither the line nor the command, and holds none."""
    return harmless("".join(_SIGNS.get(sign) or printable(sign) for sign in text), before=".")


def _property(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")
