"""Replicas ready over time: one step curve a scheme, one chart a transfer."""

from __future__ import annotations

import json

from mcastplan.model.results import Comparison, TransferResult
from mcastplan.report import read, words
from mcastplan.report.axis import TimeAxis, tick_text, time_axis
from mcastplan.report.colours import colour
from mcastplan.report.markup import attributes, esc, section, switch
from mcastplan.units import show_time

MAX_CHARTS = 12
_ALIKE = 0.008  # of the chart's width

Steps = list[tuple[float, int]]  # [s], replicas ready from then on


class Curve:
    __slots__ = ("colour", "name", "steps", "title")

    def __init__(self, name: str, number: int, steps: Steps) -> None:
        self.name, self.title, self.steps = name, words.title(name), steps
        self.colour = colour(name, number)


def curves(result: Comparison) -> str:
    names = [each.name for each in result.transfers][:MAX_CHARTS]
    charts = [(name, chart) for name in names if (chart := _chart(result, name))]
    if not charts:
        return ""
    body = charts[0][1]
    if len(charts) > 1:
        panes = "".join(
            f'<div class="pane p{number}">{chart}</div>'
            for number, (_, chart) in enumerate(charts, 1)
        )
        sizes = {each.name: each.size_bytes for each in result.transfers}
        first = max(range(len(charts)), key=lambda number: sizes[charts[number][0]])
        body = switch("ready-of", [(name, name) for name, _ in charts], first, panes)
    left = len(result.transfers) - len(names)
    more = f"<p class=small>{left} more transfers are in the JSON result.</p>" if left else ""
    return section(
        "ready",
        "Replicas ready over time",
        "How many replicas can answer requests, counted from the start of the push. A curve that"
        " rises further left is better.",
        body,
        more,
    )


def _chart(result: Comparison, transfer: str) -> str:
    found = []
    for number, scheme in enumerate(result.schemes):
        mine = [each for each in scheme.transfers if each.name == transfer]
        if steps := _steps(mine):
            found.append(Curve(scheme.name, number, steps))
    if not found:
        return ""
    axis = time_axis(
        min(curve.steps[0][0] for curve in found), max(curve.steps[-1][0] for curve in found)
    )
    most = max(curve.steps[-1][1] for curve in found)
    return _drawn(found, axis, most)


def _steps(transfers: list[TransferResult]) -> Steps:
    steps: Steps = []
    seen = 0
    for group in read.groups(transfers):
        seen += group.count
        if steps and steps[-1][0] == group.ready_s:
            steps.pop()
        steps.append((group.ready_s, seen))
    return steps


def _drawn(found: list[Curve], axis: TimeAxis, most: int) -> str:
    paths = []
    for place, curve in enumerate(found):
        # Of curves that lie on each other the first is the widest, so that all stay visible.
        over = sum(1 for later in found[place + 1 :] if _alike(curve, later, axis))
        line, end = _path(curve.steps, axis, most)
        paths.append(
            f'<path class="{curve.colour}" d="{line}" style="stroke-width:{2.5 + 3 * over:g}px"/>'
            f'<path class="end {curve.colour}" d="{end}" style="stroke-width:{9 + 3 * over:g}px"/>'
        )
    grid = "".join(f'<path class=grid d="M{1000 * axis.place(t):.1f} 0V1000"/>' for t in axis.ticks)
    grid += "".join(f'<path class=grid d="M0 {y}H1000"/>' for y in (0, 250, 500, 750, 1000))
    last = len(axis.ticks) - 1
    below = "".join(
        f'<span style="left:{100 * axis.place(t):.2f}%"'
        f"{' class=odd' if n % 2 and n != last else ''}>{esc(tick_text(t))}</span>"
        for n, t in enumerate(axis.ticks)
    )
    beside = "".join(
        f'<span style="top:{100 - share}%">{share} %</span>' for share in (0, 25, 50, 75, 100)
    )
    data = {
        "low": axis.low_s,
        "high": axis.high_s,
        "log": axis.logarithmic,
        "curves": [[curve.title, curve.steps] for curve in found],
    }
    note = (
        "The time axis is logarithmic: each step to the right is longer than the one before."
        if axis.logarithmic
        else ""
    )
    return (
        f"<div class=chart{attributes(data_curves=json.dumps(data))}>"
        f"<div class=ylab>{beside}</div>"
        f'<div class=plot><svg viewBox="0 0 1000 1000" preserveAspectRatio=none role=img'
        f' aria-label="replicas ready over time, one curve a scheme">{grid}{"".join(paths)}</svg>'
        f"<div class=cross hidden></div></div><div class=xlab>{below}</div></div>"
        f"<p class=axis>share of {most:,} replicas that are ready, over the time since the start."
        f" {note}</p>{_legend(found)}"
    )


def _path(steps: Steps, axis: TimeAxis, most: int) -> tuple[str, str]:
    """Path data of the curve, from its first replica to its last, and of the point at its end."""
    at = [
        (f"{1000 * axis.place(seconds):.1f}", f"{1000 - 1000 * ready / most:.1f}")
        for seconds, ready in steps
    ]
    line = f"M{at[0][0]} 1000" + "".join(f"H{x}V{y}" for x, y in at)
    return line, f"M{at[-1][0]} {at[-1][1]}h0"


def _alike(a: Curve, b: Curve, axis: TimeAxis) -> bool:
    """Whether two curves can hardly be told apart in the picture."""
    return len(a.steps) == len(b.steps) and all(
        x[1] == y[1] and abs(axis.place(x[0]) - axis.place(y[0])) < _ALIKE
        for x, y in zip(a.steps, b.steps, strict=True)
    )


def _legend(found: list[Curve]) -> str:
    rows = "".join(
        f'<li><i class="{curve.colour}"></i><b>{esc(curve.title)}</b>'
        f" all {curve.steps[-1][1]:,} after {esc(show_time(curve.steps[-1][0]))}"
        for curve in found
    )
    return f"<ul class=legend>{rows}</ul>"
