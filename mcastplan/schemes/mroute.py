"""PIM state as data: source and shared trees by RPF, and the mroute table of one router."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import msgspec

from mcastplan.dataplane.step import NO_ROUTE, NO_STATE, WRONG_INTERFACE
from mcastplan.model.plan import Demand, Entry, Hop, Key, Native, ReplicationPlan, Section, Steer
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import Fib
from mcastplan.underlay.routes import IgpRoutes

# IPv4 20 + PIM Register 8 (RFC 7761 section 4.9.3).
REGISTER_BYTES = 28
KINDS = ("(S,G)", "(S,G,rpt)", "(*,G)")
# The IIF of an entry without a route to its root: no packet ever arrives on it.
NO_RPF: Arc = -1


def keys_of(transfer: str) -> tuple[Key, Key, Key]:
    """Keys of a transfer's (S,G), (S,G,rpt) and (*,G) state, most specific first."""
    return ("S,G", transfer), ("S,G,rpt", transfer), ("*,G", transfer)


class Tree:
    """Joins from ``leaves`` hop by hop to ``root``: each node's RPF neighbour is its own next hop
    towards the root, and data comes back over the same link.

    ``iif[node]`` is the arc data arrives on (None at the root), ``oifs[node]`` the arcs it leaves
    on, in arc order of arrival of the Joins (receivers in name order).
    """

    def __init__(self, routes: IgpRoutes, root: Node, key: Key, leaves: Iterable[Node]) -> None:
        self.iif: dict[Node, Arc | None] = {root: None}
        self.oifs: dict[Node, list[Arc]] = {root: []}
        self.order: list[Node] = [root]  # every node after the one above it
        for leaf in leaves:
            self.graft(routes, root, key, leaf)

    def graft(self, routes: IgpRoutes, root: Node, key: Key, leaf: Node) -> None:
        """Joins from one more leaf until they meet the tree."""
        head = routes.graph.head
        node = leaf
        way: list[Node] = []
        while node not in self.iif:
            towards = routes.next_arc(node, root, key)
            assert towards is not None  # a Demand holds reachable receivers only
            upstream = head[towards]
            self.iif[node] = towards ^ 1
            way.append(node)
            self.oifs.setdefault(node, [])
            self.oifs.setdefault(upstream, []).append(towards ^ 1)
            node = upstream
        self.order += reversed(way)

    def joined_s(self, routes: IgpRoutes, leaves: Iterable[Node], join_s: float) -> float:
        """When the last Join has reached the tree [s]: every leaf sends its own at 0, a router
        without state sends one as soon as the first from below is handled (``join_s`` each)."""
        delay_s, tail = routes.graph.delay_s, routes.graph.tail
        sent = dict.fromkeys(leaves, 0.0)
        last = 0.0
        # Leaves first: each node comes after those that it received a Join from.
        for node in reversed(self.order):
            arc = self.iif[node]
            if arc is None:
                continue
            there = sent[node] + delay_s[arc] + join_s
            last = max(last, there)
            upstream = tail[arc]
            sent[upstream] = min(sent.get(upstream, there), there)
        return last


class Registered(msgspec.Struct, frozen=True):
    """A data packet inside a Register message, on its way to the RP."""

    flow: str
    rp: Node
    header_bytes: int = REGISTER_BYTES


class MrouteTable:
    """mroutes of one node; forwards by RFC 7761 section 4.2 (most specific entry, RPF check)."""

    def __init__(
        self,
        routes: IgpRoutes,
        plans: Sequence[tuple[Demand, ReplicationPlan]],
        node: Node,
        rp: Node | None,
    ) -> None:
        self._graph, self._node = routes.graph, node
        self._fib = Fib(routes, node, () if rp is None else (rp,))
        self._rows: dict[tuple[str, str], Entry] = {}
        for _, plan in plans:
            for kind, key in zip(KINDS, keys_of(plan.transfer), strict=True):
                entry = plan.entries.get((node, key))
                if entry is not None:
                    self._rows[plan.transfer, kind] = entry

    def forward(self, arrived: Arc | None, packet: Hashable) -> Hop:
        if isinstance(packet, Registered):
            if packet.rp != self._node:
                return self._tunnel(packet)
            arrived = None  # decapsulated: no interface to check
            flow = packet.flow
        else:
            assert isinstance(packet, Native)
            flow = packet.flow
        entry = next((self._rows[flow, kind] for kind in KINDS if (flow, kind) in self._rows), None)
        if entry is None:
            return Hop(drops=(NO_STATE,))
        if arrived is not None and entry.iif is not None and arrived != entry.iif:
            return Hop(drops=(WRONG_INTERFACE,))
        out: list[tuple[Arc, Hashable]] = []
        drops: list[str] = []
        for branch in entry.out:
            if isinstance(branch, Steer):
                hop = self._tunnel(Registered(flow, branch.dests[0]))
                out += hop.out
                drops += hop.drops
            else:
                out.append((branch, Native(flow)))
        return Hop(tuple(out), int(entry.local), tuple(drops))

    def _tunnel(self, packet: Registered) -> Hop:
        arc = self._fib.next_arc(packet.rp, keys_of(packet.flow)[0])
        return Hop(drops=(NO_ROUTE,)) if arc is None else Hop(((arc, packet),))

    def sections(self) -> tuple[Section, ...]:
        rows = tuple(
            (kind, group, self._from(kind, entry), self._to(entry), "yes" if entry.local else "")
            for (group, kind), entry in self._rows.items()
        )
        return (Section("mroutes", ("state", "group", "IIF from", "OIFs to", "local"), rows),)

    def _from(self, kind: str, entry: Entry) -> str:
        if entry.iif == NO_RPF:
            return "(no route)"
        if entry.iif is not None:
            return self._graph.names[self._graph.tail[entry.iif]]
        return "(source)" if kind == "(S,G)" else "(RP)"

    def _to(self, entry: Entry) -> str:
        names, head = self._graph.names, self._graph.head
        return ", ".join(
            f"Register to {names[branch.dests[0]]}"
            if isinstance(branch, Steer)
            else names[head[branch]]
            for branch in entry.out
        )
