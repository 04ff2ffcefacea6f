"""A code quality report as GitLab reads it; a limit that moved to another line stays the same issue."""

from __future__ import annotations

from typing import TextIO

from convcalc.formats._findings import fingerprints, path
from convcalc.formats.json import encode
from convcalc.report import Report

OF_FINDINGS = True
SEVERITIES = {"error": "major", "warn": "minor", "info": "info"}


def write(report: Report, stream: TextIO) -> None:
    """Write a JSON list of issues."""
    issues = [
        {
            "check_name": f"convcalc/{one.rule}",
            "description": f"{one.scope}: {one.message}",
            "fingerprint": fingerprint,
            "location": {"path": path(one.file), "lines": {"begin": one.line}},
            "severity": SEVERITIES[one.level],
        }
        for one, fingerprint in zip(report.broken, fingerprints(report.broken), strict=True)
    ]
    stream.write(encode(issues, indent=1) + "\n")
