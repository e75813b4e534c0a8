"""BIER: the packet carries its receivers as bits; no router keeps state of a transfer.

RFC 8279 (architecture; forwarding procedure section 6.5), RFC 8296 (header 12 + BSL/8 B),
non-MPLS encapsulation. BIFT-id as in draft-ietf-bier-non-mpls-bift-encoding: BSL code (4 bits),
sub-domain (8), SI (8). What a failure does to a BIFT: `mcastplan.schemes.bier_frr`. Not modelled:
routers that are no BFR, several sub-domains at once, BIER-TE (RFC 9262).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mcastplan.errors import InfeasibleError
from mcastplan.model.campaign import ReceiverChange
from mcastplan.model.change import Transition, Update
from mcastplan.model.plan import Demand, Key, ReplicationPlan, Steer, Table
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Graph, Node
from mcastplan.schemes.base import FollowsIgp, Igp, Phase, demand, loads, one_flow, overlay_terms
from mcastplan.schemes.bier_frr import bift_updates, uncovered
from mcastplan.schemes.bift import BierTable, bitstring, header_bytes, set_identifier
from mcastplan.schemes.receivers import overlay_change
from mcastplan.underlay.cuts import parts
from mcastplan.underlay.routes import IgpRoutes

MAX_BFR_ID = 65_535  # RFC 8279 section 2
MAX_SI = 255  # RFC 8279 section 3


def homes(scenario: Scenario) -> set[str]:
    """Nodes that get a BFR-id: PEs with a cloud or an origin."""
    return {cloud.node for cloud in scenario.clouds} | {
        transfer.origin for transfer in scenario.transfers
    }


class Bier(FollowsIgp):
    """BFR-ids go to every PE with a cloud or an origin, whatever the transfers; first to those with
    a cloud, so that a PE that only sends takes no receiver's bit."""

    name: ClassVar[str] = "bier"

    def __init__(self, scenario: Scenario, routes: IgpRoutes) -> None:
        options = scenario.schemes.bier
        self.bsl = options.bsl
        self.sub_domain = options.sub_domain
        self.header_bytes = header_bytes(self.bsl)
        self._spread = options.ecmp == "bfer"
        self._frr = options.frr
        self._timers = scenario.timers
        self.assignment = ""
        self._parts: tuple[Graph, list[list[Node]]] | None = None  # of the graph last seen
        self.numbering_copies: dict[str, int] = {}  # core copies of both, where both were tried
        graph = routes.graph
        receiving = {graph.index[cloud.node] for cloud in scenario.clouds}
        sending = {graph.index[name] for name in homes(scenario)} - receiving
        groups = sorted(receiving), sorted(sending)
        pes = [*groups[0], *groups[1]]
        if len(pes) > min(MAX_BFR_ID, (MAX_SI + 1) * self.bsl):
            raise InfeasibleError(
                f"{len(pes)} BFERs need more than {MAX_BFR_ID} BFR-ids or {MAX_SI + 1} set"
                f" identifiers of {self.bsl} bits; use a longer BSL"
            )
        self.bfr_id: dict[Node, int] = {pe: rank for rank, pe in enumerate(pes, 1)}
        if options.bfr_ids == "by-tree":
            self._number_by_tree(scenario, routes, groups)

    def _number_by_tree(
        self, scenario: Scenario, routes: IgpRoutes, groups: tuple[list[Node], list[Node]]
    ) -> None:
        """BFR-ids in preorder of the first origin's tree, where that makes no more core copies;
        one group after the other."""
        demands = [demand(scenario, routes, transfer) for transfer in scenario.transfers]
        dense = self._core_copies(routes, demands)
        order = _preorder(routes, routes.graph.index[scenario.transfers[0].origin])
        rank = {node: place for place, node in enumerate(order)}
        size = routes.graph.size
        by_tree = [
            pe for pes in groups for pe in sorted(pes, key=lambda pe: (rank.get(pe, size), pe))
        ]
        numbering = self.bfr_id
        self.bfr_id = {pe: number for number, pe in enumerate(by_tree, 1)}
        copies = self._core_copies(routes, demands)
        self.numbering_copies = {"dense": dense, "by-tree": copies}
        if dense < copies:
            self.bfr_id = numbering
            self.assignment = (
                f"BFR-ids stay dense: {dense} core copies against {copies} numbered by tree"
            )
        else:
            self.assignment = f"BFR-ids by tree: {copies} core copies against {dense} dense"

    def _core_copies(self, routes: IgpRoutes, demands: list[Demand]) -> int:
        """Copies of one packet of each transfer on core arcs, as the result will count them."""
        return sum(
            copies
            for each in demands
            for load in loads(self.install(routes, each), routes)
            for copies, _ in load.values()
        )

    def _by_si(self, pes: Sequence[Node]) -> dict[int, list[Node]]:
        """Receiving PEs by set identifier, both in order."""
        sets: dict[int, list[Node]] = {}
        for bfr_id, pe in sorted((self.bfr_id[pe], pe) for pe in pes):
            sets.setdefault(set_identifier(bfr_id, self.bsl)[0], []).append(pe)
        return sets

    def install(self, routes: IgpRoutes, demand: Demand) -> ReplicationPlan:
        impose, keys = [], []
        for si, pes in self._by_si(demand.pes).items():
            key: Key = ("bier", demand.transfer, si)
            keys.append(key)
            packet = Steer(key, tuple(pes), self.header_bytes, spread=self._spread)
            impose.append((demand.origin, packet))
        return ReplicationPlan(
            demand.transfer, tuple(impose), one_flow(demand, keys), self.header_bytes, {}
        )

    def phases(self, routes: IgpRoutes, demand: Demand) -> tuple[Phase, ...]:
        return (Phase("steady", "one packet per set identifier", self.install(routes, demand)),)

    def forwarding(self, igp: Igp, node: Node) -> Sequence[Update]:
        return bift_updates(igp, node, self._frr)

    def transition(
        self, igp: Igp, plans: Sequence[tuple[Demand, ReplicationPlan]], after: Sequence[Demand]
    ) -> Sequence[Transition]:
        """No state of a transfer changes on the way. ``notes`` say what BIER-FRR does not cover."""
        return [
            Transition(left, self.install(igp.after, left), (), self._protection(igp, was, plan))
            for (was, plan), left in zip(plans, after, strict=True)
        ]

    def _protection(self, igp: Igp, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        if self._frr == "none":
            return ()
        packets = [packet for _, packet in plan.impose if isinstance(packet, Steer)]
        bfers = [(pe, packet.key) for packet in packets for pe in packet.dests]
        behind, bare = uncovered(igp, demand.origin, bfers, self._frr)
        said = f"{demand.transfer}: BIER-FRR ({self._frr}) covers {behind - len(bare)} of {behind}"
        said += " BFERs behind the failure"
        if bare:
            names = igp.graph.names
            said += "; not " + ", ".join(f"{names[pe]} ({why})" for pe, why in sorted(bare.items()))
        return (said,)

    def state(
        self, routes: IgpRoutes, plans: Sequence[tuple[Demand, ReplicationPlan]]
    ) -> Mapping[Node, int]:
        rows: dict[Node, int] = {}
        if self._parts is None or self._parts[0] is not routes.graph:
            self._parts = routes.graph, parts(routes.graph)
        for members in self._parts[1]:
            ids = sum(node in self.bfr_id for node in members)
            if ids:
                rows.update(dict.fromkeys(members, ids))
        for each, _ in plans:
            if each.pes:
                rows[each.origin] = rows.get(each.origin, 0) + 1
        return dict(sorted(rows.items()))

    def table(
        self, routes: IgpRoutes, plans: Sequence[tuple[Demand, ReplicationPlan]], node: Node
    ) -> Table:
        return BierTable(routes, plans, node, self.bfr_id, self.bsl, self.sub_domain, self._spread)

    def setup(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> dict[str, float]:
        return overlay_terms(self._timers, routes, demand)

    def change(
        self,
        routes: IgpRoutes,
        before: tuple[Demand, ReplicationPlan],
        after: tuple[Demand, ReplicationPlan],
    ) -> ReceiverChange:
        """Other bits in the one entry at the BFIR; no BFR on the way hears of it."""
        return overlay_change(self._timers, routes, before[0], after[0], writes=1)

    def imposed(self, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        lines = []
        for si, pes in self._by_si(demand.pes).items():
            bits = bitstring(set_identifier(self.bfr_id[pe], self.bsl)[1] for pe in pes)
            lines.append(f"SI {si} BitString 0x{bits:x} ({len(pes)} BFERs)")
        return tuple(lines)

    def notes(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        said = [self.assignment] if self.assignment else []
        packets = len(plan.impose)
        if packets > 1:
            said.append(f"{demand.transfer}: {packets} set identifiers, a packet for each")
        return tuple(said)


def _preorder(routes: IgpRoutes, root: Node) -> list[Node]:
    """Nodes of the root's shortest-path tree in preorder, children in name order."""
    graph, parent = routes.graph, routes.parents(root)
    children: list[list[Node]] = [[] for _ in range(graph.size)]
    for node, arc in enumerate(parent):
        if arc >= 0:
            children[graph.tail[arc]].append(node)
    order, todo = [], [root]
    while todo:
        node = todo.pop()
        order.append(node)
        todo += reversed(children[node])
    return order
