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
    if report.verdict and issues:
        first = report.broken[0]
        issues.append(
            {
                "check_name": "convcalc/verdict",
                "description": report.verdict,
                "fingerprint": fingerprints([first._replace(rule="verdict", scope="")])[0],
                "location": {"path": path(first.file), "lines": {"begin": 1}},
                "severity": "info",
            }
        )
    stream.write(encode(issues, indent=1) + "\n")
