"""SARIF 2.1.0, for code scanning."""

from __future__ import annotations

from typing import TextIO

from convcalc import __version__
from convcalc.report import Report

LEVELS = {"error": "error", "warn": "warning", "info": "note"}


def write(report: Report, stream: TextIO) -> None:
    """Write one run with a result for each finding."""
    import json
    from hashlib import sha256
    from urllib.parse import quote

    rules = list(dict.fromkeys(one.rule for one in report.broken))
    results = [
        {
            "ruleId": one.rule,
            "ruleIndex": rules.index(one.rule),
            "level": LEVELS[one.level],
            "message": {"text": f"{one.scope}: {one.message}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(one.file)},
                        "region": {"startLine": one.line, "startColumn": one.column},
                    }
                }
            ],
            "partialFingerprints": {"convcalc/v1": sha256(f"{one.rule}\0{one.file}\0{one.scope}".encode()).hexdigest()},
        }
        for one in report.broken
    ]
    driver = {"name": "convcalc", "version": __version__, "rules": [{"id": rule} for rule in rules]}
    run = {"tool": {"driver": driver}, "results": results, "columnKind": "unicodeCodePoints"}
    log = {"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "runs": [run]}
    stream.write(json.dumps(log, indent=1) + "\n")
