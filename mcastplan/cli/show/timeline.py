"""`fail` on one screen: what failed, who missed packets for how long, what they waited for, why."""

from __future__ import annotations

import shlex

from mcastplan.cli.show.page import Column, Page, some
from mcastplan.model.timeline import SchemeTimeline, Timeline
from mcastplan.report import timeline_read as read
from mcastplan.report import timeline_words
from mcastplan.units import counted, show_size, show_time

NONE = "-"
_MAX_LOSSES = 6  # kinds of losses before "and 4 more"
_MAX_MISSING = 4  # lines about clouds that get nothing any more
_DEAD = "sent into the dead link"


def show_timeline(result: Timeline, source: str, page: Page) -> str:
    """The screen; ``source`` is the scenario as the user named it."""
    failed = timeline_words.capital(timeline_words.failures(result))
    page.heading(f"{result.scenario}: {failed or 'nothing fails'}")
    page.line(f"timers {result.preset}, transport {result.profile}")
    page.line()
    _outages(page, result)
    _missing(page, result)
    page.line()
    _starts(page, result)
    page.line()
    _waits(page, result)
    _losses(page, result)
    _why(page, result)
    page.line(
        f"More: --json FILE ({counted(len(result.assumptions), 'assumption')}, every router and"
        " cloud); --report DIR (timelines);"
        f" mcastplan compare {shlex.quote(source)}"
    )
    return page.text()


def _strong(result: Timeline) -> int | None:
    best = read.shortest(result)
    return result.schemes.index(best) if best else None


def _outages(page: Page, result: Timeline) -> None:
    columns = [
        Column("scheme"),
        Column("longest\noutage"),
        Column("all back\nafter"),
        Column("receivers\nhit"),
        Column("lost"),
        Column("sent\nagain"),
        Column("clouds\nlost"),
    ]
    rows = []
    for scheme in result.schemes:
        if not scheme.feasible:
            rows.append([scheme.name] + [NONE] * (len(columns) - 1))
            continue
        back = read.since(result, scheme.restored_s)
        later = read.later_event(result, scheme.restored_s)
        hit = sum(1 for _, cloud in read.clouds(scheme) if cloud.outages)
        rows.append(
            [
                scheme.name,
                read.longest(scheme),
                f"{read.time(back)} {later}".strip(),
                f"{hit:,}",
                show_size(read.lost_bytes(scheme)),
                show_size(read.repaired_bytes(scheme)),
                f"{len(read.lost(scheme)):,}",
            ]
        )
    page.table(columns, rows, strong=_strong(result))
    for scheme in result.schemes:
        if not scheme.feasible:
            page.line(f"{scheme.name} is not feasible here: {scheme.reason}")


def _missing(page: Page, result: Timeline) -> None:
    """Clouds that are cut off or were given up, by the schemes that lose them."""
    feasible = sum(scheme.feasible for scheme in result.schemes)
    for pick, said in (("unreachable", "UNREACHABLE afterwards by"), ("evicted", "GIVEN UP by")):
        groups: dict[tuple[str, ...], list[str]] = {}
        for cloud, schemes in read.by_clouds(result, pick).items():
            groups.setdefault(tuple(schemes), []).append(cloud)
        for names, clouds in list(groups.items())[:_MAX_MISSING]:
            by = "any scheme" if len(names) == feasible else some(names)
            count = counted(len(clouds), "cloud")
            page.line(f"{said} {by}: {count}: {some(clouds)}", style="bold red")
    never = list(read.by_clouds(result, "never"))
    if never:
        count = counted(len(never), "cloud")
        page.line(f"{count} cannot be reached even without the failure: {some(never)}")


def _starts(page: Page, result: Timeline) -> None:
    columns = [
        Column("cost of the failure"),
        Column("last\nready"),
        Column("without\nit"),
        Column("later\nby"),
        Column("copies: before,\nmost, after"),
        Column("state: before,\nmost, after"),
    ]
    rows = []
    for scheme in result.schemes:
        ready = read.last_ready(scheme)
        if not scheme.feasible:
            rows.append([scheme.name] + [NONE] * (len(columns) - 1))
            continue
        rows.append(
            [
                scheme.name,
                *(map(show_time, ready) if ready else (NONE, NONE)),
                read.signed(ready[0] - ready[1]) if ready else NONE,
                read.steps(scheme.copies_before, scheme.copies_peak, scheme.copies_after),
                read.steps(scheme.state_before, scheme.state_peak, scheme.state_after),
            ]
        )
    page.table(columns, rows, strong=_strong(result))
    _left_out(page, result)


def _left_out(page: Page, result: Timeline) -> None:
    """Clouds that never get the model have no time at which they are ready."""
    groups: dict[tuple[int, int], list[str]] = {}
    feasible = [scheme for scheme in result.schemes if scheme.feasible]
    for scheme in feasible:
        served, asked = read.get_it(scheme)
        if 0 < served < asked:
            groups.setdefault((served, asked), []).append(scheme.name)
    for (served, asked), names in groups.items():
        by = "" if len(names) == len(feasible) else f" under {some(names)}"
        page.line(
            f"last ready and later by are of the {served:,} of {counted(asked, 'cloud')} that get"
            f" the model{by}"
        )


def _waits(page: Page, result: Timeline) -> None:
    """What the longest outage waits for, under the slowest scheme and under the fastest."""
    hit = [row for row in result.schemes if row.feasible and read.worst(row)]
    if not any(row.feasible for row in result.schemes):
        page.line("No scheme was followed: who misses packets is not known.")
        return
    if not hit:
        cut = any(read.cut_off(row) for row in result.schemes)
        page.line("No other receiver misses a packet." if cut else "No receiver misses a packet.")
        return
    slowest = max(hit, key=lambda row: row.worst_outage_s or 0.0)
    fastest = min(hit, key=lambda row: row.worst_outage_s or 0.0)
    page.heading("What the longest outage waits for:")
    for scheme in dict.fromkeys((slowest.name, fastest.name)):
        page.bullet(_wait(next(row for row in hit if row.name == scheme)))


def _wait(scheme: SchemeTimeline) -> str:
    worst = read.worst(scheme)
    assert worst is not None
    name = read.label(scheme, worst.transfer, worst.cloud.name)
    stages = timeline_words.stage_line(worst.outage.stages) or "no stage known"
    return f"{scheme.name}, {name}, {show_time(worst.length_s or 0.0)}: {stages}"


def _why(page: Page, result: Timeline) -> None:
    """The answer in sentences, all of them, then what each scheme says of itself."""
    if result.because:
        page.line()
        page.heading("Why:")
        for sentence in result.because:
            page.bullet(sentence)
    said = [(row.name, notes) for row in result.schemes if (notes := read.notes(row))]
    if said:
        page.line()
        page.heading("What the schemes did, and what their protection does not cover:")
        for name, notes in said:
            page.bullet(f"{name}: {'; '.join(notes)}")


def _losses(page: Page, result: Timeline) -> None:
    """Where packets end, by scheme; the dead link itself, which every scheme meets, goes last."""
    found: dict[str, list[str]] = {}
    for scheme in result.schemes:
        for each in read.endings(scheme):
            names = found.setdefault(each.said, [])
            if scheme.name not in names:
                names.append(scheme.name)
    if not found:
        return
    page.heading("Where packets end:")
    ordered = sorted(found.items(), key=lambda item: item[0].startswith(_DEAD))
    feasible = sum(row.feasible for row in result.schemes)
    for said, names in ordered[:_MAX_LOSSES]:
        everyone = len(names) == feasible == len(result.schemes)
        page.bullet(f"{said}: {'every scheme' if everyone else some(names)}")
    if len(ordered) > _MAX_LOSSES:
        page.line(f"and {counted(len(ordered) - _MAX_LOSSES, 'more place')}")
