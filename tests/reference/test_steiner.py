"""Steiner trees and their lower bound, against brute force and against networkx's mehlhorn."""

import itertools
import math
from random import Random

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.model.topology import Arc, Graph, Link, Node, NodeInfo, Topology
from mcastplan.underlay.steiner import ascend, dual_ascent, min_cost_tree, tree_cost


def graph_of(size: int, links: list[tuple[int, int, int, int]]) -> Graph:
    """Links are (a, b, metric, metric back); parallel ones are allowed."""
    return Topology.make(
        "test",
        tuple(NodeInfo(f"n{u:04d}") for u in range(size)),
        tuple(
            Link(f"l{i:05d}", f"n{a:04d}", f"n{b:04d}", 1e9, 1e9, 0.0, w, back)
            for i, (a, b, w, back) in enumerate(links)
        ),
    ).graph


def optimum(graph: Graph, root: Node, terminals: list[Node]) -> int:
    """Let every node choose the arc it is fed by, in all ways; keep what the terminals use."""
    nodes = [v for v in range(graph.size) if v != root]
    best = sum(graph.metric) + 1
    for choice in itertools.product(*([arc for _, _, arc in graph.into[v]] for v in nodes)):
        parent = dict(zip(nodes, choice, strict=True))
        used: set[Arc] = set()
        for v in terminals:
            at = v
            for _ in nodes:
                if at == root:
                    break
                used.add(parent[at])
                at = graph.tail[parent[at]]
            if at != root:
                break
        else:
            best = min(best, tree_cost(graph, used))
    return best


def check_tree(graph: Graph, root: Node, terminals: list[Node], arcs: list[Arc]) -> None:
    heads = [graph.head[arc] for arc in arcs]
    assert len(set(heads)) == len(heads), "a node is fed twice"
    assert root not in heads
    tree = nx.DiGraph([(graph.tail[arc], graph.head[arc]) for arc in arcs])
    tree.add_node(root)
    assert nx.is_arborescence(tree)
    assert set(terminals) <= set(tree)
    assert {v for v in tree if tree.out_degree(v) == 0} <= {*terminals, root}


@st.composite
def cases(draw: st.DrawFn, symmetric: bool) -> tuple[Graph, Node, list[Node]]:
    size = draw(st.integers(2, 8))
    metric = st.integers(1, 9)
    ends = [
        (draw(st.integers(0, v - 1)), v) for v in range(1, size)
    ]  # a spanning tree, so connected
    extra = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))
    ends += [pair for pair in draw(st.lists(extra, max_size=5)) if pair[0] != pair[1]]
    links = []
    for a, b in ends:
        w = draw(metric)
        links.append((a, b, w, w if symmetric else draw(metric)))
    root = draw(st.integers(0, size - 1))
    terminals = draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=size))
    return graph_of(size, links), root, terminals


@settings(max_examples=120)
@given(st.booleans().flatmap(cases))
def test_bound_optimum_tree(case: tuple[Graph, Node, list[Node]]) -> None:
    graph, root, terminals = case
    bound, left = ascend(graph, root, terminals)
    best = optimum(graph, root, terminals)
    for residual in (None, left):
        arcs = min_cost_tree(graph, root, terminals, residual)
        check_tree(graph, root, terminals, arcs)
        assert bound <= best <= tree_cost(graph, arcs)
        if graph.symmetric:
            # Takahashi and Matsuyama: at most 2 - 2/k times the optimum for k ends.
            assert tree_cost(graph, arcs) <= 2 * best
    assert all(0 <= rest <= metric for rest, metric in zip(left, graph.metric, strict=True))


def test_one_terminal_is_a_shortest_path_and_the_bound_is_exact() -> None:
    r"""Square 0-1-3 (2 + 2) and 0-2-3 (1 + 4): the path over 1 costs 4, and cuts of 4 prove it."""
    graph = graph_of(4, [(0, 1, 2, 2), (1, 3, 2, 2), (0, 2, 1, 1), (2, 3, 4, 4)])
    assert tree_cost(graph, min_cost_tree(graph, 0, [3])) == 4
    assert dual_ascent(graph, 0, [3]) == 4


def test_star_with_a_steiner_node() -> None:
    r"""Three terminals of a triangle with sides 3, and a hub at 2 from each.

    Without the hub a tree from 0 costs 3 + 3 = 6, through it 2 + 2 + 2 = 6; with spokes of 1 the
    hub is worth it: 3.
    """
    triangle = [(0, 1, 3, 3), (1, 2, 3, 3), (0, 2, 3, 3)]
    graph = graph_of(4, [*triangle, *((i, 3, 1, 1) for i in range(3))])
    arcs = min_cost_tree(graph, 0, [0, 1, 2])
    assert tree_cost(graph, arcs) == 3
    assert sorted(graph.head[arc] for arc in arcs) == [1, 2, 3]


def test_direction_matters() -> None:
    """0 -> 1 costs 1 and back 50: from 0 the tree takes it, from 1 it goes round over 2 (5 + 5)."""
    graph = graph_of(3, [(0, 1, 1, 50), (1, 2, 5, 5), (2, 0, 5, 5)])
    assert tree_cost(graph, min_cost_tree(graph, 0, [1])) == 1
    assert tree_cost(graph, min_cost_tree(graph, 1, [0])) == dual_ascent(graph, 1, [0]) == 10


def test_directed_exchange_moves_a_node_below_a_cheaper_neighbour() -> None:
    """0 -> 1 (4), 0 -> 2 (5), 2 -> 1 (1): 1 is nearest and is joined from 0, for 9 in all.

    Once 2 is in the tree, 1 is fed from it for 1 instead of 4: 6.
    """
    graph = graph_of(3, [(0, 1, 4, 9), (0, 2, 5, 9), (2, 1, 1, 9)])
    assert tree_cost(graph, min_cost_tree(graph, 0, [1, 2])) == 6


def test_root_alone_repeats_and_unreached() -> None:
    graph = graph_of(3, [(0, 1, 1, 1)])
    assert min_cost_tree(graph, 0, []) == min_cost_tree(graph, 0, [0]) == []
    assert dual_ascent(graph, 0, [0]) == 0
    assert min_cost_tree(graph, 0, [1, 1, 0]) == [0]
    with pytest.raises(ValueError, match="n0002 cannot be reached from n0000"):
        min_cost_tree(graph, 0, [1, 2])
    with pytest.raises(ValueError, match="n0002 cannot be reached from n0000"):
        dual_ascent(graph, 0, [1, 2])


def geometric(size: int, seed: int) -> Graph:
    """Random points, each pair nearer than a radius joined; largest component only."""
    raw = nx.random_geometric_graph(size, 1.5 / math.sqrt(size), seed=seed)
    keep = {u: i for i, u in enumerate(sorted(max(nx.connected_components(raw), key=len)))}
    position = raw.nodes(data="pos")
    links = []
    for u, v in sorted(raw.edges):
        if u in keep:
            w = max(1, round(5000 * math.dist(position[u], position[v])))
            links.append((keep[u], keep[v], w, w))
    return graph_of(len(keep), links)


def test_not_costlier_than_mehlhorn_and_a_small_gap() -> None:
    ratios, gaps = [], []
    for seed in range(30):
        graph = geometric(200, seed)
        chosen = Random(seed).sample(range(graph.size), 20)
        root, terminals = chosen[0], chosen[1:]
        arcs = min_cost_tree(graph, root, terminals)
        check_tree(graph, root, terminals, arcs)
        bound = dual_ascent(graph, root, terminals)
        reference = nx.Graph()
        for arc in range(0, len(graph.tail), 2):
            reference.add_edge(graph.tail[arc], graph.head[arc], weight=graph.metric[arc])
        other = nx.approximation.steiner_tree(reference, chosen, method="mehlhorn")
        ratios.append(tree_cost(graph, arcs) / other.size(weight="weight"))
        gaps.append(tree_cost(graph, arcs) / bound - 1)
    assert sum(ratios) / len(ratios) <= 1
    assert sum(gaps) / len(gaps) <= 0.05
