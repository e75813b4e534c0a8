"""GraphML as networkx reads it: the same nodes, the same edges, the same speeds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import networkx as nx
import pytest

from mcastplan.scenario import load_topology
from tests.topohub_graphs import keys_by_size, stored

KEYS = [key for key in keys_by_size() if key.startswith("topozoo/")][5::40]


@pytest.mark.parametrize("multi", [False, True], ids=["simple", "multi"])
@pytest.mark.parametrize("key", KEYS)
def test_written_by_networkx(key: str, multi: bool, tmp_path: Path) -> None:
    """A Topology Zoo graph, written as the Zoo names things, with parallel edges or without."""
    found = stored(key)
    graph: nx.Graph[str] = nx.MultiGraph() if multi else nx.Graph()
    for node in found.nodes:
        lon, lat = node["pos"]
        graph.add_node(str(node["id"]), label=node["name"] or "", Longitude=lon, Latitude=lat)
    for number, edge in enumerate(found.edges):
        for copy in range(2 if multi and number % 3 == 0 else 1):
            ends = str(edge["source"]), str(edge["target"])
            graph.add_edge(*ends, LinkSpeedRaw=float(1e9 * (1 + number % 7 + copy)))
    path = tmp_path / "net.graphml"
    nx.write_graphml_xml(graph, path)
    again = nx.read_graphml(path, force_multigraph=multi)
    topology = load_topology(path)
    assert len(topology.nodes) == again.number_of_nodes()
    places = Counter((data["Longitude"], data["Latitude"]) for _, data in again.nodes(data=True))
    assert Counter((node.lon, node.lat) for node in topology.nodes) == places
    assert Counter(node.label for node in topology.nodes) == Counter(
        data["label"].strip() for _, data in again.nodes(data=True)
    )
    speeds = Counter(data["LinkSpeedRaw"] for _, _, data in again.edges(data=True))
    assert Counter(link.capacity_bps for link in topology.links) == speeds
    degrees = sorted(len(arcs) for arcs in topology.graph.out)
    assert degrees == sorted(degree for _, degree in again.degree())
