"""What every scheme is to the rest of the program, and the few things they share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Protocol

import msgspec

from mcastplan.dataplane.fold import Load, fold
from mcastplan.dataplane.walk import walk_plan
from mcastplan.model.campaign import ReceiverChange
from mcastplan.model.change import Heard, Transition, Update
from mcastplan.model.plan import Demand, Flow, Key, ReplicationPlan, Section, Table
from mcastplan.model.scenario import Scenario
from mcastplan.model.timers import Timers
from mcastplan.model.topology import Arc, Graph, Node
from mcastplan.model.transfer import Transfer
from mcastplan.underlay.routes import IgpRoutes, choose


class Phase(msgspec.Struct, frozen=True):
    """One phase of forwarding before the steady one, as a plan of its own."""

    name: str
    meaning: str
    plan: ReplicationPlan


class Igp(Protocol):
    """The link-state IGP through one episode of failures and repairs. Times in scenario time [s].

    ``before`` and ``after`` are the routes before the first event and after the last one.
    ``down[arc]``: when an arc is physically down, as (from, to) with infinity for never repaired.
    """

    @property
    def graph(self) -> Graph: ...

    @property
    def timers(self) -> Timers: ...

    @property
    def before(self) -> IgpRoutes: ...

    @property
    def after(self) -> IgpRoutes: ...

    @property
    def down(self) -> Mapping[Arc, Sequence[tuple[float, float]]]: ...

    def flips(self, node: Node) -> Sequence[Update]:
        """By what routes the node's FIB forwards, in time order, after the first event. Those with
        ``cause.stage == "fib"`` come from an SPF; the others are local: the interface is taken out
        (stage ``detection``), or a backup put in place (``protect``)."""

    def heard(self, node: Node) -> Sequence[Heard]:
        """The node's link-state database over time."""

    def own(self, node: Node) -> Sequence[Heard]:
        """Interfaces that the node itself has taken out of use, over time."""

    def rewritten(self, node: Node, before: IgpRoutes, after: IgpRoutes) -> int:
        """Routes of the node, towards PEs with a cloud or origin, that differ in next hop or
        metric: what it writes when it goes from one to the other."""

    def changing(self) -> Sequence[Node]:
        """Nodes whose route to some PE with a cloud or origin changes at some time, or that lose
        an interface; sorted. Others never flip to anything different."""

    def up(self, arc: Arc, from_s: float, to_s: float) -> bool:
        """Whether the arc is physically up all that time."""

    def alive(self, node: Node, at_s: float) -> bool:
        """False while the node itself has failed."""

    def node_down(self, node: Node) -> Sequence[tuple[float, float]]:
        """When the node itself is down, as (from, to)."""


class Scheme(Protocol):
    """One way to replicate. Built once for a scenario; its numbering survives failures.

    The constructor and `install` raise `InfeasibleError` where a limit of the scheme is met.
    """

    name: ClassVar[str]

    def __init__(self, scenario: Scenario, routes: IgpRoutes) -> None: ...

    def install(self, routes: IgpRoutes, demand: Demand) -> ReplicationPlan:
        """The steady state for one transfer."""

    def phases(self, routes: IgpRoutes, demand: Demand) -> tuple[Phase, ...]:
        """Every phase in order; the last one is `install`'s plan."""

    def state(
        self, routes: IgpRoutes, plans: Sequence[tuple[Demand, ReplicationPlan]]
    ) -> Mapping[Node, int]:
        """Forwarding entries per node, all transfers together; nodes without any are left out."""

    def table(
        self, routes: IgpRoutes, plans: Sequence[tuple[Demand, ReplicationPlan]], node: Node
    ) -> Table:
        """What ``node`` holds."""

    def setup(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> dict[str, float]:
        """Named terms [s] of the set-up for a new receiver set."""

    def change(
        self,
        routes: IgpRoutes,
        before: tuple[Demand, ReplicationPlan],
        after: tuple[Demand, ReplicationPlan],
    ) -> ReceiverChange:
        """What it does when a push to the receivers of ``after`` follows one to those of ``before``
        (None at all: as for a new set). Times are waited for, messages and writes are counted."""

    def imposed(self, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        """What the ingress puts on a packet of this transfer, a line each."""

    def notes(self, routes: IgpRoutes, demand: Demand, plan: ReplicationPlan) -> tuple[str, ...]:
        """Sentences about this plan that a reader should know."""

    def forwarding(self, igp: Igp, node: Node) -> Sequence[Update]:
        """By what routes the node forwards this scheme's packets, over time."""

    def transition(
        self, igp: Igp, plans: Sequence[tuple[Demand, ReplicationPlan]], after: Sequence[Demand]
    ) -> Sequence[Transition]:
        """What the scheme does from the steady state ``plans`` on ``igp.before``, a transition for
        each transfer; ``after`` are their demands on ``igp.after``."""


class FollowsIgp:
    """A scheme without state of its own on the way: its packets go by the FIB as it is then."""

    def install(self, routes: IgpRoutes, demand: Demand) -> ReplicationPlan:
        raise NotImplementedError

    def forwarding(self, igp: Igp, node: Node) -> Sequence[Update]:
        return igp.flips(node)

    def transition(
        self, igp: Igp, plans: Sequence[tuple[Demand, ReplicationPlan]], after: Sequence[Demand]
    ) -> Sequence[Transition]:
        return [Transition(each, self.install(igp.after, each)) for each in after]


def demand(scenario: Scenario, routes: IgpRoutes, transfer: Transfer) -> Demand:
    """The transfer as the network sees it; receivers without a path are named, not planned."""
    index = scenario.topology.graph.index
    origin = index[transfer.origin]
    routes.parents(origin)  # most paths asked for start here
    dist = routes.dist_from(origin)
    clouds, unreachable = [], []
    for name in transfer.clouds:
        cloud = scenario.cloud[name]
        node = index[cloud.node]
        if dist[node] < 0:
            unreachable.append(name)
        else:
            clouds.append((name, node, cloud.replicas))
    pes = tuple(sorted({node for _, node, _ in clouds}))
    return Demand(
        transfer.name, origin, transfer.size_bytes, tuple(clouds), pes, tuple(unreachable)
    )


def one_flow(demand: Demand, keys: Iterable[Key]) -> tuple[Flow, ...]:
    """The single flow of a push that reaches every receiver at one rate; none without receivers."""
    if not demand.pes:
        return ()
    clouds = tuple(name for name, _, _ in demand.clouds)
    return (Flow(demand.transfer, tuple(keys), clouds, demand.pes, demand.size_bytes),)


def loads(plan: ReplicationPlan, routes: IgpRoutes) -> list[Load]:
    """Per flow: copies of one packet and their header bytes on each core arc.

    Under ``ecmp: first`` the plan is folded; under ``hash`` copies are what the walk finds.
    """
    if routes.ecmp == "first":
        return fold(plan, routes)
    return [walk_plan(plan, routes, flow).load() for flow in plan.flows]


def toward(
    routes: IgpRoutes, dest: Node, nodes: Iterable[Node], key: Key = None
) -> dict[Node, tuple[int, float]]:
    """(hops, propagation delay [s]) of each node's own path to ``dest``, and of all on the way."""
    graph = routes.graph
    known: dict[Node, tuple[int, float]] = {dest: (0, 0.0)}
    for start in nodes:
        way: list[Arc] = []
        node = start
        while node not in known:
            arc = routes.next_arc(node, dest, key)
            if arc is None:
                break
            way.append(arc)
            node = graph.head[arc]
        else:
            hops, delay = known[node]
            for arc in reversed(way):
                hops, delay = hops + 1, delay + graph.delay_s[arc]
                known[graph.tail[arc]] = hops, delay
    return known


def onward_s(
    routes: IgpRoutes, source: Node, nodes: Iterable[Node], key: Key = None
) -> dict[Node, float]:
    """Propagation delay [s] from ``source`` to each node that it reaches: the other way of an
    asymmetric pair may differ (`toward`)."""
    delay_s = routes.graph.delay_s
    ways = {node: routes.path(source, node, key) for node in nodes}
    return {
        node: math.fsum(delay_s[arc] for arc in way)
        for node, way in ways.items()
        if way is not None
    }


def farthest_s(routes: IgpRoutes, demand: Demand) -> float:
    """Propagation [s] from the receiving PE that is farthest from the origin's PE."""
    known = toward(routes, demand.origin, demand.pes)
    return max((known[pe][1] for pe in demand.pes), default=0.0)


def overlay_terms(timers: Timers, routes: IgpRoutes, demand: Demand) -> dict[str, float]:
    """Set-up where each egress signals the ingress and one write there ends it [s]."""
    return {
        "announce": timers.announce_s,
        "signal": timers.signal_s + farthest_s(routes, demand),
        "write": timers.write_s,
    }


class Fib:
    """Unicast routes of one node towards the addresses a scheme's packets carry."""

    def __init__(self, routes: IgpRoutes, node: Node, dests: Iterable[Node]) -> None:
        self._graph = routes.graph
        self.next_arcs: dict[Node, tuple[Arc, ...]] = {}
        for dest in sorted(set(dests) - {node}):
            arcs = routes.next_arcs(node, dest)
            if arcs:
                self.next_arcs[dest] = tuple(arcs if routes.ecmp == "hash" else arcs[:1])

    def next_arc(self, dest: Node, key: Key) -> Arc | None:
        arcs = self.next_arcs.get(dest)
        return choose(self._graph, arcs, key) if arcs else None

    def section(self, title: str, address: Mapping[Node, str] | None = None) -> Section:
        names, head = self._graph.names, self._graph.head
        rows = tuple(
            (
                address[dest] if address else names[dest],
                ", ".join(names[head[arc]] for arc in arcs),
            )
            for dest, arcs in self.next_arcs.items()
        )
        return Section(title, ("prefix", "next hop"), rows)
