"""When one receiver gets the packets of one flow: flights that remember how their ways go on.

`mcastplan.dataplane.flight` follows every copy anew at every instant. For one receiver a node's
answer can be kept: from when to when a packet that is there then arrives, and how long it takes. A
later packet stops at the first node whose answer is known.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Container, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from mcastplan.converge.moving import Choices, Narrowed
from mcastplan.dataplane.flight import INSTANT_S, Flight
from mcastplan.dataplane.walk import MAX_TTL
from mcastplan.model.plan import Flow, Packet
from mcastplan.model.topology import Arc, Node

_Place = tuple[Node, Arc | None, Packet]


class BranchesError(Exception):
    """Copies part again and again: for `flights` to follow."""


# A way on which copies part so often is a loop that makes copies.
MOST_PARTS = 50


class _Answer(NamedTuple):
    """For packets at a place in [from_s, to_s): seconds and hops to the receiver; None: lost."""

    from_s: float
    to_s: float
    way: tuple[float, int] | None


class _Stretch(NamedTuple):
    """A packet at a place before ``to_s`` gets to the place ``ahead``; ``at_s``: when one did."""

    place: _Place
    at_s: float
    to_s: float
    away_s: float
    hops: int
    ahead: _Place


class Trail:
    """The steady way of one receiver's packets: every place on it, up to where they arrive."""

    def __init__(self, places: Sequence[_Place], delays_s: Sequence[float]) -> None:
        self.places = places
        self.number = {place: number for number, place in enumerate(places)}
        self.at_s = [0.0, *accumulate(delays_s)]

    def ends(self, changing: Container[Node], choices: Choices) -> list[int] | None:
        """By place: the next one, itself included, at which anything changes at some time, or the
        last. ``changing``: nodes that do so for another reason than their routes."""
        if not choices.once:
            return None
        found = [len(self.places) - 1] * len(self.places)
        for number in range(len(self.places) - 2, -1, -1):
            node = self.places[number][0]
            if node in changing or not choices.stay(node, (self.places[number + 1][2],)):
                found[number] = number
            else:
                found[number] = found[number + 1]
        return found


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

    def __init__(
        self, moving: Narrowed, receiver: Node, most_hops: int, settled: Flight | None = None
    ) -> None:
        """``settled``: what becomes of packets from some time on, of all receivers."""
        self._moving, self._receiver, self._settled = moving, receiver, settled
        self._ttl = max(MAX_TTL, most_hops)
        self._known: dict[_Place, _Known] = {}
        self._stretches: dict[_Place, _Stretch] = {}
        self._trail: Trail | None = None
        self._ends: list[int] | None = None

    def steady(self, start: tuple[Node, Packet]) -> Trail | None:
        """The way on which nothing ever changes; None where it parts or does not arrive."""
        moving, head, delay_s = self._moving, self._moving.graph.head, self._moving.graph.delay_s
        place: _Place = start[0], None, start[1]
        places, delays_s = [place], list[float]()
        while len(places) <= self._ttl + 1:
            hop, _, _ = moving.hop(place[0], 0.0, place[1], place[2])
            if hop.delivered and place[0] == self._receiver:
                return Trail(places, delays_s)
            if len(hop.out) != 1:
                return None
            arc, packet = hop.out[0]
            place = head[arc], arc, packet
            places.append(place)
            delays_s.append(delay_s[arc])
        return None

    def lay(self, trail: Trail, changing: Container[Node], choices: Choices) -> None:
        """Take a steady way as known, but where it changes."""
        self._trail, self._ends = trail, trail.ends(changing, choices)

    def _known_stretch(self, place: _Place) -> _Stretch | None:
        """From any place of the trail to where it first changes."""
        if self._ends is not None and self._trail is not None:
            number = self._trail.number.get(place)
            if number is not None:
                end = self._ends[number]
                if end > number:
                    at_s = self._trail.at_s
                    away_s = at_s[end] - at_s[number]
                    ahead = self._trail.places[end]
                    return _Stretch(place, -math.inf, math.inf, away_s, end - number, ahead)
        return None

    def gaps(self, flow: Flow) -> list[float]:
        """Lengths [s] of the outages, infinite where one does not end: those of `outages.gaps`.

        Raises `BranchesError`.
        """
        found: list[float] = []
        since_s = -math.inf
        began_s = delay_s = None
        for answer in self._answers(flow):
            if answer.way is None:
                if delay_s is not None and began_s is None:
                    began_s = answer.from_s + delay_s
                continue
            delay_s = answer.way[0]
            if began_s is not None:
                to_s = answer.from_s + delay_s
                found.append(max(0.0, to_s - max(began_s, since_s)))
                since_s = max(since_s, to_s)
                began_s = None
        if began_s is not None:
            found.append(math.inf)
        return found

    def _answers(self, flow: Flow) -> Iterator[_Answer]:
        """For packets emitted at all times, in order."""
        at_s = -math.inf
        while at_s < math.inf:
            if self._settled is not None and at_s >= self._settled.from_s:
                arrival = self._settled.arrivals.get(self._receiver)
                yield _Answer(at_s, math.inf, arrival and (arrival[1], 0))
                return
            starts, until_s, _ = self._moving.starts(flow, at_s)
            if len(starts) > 1:
                raise BranchesError
            if starts:
                answer = self._ask((starts[0][0], None, starts[0][1]), at_s)
                until_s = min(until_s, answer.to_s)
                way = answer.way
                yield _Answer(at_s, until_s, way if way and way[1] <= self._ttl else None)
            else:
                yield _Answer(at_s, until_s, None)
            assert until_s > at_s
            at_s = until_s

    def _ask(self, place: _Place, at_s: float, depth: int = 0) -> _Answer:
        moving, known = self._moving, self._known
        head, delay_s = moving.graph.head, moving.graph.delay_s
        passed: list[_Stretch] = []
        hops = 0
        while True:
            if place in known:
                found = known[place].at(at_s)
                if found is not None:
                    to_s, way = found.to_s, found.way
                    break
            if hops > self._ttl:
                # What the places passed would still lead to is not known: only this packet's end.
                return _expired(passed)
            stretch = self._stretches.get(place) or self._known_stretch(place)
            if stretch is None or at_s + INSTANT_S >= stretch.to_s:
                node, arrived, packet = place
                hop, to_s, _ = moving.hop(node, at_s, arrived, packet)
                if hop.delivered and node == self._receiver:
                    way = (0.0, 0)
                    known.setdefault(place, _Known()).add(_Answer(at_s, to_s, way))
                    break
                if len(hop.out) > 1:
                    if depth > MOST_PARTS:
                        raise BranchesError
                    until_s, way = self._parted(hop.out, at_s, depth)
                    to_s = min(to_s, until_s)
                    known.setdefault(place, _Known()).add(_Answer(at_s, to_s, way))
                    break
                there = False
                if hop.out:
                    arc, packet = hop.out[0]
                    there, until_s, _ = moving.crosses(arc, at_s)
                    to_s = min(to_s, until_s)
                if not there:
                    way = None
                    known.setdefault(place, _Known()).add(_Answer(at_s, to_s, way))
                    break
                stretch = _Stretch(place, at_s, to_s, delay_s[arc], 1, (head[arc], arc, packet))
            passed.append(_Stretch(stretch[0], at_s, *stretch[2:]))
            place, at_s, hops = stretch.ahead, at_s + stretch.away_s, hops + stretch.hops
        first_s = passed[0].at_s if passed else at_s
        return _Answer(first_s, *self._keep(passed, to_s, way))

    def _parted(
        self, out: Sequence[tuple[Arc, Packet]], at_s: float, depth: int
    ) -> tuple[float, tuple[float, int] | None]:
        """Of several copies, the way of the first that arrives, and until when that holds."""
        graph, found = self._moving.graph, []
        to_s = math.inf
        for arc, packet in out:
            there, until_s, _ = self._moving.crosses(arc, at_s)
            to_s = min(to_s, until_s)
            if there:
                delay_s = graph.delay_s[arc]
                place = graph.head[arc], arc, packet
                answer = self._ask(place, at_s + delay_s, depth + 1)
                to_s = min(to_s, answer.to_s - delay_s)
                if answer.way is not None:
                    found.append((answer.way[0] + delay_s, answer.way[1] + 1))
        return to_s, min(found, default=None)

    def _keep(
        self, passed: list[_Stretch], to_s: float, way: tuple[float, int] | None
    ) -> tuple[float, tuple[float, int] | None]:
        """Answers for the places passed, given the one behind them; places that change later than
        what is behind them become one stretch with their successor."""
        later: _Stretch | None = None
        for each in reversed(passed):
            way = None if way is None else (way[0] + each.away_s, way[1] + each.hops)
            to_s -= each.away_s
            if each.to_s <= to_s:
                to_s, later = each.to_s, None
            else:
                if later is not None:
                    each = _Stretch(
                        each.place,
                        each.at_s,
                        min(each.to_s, later.to_s - each.away_s),
                        each.away_s + later.away_s,
                        each.hops + later.hops,
                        later.ahead,
                    )
                    self._stretches[each.place] = each
                later = each
            self._known.setdefault(each.place, _Known()).add(_Answer(each.at_s, to_s, way))
        return to_s, way


def _expired(passed: list[_Stretch]) -> _Answer:
    away_s, until_s = 0.0, math.inf
    for each in passed:
        until_s = min(until_s, each.to_s - away_s)
        away_s += each.away_s
    return _Answer(passed[0].at_s, until_s, None)
