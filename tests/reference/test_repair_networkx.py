"""Repaired routes on real networks, against networkx on the network that is left."""

from __future__ import annotations

import networkx as nx
import pytest

from mcastplan.underlay.routes import IgpRoutes
from tests.reference.test_spf_networkx import networkx_of
from tests.topohub_graphs import keys_by_size, stored

KEYS = keys_by_size()[: -len(keys_by_size()) // 4]
CHOSEN = KEYS[:: len(KEYS) // 56]


@pytest.mark.parametrize("hops", [False, True], ids=["delay", "hops"])
@pytest.mark.parametrize("part", range(4))
def test_some_links_of_real_networks(part: int, hops: bool) -> None:
    assert len(CHOSEN) >= 50
    for key in CHOSEN[part::4]:
        graph = stored(key).topology(hops=hops).graph
        routes = IgpRoutes(graph)
        arcs = len(graph.tail)
        for arc in range(0, arcs, 2 * (1 + arcs // 8)):
            left = routes.without(frozenset((arc, arc + 1)))
            reference = networkx_of(graph)
            reference.remove_edge(graph.tail[arc], graph.head[arc], arc)
            reference.remove_edge(graph.head[arc], graph.tail[arc], arc + 1)
            for dest in (graph.tail[arc], 0, graph.size // 2, graph.size - 1):
                before, towards = nx.dijkstra_predecessor_and_distance(reference, dest)
                assert left.dist_to(dest) == [towards.get(node, -1) for node in range(graph.size)]
                parent = left.parents(dest)
                for node in range(graph.size):
                    hops_to = {graph.head[each] for each in left.next_arcs(node, dest)}
                    assert hops_to == set(before.get(node, ()))  # the metrics are symmetric
                    above = parent[node]
                    assert (above < 0) == (node == dest or node not in towards)
                    assert above < 0 or graph.tail[above] in before[node]
