"""Where lost packets ended, and why, in words."""

from __future__ import annotations

from collections.abc import Sequence

from mcastplan.dataplane.flight import Drop, Flight
from mcastplan.dataplane.walk import EXPIRED
from mcastplan.model.timeline import Loss
from mcastplan.model.topology import Arc, Graph, Node, Topology


class Place:
    """Names places of one topology."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._graph: Graph = topology.graph

    def of(self, drop: Drop) -> str:
        if drop.arc is not None:
            return self._topology.arc_name(drop.arc)
        return self._graph.names[drop.node]

    def words(self, place: str, reason: str) -> str:
        if reason == EXPIRED:
            return f"loop at {place}"
        return f"{place}: {reason}"


def ended(graph: Graph, flight: Flight, good: Flight, receiver: Node) -> list[Drop]:
    """Where the packet for ``receiver`` ended; ``good`` is the last flight that reached it.

    Drops that name the receiver, else those on its last good way, else all that name nobody (a
    loop of another way); a way that simply stops is a drop of its own.
    """
    named = [drop for drop in flight.drops if receiver in drop.dests]
    if named:
        return named
    nameless = [drop for drop in flight.drops if not drop.dests]
    way = _way(graph, good, receiver)
    on_way = [drop for drop in nameless if drop.node in {graph.tail[arc] for arc in way}]
    if on_way or any(drop.reason == EXPIRED for drop in nameless):
        return on_way or [drop for drop in nameless if drop.reason == EXPIRED]
    for arc in way:
        if arc not in flight.copies:
            return [Drop(graph.tail[arc], None, f"no copy towards {graph.names[graph.head[arc]]}")]
    # It passes the receiver on its way to a node that no longer sends a copy back.
    return nameless or [Drop(receiver, None, "passes by: no copy is for it")]


def _way(graph: Graph, flight: Flight, receiver: Node) -> list[Arc]:
    """Arcs by which the flight reached the receiver, from the origin on."""
    came: dict[Node, Arc] = {}
    for arc in flight.copies:
        came.setdefault(graph.head[arc], arc)
    way: list[Arc] = []
    node, seen = receiver, set[Node]()
    while node in came and node not in seen:
        seen.add(node)
        way.append(came[node])
        node = graph.tail[came[node]]
    way.reverse()
    return way


def losses(
    topology: Topology,
    transfer: str,
    flights: Sequence[Flight],
    receivers: Sequence[tuple[str, Node]],
) -> list[Loss]:
    """Places where packets end, with their time of emission; ``receivers`` are (cloud, PE).

    Copies that nobody lacks (a second stream that an RPF check drops) are none.
    """
    place = Place(topology)
    running: dict[tuple[str, str], Loss] = {}
    found: list[Loss] = []
    good: dict[Node, Flight] = {}
    for flight in flights:
        now: dict[tuple[str, str], list[str]] = {}
        for cloud, node in receivers:
            if node in flight.arrivals:
                good[node] = flight
            elif node in good:
                for drop in ended(topology.graph, flight, good[node], node):
                    now.setdefault((place.of(drop), drop.reason), []).append(cloud)
        for key in [key for key in running if key not in now]:
            found.append(running.pop(key))
        to_s = flight.until_s if flight.until_s < float("inf") else None
        for (where, reason), clouds in now.items():
            before = running.get((where, reason))
            everyone = sorted({*clouds, *(before.clouds if before else ())})
            from_s = before.from_s if before else flight.from_s
            running[where, reason] = Loss(transfer, where, reason, from_s, to_s, tuple(everyone))
    found += running.values()
    return sorted(found, key=lambda loss: (loss.from_s, loss.place, loss.reason))
