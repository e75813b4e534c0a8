"""Local protection: RFC 5286's inequalities and RFC 9855's Q-space, evaluated with networkx."""

from __future__ import annotations

import networkx as nx
from hypothesis import given, settings

from mcastplan.model.topology import Arc, Graph, Node, Topology
from mcastplan.underlay.protection import Protection, local_routes
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import link, network, topologies


def ring(*metrics: int) -> Topology:
    """Nodes a, b, c ... in a ring; the n-th metric is that of the link from the n-th node on."""
    names = "abcdefgh"[: len(metrics)]
    pairs = zip(names, names[1:] + names[0], metrics, strict=True)
    return network(*(link(one, other, w) for one, other, w in pairs))


def both(topology: Topology, one: str, other: str) -> frozenset[Arc]:
    """All arcs between two nodes."""
    graph = topology.graph
    ends = {graph.index[one], graph.index[other]}
    return frozenset(
        arc for arc in range(len(graph.tail)) if {graph.tail[arc], graph.head[arc]} == ends
    )


def spelled(graph: Graph, arcs: tuple[Arc, ...] | None) -> str:
    return (
        "".join([graph.names[graph.tail[arcs[0]]], *(graph.names[graph.head[a]] for a in arcs)])
        if arcs
        else ""
    )


def uncovered(
    routes: IgpRoutes, node: Node, down: frozenset[Arc], protection: Protection
) -> set[Node]:
    """What ``node`` had a route to, and has no next hop or tunnel for now."""
    local = local_routes(routes, node, down, protection)
    dests = range(routes.graph.size)
    return {d for d in dests if routes.next_arcs(node, d) and not local.way(node, d)}


def test_a_ring_of_four_has_an_alternate_for_none_but_the_far_end() -> None:
    """a - b - c - d - a, metric 1 each; a - b is down at a.

    Towards b: d is at 2 from b, which is 1 + 1 over a: no alternate (2 < 2 is false). Towards c:
    both ways cost 2, d is at 1 < 1 + 2: alternate d. Towards d nothing is lost.
    Tunnel for b: the path after convergence is a, d, c, b; d may go back over a, c (1 < 3) does
    not: the tunnel ends at c.
    """
    topology = ring(1, 1, 1, 1)
    graph, down = topology.graph, both(topology, "a", "b")
    a, b, c, d = range(4)
    routes = IgpRoutes(graph)
    assert uncovered(routes, a, down, "none") == {b, c}
    assert uncovered(routes, a, down, "lfa") == {b}
    assert uncovered(routes, a, down, "ti-lfa") == set()
    lfa, tunnel = (local_routes(routes, a, down, each) for each in ("lfa", "ti-lfa"))
    towards_c = lfa.next_arc(a, c)
    assert towards_c is not None
    assert graph.head[towards_c] == d
    assert tunnel.next_arc(a, c) == towards_c
    assert tunnel.detour(a, c) is None
    assert tunnel.next_arc(a, b) is None
    assert spelled(graph, tunnel.detour(a, b)) == "adc"
    assert spelled(graph, tunnel.path(a, b)) == "adcb"
    # Hashing has both ways to c installed, and keeps the one that is left.
    hashed = local_routes(IgpRoutes(graph, "hash"), a, down, "none")
    assert hashed.next_arcs(a, c) == [towards_c]
    assert hashed.next_arc(a, c, "any") == towards_c


def test_a_tunnel_ends_beyond_a_dear_link() -> None:
    """a - b - c - d - e - f - a with metric 1, but d - e 9; a - b is down at a, towards b.

    After convergence a, f, e, d, c, b. Node e would go back over f and a (1 + 1 + 1 < 9 + ...), d
    goes on over c: the tunnel is a, f, e, d.
    """
    topology = ring(1, 1, 1, 9, 1, 1)
    routes = IgpRoutes(topology.graph)
    local = local_routes(routes, 0, both(topology, "a", "b"), "ti-lfa")
    path = local.detour(0, 1)
    assert spelled(topology.graph, path) == "afed"


def test_the_node_protecting_alternate_is_taken_first() -> None:
    """s - e - d, and two other ways: s - m - e (m behind the far end) and s - n - d, dearer.

    For s towards d, e being next: m costs 1 + 2 and is loop-free (2 < 1 + 2), but goes over e. n
    costs 2 + 2, is loop-free too (2 < 2 + 2) and does not (2 < 4 + 1). As e may be dead, it is n;
    with a second link s - e still up, e is alive and the cheaper one is taken: e itself.
    """
    links = [link("s", "e", 1), link("e", "d", 1), link("s", "m", 1), link("m", "e", 1)]
    links += [link("s", "n", 2), link("n", "d", 2)]
    topology = network(*links)
    s, d = topology.graph.index["s"], topology.graph.index["d"]

    def taken(topology: Topology, down: frozenset[Arc]) -> str:
        arc = local_routes(IgpRoutes(topology.graph), s, down, "lfa").next_arc(s, d)
        return "" if arc is None else topology.graph.names[topology.graph.head[arc]]

    assert taken(topology, both(topology, "s", "e")) == "n"
    twin = network(*links, link("s", "e", 2, tag="#2"))
    first = frozenset(a for a in both(twin, "s", "e") if twin.graph.metric[a] == 1)
    assert taken(twin, first) == "e"


def distances(graph: Graph, gone: frozenset[Arc] = frozenset()) -> dict[Node, dict[Node, float]]:
    found: nx.MultiDiGraph[Node] = nx.MultiDiGraph()
    found.add_nodes_from(range(graph.size))
    for arc, (u, v, w) in enumerate(zip(graph.tail, graph.head, graph.metric, strict=True)):
        if arc not in gone:
            found.add_edge(u, v, arc, weight=w)
    return dict(nx.all_pairs_dijkstra_path_length(found))


@settings(max_examples=200)
@given(topologies(max_nodes=9))
def test_every_link_at_both_its_ends(topology: Topology) -> None:
    graph = topology.graph
    routes = IgpRoutes(graph)
    far = 1 << 40
    before = distances(graph)

    def dist(u: Node, v: Node) -> float:
        return before[u].get(v, far)

    for arc in range(len(graph.tail)):
        down, s, e = frozenset((arc, arc ^ 1)), graph.tail[arc], graph.head[arc]
        after = distances(graph, down)
        lfa = local_routes(routes, s, down, "lfa")
        tunnel = local_routes(routes, s, down, "ti-lfa")
        for d in range(graph.size):
            if routes.next_arc(s, d) != arc:
                assert lfa.next_arc(s, d) == tunnel.next_arc(s, d) == routes.next_arc(s, d)
                continue
            loop_free = {
                (n, w, a)
                for n, w, a in graph.out[s]
                if a != arc and dist(n, d) < dist(n, s) + dist(s, d)
            }
            protecting = {
                each for each in loop_free if dist(each[0], d) < dist(each[0], e) + dist(e, d)
            }
            if d == e or any(v == e and a != arc for v, _, a in graph.out[s]):
                protecting = set()
            pool = protecting or loop_free
            best = min(pool, key=lambda x: (x[1] + dist(x[0], d), x[0], x[2]), default=None)
            assert lfa.next_arc(s, d) == (None if best is None else best[2])
            assert bool(lfa.way(s, d)) == (best is not None)
            # The tunnel covers exactly what is still connected, and costs what the SPF will find.
            path = tunnel.path(s, d)
            assert bool(tunnel.way(s, d)) == (d in after[s])
            if path is None:
                assert d not in after[s]
                continue
            assert not down.intersection(path)
            head = tunnel.next_arc(s, d)
            way = tunnel.detour(s, d) or ((head,) if head is not None else ())
            assert (len(way) == 1) == (head is not None)
            assert sum(graph.metric[a] for a in way) + after[graph.head[way[-1]]][d] == after[s][d]
            # It ends at the first node with no equally short way over the link, either direction.
            in_q = [
                all(
                    dist(graph.head[a], graph.tail[x]) + graph.metric[x] + dist(graph.head[x], d)
                    > dist(graph.head[a], d)
                    for x in down
                )
                for a in way
            ]
            assert in_q == [False] * (len(way) - 1) + [True]
