"""networkx graphs in and out."""

from __future__ import annotations

from typing import Any

import msgspec
import networkx as nx
import pytest
from hypothesis import given, settings

from mcastplan.errors import ScenarioError
from mcastplan.model.topology import Topology
from mcastplan.scenario import from_networkx, load_scenario, load_topology, to_networkx
from tests.networks import topologies


def test_undirected_graph() -> None:
    """Keys that are names stay; others become slugs of label or key."""
    graph = nx.Graph(name="mine", source="me", licence="none")
    graph.add_node("A_", lon=4, lat=52)
    graph.add_node(7, label="São Paulo", kind="city")
    graph.add_node(("x", 1))
    graph.add_edge(7, "A_", capacity_bps=1e9, delay_s=0.001, srlgs={"s"})
    graph.add_edge("A_", ("x", 1))
    topology = from_networkx(graph)
    assert (topology.name, topology.source, topology.licence) == ("mine", "me", "none")
    assert [(node.name, node.label, node.kind) for node in topology.nodes] == [
        ("A_", "", ""),
        ("Sao-Paulo", "São Paulo", "city"),
        ("x-1", "('x', 1)", ""),
    ]
    assert (topology.nodes[0].lon, topology.nodes[0].lat) == (4.0, 52.0)
    first, second = topology.links
    assert first.id == "A_--Sao-Paulo"
    assert (first.capacity_bps, first.capacity_reverse_bps) == (1e9, 1e9)
    assert (first.delay_s, first.metric, first.srlgs) == (0.001, 1000, ("s",))
    assert (second.capacity_bps, second.delay_s, second.metric) == (1e9, 1e-6, 1)


def test_metric_is_explicit_where_every_edge_has_one() -> None:
    graph: Any = nx.MultiGraph()
    graph.add_edge("A", "B", metric=5)
    graph.add_edge("A", "B", metric=3, id="t")
    links = {link.id: (link.metric, link.metric_reverse) for link in from_networkx(graph).links}
    assert links == {"A--B#2": (5, 5), "t": (3, 3)}
    graph.add_edge("B", "C", delay_s=2e-6)
    with pytest.raises(ScenarioError, match=r"edge 'B' - 'C': .* 2 of 3 links have one"):
        from_networkx(graph)
    assert [link.metric for link in from_networkx(graph, metric="delay").links] == [2, 2, 2]
    assert {link.metric for link in from_networkx(graph, metric="hops").links} == {1}


def test_directed_edges_pair_up() -> None:
    graph: Any = nx.DiGraph([("A", "B", {"metric": 5}), ("B", "A", {"metric": 7})])
    (link,) = from_networkx(graph).links
    assert (link.a, link.b, link.metric, link.metric_reverse) == ("A", "B", 5, 7)
    graph.add_edge("B", "C")
    with pytest.raises(ScenarioError, match="no edge leads back"):
        from_networkx(graph)
    graph.add_edge("C", "B", delay_s=1)
    with pytest.raises(ScenarioError, match="another delay"):
        from_networkx(graph)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ({"capacity_bps": 0}, "capacity_bps 0 is out of range"),
        ({"capacity_bps": "10Gbps"}, "capacity_bps '10Gbps' is out of range"),
        ({"capacity_bps": float("inf")}, "capacity_bps inf is out of range"),
        ({"delay_s": -1}, "delay_s -1 is out of range"),
        ({"delay_s": float("nan")}, "delay_s nan is out of range"),
        ({"metric": 0}, "metric 0 is out of range"),
        ({"metric": 1.5}, "metric 1.5 is not a whole number"),
        ({"metric_reverse": 2}, "metric_reverse has no direction"),
        ({"id": "a b"}, "'a b' is not a link id"),
    ],
)
def test_bad_edges(data: dict[str, Any], what: str) -> None:
    graph = nx.Graph([("A", "B", data)])
    with pytest.raises(ScenarioError) as caught:
        from_networkx(graph)
    assert str(caught.value).startswith(f"edge 'A' - 'B': {what}")


def test_bad_graphs() -> None:
    with pytest.raises(ScenarioError, match="joins a node to itself"):
        from_networkx(nx.Graph([("A", "A")]))
    with pytest.raises(ScenarioError, match="lat 99 is out of range"):
        from_networkx(_with_lat(99))
    with pytest.raises(ScenarioError, match="the graph has no nodes; add"):
        from_networkx(nx.Graph())


def _with_lat(lat: float) -> Any:
    graph = nx.Graph()
    graph.add_node("A", lat=lat)
    return graph


@given(topologies())
@settings(max_examples=50)
def test_round_trip(topology: Topology) -> None:
    canonical = from_networkx(to_networkx(topology), waypoints="keep")
    assert from_networkx(to_networkx(canonical), waypoints="keep") == canonical
    assert canonical.nodes == topology.nodes
    assert [link.id for link in canonical.links] == [link.id for link in topology.links]


def test_round_trip_of_a_real_one_and_into_a_scenario() -> None:
    topology = load_topology("topohub:backbone/africa")
    graph = to_networkx(topology)
    assert graph.number_of_edges() == 2 * len(topology.links)
    assert from_networkx(graph, waypoints="keep") == topology
    minimal = load_scenario("builtin:minimal")
    again = load_scenario("builtin:minimal", topology=from_networkx(to_networkx(minimal.topology)))
    assert msgspec.structs.replace(again, assumptions=minimal.assumptions) == minimal
