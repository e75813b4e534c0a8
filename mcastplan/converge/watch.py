"""How long receivers go without packets after one failure, without the rest of its timeline.

What a sweep asks of every failure: only receivers that it can concern are followed, over only the
nodes that their copies can meet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from mcastplan.converge.episode import demand_after
from mcastplan.converge.moving import Forwarding, Watched
from mcastplan.converge.outages import flights, gaps
from mcastplan.dataplane.walk import walk_plan
from mcastplan.evaluate.scheme import Context, Installed
from mcastplan.model.change import Update
from mcastplan.model.plan import Flow, ReplicationPlan, Steer
from mcastplan.model.topology import Arc, Graph, Node
from mcastplan.schemes.base import Igp


class Watch:
    """One scheme's steady state, with every receiver's way: built once, asked for each failure."""

    def __init__(self, context: Context, installed: Installed) -> None:
        self._context, self._installed = context, installed
        self._ways = [_Ways(context, plan) for _, plan in installed.plans]

    def outage(self, igp: Igp) -> tuple[float | None, float]:
        """(longest outage [s] of a receiving PE that gets packets again, None without any; sum
        over all of these). One PE counts once, whatever its clouds."""
        down = frozenset(igp.down)
        concerned = [ways.concerned(self._context, self._installed, down) for ways in self._ways]
        if not any(concerned):
            return None, 0.0
        scheme, plans = self._installed.scheme, self._installed.plans
        after = [demand_after(self._context, igp.after, each) for each, _ in plans]
        lasting: list[float] = []
        transitions = scheme.transition(igp, plans, after)
        for (_, plan), transition, receivers in zip(plans, transitions, concerned, strict=True):
            live = _live(igp.graph, (plan, transition.after), transition.updates, receivers)
            watched = Watched(receivers, live)
            forwarding = Forwarding(scheme, igp, plan, transition.updates, watched)
            for flow in plan.flows:
                mine = receivers.intersection(flow.receivers)
                if mine:
                    lasting += _lasting(forwarding, flow, sorted(mine))
        ended = [seconds for seconds in lasting if seconds < math.inf]
        return max(ended, default=None), math.fsum(ended)


def _lasting(forwarding: Forwarding, flow: Flow, receivers: Sequence[Node]) -> list[float]:
    course = flights(forwarding, flow)
    return [gap.to_s - gap.from_s for node in receivers for gap in gaps(course, node)]


class _Ways:
    """Arcs of a steady plan, and the receiving PEs behind each."""

    def __init__(self, context: Context, plan: ReplicationPlan) -> None:
        self._everyone = frozenset(node for flow in plan.flows for node in flow.receivers)
        self._behind: dict[Arc, set[Node]] = {}
        graph = context.routes.graph
        for flow in plan.flows:
            walked = walk_plan(plan, context.routes, flow)
            into: dict[Node, list[Arc]] = {}
            for arc in walked.copies:
                into.setdefault(graph.head[arc], []).append(arc)
            for node in flow.receivers:
                for arc in _above(graph, into, node):
                    self._behind.setdefault(arc, set()).add(node)

    def concerned(
        self, context: Context, installed: Installed, down: frozenset[Arc]
    ) -> frozenset[Node]:
        """Receivers whose way crosses an arc that fails. Removing other arcs changes no node's
        choice on their way, but where equal-cost paths are hashed, or a tree is changed in place.
        """
        hit = [self._behind[arc] for arc in down if arc in self._behind]
        if not hit:
            hashed = context.scenario.ecmp == "hash"
            return self._everyone if hashed else frozenset()
        in_place = (
            installed.scheme.name == "sr-p2mp"
            and context.scenario.schemes.sr_p2mp.update == "in-place"
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


def _live(
    graph: Graph,
    plans: Iterable[ReplicationPlan],
    updates: Iterable[Update],
    receivers: Iterable[Node],
) -> frozenset[Node]:
    """Nodes whose entries lead to a receiver before or after, and all whose entries change."""
    live = {update.node for update in updates}
    receivers = list(receivers)
    for plan in plans:
        parent: dict[Node, list[Node]] = {}
        for (node, _), entry in plan.entries.items():
            for branch in entry.out:
                heads = branch.dests if isinstance(branch, Steer) else (graph.head[branch],)
                for head in heads:
                    parent.setdefault(head, []).append(node)
        todo, seen = list(receivers), set(receivers)
        while todo:
            for node in parent.get(todo.pop(), ()):
                if node not in seen:
                    seen.add(node)
                    todo.append(node)
        live |= seen
    return frozenset(live)
