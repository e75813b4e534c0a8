"""A packet in space and time: sent at one instant, it meets each node in the state of then.

What becomes of a packet holds until the first change that it would meet otherwise. So a whole
episode of failures is a handful of flights: ``while t < end: fly(t); t = until``.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Protocol

import msgspec

from mcastplan.dataplane.walk import EXPIRED, MAX_TTL
from mcastplan.model.change import Cause
from mcastplan.model.plan import Hop, Steer
from mcastplan.model.topology import Arc, Graph, Node

LINK_DOWN = "lost on a link that is down"
# Instants closer than this are one: sums of delays must not step over a change for ever.
INSTANT_S = 1e-9


class Moving(Protocol):
    """A network whose state changes. Both answers come with the instant, at that place, until which
    they hold, and what changes then."""

    graph: Graph

    def hop(
        self, node: Node, at_s: float, arrived: Arc | None, packet: Hashable
    ) -> tuple[Hop, float, Cause | None]:
        """What the node does with the packet at ``at_s``."""

    def crosses(self, arc: Arc, at_s: float) -> tuple[bool, float, Cause | None]:
        """Whether a packet that enters the arc at ``at_s`` gets to its head."""


class Drop(msgspec.Struct, frozen=True):
    """A copy that ended: at a node, or on an arc. ``dests``: whom it was for, where the packet
    itself says so."""

    node: Node
    arc: Arc | None
    reason: str
    dests: tuple[Node, ...] = ()


class Flight(msgspec.Struct, frozen=True):
    """What a packet emitted at ``from_s``, or at any time until ``until_s``, became.

    ``arrivals``: by node (copies, delay [s] of the first). ``ended_by``: what changes the answer.
    """

    from_s: float
    until_s: float
    ended_by: Cause | None
    arrivals: Mapping[Node, tuple[int, float]]
    copies: Mapping[Arc, int]
    headers: Mapping[Arc, int]
    drops: tuple[Drop, ...]

    def same(self, other: Flight) -> bool:
        """Equal but for the time."""
        return (
            self.arrivals == other.arrivals
            and self.copies == other.copies
            and self.headers == other.headers
            and self.drops == other.drops
        )


def fly(
    moving: Moving,
    starts: Iterable[tuple[Node, Hashable]],
    at_s: float,
    until_s: float = math.inf,
    ended_by: Cause | None = None,
    ttl: int = MAX_TTL,
) -> Flight:
    """Follow the packets that enter at ``at_s``; ``starts`` themselves hold until ``until_s``.

    A copy ends where it is delivered, dropped, lost on a link that goes down before its far end is
    reached, or after ``ttl`` hops. Not modelled: queues, and the load that loops put on links: the
    same packet on the same arc again, at another time, is not counted in ``copies``.
    """
    graph = moving.graph
    head, delay_s = graph.head, graph.delay_s
    arrivals: dict[Node, tuple[int, float]] = {}
    copies: dict[Arc, int] = {}
    headers: dict[Arc, int] = {}
    drops: dict[Drop, None] = {}
    crossed: dict[tuple[Arc, Hashable], int] = {}
    # (node, arc it came on, packet, seconds under way) -> copies
    wave: dict[tuple[Node, Arc | None, Hashable, float], int] = {}
    for node, packet in starts:
        wave[node, None, packet, 0.0] = wave.get((node, None, packet, 0.0), 0) + 1
    for _ in range(ttl + 1):
        ahead: dict[tuple[Node, Arc | None, Hashable, float], int] = {}
        for (node, arrived, packet, away_s), count in wave.items():
            here_s = at_s + away_s
            hop, holds_s, cause = moving.hop(node, here_s, arrived, packet)
            if holds_s - away_s < until_s:
                until_s, ended_by = holds_s - away_s, cause
            if hop.delivered:
                before, first_s = arrivals.get(node, (0, away_s))
                arrivals[node] = before + hop.delivered * count, min(first_s, away_s)
            for reason in hop.drops:
                drops[Drop(node, None, reason, _dests(packet))] = None
            for arc, copy in hop.out:
                again = crossed.get((arc, copy), 0)
                if count > again:
                    crossed[arc, copy] = count
                    more = count - again
                    copies[arc] = copies.get(arc, 0) + more
                    headers[arc] = headers.get(arc, 0) + getattr(copy, "header_bytes", 0) * more
                there, holds_s, cause = moving.crosses(arc, here_s)
                if holds_s - away_s < until_s:
                    until_s, ended_by = holds_s - away_s, cause
                if there:
                    place = head[arc], arc, copy, away_s + delay_s[arc]
                    ahead[place] = ahead.get(place, 0) + count
                else:
                    drops[Drop(node, arc, LINK_DOWN, _dests(copy))] = None
        wave = ahead
        if not wave:
            break
    for node, _, packet, _ in wave:
        drops[Drop(node, None, EXPIRED, _dests(packet))] = None
    return Flight(at_s, until_s, ended_by, arrivals, copies, headers, tuple(drops))


def _dests(packet: Hashable) -> tuple[Node, ...]:
    inner = getattr(packet, "packet", packet)  # a Detour carries another
    return inner.dests if isinstance(inner, Steer) and not inner.lookup else ()
