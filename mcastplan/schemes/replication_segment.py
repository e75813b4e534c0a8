"""Replication segments of one node, rendered with their SIDs and forwarded as RFC 9524 says.

SRv6: locator fcbb:bb00:<node>::/48, the Tree-SID in the function part. MPLS: Node-SIDs from 16000,
Replication-SIDs from 500000. Both numberings are ours; any other serves as well.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import msgspec

from mcastplan.dataplane.step import NO_ROUTE, NO_STATE
from mcastplan.model.plan import Demand, Entry, Hop, Key, Native, ReplicationPlan, Section, Steer
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import Fib
from mcastplan.underlay.routes import IgpRoutes

LOCATOR = 0xFCBB_BB00 << 96
FIRST_FUNCTION = 0xE000
FIRST_NODE_SID, FIRST_REPLICATION_SID = 16_000, 500_000  # MPLS labels


def srv6_sid(node: Node, function: int) -> int:
    """``fcbb:bb00:<node + 1>:<function>::`` as a number."""
    return LOCATOR | (node + 1) << 80 | function << 64


class Replicated(msgspec.Struct, frozen=True):
    """A packet on its way to ``dest``, whose Replication-SID of ``transfer`` it carries."""

    dest: Node
    transfer: str
    header_bytes: int


class SegmentTable:
    """Policies (at their root), replication segments, and the FIB towards downstream nodes."""

    def __init__(
        self,
        routes: IgpRoutes,
        plans: Sequence[tuple[Demand, ReplicationPlan]],
        node: Node,
        srv6: bool,
    ) -> None:
        self._graph, self._node, self._srv6 = routes.graph, node, srv6
        self._segments: dict[str, Entry] = {}
        self._policies: list[str] = []
        self._tree_id: dict[str, int] = {}
        self._key: dict[str, Key] = {}
        dests: set[Node] = set()
        for number, (demand, plan) in enumerate(plans, 1):
            if not plan.flows:
                continue
            key = plan.flows[0].keys[0]
            self._tree_id[plan.transfer], self._key[plan.transfer] = number, key
            if demand.origin == node:
                self._policies.append(plan.transfer)
            for (where, _), entry in plan.entries.items():
                if where == node:
                    self._segments[plan.transfer] = entry
                dests.update(dest for branch in _branches(entry) for dest in branch.dests)
        self._fib = Fib(routes, node, dests)

    def forward(self, arrived: Arc | None, packet: Hashable) -> Hop:
        if isinstance(packet, Replicated):
            if packet.dest != self._node:
                return self._send(packet)
            transfer = packet.transfer
        else:
            assert isinstance(packet, Native)
            transfer = packet.flow
        entry = self._segments.get(transfer)
        if entry is None:
            return Hop(drops=(NO_STATE,))
        out: list[tuple[Arc, Hashable]] = []
        drops: list[str] = []
        for branch in _branches(entry):
            copy = Replicated(branch.dests[0], transfer, branch.header_bytes)
            hop = Hop(((branch.via, copy),)) if branch.via is not None else self._send(copy)
            out += hop.out
            drops += hop.drops
        return Hop(tuple(out), int(entry.local), tuple(drops))

    def _send(self, packet: Replicated) -> Hop:
        arc = self._fib.next_arc(packet.dest, self._key[packet.transfer])
        return Hop(drops=(NO_ROUTE,)) if arc is None else Hop(((arc, packet),))

    def sections(self) -> tuple[Section, ...]:
        policies = tuple(
            (transfer, str(self._tree_id[transfer]), self._sid(self._node, transfer), "active")
            for transfer in self._policies
        )
        segments = tuple(
            (self._sid(self._node, transfer), transfer, entry.role, *self._branch(branch, transfer))
            for transfer, entry in self._segments.items()
            for branch in (*_branches(entry),) or (None,)
        )
        locators = {dest: self._locator(dest) for dest in self._fib.next_arcs}
        sections = [
            Section("P2MP policies", ("transfer", "Tree-ID", "root SID", "instance 1"), policies),
            Section(
                "replication segments",
                ("Replication-SID", "transfer", "role", "downstream node", "downstream SID", "via"),
                segments,
            ),
            self._fib.section("FIB towards the nodes of the trees", locators),
        ]
        return tuple(section for section in sections if section.rows)

    def _branch(self, branch: Steer | None, transfer: str) -> tuple[str, str, str]:
        if branch is None:
            return "(local)", "", ""
        names, dest = self._graph.names, branch.dests[0]
        via = "IGP" if branch.via is None else f"adjacency to {names[self._graph.head[branch.via]]}"
        return names[dest], self._sid(dest, transfer), via

    def _locator(self, node: Node) -> str:
        if self._srv6:
            return f"fcbb:bb00:{node + 1:x}::/48"
        return f"label {FIRST_NODE_SID + node}"

    def _sid(self, node: Node, transfer: str) -> str:
        tree = self._tree_id[transfer]
        if self._srv6:
            return f"fcbb:bb00:{node + 1:x}:{FIRST_FUNCTION + tree:x}::"
        return f"label {FIRST_REPLICATION_SID + tree}"


def _branches(entry: Entry) -> list[Steer]:
    return [branch for branch in entry.out if isinstance(branch, Steer)]
