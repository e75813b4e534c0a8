"""Next hops against the link loads that topohub stores with its graphs.

topohub (1.5.1, `graph.calculate_utilization`) sends 1 from every node to every other (in its
backbones: from city to city) over hop-count shortest paths, splits evenly at every node over its
next hops, and stores each direction's load in per cent of the graph's busiest, with two decimals.
The splitting is done here; which arcs lie on shortest paths is the package's word.
"""

from __future__ import annotations

import pytest

from mcastplan.underlay.routes import IgpRoutes
from tests.topohub_graphs import Stored, keys_by_size, stored

GRAPHS = 560  # of 707, the smallest: up to 200 nodes (all 707 agree, but take 45 s)
ROUNDED = 0.005 + 1e-6


def loads_per_cent(graph: Stored) -> list[float]:
    """By arc: even splits of one unit from every talking node to every other."""
    topology = graph.topology(hops=True)
    routes, head = IgpRoutes(topology.graph), topology.graph.head
    talks = [node.get("type", "City") == "City" for node in graph.nodes]
    load = [0.0] * len(head)
    for dest in (node for node, each in enumerate(talks) if each):
        through = [float(each) for each in talks]
        dist = routes.dist_to(dest)
        # Farthest first: all that enters a node is known before it is split.
        for node in sorted(range(len(dist)), key=dist.__getitem__, reverse=True):
            if node == dest or not through[node]:
                continue
            arcs = routes.next_arcs(node, dest)
            for arc in arcs:
                load[arc] += through[node] / len(arcs)
                through[head[arc]] += through[node] / len(arcs)
    busiest = max(load)
    return [100 * each / busiest for each in load]


@pytest.mark.parametrize("part", range(4))
def test_link_loads_agree_with_topohub(part: int) -> None:
    keys = keys_by_size()[:GRAPHS]
    assert len(keys) == GRAPHS >= 500
    assert {key.split("/")[0] for key in keys} >= {"topozoo", "sndlib", "caida", "gabriel"}
    for key in keys[part::4]:
        graph = stored(key)
        load = loads_per_cent(graph)
        for link, edge in enumerate(graph.edges):
            assert load[2 * link] == pytest.approx(edge["ecmp_fwd"]["uni"], abs=ROUNDED), key
            assert load[2 * link + 1] == pytest.approx(edge["ecmp_bwd"]["uni"], abs=ROUNDED), key


@pytest.mark.parametrize("key", ["backbone/africa"])
def test_link_loads_of_a_backbone_with_waypoints(key: str) -> None:
    graph = stored(key)
    load = loads_per_cent(graph)
    stored_load = [edge[way]["uni"] for edge in graph.edges for way in ("ecmp_fwd", "ecmp_bwd")]
    assert load == pytest.approx(stored_load, abs=ROUNDED)
