"""At which churn the difference of two curves changes sign, on a grid of its own.

A mean rises in a straight line until every push changes one receiver, and bends there: below that,
a mean is of pushes that change one and pushes that change none.

Not found: two changes of sign between the same two churns of the grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from mcastplan.errors import InfeasibleError

TENTHS = 10  # the grid: the same churns for any range that is wide enough
WITHIN = 0.005  # of churn: as close as a crossing is narrowed down
_SPLIT = 1e-6  # closer churns replace the same receivers but for what the pool limits

# How much dearer one scheme is than another at a churn: (share really replaced, difference).
Difference = Callable[[float], tuple[float, float]]


def search_grid(churns: Sequence[float], receivers: int) -> tuple[float, ...]:
    """The churns that are always tried from the least to the greatest of ``churns``: these two and
    the tenths between, halved while the range is narrow. Below one receiver a push only the least
    and that one receiver, which is tried even if the range ends before."""
    low, high = min(churns), max(churns)
    if low == high:
        return (low,)
    parts = TENTHS
    while (high - low) * parts < 2 and parts * WITHIN < 1:
        parts *= 2
    inside = (part / parts for part in range(math.ceil(low * parts), math.ceil(high * parts)))
    one = 1 / receivers
    start = (low, one) if low < one else (low,)
    return (*start, *(churn for churn in (*inside, high) if churn > start[-1]))


def sign_changes(
    more: Difference, grid: Sequence[float], receivers: int, pushes: int
) -> tuple[float, ...]:
    """The shares at which ``more`` changes sign, to `WITHIN` or to one receiver of all pushes."""
    within = max(WITHIN, 1.01 / (receivers * (pushes - 1)))
    apart = [churn for churn in grid if more(churn)[1]]
    return tuple(
        _narrowed(more, low, high, 1 / receivers, within)
        for low, high in pairwise(apart)
        if (more(low)[1] < 0) != (more(high)[1] < 0)
    )


def _narrowed(more: Difference, low: float, high: float, one: float, within: float) -> float:
    """Halved until it is narrow, then a straight line; so is all below one receiver a push."""
    below = more(low)[1]
    while high > one and more(high)[0] - more(low)[0] > within and high - low > _SPLIT:
        middle = (low + high) / 2
        try:
            share, difference = more(middle)
        except InfeasibleError:  # these very receivers cannot be served
            break
        if not difference:
            return share
        low, high = (middle, high) if (difference < 0) == (below < 0) else (low, middle)
    (least, before), (most, after) = more(low), more(high)
    return least + (most - least) * before / (before - after)
