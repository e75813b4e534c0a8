"""No guessed position may join two known places faster than light in straight fibre.

Real networks (Internet Topology Zoo, by topohub) with half of their positions hidden: distances and
shortest delays are computed here, from nothing of the product's.
"""

from __future__ import annotations

import heapq
import math
import random

import pytest

from mcastplan.model.topology import Topology
from mcastplan.scenario.complete import LoadedTopology, complete
from mcastplan.scenario.raw import RawTopology, Underlay
from mcastplan.scenario.topohub import raw_from_topohub, topohub_names

KEYS = [key for key in topohub_names("topozoo") if key.startswith("topozoo/")]
KM_PER_S = 200_000  # 5 us per km


def hidden(raw: RawTopology, share: float) -> RawTopology:
    """The same network, as by somebody who knows where only some of its nodes are."""
    dice = random.Random(raw.name)
    for place, node in enumerate(raw.nodes):
        if dice.random() < share:
            raw.nodes[place] = type(node)(node.name, node.label, None, None, node.kind)
    for link in raw.links:
        link.distance_m = None
    return raw


def great_circle_km(topology: Topology, a: int, b: int) -> float:
    """By the angle between two vectors, not by the haversine formula."""
    nodes = topology.nodes
    points = []
    for node in (nodes[a], nodes[b]):
        assert node.lon is not None and node.lat is not None
        lon, lat = math.radians(node.lon), math.radians(node.lat)
        points.append((math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)))
    return 6371.0088 * 2 * math.asin(min(1.0, math.dist(*points) / 2))


def delays_s(topology: Topology, start: int) -> dict[int, float]:
    graph = topology.graph
    found: dict[int, float] = {}
    heap = [(0.0, start)]
    while heap:
        so_far, node = heapq.heappop(heap)
        if node in found:
            continue
        found[node] = so_far
        for other, _, arc in graph.out[node]:
            if other not in found:
                heapq.heappush(heap, (so_far + graph.delay_s[arc], other))
    return found


def check(loaded: LoadedTopology) -> int:
    topology = loaded.topology
    placed = [n for n, node in enumerate(topology.nodes) if node.lon is not None]
    for a in placed:
        for b, delay_s in delays_s(topology, a).items():
            if b != a and topology.nodes[b].lon is not None:
                # Whole microseconds: half of one on each link at most.
                straight_s = great_circle_km(topology, a, b) / KM_PER_S
                assert delay_s >= straight_s * (1 - 1e-6) - 1e-5, (a, b)
    return len(placed)


@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_positions_that_half_the_nodes_lack(factor: float) -> None:
    assert len(KEYS) > 200
    guessed = sum(
        check(complete(hidden(raw_from_topohub(key), 0.5), Underlay(route_factor=factor)))
        for key in KEYS
    )
    assert guessed > 1000


def test_a_direct_link_beats_every_guess() -> None:
    """Where two placed nodes have a link of their own with a distance, no way over guessed nodes is
    as short: the IGP takes the link, or a way of known ones."""
    for key in KEYS:
        loaded = complete(hidden(raw_from_topohub(key), 0.3), Underlay())
        topology, graph = loaded.topology, loaded.topology.graph
        guess = set(loaded.guessed)
        for link in topology.links:
            a, b = graph.index[link.a], graph.index[link.b]
            if link.a in guess or link.b in guess or topology.nodes[a].lon is None:
                continue
            for middle, _, arc in graph.out[a]:
                if graph.names[middle] in guess:
                    onward = [graph.delay_s[to] for node, _, to in graph.out[middle] if node == b]
                    assert all(graph.delay_s[arc] + each > link.delay_s for each in onward)
