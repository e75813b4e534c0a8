"""PIM-SM: a tree of mroutes, built by Joins from each receiver towards the source (RFC 7761).

SSM (232/8): (S,G) only. ASM: Register tunnel to the RP, the RP's own (S,G) Join, the shared tree
(*,G), and with ``spt_switchover`` the last-hop routers' (S,G) trees with (S,G,rpt) prunes where
the two part. Trees follow every node's RPF neighbour. Not modelled: Assert and LANs with several
routers, BSR / Auto-RP, several RPs, (S,G,rpt) Join override (links are point to point),
bidirectional PIM; ASM while routes change (`pim_join` moves source trees).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mcastplan.errors import InfeasibleError
from mcastplan.model.campaign import ReceiverChange
from mcastplan.model.change import Transition, Update
from mcastplan.model.plan import Demand, Entry, Key, ReplicationPlan, Table
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Node
from mcastplan.schemes.asm import SharedTree, Stage
from mcastplan.schemes.base import Igp, Phase, one_flow
from mcastplan.schemes.mofrr import Coverage, add_spares, uncovered
from mcastplan.schemes.mroute import MrouteTable, Tree, keys_of
from mcastplan.schemes.pim_join import JoinPrune
from mcastplan.schemes.receivers import grafted_s, joined_and_left
from mcastplan.underlay.routes import IgpRoutes
from mcastplan.units import BITS_PER_BYTE, counted, show_rate, show_time


class PimSm:
    """One group per transfer; the source sits behind the origin's PE."""

    name: ClassVar[str] = "pim-sm"

    def __init__(self, scenario: Scenario, routes: IgpRoutes) -> None:
        self._options = scenario.schemes.pim_sm
        self._timers = scenario.timers
        self._rp: Node | None = None
        if self._options.mode == "asm":
            if self._options.mofrr:
                raise InfeasibleError("MoFRR is modelled on source trees alone; use mode: ssm")
            assert self._options.rp is not None  # the decoder asks for it
            self._rp = routes.graph.index[self._options.rp]

    def install(self, routes: IgpRoutes, demand: Demand) -> ReplicationPlan:
        return self.phases(routes, demand)[-1].plan

    def phases(self, routes: IgpRoutes, demand: Demand) -> tuple[Phase, ...]:
        if not demand.pes:
            return (
                Phase("steady", "no receiver", ReplicationPlan(demand.transfer, (), (), 0, {})),
            )
        if self._rp is None:
            sg, _, _ = keys_of(demand.transfer)
            tree = Tree(routes, demand.origin, sg, demand.pes)
            if self._options.mofrr:
                add_spares(tree, routes, demand.origin, sg)
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
        hours = show_time(demand.size_bytes * BITS_PER_BYTE / limit)
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
        # Most specific state first, as RFC 7761 section 4.2 forwards.
        match = {sg: (sg, rpt, star)} if self._rp is not None else {}
        return ReplicationPlan(
            demand.transfer,
            ((demand.origin, sg),),
            one_flow(demand, (sg,)),
            0,
            entries,
            match,
            spares=self._options.mofrr,
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
        """Until the last Join meets the tree; in ASM then the RP's own Join, to the source."""
        timers = self._timers
        sg, _, star = keys_of(demand.transfer)
        root, key = (demand.origin, sg) if self._rp is None else (self._rp, star)
        tree = Tree(routes, root, key, demand.pes)
        terms = {
            "announce": timers.announce_s,
            "igmp": timers.igmp_s,
            "join": tree.joined_s(routes, demand.pes, timers.join_s),
        }
        if self._rp is not None and demand.pes:
            to_source = Tree(routes, demand.origin, sg, (self._rp,))
            terms["rp_join"] = to_source.joined_s(routes, (self._rp,), timers.join_s)
        return terms

    def change(
        self,
        routes: IgpRoutes,
        before: tuple[Demand, ReplicationPlan],
        after: tuple[Demand, ReplicationPlan],
    ) -> ReceiverChange:
        """One Join or Prune for each entry that comes or goes, and an IGMP report at each PE that
        does. Data waits until the last Join meets the tree of the push before (in ASM the shared
        one), and for no Prune: old branches stay until theirs is handled. Not modelled: entries
        that nobody prunes (holdtime 210 s)."""
        old, new = before[1].entries, after[1].entries
        joined, left = joined_and_left(before[0], after[0])
        added = {at: entry for at, entry in new.items() if at not in old}
        gone = {at: entry for at, entry in old.items() if at not in new}
        hops = sum(entry.iif is not None for part in (added, gone) for entry in part.values())
        altered = sum(
            set(entry.out) != set(was.out) or (entry.iif, entry.local) != (was.iif, was.local)
            for at, entry in new.items()
            if (was := old.get(at)) is not None
        )
        held: dict[Node, int] = {}
        for node, _ in gone:
            held[node] = held.get(node, 0) + 1
        return ReceiverChange(
            self._graft_terms(routes, after[0], joined, added),
            len(joined) + len(left) + hops,
            len(added) + len(gone) + altered,
            held,
        )

    def _graft_terms(
        self,
        routes: IgpRoutes,
        demand: Demand,
        joined: Sequence[Node],
        added: Mapping[tuple[Node, Key], Entry],
    ) -> dict[str, float]:
        """Set-up [s] where only the entries in ``added`` are new."""
        timers = self._timers
        terms = {"announce": timers.announce_s}
        if not joined:
            return terms
        sg, _, star = keys_of(demand.transfer)
        key = sg if self._rp is None else star
        grafts = {
            node: entry.iif
            for (node, of), entry in added.items()
            if of == key and entry.iif is not None
        }
        terms["igmp"] = timers.igmp_s
        terms["join"] = grafted_s(routes, grafts, joined, timers.join_s)
        if self._rp is not None and (self._rp, sg) in added:
            to_source = Tree(routes, demand.origin, sg, (self._rp,))
            terms["rp_join"] = to_source.joined_s(routes, (self._rp,), timers.join_s)
        return terms

    def imposed(self, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        return (f"nothing; native packets of group {demand.transfer}",)

    def notes(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        sg = keys_of(demand.transfer)[0]
        if self._options.mofrr and demand.pes:
            tree = Tree(routes, demand.origin, sg, demand.pes)
            said = _covered(demand, add_spares(tree, routes, demand.origin, sg), routes.graph.names)
            if plan.spares:
                said += (
                    f"{demand.transfer}: spare streams go at the rate of the push, so an arc that"
                    " only they cross can bind it",
                )
            return said
        idle = sum(
            key == sg and not (entry.out or entry.local) for (_, key), entry in plan.entries.items()
        )
        if not idle:
            return ()
        entries = counted(idle, "(S,G) entry", "(S,G) entries")
        return (
            f"{demand.transfer}: {entries} between source and RP forward nothing and stay until"
            " their Keepalive Timer (210 s) ends",
        )

    def forwarding(self, igp: Igp, node: Node) -> Sequence[Update]:
        """None: native packets go by mroutes alone."""
        return ()

    def transition(
        self, igp: Igp, plans: Sequence[tuple[Demand, ReplicationPlan]], after: Sequence[Demand]
    ) -> Sequence[Transition]:
        """Raises `InfeasibleError` in ASM mode."""
        if self._rp is not None:
            raise InfeasibleError("transitions of PIM ASM are not modelled; use mode: ssm")
        machine = JoinPrune(igp, plans, self._options.mofrr)
        machine.run()
        found = []
        for place, ((demand, plan), then) in enumerate(zip(plans, after, strict=True)):
            updates = machine.mroutes.updates[place]
            # Where nothing has moved a fresh tree is the old one.
            fresh = plan if demand == then and not updates else self.install(igp.after, then)
            notes = _saved(igp, demand, plan) if self._options.mofrr else ()
            notes += _kept(then, machine.mroutes.entries[place], fresh, igp.graph.names)
            found.append(Transition(then, fresh, tuple(updates), notes))
        return found


def _covered(demand: Demand, found: Coverage, names: Sequence[str]) -> tuple[str, ...]:
    """What MoFRR does not cover, in numbers."""
    if not found.routers:
        return ()
    said = [
        f"{demand.transfer}: {len(found.bare)} of {found.routers} routers below the source have"
    ]
    said.append("no second upstream neighbour")
    if found.bare:
        said.append(f"({', '.join(names[node] for node in found.bare)})")
    if found.meets:
        meets = ", ".join(names[node] for node in found.meets)
        said.append(f"and the spare stream of {meets} passes the router it is to do without")
    return (" ".join(said),)


def _saved(igp: Igp, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
    """Of the receiving PEs behind the failure, those that a spare stream saves."""
    entries = {node: entry for (node, _), entry in plan.entries.items()}
    behind, bare = uncovered(igp, demand.origin, entries, demand.pes)
    if not behind:
        return ()
    said = f"{demand.transfer}: MoFRR covers {behind - len(bare)} of"
    said += f" {counted(behind, 'receiving PE')} behind the failure"
    if bare:
        names = igp.graph.names
        said += "; not " + ", ".join(f"{names[pe]} ({why})" for pe, why in sorted(bare.items()))
    return (said,)


def _kept(
    demand: Demand,
    entries: Mapping[Node, Entry | None],
    after: ReplicationPlan,
    names: Sequence[str],
) -> tuple[str, ...]:
    """Routers that keep an entry although no tree reaches them any more."""
    sg = keys_of(demand.transfer)[0]
    kept = sorted(
        names[node]
        for node, entry in entries.items()
        if entry is not None and (node, sg) not in after.entries
    )
    if not kept:
        return ()
    routers = counted(len(kept), "router keeps", "routers keep")
    return (
        f"{demand.transfer}: after convergence {routers} an (S,G) entry off the tree:"
        f" {', '.join(kept)}",
    )
