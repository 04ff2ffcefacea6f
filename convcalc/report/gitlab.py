"""A code quality report as GitLab reads it; a limit that moved to another line stays the same issue."""

from __future__ import annotations

from typing import TextIO

from convcalc.report import Report

SEVERITIES = {"error": "major", "warn": "minor", "info": "info"}


def write(report: Report, stream: TextIO) -> None:
    """Write a JSON list of issues."""
    import json
    from hashlib import sha256

    issues = []
    seen: dict[str, int] = {}
    for one in report.broken:
        key = f"{one.rule}\0{one.file}\0{one.scope}"
        seen[key] = seen.get(key, 0) + 1
        issues.append(
            {
                "check_name": f"convcalc/{one.rule}",
                "description": f"{one.scope}: {one.message}",
                "fingerprint": sha256(f"{key}\0{seen[key]}".encode()).hexdigest(),
                "location": {"path": one.file, "lines": {"begin": one.line}},
                "severity": SEVERITIES[one.level],
            }
        )
    stream.write(json.dumps(issues, indent=1) + "\n")
