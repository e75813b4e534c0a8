"""Maximum flow, minimum cut and the transfer bound, against networkx."""

import math

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.evaluate.bounds import transfer_bound
from mcastplan.model.topology import Graph, Link, NodeInfo, Topology
from mcastplan.underlay.max_flow import Flows, widest

GBPS = 1e9
INF = math.inf


def topology_of(size: int, links: list[tuple[int, int, float, float]]) -> Topology:
    """Links are (a, b, Gb/s, Gb/s back); parallel ones get #1, #2."""
    return Topology.make(
        "test",
        tuple(NodeInfo(f"n{u}") for u in range(size)),
        tuple(
            Link(f"n{a}--n{b}#{i}", f"n{a}", f"n{b}", max(c, 0.5), max(back, 0.5), 0.0, 1, 1)
            for i, (a, b, c, back) in enumerate(links)
        ),
    )


def capacities(topology: Topology, links: list[tuple[int, int, float, float]]) -> list[float]:
    """By arc, what background leaves: here zeros (and less) occur, which no link may have."""
    by_id = {f"n{a}--n{b}#{i}": (c, back) for i, (a, b, c, back) in enumerate(links)}
    return [GBPS * c for link in topology.links for c in by_id[link.id]]


def reference(topology: Topology, capacity_bps: list[float]) -> nx.DiGraph:
    """Parallel arcs added up, which changes no flow; whole bit/s, as networkx may never end on
    fractions."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(topology.nodes)))
    for arc, capacity in enumerate(capacity_bps):
        u, v = topology.graph.tail[arc], topology.graph.head[arc]
        before = graph[u][v]["capacity"] if graph.has_edge(u, v) else 0
        graph.add_edge(u, v, capacity=before + max(0, round(capacity)))
    return graph


def flow_value(graph: nx.DiGraph, source: object, sink: object) -> float:
    method = nx.algorithms.flow.shortest_augmenting_path
    return float(nx.maximum_flow_value(graph, source, sink, flow_func=method))


@st.composite
def networks(draw: st.DrawFn) -> tuple[Topology, list[float]]:
    size = draw(st.integers(2, 9))
    node = st.integers(0, size - 1)
    rate = st.sampled_from([-3.0, 0.0, 0.1, 0.3, 1.0, 1.0, 2.5, 10.0, 40.0, 100.0])
    links = draw(st.lists(st.tuples(node, node, rate, rate), max_size=20))
    links = [link for link in links if link[0] != link[1]]
    topology = topology_of(size, links)
    return topology, capacities(topology, links)


def max_flow(
    graph: Graph, capacity: list[float], source: int, sink: int, limit: float = INF
) -> tuple[float, list[int]]:
    """One question alone."""
    return Flows(graph, capacity, source).to(sink, limit)


@settings(max_examples=200)
@given(networks(), st.data())
def test_value_and_cut(network: tuple[Topology, list[float]], data: st.DataObject) -> None:
    topology, capacity = network
    graph = topology.graph
    node = st.integers(0, graph.size - 1)
    source = data.draw(node)
    sink = data.draw(node.filter(lambda v: v != source))
    value, cut = max_flow(graph, capacity, source, sink)
    expected = flow_value(reference(topology, capacity), source, sink)
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-3)
    assert sum(capacity[arc] for arc in cut) == pytest.approx(value, rel=1e-12)
    # Without the cut's arcs nothing gets through.
    closed = [0.0 if arc in cut else capacity[arc] for arc in range(len(capacity))]
    assert widest(graph, closed, source)[sink] == 0
    limit = data.draw(st.sampled_from([0.05, 1.0, 3.0, 55.0])) * GBPS
    capped, capped_cut = max_flow(graph, capacity, source, sink, limit)
    assert capped == min(value, limit)
    assert capped_cut == (cut if value < limit else [])


@settings(max_examples=60)
@given(networks())
def test_widest_is_the_best_bottleneck_of_any_path(network: tuple[Topology, list[float]]) -> None:
    topology, capacity = network
    graph = topology.graph
    width = widest(graph, capacity, 0)
    assert width[0] == INF
    for sink in range(1, graph.size):
        # It can be reached over arcs of that width, and not over wider ones.
        for least, reached in ((width[sink], width[sink] > 0), (width[sink] * 1.001, False)):
            open_arcs = [arc for arc, c in enumerate(capacity) if c >= least > 0]
            wide = nx.DiGraph([(graph.tail[arc], graph.head[arc]) for arc in open_arcs])
            wide.add_nodes_from((0, sink))
            assert nx.has_path(wide, 0, sink) == reached


@settings(max_examples=100)
@given(networks(), st.data())
def test_questions_leave_no_trace(
    network: tuple[Topology, list[float]], data: st.DataObject
) -> None:
    topology, capacity = network
    graph = topology.graph
    flows = Flows(graph, capacity, 0)
    for sink in data.draw(st.lists(st.integers(1, graph.size - 1), max_size=6)):
        assert flows.to(sink) == max_flow(graph, capacity, 0, sink)


def test_no_capacity_anywhere() -> None:
    """Background above every capacity: nothing flows, and there is nothing to cut."""
    topology = topology_of(2, [(0, 1, 1.0, 1.0)])
    for capacity in ([-3e9, -3e9], [0.0, 0.0]):
        assert max_flow(topology.graph, capacity, 0, 1) == (0, [])
        assert transfer_bound(topology, capacity, 0, INF, 1e9, [("a", 1, GBPS)]) == (None, None)


def test_unlimited_arcs_and_the_source_itself() -> None:
    """0 =inf=> 1 =inf=> 2, and 3 behind 2 at 1 + 2 Gb/s on two parallel links."""
    links = [(0, 1, INF, INF), (1, 2, INF, INF), (2, 3, 1.0, 1.0), (2, 3, 2.0, 2.0)]
    topology = topology_of(4, links)
    graph, capacity = topology.graph, capacities(topology, links)
    assert max_flow(graph, capacity, 0, 2) == (INF, [])
    assert max_flow(graph, capacity, 0, 2, 5.0) == (5.0, [])
    assert max_flow(graph, capacity, 0, 0) == (INF, [])
    value, cut = max_flow(graph, capacity, 0, 3)
    assert value == 3 * GBPS
    assert [topology.arc_name(arc) for arc in cut] == ["n2->n3 (n2--n3#2)", "n2->n3 (n2--n3#3)"]


@settings(max_examples=200)
@given(networks(), st.data())
def test_bound_equals_flows_between_the_access_arcs(
    network: tuple[Topology, list[float]], data: st.DataObject
) -> None:
    """A node for the origin before its PE and one for each cloud behind its own; then the least
    maximum flow from the one to another is the rate no scheme can beat.
    """
    topology, capacity = network
    node = st.integers(0, topology.graph.size - 1)
    rate = st.sampled_from([10**8, 10**9, 3 * 10**9, 10**10, 4 * 10**11])
    egress = data.draw(rate | st.just(INF))
    origin = data.draw(node)
    clouds = [
        (f"c{i}", pe, ingress)
        for i, (pe, ingress) in enumerate(data.draw(st.lists(st.tuples(node, rate), max_size=6)))
    ]
    graph = reference(topology, capacity)
    graph.add_edge("origin", origin, capacity=egress)
    for name, pe, ingress in clouds:
        graph.add_edge(pe, name, capacity=ingress)
    rates = [flow_value(graph, "origin", name) for name, _, _ in clouds]
    reached = [r for r in rates if r > 1e-3]
    seconds, binding = transfer_bound(topology, capacity, origin, egress, 1e9, clouds)
    if not reached:
        assert (seconds, binding) == (None, None)
        return
    assert seconds == pytest.approx(8e9 / min(reached), rel=1e-9)
    assert binding is not None
    shuffled = data.draw(st.permutations(clouds))
    assert transfer_bound(topology, capacity, origin, egress, 1e9, shuffled) == (seconds, binding)


#           n1
#     10 /      \ 10          three nodes and two paths from n0 to n3, 20 Gb/s in all,
#      n0        n3--n4       then 15 Gb/s to n4
#     10 \      / 10
#           n2
DIAMOND = [
    (0, 1, 10.0, 10.0),
    (0, 2, 10.0, 10.0),
    (1, 3, 10.0, 10.0),
    (2, 3, 10.0, 10.0),
    (3, 4, 15.0, 15.0),
]


@pytest.mark.parametrize(
    ("egress", "clouds", "seconds", "binding"),
    [
        # 8 Gb of payload; the slowest of everything decides.
        (1.0, [("a", 3, 1.0)], 8.0, "origin n0: egress 1 Gb/s"),  # the origin first
        (4.0, [("b", 3, 2.0), ("a", 1, 2.0)], 4.0, "cloud a: ingress 2 Gb/s"),  # then by name
        (INF, [("a", 3, 40.0)], 0.4, "cut of 2 arcs n0->n1, n0->n2: 20 Gb/s towards cloud a"),
        (20.0, [("a", 3, 40.0)], 0.4, "origin n0: egress 20 Gb/s"),
        (INF, [("a", 4, 40.0)], 8 / 15, "arc n3->n4: 15 Gb/s towards cloud a"),
        (INF, [("b", 1, 40.0), ("c", 4, 40.0)], 8 / 15, "arc n3->n4: 15 Gb/s towards cloud c"),
        (
            INF,
            [("b", 3, 40.0), ("a", 3, 40.0), ("z", 0, 30.0)],
            0.4,
            "cut of 2 arcs n0->n1, n0->n2: 20 Gb/s towards cloud a and 1 more",
        ),
        (INF, [("a", 0, 40.0)], 0.2, "cloud a: ingress 40 Gb/s"),  # the origin's own PE: no arc
        (INF, [("a", 0, INF)], 0.0, "nothing: every rate is unlimited"),
        (INF, [], None, None),
    ],
)
def test_binding_in_words(
    egress: float,
    clouds: list[tuple[str, int, float]],
    seconds: float | None,
    binding: str | None,
) -> None:
    topology = topology_of(5, DIAMOND)
    in_bps = [(name, pe, ingress * GBPS) for name, pe, ingress in clouds]
    found = transfer_bound(
        topology, capacities(topology, DIAMOND), 0, egress * GBPS, 1_000_000_000, in_bps
    )
    assert found == (seconds and pytest.approx(seconds), binding)


def test_a_fully_loaded_cloud_is_left_out() -> None:
    """Background fills n3 -> n4: the cloud there gets nothing, the other binds alone."""
    topology = topology_of(5, DIAMOND)
    capacity = capacities(topology, DIAMOND)
    capacity[8] = 0.0
    assert topology.arc_name(8) == "n3->n4"
    clouds = [("far", 4, 1 * GBPS), ("near", 1, 8 * GBPS)]
    assert transfer_bound(topology, capacity, 0, INF, 1e9, clouds) == (
        1.0,
        "cloud near: ingress 8 Gb/s",
    )
    assert transfer_bound(topology, capacity, 0, INF, 1e9, clouds[:1]) == (None, None)
