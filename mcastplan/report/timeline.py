"""What `fail` found: the chapters of its page, and the same as Markdown."""

from __future__ import annotations

from collections.abc import Callable

from mcastplan.model.change import STAGES
from mcastplan.model.timeline import SchemeTimeline, Timeline
from mcastplan.report import timeline_read as read
from mcastplan.report import timeline_words, words
from mcastplan.report.closing import failure_closing
from mcastplan.report.colours import colour
from mcastplan.report.markdown_parts import bullets, chapter, table_lines, text
from mcastplan.report.markup import attributes, esc, items, percent, precise, prose, section
from mcastplan.report.timeline_chart import charts
from mcastplan.report.timeline_starts import cold_starts
from mcastplan.report.timeline_tables import (
    COST,
    LOSSES,
    SUMMARY,
    cost_rows,
    loss_rows,
    losses,
    outage_columns,
    outage_rows,
    outages,
    summary,
    summary_rows,
)
from mcastplan.units import counted, show_time

_NAMED = 40  # clouds in one line
_NOTES = "What the schemes did, and what their protection does not cover"


def headline(result: Timeline) -> str:
    """``NL--BE fails at 10 s. Longest outage: BIER 74 ms, PIM-SM 131 ms.``"""
    ordered = read.ranked(result)
    said = f"{timeline_words.capital(timeline_words.failures(result))}. "
    if not ordered:
        return f"{said}None of the schemes is possible here."
    if not any(row.worst_outage_s or read.cut_off(row) or read.hits(row) for row in ordered):
        return f"{said}Nobody misses a packet under any scheme."
    missing = {len(read.cut_off(row)) for row in ordered}
    gaps = ", ".join(_one(row, len(missing) > 1) for row in ordered)
    always = ""
    if len(missing) == 1 and missing != {0}:
        (number,) = missing
        verb = "is" if number == 1 else "are"
        always = f" {counted(number, 'cloud')} {verb} cut off under every scheme."
    return f"{said}Longest outage: {gaps}.{always}"


def _one(scheme: SchemeTimeline, cut: bool) -> str:
    gap = read.longest(scheme)
    missing = len(read.cut_off(scheme))
    more = f" and {counted(missing, 'cloud')} cut off" if missing and cut else ""
    return f"{words.title(scheme.name)} {gap}{more}"


def _question(result: Timeline) -> str:
    if not result.failures:
        return "What does a failure do to the push?"
    return f"What happens to the push when {timeline_words.failures(result)}?"


def _answer(result: Timeline) -> str:
    best = read.shortest(result)
    mark = attributes(data_scheme=best.name, data_v=precise(best.worst_outage_s)) if best else ""
    kind = '"answer lost"' if any(map(read.lost, result.schemes)) else "answer"
    return (
        f"<header><p class=over>{esc(result.scenario)}</p>"
        f"<h1>{prose(_question(result))}</h1></header>"
        f'<section id="answer"><p class={kind}{mark}>{prose(headline(result))}</p>'
        f"<p class=lead>Timers: {esc(result.preset)}. Transport: {esc(result.profile)}.</p>"
        f"<div class=two><div><h2>Longest outage of a receiver that comes back</h2>{_bars(result)}"
        f"</div><div><h2>Why</h2>{items(result.because, 'because')}</div></div>"
        f"{_missing(result)}</section>\n"
    )


def _bars(result: Timeline) -> str:
    longest = max((row.worst_outage_s or 0.0 for row in result.schemes), default=0.0)
    rows = []
    for number, row in enumerate(result.schemes):
        name = attributes(data_name=row.name)
        if not row.feasible:
            rows.append(
                f"<div class=out{name}><span>{esc(words.title(row.name))}</span>"
                f"<small>not possible: {esc(row.reason)}</small></div>"
            )
            continue
        hit = read.worst(row)
        gap = row.worst_outage_s or 0.0
        value = attributes(data_v=precise(gap)) if hit or not read.hits(row) else ""
        said = timeline_words.stage_line(hit.outage.stages) if hit else ""
        where = f"{hit.cloud.name}: {said}" if hit and said else ""
        rows.append(
            f"<div{name}><span>{esc(words.title(row.name))}</span>"
            f"<b{value}>{esc(read.longest(row, 'cut off for good'))}</b>"
            f"{_parts(hit, colour(row.name, number), gap, longest)}"
            f"<small class=across>{prose(where)}</small></div>"
        )
    return f"<div class=race>{''.join(rows)}</div>"


def _parts(hit: read.Hit | None, plain: str, gap: float, longest: float) -> str:
    """The bar of an outage, by stage; in the scheme's colour where no stage is known."""
    if gap <= 0:
        return ""
    stages = timeline_words.in_order(hit.outage.stages) if hit else []
    inner = "".join(
        f'<i class="sg-{stage if stage in STAGES else "other"}"'
        f' style="width:{percent(seconds, sum(s for _, s in stages))}"></i>'
        for stage, seconds in stages
    )
    inner = inner or f'<i class="{plain}" style="width:100%"></i>'
    return f'<div class=parts style="width:{percent(gap, longest)}">{inner}</div>'


def _missing(result: Timeline) -> str:
    lines = _missing_lines(result)
    if not lines:
        return ""
    return f"<div class=warning><h2>Who gets no packets any more</h2>{items(lines)}</div>"


def _missing_lines(result: Timeline) -> list[str]:
    """Clouds that are lost to the same schemes are in one line."""
    everyone = tuple(row.name for row in result.schemes if row.feasible)
    lines = []
    said = {"unreachable": "cannot be reached afterwards by", "evicted": "given up by"}
    for pick, verb in said.items():
        groups: dict[tuple[str, ...], list[str]] = {}
        for cloud, schemes in read.by_clouds(result, pick).items():
            groups.setdefault(tuple(schemes), []).append(cloud)
        for names, clouds in groups.items():
            by = "any scheme" if names == everyone else ", ".join(map(words.title, names))
            lines.append(f"{timeline_words.some(clouds, _NAMED)}: {verb} {by}")
    never = list(read.by_clouds(result, "never"))
    if never:
        lines.append(
            f"{timeline_words.some(never, _NAMED)}: cannot be reached even without the failure"
        )
    return lines


def _notes(result: Timeline) -> str:
    lines = _note_lines(result)
    if not lines:
        return ""
    return section(
        "notes",
        _NOTES,
        "As each scheme says of itself; what is not covered waits for the routing protocol or the"
        " controller.",
        items(lines, "because"),
    )


def _note_lines(result: Timeline) -> list[str]:
    return [
        f"{words.title(row.name)}: {note}" for row in result.schemes for note in read.notes(row)
    ]


def _closing(result: Timeline) -> str:
    return failure_closing(
        "stated timers", result.assumptions, timeline_words.NOT_MODELLED, timeline_words.GLOSSARY
    )


CHAPTERS: tuple[Callable[[Timeline], str], ...] = (
    _answer,
    summary,
    _notes,
    charts,
    outages,
    cold_starts,
    losses,
    _closing,
)


def markdown(result: Timeline) -> str:
    lines = [f"# {text(_question(result))}", "", f"**{text(headline(result))}**", ""]
    lines += [f"Timers: {text(result.preset)}. Transport: {text(result.profile)}.", ""]
    lines += [*bullets(result.because), ""] if result.because else []
    lines += chapter("Who gets no packets any more", bullets(_missing_lines(result)))
    lines += chapter("The schemes side by side", table_lines(SUMMARY, summary_rows(result)))
    lines += chapter("What it costs the network meanwhile", table_lines(COST, cost_rows(result)))
    lines += chapter(_NOTES, bullets(_note_lines(result)))
    worst = [(row, hit) for row in read.ranked(result) if (hit := read.worst(row))]
    lines += chapter(
        "What the longest outage waits for",
        bullets(
            f"{words.title(row.name)}: {hit.cloud.name}, {show_time(hit.length_s or 0.0)}:"
            f" {timeline_words.stage_line(hit.outage.stages)}"
            for row, hit in worst
        ),
    )
    rows, _ = outage_rows(result)
    if rows:
        lines += chapter("Outages by cloud", table_lines(outage_columns(result), rows))
    ended = loss_rows(result)
    if ended:
        lines += chapter("Where packets ended", table_lines(LOSSES, ended))
    lines += chapter("What these numbers take for granted", bullets(result.assumptions))
    left_out = (f"{name}: {about}" for name, about in timeline_words.NOT_MODELLED)
    lines += chapter("What is left out", bullets(left_out))
    return "\n".join(lines) + "\n"
