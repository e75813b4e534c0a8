"""`sweep` on one screen: the answer, the schemes, the failures that hurt most, what to build."""

from __future__ import annotations

import shlex

from mcastplan.cli.show.page import Column, Page
from mcastplan.model.sweep import Distribution, Harmful, Sweep
from mcastplan.report import sweep_words
from mcastplan.report.timeline_words import some
from mcastplan.units import counted, show_time

NONE = "-"
_WORST = 10
_NAMES = 2  # clouds in one line of the table


def show_sweep(result: Sweep, source: str, page: Page) -> str:
    """The screen; ``source`` is the scenario as the user named it."""
    page.heading(f"{result.scenario}: {sweep_words.scope(result)}")
    for sentence in result.because:
        page.bullet(sentence)
    page.line()
    _schemes(page, result)
    page.line()
    _worst(page, result)
    page.line(
        f"More: --json FILE ({counted(len(result.assumptions), 'assumption')}); --report DIR (map,"
        f" distributions); mcastplan compare {shlex.quote(source)}"
    )
    return page.text()


def _time(seconds: float | None) -> str:
    return NONE if seconds is None else show_time(seconds)


def _quantiles(found: Distribution | None) -> list[str]:
    if found is None:
        return [NONE] * 4
    return [_time(value) for value in (found.p50, found.p90, found.p99, found.worst)]


def _schemes(page: Page, result: Sweep) -> None:
    quantiles = [Column("p50"), Column("p90"), Column("p99"), Column("worst")]
    feasible = sweep_words.feasible(result)
    rows = []
    for row in feasible:
        push = row.completion_s
        rows.append([row.name, _time(push.base if push else None), *_quantiles(push)])
    page.table([Column("completion\nafter a failure"), Column("without"), *quantiles], rows)
    for row in result.schemes:
        if not row.feasible:
            page.line(f"{row.name} is not feasible here: {row.reason}")
    page.line()
    columns = [Column("failures that"), Column("touch"), Column("hurt"), Column("cut off")]
    counts = [
        [
            row.name,
            f"{row.touched:,}",
            f"{sweep_words.hurt(result, row):,}",
            f"{len(sweep_words.raised(row.unreachable)):,}",
        ]
        for row in feasible
    ]
    if result.transient:
        outage = [Column(f"outage\n{column.heading}") for column in quantiles]
        gaps = [_quantiles(row.outage_s) for row in feasible]
        columns += outage
        counts = [[*left, *right] for left, right in zip(counts, gaps, strict=True)]
    page.table(columns, counts)


def _worst(page: Page, result: Sweep) -> None:
    """The failures that hurt most: whom they cut off, the delay under the best and the worst
    scheme, and the longest outage under any."""
    if not result.worst:
        failures = sweep_words.failures(result, result.evaluated)
        unknown = [
            row.name
            for row in result.schemes
            if result.transient and row.feasible and row.outage_s is None
        ]
        after = (
            f" after convergence; outages under {some(unknown)} are not known" if unknown else ""
        )
        page.line(f"None of {failures} hurts anybody{after}.")
        return
    columns = [
        Column(f"worst {sweep_words.kind(result, 2)}"),
        Column("replicas\ncut off"),
        Column("least delay"),
        Column("most delay"),
    ]
    if result.transient:
        columns.append(Column("longest outage"))
    columns.append(Column("clouds cut off", wrap=True))
    rows = [
        [
            row.failure,
            f"{row.replicas_cut_off:,}",
            *_delays(row),
            *([_outage(row)] if result.transient else []),
            _cut_off(row),
        ]
        for row in result.worst[:_WORST]
    ]
    page.table(columns, rows)


def _delays(row: Harmful) -> list[str]:
    """``+2 s bier``: the least and the most of the schemes."""
    found = [(each.delay_s, each.name) for each in row.schemes if each.delay_s is not None]
    if not found:
        return [NONE, NONE]
    ends = (min(found, key=lambda item: item[0]), max(found, key=lambda item: item[0]))
    return [f"+{show_time(delay)} {name}" if delay else "none" for delay, name in ends]


def _outage(row: Harmful) -> str:
    """``657 ms sr-p2mp``; of schemes whose outages are known."""
    found = [(each.outage_s, each.name) for each in row.schemes if each.outage_s is not None]
    outage_s, name = max(found, key=lambda item: item[0], default=(None, ""))
    if outage_s is None:
        return NONE
    return f"{show_time(outage_s)} {name}" if outage_s else "none"


def _cut_off(row: Harmful) -> str:
    """Clouds that no scheme reaches; then schemes that lose more than those."""
    said = some(row.cut_off, _NAMES) or "none"
    more = [
        f"{each.name} {each.unreachable - len(row.cut_off):,}"
        for each in row.schemes
        if each.unreachable > len(row.cut_off)
    ]
    return f"{said}; more: {', '.join(more)}" if more else said
