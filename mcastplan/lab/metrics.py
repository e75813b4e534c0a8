"""IGP metrics that real routers can hold, and with which no two paths are equally long.

An OSPF interface cost has 16 bits (RFC 2328 section A.4.2), and FRR installs all equal-cost next
hops, while the planner's ``ecmp: first`` picks one. So the scaled scenario gets metrics of its own:
every node's only shortest path to every other node is the one that the planner would pick. Costs
are set per interface, so both directions of a link may differ. Where the picks of one network are
not those of any set of metrics, some of them move to another path that was equally short.

Not done: ties after two or more links have failed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from mcastplan.errors import UsageError
from mcastplan.model.topology import Arc, Node, Topology
from mcastplan.underlay.routes import IgpRoutes

MAX_METRIC = 65_535  # RFC 2328 section A.4.2: 16 bits
# Room above the largest one: a tie is broken by making a path longer.
TOP_METRIC = 60_000
MAX_FACTOR = 1000
ROUNDS = 4000


class Metrics(msgspec.Struct, frozen=True):
    """``topology`` with the new metrics. ``notes`` say where its paths are not the planner's."""

    topology: Topology
    notes: tuple[str, ...]


def distinct_metrics(topology: Topology) -> Metrics:
    """The same network with metrics of at most 65,535 and no equal-cost paths.

    A node's next arc is the one of ``ecmp: first`` on the original metrics, or, where no metrics
    give all of those, another one that was equally good. Raises `UsageError` where 16 bits cannot
    hold the order of the paths.
    """
    picks = IgpRoutes(topology.graph)
    for allowed, said in ((_picked(picks), ()), (_equal(picks), (_moved(topology),))):
        metric = _spread(topology)
        if _settle(topology, metric, picks, allowed):
            result = with_metrics(topology, metric)
            calm = _without_ties_after_failures(result, picks, allowed)
            return Metrics(calm or result, (*said, *(() if calm else (_ties(topology),))))
    raise UsageError(
        f"topology {topology.name}: no metrics of at most {MAX_METRIC:,} (16 bits, OSPF) keep its"
        " shortest paths; give its links `metric: explicit` with smaller numbers"
    )


def with_metrics(topology: Topology, metric: list[int]) -> Topology:
    """The same network with these metrics, by arc."""
    links = tuple(
        msgspec.structs.replace(link, metric=metric[2 * n], metric_reverse=metric[2 * n + 1])
        for n, link in enumerate(topology.links)
    )
    return msgspec.structs.replace(topology, links=links)


Allowed = Callable[[Node, Node], list[Arc]]


def _picked(picks: IgpRoutes) -> Allowed:
    return lambda node, dest: picks.next_arcs(node, dest)[:1]


def _equal(picks: IgpRoutes) -> Allowed:
    return picks.next_arcs


def _moved(topology: Topology) -> str:
    return (
        f"topology {topology.name}: no metrics give all the paths that `ecmp: first` picks; some"
        " pairs of routers use another path that is equally short"
    )


def _ties(topology: Topology) -> str:
    return (
        f"topology {topology.name}: after some link failures routers have equal-cost paths, of"
        " which the lab's routers may use another one than the planner"
    )


def _spread(topology: Topology) -> list[int]:
    """The original metrics, scaled so that there is room between them, each link's its own."""
    graph, links = topology.graph, len(topology.links)
    largest = max(graph.metric, default=1)
    factor = min(MAX_FACTOR, TOP_METRIC / largest)
    if factor >= 1:
        factor = int(factor)  # keeps ties that another scale would turn into an order by rounding
    own = factor > 4 * links
    return [
        max(1, round(metric * factor)) + (arc >> 1 if own else 0)
        for arc, metric in enumerate(graph.metric)
    ]


def _settle(topology: Topology, metric: list[int], picks: IgpRoutes, allowed: Allowed) -> bool:
    """Change ``metric`` until every next arc is the only one and an allowed one; whether it is.

    A path that should win but does not gets shorter by one where it differs from the one that
    does, and that one longer: the perceptron's rule, which ends wherever a solution exists.
    """
    for _ in range(ROUNDS):
        wrong = _repeated(metric)
        for better, worse in _wrong(with_metrics(topology, metric), picks, allowed):
            wrong = True
            for arc in better - worse:
                metric[arc] = max(1, metric[arc] - 1)
            for arc in worse - better:
                metric[arc] += 1
        if max(metric, default=1) > MAX_METRIC:
            return False
        if not wrong:
            return True
    return False


def _repeated(metric: list[int]) -> bool:
    """Make a link longer that has a metric of an earlier one; whether there was any."""
    seen: set[int] = set()
    found = False
    for link in range(len(metric) // 2):
        both = {metric[2 * link], metric[2 * link + 1]}
        if both & seen:
            found = True
            metric[2 * link] += 1
            metric[2 * link + 1] += 1
        seen |= both
    return found


def _wrong(
    topology: Topology, picks: IgpRoutes, allowed: Allowed
) -> Iterator[tuple[set[Arc], set[Arc]]]:
    """(the path that should be the only shortest, one that is as short or shorter), arcs of."""
    routes = IgpRoutes(topology.graph)
    head, size = topology.graph.head, topology.graph.size
    for dest in range(size):
        for node in range(size):
            arcs, good = routes.next_arcs(node, dest), allowed(node, dest)
            bad = [arc for arc in arcs if arc not in good] or arcs[1:]
            if not bad:
                continue
            better = [arc for arc in arcs if arc in good] or good
            yield (
                {better[0], *_path(picks, head[better[0]], dest)},
                {bad[0], *_path(routes, head[bad[0]], dest)},
            )


def _path(routes: IgpRoutes, node: Node, dest: Node) -> tuple[Arc, ...]:
    return routes.path(node, dest) or ()


def _without_ties_after_failures(
    topology: Topology, picks: IgpRoutes, allowed: Allowed
) -> Topology | None:
    """Metrics without ties after the failure of any one link either; None where none were found."""
    metric = list(topology.graph.metric)
    for _ in range(ROUNDS // 10):
        tied = _tied_after(topology)
        if not tied:
            return topology
        for arc in tied:
            metric[arc] += 1
        if not _settle(topology, metric, picks, allowed):
            return None
        topology = with_metrics(topology, metric)
    return None


def _tied_after(topology: Topology) -> set[Arc]:
    """An arc to make longer for each router that has equal-cost next hops after one failure."""
    graph = topology.graph
    routes = IgpRoutes(graph)
    tied: set[Arc] = set()
    for link in range(len(topology.links)):
        rest = routes.without(frozenset((2 * link, 2 * link + 1)))
        for dest in range(graph.size):
            if not rest.moved(dest):
                continue
            for node in range(graph.size):
                arcs = rest.next_arcs(node, dest)
                if len(arcs) > 1:
                    tied.add(arcs[-1])
    return tied
