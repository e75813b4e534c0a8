"""Every Topology Zoo graph that topohub holds, from a scenario file on: `compare` against the small
model, delays against the source's kilometres and against light."""

from __future__ import annotations

import json
import random
import zlib
from collections import Counter
from pathlib import Path

import pytest

from mcastplan.report.json import render
from mcastplan.scenario import load_scenario, load_topology, topohub_names
from mcastplan.study.compare import compare
from tests.small_model.answer import differences
from tests.small_model.globe import faster_than_light, km
from tests.small_model.zoo import scenario_file
from tests.topohub_graphs import stored

ZOO = [name for name in topohub_names() if name.startswith("topozoo/")]


def test_all_of_them_are_there() -> None:
    assert len(ZOO) == 203


@pytest.mark.parametrize("key", ZOO)
def test_no_number_differs(key: str, tmp_path: Path) -> None:
    nodes = [node.name for node in load_topology(f"topohub:{key}").nodes]
    path = tmp_path / "push.yaml"
    path.write_text(json.dumps(scenario_file(key, nodes)))  # JSON is YAML
    scenario = load_scenario(path)
    result = json.loads(render(compare(scenario)))
    assert list(differences(scenario, result)) == []


@pytest.mark.parametrize("key", ZOO)
def test_links_are_filled_in_as_stated(key: str) -> None:
    """Delay: 5 us per km of fibre, 1.5 times as long as the kilometres of the source, in whole
    microseconds of whole metres. Metric: that delay, at least 1. Capacity: the underlay's."""
    graph = stored(key)
    labels = {node["id"]: node["name"].strip() for node in graph.nodes}
    source = Counter(
        (
            *sorted((labels[edge["source"]], labels[edge["target"]])),
            round(round(edge["dist"] * 1000) * 7.5 / 1000),
        )
        for edge in graph.edges
    )
    topology = load_topology(f"topohub:{key}", capacity_bps=7e9)
    label = {node.name: node.label for node in topology.nodes}
    found = Counter(
        (*sorted((label[link.a], label[link.b])), round(link.delay_s * 1e6))
        for link in topology.links
    )
    assert found == source
    for link in topology.links:
        assert link.metric == link.metric_reverse == max(1, round(link.delay_s * 1e6))
        assert link.capacity_bps == link.capacity_reverse_bps == 7e9
    # The source's kilometres are great circles; its positions have two decimals, 1.1 km.
    place = {node.name: node for node in topology.nodes}
    for link in topology.links:
        apart_us = km(place[link.a], place[link.b]) * 7.5
        assert link.delay_s * 1e6 == pytest.approx(apart_us, rel=0.002, abs=12)


@pytest.mark.parametrize("key", ZOO)
def test_nothing_is_faster_than_light(key: str) -> None:
    assert list(faster_than_light(load_topology(f"topohub:{key}"))) == []


@pytest.mark.parametrize("key", ZOO)
def test_nor_is_it_where_nodes_have_no_position(key: str) -> None:
    """The same graph with a third of its nodes placed nowhere, so that about half of its links have
    no length: what is not known must not be the short cut."""
    graph = stored(key)
    pick = random.Random(zlib.crc32(key.encode()))
    lost = {node["id"] for node in graph.nodes if pick.random() < 1 / 3}
    nodes = [
        {"name": f"n{node['id']}"}
        | ({} if node["id"] in lost else {"lon": node["pos"][0], "lat": node["pos"][1]})
        for node in graph.nodes
    ]
    links = [{"a": f"n{edge['source']}", "b": f"n{edge['target']}"} for edge in graph.edges]
    topology = load_topology({"nodes": nodes, "links": links})
    assert list(faster_than_light(topology)) == []
