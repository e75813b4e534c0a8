"""Churn curves: a chart a measure, a line a scheme, a ring where trees and bits cross."""

from __future__ import annotations

import math
from itertools import pairwise

import msgspec

from mcastplan.model.campaign import Campaign, ChurnPoint, Crossing, SchemeCampaign
from mcastplan.report import words
from mcastplan.report.axis import tick_text, time_axis
from mcastplan.report.colours import colour
from mcastplan.report.markup import attributes, esc, items, prose, section
from mcastplan.study.crossings import COMPARED, MEASURES, percent, shown, verdict
from mcastplan.units import show_time

ABOUT: dict[str, str] = {
    "setup_s": "from the request until the first byte may leave, on average",
    "messages": "signalling messages of one change, on all links and sessions together",
    "writes": "forwarding entries written, changed or removed by one change",
    "state_sum": "entries on all routers together, old and new while a change lasts",
    "ready_s": "until the last replica answers, beyond the soonest scheme at the same churn",
}
_WIDE = 40.0  # most over least: beyond this a linear axis hides the small ones
_ALIKE = 1.0  # % of the height
_APART = 7.5  # % of the height that a label takes


class Line(msgspec.Struct, frozen=True):
    name: str
    colour: str
    points: tuple[tuple[float, float], ...]  # churn, value


class Scale(msgspec.Struct, frozen=True):
    """Values from ``low`` to ``high`` on one axis; ``base`` was taken off them."""

    low: float
    high: float
    logarithmic: bool
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: float) -> float:
        """% from the top."""
        if self.logarithmic:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return 100 - 100 * part


def curves(result: Campaign) -> str:
    if not any(len(_drawable(row.points)) > 1 for row in result.schemes):
        return ""
    figures = "".join(_figure(result, measure) for measure in MEASURES)
    return section(
        "churn",
        "What changing receivers costs",
        "From left to right a greater share of the receivers is replaced by others between two"
        " pushes. Lower is better in every chart; a ring marks where PIM-SM or SR-P2MP, which keep"
        " a tree, cross BIER, which keeps none.",
        f"<div class=churns>{figures}</div>",
    )


def _drawable(points: tuple[ChurnPoint, ...]) -> dict[float, ChurnPoint]:
    """Each churn that really happened once."""
    return {point.effective: point for point in points}


def _figure(result: Campaign, measure: str) -> str:
    served = [(number, row) for number, row in enumerate(result.schemes) if row.points]
    notes = []
    base: dict[float, float] = {}
    if measure == "ready_s":
        for _, row in served:
            for point in row.points:
                least = base.get(point.effective, point.ready_s)
                base[point.effective] = min(least, point.ready_s)
        # Others may take hours, and would press these into one line.
        far = [row for _, row in served if row.name not in COMPARED]
        served = [(number, row) for number, row in served if row not in far]
        notes.append(f"the soonest: {_span(list(base.values()))}")
        notes += (
            f"{words.title(row.name)}, not drawn: {_span([each.ready_s for each in row.points])}"
            for row in far
        )
    lines = [_line(number, row, measure, base) for number, row in served]
    empty = [line for line in lines if not any(value for _, value in line.points)]
    if empty and measure != "ready_s":  # there 0 is the soonest scheme, not an absent cost
        lines = [line for line in lines if line not in empty]
        notes.append(f"{', '.join(words.title(line.name) for line in empty)}: none")
    found = [each for each in result.crossings if each.measure == measure]
    notes += [verdict(each, words.title) for each in found if each.churn is not None]
    title = MEASURES[measure]
    return (
        f"<figure><figcaption><b>{esc(title[:1].upper() + title[1:])}</b>"
        f"{prose(ABOUT[measure])}</figcaption>"
        f"{_chart(lines, measure, found) if lines else ''}{items(notes, 'notes')}</figure>"
    )


def _span(times: list[float]) -> str:
    low, high = show_time(min(times)), show_time(max(times))
    return low if low == high else f"{low} to {high}"


def _line(number: int, row: SchemeCampaign, measure: str, base: dict[float, float]) -> Line:
    points = tuple(
        (churn, max(0.0, float(getattr(point, measure)) - base.get(churn, 0.0)))
        for churn, point in sorted(_drawable(row.points).items())
    )
    return Line(row.name, colour(row.name, number), points)


def _chart(lines: list[Line], measure: str, found: list[Crossing]) -> str:
    scale = _scale([value for line in lines for _, value in line.points], measure)
    right = max(churn for line in lines for churn, _ in line.points) or 1.0
    drawn = []
    for place, line in enumerate(lines):
        # Of lines that lie on each other the first is the widest, so that all stay visible.
        over = sum(_alike(line, later, scale) for later in lines[place + 1 :])
        at = [
            (1000 * churn / right, 10 * scale.place(max(value, scale.low)))
            for churn, value in line.points
        ]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
        drawn.append(
            f'<path class="{line.colour}" d="{path}" style="stroke-width:{2.5 + 4 * over:g}px"/>'
        )
        for (x, y), (churn, value) in zip(at, line.points, strict=True):
            said = f"{words.title(line.name)} at {percent(churn)}: {_value(measure, value)}"
            tip = attributes(data_tip=said)
            drawn.append(f'<path class="dot {line.colour}" d="M{x:.1f} {y:.1f}h0"{tip}/>')
    for crossing in found:
        mark = _mark(crossing, lines)
        if mark is not None:
            x, y = 1000 * mark[0] / right, 10 * scale.place(max(mark[1], scale.low))
            drawn.append(
                f'<path class="ring" d="M{x:.1f} {y:.1f}h0"/><path class="eye"'
                f' d="M{x:.1f} {y:.1f}h0"{attributes(data_tip=verdict(crossing, words.title))}/>'
            )
    grid = "".join(
        f'<path class=grid d="M0 {10 * scale.place(value):.1f}H1000"/>' for value, _ in scale.ticks
    )
    beside = "".join(
        f'<span style="top:{scale.place(value):.1f}%">{esc(label)}</span>'
        for value, label in scale.ticks
    )
    below = "".join(
        f'<span style="left:{25 * part}%"{" class=odd" if part % 2 else ""}>'
        f"{esc(percent(right * part / 4))}"
        f"{' churn' if part == 4 else ''}</span>"
        for part in range(5)
    )
    return (
        f"<div class=churn><div class=ylab>{beside}</div><div class=plot>"
        f'<svg viewBox="0 0 1000 1000" preserveAspectRatio=none role=img'
        f' aria-label="{esc(MEASURES[measure])} by churn, one line a scheme">'
        f"{grid}{''.join(drawn)}</svg></div>"
        f"<div class=names>{_names(lines, scale)}</div>"
        f"<div class=xlab>{below}</div></div>"
    )


def _alike(a: Line, b: Line, scale: Scale) -> bool:
    """Whether two lines can hardly be told apart in the picture."""
    return all(
        abs(scale.place(max(x, scale.low)) - scale.place(max(y, scale.low))) < _ALIKE
        for (_, x), (_, y) in zip(a.points, b.points, strict=True)
    )


def _mark(crossing: Crossing, lines: list[Line]) -> tuple[float, float] | None:
    """Where the two lines cross, on the first of them."""
    line = next((each for each in lines if each.name == crossing.fixed), None)
    if crossing.churn is None or line is None:
        return None
    points = line.points
    for (low, before), (high, after) in pairwise(points):
        if low <= crossing.churn <= high:
            part = (crossing.churn - low) / (high - low)
            return crossing.churn, before + part * (after - before)
    return None


def _names(lines: list[Line], scale: Scale) -> str:
    """Names at the right ends of the lines, moved apart where they would lie on each other."""
    ends = sorted(
        (scale.place(max(line.points[-1][1], scale.low)), line.name, line.colour) for line in lines
    )
    places: list[float] = []
    for place, _, _ in ends:
        places.append(max(place, places[-1] + _APART) if places else place)
    over = max(0.0, places[-1] - 100)
    for number in range(len(places) - 1, -1, -1):  # those at the foot push the others up
        limit = places[number + 1] - _APART if number + 1 < len(places) else places[number] - over
        places[number] = min(places[number], limit)
    return "".join(
        f'<span class="{kind}" style="top:{place:.1f}%">{esc(_short(name))}</span>'
        for place, (_, name, kind) in zip(places, ends, strict=True)
    )


def _short(name: str) -> str:
    return "Ingress repl." if name == "ingress-replication" else words.title(name)


def _value(measure: str, value: float) -> str:
    return f"+{show_time(value)}" if measure == "ready_s" else shown(measure, value)


def _scale(values: list[float], measure: str) -> Scale:
    least, most = min((value for value in values if value > 0), default=1.0), max(values) or 1.0
    if not measure.endswith("_s") and min(values) > 0 and most / least > _WIDE:
        low, high = math.floor(math.log10(least)), math.ceil(math.log10(most))
        ticks = tuple((10.0**power, f"{10**power:,}") for power in range(low, high + 1))
        return Scale(10.0**low, 10.0**high, True, ticks)
    if measure.endswith("_s"):
        axis = time_axis(0.0, most)
        sign = "+" if measure == "ready_s" else ""
        return Scale(
            0.0,
            axis.high_s,
            False,
            tuple((t, (sign if t else "") + tick_text(t)) for t in axis.ticks),
        )
    step = 10.0 ** math.floor(math.log10(most))
    step = next(each for each in (step / 5, step / 2, step, 2 * step) if most / each <= 5)
    count = math.ceil(most / step)
    return Scale(
        0.0, count * step, False, tuple((n * step, f"{n * step:,.4g}") for n in range(count + 1))
    )
