"""JUnit XML: a suite a network, a case a limit; those that hold are cases too."""

from __future__ import annotations

from typing import TextIO

from convcalc.formats._findings import path
from convcalc.formats._xml import xml
from convcalc.report import Finding, Report

OF_FINDINGS = True


def write(report: Report, stream: TextIO) -> None:
    """Write test suites. Only findings of level error are failures."""
    suites: dict[str, list[Finding]] = {}
    for one in report.findings:
        suites.setdefault(f"{one.scope} ({path(one.file)})", []).append(one)
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="convcalc">\n')
    for name, found in suites.items():
        failures = sum(one.level == "error" for one in found)
        stream.write(f' <testsuite name="{xml(name)}" tests="{len(found)}" failures="{failures}" errors="0">\n')
        for one in found:
            stream.write(f'  <testcase name="{xml(one.rule)}" classname="{xml(one.scope)}">')
            if one.level == "error":
                stream.write(f'<failure message="{xml(one.message)}">{xml(path(one.file))}:{one.line}</failure>')
            elif one.message:
                stream.write(f"<system-out>{xml(f'{one.level}: {one.message}')}</system-out>")
            stream.write("</testcase>\n")
        stream.write(" </testsuite>\n")
    if report.verdict:
        stream.write(' <testsuite name="verdict" tests="0" failures="0" errors="0">\n')
        stream.write(f"  <system-out>{xml(report.verdict)}</system-out>\n </testsuite>\n")
    stream.write("</testsuites>\n")
