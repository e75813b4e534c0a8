"""Merging cable waypoints: joints that a sea cable's drawing has and no router.

A waypoint with exactly two links disappears into one link: delays and explicit metrics add,
the least capacity counts, SRLGs unite. Parallel links that result stay, a loop back to the same
router is dropped, and so is a ring of waypoints with no router on it. Degrees are those of the
source, so the outcome does not depend on any order. Waypoints of other degree stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from mcastplan.model.topology import NodeInfo
from mcastplan.scenario.raw import RawLink

T = TypeVar("T", int, float)


class Merged(msgspec.Struct, frozen=True):
    nodes: list[NodeInfo]
    links: list[RawLink]
    removed: tuple[str, ...]  # names of the merged waypoints, sorted
    kept: int  # waypoints that stay
    loops: int  # links dropped because both ends came to one router


def merge_waypoints(nodes: Sequence[NodeInfo], links: Sequence[RawLink]) -> Merged:
    """Merge degree-2 waypoints; ``links`` have capacity and delay. Linear time."""
    waypoints = {node.name for node in nodes if node.kind == "waypoint"}
    touching: dict[str, list[RawLink]] = {name: [] for name in waypoints}
    for link in links:
        for end in (link.a, link.b):
            if end in touching:
                touching[end].append(link)
    joints = {name for name, found in touching.items() if len(found) == 2}

    kept = [link for link in links if link.a not in joints and link.b not in joints]
    loops = 0
    walked: set[int] = set()
    for link in links:
        if id(link) in walked or (link.a in joints) == (link.b in joints):
            continue  # not the first link of a chain that starts at a router
        start = link.b if link.a in joints else link.a
        chain, end = _follow(start, link, touching, joints)
        walked.update(id(part) for part, _ in chain)
        if start == end:
            loops += 1
        else:
            kept.append(_joined(start, end, chain))
    return Merged(
        [node for node in nodes if node.name not in joints],
        kept,
        tuple(sorted(joints)),
        len(waypoints) - len(joints),
        loops,
    )


def _follow(
    start: str, link: RawLink, touching: dict[str, list[RawLink]], joints: set[str]
) -> tuple[list[tuple[RawLink, bool]], str]:
    """Links from ``start`` through joints to the next router, each with "runs a to b"."""
    chain = [(link, link.a == start)]
    here = link.b if link.a == start else link.a
    while here in joints:
        first, second = touching[here]
        link = second if first is link else first
        chain.append((link, link.a == here))
        here = link.b if link.a == here else link.a
    return chain, here


def _joined(start: str, end: str, chain: list[tuple[RawLink, bool]]) -> RawLink:
    forward, reverse = [], []
    capacity, capacity_reverse = [], []
    for link, ahead in chain:
        there, back = link.capacity_bps, link.capacity_reverse_bps
        capacity.append(there if ahead else back)
        capacity_reverse.append(back if ahead else there)
        forward.append(link.metric if ahead else link.metric_reverse)
        reverse.append(link.metric_reverse if ahead else link.metric)
    return RawLink(
        a=start,
        b=end,
        capacity_bps=_least(capacity),
        capacity_reverse_bps=_least(capacity_reverse),
        delay_us=_sum([link.delay_us for link, _ in chain]),
        metric=_sum(forward),
        metric_reverse=_sum(reverse),
        srlgs=tuple(sorted({name for link, _ in chain for name in link.srlgs})),
    )


def _sum(values: Sequence[T | None]) -> T | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _least(values: list[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)
