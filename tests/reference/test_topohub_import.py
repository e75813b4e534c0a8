"""All topohub graphs import: names valid and unique, nothing lost, values in range."""

from __future__ import annotations

import importlib.resources
import json
from collections import Counter
from typing import Any

import pytest

from mcastplan.scenario import read_topology, topohub_names
from mcastplan.scenario.names import is_name, slug

GROUPS = {"backbone": 20, "caida": 98, "gabriel": 360, "sndlib": 26, "topozoo": 203}


def original(key: str) -> Any:
    """The graph as topohub's own file has it, read by the standard library."""
    file = importlib.resources.files("topohub") / "data" / f"{key}.json"
    return json.loads(file.read_text())


def test_all_are_found() -> None:
    found = Counter(key.partition("/")[0] for key in topohub_names())
    assert found == GROUPS
    assert topohub_names("sndlib") == tuple(k for k in topohub_names() if k.startswith("sndlib/"))


@pytest.mark.parametrize("group", GROUPS)
def test_group(group: str) -> None:
    for key in topohub_names(group):
        graph = original(key)
        topology = read_topology(f"topohub:{key}", waypoints="keep").topology
        names = [node.name for node in topology.nodes]
        assert len(names) == len(graph["nodes"])
        assert len(set(names)) == len(names)
        assert all(is_name(name) for name in names)
        assert len(topology.links) == len(graph["edges"])
        assert len({link.id for link in topology.links}) == len(graph["edges"])
        # topohub has no parallel links, so every id is plain.
        assert all(link.id == f"{link.a}--{link.b}" for link in topology.links)
        expected = Counter(slug(node.get("name") or "") for node in graph["nodes"])
        for name, count in expected.items():
            if name and count == 1:
                assert name in names or f"{name}-2" in names
        # 7.5 us per km of air route, each link rounded to whole metres and microseconds.
        delay_s = sum(link.delay_s for link in topology.links)
        kilometres = sum(edge["dist"] for edge in graph["edges"])
        assert delay_s == pytest.approx(kilometres * 7.5e-6, abs=1e-6 * len(topology.links))
        for link in topology.links:
            assert link.metric == link.metric_reverse == max(1, round(link.delay_s * 1e6))


def test_labels_and_positions_are_kept() -> None:
    graph = original("topozoo/Geant2012")
    topology = read_topology("topohub:topozoo/Geant2012").topology
    nodes = {node.label: node for node in topology.nodes}
    assert len(nodes) == 37
    for node in graph["nodes"]:
        found = nodes[node["name"]]
        assert found.name == node["name"]
        assert [found.lon, found.lat] == node["pos"]


def test_the_world() -> None:
    """The numbers of the package's own file: 1,736 of its 1,949 waypoints have two links."""
    graph = original("backbone/world")
    degree = Counter(end for edge in graph["edges"] for end in (edge["source"], edge["target"]))
    ways = [node["id"] for node in graph["nodes"] if node["type"] == "Seacable Waypoint"]
    joints = [node for node in ways if degree[node] == 2]
    assert (len(graph["nodes"]), len(ways), len(joints)) == (3815, 1949, 1736)
    loaded = read_topology("topohub:backbone/world")
    assert len(loaded.topology.nodes) == 3815 - 1736
    assert len(loaded.merged) == 1736
    # Each joint takes two links and gives one; loops would take one more.
    assert len(loaded.topology.links) == 5189 - 1736
    assert any(text.endswith("routers: 213.") for text in loaded.assumptions)
    kinds = Counter(node.kind for node in loaded.topology.nodes)
    assert kinds["waypoint"] == 213
    unnamed = {f"n{node['id']}" for node in graph["nodes"] if not node.get("name")}
    assert set(loaded.merged) <= unnamed
