"""A push of one flow in numbers, and the same numbers when some of its branches move.

Under ``ecmp: first`` and for one flow alone in the network the max-min fair rate is the least of
room / weight over its arcs: there is nobody to share with.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from mcastplan.dataplane.fold import Load, fold
from mcastplan.evaluate.scheme import Context
from mcastplan.evaluate.wire import payload_bytes, wire_factor
from mcastplan.fluid import left
from mcastplan.model.plan import Demand, Flow, Key, ReplicationPlan, Steer
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import Scheme
from mcastplan.underlay.routes import IgpRoutes
from mcastplan.units import BITS_PER_BYTE


class Sums(NamedTuple):
    """Copies of one packet on core arcs and their header bytes in all; the least rate [bit/s] that
    one of these arcs allows."""

    copies: int
    headers: int
    rate_bps: float
    payload: int


# By arc: more copies of one packet, more header bytes.
Change = dict[Arc, list[int]]


class OneFlow:
    """A transfer of one flow, alone in the network, by its plan without failure."""

    def __init__(self, context: Context, was: Demand, plan: ReplicationPlan) -> None:
        self._mtu = context.scenario.mtu
        space = context.space
        (self.flow,) = plan.flows
        self.was, self.plan, self.routes = was, plan, context.routes
        background = space.background_bps
        self.room_bps = [
            left(capacity, background.get(arc, 0.0))
            for arc, capacity in enumerate(space.capacity_bps)
        ]
        (self.load,) = fold(plan, context.routes)
        self.sums = self._sums(self.load, payload_bytes(self._mtu, plan))
        self._levels = sorted(
            (self._level_bps(arc, *each, self.sums.payload), arc) for arc, each in self.load.items()
        )
        self._origin_bps = self.room_bps[space.origin[plan.transfer]]
        self._ingress_bps = {name: self.room_bps[space.cloud[name]] for name, _, _ in was.clouds}
        self._slowest = sorted((rate, name) for name, rate in self._ingress_bps.items())

    def _level_bps(self, arc: Arc, copies: int, headers: int, payload: int) -> float:
        """Rate at which the arc is full."""
        weight = wire_factor(payload, self.plan.inner_bytes, copies, headers)
        return max(0.0, self.room_bps[arc]) / weight

    def _sums(self, load: Load, payload: int) -> Sums:
        rate = min(
            (self._level_bps(arc, *each, payload) for arc, each in load.items()), default=math.inf
        )
        copies = sum(each for each, _ in load.values())
        return Sums(copies, sum(headers for _, headers in load.values()), rate, payload)

    def of(self, plan: ReplicationPlan, routes: IgpRoutes) -> Sums:
        """Of another plan for the same transfer. Raises `InfeasibleError` without any payload."""
        (load,) = fold(plan, routes)
        return self._sums(load, payload_bytes(self._mtu, plan))

    def changed(self, change: Change) -> Sums:
        """Of this plan with so many more copies and header bytes on these arcs."""
        copies, headers, _, payload = self.sums
        rate = next((level for level, arc in self._levels if arc not in change), math.inf)
        for arc, (more, longer) in change.items():
            copies += more
            headers += longer
            was = self.load.get(arc, (0, 0))
            if was[0] + more:
                level = self._level_bps(arc, was[0] + more, was[1] + longer, payload)
                rate = min(rate, level)
        return Sums(copies, headers, rate, payload)

    def numbers(self, sums: Sums, now: Demand) -> tuple[float | None, float | None]:
        """(completion [s], core wire bytes); None without receivers."""
        if not now.clouds:
            return None, None
        native = wire_factor(sums.payload, self.plan.inner_bytes)
        gone = set(now.unreachable)
        ingress = next(rate for rate, name in self._slowest if name not in gone)
        access = min(self._origin_bps, ingress) / native
        rate = min(sums.rate_bps, access, self.flow.rate_cap_bps)
        size = self.flow.size_bytes
        wire = size * wire_factor(sums.payload, self.plan.inner_bytes, sums.copies, sums.headers)
        return size * BITS_PER_BYTE / rate if rate < math.inf else 0.0, wire


class Branches:
    """A plan that is one plan per receiving PE laid over one another: per key, a copy on every arc
    that some PE's branch takes. Each of them is made by the scheme's own `install`."""

    def __init__(self, scheme: Scheme, flow: OneFlow) -> None:
        routes, was = flow.routes, flow.was
        self.flow, self._scheme = flow, scheme
        self._clouds: dict[Node, list[str]] = {}
        for name, pe, _ in was.clouds:
            self._clouds.setdefault(pe, []).append(name)
        self._way: dict[Node, list[tuple[Key, Sequence[Arc]]]] = {}
        self._using: dict[Arc, list[Node]] = {}
        self._count: dict[Key, dict[Arc, int]] = {}  # PEs whose branch takes the arc
        self._header: dict[Key, int] = {}
        for pe in was.pes:
            plan = scheme.install(routes, was.only(self._clouds[pe]))
            for key, load in _by_key(plan, routes).items():
                arcs = tuple(load)
                self._way.setdefault(pe, []).append((key, arcs))
                count = self._count.setdefault(key, {})
                for arc in arcs:
                    count[arc] = count.get(arc, 0) + 1
                    self._using.setdefault(arc, []).append(pe)
                    self._header[key] = load[arc][1]

    def after(self, routes: IgpRoutes, now: Demand, down: Iterable[Arc]) -> Sums | None:
        """The numbers once every PE cut off has a new branch; None where no receiver is left."""
        if not now.pes:
            return None
        cut = {pe for arc in down for pe in self._using.get(arc, ())}
        lost = cut.difference(now.pes)
        moved = sorted(cut - lost)
        new: dict[Key, Load] = {}
        if moved:
            names = {name for pe in moved for name in self._clouds[pe]}
            plan = self._scheme.install(routes, now.only(names))
            new = _by_key(plan, routes)
        return self.flow.changed(self._changes(sorted(cut), new))

    def _changes(self, cut: Sequence[Node], new: dict[Key, Load]) -> Change:
        gone: dict[Key, dict[Arc, int]] = {}
        for pe in cut:
            for key, arcs in self._way[pe]:
                fewer = gone.setdefault(key, {})
                for arc in arcs:
                    fewer[arc] = fewer.get(arc, 0) + 1
        change: Change = {}
        for key, fewer in gone.items():
            count, header, load = self._count[key], self._header.get(key, 0), new.get(key, {})
            for arc, number in fewer.items():
                if number == count[arc] and arc not in load:
                    _add(change, arc, -1, -header)
        for key, load in new.items():
            count = self._count.get(key, {})
            for arc, (copies, headers) in load.items():
                if arc not in count:
                    _add(change, arc, copies, headers)
        return change


class Segments:
    """A plan of replication segments: what each of its branches loads by itself."""

    def __init__(self, flow: OneFlow) -> None:
        self.flow = flow
        self._way = {piece: _way(*piece, flow.routes) for piece in _pieces(flow.plan)}
        self._using: dict[Arc, list[tuple[Node, Steer]]] = {}
        for piece, way in self._way.items():
            for arc in way:
                self._using.setdefault(arc, []).append(piece)

    def after(self, plan: ReplicationPlan, routes: IgpRoutes, down: Iterable[Arc]) -> Sums:
        """Of the controller's plan for the failed network; only branches that are new, or whose way
        was cut, are followed again. Raises `InfeasibleError` without any payload."""
        if plan.header_bytes != self.flow.plan.header_bytes:
            return self.flow.of(plan, routes)
        now = set(_pieces(plan))
        cut = {piece for arc in down for piece in self._using.get(arc, ())}
        change: Change = {}
        for piece in (self._way.keys() - now) | cut:
            for arc in self._way[piece]:
                _add(change, arc, -1, -piece[1].header_bytes)
        for piece in (now - self._way.keys()) | (cut & now):
            for arc in _way(*piece, routes):
                _add(change, arc, 1, piece[1].header_bytes)
        return self.flow.changed(change)


def _pieces(plan: ReplicationPlan) -> Iterable[tuple[Node, Steer]]:
    for (node, _), entry in plan.entries.items():
        for branch in entry.out:
            assert isinstance(branch, Steer)
            yield node, branch


def _way(node: Node, branch: Steer, routes: IgpRoutes) -> Sequence[Arc]:
    if branch.via is not None:
        return (branch.via, *routes.union(routes.graph.head[branch.via], branch.dests))
    return routes.union(node, branch.dests)


def _add(change: Change, arc: Arc, copies: int, headers: int) -> None:
    each = change.get(arc)
    if each is None:
        change[arc] = [copies, headers]
    else:
        each[0] += copies
        each[1] += headers


def _by_key(plan: ReplicationPlan, routes: IgpRoutes) -> dict[Key, Load]:
    """The load of each key by itself."""
    keys = [key for flow in plan.flows for key in flow.keys]
    flows = tuple(Flow("", (key,), (), (), 0) for key in keys)
    apart = msgspec.structs.replace(plan, flows=flows)
    return dict(zip(keys, fold(apart, routes), strict=True))
