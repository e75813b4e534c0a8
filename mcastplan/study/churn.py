"""Which clouds each push of a campaign goes to: no chance, only a hash of seed, push and name."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise


def receiver_sets(
    pool: Sequence[str], receivers: int, pushes: int, churn: float, seed: int
) -> list[frozenset[str]]:
    """The clouds of every push. After each, ``churn`` x ``receivers`` of them make room for others
    of the pool, as many as it has; what is left of a whole receiver adds up to the next push.

    Every choice is a hash order of its own, so that equal arguments give equal sets anywhere.
    """
    sets = [frozenset(_first(pool, receivers, f"{seed}|0|in"))]
    spare = min(receivers, len(pool) - receivers)
    for push in range(1, pushes):
        # Whole receivers due by now less those due before: their mean is exact.
        due = _whole(push * churn * receivers) - _whole((push - 1) * churn * receivers)
        last, moved = sets[-1], min(due, spare)
        outside = [name for name in pool if name not in last]
        leave = _first(sorted(last), moved, f"{seed}|{push}|out")
        join = _first(outside, moved, f"{seed}|{push}|in")
        sets.append(last.difference(leave).union(join) if moved else last)
    return sets


def effective(sets: Sequence[frozenset[str]]) -> float:
    """The share of receivers that were replaced, on average over the pushes after the first."""
    moved = sum(len(now - was) for was, now in pairwise(sets))
    return moved / (len(sets[0]) * (len(sets) - 1))


def _whole(number: float) -> int:
    return int(number + 1e-9)  # 10 x 0.3 is 3


def _first(names: Sequence[str], count: int, salt: str) -> list[str]:
    def rank(name: str) -> bytes:
        return blake2b(f"{salt}|{name}".encode(), digest_size=8).digest()

    return sorted(names, key=lambda name: (rank(name), name))[:count]
