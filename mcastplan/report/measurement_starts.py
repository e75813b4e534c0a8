"""Cold starts as they were measured: a lane a replica, from the request to ready, on one clock."""

from __future__ import annotations

import math

from mcastplan.model.measurement import Measurement, Replica, Run
from mcastplan.report import measurement_read as read
from mcastplan.report.axis import TimeAxis, tick_text, time_axis
from mcastplan.report.markup import attributes, esc, precise, prose, section, switch
from mcastplan.study.beside import summaries
from mcastplan.units import counted, show_time

MAX_REPLICAS = 48
MAX_PANES = 12  # the style has so many
_EDGE = 0.93  # a tick's text right of this stands left of it

# What lies before each mark of a replica, with the colour of the stage it is most like.
STAGES: tuple[tuple[str, str, str, str], ...] = (
    (
        "first_byte_s",
        "setup",
        "waits",
        "the network learns who receives, then the first byte comes",
    ),
    ("last_byte_s", "transfer", "receives", "until the last byte is there, repairs included"),
    ("verified_s", "verify", "verifies", "until the hash of every shard is right"),
    ("loaded_s", "load", "loads", "until every tensor is in memory"),
    ("ready_s", "warm_up", "gets ready", "until it says so"),
)


def starts(result: Measurement) -> str:
    found = [each for each in summaries(result) if read.shown(each).measured.replicas]
    if not found:
        return ""
    shown = found[:MAX_PANES]
    runs = [read.shown(each) for each in shown]
    last_s = max(map(_end, runs))
    axis = time_axis(0.0, last_s)
    panes = "".join(
        f'<div class="pane p{number}"{attributes(data_name=run.scheme)}>{_lanes(run, axis)}</div>'
        for number, run in enumerate(runs, 1)
    )
    choices = [(f"{each.scheme} {each.transfer}", read.name(result, each)) for each in shown]
    slowest = max(range(len(runs)), key=lambda place: _end(runs[place]))
    left = len(found) - len(shown)
    more = f"<p class=small>{counted(left, 'more push', 'more pushes')} in the JSON.</p>"
    legend = "".join(
        f'<li><i class="st-{kind}"></i><b>{esc(name)}</b> {esc(about)}'
        for _, kind, name, about in STAGES
    )
    return section(
        "cold-start",
        "Cold start, replica by replica",
        "Seconds after all replicas asked for the model, on one clock, the same axis for every"
        " scheme. The upright mark is when the planner said that the cloud's last replica would be"
        " ready.",
        f"<ul class=legend>{legend}</ul>",
        switch("starts-of", choices, slowest, panes),
        more if left > 0 else "",
    )


def _end(run: Run) -> float:
    marks = [
        value
        for replica in run.measured.replicas
        for mark, *_ in STAGES
        if (value := getattr(replica, mark)) is not None
    ]
    planned = [cloud.ready_s for cloud in run.predicted.clouds if cloud.ready_s is not None]
    return max([*marks, *planned], default=1.0)


def _lanes(run: Run, axis: TimeAxis) -> str:
    planned = {cloud.name: cloud.ready_s for cloud in run.predicted.clouds}
    replicas = sorted(
        run.measured.replicas,
        key=lambda one: (-(one.ready_s if one.ready_s is not None else math.inf), one.cloud),
    )
    rows = "".join(_lane(one, planned.get(one.cloud), axis) for one in replicas[:MAX_REPLICAS])
    left = len(replicas) - MAX_REPLICAS
    more = f"<p class=lane-more>and {counted(left, 'more replica')}</p>" if left > 0 else ""
    said = "the slowest replicas first"
    if run.failure is not None:
        said += "; the red line is the failure"
    return (
        f"<div class=lanes><p class=lane-head><b>replicas</b><span>{esc(said)}</span></p>"
        f"<div class=rows>{_grid(axis)}{rows}{more}{_failure(run, axis)}</div>{_ticks(axis)}</div>"
    )


def _lane(one: Replica, planned_s: float | None, axis: TimeAxis) -> str:
    label = f"{one.cloud} {one.index}"
    bars, lines = [], []
    before = 0.0
    for mark, kind, name, _ in STAGES:
        at = getattr(one, mark)
        if at is None:
            break
        at = max(at, before)
        if at > before:
            bars.append(_bar(kind, before, at, axis))
            lines.append(f"{name} {show_time(at - before)}, until {show_time(at)}")
        before = at
    if one.outage_s:
        lines.append(f"missed packets for {show_time(one.outage_s)}")
    if one.why:
        lines.append(one.why)
    if planned_s is not None:
        lines.append(f"predicted ready after {show_time(planned_s)}")
        place = f"left:{100 * axis.place(planned_s):.2f}%"
        bars.append(f'<u style="{place}"></u>')
    ready = one.status == "ready" and one.ready_s is not None
    said = show_time(one.ready_s or 0.0) if ready else one.status
    value = attributes(data_v=precise(one.ready_s)) if ready else " class=lost"
    tip = "\n".join([label, *lines])
    return (
        f"<div class=lane{attributes(data_name=label, data_tip=tip)}>"
        f"<span{attributes(title=label)}>{esc(label)}</span>"
        f"<div class=track>{''.join(bars)}</div><b{value}>{prose(said)}</b></div>"
    )


def _bar(kind: str, begin: float, end: float, axis: TimeAxis) -> str:
    left, right = 100 * axis.place(begin), 100 * axis.place(end)
    return f'<i class="st-{kind}" style="left:{left:.2f}%;width:{right - left:.2f}%"></i>'


def _grid(axis: TimeAxis) -> str:
    lines = "".join(f'<i style="left:{100 * axis.place(at):.2f}%"></i>' for at in axis.ticks)
    return f"<div class=gridlines>{lines}</div>"


def _failure(run: Run, axis: TimeAxis) -> str:
    if run.failure is None:
        return ""
    instants = [run.failure.at_s, run.failure.up_at_s]
    lines = "".join(
        f'<i style="left:{100 * axis.place(at):.2f}%"></i>' for at in instants if at is not None
    )
    return f'<div class="gridlines event">{lines}</div>'


def _ticks(axis: TimeAxis) -> str:
    shown = []
    for number, at in enumerate(axis.ticks):
        place = axis.place(at)
        kind = " ".join(
            word for on, word in ((place > _EDGE, "last"), (number % 2 == 1, "odd")) if on
        )
        name = attributes(class_=kind or None)
        shown.append(f'<span{name} style="left:{100 * place:.2f}%">{prose(tick_text(at))}</span>')
    return f"<div class=ticks>{''.join(shown)}</div>"
