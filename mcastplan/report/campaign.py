"""What `campaign` found: the chapters of its page, and the same as Markdown."""

from __future__ import annotations

from collections.abc import Callable

from mcastplan.model.campaign import Campaign, Crossing
from mcastplan.report import words
from mcastplan.report.campaign_curves import curves
from mcastplan.report.markdown_parts import bullets, chapter, table_lines, text
from mcastplan.report.markup import Cell, Column, esc, items, prose, section, table
from mcastplan.study.crossings import MEASURES, PAIRS, percent, shown, tried, verdict
from mcastplan.units import show_size, show_time

POINTS = (
    Column("scheme", words=True),
    Column("churn", tip="share of the receivers that others replaced"),
    Column("set-up, mean"),
    Column("set-up, worst"),
    Column("messages", tip="of one change, on all links and sessions"),
    Column("writes", tip="forwarding entries written or removed by one change"),
    Column("state, all routers"),
    Column("state, worst router"),
    Column("transfer"),
    Column("time to ready"),
)

Rows = list[tuple[str, list[Cell]]]


def question(result: Campaign) -> str:
    return (
        f"{show_size(result.size_bytes)} to {result.receivers:,} of {result.pool:,} clouds,"
        f" {result.pushes:,} times: what do changing receivers cost?"
    )


def headline(result: Campaign) -> str:
    """``Of 17 min 57 s to ready, at 12 churns from 0 % to 100 %, PIM-SM and BIER differ by ...``"""
    ready = [each for each in result.crossings if each.measure == "ready_s"]
    if not ready:
        return "There are no two schemes here to set against each other."
    soonest = min((row.points[-1].ready_s for row in result.schemes if row.points), default=0.0)
    most = " at most" if len(result.searched) > 1 else ""
    said = [
        f"{words.title(each.fixed)} and {words.title(each.changing)} differ by{most}"
        f" {show_time(each.most)}{_who(each)}"
        for each in ready
    ]
    where = tried(result.searched)
    return f"Of {show_time(soonest)} to ready, {where}, {'; '.join(said)}."


def _who(each: Crossing) -> str:
    if each.churn is None and each.always is None:
        return ""
    return f" (first: {verdict(each, words.title)})"


def _full(result: Campaign) -> str:
    return f"No room on the way of some pushes: {result.full_of_background}"


def answer(result: Campaign) -> str:
    missing = ""
    if result.unreachable:
        said = f"Not in the pool, for nothing leads there: {', '.join(result.unreachable)}"
        missing = f"<div class=warning>{prose(said)}</div>"
    if result.full_of_background:
        missing += f"<div class=warning>{prose(_full(result))}</div>"
    return (
        f"<header><p class=over>{esc(result.scenario)}</p>"
        f"<h1>{prose(question(result))}</h1></header>"
        f'<section id="answer"><p class=answer>{prose(headline(result))}</p>'
        "<div class=two><div><h2>Trees or bits</h2>"
        f"{table(better(result), better_rows(result))}</div>"
        f"<div><h2>Why</h2>{items(_why(result), 'because')}</div></div>{missing}</section>\n"
    )


def _why(result: Campaign) -> list[str]:
    """The verdicts on time to ready, what is out, and what state hardware holds."""
    said = [each for each in result.because if not _of_the_table(result, each)]
    if result.limits:
        sizes = sorted(result.limits.items(), key=lambda item: (item[1], item[0]))
        held = ", ".join(f"{size:,} ({name})" for name, size in sizes)
        said.append(f"hardware multicast tables hold {held}")
    return said


def _of_the_table(result: Campaign, sentence: str) -> bool:
    return any(sentence.endswith(each.sentence) for each in result.crossings)


def better(result: Campaign) -> tuple[Column, ...]:
    names = (f"{words.title(fixed)} or {words.title(bits)}" for fixed, bits in PAIRS)
    return tuple(Column(name, words=True) for name in (f"better {tried(result.searched)}", *names))


def better_rows(result: Campaign) -> Rows:
    by = {(each.measure, each.fixed): each for each in result.crossings}
    rows: Rows = []
    for measure, title in MEASURES.items():
        cells = [Cell(title)]
        for fixed, _ in PAIRS:
            each = by.get((measure, fixed))
            cells.append(Cell("-" if each is None else verdict(each, words.title)))
        rows.append((measure, cells))
    return rows


def point_rows(result: Campaign) -> Rows:
    rows: Rows = []
    for row in result.schemes:
        for point in row.points:
            cells = [Cell(words.title(row.name)), Cell(percent(point.effective), point.effective)]
            for name in ("setup_s", "setup_worst_s", "messages", "writes", "state_sum"):
                value = getattr(point, name)
                cells.append(Cell(shown(name, value), value))
            cells.append(Cell(f"{point.state_peak:,}", point.state_peak))
            cells += (Cell(show_time(value), value) for value in (point.transfer_s, point.ready_s))
            rows.append((f"{row.name} {point.churn:g}", cells))
    return rows


def points(result: Campaign) -> str:
    rows = point_rows(result)
    if not rows:
        return ""
    return section(
        "points",
        "Every churn",
        "Means over the pushes after the first.",
        f"<div class=scroll tabindex=0>{table(POINTS, rows, key='points-table')}</div>",
    )


def closing(result: Campaign) -> str:
    return section(
        "assumptions",
        "What these numbers take for granted",
        "This is a plan, computed from stated timers and capacities; nothing here was measured.",
        items(result.assumptions),
    )


CHAPTERS: tuple[Callable[[Campaign], str], ...] = (answer, curves, points, closing)


def markdown(result: Campaign) -> str:
    lines = [f"# {text(question(result))}", "", f"**{text(headline(result))}**", ""]
    lines += [*bullets(_why(result)), ""]
    lines += chapter("Not reached", bullets(result.unreachable))
    lines += [_full(result), ""] if result.full_of_background else []
    lines += ["## Trees or bits", "", *table_lines(better(result), better_rows(result)), ""]
    lines += ["## Every churn", "", *table_lines(POINTS, point_rows(result)), ""]
    lines += ["## What these numbers take for granted", "", *bullets(result.assumptions)]
    return "\n".join(lines) + "\n"
