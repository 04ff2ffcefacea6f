"""Whether a network keeps its limits, wherever they come from: what `check` prints, and a function for test suites.

Every limit of every source holds: the spec's, the project's settings', those of a command line or a call. None replaces
another, so none can loosen one; a limit that says nothing because a stricter one holds is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from convcalc.analysis.count import Count, count
from convcalc.analysis.expect import compare
from convcalc.budgets.baseline import Baseline
from convcalc.budgets.config import Config, config
from convcalc.budgets.limits import (
    LEVELS,
    METRICS,
    SHAPES,
    Checked,
    Limit,
    limits,
    needs_base,
    precision,
    quantity,
)
from convcalc.budgets.limits import check as check_limits
from convcalc.errors import Problem, SpecError, UserError, did_you_mean, printable, quoted
from convcalc.kinds import shape_text
from convcalc.language.input_shapes import parse_shape
from convcalc.language.overrides import Overrides, overrides_of
from convcalc.loader import SpecName, graph, graph_at
from convcalc.report import Column, Finding, Table
from convcalc.tables.count import title

COLUMNS = (
    Column("rule", "limit on", "text"),
    Column("value", "value", "exact"),
    Column("limit", "limit", "exact"),
    Column("headroom", "headroom", "exact", optional=True),
    Column("level", "", "text"),
    Column("heaviest", "most of it", "text"),
    Column("source", "from", "text", optional=True),
)

SAID = {"error": "broken", "warn": "to warn of", "info": "to know of"}


class Verdict(NamedTuple):
    """What became of the limits of one network: a table with a row for each, and a finding for each."""

    table: Table
    findings: Sequence[Finding]

    @property
    def passed(self) -> bool:
        """Whether every limit of level error holds."""
        return all(finding.level != "error" for finding in self.findings)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the table by their keys: rule, value, limit, headroom, level, heaviest, source."""
        keys = [column.key for column in self.table.columns]
        return [dict(zip(keys, row, strict=True)) for row in self.table.rows]

    def __str__(self) -> str:
        from convcalc.formats.table import plain

        return "\n".join(plain(self.table, exact=True))


def summary(verdicts: Sequence[Verdict]) -> str:
    """One line on all of it.

    >>> summary([check("reduce-5x5-2-bottleneck", params=17_000)])
    '3 limits, 1 network: all hold'
    """
    levels = [finding.level for verdict in verdicts for finding in verdict.findings]
    parts = [f"{levels.count(level)} {word}" for level, word in SAID.items() if level in levels]
    what = f"{len(levels)} limit{'s'[: len(levels) != 1]}, {len(verdicts)} network{'s'[: len(verdicts) != 1]}"
    return f"{what}: {', '.join(parts) or 'all hold'}"


class OverBudget(AssertionError):
    """A network does not keep its limits; the text is what `convcalc check` prints, `verdict` holds the figures."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"{verdict}")
        self.verdict = verdict


def check(
    spec: Any,
    variables: Mapping[str, Any] | None = None,
    variant: str = "",
    inputs: str | Sequence[str] = (),
    batch: int = 1,
    deploy: bool = False,
    base: str = "",
    settings: str | None = "",
    **most: Any,
) -> Verdict:
    """Hold a network to its budget, for test suites: `convcalc.check("net.yaml", params="5M")`.

    Limits come from the spec, the project's settings (`settings`: another file; None: none), and `most`: a metric and
    the most it may be, or `output` and its shape. `base`: a git revision that limits on growth are measured against.
    Raises OverBudget, an AssertionError, where one is broken; SpecError where there is none, or one makes no sense.

    >>> verdict = check("reduce-5x5-2-bottleneck", params=17_000)
    >>> [(row["value"], row["headroom"]) for row in verdict.rows if row["source"] == "params="]
    [(16944, 56)]
    """
    overrides = overrides_of(variables, variant, inputs, batch, deploy)
    own = None if settings is None else config(settings)
    verdict = judge(str(spec), given(most, "{}="), own, base, overrides)
    if not verdict.passed:
        raise OverBudget(verdict)
    return verdict


def given(most: Mapping[str, Any], option: str) -> list[Limit]:
    """Limits from outside of any file, each named by its option. Raises SpecError."""
    found = []
    for metric, value in most.items():
        name = option.format(metric.replace("_", "-") if "-" in option else metric)
        if metric not in METRICS and metric not in SHAPES:
            raise SpecError(f"{name}: no metric {quoted(metric)}", did_you_mean(metric, [*METRICS, *SHAPES]))
        try:
            if metric in SHAPES:
                found.append(Limit(metric, value=shape_text(parse_shape(str(value))), option=name))
            else:
                found.append(Limit(metric, at_most=quantity(metric, str(value)), option=name))
        except UserError as misfit:
            raise SpecError(f"{name.rstrip('=')}: {misfit.message}", misfit.hint) from None
    return found


def judge(
    spec: str,
    outside: Sequence[Limit],
    settings: Config | None,
    base: str,
    overrides: Overrides,
    baseline: Baseline | None = None,
    update: str | None = None,
) -> Verdict:
    """Every limit of a network, as a table and as findings. Raises SpecError where there is none to check.

    With `update` the figures are recorded in the baseline first, higher ones only where it is a reason.
    """
    counted = count(graph(spec, overrides))
    updated = baseline.update(spec, counted, update) if baseline is not None and update is not None else []
    wanted = _gathered(counted, spec, outside, settings)
    expected = compare(counted)
    if not wanted and not expected and baseline is None:
        raise SpecError(f"{quoted(spec)} has no limits to check", "write a budget: in it, or give --max-params N")
    if not base and needs_base(wanted):
        first = next(limit for limit in wanted if needs_base([limit]))
        text = "a limit on growth needs to know what it was"
        raise SpecError(Problem(text, first.place, hint="give --base REV, the revision to compare with"))
    before, notes = _base(spec, base, overrides)
    name = title(counted.graph)
    rows: list[list[Any]] = []
    findings = []
    recorded = baseline.check(spec, counted) if baseline is not None else []
    for one in [*check_limits(counted, wanted, before), *recorded]:
        level = "ok" if one.ok else one.limit.level
        rows.append([one.rule, one.value, one.bound, one.headroom, level, _heaviest(one), one.limit.origin])
        place = one.limit.place
        at = (place.source.name, place.line, place.column) if place else (SpecName.parse(spec).path, 1, 1)
        findings.append(Finding(level, one.rule, one.message, *at, name))
    for figure in expected:
        level = "ok" if figure.ok else "error"
        place = figure.node.place
        rule = f"expect/{figure.key}"
        rows.append([rule, figure.actual, figure.stated, None, level, "", str(place).rpartition(":")[0]])
        text = "" if figure.ok else f"{figure.key} is {figure.actual}, expect: says {figure.stated}"
        findings.append(Finding(level, rule, text, place.source.name, place.line, place.column, name))
    notes += updated
    return Verdict(Table(name, COLUMNS, rows, None, [*_said(findings), *notes, *_looser(wanted)]), findings)


def as_finding(problem: Problem, spec: str) -> Finding:
    """A spec that cannot be checked, as a finding: a report that left it out would look like a pass."""
    file, line, column = SpecName.parse(spec).path, 1, 1
    if problem.place:
        file, line, column = problem.place.source.name, problem.place.line, problem.place.column
    message = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
    return Finding("error", "spec", message, file, line, column, printable(spec))


def _said(findings: Sequence[Finding]) -> list[str]:
    """What is broken, as editors read it: place, level, message."""
    return [
        f"{printable(one.file)}:{one.line}:{one.column}: {one.level}: {one.message}" for one in findings if one.message
    ]


def _gathered(counted: Count, spec: str, outside: Sequence[Limit], settings: Config | None) -> list[Limit]:
    """The limits of all sources, the nearest last; bytes in the precision that each declares, else the spec's."""
    own = counted.graph.provenance.budget
    shared = settings.budgets_of(spec) if settings else []
    bits = next((declared for declared in map(precision, (own, *shared)) if declared), 32)
    found = [limit for node in shared for limit in limits(node, bits)]
    return [*found, *limits(own, bits), *(limit._replace(bits=bits) for limit in outside)]


def _looser(wanted: Sequence[Limit]) -> list[str]:
    """The limits that someone may believe in force, but a stricter one of a source further away holds as well."""
    found = []
    for number, limit in enumerate(wanted):
        stricter = [other for other in wanted[:number] if _is_looser(limit, other)]
        if stricter:
            other = min(stricter, key=lambda one: one.at_most or 0)
            what = " of ".join(filter(None, (limit.metric, limit.scope.partition(" ")[2])))
            text = f"{what}: {limit.at_most:,} ({limit.origin}) loosens nothing"
            found.append(f"{text}, {other.at_most:,} ({other.origin}) holds as well")
    return found


def _is_looser(limit: Limit, other: Limit) -> bool:
    if limit.at_most is None or other.at_most is None:
        return False
    is_same = (limit.metric, limit.scope, limit.bits) == (other.metric, other.scope, other.bits)
    return is_same and limit.at_most > other.at_most and LEVELS.index(limit.level) >= LEVELS.index(other.level)


def _heaviest(one: Checked) -> str:
    sign = "+" if one.rule.endswith(("increase", "ratchet", "baseline")) else ""
    return ", ".join(f"{path} {sign}{value:,}" for path, value in one.heaviest)


def _base(spec: str, base: str, overrides: Overrides) -> tuple[Count | None, list[str]]:
    """The same spec at the revision, counted under the same options; None with the reason where there is none."""
    if not base:
        return None, []
    before = graph_at(base, spec, overrides)
    if before is None:
        return None, [f"new: there is none at {base}; limits on growth do not apply"]
    return count(before), []
