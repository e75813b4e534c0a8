"""The same plan summed over one consistent state under ``ecmp: first``, without walking it."""

from __future__ import annotations

from mcastplan.model.plan import Packet, ReplicationPlan, Routes, Steer
from mcastplan.model.topology import Arc

# Per arc: copies of one packet, and their header bytes together.
Load = dict[Arc, tuple[int, int]]


def fold(plan: ReplicationPlan, routes: Routes) -> list[Load]:
    """Load of one packet of each flow, in the order of ``plan.flows``.

    A copy that an RPF check drops counts on its way there. Raises `ValueError` where a plan's
    entries lead a key back to a node it has left (`walk` finds out what such a plan does).
    """
    loads: list[Load] = [{} for _ in plan.flows]
    owner = {key: load for flow, load in zip(plan.flows, loads, strict=True) for key in flow.keys}
    head = routes.graph.head
    visited = set()
    todo: list[tuple[int, Arc | None, Packet]] = [
        (node, None, packet) for node, packet in plan.impose
    ]
    while todo:
        node, arrived, packet = todo.pop()
        if isinstance(packet, Steer):
            load, size = owner[packet.key], packet.header_bytes
            if packet.via is not None:
                copies, headers = load.get(packet.via, (0, 0))
                load[packet.via] = copies + 1, headers + size
                node = head[packet.via]
            for arc in routes.union(node, packet.dests):
                before = load.get(arc)
                load[arc] = (before[0] + 1, before[1] + size) if before else (1, size)
            if packet.lookup:
                todo += [(dest, None, packet.key) for dest in packet.dests]
            continue
        key = packet
        entry = plan.entry(node, key)
        if entry is None:
            raise ValueError(f"no entry for {key!r} at {routes.graph.names[node]}")
        if arrived is not None and entry.iif is not None and arrived != entry.iif:
            continue
        if (node, key) in visited:
            raise ValueError(f"{key!r} comes back to {routes.graph.names[node]}")
        visited.add((node, key))
        load = owner[key]
        for branch in entry.out:
            if isinstance(branch, Steer):
                todo.append((node, None, branch))
            else:
                copies, headers = load.get(branch, (0, 0))
                load[branch] = copies + 1, headers
                todo.append((head[branch], branch, key))
    return loads
