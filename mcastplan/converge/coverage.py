"""Whom the underlay's own fast reroute saves when something fails, and whom it does not.

It covers packets that routers forward by their FIB: pulls, tunnels, and replication segments up to
the next SID. Looked at is, on each receiver's way before the first event, the first stretch from
one address to the next that meets a failed arc, and what the router before that arc has in place;
a backup that meets another failed arc saves nobody. Not looked at: later failures of an episode
that follow a repair (all that fails counts as failed together), and for how long nobody is saved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from mcastplan.model.plan import Demand, Packet, ReplicationPlan, Steer
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import Igp, Scheme
from mcastplan.underlay.protection import LocalRoutes, Protection, coverage, local_routes

_NAMED = 6  # of one reason
_WORDS = {"lfa": "LFA", "ti-lfa": "TI-LFA"}


class Leg(NamedTuple):
    """A packet on its way from ``start`` to the next node that opens it."""

    start: Node
    steer: Steer


class Verdict(msgspec.Struct, frozen=True):
    """Of one receiver behind a failure: ``plr`` is the router before the failed arc; ``why`` it has
    nothing in place that helps, "" where it has."""

    plr: Node
    why: str


def coverage_notes(
    igp: Igp,
    scheme: Scheme,
    plans: Sequence[tuple[Demand, ReplicationPlan]],
    protection: Protection,
) -> tuple[str, ...]:
    """What the underlay's ``protection`` does for a scheme in this episode, a line a transfer."""
    if protection == "none" or not igp.down:
        return ()
    plr = min(igp.graph.tail[arc] for arc in igp.down)
    if scheme.forwarding(igp, plr) is not igp.flips(plr):
        return (
            f"the underlay's {_WORDS[protection]} covers no packet of it: they do not go by the FIB",
        )
    found = _Coverage(igp, protection)
    return tuple(said for demand, plan in plans if (said := found.note(demand, plan)))


def legs(plan: ReplicationPlan) -> Iterator[tuple[Node, tuple[Leg, ...]]]:
    """Every delivery of a plan whose packets are addressed: (receiver, its stretches in order)."""
    for node, packet in plan.impose:
        yield from _onwards(plan, node, packet, ())


def _onwards(
    plan: ReplicationPlan, node: Node, packet: Packet, way: tuple[Leg, ...]
) -> Iterator[tuple[Node, tuple[Leg, ...]]]:
    if isinstance(packet, Steer):
        for dest in packet.dests:
            there = (*way, Leg(node, msgspec.structs.replace(packet, dests=(dest,))))
            if packet.lookup:
                yield from _onwards(plan, dest, packet.key, there)
            else:
                yield dest, there
        return
    entry = plan.entry(node, packet)
    if entry is None:
        return
    if entry.local:
        yield node, way
    for branch in entry.out:
        if isinstance(branch, Steer):
            yield from _onwards(plan, node, branch, way)


class _Coverage:
    """The verdicts of one episode; a router's backups are found once."""

    def __init__(self, igp: Igp, protection: Protection) -> None:
        self._igp, self._protection = igp, protection
        self._local: dict[Node, LocalRoutes] = {}

    def note(self, demand: Demand, plan: ReplicationPlan) -> str:
        """``push: LFA at DE covers 2 of 3 receivers behind the failure; not ams (no LFA)``."""
        found: dict[Node, Verdict] = {}
        for pe, way in legs(plan):
            verdict = self._verdict(pe, way)
            # Of several pulls by one PE, hashed apart, the first that is not covered counts.
            if verdict is not None and (pe not in found or (verdict.why and not found[pe].why)):
                found[pe] = verdict
        if not found:
            return ""
        hit = [(cloud, found[pe]) for cloud, pe, _ in demand.clouds if pe in found]
        bare: dict[str, list[str]] = {}
        for cloud, verdict in hit:
            if verdict.why:
                bare.setdefault(verdict.why, []).append(cloud)
        names = self._igp.graph.names
        at = _some([names[node] for node in sorted({each.plr for each in found.values()})])
        covered = len(hit) - sum(map(len, bare.values()))
        said = f"{demand.transfer}: {_WORDS[self._protection]} at {at} covers {covered} of"
        said += f" {len(hit)} receivers behind the failure"
        if bare:
            said += "; not " + ", ".join(f"{_some(who)} ({why})" for why, who in bare.items())
        return said

    def _verdict(self, pe: Node, way: Sequence[Leg]) -> Verdict | None:
        for start, steer in way:
            first = self._first_failed(start, steer)
            if first is not None:
                plr = self._igp.graph.tail[first]
                return Verdict(plr, self._why(pe, plr, first, steer))
        return None

    def _first_failed(self, start: Node, steer: Steer) -> Arc | None:
        igp = self._igp
        pinned = () if steer.via is None else (steer.via,)
        here = start if steer.via is None else igp.graph.head[steer.via]
        onward = igp.before.path(here, steer.dests[0], steer.key) or ()
        return next((arc for arc in (*pinned, *onward) if arc in igp.down), None)

    def _why(self, pe: Node, plr: Node, first: Arc, steer: Steer) -> str:
        igp, (dest,) = self._igp, steer.dests
        names = igp.graph.names
        if igp.node_down(pe):
            return f"{names[pe]} itself failed"
        if igp.node_down(plr):
            return f"{names[plr]} itself failed"
        if igp.node_down(dest):
            return f"the replication node {names[dest]} failed"
        if first == steer.via:
            return f"{names[plr]} pins it to the failed link"
        own = self._own(plr, first)
        if own is None:
            return f"{names[plr]} never notices"
        if coverage(igp.before, plr, own, (dest,), self._protection):
            return f"no {_WORDS[self._protection]} at {names[plr]}"
        if plr not in self._local:
            self._local[plr] = local_routes(igp.before, plr, own, self._protection)
        path = self._local[plr].path(plr, dest, steer.key)
        if path is None or not igp.down.keys().isdisjoint(path):
            return "the backup meets the failure too"
        return ""

    def _own(self, plr: Node, first: Arc) -> frozenset[Arc] | None:
        """The most that the router has taken out of use at any one time."""
        views = [own.down for own in self._igp.own(plr) if first in own.down]
        return max(views, key=len, default=None)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
