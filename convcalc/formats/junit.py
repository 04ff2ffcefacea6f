"""JUnit XML: a suite a network, a case a limit; those that hold are cases too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TextIO

from convcalc.formats._findings import path
from convcalc.formats._xml import xml
from convcalc.report import UNREADABLE_RULE, Finding, Report

OF_FINDINGS = True


def write(report: Report, stream: TextIO) -> None:
    """Write a suite for each network. Findings of level error are failures, what cannot be checked is an error."""
    suites: dict[tuple[str, str], list[Finding]] = {}
    for one in report.findings:
        suites.setdefault((one.scope, one.spec), []).append(one)
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="convcalc">\n')
    for (scope, spec), findings in suites.items():
        words = [_word(one) for one in findings]
        numbers = f'tests="{len(findings)}" failures="{words.count("failure")}" errors="{words.count("error")}"'
        stream.write(f' <testsuite name="{xml(scope)}" {numbers} file="{xml(path(spec or findings[0].file))}">\n')
        for name, one, word in zip(_names(findings), findings, words, strict=True):
            location = f'file="{xml(path(one.file))}" line="{one.line}"'
            stream.write(f'  <testcase name="{xml(name)}" classname="{xml(scope)}" {location}>')
            if word:
                text = f"{xml(path(one.file))}:{one.line}"
                stream.write(f'<{word} message="{xml(one.message)}">{text}</{word}>')
            elif one.message:
                stream.write(f"<system-out>{xml(f'{one.level}: {one.message}')}</system-out>")
            stream.write("</testcase>\n")
        stream.write(" </testsuite>\n")
    if report.verdict:
        stream.write(' <testsuite name="verdict" tests="0" failures="0" errors="0">\n')
        stream.write(f"  <system-out>{xml(report.verdict)}</system-out>\n </testsuite>\n")
    stream.write("</testsuites>\n")


def _word(finding: Finding) -> str:
    """The element of a finding in its case; "" for one that fails nothing."""
    if finding.level != "error":
        return ""
    return "error" if finding.rule == UNREADABLE_RULE else "failure"


def _names(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield a name for each case of a suite that no other has: the rule, with the limit's file and a number if needed.

    >>> list(_names([Finding("ok", "params", "", file) for file in ("a.yaml", "b.yaml", "b.yaml")]))
    ['params (a.yaml)', 'params (b.yaml)', 'params (b.yaml) 2']
    """
    rules = Counter(one.rule for one in findings)
    names = [one.rule if rules[one.rule] == 1 else f"{one.rule} ({path(one.file)})" for one in findings]
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} {seen[name]}"
