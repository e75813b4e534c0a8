"""PIM-SM: a tree of mroutes, built by Joins from each receiver towards the source (RFC 7761).

SSM (232/8): (S,G) only. ASM: Register tunnel to the RP, the RP's own (S,G) Join, the shared tree
(*,G), and with ``spt_switchover`` the last-hop routers' (S,G) trees with (S,G,rpt) prunes where
the two part. Trees follow every node's RPF neighbour. Not modelled: Assert and LANs with several
routers, BSR / Auto-RP, several RPs, (S,G,rpt) Join override (links are point to point),
bidirectional PIM.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mcastplan.errors import InfeasibleError
from mcastplan.model.plan import Demand, Entry, Key, ReplicationPlan, Table
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Node
from mcastplan.schemes.asm import SharedTree, Stage
from mcastplan.schemes.base import Phase, one_flow, toward
from mcastplan.schemes.mroute import MrouteTable, Tree, keys_of
from mcastplan.underlay.routes import IgpRoutes
from mcastplan.units import show_rate, show_time


class PimSm:
    """One group per transfer; the source sits behind the origin's PE."""

    name: ClassVar[str] = "pim-sm"

    def __init__(self, scenario: Scenario, routes: IgpRoutes) -> None:
        self._options = scenario.schemes.pim_sm
        self._timers = scenario.timers
        self._rp: Node | None = None
        if self._options.mode == "asm":
            assert self._options.rp is not None  # the decoder asks for it
            self._rp = routes.graph.index[self._options.rp]

    def install(self, routes: IgpRoutes, demand: Demand) -> ReplicationPlan:
        return self.phases(routes, demand)[-1].plan

    def phases(self, routes: IgpRoutes, demand: Demand) -> tuple[Phase, ...]:
        if self._rp is None:
            sg, _, _ = keys_of(demand.transfer)
            tree = Tree(routes, demand.origin, sg, demand.pes)
            local = set(demand.pes)
            entries = {
                (node, sg): Entry(tuple(tree.oifs[node]), tree.iif[node], node in local, "(S,G)")
                for node in tree.oifs
            }
            plan = self._plan(demand, entries)
            return (Phase("steady", "source tree, (S,G) at every router on it", plan),)
        return self._asm_phases(routes, demand, self._rp)

    def _asm_phases(self, routes: IgpRoutes, demand: Demand, rp: Node) -> tuple[Phase, ...]:
        names = routes.graph.names
        if routes.dist_from(demand.origin)[rp] < 0:
            raise InfeasibleError(
                f"the RP {names[rp]} cannot be reached from {names[demand.origin]}"
            )
        limit = self._options.register_limit_bps
        hours = show_time(demand.size_bytes * 8 / limit)
        told: dict[Stage, str] = {
            "register": f"the first packets, inside Register messages to {names[rp]}; at its limit"
            f" of {show_rate(limit)} the whole push would take {hours}, so it does not start here",
            "rpt": f"natively to {names[rp]}, then down its shared tree",
            "spt": "last-hop routers have joined the source; shared-tree copies are pruned",
        }
        stages: tuple[Stage, ...] = ("register", "rpt")
        if self._options.spt_switchover:
            stages = (*stages, "spt")
        return tuple(
            Phase(
                stage,
                told[stage],
                self._plan(demand, SharedTree(routes, demand, rp, stage).entries),
            )
            for stage in stages
        )

    def _plan(self, demand: Demand, entries: Mapping[tuple[Node, Key], Entry]) -> ReplicationPlan:
        sg, rpt, star = keys_of(demand.transfer)
        if not demand.pes:
            return ReplicationPlan(demand.transfer, (), (), 0, {})
        # Most specific state first, as RFC 7761 section 4.2 forwards.
        match = {sg: (sg, rpt, star)} if self._rp is not None else {}
        return ReplicationPlan(
            demand.transfer, ((demand.origin, sg),), one_flow(demand, (sg,)), 0, entries, match
        )

    def state(
        self, routes: IgpRoutes, plans: Sequence[tuple[Demand, ReplicationPlan]]
    ) -> Mapping[Node, int]:
        state: dict[Node, int] = {}
        for _, plan in plans:
            for node, _ in plan.entries:
                state[node] = state.get(node, 0) + 1
        return dict(sorted(state.items()))

    def table(
        self, routes: IgpRoutes, plans: Sequence[tuple[Demand, ReplicationPlan]], node: Node
    ) -> Table:
        return MrouteTable(routes, plans, node, self._rp)

    def setup(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> dict[str, float]:
        """The slowest receiver's Join, hop by hop to the source's PE (ASM: to the RP, then the
        RP's own Join to the source)."""
        timers = self._timers
        sg, _, star = keys_of(demand.transfer)
        root, key = (demand.origin, sg) if self._rp is None else (self._rp, star)
        known = toward(routes, root, demand.pes, key)
        terms = {
            "announce": timers.announce_s,
            "igmp": timers.igmp_s,
            "join": max(
                (known[pe][0] * timers.join_s + known[pe][1] for pe in demand.pes), default=0.0
            ),
        }
        if self._rp is not None:
            hops, delay = toward(routes, demand.origin, (self._rp,), sg)[self._rp]
            terms["rp_join"] = hops * timers.join_s + delay
        return terms

    def imposed(self, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        return (f"nothing; native packets of group {demand.transfer}",)

    def notes(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        return ()
