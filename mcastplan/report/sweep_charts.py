"""How bad failures are, scheme by scheme: strips of delay and outage, and how many hurt at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from mcastplan.model.sweep import Distribution, SchemeSweep, Sweep
from mcastplan.report import sweep_words, words
from mcastplan.report.axis import TimeAxis, tick_text, time_axis
from mcastplan.report.colours import colour
from mcastplan.report.markup import attributes, esc, percent, precise, prose, section
from mcastplan.units import show_time

_BINS = 90
_WIDEST = 1e5  # the right end over the left one: what is quicker stands at the left
_EDGE = 0.93
_LEAST = 0.12  # of a strip's height, so that a single failure is seen


def strips(result: Sweep) -> str:
    later = _strips(result, lambda row: row.completion_s)
    gaps = _strips(result, lambda row: row.outage_s, "") if result.transient else ""
    parts = [
        f"<h3>How much later the push completes</h3>{later}"
        if later
        else "<p>No failure makes the push any later under any scheme.</p>"
    ]
    if result.transient:
        parts.append(
            f"<h3>Longest outage while routes converge</h3>{gaps}"
            if gaps
            else "<p>No receiver misses a packet while routes converge.</p>"
        )
    return section(
        "distribution",
        "How bad it gets, scheme by scheme",
        "Each bar counts failures; a taller one stands for more (height is the square root of the"
        " number). Failures that cost nothing are not drawn.",
        *parts,
    )


def _strips(
    result: Sweep, pick: Callable[[SchemeSweep], Distribution | None], sign: str = "+"
) -> str:
    rows = [(row, sweep_words.raised(pick(row))) for row in sweep_words.feasible(result)]
    found = [value for _, values in rows for value in values]
    if not found:
        return ""
    last = max(found)
    axis = time_axis(max(min(found), last / _WIDEST), last)
    bins = [_bins(values, axis) for _, values in rows]
    most = max(count for each in bins for count in each.values())
    order = [row.name for row in result.schemes]
    lanes = "".join(
        _lane(row.name, colour(row.name, order.index(row.name)), values, (each, most), sign)
        for (row, values), each in zip(rows, bins, strict=True)
    )
    return (
        f'<div class="lanes strips"><div class=rows>{_grid(axis)}{lanes}</div>'
        f"{_ticks(axis, sign)}</div>"
    )


def _bins(values: list[float], axis: TimeAxis) -> Counter[int]:
    return Counter(min(_BINS - 1, int(_BINS * axis.place(value))) for value in values)


def _lane(
    name: str, kind: str, values: list[float], heights: tuple[Counter[int], int], sign: str
) -> str:
    """``heights``: failures by bin, and the most in any bin of the chart."""
    bins, most = heights
    bars = "".join(
        f'<i class="{kind}" style="left:{100 * place / _BINS:.2f}%;width:{100 / _BINS:.2f}%;'
        f'height:{100 * max(_LEAST, (count / most) ** 0.5):.3g}%"'
        f"{attributes(data_tip=f'{words.title(name)}: {count} of {len(values)} failures here')}"
        "></i>"
        for place, count in sorted(bins.items())
    )
    worst = max(values, default=0.0)
    end = f"{len(values):,}, worst {sign}{show_time(worst)}" if values else "none"
    return (
        f"<div class=lane{attributes(data_name=name)}><span>{esc(words.title(name))}</span>"
        f"<div class=track>{bars}</div><b{attributes(data_v=precise(worst))}>{prose(end)}</b></div>"
    )


def _grid(axis: TimeAxis) -> str:
    lines = "".join(f'<i style="left:{100 * axis.place(t):.2f}%"></i>' for t in axis.ticks)
    return f"<div class=gridlines>{lines}</div>"


def _ticks(axis: TimeAxis, sign: str) -> str:
    shown = []
    for number, seconds in enumerate(axis.ticks):
        at = axis.place(seconds)
        kind = ("last" if at > _EDGE else "") + (" odd" if number % 2 else "")
        shown.append(
            f"<span{attributes(class_=kind.strip() or None)}"
            f' style="left:{100 * at:.2f}%">{prose(tick_text(seconds) if seconds else "0")}</span>'
        )
    notes = [
        "Beyond the time without a failure." if sign else "",
        "The axis is logarithmic." if axis.logarithmic else "",
        "The number at the right: how many failures, and the worst.",
    ]
    said = " ".join(note for note in notes if note)
    return f"<div class=ticks>{''.join(shown)}</div><p class=small>{esc(said)}</p>"


def touched(result: Sweep) -> str:
    schemes = sweep_words.feasible(result)
    if not schemes or not result.evaluated:
        return ""
    rows = []
    for row in schemes:
        hurt = sweep_words.hurt(result, row)
        unhurt = max(0, row.touched - hurt)
        rest = max(0, result.evaluated - max(row.touched, hurt))
        parts = "".join(
            f'<i class="tc-{kind}" style="width:{percent(number, result.evaluated)}"></i>'
            for kind, number in (("hurt", hurt), ("touched", unhurt), ("rest", rest))
            if number
        )
        rows.append(
            f"<div{attributes(data_name=row.name)}><span>{esc(words.title(row.name))}</span>"
            f"<div>{parts}</div><b>{row.touched:,} / {hurt:,}</b></div>"
        )
    return section(
        "touched",
        "How many failures touch each scheme, and how many hurt",
        f"Of {sweep_words.failures(result, result.evaluated)}. At the right: touched / hurt.",
        "<ul class=legend><li><i class=tc-hurt></i><b>hurts</b> somebody is served later or not at"
        " all<li><i class=tc-touched></i><b>touches</b> forwarding changes, nobody is served later"
        "<li><i class=tc-rest></i><b>nothing</b> the scheme does not use it</ul>",
        f"<div class=stack>{''.join(rows)}</div>",
    )
