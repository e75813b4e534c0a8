"""Who stops receiving, from when to when, and what each instant of it waits for.

An outage is counted in the receiver's time: from when the first lost packet would have come to when
the first one after it comes. A way that only gets longer loses nothing and is no outage.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from mcastplan.converge.moving import Forwarding, Narrowed
from mcastplan.dataplane.flight import INSTANT_S, Flight, fly
from mcastplan.dataplane.walk import MAX_TTL
from mcastplan.model.change import Cause
from mcastplan.model.plan import Flow
from mcastplan.model.topology import Node


class Gap(msgspec.Struct, frozen=True):
    """One outage of one receiving PE. ``sent_from_s`` and ``sent_to_s`` are its packets' emission
    times; ``stages`` sum to its length, and are empty where it does not end."""

    from_s: float
    to_s: float
    sent_from_s: float
    sent_to_s: float
    stages: dict[str, float]
    flights: tuple[Flight, ...]


def flights(forwarding: Forwarding | Narrowed, flow: Flow) -> list[Flight]:
    """A packet of ``flow`` at all times, in order: from minus to plus infinity, no two neighbours
    the same."""
    found: list[Flight] = []
    at_s = -math.inf
    ttl = len(forwarding.graph.head)
    while True:
        starts, until_s, cause = forwarding.starts(flow, at_s)
        flight = fly(forwarding, starts, at_s, until_s, cause, ttl)
        if not found:
            # No steady path is cut short here, though a TTL has 8 bits: `walk` says the same.
            ttl = max(MAX_TTL, len(flight.copies))
        if found and found[-1].same(flight):
            before = found.pop()
            flight = msgspec.structs.replace(flight, from_s=before.from_s)
        found.append(flight)
        if flight.until_s == math.inf:
            return found
        assert flight.until_s > at_s
        at_s = flight.until_s


def gaps(course: Sequence[Flight], node: Node) -> list[Gap]:
    """Outages of one receiving PE, in order; they do not overlap. One that gets no packet even
    before the first event has none."""
    found: list[Gap] = []
    good: Flight | None = None
    since_s = -math.inf  # when the outage before ended
    lost: list[Flight] = []
    for flight in course:
        if node not in flight.arrivals:
            lost.append(flight)
            continue
        if lost and good is not None:
            found.append(_gap(good, lost, flight.arrivals[node][1], node, since_s))
            since_s = found[-1].to_s
        lost = []
        good = flight
    if lost and good is not None:
        begin_s = lost[0].from_s
        from_s = max(begin_s + good.arrivals[node][1], since_s)
        found.append(Gap(from_s, math.inf, begin_s, math.inf, {}, tuple(lost)))
    return found


def _gap(good: Flight, lost: Sequence[Flight], then_s: float, node: Node, since_s: float) -> Gap:
    """``since_s``: when an outage before this one ended. After a detour that was left in between,
    packets of both can be due at the same time."""
    begin_s, end_s = lost[0].from_s, lost[-1].until_s
    due_s, to_s = begin_s + good.arrivals[node][1], max(end_s + then_s, since_s)
    # What happens where packets are lost shows at the receiver by so much later.
    later_s = max(0.0, due_s - good.ended_by.until_s) if good.ended_by else 0.0
    # A much shorter way afterwards can bring the next packet before the lost one was due.
    from_s = min(max(due_s, since_s), to_s)
    stages = attributed(lost[-1].ended_by, from_s, to_s, later_s)
    return Gap(from_s, to_s, begin_s, end_s, stages, tuple(lost))


def attributed(
    cause: Cause | None, from_s: float, to_s: float, later_s: float = 0.0
) -> dict[str, float]:
    """Seconds by stage between two instants, by the chain of what ended the outage, each of whose
    instants shows ``later_s`` later; what lies after the last of them is propagation, by which the
    new way is longer."""
    bounds: list[tuple[float, str]] = []
    while cause is not None:
        bounds.append((cause.until_s, cause.stage))
        cause = cause.before
    stages: dict[str, float] = {}
    at_s = from_s
    for until_s, stage in [*reversed(bounds), (math.inf, "propagation")]:
        upto_s = min(until_s + later_s, to_s)
        if upto_s > at_s + INSTANT_S:  # what is less is rounding, and part of the next one
            stages[stage] = stages.get(stage, 0.0) + upto_s - at_s
            at_s = upto_s
    return stages
