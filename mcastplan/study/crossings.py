"""Where the curves of two schemes cross as receivers change more, and what that says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from mcastplan.model.campaign import ChurnPoint, Crossing, SchemeCampaign
from mcastplan.study.crossing_search import sign_changes
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
COMPARED = frozenset(name for pair in PAIRS for name in pair)
AT_ONCE = "as soon as receivers change"

At = Callable[[str, float], ChurnPoint]  # a scheme's means at any churn


def shown(measure: str, value: float) -> str:
    """A mean of this measure, for people."""
    if measure.endswith("_s"):
        return show_time(value)
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def percent(churn: float) -> str:
    return f"{100 * churn:.3g} %" if churn >= 0.01 else f"{100 * churn:.2g} %"


def place(churn: float) -> str:
    """Where a crossing is, no finer than it was narrowed down."""
    return f"{100 * churn:.0f} %" if churn >= 0.0995 else f"{100 * churn:.2g} %"


def tried(searched: Sequence[float]) -> str:
    """``at 12 churns from 0 % to 100 %``."""
    if len(searched) == 1:
        return f"at {percent(searched[0])} churn"
    return f"at {len(searched)} churns from {percent(searched[0])} to {percent(searched[-1])}"


def verdict(crossing: Crossing, title: Callable[[str], str] = str) -> str:
    """``pim-sm below 18 %, bier above``; one name where none of the churns tried has another."""
    below, above = (title(name) for name in sides(crossing))
    if crossing.churn is None:
        return "equal" if crossing.always is None else title(crossing.always)
    if crossing.at_once:
        first = f"{above} {AT_ONCE}, else {below}"
    else:
        first = f"{below} below {place(crossing.churn)}, {above} above"
    return f"{first}{again(crossing, title)}"


def sides(crossing: Crossing) -> tuple[str, str]:
    """Which is better below the crossing, and which above."""
    names = crossing.fixed, crossing.changing
    return names if crossing.below == crossing.fixed else (names[1], names[0])


def again(crossing: Crossing, title: Callable[[str], str] = str) -> str:
    """Later crossings: ``, pim-sm again from 62 %``."""
    names = sides(crossing)
    return "".join(
        f", {title(names[number % 2])} again from {place(churn)}"
        for number, churn in enumerate(crossing.again)
    )


def crossings(
    names: Sequence[str], grid: Sequence[float], receivers: int, pushes: int, at: At
) -> tuple[Crossing, ...]:
    """Every measure of every pair that is among ``names``, pair by pair."""
    return tuple(
        _crossing((measure, fixed, changing), grid, receivers, pushes, at)
        for fixed, changing in PAIRS
        if fixed in names and changing in names
        for measure in MEASURES
    )


def _crossing(
    asked: tuple[str, str, str], grid: Sequence[float], receivers: int, pushes: int, at: At
) -> Crossing:
    measure, fixed, changing = asked

    def more(churn: float) -> tuple[float, float]:
        """How much dearer the trees are, at the share that was really replaced."""
        a, b = at(fixed, churn), at(changing, churn)
        difference = getattr(a, measure) - getattr(b, measure)
        return a.effective, 0.0 if abs(difference) < 1e-9 else difference

    found = dict(more(churn) for churn in grid)
    most = max(abs(each) for each in found.values())
    apart = [each for _, each in sorted(found.items()) if each]
    what = MEASURES[measure]
    if not apart:
        said = f"{what}: {fixed} and {changing} are equal at {_all(len(found))}"
        return Crossing(measure, fixed, changing, None, None, None, most, said)
    below, above = (fixed, changing) if apart[0] < 0 else (changing, fixed)
    ends = _ends(measure, at(fixed, grid[-1]), at(changing, grid[-1]), fixed, changing)
    places = sign_changes(more, grid, receivers, pushes)
    if not places:
        equal = [churn for churn, each in sorted(found.items()) if not each]
        said = f"{what}: {below} is better {_but(len(found), equal)}; {ends}"
        return Crossing(measure, fixed, changing, None, None, below, most, said)
    churn, *later = places
    crossing = Crossing(
        measure,
        fixed,
        changing,
        churn,
        below,
        None,
        most,
        "",
        at_once=churn < 1 / receivers,
        again=tuple(later),
    )
    if crossing.at_once:
        where = f"{above} is better {AT_ONCE}, {below} while they stay"
    else:
        where = f"{below} is better below {place(churn)} churn, {above} above it"
    said = f"{what}: {where}{again(crossing)}; {ends}"
    return msgspec.structs.replace(crossing, sentence=said)


def _all(count: int) -> str:
    return "the one churn tried" if count == 1 else f"all {count} churns tried"


def _but(count: int, equal: Sequence[float]) -> str:
    if not equal:
        return f"at {_all(count)}"
    rest = percent(equal[0]) if len(equal) == 1 else "the others"
    return f"at {count - len(equal)} of {count} churns tried, equal at {rest}"


def _ends(measure: str, trees: ChurnPoint, bits: ChurnPoint, fixed: str, changing: str) -> str:
    """Both values at the most churn."""
    return (
        f"at {percent(trees.effective)} {shown(measure, getattr(trees, measure))} ({fixed}) against"
        f" {shown(measure, getattr(bits, measure))} ({changing})"
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
        f"{MEASURES[each.measure]} ({_from(each, each.churn)})"
        for each in mine
        if each.churn is not None and each.below == fixed
    ]
    parts = [", ".join(true_of) if true_of else "no measure"]
    for name in (changing, fixed):
        never = [MEASURES[each.measure] for each in mine if each.always == name]
        if never:
            parts.append(f"at no churn tried is {name} worse in {', '.join(never)}")
    return (
        f"trees for receivers that stay, bits for those that change: for {fixed} and {changing}"
        f" that holds in {'; '.join(parts)}"
    )


def _from(crossing: Crossing, churn: float) -> str:
    return AT_ONCE if crossing.at_once else f"from {place(churn)} churn"


def _verdict(ready: Crossing, trees: Sequence[ChurnPoint], bits: Sequence[ChurnPoint]) -> str:
    """Time to ready, taken apart: set-up against what the header costs the transfer."""
    a, b = max(zip(trees, bits, strict=True), key=lambda pair: pair[0].effective)
    setup, rest = a.setup_s - b.setup_s, (a.ready_s - a.setup_s) - (b.ready_s - b.setup_s)
    fixed, changing = ready.fixed, ready.changing
    where = " at every churn tried" if len(trees) > 1 else ""
    return (
        f"{_first(ready, where)}: at {percent(a.effective)} {fixed} takes {_more(setup)} to set up"
        f" than {changing} and {_more(rest)} from its first byte to ready; the"
        f" {show_time(abs(setup + rest))} between them is"
        f" {100 * abs(setup + rest) / b.ready_s:.2g} % of {show_time(b.ready_s)}"
    )


def _first(ready: Crossing, where: str) -> str:
    """Who is ready first, and at which churn."""
    below, above = sides(ready)
    if ready.churn is None:
        if ready.always is None:
            return f"{ready.fixed} and {ready.changing} are ready together{where}"
        other = ready.changing if ready.always == ready.fixed else ready.fixed
        return f"{ready.always} is ready before {other}{where}"
    if ready.at_once:
        return f"{above} is ready first {AT_ONCE}, {below} while they stay{again(ready)}"
    churn = place(ready.churn)
    return f"{below} is ready first below {churn} churn, {above} above it{again(ready)}"


def _more(seconds: float) -> str:
    return f"{show_time(abs(seconds))} {'more' if seconds >= 0 else 'less'}"
