"""Check the limits of a network from all sources: the tables of `convcalc check`, and a function for test suites.

Every limit of every source applies: the spec's, the project's, those of a command line or a call. None replaces
another, so none can loosen one; a limit without effect, because a stricter one applies, is reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.analysis.compare import compare as compare_figures
from convcalc.analysis.count import Count, count
from convcalc.analysis.expect import compare
from convcalc.budgets.baseline import Baseline
from convcalc.budgets.config import NEW, ProjectConfig, project_config
from convcalc.budgets.findings import expect_result, finding_lines, limit_result, new_result
from convcalc.budgets.limits import (
    FIGURES,
    LEVELS,
    SHAPES,
    Limit,
    declared_precision,
    parse_limit,
    read_limits,
)
from convcalc.budgets.measure import BaseNetwork, check_limits
from convcalc.budgets.verdict import COLUMNS, Verdict
from convcalc.errors import Problem, SpecError, UserError, did_you_mean, printable, quoted
from convcalc.kinds import shape_text
from convcalc.language.input_shapes import parse_shape
from convcalc.language.overrides import Overrides, overrides_of
from convcalc.loader import SpecName, graph, graph_at
from convcalc.report import Finding, Table
from convcalc.tables.count import lower_bound, spec_facts, title

if TYPE_CHECKING:
    from convcalc.budgets.changes import Changes


class NoLimits(SpecError):
    """A network has no limits to check."""


class Base(NamedTuple):
    """The git revision that limits on growth compare with ("": none), and the level of a network that is not in it.

    `new` is error, warn or ok; "" is that of the project's configuration, else warn. `project` is the configuration as
    it was at the revision, `advice` how to give one.
    """

    revision: str = ""
    new: str = ""
    project: ProjectConfig | None = None
    advice: str = "give --base REV"


class OverBudget(AssertionError):
    """A network exceeds its limits; the text is what `convcalc check` prints, `verdict` holds the figures."""

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
    new: str = "",
    **most: Any,
) -> Verdict:
    """Hold a network to its budget, for test suites: `convcalc.check("net.yaml", params="5M")`.

    Limits come from the spec, the project's configuration (`settings`: its file, "" the nearest, None none), and
    `most`: a figure and the most it may be, or `output` and its shape. `base`: the git revision for increases; `new`:
    error, warn or ok where the network is not in it.
    Raises OverBudget, an AssertionError, where a limit is exceeded; SpecError where there is none or one is invalid.

    >>> verdict = check("reduce-5x5-2-bottleneck", params=17_000)
    >>> [(row["value"], row["headroom"]) for row in verdict.rows if row["source"] == "params="]
    [(16944, 56)]
    """
    overrides = overrides_of(variables, variant, inputs, batch, deploy)
    project = None if settings is None else project_config(settings)
    if new not in ("", *NEW):
        raise SpecError(f"new={quoted(new)}", did_you_mean(new, NEW))
    verdict = judge(SpecName.parse(str(spec)), parse_limits(most, "{}="), project, Base(base, new), overrides)
    if not verdict.passed:
        raise OverBudget(verdict)
    return verdict


def parse_limits(most: Mapping[str, Any], option: str) -> list[Limit]:
    """Parse limits by their figure; `option` is the format of the option that gives one. Raises SpecError."""
    limits = []
    for figure, value in most.items():
        name = option.format(figure.replace("_", "-") if "-" in option else figure)
        if figure not in FIGURES and figure not in SHAPES:
            raise SpecError(f"{name}: no figure {quoted(figure)}", did_you_mean(figure, [*FIGURES, *SHAPES]))
        try:
            if figure in SHAPES:
                limits.append(Limit(figure, value=shape_text(parse_shape(str(value))), option=name))
            else:
                limits.append(Limit(figure, at_most=parse_limit(figure, str(value)), option=name))
        except UserError as error:
            raise SpecError(f"{name.rstrip('=')}: {error.message}", error.hint) from None
    return limits


def judge(
    spec: SpecName,
    outside: Sequence[Limit],
    project: ProjectConfig | None,
    base: Base,
    overrides: Overrides,
    baseline: Baseline | None = None,
    update: str | None = None,
) -> Verdict:
    """Check every limit of a network. Raises SpecError where there is none.

    `outside` are limits of a command line or a call. With `update` the figures are recorded in the baseline first;
    `update` is the reason for higher figures, "" refuses them.
    """
    counted = count(graph(spec, overrides))
    updated = baseline.update(spec, counted, update) if baseline is not None and update is not None else []
    limits = _gather_limits(counted, spec, outside, project)
    expected = compare(counted)
    if not limits and not expected and baseline is None:
        raise NoLimits(f"{quoted(spec.text)} has no limits to check", "write a budget: in it, or give --max-params N")
    if not base.revision:
        _refuse_increases(limits, base.advice)
    before = _at_base(spec, base.revision, overrides)
    changes = _changes(before, counted)
    name = title(counted.graph)
    recorded = baseline.check(spec, counted) if baseline is not None else []
    checked = [*check_limits(counted, limits, before.counted), *recorded]
    results = [limit_result(limit, spec, name, changes) for limit in checked]
    results += [expect_result(total, name) for total in expected]
    growth = [limit for limit in limits if limit.needs_base] if before.counted is None else []
    notes = _base_notes(before)
    if growth:
        level = base.new or (project.new if project else "") or "warn"
        results.append(new_result(growth, level, spec, base.revision, name))
        notes = []
    remarks = [*notes, *_bounds(counted), *updated, *_without_effect(limits)]
    facts = {**spec_facts(counted.graph), **_facts(counted, before, changes)}
    if before.counted is not None:
        facts["limits_changed"] = _limit_changes(before.counted, spec, base.project, limits, outside)
    return _verdict(counted, spec, results, remarks, facts, len(growth))


def _verdict(
    counted: Count,
    spec: SpecName,
    results: Sequence[tuple[list[Any], Finding]],
    remarks: Sequence[str],
    facts: Mapping[str, Any],
    unchecked: int,
) -> Verdict:
    name = title(counted.graph)
    findings = [finding._replace(spec=spec.path) for _, finding in results]
    about = filter(None, [counted.graph.provenance.note])
    table = Table(name, COLUMNS, [row for row, _ in results], None, [*finding_lines(findings), *remarks, *about])
    return Verdict(table, findings, unchecked, remarks, spec.text, facts)


def _facts(counted: Count, before: BaseNetwork, changes: Changes | None) -> dict[str, Any]:
    """For programs: the figures, and what they and the network were at the base."""
    if changes is not None:
        return {"is_new": False, **changes.facts()}
    figures = {total.figure: {"after": total.values[0]} for total in compare_figures([counted])}
    return {"is_new": bool(before.revision), "base": None, "figures": figures}


def _changes(before: BaseNetwork, counted: Count) -> Changes | None:
    if before.counted is None:
        return None
    from convcalc.budgets.changes import Changes

    return Changes(before, before.counted, counted)


def _limit_changes(
    before: Count, spec: SpecName, project: ProjectConfig | None, limits: Sequence[Limit], outside: Sequence[Limit]
) -> list[dict[str, str]]:
    """Which limits the spec and the configuration had at the base, and have no more."""
    from convcalc.budgets.changes import limit_changes

    try:
        return limit_changes(_gather_limits(before, spec, outside, project), limits)
    except SpecError:  # limits that were invalid are limits that were none
        return limit_changes([], limits)


def _refuse_increases(limits: Sequence[Limit], advice: str) -> None:
    """Raise SpecError at the first limit on an increase, which cannot be checked without a base."""
    for limit in limits:
        if limit.needs_base:
            text = "a limit on growth needs a revision to compare with"
            raise SpecError(Problem(text, limit.place, hint=advice))


def _gather_limits(
    counted: Count, spec: SpecName, outside: Sequence[Limit], project: ProjectConfig | None
) -> list[Limit]:
    """The limits of all sources, the nearest last; bytes in the precision that each declares, else the spec's."""
    own = counted.graph.provenance.budget
    shared = project.budgets_of(spec) if project else []
    declared = filter(None, map(declared_precision, (own, *shared)))
    precision = next(declared, Limit("").precision)
    project_limits = [limit for node in shared for limit in read_limits(node, precision)]
    return [*project_limits, *read_limits(own, precision), *(limit._replace(precision=precision) for limit in outside)]


def _bounds(counted: Count) -> list[str]:
    """A line that says so where figures are lower bounds: a limit that holds for them may be exceeded."""
    return [lower_bound(counted)] if counted.uncounted else []


def _without_effect(limits: Sequence[Limit]) -> list[str]:
    """A line for each limit without effect, because a stricter one from another source applies."""
    lines = []
    for number, limit in enumerate(limits):
        stricter = [other for other in limits[:number] if _is_looser(limit, other)]
        if stricter:
            other = min(stricter, key=lambda limit: limit.at_most or 0)
            text = f"{limit.subject}: {limit.at_most:,} ({limit.origin}) has no effect"
            lines.append(f"{text}: {other.at_most:,} ({other.origin}) is stricter")
    return lines


def _is_looser(limit: Limit, other: Limit) -> bool:
    if limit.at_most is None or other.at_most is None:
        return False
    is_same = (limit.figure, limit.scope, limit.precision) == (other.figure, other.scope, other.precision)
    return is_same and limit.at_most > other.at_most and LEVELS.index(limit.level) >= LEVELS.index(other.level)


def _at_base(spec: SpecName, base: str, overrides: Overrides) -> BaseNetwork:
    """Count the same spec at the revision under the same options."""
    before = graph_at(base, spec, overrides) if base else None
    if before is None:
        return BaseNetwork(None, base)
    return BaseNetwork(count(before.graph), base, before.commit, before.moved_from)


def _base_notes(before: BaseNetwork) -> list[str]:
    """What a reader should know of the network at the base."""
    revision = printable(before.revision)
    if before.revision and before.counted is None:
        return [f"new: it does not exist at {revision}; limits on growth do not apply"]
    return [f"moved: compared with {printable(before.moved_from)} at {revision}"] if before.moved_from else []
