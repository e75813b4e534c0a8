"""The schemes side by side, outages by cloud, and where packets ended."""

from __future__ import annotations

from mcastplan.model.timeline import CloudTimeline, Timeline
from mcastplan.report import timeline_read as read
from mcastplan.report import words
from mcastplan.report.markup import Cell, Column, section, table
from mcastplan.report.tables import Rows
from mcastplan.report.timeline_words import some
from mcastplan.units import counted, show_size, show_time

MAX_CLOUDS = 200
MAX_LOSSES = 60

_COUNTS = ("copies", "state")
_WHEN = ("before", "peak", "after")

SUMMARY = (
    Column("scheme", words=True),
    Column("longest outage", tip="of a receiver that comes back, in its own time"),
    Column("all back after", tip="end of the last outage, since the last event before it"),
    Column("last change after", tip="when no router changes anything any more, since the event"),
    Column("lost", tip="bytes that receivers missed, summed"),
    Column("sent again", tip="bytes that the origin repaired"),
    Column("clouds lost", words=True, tip="cut off by the failure, or given up"),
    Column("last replica ready"),
    Column("later by", tip="than without the failure, over the clouds ready in both"),
)
COST = (
    Column("scheme", words=True),
    Column("copies before", tip="of one packet of each transfer, on links between routers"),
    Column("at most", tip="copies, at any time"),
    Column("after", tip="copies, when everything has settled"),
    Column("state before", tip="forwarding entries on all routers"),
    Column("at most", tip="entries, at any time"),
    Column("after", tip="entries, when everything has settled"),
)
LOSSES = (
    Column("scheme", words=True),
    Column("what became of the packets", words=True),
    Column("times"),
    Column("first, after the event"),
    Column("last, after the event"),
    Column("clouds", words=True),
)


def summary_rows(result: Timeline) -> Rows:
    rows: Rows = []
    for scheme in result.schemes:
        if not scheme.feasible:
            blank = [Cell(read.NONE)] * (len(SUMMARY) - 1)
            name = Cell(words.title(scheme.name), note=f"not possible: {scheme.reason or ''}")
            rows.append((scheme.name, [name, *blank]))
            continue
        ready = read.last_ready(scheme)
        later = None if ready is None else ready[0] - ready[1]
        missing = read.lost(scheme)
        back, settled = (read.since(result, at) for at in (scheme.restored_s, scheme.settled_s))
        lost, again = read.lost_bytes(scheme), read.repaired_bytes(scheme)
        cells = [
            Cell(words.title(scheme.name)),
            Cell(read.longest(scheme, "cut off for good"), scheme.worst_outage_s),
            Cell(read.time(back), back, read.later_event(result, scheme.restored_s)),
            Cell(read.time(settled), settled, read.later_event(result, scheme.settled_s)),
            Cell(show_size(lost), lost),
            Cell(show_size(again), again),
            Cell(some(missing, 6) if missing else "none"),
            Cell(read.time(ready[0] if ready else None), ready[0] if ready else None),
            Cell(read.NONE if later is None else read.signed(later), later),
        ]
        rows.append((scheme.name, cells))
    return rows


def cost_rows(result: Timeline) -> Rows:
    rows: Rows = []
    for scheme in result.schemes:
        counts = [getattr(scheme, f"{what}_{when}") for what in _COUNTS for when in _WHEN]
        cells = [Cell(read.NONE if count is None else f"{count:,}", count) for count in counts]
        rows.append((scheme.name, [Cell(words.title(scheme.name)), *cells]))
    return rows


def summary(result: Timeline) -> str:
    best = read.shortest(result)
    strong = best.name if best else None
    marked = " The marked row has the shortest longest outage." if best else ""
    return section(
        "schemes",
        "The schemes side by side",
        f"Click a heading to sort.{marked}",
        table(SUMMARY, summary_rows(result), strong, "summary"),
        "<h3>What it costs the network meanwhile</h3>",
        table(COST, cost_rows(result), strong, "meanwhile"),
    )


def outage_columns(result: Timeline) -> tuple[Column, ...]:
    schemes = [row for row in result.schemes if row.feasible]
    return (Column("cloud", words=True), *(Column(words.title(row.name)) for row in schemes))


def outage_rows(result: Timeline) -> tuple[Rows, int]:
    """The hardest-hit clouds first, and how many clouds there are. Those never hit are left out."""
    schemes = [row for row in result.schemes if row.feasible]
    found: dict[str, dict[str, CloudTimeline]] = {}
    missing: dict[str, set[str]] = {}
    for scheme in schemes:
        for transfer, cloud in read.clouds(scheme):
            label = read.label(scheme, transfer, cloud.name)
            if cloud.outages or cloud.outage_s is None:
                found.setdefault(label, {})[scheme.name] = cloud
        for label in read.cut_off(scheme):
            found.setdefault(label, {})
            missing.setdefault(label, set()).add(scheme.name)
    far = float("inf")

    def hardest(label: str) -> tuple[float, str]:
        gaps = [far if c.outage_s is None else c.outage_s for c in found[label].values()]
        return -max(gaps, default=far), label

    rows: Rows = []
    for label in sorted(found, key=hardest):
        cells = [Cell(label)]
        for scheme in schemes:
            hit = found[label].get(scheme.name)
            cells.append(_outage_cell(hit, scheme.name in missing.get(label, ())))
        rows.append((label, cells))
    return rows, len(rows)


def _outage_cell(cloud: CloudTimeline | None, missing: bool) -> Cell:
    if missing or (cloud is not None and cloud.outage_s is None):
        return Cell("cut off" if missing else "no end")
    if cloud is None:
        return Cell("none", 0.0)
    gaps = len(cloud.outages)
    return Cell(read.time(cloud.outage_s), cloud.outage_s, f"{gaps} gaps" if gaps > 1 else "")


def outages(result: Timeline) -> str:
    rows, total = outage_rows(result)
    if not rows:
        followed = any(row.feasible for row in result.schemes)
        text = "No receiver misses a packet under any scheme."
        if not followed:
            text = "No scheme was followed: who misses packets is not known."
        return section("outages", "Outages by cloud", text)
    more = _more(total - MAX_CLOUDS, "cloud")
    return section(
        "outages",
        "Outages by cloud",
        "The sum of each cloud's outages, the hardest hit first. Clouds that miss nothing under any"
        " scheme are left out.",
        f"<div class=scroll tabindex=0>"
        f"{table(outage_columns(result), rows[:MAX_CLOUDS], key='by-cloud')}</div>{more}",
    )


def _more(left: int, what: str) -> str:
    said = f"{counted(left, f'more {what}')} in the JSON result."
    return f"<p class=small>{said}</p>" if left > 0 else ""


def loss_rows(result: Timeline) -> Rows:
    rows: Rows = []
    for scheme in result.schemes:
        for each in read.endings(scheme):
            first, last = read.since(result, each.from_s), read.since(result, each.to_s)
            several = len(scheme.transfers) > 1
            said = f"{each.said}, {each.transfer}" if several else each.said
            cells = [
                Cell(words.title(scheme.name)),
                Cell(said),
                Cell(f"{each.times:,}", each.times),
                Cell(read.time(first), first),
                Cell("no end" if last is None else show_time(last), last),
                Cell(some(each.clouds, 6) or read.NONE),
            ]
            rows.append((scheme.name, cells))
    return rows


def losses(result: Timeline) -> str:
    rows = loss_rows(result)
    if not rows:
        return ""
    more = _more(len(rows) - MAX_LOSSES, "row")
    return section(
        "losses",
        "Where packets ended, and why",
        "Times are those at which the packets left the origin.",
        table(LOSSES, rows[:MAX_LOSSES], key="losses-table"),
        more,
    )
