"""SR-P2MP: a controller's tree of replication segments (RFC 9524, RFC 9960).

A segment sits at the root, at branches, buds and leaves; between them packets follow the FIB
towards the next Replication-SID (`mcastplan.schemes.segments`). So a failed link between two of
them heals at the speed of the IGP; a failed replication node or pinned adjacency waits for the
controller (`mcastplan.schemes.sr_controller`). Not modelled: several candidate paths, SID
compression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mcastplan.model.campaign import ReceiverChange
from mcastplan.model.change import Transition
from mcastplan.model.plan import Demand, Key, ReplicationPlan, Steer, Table
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import FollowsIgp, Igp, Phase, farthest_s, one_flow, onward_s, toward
from mcastplan.schemes.receivers import away_s, joined_and_left
from mcastplan.schemes.replication_segment import SegmentTable
from mcastplan.schemes.segments import (
    MPLS_LABEL_BYTES,
    SRV6_BYTES,
    Chains,
    chains_of,
    entries_of,
)
from mcastplan.schemes.sr_controller import Controller, Kind, TreeKey, instance_of, renamed
from mcastplan.schemes.sr_protection import protected
from mcastplan.underlay.routes import IgpRoutes
from mcastplan.underlay.steiner import ascend, dual_ascent, min_cost_tree, tree_cost
from mcastplan.underlay.tree_repair import repair_tree

# A repaired tree may cost this much of a fresh one.
DEARER_PERCENT = 105


class SrP2mp(FollowsIgp):
    """One tree instance per transfer; the same key, its Tree-SID, at every node."""

    name: ClassVar[str] = "sr-p2mp"

    def __init__(self, scenario: Scenario, routes: IgpRoutes) -> None:
        options = scenario.schemes.sr_p2mp
        self._srv6 = options.dataplane == "srv6"
        self._min_cost = options.objective == "min-cost"
        self._in_place = options.update == "in-place"
        self._protected = options.protected_adjacencies
        self._timers = scenario.timers
        # Per transfer, for `replan`: a bound with the routes and receivers it is of, and the chains
        # of a plan.
        self._bounds: dict[str, tuple[IgpRoutes, Node, tuple[Node, ...], int]] = {}
        self._known: dict[str, tuple[ReplicationPlan, Chains]] = {}

    def install(self, routes: IgpRoutes, demand: Demand) -> ReplicationPlan:
        key = TreeKey("tree", demand.transfer, 1)
        if not demand.pes:
            return ReplicationPlan(demand.transfer, (), (), 0, {})
        return self._planned(routes, demand, key, self.tree(routes, demand))

    def _planned(
        self,
        routes: IgpRoutes,
        demand: Demand,
        key: Key,
        tree: Sequence[Arc],
        known: Chains | None = None,
    ) -> ReplicationPlan:
        entries = entries_of(
            routes, demand.origin, frozenset(demand.pes), key, tree, self._srv6, known
        )
        headers = [
            branch.header_bytes
            for entry in entries.values()
            for branch in entry.out
            if isinstance(branch, Steer)
        ]
        return ReplicationPlan(
            demand.transfer,
            ((demand.origin, key),),
            one_flow(demand, (key,)),
            max([*headers, SRV6_BYTES if self._srv6 else MPLS_LABEL_BYTES]),
            entries,
            tree=tuple(tree),
        )

    def tree(self, routes: IgpRoutes, demand: Demand) -> list[Arc]:
        """Arcs of the controller's tree, each once."""
        graph, origin, pes = routes.graph, demand.origin, demand.pes
        shortest = routes.union(origin, pes)
        if not self._min_cost:
            return shortest
        # On asymmetric metrics a second tree, on the arcs dual ascent used up, halves the gap; on
        # symmetric ones it is not worth its time.
        left = None if graph.symmetric else ascend(graph, origin, pes)[1]
        cheap = min_cost_tree(graph, origin, pes, left)
        # The heuristic's factor of two is of the optimum, not of the shortest-path tree.
        return cheap if tree_cost(graph, cheap) < tree_cost(graph, shortest) else shortest

    def replan(
        self, routes: IgpRoutes, demand: Demand, before: ReplicationPlan, came_up: bool
    ) -> tuple[ReplicationPlan, Kind]:
        """The controller's next tree, under the key of ``before``, and how it came about.

        ``routes`` are those that ``before`` was planned on, ``without`` some arcs; with ``came_up``
        they may be any. A tree that lost nothing stays. With ``objective: min-cost`` one that lost
        arcs is repaired, unless that costs over 5 % more than a fresh one; otherwise, or where an
        arc came up, it is grown afresh.
        """
        if came_up or not before.flows or not demand.pes:
            fresh = self.install(routes, demand)
            return (renamed(fresh, before.flows[0].keys[0]) if before.flows else fresh), "fresh"
        receivers = before.flows[0].receivers
        if before.flows == one_flow(demand, before.flows[0].keys) and routes.down.isdisjoint(
            before.tree
        ):
            return before, "kept"
        kind: Kind = "fresh"
        if self._min_cost:
            tree, kind = self._repaired(routes, demand, before.tree, receivers == demand.pes)
        else:
            tree = self.tree(routes, demand)
        known = self._chains(routes, demand, before)
        return self._planned(routes, demand, before.flows[0].keys[0], tree, known), kind

    def _repaired(
        self, routes: IgpRoutes, demand: Demand, tree: Sequence[Arc], all_left: bool
    ) -> tuple[list[Arc], Kind]:
        graph = routes.graph
        repaired = repair_tree(graph, demand.origin, demand.pes, tree)
        cost = tree_cost(graph, repaired)
        # No tree on fewer arcs costs less than the bound on all of them. That is found once; with
        # receivers gone, a fresh tree costs less time than a bound of its own.
        if all_left and cost * 100 <= DEARER_PERCENT * self._bound(routes.base or routes, demand):
            return repaired, "repaired"
        fresh = self.tree(routes, demand)
        if cost * 100 <= DEARER_PERCENT * tree_cost(graph, fresh):
            return repaired, "repaired"
        return fresh, "fresh"

    def _bound(self, intact: IgpRoutes, demand: Demand) -> int:
        known = self._bounds.get(demand.transfer)
        if known is None or known[0] is not intact or known[1:3] != (demand.origin, demand.pes):
            bound = dual_ascent(intact.graph, demand.origin, demand.pes)
            known = self._bounds[demand.transfer] = intact, demand.origin, demand.pes, bound
        return known[3]

    def _chains(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> Chains:
        known = self._known.get(plan.transfer)
        if known is None or known[0] is not plan:
            chains = chains_of(routes.graph, demand.origin, plan)
            known = self._known[plan.transfer] = plan, chains
        return known[1]

    def phases(self, routes: IgpRoutes, demand: Demand) -> tuple[Phase, ...]:
        return (Phase("steady", "one tree instance", self.install(routes, demand)),)

    def transition(
        self, igp: Igp, plans: Sequence[tuple[Demand, ReplicationPlan]], after: Sequence[Demand]
    ) -> Sequence[Transition]:
        found = []
        for (demand, plan), left in zip(plans, after, strict=True):
            controller = Controller(igp, self.replan, self._in_place, demand, plan)
            moved = controller.transition(left)
            if self._protected:
                moved = protected(igp, plan, moved, self._srv6)
            found.append(moved)
        return found

    def state(
        self, routes: IgpRoutes, plans: Sequence[tuple[Demand, ReplicationPlan]]
    ) -> Mapping[Node, int]:
        state: dict[Node, int] = {}
        for demand, plan in plans:
            for node, _ in plan.entries:
                # The policy itself lives at the root, beside its segment.
                state[node] = state.get(node, 0) + (2 if node == demand.origin else 1)
        return dict(sorted(state.items()))

    def table(
        self, routes: IgpRoutes, plans: Sequence[tuple[Demand, ReplicationPlan]], node: Node
    ) -> Table:
        return SegmentTable(routes, plans, node, self._srv6)

    def setup(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> dict[str, float]:
        """The controller sits at the root's site; it programs the tree, hears the last
        acknowledgement, then writes the root."""
        timers, away_s = self._timers, farthest_s(routes, demand)
        placed = {node for node, _ in plan.entries}
        there_s = onward_s(routes, demand.origin, placed)
        back = toward(routes, demand.origin, there_s)
        rounds_s = (there_s[node] + back[node][1] for node in there_s if node in back)
        return {
            "announce": timers.announce_s,
            "discovery": timers.discovery_s + away_s,
            "compute": timers.compute_s,
            "program": timers.program_s + max(rounds_s, default=0.0),
            "root": timers.program_s,
        }

    def change(
        self,
        routes: IgpRoutes,
        before: tuple[Demand, ReplicationPlan],
        after: tuple[Demand, ReplicationPlan],
    ) -> ReceiverChange:
        """The controller hears of each leaf, computes, programs a new instance on every node of its
        tree, switches the root's policy, and removes the old one: a message to discover a leaf, two
        to program a node (and its acknowledgement), one to remove an entry. Updated in place, only
        nodes whose entry differs are touched."""
        (was, old), (now, new) = before, after
        joined, left = joined_and_left(was, now)
        terms = {"announce": self._timers.announce_s}
        if not (joined or left):
            return ReceiverChange(terms)
        terms = self.setup(routes, now, new)
        terms["discovery"] = self._timers.discovery_s + away_s(routes, now, joined or left)
        written, removed, held = (
            len(new.entries),
            len(old.entries),
            {node for node, _ in old.entries},
        )
        policy = 1  # switched, or written for the first time
        if self._in_place and old.entries:
            written = sum(old.entries.get(at) != entry for at, entry in new.entries.items())
            removed = sum(at not in new.entries for at in old.entries)
            policy, held = 0, {node for node, key in old.entries if (node, key) not in new.entries}
        return ReceiverChange(
            terms,
            len(joined) + len(left) + 2 * written + removed,
            written + removed + policy,
            dict.fromkeys(sorted(held), 1),
        )

    def imposed(self, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        kind = "SRv6" if self._srv6 else "SR-MPLS"
        instance = instance_of(plan)
        return (
            f"{kind} policy of {demand.transfer}: instance {instance}, {plan.header_bytes} B of"
            " header",
        )

    def notes(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        roles = [entry.role for entry in plan.entries.values()]
        said = []
        if self._min_cost and demand.pes:
            cost = tree_cost(routes.graph, plan.tree)
            bound = dual_ascent(routes.graph, demand.origin, demand.pes)
            if cost == bound:
                said.append(f"{demand.transfer}: tree cost {cost}, proven the least possible")
            else:
                said.append(
                    f"{demand.transfer}: tree cost {cost}, proven within {cost / bound - 1:.1%} of"
                    f" the least possible (lower bound {bound} by dual ascent)"
                )
        waypoints = roles.count("waypoint")
        if waypoints:
            said.append(f"{demand.transfer}: {waypoints} waypoints where tree and IGP part")
        return tuple(said)
