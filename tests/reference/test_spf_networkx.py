"""Distances, equal-cost next hops and first paths against networkx and plain enumeration."""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx
import pytest
from hypothesis import given

from mcastplan.model.topology import Arc, Graph, Node, Topology
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import topologies
from tests.topohub_graphs import keys_by_size, stored

GRAPHS = 80  # spread over all sizes up to 500 nodes
KEYS = keys_by_size()[: -len(keys_by_size()) // 20]
CHOSEN = KEYS[:: len(KEYS) // GRAPHS]


def networkx_of(graph: Graph) -> nx.MultiDiGraph:
    result = nx.MultiDiGraph()
    result.add_nodes_from(range(graph.size))
    for arc, (u, v, w) in enumerate(zip(graph.tail, graph.head, graph.metric, strict=True)):
        result.add_edge(u, v, arc, weight=w)
    return result


def check_node(graph: Graph, reference: nx.MultiDiGraph, dest: Node) -> None:
    """Distances from and to one node; every other node's equal-cost arcs towards it."""
    routes = IgpRoutes(graph)
    ahead = nx.single_source_dijkstra_path_length(reference, dest)
    assert routes.dist_from(dest) == [ahead.get(node, -1) for node in range(graph.size)]
    # Shortest paths to dest are those from it over reversed arcs, and networkx's predecessors
    # there are the next hops here.
    before, towards = nx.dijkstra_predecessor_and_distance(reference.reverse(copy=False), dest)
    assert routes.dist_to(dest) == [towards.get(node, -1) for node in range(graph.size)]
    for node in range(graph.size):
        arcs = routes.next_arcs(node, dest)
        assert {graph.head[arc] for arc in arcs} == set(before.get(node, ()))
        # Of parallel links, all that are as cheap as the cheapest and no other.
        assert set(arcs) == {
            arc for hop in before.get(node, ()) for arc in cheapest(reference, node, hop)
        }
        assert arcs == sorted(arcs, key=lambda arc: (graph.head[arc], arc))
        assert routes.next_arc(node, dest) == (arcs[0] if arcs else None)


def cheapest(reference: nx.MultiDiGraph, u: Node, v: Node) -> set[Arc]:
    metric = {arc: data["weight"] for arc, data in reference[u][v].items()}
    return {arc for arc, each in metric.items() if each == min(metric.values())}


def all_paths(graph: Graph, source: Node, dest: Node) -> Iterator[tuple[int, tuple[Arc, ...]]]:
    """(length, arcs) of every path without a repeated node: no shortest-path idea in it."""

    def grow(
        node: Node, seen: frozenset[Node], length: int, arcs: tuple[Arc, ...]
    ) -> Iterator[tuple[int, tuple[Arc, ...]]]:
        if node == dest:
            yield length, arcs
            return
        for v, w, arc in graph.out[node]:
            if v not in seen:
                yield from grow(v, seen | {v}, length + w, (*arcs, arc))

    yield from grow(source, frozenset((source,)), 0, ())


@given(topologies())
def test_distances_and_next_hops_on_random_networks(topology: Topology) -> None:
    reference = networkx_of(topology.graph)
    for dest in range(topology.graph.size):
        check_node(topology.graph, reference, dest)


@given(topologies(max_nodes=6))
def test_a_first_path_is_the_smallest_of_all_shortest_paths(topology: Topology) -> None:
    """Smallest as a sequence of neighbour names, then of link ids: whether it is asked for alone,
    read off the tree of its source, or off the tree of a node before it."""
    graph = topology.graph
    alone, from_tree, from_others = (IgpRoutes(graph) for _ in range(3))
    for root in range(graph.size):
        from_tree.parents(root)
    for source in range(graph.size):
        for dest in range(graph.size):
            best = min(
                all_paths(graph, source, dest),
                key=lambda path: (path[0], [(graph.head[arc], arc) for arc in path[1]]),
                default=None,
            )
            arcs = None if best is None else best[1]
            assert alone.path(source, dest) == arcs
            assert from_tree.path(source, dest) == arcs
            if source:
                from_others.parents(0)
                assert from_others.path(source, dest) == arcs
            if best is not None:
                assert alone.dist_from(source)[dest] == best[0]
                assert alone.dist_to(dest)[source] == best[0]


@given(topologies(max_nodes=8))
def test_each_node_forwarding_by_its_own_choice_walks_the_first_path(topology: Topology) -> None:
    graph = topology.graph
    routes = IgpRoutes(graph)
    for source in range(graph.size):
        for dest in range(graph.size):
            walked, node = [], source
            while node != dest and (arc := routes.next_arc(node, dest)) is not None:
                walked.append(arc)
                node = graph.head[arc]
            path = routes.path(source, dest)
            assert path == (tuple(walked) if node == dest else None)
            reached = [dest] if node == dest else []
            assert sorted(routes.union(source, reached)) == sorted(path or ())


@given(topologies())
def test_hashed_choices_are_equal_cost_and_repeat(topology: Topology) -> None:
    graph = topology.graph
    one, other = IgpRoutes(graph, "hash"), IgpRoutes(graph, "hash")
    for dest in range(graph.size):
        for node in range(graph.size):
            for key in ("a", ("b", 1)):
                arc = one.next_arc(node, dest, key)
                arcs = one.next_arcs(node, dest)
                assert (arc in arcs) if arcs else arc is None
                assert other.next_arc(node, dest, key) == arc


@pytest.mark.parametrize("hops", [False, True], ids=["delay", "hops"])
@pytest.mark.parametrize("part", range(4))
def test_real_networks(part: int, hops: bool) -> None:
    assert len(CHOSEN) >= 50
    for key in CHOSEN[part::4]:
        graph = stored(key).topology(hops=hops).graph
        reference = networkx_of(graph)
        for dest in range(0, graph.size, 1 + graph.size // 8):
            check_node(graph, reference, dest)


@pytest.mark.parametrize("key", ["backbone/world"])
def test_the_largest_network(key: str) -> None:
    graph = stored(key).topology(hops=False).graph
    reference = networkx_of(graph)
    for dest in (0, graph.size // 2):
        check_node(graph, reference, dest)
