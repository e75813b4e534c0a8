"""Whom the underlay's own fast reroute saves when something fails, and whom it does not.

It covers packets that routers forward by their FIB: pulls, tunnels, and replication segments up to
the next SID. Looked at is, on each receiver's way before the first event, every stretch from one
address to the next: its first failed arc, and where the backup of the router before that arc leads,
past other routers that have lost links too and act alike. Not looked at: the order of an episode's
events (all that ever fails counts as failed together), and when the SPF's result replaces the
backup.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mcastplan.converge.episode import Episode
from mcastplan.model.plan import Demand, Key, Packet, ReplicationPlan, Steer
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import Igp, Scheme
from mcastplan.underlay.protection import LocalRoutes, Protection, local_routes
from mcastplan.units import counted

_NAMED = 6  # of one reason
_WORDS = {"lfa": "LFA", "ti-lfa": "TI-LFA"}


class Verdict(msgspec.Struct, frozen=True):
    """On one receiver behind a failure: ``plr`` is the router before the failed arc; ``why`` it has
    nothing in place that helps, "" where it has."""

    plr: Node
    why: str


def notes(episode: Episode, protection: Protection) -> tuple[str, ...]:
    """What the scheme says of its transitions, then whom the underlay's own protection covers."""
    said = [note for each in episode.transfers for note in each.transition.notes]
    plans = [(each.demand, each.plan) for each in episode.transfers]
    said += coverage_notes(episode.igp, episode.scheme, plans, protection)
    return tuple(dict.fromkeys(said))


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
        which = _WORDS[protection]
        return (f"the underlay's {which} does not cover its packets: they do not go by the FIB",)
    found = _Coverage(igp, protection)
    return tuple(said for demand, plan in plans if (said := found.note(demand, plan)))


class _Coverage:
    """The verdicts of one episode; a router's backups are found once."""

    def __init__(self, igp: Igp, protection: Protection) -> None:
        self._igp, self._protection = igp, protection
        self._local: dict[Node, LocalRoutes] = {}

    def note(self, demand: Demand, plan: ReplicationPlan) -> str:
        """``push: LFA at DE covers 2 of 3 receivers behind the failure; not ams (no LFA at DE)``;
        "" where nobody is behind it."""
        found: dict[Node, Verdict] = {}
        for pe, verdict in self._deliveries(plan):
            # Of several pulls by one PE, hashed apart, one that is not covered counts.
            found[pe] = _worse(found.get(pe), verdict)
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
        said += f" {counted(len(hit), 'receiver')} behind the failure"
        if bare:
            said += "; not " + ", ".join(f"{_some(who)} ({why})" for why, who in bare.items())
        return said

    def _deliveries(self, plan: ReplicationPlan) -> Iterator[tuple[Node, Verdict]]:
        """Receivers behind a failure; packets are addressed from one entry to the next."""
        todo: list[tuple[Node, Packet, Verdict | None]] = [
            (node, packet, None) for node, packet in reversed(plan.impose)
        ]
        while todo:
            node, packet, verdict = todo.pop()
            if isinstance(packet, Steer):
                for dest in reversed(packet.dests):
                    mine = self._stretch(node, dest, packet)
                    then = verdict if mine is None else _worse(verdict, mine)
                    if packet.lookup:
                        todo.append((dest, packet.key, then))
                    elif then is not None:
                        yield dest, then
                continue
            entry = plan.entry(node, packet)
            if entry is None:
                continue
            if entry.local and verdict is not None:
                yield node, verdict
            todo += [(node, out, verdict) for out in reversed(entry.out) if isinstance(out, Steer)]

    def _stretch(self, start: Node, dest: Node, steer: Steer) -> Verdict | None:
        """From one address to the next; None where nothing on the way fails."""
        igp, via = self._igp, steer.via
        here = start if via is None else igp.graph.head[via]
        onward = igp.before.path(here, dest, steer.key) or ()
        way = onward if via is None else (via, *onward)
        first = next((arc for arc in way if arc in igp.down), None)
        if first is None:
            return None
        plr = igp.graph.tail[first]
        return Verdict(plr, self._why(plr, first, dest, steer))

    def _why(self, plr: Node, first: Arc, dest: Node, steer: Steer) -> str:
        igp, names = self._igp, self._igp.graph.names
        for node in (dest, plr):
            if igp.node_down(node):
                return f"{names[node]} itself failed"
        if first == steer.via:
            return f"pinned to the failed link at {names[plr]}"
        return self._onwards(plr, dest, steer.key)

    def _onwards(self, plr: Node, dest: Node, key: Key) -> str:
        """Router by router, each with what it has in place; why that does not lead to ``dest``."""
        head, names = self._igp.graph.head, self._igp.graph.names
        node, seen = plr, set[Node]()
        while node != dest:
            if node in seen:
                return f"backups send it round in a circle at {names[node]}"
            seen.add(node)
            way = self._routes(node).way(node, dest, key)
            if not way:
                return f"no {_WORDS[self._protection]} at {names[node]}"
            if not self._igp.down.keys().isdisjoint(way):
                return "its backup meets the failure too"
            node = head[way[-1]]
        return ""

    def _routes(self, node: Node) -> LocalRoutes:
        """With the most that the router has out of use at any one time."""
        found = self._local.get(node)
        if found is None:
            igp = self._igp
            own = max((each.down for each in igp.own(node)), key=len, default=frozenset[Arc]())
            found = local_routes(igp.before, node, own, self._protection)
            self._local[node] = found
        return found


def _worse(one: Verdict | None, other: Verdict) -> Verdict:
    """The first that is not covered; otherwise the first."""
    return other if one is None or (other.why and not one.why) else one


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
