"""What `sweep` found: the chapters of its page, and the same as Markdown."""

from __future__ import annotations

from collections.abc import Callable

from mcastplan.model.sweep import Distribution, HarmfulScheme, Sweep
from mcastplan.report import sweep_words, words
from mcastplan.report.closing import failure_closing
from mcastplan.report.markdown_parts import bullets, chapter, table_lines, text
from mcastplan.report.markup import Cell, Column, esc, items, prose, section, table
from mcastplan.report.sweep_charts import strips, touched
from mcastplan.report.sweep_map import harm_map, remedy_said
from mcastplan.report.sweep_words import headline
from mcastplan.report.tables import Rows
from mcastplan.report.timeline_words import some
from mcastplan.units import show_time

__all__ = ["CHAPTERS", "headline", "markdown"]

SCHEMES = (
    Column("scheme", words=True),
    Column("without failure", tip="completion of the push"),
    Column("p50", tip="half of the failures are not worse"),
    Column("p90"),
    Column("p99"),
    Column("worst"),
    Column("touch", tip="failures that change anything for it"),
    Column("hurt", tip="failures after which somebody is served later or not at all"),
    Column("cut somebody off", tip="failures after which it does not reach a cloud"),
    Column("most clouds cut off"),
)
OUTAGES = (
    Column("scheme", words=True),
    Column("p50", tip="half of the failures are not worse"),
    Column("p90"),
    Column("p99"),
    Column("worst"),
    Column("failures with an outage"),
)


def _question(result: Sweep) -> str:
    return f"Which of our {sweep_words.kind(result, 2)} must never fail during a push?"


def _answer(result: Sweep) -> str:
    return (
        f"<header><p class=over>{esc(result.scenario)}</p>"
        f"<h1>{prose(_question(result))}</h1></header>"
        f'<section id="answer"><p class=answer>{prose(headline(result))}</p>'
        f"<p class=lead>{prose(sweep_words.scope(result))}</p>"
        f"<h2>Why</h2>{items(result.because, 'because')}{_refused(result)}</section>\n"
    )


def _refused(result: Sweep) -> str:
    lines = _refused_lines(result)
    return f"<div class=warning><h2>Not possible here</h2>{items(lines)}</div>" if lines else ""


def _refused_lines(result: Sweep) -> list[str]:
    return [f"{words.title(row.name)}: {row.reason}" for row in result.schemes if not row.feasible]


def scheme_rows(result: Sweep) -> Rows:
    rows: Rows = []
    for row in sweep_words.feasible(result):
        push, gone = row.completion_s, row.unreachable
        cut = sweep_words.raised(gone)
        cells = [Cell(words.title(row.name), note=_trees(row.repaired, row.fresh))]
        cells.append(_time(push.base if push else None))
        cells += _quantiles(push, "p50", "p90", "p99", "worst")
        hurt = sweep_words.hurt(result, row)
        cells.append(Cell(f"{row.touched:,}", row.touched))
        cells.append(Cell(f"{hurt:,}", hurt))
        cells.append(Cell(f"{len(cut):,}", len(cut)))
        cells.append(Cell(f"{max(cut, default=0):,.0f}", max(cut, default=0)))
        rows.append((row.name, cells))
    return rows


def outage_rows(result: Sweep) -> Rows:
    rows: Rows = []
    for row in sweep_words.feasible(result):
        found = len(sweep_words.raised(row.outage_s))
        cells = [
            Cell(words.title(row.name)),
            *_quantiles(row.outage_s, "p50", "p90", "p99", "worst"),
            Cell(f"{found:,}", found),
        ]
        rows.append((row.name, cells))
    return rows


def _trees(repaired: int, fresh: int) -> str:
    total = repaired + fresh
    return f"{fresh:,} of {total:,} trees built anew" if total else ""


def _time(seconds: float | None) -> Cell:
    return Cell(sweep_words.NONE if seconds is None else show_time(seconds), seconds)


def _quantiles(found: Distribution | None, *names: str) -> list[Cell]:
    return [_time(getattr(found, name) if found else None) for name in names]


def _schemes(result: Sweep) -> str:
    outages = ""
    if result.transient:
        outages = "<h3>Longest outage while routes converge</h3>"
        outages += table(OUTAGES, outage_rows(result), key="outages-table")
    return section(
        "schemes",
        "The schemes side by side",
        "Completion of a push that is made after the failure, over all failures. Click a heading to"
        " sort.",
        table(SCHEMES, scheme_rows(result), key="schemes-table"),
        outages,
    )


def worst_columns(result: Sweep) -> tuple[Column, ...]:
    schemes = (Column(words.title(row.name)) for row in sweep_words.feasible(result))
    failed = Column(sweep_words.kind(result), words=True)
    return (Column("rank"), failed, Column("cut off", words=True), Column("replicas"), *schemes)


def worst_rows(result: Sweep) -> Rows:
    rows: Rows = []
    for number, row in enumerate(result.worst, 1):
        cells = [
            Cell(f"{number}", number),
            Cell(row.failure),
            Cell(some(row.cut_off, 6) or "none"),
            Cell(f"{row.replicas_cut_off:,}", row.replicas_cut_off),
        ]
        cells += [
            _harm(sweep_words.of(row, scheme.name)) for scheme in sweep_words.feasible(result)
        ]
        rows.append((row.failure, cells))
    return rows


def _harm(each: HarmfulScheme | None) -> Cell:
    """``+12 s``, or a dash where clouds are lost; the outage and those clouds under it."""
    if each is None:
        return Cell(sweep_words.NONE)
    later = f"+{show_time(each.delay_s)}" if each.delay_s else "0 s"
    notes = []
    if each.unreachable:
        notes.append(f"{each.unreachable:,} not reached")
        if each.delay_s:
            notes.append(f"{later} for the others")
    if each.outage_s:
        notes.append(f"outage {show_time(each.outage_s)}")
    # No number of seconds tells how late somebody is who is never served.
    if each.unreachable or each.delay_s is None:
        return Cell(sweep_words.NONE, note=",\n".join(notes))
    return Cell(later, each.delay_s, ",\n".join(notes))


def _worst(result: Sweep) -> str:
    if not result.worst:
        return section("worst", "The worst failures", "No failure hurts anybody.")
    return section(
        "worst",
        "The worst failures",
        "By replicas cut off, then by delay. For each scheme: how much later the push completes,"
        " its outage, and clouds that it does not reach (then no delay stands for it).",
        table(worst_columns(result), worst_rows(result), key="worst-table"),
    )


def _closing(result: Sweep) -> str:
    return failure_closing(
        "stated capacities and timers",
        result.assumptions,
        sweep_words.NOT_MODELLED,
        sweep_words.GLOSSARY,
    )


CHAPTERS: tuple[Callable[[Sweep], str], ...] = (
    _answer,
    harm_map,
    _worst,
    remedy_said,
    _schemes,
    strips,
    touched,
    _closing,
)


def markdown(result: Sweep) -> str:
    lines = [f"# {text(_question(result))}", "", f"**{text(headline(result))}**", ""]
    lines += [text(sweep_words.scope(result)), ""]
    lines += [*bullets(result.because), ""] if result.because else []
    lines += chapter("Not possible here", bullets(_refused_lines(result)))
    if result.worst:
        lines += chapter(
            "The worst failures", table_lines(worst_columns(result), worst_rows(result))
        )
    said = sweep_words.remedy(result)
    lines += chapter("What to build first", [text(said)] if said else [])
    lines += chapter("The schemes side by side", table_lines(SCHEMES, scheme_rows(result)))
    if result.transient:
        rows = table_lines(OUTAGES, outage_rows(result))
        lines += chapter("Longest outage while routes converge", rows)
    lines += chapter("What these numbers take for granted", bullets(result.assumptions))
    left_out = (f"{name}: {about}" for name, about in sweep_words.NOT_MODELLED)
    lines += chapter("What is left out", bullets(left_out))
    return "\n".join(lines) + "\n"
