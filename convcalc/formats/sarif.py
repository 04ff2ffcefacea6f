"""SARIF 2.1.0, for code scanning."""

from __future__ import annotations

import re
from typing import Any, TextIO

from convcalc import __version__
from convcalc.errors import printable
from convcalc.formats._findings import fingerprints, path
from convcalc.formats.json import encode
from convcalc.report import Report

OF_FINDINGS = True
LEVELS = {"error": "error", "warn": "warning", "info": "note"}


def write(report: Report, stream: TextIO) -> None:
    """Write one run with a result for each finding."""
    rules = list(dict.fromkeys(one.rule for one in report.broken))
    results = [
        {
            "ruleId": one.rule,
            "ruleIndex": rules.index(one.rule),
            "level": LEVELS[one.level],
            "message": {"text": _text(f"{one.scope}: {one.message}")},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(path(one.file))},
                        "region": {"startLine": one.line, "startColumn": one.column},
                    }
                }
            ],
            "partialFingerprints": {"convcalc/v1": fingerprint},
        }
        for one, fingerprint in zip(report.broken, fingerprints(report.broken), strict=True)
    ]
    driver = {"name": "convcalc", "version": __version__, "rules": [_rule(rule, report) for rule in rules]}
    run: dict[str, Any] = {"tool": {"driver": driver}, "results": results, "columnKind": "unicodeCodePoints"}
    if report.verdict:
        is_whole = "error" not in report.facts
        note = {"message": {"text": _text(report.verdict)}, "level": "note" if is_whole else "error"}
        run["invocations"] = [{"executionSuccessful": is_whole, "toolExecutionNotifications": [note]}]
        run["properties"] = {"verdict": report.facts.get("verdict", {})}
    log = {"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "runs": [run]}
    stream.write(encode(log, indent=1) + "\n")


def _rule(rule: str, report: Report) -> dict[str, Any]:
    """A rule's id, what it means, and what to do where it is broken."""
    known = report.rules.get(rule)
    if known is None:
        return {"id": rule}
    description, advice = _text(printable(known.description)), _text(printable(known.help))
    return {
        "id": rule,
        "shortDescription": {"text": description},
        "fullDescription": {"text": description},
        "help": {"text": advice},
    }


def _uri(path: str) -> str:
    from urllib.parse import quote

    return f"file://{quote(path)}" if path.startswith("/") else quote(path)


def _text(text: str) -> str:
    """Text without the two things that SARIF gives a meaning: placeholders and links.

    >>> print(_text("{0} [here](http://x)"))
    {{0}} [here\\](http://x)
    """
    return re.sub(r"\{([0-9]+)\}", r"{{\1}}", text).replace("](", "\\](")
