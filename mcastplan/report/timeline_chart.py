"""The chart of a timeline: routers by time, coloured by stage, and the receivers' outages under
them on the same axis; one panel an event, the same axes for every scheme."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from mcastplan.model.change import STAGES
from mcastplan.model.timeline import RouterTimeline, SchemeTimeline, Span, Timeline
from mcastplan.report import timeline_read as read
from mcastplan.report import timeline_words, words
from mcastplan.report.markup import attributes, esc, precise, prose, section, switch
from mcastplan.report.timeline_axis import EventAxis, event_axis
from mcastplan.units import counted, show_time

MAX_ROUTERS = 40
MAX_RECEIVERS = 24
MAX_PANELS = 6

# What a router does, after all that waiting: the end of the first of these is its first change.
_ACTS = frozenset({"protect", "fib", "bift", "join", "program", "switch"})
_EDGE = 0.93  # a tick's text right of this stands left of it


class Panel(msgspec.Struct, frozen=True):
    """From an event to the next one, or for ever: ``until_s`` is infinite then."""

    event: read.Event
    until_s: float
    axis: EventAxis

    def clip(self, from_s: float, to_s: float | None) -> tuple[float, float] | None:
        """The part of an interval in this panel, in seconds after the event."""
        start = max(from_s, self.event.at_s) - self.event.at_s
        last = self.until_s if to_s is None else min(to_s, self.until_s)
        end = min(last - self.event.at_s, self.axis.end_s)
        return (start, end) if end > start else None


def charts(result: Timeline) -> str:
    schemes = [row for row in result.schemes if row.feasible]
    if not schemes or not result.failures:
        return ""
    panels = _panels(result)
    panes = "".join(
        f'<div class="pane p{number}"{attributes(data_name=scheme.name)}>'
        f"{''.join(_panel(scheme, panel) for panel in panels)}</div>"
        for number, scheme in enumerate(schemes, 1)
    )
    choices = [(scheme.name, words.title(scheme.name)) for scheme in schemes]
    longest = max(schemes, key=lambda row: row.worst_outage_s or 0.0)
    left = len(read.events(result)) - len(panels)
    more = f"<p class=small>{counted(left, 'later event')} in the JSON result.</p>" if left else ""
    return section(
        "timeline",
        "Who does what, and who waits for it",
        "Above: routers, in the order in which they change something. Below: receivers without"
        " packets, by what they wait for. Both share one time axis, which starts at the event and"
        " is the same for every scheme.",
        _legend(schemes),
        switch("timeline-of", choices, schemes.index(longest), panes),
        more,
    )


def _panels(result: Timeline) -> list[Panel]:
    found = read.events(result)
    ends = [event.at_s for event in found[1:]] + [float("inf")]
    panels = []
    for event, until_s in list(zip(found, ends, strict=True))[:MAX_PANELS]:
        instants = [
            at - event.at_s
            for scheme in result.schemes
            for at in _instants(scheme, event.at_s, until_s)
        ]
        panels.append(Panel(event, until_s, event_axis(instants)))
    return panels


def _instants(scheme: SchemeTimeline, from_s: float, until_s: float) -> list[float]:
    """What must be on the axis between two events. A gap beyond the next event is drawn up to it;
    one without an end does not stretch the axis."""
    pairs = [(span.from_s, span.to_s) for row in scheme.routers for span in row.spans]
    for _, cloud in read.clouds(scheme):
        pairs += [
            (gap.from_s, gap.from_s if gap.to_s is None else gap.to_s) for gap in cloud.outages
        ]
    return [
        at
        for begin, end in pairs
        if begin < until_s and end > from_s
        for at in (max(begin, from_s), min(end, until_s))
    ]


def _panel(scheme: SchemeTimeline, panel: Panel) -> str:
    routers, receivers = _routers(scheme, panel), _receivers(scheme, panel)
    said = f"{timeline_words.capital(panel.event.said)}, at {show_time(panel.event.at_s)}"
    head = f"<h3>{prose(said)}</h3>"
    if not routers and not receivers:
        return f"{head}<p class=small>No router changes anything, and nobody misses a packet.</p>"
    lanes = _lanes("routers", routers, MAX_ROUTERS, "router", "no router changes anything")
    none = "every receiver gets every packet"
    lanes += _lanes("receivers without packets", receivers, MAX_RECEIVERS, "receiver", none)
    return (
        f"{head}<div class=lanes><div class=rows>{_grid(panel.axis)}{lanes}"
        f"{_cuts(panel.axis)}</div>{_ticks(panel.axis)}</div>"
    )


def _lanes(what: str, rows: Sequence[str], most: int, one: str, none: str) -> str:
    if not rows:
        return f"<p class=lane-head><b>{esc(what)}</b><span>{esc(none)}</span></p>"
    left = len(rows) - most
    more = f"<p class=lane-more>and {counted(left, f'more {one}')}</p>" if left > 0 else ""
    return f"<p class=lane-head><b>{esc(what)}</b></p>{''.join(rows[:most])}{more}"


def _routers(scheme: SchemeTimeline, panel: Panel) -> list[str]:
    found = []
    for row in scheme.routers:
        spans = [(span, at) for span in row.spans if (at := panel.clip(span.from_s, span.to_s))]
        if spans:
            found.append((_first_change(row, panel), row.name, spans))
    return [
        _lane(
            name,
            "".join(_bar(f"sg-{_class(s.stage)}", at, panel, _tip(name, s, at)) for s, at in spans),
            show_time(max(at[1] for _, at in spans)),
            max(at[1] for _, at in spans),
        )
        for _, name, spans in sorted(found, key=lambda item: item[:2])
    ]


def _first_change(row: RouterTimeline, panel: Panel) -> float:
    """When it first changes a table after this event, or else when it first did anything."""
    inside = [s for s in row.spans if panel.clip(s.from_s, s.to_s)]
    acts = [span.to_s for span in inside if span.stage in _ACTS]
    return min(acts or [span.to_s for span in inside])


def _tip(name: str, span: Span, at: tuple[float, float]) -> str:
    about = STAGES.get(span.stage, "")
    return (
        f"{name}: {timeline_words.stage(span.stage)} {show_time(span.to_s - span.from_s)}"
        f" (from {show_time(at[0])} to {show_time(at[1])} after the event)"
        + (f"\n{about}" if about else "")
    )


def _receivers(scheme: SchemeTimeline, panel: Panel) -> list[str]:
    """Gaps in this panel by receiver, the worst first."""
    bars: dict[str, list[str]] = {}
    endless: set[str] = set()
    lengths: dict[str, float] = {}
    for hit in read.hits(scheme):
        at = panel.clip(hit.outage.from_s, hit.outage.to_s)
        if at is None:
            continue
        name = read.label(scheme, hit.transfer, hit.cloud.name)
        bars.setdefault(name, []).append(_gap(name, hit, panel, at))
        if hit.length_s is None:
            endless.add(name)
        lengths[name] = lengths.get(name, 0.0) + (hit.length_s or 0.0)
    return [
        _lane(name, "".join(drawn), "no end", None)
        if name in endless
        else _lane(name, "".join(drawn), show_time(lengths[name]), lengths[name])
        for name, drawn in bars.items()
    ]


def _gap(name: str, hit: read.Hit, panel: Panel, at: tuple[float, float]) -> str:
    """A gap as bars one after another, in the order in which stages meet."""
    outage, length_s = hit.outage, hit.length_s
    parts = timeline_words.in_order(outage.stages)
    why = f"\n{outage.where}" if outage.where else ""
    if length_s is None:
        back = "" if panel.until_s == float("inf") else " before the next event"
        return _bar("sg-endless", at, panel, f"{name}: no packets any more{back}{why}")
    said = timeline_words.stage_line(outage.stages)
    tip = f"{name}: {show_time(length_s)} without packets: {said}{why}"
    total = sum(seconds for _, seconds in parts)
    if not total:
        return _bar("sg-other", at, panel, tip)
    edges = [outage.from_s]
    for _, seconds in parts:
        edges.append(edges[-1] + seconds * length_s / total)
    drawn = [
        (stage, inside)
        for (stage, _), (a, b) in zip(parts, pairwise(edges), strict=True)
        if (inside := panel.clip(a, b))
    ]
    return "".join(_bar(f"sg-{_class(stage)}", inside, panel, tip) for stage, inside in drawn)


def _class(stage: str) -> str:
    return stage if stage in STAGES else "other"


def _bar(kind: str, at: tuple[float, float], panel: Panel, tip: str) -> str:
    left, right = (100 * panel.axis.place(seconds) for seconds in at)
    style = f"left:{left:.2f}%;width:{right - left:.2f}%"
    return f'<i class={kind} style="{style}"{attributes(data_tip=tip)}></i>'


def _lane(name: str, bars: str, end: str, value: float | None) -> str:
    said = attributes(data_v=precise(value)) if value is not None else ""
    return (
        f"<div class=lane{attributes(data_name=name)}><span{attributes(title=name)}>{esc(name)}"
        f"</span><div class=track>{bars}</div><b{said}>{prose(end)}</b></div>"
    )


def _grid(axis: EventAxis) -> str:
    lines = "".join(f'<i style="left:{100 * tick.place:.2f}%"></i>' for tick in axis.ticks)
    return f"<div class=gridlines>{lines}</div>"


def _cuts(axis: EventAxis) -> str:
    """Over the bars: where a stretch of time is cut out."""
    bands = "".join(
        f'<i style="left:{100 * left:.2f}%;width:{100 * (right - left):.2f}%"></i>'
        for left, right in axis.breaks
    )
    return f'<div class="gridlines cuts">{bands}</div>' if bands else ""


def _ticks(axis: EventAxis) -> str:
    shown = []
    for tick in axis.ticks:
        kind = ("last" if tick.place > _EDGE else "") + (" odd" if tick.minor else "")
        style = f"left:{100 * tick.place:.2f}%"
        name = attributes(class_=kind.strip() or None)
        shown.append(f'<span{name} style="{style}">{prose(tick.text)}</span>')
    notes = [
        "Time after the event.",
        "The axis is even at its beginning and logarithmic further right." if axis.bent else "",
        "Where it is broken nothing happens." if axis.breaks else "",
        "The number at the right: when a router is done, and how long a receiver waits.",
    ]
    said = " ".join(note for note in notes if note)
    return f"<div class=ticks>{''.join(shown)}</div><p class=small>{esc(said)}</p>"


def _legend(schemes: Sequence[SchemeTimeline]) -> str:
    """The stages on this page, each with its meaning."""
    seen = {span.stage for scheme in schemes for row in scheme.routers for span in row.spans}
    gaps = [hit for scheme in schemes for hit in read.hits(scheme)]
    seen.update(stage for hit in gaps for stage in hit.outage.stages)
    rows = [
        f'<li><i class="sg-{stage}"></i><b>{esc(timeline_words.stage(stage))}</b> {esc(about)}'
        for stage, about in STAGES.items()
        if stage in seen
    ]
    if seen - set(STAGES):
        others = ", ".join(sorted(seen - set(STAGES)))
        rows.append(f"<li><i class=sg-other></i><b>{esc(others)}</b>")
    if any(hit.length_s is None for hit in gaps):
        rows.append("<li><i class=sg-endless></i><b>no end</b> packets do not come back")
    return f'<ul class="legend stages-key">{"".join(rows)}</ul>'
