"""How long receivers go without packets after one failure, without the rest of its timeline.

What a sweep asks of every failure: only receivers that it can concern are followed, over only the
nodes that their copies can meet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from mcastplan.converge.episode import demand_after
from mcastplan.converge.igp import LinkState
from mcastplan.converge.moving import Forwarding, Narrowed
from mcastplan.converge.outages import flights, gaps
from mcastplan.converge.reach import BranchesError, Reach, Trail
from mcastplan.dataplane.flight import Flight, fly
from mcastplan.dataplane.walk import walk_plan
from mcastplan.evaluate.scheme import Context, Plans
from mcastplan.model.change import Transition
from mcastplan.model.plan import Flow, Key, ReplicationPlan, Steer
from mcastplan.model.topology import Arc, Graph, Node
from mcastplan.schemes.base import Igp, Scheme


class Watch:
    """One scheme's steady state, with every receiver's way: built once, asked for each failure."""

    def __init__(self, context: Context, scheme: Scheme, plans: Plans) -> None:
        self._context, self._scheme, self._plans = context, scheme, plans
        self._ways = [_Ways(context, plan) for _, plan in plans]
        self._trails: dict[tuple[int, str, Node], Trail] = {}  # by transfer, flow and receiver
        calm = LinkState(context.scenario, context.routes, ())
        for place, (demand, plan) in enumerate(plans):
            passed = _Passed(calm.graph, self._ways[place].above, Transition(demand, plan))
            forwarding = Forwarding(scheme, calm, plan, ())
            for flow in plan.flows:
                for pe in flow.receivers:
                    moving = Narrowed(forwarding, pe, passed.for_(pe))
                    starts, _, _ = moving.starts(flow, 0.0)
                    reach = Reach(moving, pe, self._ways[place].most_hops)
                    trail = reach.steady(starts[0]) if len(starts) == 1 else None
                    if trail is not None:
                        self._trails[place, flow.name, pe] = trail

    def outage(self, igp: Igp) -> tuple[float | None, float]:
        """(longest outage [s] of a receiving PE that gets packets again, None without any; sum
        over all of these). One PE counts once, whatever its clouds. Raises `InfeasibleError` where
        the scheme's transition is not modelled, even if no way of a packet is hit."""
        down = frozenset(igp.down)
        concerned = [ways.concerned(self._context, self._scheme, down) for ways in self._ways]
        scheme, plans = self._scheme, self._plans
        after = [demand_after(self._context, igp, each) for each, _ in plans]
        transitions = scheme.transition(igp, plans, after)
        if not any(concerned):
            return None, 0.0
        lasting: list[float] = []
        for place, transition in enumerate(transitions):
            plan = plans[place][1]
            forwarding = Forwarding(scheme, igp, plan, transition.updates)
            passed = _Passed(igp.graph, self._ways[place].above, transition)
            for flow in plan.flows:
                mine = sorted(concerned[place].intersection(flow.receivers))
                live = {pe: passed.for_(pe) for pe in mine}
                settled = _settled(forwarding, flow, live)
                for pe in mine:
                    moving = Narrowed(forwarding, pe, live[pe])
                    reach = Reach(moving, pe, self._ways[place].most_hops, settled)
                    trail = self._trails.get((place, flow.name, pe))
                    if trail:
                        reach.lay(trail, passed.forks(pe), forwarding.choices)
                    try:
                        lasting += reach.gaps(flow)
                    except BranchesError:
                        course = flights(moving, flow)
                        lasting += (gap.to_s - gap.from_s for gap in gaps(course, pe))
        ended = [seconds for seconds in lasting if seconds < math.inf]
        return max(ended, default=None), math.fsum(ended)


def _settled(
    forwarding: Forwarding, flow: Flow, live: Mapping[Node, Mapping[Key, frozenset[Node]]]
) -> Flight | None:
    """Where a new tree was switched to and nothing changes any more: one flight for all."""
    at_s = forwarding.last_imposed_s()
    if at_s == -math.inf or not live:
        return None
    together: dict[Key, frozenset[Node]] = {}
    for each in live.values():
        for key, nodes in each.items():
            together[key] = together.get(key, frozenset()) | nodes
    moving = Narrowed(forwarding, min(live), together)
    starts, until_s, cause = moving.starts(flow, at_s)
    flight = fly(moving, starts, at_s, until_s, cause, len(forwarding.graph.head))
    return flight if flight.until_s == math.inf else None


class _Ways:
    """Arcs of a steady plan, and the receiving PEs behind each."""

    def __init__(self, context: Context, plan: ReplicationPlan) -> None:
        self.above = above(context.routes.graph, plan)
        self.most_hops = 0
        self._everyone = frozenset(node for flow in plan.flows for node in flow.receivers)
        self._behind: dict[Arc, set[Node]] = {}
        graph = context.routes.graph
        for flow in plan.flows:
            walked = walk_plan(plan, context.routes, flow)
            self.most_hops = max(self.most_hops, len(walked.copies))
            into: dict[Node, list[Arc]] = {}
            for arc in walked.copies:
                into.setdefault(graph.head[arc], []).append(arc)
            for node in flow.receivers:
                for arc in _above(graph, into, node):
                    self._behind.setdefault(arc, set()).add(node)

    def concerned(self, context: Context, scheme: Scheme, down: frozenset[Arc]) -> frozenset[Node]:
        """Receivers whose way crosses an arc that fails. Removing other arcs changes no node's
        choice on their way, but where equal-cost paths are hashed, or a tree is changed in place.
        """
        hit = [self._behind[arc] for arc in down if arc in self._behind]
        if not hit:
            hashed = context.scenario.ecmp == "hash"
            return self._everyone if hashed else frozenset()
        in_place = (
            scheme.name == "sr-p2mp" and context.scenario.schemes.sr_p2mp.update == "in-place"
        )
        if in_place or context.scenario.ecmp == "hash":
            return self._everyone
        return frozenset().union(*hit)


def _above(graph: Graph, into: dict[Node, list[Arc]], node: Node) -> set[Arc]:
    """All arcs by which copies got to ``node``."""
    found: set[Arc] = set()
    todo = [node]
    while todo:
        for arc in into.get(todo.pop(), ()):
            if arc not in found:
                found.add(arc)
                todo.append(graph.tail[arc])
    return found


class _Passed:
    """Nodes that a copy for one receiver may pass by their entries: those above it before and
    after, and those that change what they hold for a key of before (a Join passed by)."""

    def __init__(self, graph: Graph, before: Above, transition: Transition) -> None:
        self._maps = before, above(graph, transition.after)
        old = before.keys_of
        self.changed = frozenset(
            update.node
            for update in transition.updates
            if update.entry is not None and update.entry[1] is not None and update.entry[0] in old
        )

    def forks(self, receiver: Node) -> set[Node]:
        """Nodes from which copies that concern the receiver go to several nodes at some time, or
        that change what they hold."""
        towards: dict[Node, Node] = {}
        found = set(self.changed)
        for each in self._maps:
            for child in self._up(each, receiver):
                for node in each.parents.get(child, ()):
                    if towards.setdefault(node, child) != child:
                        found.add(node)
        return found

    def for_(self, receiver: Node) -> dict[Key, frozenset[Node]]:
        """By key: a tree instance has its own nodes."""
        found: dict[Key, set[Node]] = {}
        for each in self._maps:
            for key in each.keys_of:
                found.setdefault(key, set()).update(self._up(each, receiver))
        return {key: frozenset(nodes) for key, nodes in found.items()}

    def _up(self, each: Above, receiver: Node) -> set[Node]:
        """The receiver, nodes that change, and all above them: a router that changes may join one
        that is on neither way of the receiver."""
        seen = {receiver, *self.changed}
        todo = list(seen)
        while todo:
            for node in each.parents.get(todo.pop(), ()):
                if node not in seen:
                    seen.add(node)
                    todo.append(node)
        return seen


class Above(msgspec.Struct, frozen=True):
    """Nodes whose entries lead to a node, by that node; the keys of all entries."""

    parents: dict[Node, list[Node]]
    keys_of: frozenset[Key]


def above(graph: Graph, plan: ReplicationPlan) -> Above:
    parents: dict[Node, list[Node]] = {}
    for (node, _), entry in plan.entries.items():
        for branch in entry.out:
            heads = branch.dests if isinstance(branch, Steer) else (graph.head[branch],)
            for head in heads:
                parents.setdefault(head, []).append(node)
    return Above(parents, frozenset(key for _, key in plan.entries))
