"""Merging waypoints against a plain contraction, one joint after the other, in any order."""

from __future__ import annotations

from collections import Counter
from typing import Any

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.model.topology import NodeInfo
from mcastplan.scenario import read_topology
from mcastplan.scenario.raw import RawLink
from mcastplan.scenario.waypoints import merge_waypoints

Row = tuple[str, str, tuple[float | int | None, ...], tuple[str, ...]]


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[NodeInfo], list[RawLink]]:
    size = draw(st.integers(2, 9))
    nodes = [
        NodeInfo(f"n{i}", kind="waypoint" if draw(st.integers(0, 3)) else "") for i in range(size)
    ]
    names = [node.name for node in nodes]
    links = []
    for _ in range(draw(st.integers(0, 14))):
        a, b = draw(st.permutations(names))[:2]
        number = st.integers(1, 9)
        links.append(
            RawLink(
                a=a,
                b=b,
                capacity_bps=draw(number),
                capacity_reverse_bps=draw(number),
                delay_us=draw(number),
                metric=draw(number),
                metric_reverse=draw(number),
                srlgs=tuple(sorted(draw(st.sets(st.sampled_from("xyz"), max_size=2)))),
            )
        )
    return nodes, links


def row(link: RawLink) -> Row:
    """A link from its smaller end."""
    there = (link.capacity_bps, link.metric)
    back = (link.capacity_reverse_bps, link.metric_reverse)
    if link.b < link.a:
        return link.b, link.a, (link.delay_us, *back, *there), link.srlgs
    return link.a, link.b, (link.delay_us, *there, *back), link.srlgs


def contracted(nodes: list[NodeInfo], links: list[RawLink], order: list[str]) -> Counter[Row]:
    """Remove the joints one by one: two arcs each way, `sum` and `min` of what they carry."""
    graph: Any = nx.MultiGraph()
    graph.add_nodes_from(node.name for node in nodes)
    for link in links:
        ways = {
            (link.a, link.b): (link.capacity_bps, link.metric),
            (link.b, link.a): (link.capacity_reverse_bps, link.metric_reverse),
        }
        graph.add_edge(link.a, link.b, ways=ways, delay=link.delay_us, srlgs=set(link.srlgs))
    for joint in order:
        edges = list(graph.edges(joint, data=True))
        if len(edges) == 1:  # a loop of its own: the rest of a ring of waypoints
            graph.remove_node(joint)
            continue
        (_, left, one), (_, right, two) = edges
        graph.remove_node(joint)
        ways = {}
        if left != right:
            for a, b, first, second in ((left, right, one, two), (right, left, two, one)):
                (cap_in, metric_in), (cap_out, metric_out) = (
                    first["ways"][a, joint],
                    second["ways"][joint, b],
                )
                ways[a, b] = (min(cap_in, cap_out), metric_in + metric_out)
        data = {"ways": ways, "delay": one["delay"] + two["delay"]}
        graph.add_edge(left, right, srlgs=one["srlgs"] | two["srlgs"], **data)
    rows: Counter[Row] = Counter()
    for a, b, data in graph.edges(data=True):
        if a != b:
            low, high = sorted((a, b))
            numbers = (data["delay"], *data["ways"][low, high], *data["ways"][high, low])
            rows[low, high, numbers, tuple(sorted(data["srlgs"]))] += 1
    return rows


@given(st.data())
@settings(max_examples=200)
def test_against_contraction(data: st.DataObject) -> None:
    nodes, links = data.draw(networks())
    merged = merge_waypoints(nodes, links)
    order = data.draw(st.permutations(merged.removed))
    assert Counter(row(link) for link in merged.links) == contracted(nodes, links, order)
    degree = Counter(end for link in links for end in (link.a, link.b))
    joints = {node.name for node in nodes if node.kind == "waypoint" and degree[node.name] == 2}
    assert set(merged.removed) == joints
    assert [node.name for node in merged.nodes] == [n.name for n in nodes if n.name not in joints]


def test_real_cables_keep_their_distances() -> None:
    """In backbone/world, shortest delays between routers are the same with and without merging."""
    kept = read_topology("topohub:backbone/africa", waypoints="keep").topology
    merged = read_topology("topohub:backbone/africa").topology
    assert len(merged.nodes) < len(kept.nodes)

    def delays(topology: Any, start: str) -> dict[str, float]:
        graph = nx.Graph()
        for link in topology.links:
            delay_us = round(link.delay_s * 1e6)
            known = graph.get_edge_data(link.a, link.b, {"delay": delay_us})["delay"]
            graph.add_edge(link.a, link.b, delay=min(known, delay_us))
        found = nx.single_source_dijkstra_path_length(graph, start, weight="delay")
        return {node.name: found[node.name] for node in merged.nodes if node.name in found}

    for start in [node.name for node in merged.nodes][::40]:
        assert delays(merged, start) == delays(kept, start)
