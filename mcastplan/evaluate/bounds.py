"""What no scheme can beat: size over the slowest of egress, ingress and maximum flow.

Every receiver needs all bytes once, so a transfer lasts at least size / egress of the origin, and
for each cloud size / its ingress and size / maximum flow from the origin's PE to its own, on the
capacities that background load leaves. Payload bytes only: headers, packets and propagation come on
top in every scheme.

Not in the bound: that one set of links carries all clouds at once (the bound of a single multicast
session is met by routing alone in many networks, in others only by network coding: Li, Li, Jiang,
Lau, "On achieving maximum multicast throughput in undirected networks", IEEE Trans. IT 2006), and
other transfers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mcastplan import units
from mcastplan.model.topology import Arc, Node, Topology
from mcastplan.underlay.max_flow import Flows, widest

Receiver = tuple[str, Node, float]  # cloud, its PE, its ingress [bit/s]

ARCS_SHOWN = 4


def transfer_bound(
    topology: Topology,
    capacity_bps: Sequence[float],
    origin: Node,
    origin_egress_bps: float,
    size_bytes: float,
    clouds: Sequence[Receiver],
) -> tuple[float | None, str | None]:
    """(least seconds for ``size_bytes`` to be at every cloud, what binds, in words).

    ``capacity_bps`` by arc, less background. Clouds that it leaves no path to are left out; (None,
    None) where none remains. Of equal constraints the origin's egress is named first, then the
    ingress of the cloud with the smallest name, then a cut. Near-linear in nodes plus clouds.
    """
    width = widest(topology.graph, capacity_bps, origin)
    reached = sorted(cloud for cloud in clouds if width[cloud[1]] > 0)
    if not reached:
        return None, None
    name, _, ingress_bps = min(reached, key=lambda cloud: (cloud[2], cloud[0]))
    rate, binding = origin_egress_bps, f"origin {topology.nodes[origin].name}: egress"
    if ingress_bps < rate:
        rate, binding = ingress_bps, f"cloud {name}: ingress"
    cut_rate, cut, beyond = _least_cut(topology, capacity_bps, origin, width, rate, reached)
    if cut:
        others = f" and {len(beyond) - 1} more" if len(beyond) > 1 else ""
        arcs = _cut_text(topology, cut)
        binding = f"{arcs}: {units.show_rate(cut_rate)} towards cloud {beyond[0]}{others}"
        return size_bytes * units.BITS_PER_BYTE / cut_rate, binding
    if rate == math.inf:
        return 0.0, "nothing: every rate is unlimited"
    return size_bytes * units.BITS_PER_BYTE / rate, f"{binding} {units.show_rate(rate)}"


def _least_cut(
    topology: Topology,
    capacity_bps: Sequence[float],
    origin: Node,
    width: Sequence[float],
    limit: float,
    clouds: Sequence[Receiver],
) -> tuple[float, list[Arc], list[str]]:
    """(rate, arcs, clouds behind them) of a least cut below ``limit``; no arcs where there is none.

    A cloud matters only if its flow is below the least found so far, so most flows are never
    computed: a PE that the widest path, or an earlier flow, serves at that rate counts as part of
    the source from then on, and the questions go outwards, so that each finds a source nearby.
    """
    graph = topology.graph
    sinks = {pe for _, pe, _ in clouds if pe != origin}
    rate, cut = limit, list[Arc]()
    # The links of the origin's PE, then of each other one: cheap cuts, and often the least.
    for arcs in (graph.out[origin], *(graph.into[pe] for pe in sorted(sinks))):
        total = math.fsum(max(0.0, capacity_bps[arc]) for _, _, arc in arcs)
        if sinks and total < rate:
            rate, cut = total, sorted(arc for _, _, arc in arcs if capacity_bps[arc] > 0)
    flows = Flows(graph, capacity_bps, origin)
    for node, reached_bps in enumerate(width):
        if reached_bps >= rate:
            flows.absorb(node)
    for pe in _outwards(topology, origin):
        if pe in sinks:
            value, arcs_cut = flows.to(pe, rate)
            if arcs_cut:
                rate, cut = value, arcs_cut
            flows.absorb(pe)
    behind = _behind(topology, capacity_bps, origin, cut) if cut else set[Node]()
    return rate, cut, [name for name, pe, _ in clouds if pe in behind]


def _outwards(topology: Topology, origin: Node) -> list[Node]:
    """Nodes by hops from the origin."""
    out = topology.graph.out
    seen = {origin}
    order = [origin]
    for u in order:
        for v, _, _ in out[u]:
            if v not in seen:
                seen.add(v)
                order.append(v)
    return order


def _behind(
    topology: Topology, capacity_bps: Sequence[float], origin: Node, cut: Sequence[Arc]
) -> set[Node]:
    """Nodes the origin reaches only over the cut."""
    graph, closed = topology.graph, set(cut)
    seen = {origin}
    stack = [origin]
    while stack:
        for v, _, arc in graph.out[stack.pop()]:
            if v not in seen and arc not in closed and capacity_bps[arc] > 0:
                seen.add(v)
                stack.append(v)
    return set(range(graph.size)) - seen


def _cut_text(topology: Topology, cut: Sequence[Arc]) -> str:
    names = [topology.arc_name(arc) for arc in cut]
    if len(names) == 1:
        return f"arc {names[0]}"
    more = f" and {len(names) - ARCS_SHOWN} more" if len(names) > ARCS_SHOWN else ""
    return f"cut of {len(names)} arcs {', '.join(names[:ARCS_SHOWN])}{more}"
