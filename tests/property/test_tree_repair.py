"""Repaired multicast trees: always a tree, and never dearer than the two plain ways to repair one.

Both plain ways are written here on networkx, from their definitions.
"""

from __future__ import annotations

from random import Random

import networkx as nx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcastplan.model.topology import Arc, Graph, Node, Topology
from mcastplan.underlay.steiner import min_cost_tree, tree_cost
from mcastplan.underlay.tree_repair import repair_tree
from tests.networks import link, network, topologies


def check_tree(graph: Graph, root: Node, terminals: list[Node], arcs: list[Arc]) -> None:
    heads = [graph.head[arc] for arc in arcs]
    assert len(set(heads)) == len(heads), "a node is fed twice"
    left = {arc for entries in graph.out for _, _, arc in entries}
    assert left.issuperset(arcs), "an arc that is down"
    tree: nx.DiGraph[Node] = nx.DiGraph([(graph.tail[arc], graph.head[arc]) for arc in arcs])
    tree.add_node(root)
    assert nx.is_arborescence(tree)
    assert tree.in_degree(root) == 0
    assert set(terminals) <= set(tree)
    assert {v for v in tree if tree.out_degree(v) == 0} <= {*terminals, root}


def networkx_of(graph: Graph) -> nx.DiGraph[Node]:
    """The cheapest of parallel arcs between two nodes."""
    found: nx.DiGraph[Node] = nx.DiGraph()
    found.add_nodes_from(range(graph.size))
    for u, entries in enumerate(graph.out):
        for v, w, _ in entries:
            if not found.has_edge(u, v) or found[u][v]["weight"] > w:
                found.add_edge(u, v, weight=w)
    return found


def kept(graph: Graph, root: Node, terminals: list[Node], tree: list[Arc]) -> nx.DiGraph[Node]:
    """What the root still feeds of a tree, without branches that end in no terminal."""
    left = {arc for entries in graph.out for _, _, arc in entries}
    found: nx.DiGraph[Node] = nx.DiGraph()
    found.add_node(root)
    for arc in tree:
        if arc in left:
            found.add_edge(graph.tail[arc], graph.head[arc], weight=graph.metric[arc])
    found = nx.DiGraph(found.subgraph(nx.descendants(found, root) | {root}))
    while True:
        idle = [v for v in found if found.out_degree(v) == 0 and v not in (root, *terminals)]
        if not idle:
            return found
        found.remove_nodes_from(idle)


def regrown(graph: Graph, root: Node, terminals: list[Node], tree: list[Arc]) -> float:
    """Cost of what is kept, grown by the nearest terminal again and again."""
    start = kept(graph, root, terminals, tree)
    cost, inside, whole = start.size(weight="weight"), set(start), networkx_of(graph)
    missing = set(terminals) - inside
    while missing:
        length = nx.multi_source_dijkstra_path_length(whole, inside)
        nearest = min(missing, key=lambda node: (length[node], node))
        cost += length[nearest]
        inside.update(nx.multi_source_dijkstra(whole, inside, nearest)[1])
        missing -= inside
    return float(cost)


def scattered(topology: Topology, seed: int, *, symmetric: bool) -> Graph:
    """The same network with metrics so different that no two ways cost the same."""
    random = Random(f"metrics {seed}")
    links = []
    for each in topology.links:
        forward = random.randrange(1, 10**9)
        back = forward if symmetric else random.randrange(1, 10**9)
        links.append(link(each.a, each.b, forward, back, tag=each.id))
    return network(*links, extra=tuple(node.name for node in topology.nodes)).graph


@st.composite
def damaged(draw: st.DrawFn, links: int) -> tuple[Graph, Graph, Node, list[Node], list[Arc]]:
    """(network, what is left, root, terminals still reached, tree before) after ``links`` losses
    of both directions, most of them on the tree, now and then of one direction only."""
    topology = draw(topologies())
    graph = scattered(topology, draw(st.integers(0, 99)), symmetric=draw(st.booleans()))
    root = draw(st.integers(0, graph.size - 1))
    reached = sorted(nx.descendants(networkx_of(graph), root))
    assume(reached)
    terminals = draw(st.lists(st.sampled_from(reached), min_size=1, max_size=6, unique=True))
    tree = min_cost_tree(graph, root, terminals)
    lost = draw(st.lists(st.sampled_from(tree), min_size=1, max_size=links))
    both = draw(st.integers(0, 4))
    down = frozenset(arc ^ turn for arc in lost for turn in ((0, 1) if both else (0,)))
    left = graph.without(down)
    terminals = [t for t in terminals if t in nx.descendants(networkx_of(left), root)]
    return graph, left, root, terminals, tree


@settings(max_examples=400)
@given(damaged(links=4))
def test_a_tree_not_above_plain_regrowth(
    case: tuple[Graph, Graph, Node, list[Node], list[Arc]],
) -> None:
    _, left, root, terminals, tree = case
    repaired = repair_tree(left, root, terminals, tree)
    check_tree(left, root, terminals, repaired)
    assert tree_cost(left, repaired) <= regrown(left, root, terminals, tree)


@settings(max_examples=400)
@given(damaged(links=1))
def test_not_above_the_cheapest_way_to_feed_the_subtree(
    case: tuple[Graph, Graph, Node, list[Node], list[Arc]],
) -> None:
    """One link lost, so one subtree is detached. Turned so that it hangs from node x, it is fed at
    x by the shortest path from what is kept: the least over all x is not below the repair."""
    _, left, root, terminals, tree = case
    start = kept(left, root, terminals, tree)
    cut = [t for t in terminals if t not in start]
    assume(cut)
    up = {arc for entries in left.out for _, _, arc in entries}
    whole: nx.Graph[Node] = nx.Graph()
    whole.add_nodes_from(cut)
    whole.add_edges_from(
        (left.tail[arc], left.head[arc], {"arc": arc}) for arc in tree if arc in up
    )
    part = nx.node_connected_component(whole, cut[0])
    assert part.issuperset(cut)
    below = whole.subgraph(part)
    length = nx.multi_source_dijkstra_path_length(networkx_of(left), set(start))
    best = float("inf")
    for entry in part & length.keys():
        cost: float = length[entry]
        for u, v in nx.bfs_edges(below, entry):
            arc = below[u][v]["arc"]
            turned = arc if left.tail[arc] == u else arc ^ 1
            cost += left.metric[turned] if turned in up else float("inf")
        best = min(best, cost)
    repaired = repair_tree(left, root, terminals, tree)
    assert tree_cost(left, repaired) - start.size(weight="weight") <= best


def test_a_subtree_comes_back_whole_at_its_far_end() -> None:
    r"""r - a (1), a - b - c - d in a row of 1 each, d - r over 5; receivers b, c, d.

    Without r - a the row is fed at d: 5, then d - c - b for 2, and a is no longer needed.
    """
    topology = network(
        link("r", "a", 1),
        link("a", "b", 1),
        link("b", "c", 1),
        link("c", "d", 1),
        link("r", "d", 5),
    )
    graph = topology.graph
    node = graph.index
    tree = min_cost_tree(graph, node["r"], [node["b"], node["c"], node["d"]])
    assert tree_cost(graph, tree) == 4
    place = next(number for number, each in enumerate(topology.links) if each.id == "a--r")
    left = graph.without(frozenset((2 * place, 2 * place + 1)))
    repaired = repair_tree(left, node["r"], [node["b"], node["c"], node["d"]], tree)
    assert [(left.names[left.tail[arc]], left.names[left.head[arc]]) for arc in repaired] == [
        ("c", "b"),
        ("d", "c"),
        ("r", "d"),
    ]


def test_a_long_stem_is_not_kept() -> None:
    r"""r - m (1), m - x over 9 and m - y over 9, and x, y each at 10 from r: receivers x and y.

    The tree costs 19. Without r - m the old subtree would cost 10 + 9 + 9; each on its own is 20.
    """
    topology = network(
        link("r", "m", 1),
        link("m", "x", 9),
        link("m", "y", 9),
        link("r", "x", 10),
        link("r", "y", 10),
    )
    graph = topology.graph
    r, x, y = (graph.index[name] for name in "rxy")
    arc = {topology.arc_name(arc): arc for arc in range(10)}
    tree = [arc["r->m"], arc["m->x"], arc["m->y"]]
    left = graph.without(frozenset((arc["r->m"], arc["m->r"])))
    repaired = repair_tree(left, r, [x, y], tree)
    assert tree_cost(left, repaired) == 20


def test_nothing_lost_nothing_left_and_unreached() -> None:
    """a - b - c: a whole tree stays as it is, less the branch of a receiver that is gone."""
    graph = network(link("a", "b"), link("b", "c")).graph
    assert repair_tree(graph, 0, [1, 2], [0, 2]) == [0, 2]
    assert repair_tree(graph, 0, [1], [0, 2]) == [0]
    assert repair_tree(graph, 0, [], [0, 2]) == []
    assert sorted(repair_tree(graph, 0, [0, 2, 2], [])) == [0, 2]
    with pytest.raises(ValueError, match="c cannot be reached from a"):
        repair_tree(graph.without(frozenset((2, 3))), 0, [1, 2], [0, 2])
