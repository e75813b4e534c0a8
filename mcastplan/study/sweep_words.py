"""The answer of a sweep in sentences: what must never fail, and would BIER have saved us?

BIER saves another scheme from a failure where it still reaches a receiver that the other does not,
or where its delay is under a tenth of the other's. Delays under 1 % count as none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mcastplan.model.sweep import Distribution, Row, SchemeRow, SchemeSweep, Sweep
from mcastplan.study.harm import LATER, clouds_of
from mcastplan.units import counted, show_time

WHAT = {
    "single-link": ("link failure", "link"),
    "single-node": ("node failure", "node"),
    "srlg": ("SRLG failure", "SRLG"),
    "double-link": ("failure of two links", "pair of links"),
}
MANY = {"double-link": ("failures of two links", "pairs of links")}
NAMED = 3  # failures, in a sentence
FAR_LESS = 0.1  # of another scheme's delay


def because(result: Sweep, rows: Sequence[Row]) -> tuple[str, ...]:
    feasible = [each for each in result.schemes if each.feasible]
    if not feasible or not rows:
        return ("nothing was evaluated",)
    said = [*_never_reached(result), _never(result, rows)]
    said += _delays(result, feasible)
    said += _bier(result, feasible, rows)
    said += _outages(feasible)
    said += _remedy(result)
    if not result.complete:
        said.append(f"interrupted after {how_far(result)}")
    elif result.chosen < result.total:
        said.append(f"a sample: {result.chosen:,} of {result.total:,} failures, seed {result.seed}")
    return tuple(said)


def how_far(result: Sweep) -> str:
    """What was done of a sweep that was interrupted."""
    said = f"{result.evaluated:,} of {result.chosen:,} failures"
    if result.evaluated == result.chosen:
        said += ", while looking for the link that helps most"
    return said


def _failures(result: Sweep, number: int) -> str:
    one = WHAT[result.failures][0]
    return counted(number, one, MANY.get(result.failures, ("", ""))[0])


def _things(result: Sweep, number: int) -> str:
    one = WHAT[result.failures][1]
    return counted(number, one, MANY.get(result.failures, ("", ""))[1])


def _everywhere(row: Row) -> set[str]:
    return set.intersection(*(set(each.unreachable) for each in row.schemes))


def _never_reached(result: Sweep) -> list[str]:
    gone = result.unreachable
    if not gone:
        return []
    some = counted(len(clouds_of(gone)), "cloud")
    full = f"; {result.full_of_background}" if result.full_of_background else ""
    return [f"{some} cannot be reached even without a failure: {', '.join(gone)}{full}"]


def _never(result: Sweep, rows: Sequence[Row]) -> str:
    cutting = sum(bool(_everywhere(row)) for row in rows)
    if not cutting:
        whom = "another receiver" if result.unreachable else "a receiver"
        return (
            f"none of {_failures(result, len(rows))} cuts {whom} off for good: every scheme"
            " still has a way to somebody wherever one has"
            if any(each.unreachable for row in rows for each in row.schemes)
            else f"none of {_failures(result, len(rows))} cuts {whom} off, in any scheme"
        )
    named = [each for each in result.worst if each.cut_off][:NAMED]
    listed = "; ".join(
        f"{each.failure} ({counted(len(clouds_of(each.cut_off)), 'cloud')},"
        f" {counted(each.replicas_cut_off, 'replica')})"
        for each in named
    )
    more = f", and {cutting - len(named)} more" if cutting > len(named) else ""
    return (
        f"{_things(result, cutting)} of {len(rows):,} must never fail, for no scheme has a way"
        f" round: {listed}{more}"
    )


def _delays(result: Sweep, feasible: Sequence[SchemeSweep]) -> list[str]:
    """Which failures make a push later, by scheme."""
    later, calm = [], []
    for each in feasible:
        found = each.completion_s
        worst = _latest(found)
        if found is None or found.base is None:
            continue
        if worst is None or worst <= found.base * (1 + LATER):
            calm.append(each.name)
        else:
            number = sum(value > found.base * (1 + LATER) for value in found.values)
            later.append(
                f"{each.name} {number:,} (at worst {show_time(worst)} instead of"
                f" {show_time(found.base)})"
            )
    if not later:
        return [f"no failure makes a push that still has its receivers later ({_and(calm)})"]
    unhurt = f"; never for {_and(calm)}" if calm else ""
    sums = [f"{each.name} {_span(_delay_sum_s(each.completion_s))}" for each in feasible]
    return [
        f"failures that make the push later: {', '.join(later)}{unhurt}",
        f"completion delay summed over all failures: {', '.join(sums)}",
    ]


def _delay_sum_s(found: Distribution | None) -> float:
    if found is None or found.base is None:
        return 0.0
    base = found.base
    return math.fsum(value - base for value in found.values if value > base * (1 + LATER))


def _span(seconds: float) -> str:
    return show_time(seconds) if seconds else "none"


def _latest(found: Distribution | None) -> float | None:
    return None if found is None else max(found.values, default=None)


def _bier(result: Sweep, feasible: Sequence[SchemeSweep], rows: Sequence[Row]) -> list[str]:
    """BIER against each other scheme, after convergence."""
    names = [each.name for each in feasible]
    if "bier" not in names or len(names) == 1:
        return []
    base = {each.name: each.completion_s.base for each in feasible if each.completion_s}
    hurting = [
        found for row in rows if (found := {each.name for each in row.schemes if _hurt(base, each)})
    ]
    if not hurting:
        return ["BIER has nothing to save anybody from: no failure hurts any scheme in the end"]
    said = f"of the {counted(len(hurting), 'failure')} that hurt some scheme"
    alone = sum(each == {"bier"} for each in hurting)
    only = f"; it alone is hurt by {alone:,}" if alone else ""
    others = [name for name in names if name != "bier"]
    saved = {name: sum(_saved(base, name, row) for row in rows) for name in others}
    helped = [f"{name} in {number:,}" for name, number in saved.items() if number]
    if helped:
        rest = [name for name, number in saved.items() if not number]
        none = f"; never {_and(rest)}" if rest else ""
        return [
            f"{said}, once all has converged, BIER would have saved {_and(helped)} (its delay is"
            f" under a tenth, or it reaches a receiver more){none}{only}"
        ]
    late = any(_late_s(base, each) for row in rows for each in row.schemes)
    tenth = ", and its delay is never under a tenth of another's" if late else ""
    return [
        f"{said} BIER, once all has converged, would have saved nobody: it reaches no receiver that"
        f" another scheme does not{tenth}{only}"
    ]


def _saved(base: Mapping[str, float | None], name: str, row: Row) -> bool:
    """BIER reaches a receiver that ``name`` does not; or all it does, with far less delay."""
    by_name = {each.name: each for each in row.schemes}
    bier, other = by_name["bier"], by_name[name]
    gone, lost = set(bier.unreachable), set(other.unreachable)
    far_less = _late_s(base, bier) < FAR_LESS * _late_s(base, other)
    return bool(lost - gone) or (gone == lost and far_less)


def _late_s(base: Mapping[str, float | None], row: SchemeRow) -> float:
    was, now = base.get(row.name), row.completion_s
    return now - was if was is not None and now is not None and now > was * (1 + LATER) else 0.0


def _hurt(base: Mapping[str, float | None], row: SchemeRow) -> bool:
    return bool(row.unreachable or _late_s(base, row))


def _outages(feasible: Sequence[SchemeSweep]) -> list[str]:
    found = {each.name: each.outage_s for each in feasible if each.outage_s is not None}
    if not found:
        return []
    parts = [
        f"{name} {'none' if not each.worst else show_time(each.worst)}"
        for name, each in found.items()
    ]
    return [f"the longest gap until receivers are served again: {', '.join(parts)}"]


def _remedy(result: Sweep) -> list[str]:
    best = result.remedy
    if best is None:
        if result.complete and result.worst:
            return ["no single link that was looked at removes any of this harm"]
        return []
    verb = "doubling" if best.kind == "doubled" else "a new link"
    said = f"of {counted(best.tried, 'link')} looked at, {verb} {best.a} - {best.b} helps most:"
    effects = []
    if best.replicas_before != best.replicas_after:
        effects.append(
            f"replicas cut off, summed over all failures, {best.replicas_before:,} to"
            f" {best.replicas_after:,}"
        )
    before, after = show_time(best.delay_before_s), show_time(best.delay_after_s)
    if best.delay_after_s < best.delay_before_s and before != after:
        effects.append(f"delays, summed over failures and schemes, {before} to {after}")
    return [f"{said} {'; '.join(effects) or 'delays, by less than 1 %'}"]


def _and(names: Sequence[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)
