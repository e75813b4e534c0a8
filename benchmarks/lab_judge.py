"""What a lab run has to meet, as lines of the report. Nothing here measures anything.

Limits are those of `mcastplan.study.beside`; numbers are medians over the runs that count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from mcastplan.model.measurement import Measurement
from mcastplan.study.beside import (
    LIMITS,
    ORDER_S,
    OUTAGE_S,
    Row,
    Summary,
    became,
    binds,
    orders,
    show,
    signed,
    summaries,
)
from mcastplan.units import show_time

MS = 1e3
PULLS = "unicast"  # has no one rate whose excess could be dropped
_TOLD = ("transfer", "ready", "outage")

Judge = Callable[[Summary], Iterable["Line"]]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One budget. ``why``: there is no number, and this is the reason. ``details`` belong to a
    miss: what was measured, what was predicted."""

    what: str
    measured: float = math.nan
    budget: float = math.nan
    unit: str = ""
    kind: Literal["at most", "at least"] = "at most"
    why: str | None = None
    details: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        if self.why is not None:
            return False
        if self.kind == "at most":
            return self.measured <= self.budget
        return self.measured >= self.budget


def fidelity(result: Measurement, schemes: Sequence[str], repeat: int) -> list[Line]:
    """Nothing fails: times, bytes and the binding arc of each scheme, and the order of schemes."""
    return _judged(result, schemes, repeat, _calm)


def outage(result: Measurement, schemes: Sequence[str], repeat: int) -> list[Line]:
    """Something fails: the longest outage of each scheme, and the order of schemes."""
    return _judged(result, schemes, repeat, _hit)


def _judged(result: Measurement, schemes: Sequence[str], repeat: int, judge: Judge) -> list[Line]:
    found = {each.scheme: each for each in summaries(result)}  # one push
    lines: list[Line] = []
    for scheme in schemes:
        each = found.get(scheme)
        if each is None:
            lines.append(Line(what=scheme, why=f"0 of {repeat} runs: not reached"))
        elif len(each.runs) < repeat:
            lines.append(_too_few(each, repeat))
        else:
            lines += [*judge(each), _ready(each)]
    return [*lines, *_order(result)]


def _too_few(each: Summary, repeat: int) -> Line:
    reasons = "; ".join(dict.fromkeys(text for run in each.invalid for text in run.invalid))
    # The lab repeats a run that does not count, twice; fewer than asked for are left when a third
    # one does not count either, or when time was up.
    why = f"{len(each.runs)} of {repeat} runs count" + (f": {reasons}" if reasons else "")
    rows = tuple(f"{row.what}: {_both(row)}" for row in each.rows if row.kind in _TOLD)
    return Line(what=each.scheme, why=why, details=rows)


def _calm(each: Summary) -> Iterator[Line]:
    for kind in ("transfer", "ready"):
        yield _share(each, kind)
    yield _bytes(each)
    if each.scheme != PULLS:
        yield _binding(each)


def _hit(each: Summary) -> Iterator[Line]:
    row = each.row("outage")
    what = f"{each.scheme}: longest outage"
    if row is None or row.measured is None or row.predicted is None:
        yield Line(what=what, why="not both measured and predicted")
        return
    yield Line(
        what=f"{what}, off {show_time(row.predicted)} by",
        measured=MS * abs(row.measured - row.predicted),
        budget=MS * max(LIMITS["outage"] * row.predicted, OUTAGE_S),
        unit="ms",
        details=(_both(row), _clouds(each)),
    )


def _clouds(each: Summary) -> str:
    """Where the outage is off, cloud by cloud."""
    rows = [row for row in each.rows if row.kind == "cloud-outage"]
    shown = (f"{row.what} {show(row, row.measured)} ({show(row, row.predicted)})" for row in rows)
    return f"measured (predicted): {', '.join(shown)}" if rows else "no cloud had one"


def _share(each: Summary, kind: str) -> Line:
    """The error of a time as a share of the prediction."""
    row = each.row(kind)
    if row is None or row.error is None:
        return Line(what=f"{each.scheme}: {kind}", why="not both measured and predicted")
    return Line(
        what=f"{each.scheme}: {kind}, off {show(row, row.predicted)} by",
        measured=100 * abs(row.error),
        budget=100 * LIMITS[kind],
        unit="%",
        details=(_both(row),),
    )


def _bytes(each: Summary) -> Line:
    """Of arcs with over 1 MB, the one that is farthest off."""
    if not each.links:
        return Line(what=f"{each.scheme}: bytes of arcs", why="no arc with over 1 MB")
    wrong = sorted((row for row in each.links if not row.within), key=_off, reverse=True)
    return Line(
        what=f"{each.scheme}: bytes of {len(each.links)} arcs, worst off by",
        measured=100 * max(map(_off, each.links)),
        budget=100 * LIMITS["link"],
        unit="%",
        details=tuple(f"{row.what}: {_both(row)}" for row in wrong),
    )


def _off(row: Row) -> float:
    """Size of the error; bytes where none were predicted, or none where some were, are no match."""
    return math.inf if row.error is None else abs(row.error)


def _binding(each: Summary) -> Line:
    """Runs in which packets beyond the highest rate without loss were dropped where they should
    be and nowhere else."""
    wrong = [run for run in each.runs if not binds(run)]
    return Line(
        what=f"{each.scheme}: drops at 1.15 x as predicted",
        measured=len(each.runs) - len(wrong),
        budget=len(each.runs),
        unit="run",
        kind="at least",
        details=tuple(
            f"dropped at {', '.join(run.measured.binding) or 'no arc'}, predicted at"
            f" {', '.join(run.predicted.overloaded)}"
            for run in wrong
        ),
    )


def _ready(each: Summary) -> Line:
    """Replicas of the runs that count."""
    replicas = [replica for run in each.runs for replica in run.measured.replicas]
    failed = [replica for replica in replicas if replica.status != "ready"]
    return Line(
        what=f"{each.scheme}: replicas that got ready",
        measured=len(replicas) - len(failed),
        budget=len(replicas),
        kind="at least",
        details=tuple(map(became, failed)),
    )


def _order(result: Measurement) -> Iterator[Line]:
    """Pairs of schemes; none where all predictions are too near each other."""
    pairs = orders(result)
    if not pairs:
        return
    wrong = [pair for pair in pairs if not pair.holds]
    yield Line(
        what=f"order of schemes, pairs over {show_time(ORDER_S)} apart",
        measured=len(pairs) - len(wrong),
        budget=len(pairs),
        kind="at least",
        details=tuple(
            f"{pair.sooner} should be sooner than {pair.later} by {show_time(pair.predicted_s)},"
            f" and was later by {show_time(-pair.measured_s)}"
            for pair in wrong
        ),
    )


def _both(row: Row) -> str:
    said = f"measured {show(row, row.measured)}, predicted {show(row, row.predicted)}"
    return f"{said}, error {signed(row.error)}"
