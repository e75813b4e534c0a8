"""SR-P2MP: a controller's tree of replication segments (RFC 9524, RFC 9960).

A segment sits at the root, at branches, buds and leaves; between them packets follow the FIB
towards the next Replication-SID. Where the tree's way is not the IGP's own, a one-branch segment
is added at a waypoint; where not even one link is, its adjacency SID is pinned. Headers: SRv6 40 B
(+24 B SRH on a pinned adjacency, RFC 8754), MPLS 4 B, 8 B with the Node-SID of a downstream node
that is not adjacent (no PHP). Not modelled: several candidate paths, SID compression, fast reroute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mcastplan.model.plan import Demand, Entry, Key, ReplicationPlan, Steer, Table
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import FollowsIgp, Phase, farthest_s, one_flow
from mcastplan.schemes.replication_segment import SegmentTable
from mcastplan.underlay.routes import IgpRoutes
from mcastplan.underlay.steiner import ascend, dual_ascent, min_cost_tree, tree_cost

SRV6_BYTES, SRH_ONE_SID_BYTES = 40, 24
MPLS_LABEL_BYTES = 4


class SrP2mp(FollowsIgp):
    """One tree instance per transfer; the same key, its Tree-SID, at every node."""

    name: ClassVar[str] = "sr-p2mp"

    def __init__(self, scenario: Scenario, routes: IgpRoutes) -> None:
        options = scenario.schemes.sr_p2mp
        self._srv6 = options.dataplane == "srv6"
        self._min_cost = options.objective == "min-cost"
        self._timers = scenario.timers

    def install(self, routes: IgpRoutes, demand: Demand) -> ReplicationPlan:
        key: Key = ("tree", demand.transfer, 1)
        if not demand.pes:
            return ReplicationPlan(demand.transfer, (), (), 0, {})
        entries = self._segments(routes, demand, key, self.tree(routes, demand))
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

    def _segments(
        self, routes: IgpRoutes, demand: Demand, key: Key, tree: Sequence[Arc]
    ) -> dict[tuple[Node, Key], Entry]:
        head, tail = routes.graph.head, routes.graph.tail
        below: dict[Node, list[Arc]] = {}
        for arc in sorted(tree):
            below.setdefault(tail[arc], []).append(arc)
        receivers = set(demand.pes)
        out: dict[Node, list[Steer]] = {demand.origin: []}
        waypoints: set[Node] = set()
        todo = [demand.origin]
        while todo:
            node = todo.pop()
            for first in below.get(node, ()):
                chain = [first]
                while head[chain[-1]] not in receivers and len(below[head[chain[-1]]]) == 1:
                    chain += below[head[chain[-1]]]
                todo.append(head[chain[-1]])
                out.setdefault(head[chain[-1]], [])
                at = node
                while chain:
                    reach = self._reach(routes, at, chain)
                    part, chain = chain[: max(reach, 1)], chain[max(reach, 1) :]
                    dest = head[part[-1]]
                    branch = self._branch(routes, key, at, part, dest, pinned=reach == 0)
                    out.setdefault(at, []).append(branch)
                    at = dest
                    if chain:
                        waypoints.add(at)
        entries: dict[tuple[Node, Key], Entry] = {}
        for node, branches in sorted(out.items()):
            local = node in receivers
            if node == demand.origin:
                role = "root and bud" if local else "root"
            elif node in waypoints:
                role = "waypoint"
            elif local:
                role = "bud" if branches else "leaf"
            else:
                role = "branch"
            entries[node, key] = Entry(tuple(branches), None, local, role)
        return entries

    def _reach(self, routes: IgpRoutes, at: Node, chain: Sequence[Arc]) -> int:
        """How many arcs of ``chain`` the IGP follows by itself from ``at``; 0: not even the first.

        Under ``hash`` an equal-cost path is good enough: the walk finds what it really copies.
        """
        head, metric = routes.graph.head, routes.graph.metric
        for length in range(len(chain), 0, -1):
            part, dest = tuple(chain[:length]), head[chain[length - 1]]
            if routes.ecmp == "hash":
                if routes.dist_to(dest)[at] == sum(metric[arc] for arc in part):
                    return length
            elif routes.path(at, dest) == part:
                return length
        return 0

    def _branch(
        self, routes: IgpRoutes, key: Key, at: Node, part: Sequence[Arc], dest: Node, pinned: bool
    ) -> Steer:
        if self._srv6:
            header = SRV6_BYTES + (SRH_ONE_SID_BYTES if pinned else 0)
        else:
            # Under hashing any equal-cost way may be taken, so one that passes a router decides.
            ways = routes.next_arcs(at, dest) if routes.ecmp == "hash" and not pinned else part[:1]
            adjacent = all(routes.graph.head[arc] == dest for arc in ways)
            header = MPLS_LABEL_BYTES * (1 if adjacent else 2)
        return Steer(key, (dest,), header, lookup=True, via=part[0] if pinned else None)

    def phases(self, routes: IgpRoutes, demand: Demand) -> tuple[Phase, ...]:
        return (Phase("steady", "one tree instance", self.install(routes, demand)),)

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
        return {
            "announce": timers.announce_s,
            "discovery": timers.discovery_s + away_s,
            "compute": timers.compute_s,
            "program": timers.program_s + 2 * away_s,
            "root": timers.program_s,
        }

    def imposed(self, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        kind = "SRv6" if self._srv6 else "SR-MPLS"
        return (f"{kind} policy of {demand.transfer}: instance 1, {plan.header_bytes} B of header",)

    def notes(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        roles = [entry.role for entry in plan.entries.values()]
        said = []
        if self._min_cost and demand.pes:
            cost = tree_cost(routes.graph, self.tree(routes, demand))
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
