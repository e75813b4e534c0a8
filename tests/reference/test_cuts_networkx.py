"""Parts, bridges and cut nodes against networkx, on real graphs and small hand-made ones."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.model.topology import Link, NodeInfo, Topology
from mcastplan.scenario import to_networkx
from mcastplan.study.network import lint
from mcastplan.underlay.cuts import cuts
from tests.topohub_graphs import keys_by_size, stored

KEYS = keys_by_size()
SOME = [*KEYS[::10], "backbone/world"]  # 71 graphs of all groups and sizes, and the largest


def made(pairs: list[tuple[int, int]], count: int) -> Topology:
    links = tuple(
        Link(f"{number:03}", f"{a:02}", f"{b:02}", 1e9, 1e9, 0.001, 1, 1)
        for number, (a, b) in enumerate(pairs)
    )
    return Topology.make("made", tuple(NodeInfo(f"{n:02}") for n in range(count)), links)


def agree(topology: Topology) -> None:
    found = cuts(topology.graph)
    names = topology.graph.names
    graph: nx.MultiGraph[str] = nx.MultiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from((link.a, link.b, link.id) for link in topology.links)
    parts = {frozenset(names[node] for node in part) for part in found.parts}
    assert parts == {frozenset(part) for part in nx.connected_components(graph)}
    single = nx.Graph(graph)
    expected = {frozenset(pair) for pair in nx.bridges(single) if graph.number_of_edges(*pair) == 1}
    bridges = [topology.links[link] for link in found.bridges]
    assert {frozenset((link.a, link.b)) for link in bridges} == expected
    assert len(bridges) == len(expected)
    assert {names[node] for node in found.nodes} == set(nx.articulation_points(single))


@pytest.mark.parametrize("key", SOME)
def test_on_real_graphs(key: str) -> None:
    topology = stored(key).topology(hops=True)
    agree(topology)
    result = lint(topology)
    count = {finding.rule: finding.count for finding in result.findings}
    graph = nx.Graph(to_networkx(topology))
    assert result.connected == nx.is_connected(graph)
    assert count.get("bridge", 0) == sum(1 for _ in nx.bridges(graph))
    assert count.get("cut-node", 0) == len(set(nx.articulation_points(graph)))


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] != pair[1]),
        max_size=16,
    )
)
def test_on_any_multigraph(pairs: list[tuple[int, int]]) -> None:
    agree(made(pairs, 10))


def test_parallel_links_are_no_bridge() -> None:
    """0 = 1 - 2: the double link is none, the single one is; 1 is a cut node."""
    found = cuts(made([(0, 1), (0, 1), (1, 2)], 3).graph)
    assert (found.bridges, found.nodes) == ((2,), (1,))


def test_a_long_chain_needs_no_deep_stack() -> None:
    count = 50_000
    nodes = tuple(NodeInfo(f"{n:05}") for n in range(count))
    links = tuple(
        Link(f"{n:05}", f"{n:05}", f"{n + 1:05}", 1e9, 1e9, 0.0, 1, 1) for n in range(count - 1)
    )
    found = cuts(Topology.make("chain", nodes, links).graph)
    assert (len(found.bridges), len(found.nodes)) == (count - 1, count - 2)
