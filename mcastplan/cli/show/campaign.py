"""``campaign`` on one screen: the answer, then the ends of the curves."""

from __future__ import annotations

from collections.abc import Sequence

from mcastplan.cli.show.page import Column, Page, some
from mcastplan.model.campaign import Campaign, ChurnPoint
from mcastplan.study.crossings import MEASURES, PAIRS, percent, shown, tried, verdict
from mcastplan.units import counted, show_size, show_time

NONE = "-"


def show_campaign(result: Campaign, page: Page) -> str:
    page.heading(
        f"{result.scenario}: {result.pushes:,} pushes of {result.transfer}"
        f" ({show_size(result.size_bytes)}), each to {result.receivers:,} of {result.pool:,} clouds"
    )
    if result.unreachable:
        clouds = counted(len(result.unreachable), "cloud")
        page.line(f"UNREACHABLE: {clouds}: {some(result.unreachable)}", style="bold red")
    if result.full_of_background:
        page.line(f"NO ROOM on the way of some pushes: {result.full_of_background}")
    for row in result.schemes:
        if not row.feasible:
            page.line(f"{row.name} is not feasible here: {row.reason}")
    for number in _picked(result):
        page.line()
        _point(page, result, number)
    if result.crossings:
        page.line()
        _crossings(page, result)
    page.line()
    for sentence in result.because[: len(PAIRS)]:
        page.bullet(sentence)
    hardware = _hardware(result)
    if hardware:
        page.line(hardware)
    page.line(
        "More: --report DIR (curves), --json FILE"
        f" ({counted(len(result.assumptions), 'assumption')}, every churn)"
    )
    return page.text()


def _picked(result: Campaign) -> list[int]:
    """The first point where anything changes, and the last: a screen has no room for more."""
    points = next((row.points for row in result.schemes if row.points), ())
    moving = [number for number, point in enumerate(points) if point.effective > 0]
    if not moving:
        return [0] if points else []
    return sorted({moving[0], moving[-1]})


def _point(page: Page, result: Campaign, number: int) -> None:
    served = [row for row in result.schemes if row.points]
    point = served[0].points[number]
    columns = [
        Column(f"{percent(point.effective)} of the\nreceivers change"),
        Column("set-up,\nmean"),
        Column("messages"),
        Column("writes"),
        Column("state,\nall"),
        Column("time to\nready"),
        Column("later\nby"),
    ]
    soonest = min(row.points[number].ready_s for row in served)
    page.table(columns, [(row.name, *_cells(row.points[number], soonest)) for row in served])


def _cells(point: ChurnPoint, soonest_s: float) -> Sequence[str]:
    return (
        show_time(point.setup_s),
        shown("messages", point.messages),
        shown("writes", point.writes),
        shown("state_sum", point.state_sum),
        show_time(point.ready_s),
        show_time(point.ready_s - soonest_s) if point.ready_s > soonest_s else NONE,
    )


def _crossings(page: Page, result: Campaign) -> None:
    found = result.crossings
    pairs = [pair for pair in PAIRS if any(each.fixed == pair[0] for each in found)]
    columns = [Column(f"which is better,\n{tried(result.searched)}")]
    columns += [Column(f"{fixed} or {changing}", wrap=True) for fixed, changing in pairs]
    by = {(each.measure, each.fixed): each for each in found}
    rows = [
        (title, *(verdict(by[measure, fixed]) for fixed, _ in pairs))
        for measure, title in MEASURES.items()
    ]
    page.table(columns, rows)


def _hardware(result: Campaign) -> str:
    """The fullest router of each scheme with trees, and what real multicast tables hold."""
    peaks = {
        row.name: max(point.state_peak for point in row.points)
        for row in result.schemes
        if row.points and row.name in {fixed for fixed, _ in PAIRS}
    }
    sizes = sorted(result.limits.items(), key=lambda item: (item[1], item[0]))
    if not peaks or not sizes:
        return ""
    return (
        "State of one push on the fullest router, its change included:"
        f" {', '.join(f'{name} {peak:,}' for name, peak in peaks.items())}; hardware multicast"
        f" tables hold {', '.join(f'{size:,} ({name})' for name, size in sizes)}"
    )
