"""A packet from node to node: copies, deliveries and drops are found, none is assumed.

Works over the plan (`walk_plan`) and over rendered tables (`walk_tables`) alike, in any mixture of
states, because a hop is all it asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping

import msgspec

from mcastplan.dataplane.fold import Load
from mcastplan.dataplane.step import WRONG_INTERFACE, step
from mcastplan.model.plan import Flow, Hop, Native, ReplicationPlan, Routes, Table
from mcastplan.model.topology import Arc, Graph, Node

# The TTL of BIER and IPv4 and the hop limit of IPv6 have 8 bits; MPLS the same.
MAX_TTL = 255
EXPIRED = "TTL expired"

HopAt = Callable[[Node, Arc | None, Hashable], Hop]


class Walk(msgspec.Struct, frozen=True):
    """What one packet became. ``headers``: header bytes per arc, summed over its copies."""

    copies: Mapping[Arc, int]
    headers: Mapping[Arc, int]
    delivered: Mapping[Node, int]
    drops: tuple[tuple[Node, str], ...]

    def load(self) -> Load:
        """Copies and header bytes by arc, as `fold` sums them."""
        return {arc: (count, self.headers[arc]) for arc, count in self.copies.items()}


def walk(graph: Graph, hop: HopAt, starts: Iterable[tuple[Node, Hashable]]) -> Walk:
    """Follow packets that enter the network at ``starts`` until each copy ends.

    Equal copies at one node advance together, so a loop that replicates costs no more than its
    nodes; it ends when the TTL does, or on a network with more arcs than a TTL can count, after as
    many hops as there are arcs: that a packet dies on a path of over 255 routers is not modelled.
    """
    ttl = max(MAX_TTL, len(graph.head))
    copies: dict[Arc, int] = {}
    headers: dict[Arc, int] = {}
    delivered: dict[Node, int] = {}
    drops: list[tuple[Node, str]] = []
    wave: dict[tuple[Node, Arc | None, Hashable], int] = {}
    for node, packet in starts:
        wave[node, None, packet] = wave.get((node, None, packet), 0) + 1
    for _ in range(ttl + 1):
        ahead: dict[tuple[Node, Arc | None, Hashable], int] = {}
        for (node, arrived, packet), count in wave.items():
            result = hop(node, arrived, packet)
            if result.delivered:
                delivered[node] = delivered.get(node, 0) + result.delivered * count
            drops += ((node, reason) for reason in result.drops)
            for arc, copy in result.out:
                place = graph.head[arc], arc, copy
                ahead[place] = ahead.get(place, 0) + count
        if not ahead:
            return Walk(copies, headers, delivered, tuple(drops))
        wave = ahead
        for (_, crossed, packet), count in wave.items():
            assert crossed is not None
            copies[crossed] = copies.get(crossed, 0) + count
            header = getattr(packet, "header_bytes", 0) * count
            headers[crossed] = headers.get(crossed, 0) + header
    drops += ((node, EXPIRED) for node, _, _ in wave)
    return Walk(copies, headers, delivered, tuple(drops))


def walk_plan(
    plan: ReplicationPlan, routes: Routes, flow: Flow, closed: frozenset[Arc] = frozenset()
) -> Walk:
    """One packet of ``flow`` (one of its ``count``) over the plan; ``closed`` arcs lose it."""
    starts = [start for key in flow.keys for start in plan.imposed_by_key.get(key, ())]

    def hop(node: Node, arrived: Arc | None, packet: Hashable) -> Hop:
        done = step(plan, routes, node, arrived, packet)
        if closed and not closed.isdisjoint(arc for arc, _ in done.out):
            kept = tuple(copy for copy in done.out if copy[0] not in closed)
            return Hop(kept, done.delivered, done.drops)
        return done

    return walk(routes.graph, hop, starts)


def walk_tables(graph: Graph, table: Callable[[Node], Table], origin: Node, flow: Flow) -> Walk:
    """One native packet of ``flow`` into the origin's PE, over the rendered tables."""

    def hop(node: Node, arrived: Arc | None, packet: Hashable) -> Hop:
        return table(node).forward(arrived, packet)

    return walk(graph, hop, [(origin, Native(flow.name))])


def faults(graph: Graph, flow: Flow, found: Walk, spares: bool = False) -> tuple[str, ...]:
    """What is wrong with a walk in steady state, in words; empty when every receiving PE got the
    packet exactly once, nobody else did, and nothing was dropped. ``spares``: but by RPF checks."""
    said = []
    names = graph.names
    wanted = set(flow.receivers)
    for node in sorted(wanted):
        got = found.delivered.get(node, 0)
        if got == 0:
            said.append(f"{names[node]} receives nothing")
        elif got > 1:
            said.append(f"{names[node]} receives {got} copies")
    said += [
        f"{names[node]} receives and is no receiver"
        for node in sorted(set(found.delivered) - wanted)
    ]
    said += sorted(
        {
            f"dropped at {names[node]}: {reason}"
            for node, reason in found.drops
            if not (spares and reason == WRONG_INTERFACE)
        }
    )
    return tuple(said)
