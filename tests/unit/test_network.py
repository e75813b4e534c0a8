"""`topology show` and `lint` on networks small enough to draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcastplan.errors import ScenarioError
from mcastplan.model.network import Finding
from mcastplan.scenario import read_topology
from mcastplan.scenario.inventory import find_network, topology_list
from mcastplan.study.network import describe, lint


def findings(mapping: dict[str, Any], **options: Any) -> dict[str, Finding]:
    loaded = read_topology(mapping, **options)
    result = lint(loaded.topology, loaded.no_capacity)
    return {finding.rule: finding for finding in result.findings}


def named(names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


FULL = {"capacity": "10Gbps", "delay": "1ms"}


def test_a_clean_ring() -> None:
    r"""A - B
    \ /
     C    and nothing to say."""
    links = [{"a": a, "b": b, **FULL} for a, b in ("AB", "BC", "CA")]
    loaded = read_topology({"nodes": named("ABC"), "links": links})
    result = lint(loaded.topology, loaded.no_capacity)
    assert result.connected
    assert result.findings == ()


def test_everything_at_once() -> None:
    """A = B - C   D - E: a double link, two bridges, one cut node, two parts; B-C has a metric no
    OSPF carries, A = B no delay, D-E no capacity."""
    links: list[dict[str, Any]] = [
        {"a": "A", "b": "B", "capacity": "1Gbps", "delay": "0ms"},
        {"a": "A", "b": "B", "capacity": "1Gbps", "delay": "0ms"},
        {"a": "B", "b": "C", "capacity": "1Gbps", "delay": "65536us"},
        {"a": "D", "b": "E", "delay": "65535us"},
    ]
    found = findings({"nodes": named("ABCDE"), "links": links})
    assert list(found) == [
        *("disconnected", "bridge", "cut-node", "no-capacity", "ospf-metric"),
        *("zero-delay", "parallel-links"),
    ]
    assert [found[rule].level for rule in ("disconnected", "bridge", "zero-delay")] == [
        *("error", "warning", "note"),
    ]
    assert found["disconnected"].what == ("D", "E")
    assert found["bridge"].what == ("B--C", "D--E")
    assert found["cut-node"].what == ("B",)
    assert (found["no-capacity"].count, found["no-capacity"].what) == (1, ())
    assert found["ospf-metric"].what == ("B--C 65536",)
    assert found["zero-delay"].what == found["parallel-links"].what == ("A--B#1", "A--B#2")


def test_waypoints_that_stay() -> None:
    """W joins three cables, so it stays; V joins two and is merged away."""
    nodes = [*named("ABC"), {"name": "W", "kind": "waypoint"}, {"name": "V", "kind": "waypoint"}]
    links = [{"a": a, "b": b, **FULL} for a, b in ("AW", "BW", "CW", "AV", "VB")]
    assert findings({"nodes": nodes, "links": links})["waypoint"].what == ("W",)
    assert findings({"nodes": nodes, "links": links}, waypoints="keep")["waypoint"].count == 2


def test_facts() -> None:
    nodes = [
        {"name": "A", "lon": 1.0, "lat": 2.0, "kind": "city"},
        {"name": "B", "lon": -3.0, "lat": 5.0, "kind": "city"},
        {"name": "C"},
        {"name": "D"},
    ]
    links = [
        {"a": "A", "b": "B", "capacity": "10Gbps", "capacity_reverse": "1Gbps", "delay": "2ms"},
        {"a": "B", "b": "C", "capacity": "40Gbps", "delay": "5ms"},
    ]
    facts = describe(read_topology({"nodes": nodes, "links": links}).topology)
    assert (facts.nodes, facts.links, facts.kinds, facts.parts) == (4, 2, {"city": 2}, (3, 1))
    assert (facts.bridges, facts.cut_nodes) == (2, 1)
    assert (facts.degree.least, facts.degree.mean, facts.degree.most) == (0, 1.0, 2)
    assert facts.capacity_bps is not None
    assert facts.delay_s is not None
    assert facts.metric is not None
    assert facts.extent is not None
    assert (facts.capacity_bps.least, facts.capacity_bps.most) == (1e9, 40e9)
    assert (facts.delay_s.least, facts.delay_s.most) == (0.002, 0.005)
    assert (facts.metric.least, facts.metric.most) == (2000, 5000)
    extent = facts.extent
    assert (extent.west, extent.east, extent.south, extent.north) == (-3.0, 1.0, 2.0, 5.0)
    assert (extent.nodes, facts.demands) == (2, None)


def test_one_node_and_no_link() -> None:
    loaded = read_topology({"nodes": named("A")})
    facts = describe(loaded.topology)
    assert (facts.parts, facts.capacity_bps, facts.extent) == ((1,), None, None)
    assert lint(loaded.topology).connected


def test_the_list() -> None:
    rows = topology_list().topologies
    groups: dict[str, int] = {}
    for row in rows:
        groups[row.group] = groups.get(row.group, 0) + 1
    assert list(groups)[:2] == ["builtin", "generate"]
    assert (
        sum(count for name, count in groups.items() if name not in ("builtin", "generate")) >= 700
    )
    sizes = {row.reference: (row.nodes, row.links) for row in rows}
    assert sizes["topohub:backbone/world"] == (3815, 5189)
    assert sizes["builtin:rfc8279"] == (6, 5)
    assert sizes["generate:fat-tree/k=12"] == (612, 1296)
    assert {row.group for row in topology_list("sndlib").topologies} == {"sndlib"}
    with pytest.raises(ScenarioError, match="no group is called 'sndlob'; did you mean 'sndlib'"):
        topology_list("sndlob")


@pytest.mark.parametrize("reference", ["generate:ring/nodes=5", "topohub:sndlib/polska"])
def test_the_list_counts_what_is_loaded(reference: str) -> None:
    topology = find_network(reference).topology
    sizes = {row.reference: (row.nodes, row.links) for row in topology_list().topologies}
    if reference in sizes:
        assert sizes[reference] == (len(topology.nodes), len(topology.links))
    assert len(topology.nodes) == len(topology.graph.names)


def test_a_scenario_stands_for_its_network() -> None:
    """Under its own underlay: gscale counts hops."""
    loaded = find_network("builtin:gscale")
    assert {link.metric for link in loaded.topology.links} == {1}
    assert (len(loaded.topology.nodes), len(loaded.topology.links)) == (12, 19)
    assert len(find_network("builtin:rfc8279").topology.nodes) == 6


def test_a_named_file_may_lie_anywhere_a_scenario_s_may_not(tmp_path: Path) -> None:
    """The user names a link to a file elsewhere; a scenario does so only when allowed to."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "net.yaml").write_text("nodes: [{name: A}]\n")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link.yaml").symlink_to(tmp_path / "real" / "net.yaml")
    assert len(find_network(str(tmp_path / "here" / "link.yaml")).topology.nodes) == 1
    scenario = tmp_path / "here" / "push.yaml"
    scenario.write_text(
        "{schema: mcastplan.scenario/1, name: x, topology: ../real/net.yaml,"
        " clouds: [{name: a, node: A, ingress: 1Gbps}],"
        " transfers: [{name: p, size: 1GB, origin: {node: A}, to: all}]}"
    )
    with pytest.raises(ScenarioError, match="lies outside the scenario's folder"):
        find_network(str(scenario))
    assert len(find_network(str(scenario), allow_outside=True).topology.nodes) == 1
