"""Ingress replication: the ingress PE sends one VXLAN copy per egress PE (RFC 7348, RFC 8365
section 5: head-end replication), one stream at one rate.

Header: outer IPv4 20 + UDP 8 + VXLAN 8 + inner Ethernet 14 = 50 B. Not modelled: the ingress
router's own replication limit [packets/s].
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar

import msgspec

from mcastplan.dataplane.step import NO_ROUTE, NO_STATE
from mcastplan.model.campaign import ReceiverChange
from mcastplan.model.plan import Demand, Hop, Key, Native, ReplicationPlan, Section, Steer, Table
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import Fib, FollowsIgp, Phase, one_flow, overlay_terms
from mcastplan.schemes.receivers import joined_and_left, overlay_change
from mcastplan.underlay.routes import IgpRoutes

VXLAN_BYTES = 50


class IngressReplication(FollowsIgp):
    """Clouds on one PE share its copy; a cloud on the origin's PE needs no tunnel."""

    name: ClassVar[str] = "ingress-replication"

    def __init__(self, scenario: Scenario, routes: IgpRoutes) -> None:
        self._timers = scenario.timers

    def install(self, routes: IgpRoutes, demand: Demand) -> ReplicationPlan:
        keys: list[Key] = [("vxlan", demand.transfer, pe) for pe in demand.pes]
        return ReplicationPlan(
            demand.transfer,
            tuple(
                (demand.origin, Steer(key, (pe,), VXLAN_BYTES))
                for key, pe in zip(keys, demand.pes, strict=True)
            ),
            one_flow(demand, keys),
            VXLAN_BYTES,
            {},
        )

    def phases(self, routes: IgpRoutes, demand: Demand) -> tuple[Phase, ...]:
        return (Phase("steady", "one tunnel copy per egress PE", self.install(routes, demand)),)

    def state(
        self, routes: IgpRoutes, plans: Sequence[tuple[Demand, ReplicationPlan]]
    ) -> Mapping[Node, int]:
        state: dict[Node, int] = {}
        for demand, _ in plans:
            remote = sum(pe != demand.origin for pe in demand.pes)
            if remote:
                state[demand.origin] = state.get(demand.origin, 0) + remote
        return state

    def table(
        self, routes: IgpRoutes, plans: Sequence[tuple[Demand, ReplicationPlan]], node: Node
    ) -> Table:
        return TunnelTable(routes, plans, node)

    def setup(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> dict[str, float]:
        return overlay_terms(self._timers, routes, demand)

    def change(
        self,
        routes: IgpRoutes,
        before: tuple[Demand, ReplicationPlan],
        after: tuple[Demand, ReplicationPlan],
    ) -> ReceiverChange:
        """One tunnel written or removed for each egress that comes or goes."""
        joined, left = joined_and_left(before[0], after[0])
        tunnels = sum(pe != after[0].origin for pe in (*joined, *left))
        return overlay_change(self._timers, routes, before[0], after[0], tunnels)

    def imposed(self, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        remote = sum(pe != demand.origin for pe in demand.pes)
        return (f"{remote} VXLAN copies, {VXLAN_BYTES} B of header each",)

    def notes(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        return ()


class Tunnelled(msgspec.Struct, frozen=True):
    """One VXLAN copy: outer destination and the flow its UDP source port stands for."""

    dest: Node
    flow: Key
    header_bytes: int = VXLAN_BYTES


class TunnelTable:
    """The flood list of each transfer at its ingress, and the FIB towards the egress PEs."""

    def __init__(
        self, routes: IgpRoutes, plans: Sequence[tuple[Demand, ReplicationPlan]], node: Node
    ) -> None:
        self._node = node
        self._names = routes.graph.names
        self._fib = Fib(routes, node, (pe for demand, _ in plans for pe in demand.pes))
        self._flood = {
            plan.transfer: tuple(
                Tunnelled(packet.dests[0], packet.key)
                for _, packet in plan.impose
                if isinstance(packet, Steer)
            )
            for demand, plan in plans
            if demand.origin == node
        }

    def forward(self, arrived: Arc | None, packet: Hashable) -> Hop:
        if isinstance(packet, Native):
            copies = self._flood.get(packet.flow)
            if copies is None:
                return Hop(drops=(NO_STATE,))
        else:
            assert isinstance(packet, Tunnelled)
            copies = (packet,)
        out, drops, delivered = [], [], 0
        for copy in copies:
            if copy.dest == self._node:
                delivered += 1
                continue
            arc = self._fib.next_arc(copy.dest, copy.flow)
            if arc is None:
                drops.append(NO_ROUTE)
            else:
                out.append((arc, copy))
        return Hop(tuple(out), delivered, tuple(drops))

    def sections(self) -> tuple[Section, ...]:
        rows = tuple(
            (transfer, self._names[copy.dest], f"{VXLAN_BYTES} B VXLAN")
            for transfer, copies in self._flood.items()
            for copy in copies
            if copy.dest != self._node
        )
        flood = Section(
            "flood list (head-end replication)", ("transfer", "egress PE", "tunnel"), rows
        )
        return (flood, self._fib.section("FIB"))
