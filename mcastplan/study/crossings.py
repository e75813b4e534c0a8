"""Where the curves of two schemes cross as receivers change more, and what that says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mcastplan.model.campaign import ChurnPoint, Crossing, SchemeCampaign
from mcastplan.units import show_time

# What is compared; less is better in each.
MEASURES: dict[str, str] = {
    "setup_s": "set-up time",
    "messages": "signalling messages",
    "writes": "forwarding writes",
    "state_sum": "state on all routers",
    "ready_s": "time to ready",
}
# The draft's claim: trees for fixed receivers, bits for changing ones.
PAIRS = (("pim-sm", "bier"), ("sr-p2mp", "bier"))


def shown(measure: str, value: float) -> str:
    """A mean of this measure, for people."""
    if measure.endswith("_s"):
        return show_time(value)
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def percent(churn: float) -> str:
    return f"{100 * churn:.3g} %" if churn >= 0.01 else f"{100 * churn:.2g} %"


def verdict(crossing: Crossing, title: Callable[[str], str] = str) -> str:
    """``pim-sm below 18.4 %, bier above``; ``title`` gives a scheme's name for people."""
    if crossing.churn is not None and crossing.below is not None:
        above = crossing.changing if crossing.below == crossing.fixed else crossing.fixed
        return f"{title(crossing.below)} below {percent(crossing.churn)}, {title(above)} above"
    return "equal" if crossing.always is None else f"always {title(crossing.always)}"


def crossings(rows: Sequence[SchemeCampaign]) -> tuple[Crossing, ...]:
    """Every measure of every pair that is there, pair by pair."""
    by_name = {row.name: row.points for row in rows if row.points}
    return tuple(
        _crossing(measure, fixed, changing, by_name[fixed], by_name[changing])
        for fixed, changing in PAIRS
        if fixed in by_name and changing in by_name
        for measure in MEASURES
    )


def _crossing(
    measure: str,
    fixed: str,
    changing: str,
    trees: Sequence[ChurnPoint],
    bits: Sequence[ChurnPoint],
) -> Crossing:
    value: Callable[[ChurnPoint], float] = lambda point: getattr(point, measure)  # noqa: E731
    # How much dearer the trees are, by churn that really happened.
    by_churn = {a.effective: value(a) - value(b) for a, b in zip(trees, bits, strict=True)}
    more = [(churn, 0.0 if _same(d) else d) for churn, d in sorted(by_churn.items())]
    most = max(abs(each) for _, each in more)
    apart = [(churn, each) for churn, each in more if each]
    what = MEASURES[measure]
    if not apart:
        said = f"{what}: {fixed} and {changing} are equal at every churn"
        return Crossing(measure, fixed, changing, None, None, None, most, said)
    below = fixed if apart[0][1] < 0 else changing
    above = changing if below == fixed else fixed
    ends = _ends(measure, fixed, changing, trees, bits)
    flip = next((n for n, (_, d) in enumerate(apart) if d * apart[0][1] < 0), None)
    if flip is None:
        equal = [churn for churn, each in more if not each]
        tie = f" (equal at {percent(equal[0])})" if equal else ""
        said = f"{what}: {below} is better at every churn{tie}; {ends}"
        return Crossing(measure, fixed, changing, None, None, below, most, said)
    (low, d_low), (high, d_high) = apart[flip - 1], apart[flip]
    churn = low + (high - low) * d_low / (d_low - d_high)
    said = f"{what}: {below} is better below {percent(churn)} churn, {above} above it; {ends}"
    return Crossing(measure, fixed, changing, churn, below, None, most, said)


def _same(difference: float) -> bool:
    return abs(difference) < 1e-9


def _ends(
    measure: str,
    fixed: str,
    changing: str,
    trees: Sequence[ChurnPoint],
    bits: Sequence[ChurnPoint],
) -> str:
    """Both values at the most churn."""
    a, b = max(zip(trees, bits, strict=True), key=lambda pair: pair[0].effective)
    return (
        f"at {percent(a.effective)} {shown(measure, getattr(a, measure))} ({fixed}) against"
        f" {shown(measure, getattr(b, measure))} ({changing})"
    )


def reasons(rows: Sequence[SchemeCampaign], found: Sequence[Crossing]) -> tuple[str, ...]:
    """The answer to the claim, in sentences with numbers: first those on time to ready."""
    points = {row.name: row.points for row in rows if row.points}
    pairs = [
        [each for each in found if (each.fixed, each.changing) == pair]
        for pair in PAIRS
        if set(pair) <= set(points)
    ]
    ready = [each for mine in pairs for each in mine if each.measure == "ready_s"]
    said = [_verdict(each, points[each.fixed], points[each.changing]) for each in ready]
    said += map(_claim, pairs)
    said += (
        f"{each.fixed} and {each.changing}, {each.sentence}"
        for mine in pairs
        for each in mine
        if each.measure != "ready_s"
    )
    said += (f"{row.name} is out: {row.reason}" for row in rows if not row.feasible)
    return tuple(said)


def _claim(mine: Sequence[Crossing]) -> str:
    """In which measures "trees for fixed receivers, bits for changing ones" is true."""
    fixed, changing = mine[0].fixed, mine[0].changing
    true_of = [
        f"{MEASURES[each.measure]} (from {percent(each.churn)} churn)"
        for each in mine
        if each.churn is not None and each.below == fixed
    ]
    parts = [f"true of {', '.join(true_of)}" if true_of else "true of no measure"]
    for name in (changing, fixed):
        never = [MEASURES[each.measure] for each in mine if each.always == name]
        if never:
            parts.append(f"{name} is never worse in {', '.join(never)}")
    return (
        f"that {fixed} serves receivers that stay and {changing} those that change is"
        f" {'; '.join(parts)}"
    )


def _verdict(ready: Crossing, trees: Sequence[ChurnPoint], bits: Sequence[ChurnPoint]) -> str:
    """Time to ready, taken apart: set-up against what the header costs the transfer."""
    a, b = max(zip(trees, bits, strict=True), key=lambda pair: pair[0].effective)
    setup, rest = a.setup_s - b.setup_s, (a.ready_s - a.setup_s) - (b.ready_s - b.setup_s)
    fixed, changing = ready.fixed, ready.changing
    if ready.churn is not None:
        above = changing if ready.below == fixed else fixed
        who = f"{ready.below} is ready first below {percent(ready.churn)} churn, {above} above it"
    elif ready.always is None:
        who = f"{fixed} and {changing} are ready at the same time at every churn"
    else:
        other = changing if ready.always == fixed else fixed
        who = f"{ready.always} is ready before {other} at every churn"
    return (
        f"{who}: at {percent(a.effective)} {fixed} sets up {_more(setup)} than {changing} and needs"
        f" {_more(rest)} from its first byte to ready; the {show_time(abs(setup + rest))} between"
        f" them is {100 * abs(setup + rest) / b.ready_s:.2g} % of {show_time(b.ready_s)}"
    )


def _more(seconds: float) -> str:
    return f"{show_time(abs(seconds))} {'more' if seconds >= 0 else 'less'}"
