"""When one receiver gets the packets of one flow: flights that remember how their ways go on.

`mcastplan.dataplane.flight` follows every copy anew at every instant. For one receiver, whose
packet is one copy at a time, a node's answer can be kept: from when to when a packet that is there
then arrives, and how long it takes. A later packet stops at the first node whose answer is known.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Hashable, Iterator

import msgspec

from mcastplan.converge.moving import Narrowed
from mcastplan.dataplane.flight import INSTANT_S
from mcastplan.dataplane.walk import MAX_TTL
from mcastplan.model.plan import Flow
from mcastplan.model.topology import Arc, Node

_Place = tuple[Node, Arc | None, Hashable]


class BranchesError(Exception):
    """A copy parts in two: for `flights` to follow."""


class _Answer(msgspec.Struct, frozen=True):
    """For packets at a place in [from_s, to_s): seconds and hops to the receiver; None: lost."""

    from_s: float
    to_s: float
    way: tuple[float, int] | None


class _Known:
    """Answers at one place, by time; they do not overlap."""

    __slots__ = ("answers", "starts")

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.answers: list[_Answer] = []

    def at(self, at_s: float) -> _Answer | None:
        place = bisect_right(self.starts, at_s + INSTANT_S) - 1
        if place >= 0 and at_s + INSTANT_S < self.answers[place].to_s:
            return self.answers[place]
        return None

    def add(self, answer: _Answer) -> None:
        place = bisect_right(self.starts, answer.from_s)
        self.starts.insert(place, answer.from_s)
        self.answers.insert(place, answer)


class Reach:
    """One receiver's packets of one flow."""

    def __init__(self, moving: Narrowed, receiver: Node, most_hops: int) -> None:
        self._moving, self._receiver = moving, receiver
        self._ttl = max(MAX_TTL, most_hops)
        self._known: dict[_Place, _Known] = {}
        self._firsts: dict[tuple[_Place, float], tuple[_Place, float, int]] = {}

    def gaps(self, flow: Flow) -> list[float]:
        """Lengths [s] of the outages, infinite where one does not end: those of `outages.gaps`.

        Raises `BranchesError`.
        """
        found: list[float] = []
        began_s = delay_s = None
        for answer in self._answers(flow):
            if answer.way is None:
                if delay_s is not None and began_s is None:
                    began_s = answer.from_s + delay_s
                continue
            delay_s = answer.way[0]
            if began_s is not None:
                found.append(max(0.0, answer.from_s + delay_s - began_s))
                began_s = None
        if began_s is not None:
            found.append(math.inf)
        return found

    def _answers(self, flow: Flow) -> Iterator[_Answer]:
        """For packets emitted at all times, in order."""
        at_s = -math.inf
        while at_s < math.inf:
            starts, until_s, _ = self._moving.starts(flow, at_s)
            if len(starts) > 1:
                raise BranchesError
            if starts:
                place, away_s, hops = self._first_changing(
                    (starts[0][0], None, starts[0][1]), at_s, until_s
                )
                answer = self._ask(place, at_s + away_s)
                until_s = min(until_s, answer.to_s - away_s)
                way = None
                if answer.way is not None and answer.way[1] + hops <= self._ttl:
                    way = answer.way[0] + away_s, answer.way[1] + hops
                yield _Answer(at_s, until_s, way)
            else:
                yield _Answer(at_s, until_s, None)
            at_s = until_s

    def _first_changing(
        self, start: _Place, at_s: float, until_s: float
    ) -> tuple[_Place, float, int]:
        """Where packets emitted from ``at_s`` to ``until_s`` first meet a change, and how many
        seconds and hops away that is."""
        key = start, until_s
        found = self._firsts.get(key)
        if found is None:
            moving, head, delay_s = (
                self._moving,
                self._moving.graph.head,
                self._moving.graph.delay_s,
            )
            place, away_s, hops = start, 0.0, 0
            while hops <= self._ttl:
                node, arrived, packet = place
                hop, hop_s, _ = moving.hop(node, at_s + away_s, arrived, packet)
                if hop_s - away_s < until_s or hop.delivered or len(hop.out) != 1:
                    break
                arc, packet = hop.out[0]
                there, arc_s, _ = moving.crosses(arc, at_s + away_s)
                if arc_s - away_s < until_s or not there:
                    break
                place, away_s, hops = (head[arc], arc, packet), away_s + delay_s[arc], hops + 1
            found = self._firsts[key] = place, away_s, hops
        return found

    def _ask(self, place: _Place, at_s: float) -> _Answer:
        moving, known = self._moving, self._known
        head, delay_s = moving.graph.head, moving.graph.delay_s
        passed: list[tuple[_Place, float, float, float]] = []  # place, when, holds until, then away
        while True:
            if place in known:
                found = known[place].at(at_s)
                if found is not None:
                    to_s, way = found.to_s, found.way
                    break
            if len(passed) > self._ttl:
                # What the places passed would still lead to is not known: only this packet's end.
                start_s, away_s, until_s = passed[0][1], 0.0, math.inf
                for _, _, holds_s, delay in passed:
                    until_s = min(until_s, holds_s - away_s)
                    away_s += delay
                return _Answer(start_s, until_s, None)
            node, arrived, packet = place
            hop, to_s, _ = moving.hop(node, at_s, arrived, packet)
            if hop.delivered and node == self._receiver:
                way = (0.0, 0)
                known.setdefault(place, _Known()).add(_Answer(at_s, to_s, way))
                break
            if len(hop.out) > 1:
                raise BranchesError
            there = False
            if hop.out:
                arc, packet = hop.out[0]
                there, until_s, _ = moving.crosses(arc, at_s)
                to_s = min(to_s, until_s)
            if not there:
                way = None
                known.setdefault(place, _Known()).add(_Answer(at_s, to_s, way))
                break
            passed.append((place, at_s, to_s, delay_s[arc]))
            place, at_s = (head[arc], arc, packet), at_s + delay_s[arc]
        for before, then_s, holds_s, delay in reversed(passed):
            to_s = min(holds_s, to_s - delay)
            way = None if way is None else (way[0] + delay, way[1] + 1)
            known.setdefault(before, _Known()).add(_Answer(then_s, to_s, way))
        return _Answer(passed[0][1] if passed else at_s, to_s, way)
