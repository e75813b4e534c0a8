"""Sets of bytes, as sorted disjoint ranges [low, high) of whole offsets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Range = tuple[int, int]


def total(ranges: Iterable[Range]) -> int:
    return sum(high - low for low, high in ranges)


def within(ranges: Iterable[Range], others: Sequence[Range]) -> list[Range]:
    """What both have."""
    return [
        (max(low, start), min(high, end))
        for low, high in ranges
        for start, end in others
        if low < end and start < high
    ]


def minus(ranges: Iterable[Range], low: int, high: int) -> list[Range]:
    """``ranges`` less [low, high)."""
    rest = []
    for start, end in ranges:
        if end <= low or high <= start:
            rest.append((start, end))
            continue
        if start < low:
            rest.append((start, low))
        if high < end:
            rest.append((high, end))
    return rest


def union(sets: Iterable[Iterable[Range]]) -> list[Range]:
    """What any of them has."""
    joined: list[Range] = []
    for low, high in sorted(each for ranges in sets for each in ranges):
        if joined and low <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(high, joined[-1][1])
        else:
            joined.append((low, high))
    return joined


def split(ranges: Iterable[Range], count: int) -> tuple[list[Range], list[Range]]:
    """(the first ``count`` bytes, the others)."""
    front: list[Range] = []
    rest: list[Range] = []
    for low, high in ranges:
        middle = min(high, low + count)
        if low < middle:
            front.append((low, middle))
        if middle < high:
            rest.append((middle, high))
        count -= middle - low
    return front, rest
