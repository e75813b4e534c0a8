"""The answer of a sweep in sentences: what must never fail, and would BIER have saved us?"""

from __future__ import annotations

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


def because(result: Sweep, rows: Sequence[Row]) -> tuple[str, ...]:
    feasible = [each for each in result.schemes if each.feasible]
    if not feasible or not rows:
        return ("nothing was evaluated",)
    said = [_never(result, rows)]
    said += _delays(result, feasible)
    said += _bier(result, feasible, rows)
    said += _outages(feasible)
    said += _remedy(result)
    if not result.complete:
        said.append(f"interrupted after {result.evaluated:,} of {result.chosen:,} failures")
    elif result.chosen < result.total:
        said.append(f"a sample: {result.chosen:,} of {result.total:,} failures, seed {result.seed}")
    return tuple(said)


def _failures(result: Sweep, number: int) -> str:
    one = WHAT[result.failures][0]
    return counted(number, one, MANY.get(result.failures, ("", ""))[0])


def _things(result: Sweep, number: int) -> str:
    one = WHAT[result.failures][1]
    return counted(number, one, MANY.get(result.failures, ("", ""))[1])


def _everywhere(row: Row) -> set[str]:
    return set.intersection(*(set(each.unreachable) for each in row.schemes))


def _never(result: Sweep, rows: Sequence[Row]) -> str:
    cutting = sum(bool(_everywhere(row)) for row in rows)
    if not cutting:
        return (
            f"none of {_failures(result, len(rows))} cuts a receiver off for good: every scheme"
            " still has a way to somebody wherever one has"
            if any(each.unreachable for row in rows for each in row.schemes)
            else f"none of {_failures(result, len(rows))} cuts a receiver off, in any scheme"
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
    return [f"failures that make the push later: {', '.join(later)}{unhurt}"]


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
    some = counted(len(hurting), "failure")
    saved = {name: sum(name in each and "bier" not in each for each in hurting) for name in names}
    alone = sum(each == {"bier"} for each in hurting)
    only = f"; it alone is hurt by {alone:,}" if alone else ""
    helped = [f"{name} in {number:,}" for name, number in saved.items() if number]
    if helped:
        return [
            f"of the {some} that hurt some scheme, once all has converged, BIER takes no harm where"
            f" others do: {', '.join(helped)}{only}"
        ]
    too = "what" if len(hurting) == 1 else "whatever"
    return [
        f"of the {some} that hurt some scheme BIER, once all has converged, would have saved"
        f" nobody: {too} hurts another scheme hurts it too{only}"
    ]


def _hurt(base: Mapping[str, float | None], row: SchemeRow) -> bool:
    was, now = base.get(row.name), row.completion_s
    late = was is not None and now is not None and now > was * (1 + LATER)
    return bool(row.unreachable) or late


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
    if best.replicas_before:
        effects.append(
            f"replicas cut off, summed over all failures, {best.replicas_before:,} to"
            f" {best.replicas_after:,}"
        )
    if best.delay_after_s < best.delay_before_s:
        before, after = show_time(best.delay_before_s), show_time(best.delay_after_s)
        effects.append(f"delays, summed over failures and schemes, {before} to {after}")
    return [f"{said} {'; '.join(effects)}"]


def _and(names: Sequence[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)
