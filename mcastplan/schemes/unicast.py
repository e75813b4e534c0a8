"""Unicast pulls: what people do today. Every replica, or every cloud's cache, fetches its own copy.

Header: TCP/IP alone (IPv4 20 + TCP 20 B, no options). Not modelled: TCP's own dynamics (slow
start, loss) but for a stated ceiling per pull, HTTP range requests, peers that serve each other
(BitTorrent, a CDN).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar

import msgspec

from mcastplan.dataplane.step import NO_ROUTE
from mcastplan.model.campaign import ReceiverChange
from mcastplan.model.plan import (
    Demand,
    Flow,
    Hop,
    Key,
    Native,
    ReplicationPlan,
    Section,
    Steer,
    Table,
)
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import Fib, FollowsIgp, Phase
from mcastplan.underlay.routes import IgpRoutes

TCP_IP_BYTES = 40
# Distinct 5-tuples of one cloud's pulls under hashing; more pulls than that share them evenly.
MAX_TUPLES = 1024


class Unicast(FollowsIgp):
    """A pull is one flow; under ``ecmp: first`` those of one cloud are one flow with a count."""

    name: ClassVar[str] = "unicast"

    def __init__(self, scenario: Scenario, routes: IgpRoutes) -> None:
        self._per_cloud = scenario.schemes.unicast.per == "cloud"
        ceiling_bps = scenario.schemes.unicast.per_pull_bps
        self._ceiling_bps = math.inf if ceiling_bps is None else ceiling_bps
        self._announce_s = scenario.timers.announce_s

    def install(self, routes: IgpRoutes, demand: Demand) -> ReplicationPlan:
        impose, flows = [], []
        for cloud, pe, replicas in demand.clouds:
            pulls = 1 if self._per_cloud else replicas
            # Under hashing every pull has its own 5-tuple and may take its own path.
            tuples = min(pulls, MAX_TUPLES) if routes.ecmp == "hash" else 1
            for number in range(tuples):
                name = f"{demand.transfer}/{cloud}" + (f"/{number}" if tuples > 1 else "")
                key: Key = ("pull", name)
                impose.append((demand.origin, Steer(key, (pe,))))
                count = pulls // tuples + (number < pulls % tuples)
                flows.append(
                    Flow(
                        *(name, (key,), (cloud,), (pe,)),
                        demand.size_bytes,
                        count,
                        self._ceiling_bps,
                    )
                )
        return ReplicationPlan(
            demand.transfer, tuple(impose), tuple(flows), 0, {}, inner_bytes=TCP_IP_BYTES
        )

    def phases(self, routes: IgpRoutes, demand: Demand) -> tuple[Phase, ...]:
        return (Phase("steady", "every pull on its own TCP flow", self.install(routes, demand)),)

    def state(
        self, routes: IgpRoutes, plans: Sequence[tuple[Demand, ReplicationPlan]]
    ) -> Mapping[Node, int]:
        return {}

    def table(
        self, routes: IgpRoutes, plans: Sequence[tuple[Demand, ReplicationPlan]], node: Node
    ) -> Table:
        return UnicastTable(routes, plans, node)

    def setup(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> dict[str, float]:
        return {"announce": self._announce_s}

    def change(
        self,
        routes: IgpRoutes,
        before: tuple[Demand, ReplicationPlan],
        after: tuple[Demand, ReplicationPlan],
    ) -> ReceiverChange:
        """Nothing in the network changes: the new receivers hear of the push and pull."""
        return ReceiverChange({"announce": self._announce_s})

    def imposed(self, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        pulls = sum(flow.count for flow in plan.flows)
        return (f"nothing; {pulls} TCP pulls leave the origin",)

    def notes(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        pulls = 0 if self._per_cloud else max((n for _, _, n in demand.clouds), default=0)
        if routes.ecmp == "first" or pulls <= MAX_TUPLES:
            return ()
        return (f"over {MAX_TUPLES:,} pulls of one cloud share {MAX_TUPLES:,} hashed 5-tuples",)


class Segment(msgspec.Struct, frozen=True):
    """One TCP segment of a pull: the address and the flow label its 5-tuple hashes to."""

    dest: Node
    flow: Key


class UnicastTable:
    """The FIB towards the PEs that pull."""

    def __init__(
        self, routes: IgpRoutes, plans: Sequence[tuple[Demand, ReplicationPlan]], node: Node
    ) -> None:
        self._node = node
        self._fib = Fib(routes, node, (pe for demand, _ in plans for pe in demand.pes))
        self._pulls = {
            flow.name: Segment(flow.receivers[0], flow.keys[0])
            for demand, plan in plans
            if demand.origin == node
            for flow in plan.flows
        }

    def forward(self, arrived: Arc | None, packet: Hashable) -> Hop:
        segment = self._pulls[packet.flow] if isinstance(packet, Native) else packet
        assert isinstance(segment, Segment)
        if segment.dest == self._node:
            return Hop(delivered=1)
        arc = self._fib.next_arc(segment.dest, segment.flow)
        return Hop(drops=(NO_ROUTE,)) if arc is None else Hop(((arc, segment),))

    def sections(self) -> tuple[Section, ...]:
        return (self._fib.section("FIB"),)
