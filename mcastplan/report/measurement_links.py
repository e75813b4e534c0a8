"""Bytes that interface counters saw on every busy link, beside those of the plan."""

from __future__ import annotations

from mcastplan.model.measurement import Measurement
from mcastplan.report import measurement_read as read
from mcastplan.report.colours import colour
from mcastplan.report.markup import attributes, esc, percent, precise, prose, section, switch
from mcastplan.report.measurement_tables import link_row
from mcastplan.study.beside import LIMITS, Row, Summary, show, summaries
from mcastplan.units import counted

MAX_LINKS = 40
MAX_PANES = 12  # the style has so many


def links(result: Measurement) -> str:
    found = [each for each in summaries(result) if each.links]
    if not found:
        return ""
    shown = found[:MAX_PANES]
    most = max(
        max(row.measured or 0.0, row.predicted or 0.0) for each in shown for row in each.links
    )
    panes = "".join(
        f'<div class="pane p{number}"{attributes(data_name=each.scheme)}>'
        f"{_pane(each, colour(each.scheme, number), most)}</div>"
        for number, each in enumerate(shown, 1)
    )
    choices = [(f"{each.scheme} {each.transfer}", read.name(result, each)) for each in shown]
    return section(
        "links",
        "Bytes on the wire",
        "Each direction of each link that carried over 1 MB, by interface counters: bar and number"
        " are measured; the upright mark is the plan, with headers, UFTP, hellos, BFD and the"
        " probe. The same scale for every scheme.",
        switch("links-of", choices, 0, panes),
    )


def _pane(each: Summary, kind: str, most: float) -> str:
    rows = sorted(each.links, key=lambda row: (-(row.predicted or 0.0), row.what))
    near = sum(1 for row in rows if row.within)
    head = (
        f"<p class=small>{near:,} of {counted(len(rows), 'arc')} within"
        f" {100 * LIMITS['link']:.0f} % of the plan.</p>"
    )
    drawn = "".join(_row(row, kind, most) for row in rows[:MAX_LINKS])
    left = len(rows) - MAX_LINKS
    more = f"<p class=small>{counted(left, 'more arc')} in the JSON result.</p>" if left > 0 else ""
    return f'{head}<div class="stack starts wires">{drawn}</div>{more}'


def _row(row: Row, kind: str, most: float) -> str:
    measured = row.measured or 0.0
    mark = ""
    if row.predicted is not None:
        mark = f'<u style="left:{percent(row.predicted, most)}"></u>'
    far = " class=lost" if row.within is False else ""
    tip = f"{row.what}\nmeasured {show(row, row.measured)}\nplan {show(row, row.predicted)}"
    value = attributes(data_v=precise(row.measured)) if row.measured is not None else ""
    return (
        f"<div{attributes(data_name=row.what, data_tip=tip)}><span>{prose(row.what)}</span>"
        f'<div><i class={kind} style="width:{percent(measured, most)}"></i>{mark}</div>'
        f"<b{far}{value}>{esc(link_row(row))}</b></div>"
    )
