"""Cold starts with a failure and without it: one bar a cloud."""

from __future__ import annotations

from mcastplan.model.results import STAGES
from mcastplan.model.timeline import CloudTimeline, SchemeTimeline, Timeline
from mcastplan.report import timeline_read as read
from mcastplan.report import words
from mcastplan.report.markup import attributes, esc, percent, precise, prose, section, switch
from mcastplan.units import counted, show_time

MAX_STARTS = 20


def cold_starts(result: Timeline) -> str:
    schemes = [row for row in result.schemes if any(c.ready_s for _, c in read.clouds(row))]
    if not schemes:
        return ""
    panes = "".join(
        f'<div class="pane p{number}"{attributes(data_name=scheme.name)}>{_starts(scheme)}</div>'
        for number, scheme in enumerate(schemes, 1)
    )
    choices = [(scheme.name, words.title(scheme.name)) for scheme in schemes]
    longest = max(schemes, key=lambda row: row.worst_outage_s or 0.0)
    return section(
        "cold-start",
        "Cold start with the failure, and without",
        "Until the last replica of each cloud is ready, the most delayed clouds first. The upright"
        " mark is when it would be ready without the failure.",
        switch("starts-of", choices, schemes.index(longest), panes),
    )


def _starts(scheme: SchemeTimeline) -> str:
    found = sorted(read.clouds(scheme), key=lambda item: (-_delay(item[1]), item[1].name))
    shown = found[:MAX_STARTS]
    longest = max(max(c.ready_s or 0.0, c.ready_without_s or 0.0) for _, c in shown)
    seen = [s for s in STAGES if any(c.stages.get(s, 0.0) > 0.004 * longest for _, c in shown)]
    legend = "".join(
        f'<li><i class="st-{stage}"></i><b>{esc(words.STAGES[stage][0])}</b>'
        f" {esc(words.STAGES[stage][1])}"
        for stage in seen
    )
    rows = "".join(_start(read.label(scheme, each, c.name), c, longest) for each, c in shown)
    left = len(found) - len(shown)
    more = f"<p class=small>{counted(left, 'more cloud')} in the JSON result.</p>" if left else ""
    return f'<ul class=legend>{legend}</ul><div class="stack starts">{rows}</div>{more}'


def _delay(cloud: CloudTimeline) -> float:
    if cloud.ready_s is None:
        return float("inf")
    return cloud.ready_s - (cloud.ready_without_s or 0.0)


def _start(label: str, cloud: CloudTimeline, longest: float) -> str:
    stages = [(stage, cloud.stages[stage]) for stage in STAGES if cloud.stages.get(stage, 0.0) > 0]
    without = cloud.ready_without_s
    if cloud.ready_s is None:
        said, parts = "never", ""
    else:
        delay = "" if without is None else f" ({read.signed(cloud.ready_s - without)})"
        said = f"{show_time(cloud.ready_s)}{delay}"
        stages = stages or [("setup", cloud.ready_s)]
        parts = "".join(
            f'<i class="st-{stage}" style="width:{percent(seconds, longest)}"></i>'
            for stage, seconds in stages
        )
    mark = ""
    if without is not None:
        mark = f'<u style="left:{percent(without, longest)}"></u>'
    lines = [f"{label}: {said}; without the failure {read.time(without)}"]
    lines += [f"{words.STAGES[stage][0]} {show_time(seconds)}" for stage, seconds in stages]
    return (
        f"<div{attributes(data_name=label, data_tip=chr(10).join(lines))}><span>{esc(label)}</span>"
        f"<div>{parts}{mark}</div>"
        f"<b{attributes(data_v=precise(cloud.ready_s)) if cloud.ready_s else ''}>{prose(said)}</b>"
        "</div>"
    )
