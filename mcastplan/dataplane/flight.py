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


# Node, arc the copy came on, packet, seconds under way.
_Place = tuple[Node, Arc | None, Hashable, float]


class _Lone:
    """A packet that forwards as one copy, hop after hop: where it has been, to tell that it loops,
    and how many laps it will do before anything changes."""

    def __init__(self) -> None:
        self._been: dict[tuple[Node, Arc | None, Hashable], tuple[int, float]] = {}
        self._until_s: list[float] = []  # by hop: until when its answer holds, in emission time
        self._lap: tuple[int, float] = 0, 0.0

    def note(self, wave: Mapping[_Place, int], until_s: float, plain: bool) -> None:
        """One hop done. Where copies part, or one is delivered or dropped, all starts anew."""
        if not plain:
            self._been.clear()
            self._until_s.clear()
            return
        ((node, arrived, packet, away_s),) = wave
        self._been[node, arrived, packet] = len(self._until_s), away_s
        self._until_s.append(until_s)

    def laps(self, wave: Mapping[_Place, int]) -> bool:
        """Whether the packet has been at this place before."""
        if not self._until_s:
            return False
        ((node, arrived, packet, away_s),) = wave
        before = self._been.get((node, arrived, packet))
        if before is None:
            return False
        self._lap = len(self._until_s) - before[0], away_s - before[1]
        return True

    def ahead(
        self, wave: Mapping[_Place, int], at_s: float, ttl: int
    ) -> tuple[dict[_Place, int], int]:
        """The packet after whole laps in which nothing changes, and hops that took. The last lap
        in which nothing changes is walked: it says until when that holds. So is what comes after
        it, up to the end of the TTL."""
        hops, lap_s = self._lap
        most = max(0, ttl // hops - 1)
        spare_s = min(self._until_s[-hops:]) - at_s
        # A change at the very end of a lap is one of the next: hence not one less, but two.
        if lap_s > 0 and spare_s < (most + 2) * lap_s:
            most = max(0, int(spare_s / lap_s) - 2)
        self._been.clear()
        self._until_s.clear()
        (((node, arrived, packet, away_s), count),) = wave.items()
        return {(node, arrived, packet, away_s + most * lap_s): count}, most * hops


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
    head, delay_s = moving.graph.head, moving.graph.delay_s
    arrivals: dict[Node, tuple[int, float]] = {}
    copies: dict[Arc, int] = {}
    headers: dict[Arc, int] = {}
    drops: dict[Drop, None] = {}
    crossed: dict[tuple[Arc, Hashable], int] = {}
    wave: dict[_Place, int] = {}
    for node, packet in starts:
        wave[node, None, packet, 0.0] = wave.get((node, None, packet, 0.0), 0) + 1
    lone = _Lone()
    hops = 0
    while wave and hops <= ttl:
        if len(wave) == 1 and lone.laps(wave):
            wave, more = lone.ahead(wave, at_s, ttl - hops)
            hops += more
        ahead: dict[_Place, int] = {}
        before_s = until_s
        until_s = math.inf
        for (node, arrived, packet, away_s), count in wave.items():
            here_s = at_s + away_s
            hop, holds_s, cause = moving.hop(node, here_s, arrived, packet)
            if holds_s - away_s < until_s:
                until_s = holds_s - away_s
                if until_s < before_s:
                    ended_by = cause
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
                    until_s = holds_s - away_s
                    if until_s < before_s:
                        ended_by = cause
                if there:
                    place = head[arc], arc, copy, away_s + delay_s[arc]
                    ahead[place] = ahead.get(place, 0) + count
                else:
                    drops[Drop(node, arc, LINK_DOWN, _dests(copy))] = None
        plain = len(wave) == len(ahead) == len(hop.out) == 1 and not (hop.delivered or hop.drops)
        lone.note(wave, until_s, plain)
        until_s = min(until_s, before_s)
        wave = ahead
        hops += 1
    for node, _, packet, _ in wave:
        drops[Drop(node, None, EXPIRED, _dests(packet))] = None
    return Flight(at_s, until_s, ended_by, arrivals, copies, headers, tuple(drops))


def _dests(packet: Hashable) -> tuple[Node, ...]:
    inner = getattr(packet, "packet", packet)  # a Detour carries another
    return inner.dests if isinstance(inner, Steer) and not inner.lookup else ()
