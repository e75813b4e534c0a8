"""One node, one packet, by the plan itself."""

from __future__ import annotations

from typing import Protocol

import msgspec

from mcastplan.model.plan import Detour, Entry, Hop, Key, Packet, Routes, Steer
from mcastplan.model.topology import Arc, Node

NO_ROUTE = "no route"
NO_STATE = "no state"
WRONG_INTERFACE = "RPF check: wrong interface"
# A repair tunnel: SRv6 with SRH 40 + 8 + 2 x 16 B (RFC 8754). Two SIDs are charged whatever the
# path needs: a Node-SID and an Adj-SID cover most repairs (RFC 9855 section 6).
TUNNEL_BYTES = 80


class Entries(Protocol):
    """What of a plan a step needs."""

    def entry(self, node: Node, key: Key) -> Entry | None:
        """What ``node`` matches for a packet's ``key``; None without state."""


def step(plan: Entries, routes: Routes, node: Node, arrived: Arc | None, packet: Packet) -> Hop:
    """One packet at one node; ``arrived`` None: from an access arc, or out of a tunnel."""
    if isinstance(packet, Detour):
        if packet.arcs:
            return Hop(((packet.arcs[0], _shortened(packet)),))
        return step(plan, routes, node, None, packet.packet)
    if isinstance(packet, Steer):
        return _steer(plan, routes, node, packet)
    return _look_up(plan, routes, node, arrived, packet)


def _steer(plan: Entries, routes: Routes, node: Node, packet: Steer) -> Hop:
    if packet.via is not None:
        return Hop(((packet.via, msgspec.structs.replace(packet, via=None)),))
    out: list[tuple[Arc, Packet]] = []
    drops: list[str] = []
    delivered = 0
    groups: dict[Arc, list[Node]] = {}
    tunnels: dict[tuple[Arc, ...], list[Node]] = {}
    for dest in packet.dests:
        if dest == node:
            if packet.lookup:
                hop = _look_up(plan, routes, node, None, packet.key)
                out += hop.out
                drops += hop.drops
                delivered += hop.delivered
            else:
                delivered += 1
            continue
        arc = routes.next_arc(node, dest, packet.key, packet.spread)
        if arc is None:
            path = routes.detour(node, dest)
            if path:
                tunnels.setdefault(tuple(path), []).append(dest)
            else:
                drops.append(NO_ROUTE)
        else:
            groups.setdefault(arc, []).append(dest)
    for arc, dests in groups.items():
        out.append((arc, _part(packet, dests)))
    for path, dests in tunnels.items():
        inner = _part(packet, dests)
        header = packet.header_bytes + TUNNEL_BYTES
        out.append((path[0], Detour(path[1:], inner, header)))
    return Hop(tuple(out), delivered, tuple(drops))


def _part(packet: Steer, dests: list[Node]) -> Steer:
    """The copy that carries these of the packet's destinations."""
    if len(dests) == len(packet.dests):
        return packet
    return msgspec.structs.replace(packet, dests=tuple(dests))


def _shortened(packet: Detour) -> Detour:
    return msgspec.structs.replace(packet, arcs=packet.arcs[1:])


def _look_up(plan: Entries, routes: Routes, node: Node, arrived: Arc | None, key: Key) -> Hop:
    entry = plan.entry(node, key)
    if entry is None:
        return Hop(drops=(NO_STATE,))
    if entry.iif is not None and arrived is not None and arrived != entry.iif:
        return Hop(drops=(WRONG_INTERFACE,))
    out: list[tuple[Arc, Packet]] = []
    drops: list[str] = []
    for branch in entry.out:
        if isinstance(branch, Steer):
            hop = _steer(plan, routes, node, branch)
            out += hop.out
            drops += hop.drops
        else:
            out.append((branch, key))
    return Hop(tuple(out), int(entry.local), tuple(drops))
