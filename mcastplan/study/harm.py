"""What the rows of a sweep say together: distributions, and the failures that hurt most.

Harm of a failure: replicas that no scheme reaches any more; then receivers that single schemes
lose; then seconds by which each scheme's completion is later; then seconds of outage.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from mcastplan.evaluate.scheme import Context
from mcastplan.model.sweep import (
    Case,
    Distribution,
    Harmful,
    HarmfulScheme,
    Row,
    SchemeRow,
    SchemeSweep,
)
from mcastplan.schemes.base import Scheme
from mcastplan.study.after import Outcome
from mcastplan.study.failures import Places
from mcastplan.study.recommend import CLOSE

WORST = 10
# A push that lasts up to 1 % longer is as fast as before: the tie of `compare`.
LATER = CLOSE
# Completions this close are one: they are sums of the same numbers in another order.
SAME = 1e-9


class Verdict(msgspec.Struct, frozen=True):
    """What rows are judged by: every feasible scheme's numbers without failure."""

    context: Context
    places: Places
    before: Mapping[str, Outcome]


class Harm(NamedTuple):
    """``delay_s``: over all schemes. ``cut_off``: what no scheme reaches any more."""

    case: Case
    row: Row
    cut_off: tuple[str, ...]
    replicas: int
    lost: int
    delay_s: float
    outage_s: float

    @property
    def any(self) -> bool:
        return bool(self.replicas or self.lost or self.delay_s > 0)


def later_s(was: Outcome, row: SchemeRow) -> float:
    """Seconds by which the push is later; 0 where that is under 1 %, or nobody is left."""
    if was.completion_s is None or row.completion_s is None:
        return 0.0
    late = row.completion_s - was.completion_s
    return late if late > was.completion_s * LATER else 0.0


def harms(verdict: Verdict, cases: Sequence[Case], rows: Sequence[Row]) -> list[Harm]:
    return [harm(verdict, case, row) for case, row in zip(cases, rows, strict=True)]


def clouds_of(unreachable: Sequence[str]) -> set[str]:
    """The clouds, each once, whatever the transfers that do not reach them (``push/ams``)."""
    return {name.rpartition("/")[2] for name in unreachable}


def harm(verdict: Verdict, case: Case, row: Row) -> Harm:
    # With one more link a scheme may become feasible that is not judged here.
    schemes = [each for each in row.schemes if each.name in verdict.before]
    everywhere: tuple[str, ...] = schemes[0].unreachable if schemes else ()
    for each in schemes[1:]:
        others = set(each.unreachable)
        everywhere = tuple(name for name in everywhere if name in others)
    cloud = verdict.context.scenario.cloud
    return Harm(
        case,
        row,
        everywhere,
        sum(cloud[name].replicas for name in clouds_of(everywhere)),
        sum(len(each.unreachable) for each in schemes),
        math.fsum(later_s(verdict.before[each.name], each) for each in schemes),
        math.fsum(each.outage_sum_s or 0.0 for each in schemes),
    )


def harmful(verdict: Verdict, judged: Sequence[Harm]) -> tuple[Harmful, ...]:
    """The ten that hurt most, worst first; fewer where fewer hurt."""
    return tuple(_harmful(verdict, each) for each in worst(judged))


def worst(judged: Sequence[Harm]) -> list[Harm]:
    hurt = [each for each in judged if each.any or each.outage_s > 0]
    return sorted(hurt, key=lambda e: (-e.replicas, -e.lost, -e.delay_s, -e.outage_s, e.case.name))[
        :WORST
    ]


def _harmful(verdict: Verdict, each: Harm) -> Harmful:
    schemes = tuple(
        HarmfulScheme(
            row.name,
            len(row.unreachable),
            None if row.completion_s is None else later_s(verdict.before[row.name], row),
            row.outage_s,
        )
        for row in each.row.schemes
    )
    links = verdict.places.links(each.case)
    return Harmful(each.case.name, links, each.cut_off, each.replicas, schemes)


def scheme_sweeps(
    verdict: Verdict,
    reasons: Mapping[str, str],
    rows: Sequence[Row],
    kinds: Sequence[type[Scheme]],
) -> tuple[SchemeSweep, ...]:
    """A scheme each, in the order of results."""
    place = {name: number for number, name in enumerate(verdict.before)}
    return tuple(
        SchemeSweep(name=kind.name, feasible=False, reason=reasons[kind.name])
        if kind.name in reasons
        else _scheme(verdict, kind.name, [row.schemes[place[kind.name]] for row in rows])
        for kind in kinds
    )


def _scheme(verdict: Verdict, name: str, rows: Sequence[SchemeRow]) -> SchemeSweep:
    was = verdict.before[name]
    touched = sum(row.touched for row in rows)
    fresh = sum(row.fresh for row in rows)
    options = verdict.context.scenario.schemes.sr_p2mp
    trees = name == "sr-p2mp" and options.objective == "min-cost"
    served = sum(row.touched and row.completion_s is not None for row in rows)
    # Without one it was not asked for, or a transition is not modelled: then no number is true.
    outages = [row.outage_s for row in rows]
    return SchemeSweep(
        name=name,
        feasible=True,
        reason=None,
        touched=touched,
        harmless=sum(not row.unreachable and not later_s(was, row) for row in rows),
        completion_s=distribution(was.completion_s, [row.completion_s for row in rows]),
        unreachable=distribution(0.0, [float(len(row.unreachable)) for row in rows]),
        outage_s=None if None in outages or not outages else distribution(0.0, outages),
        repaired=served - fresh if trees else 0,
        fresh=fresh,
    )


def distribution(base: float | None, found: Sequence[float | None]) -> Distribution:
    """Quantiles by nearest rank; a value that is not there (nobody is left) counts as the worst."""
    ordered = sorted(math.inf if value is None else value for value in found)

    def at(share: float) -> float | None:
        if not ordered:
            return None
        value = ordered[max(0, math.ceil(share * len(ordered)) - 1)]
        return value if value < math.inf else None

    same = 0.0 if base is None else base * SAME
    moved = tuple(
        value
        for value in ordered
        if value < math.inf and (base is None or abs(value - base) > same)
    )
    return Distribution(base, len(ordered), at(0.5), at(0.9), at(0.99), at(1.0), moved)
