"""Where a replica's time goes: the stages of every cloud's last replica, as stacked bars."""

from __future__ import annotations

from mcastplan.model.results import STAGES, Comparison, ReplicaGroup, SchemeResult
from mcastplan.report import read, words
from mcastplan.report.markup import attributes, esc, percent, precise, section, switch
from mcastplan.units import counted, show_time

MAX_ROWS = 100


def stages(result: Comparison) -> str:
    schemes = read.served(result)
    if not schemes:
        return ""
    picked = read.chosen(result)
    panes = "".join(
        f'<div class="pane p{number}"{attributes(data_name=scheme.name)}>'
        f"{_bars(result, scheme)}</div>"
        for number, scheme in enumerate(schemes, 1)
    )
    choices = [(scheme.name, words.title(scheme.name)) for scheme in schemes]
    place = schemes.index(picked) if picked in schemes else 0
    return section(
        "stages",
        "Where the time goes, cloud by cloud",
        "From the request for a replica to its first answer (cold start), for the last replica of"
        " each cloud, slowest first. Stages that run behind another one cost no time and are not"
        " in the bar; they show on hover.",
        switch("stages-of", choices, place, panes),
    )


def last_groups(result: Comparison, scheme: SchemeResult) -> list[tuple[str, ReplicaGroup]]:
    """The last replicas of each cloud, slowest cloud first."""
    found = []
    for each in scheme.transfers:
        for cloud in each.clouds:
            if cloud.replica_groups:
                last = max(cloud.replica_groups, key=lambda group: group.ready_s)
                found.append((read.named(result, cloud.name, each.name), last))
    return sorted(found, key=lambda item: (-item[1].ready_s, item[0]))


def _bars(result: Comparison, scheme: SchemeResult) -> str:
    ranked = last_groups(result, scheme)
    longest = ranked[0][1].ready_s if ranked else 0.0
    present = [
        stage for stage in STAGES if any(getattr(group.stages, stage) > 0 for _, group in ranked)
    ]
    # Too short to be seen anywhere: in the legend they would name no colour on the page.
    seen = [s for s in present if any(getattr(g.stages, s) > 0.004 * longest for _, g in ranked)]
    legend = "".join(
        f'<li><i class="st-{stage}"></i><b>{esc(words.STAGES[stage][0])}</b>'
        f" {esc(words.STAGES[stage][1])}"
        for stage in seen
    )
    rows = "".join(_row(label, group, longest) for label, group in ranked[:MAX_ROWS])
    left = len(ranked) - MAX_ROWS
    more = (
        f"<p class=small>The {MAX_ROWS} slowest of {len(ranked):,}; {counted(left, 'more cloud')}"
        " in the JSON result.</p>"
        if left > 0
        else ""
    )
    return (
        f"<ul class=legend>{legend}</ul>"
        f"<div class=scroll tabindex=0><div class=stack>{rows}</div></div>{more}"
    )


def _row(label: str, group: ReplicaGroup, longest: float) -> str:
    parts = []
    for stage in STAGES:
        seconds = getattr(group.stages, stage)
        if seconds > 0:
            parts.append(f'<i class="st-{stage}" style="width:{percent(seconds, longest)}"></i>')
    return (
        f"<div{attributes(data_tip=_tip(label, group))}><span>{esc(label)}</span>"
        f"<div>{''.join(parts)}</div>"
        f"<b{attributes(data_v=precise(group.ready_s))}>{esc(show_time(group.ready_s))}</b></div>"
    )


def _tip(label: str, group: ReplicaGroup) -> str:
    lines = [f"{label}: {counted(group.count, 'replica')} ready after {show_time(group.ready_s)}"]
    for stage in STAGES:
        seconds, hidden = getattr(group.stages, stage), getattr(group.overlapped, stage)
        if seconds > 0 or hidden > 0:
            behind = f" (+ {show_time(hidden)} behind other stages)" if hidden > 0 else ""
            lines.append(f"{words.STAGES[stage][0]} {show_time(seconds)}{behind}")
    return "\n".join(lines)
