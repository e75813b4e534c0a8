"""Attributes of graphs that others wrote: read where they are known, named where they are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings

from mcastplan.errors import ScenarioError
from mcastplan.model.topology import NodeInfo, Topology
from mcastplan.scenario import (
    from_networkx,
    load_scenario,
    load_topology,
    read_networkx,
    read_topology,
    to_networkx,
)
from mcastplan.scenario.complete import LoadedTopology
from mcastplan.study.network import lint
from tests.networks import link, topologies

BANDWIDTH = {"capacity": {"name": "bandwidth", "unit": "1bps"}}
DELAY = {"delay": {"name": "delay", "unit": "1s"}}


def graphml(tmp_path: Path, edges: str, kind: str = "undirected", nodes: str = "") -> Path:
    """Two nodes, ``edges`` with the attributes bandwidth (b), delay (d) and weight (w)."""
    path = tmp_path / "net.graphml"
    path.write_text(
        '<graphml><key id="b" for="edge" attr.name="bandwidth"/>'
        '<key id="d" for="edge" attr.name="delay"/><key id="w" for="edge" attr.name="weight"/>'
        f'<key id="p" for="node" attr.name="pop"/><graph edgedefault="{kind}">'
        f'{nodes}<node id="eu-one"/><node id="us-one"/>{edges}</graph></graphml>'
    )
    return path


def edge(source: str, target: str, /, **data: object) -> str:
    inner = "".join(f'<data key="{key}">{value}</data>' for key, value in data.items())
    return f'<edge source="{source}" target="{target}">{inner}</edge>'


def read(path: Path, attributes: Any = None) -> LoadedTopology:
    return read_topology(path, attributes=attributes)


def test_what_is_not_read_is_named_with_how_many_carry_it(tmp_path: Path) -> None:
    """Two of three edges have a bandwidth, one a delay, one of three nodes a population."""
    path = graphml(
        tmp_path,
        edge("eu-one", "us-one", b=1e9, d=0.042)
        + edge("eu-one", "us-one", b=1e9)
        + edge("x", "us-one", d=""),
        nodes='<node id="x"><data key="p">7</data></node>',
    )
    loaded = read(path)
    assert loaded.assumptions[:2] == (
        "Attributes of edges that are not read: 'bandwidth' (2 of 3), 'delay' (1 of 3); if one is"
        " the capacity, delay or metric, name it in underlay.attributes.",
        "Attributes of nodes that are not read: 'pop' (1 of 3).",
    )
    said = " ".join(loaded.assumptions)
    assert "Capacity 100 Gb/s assumed for 3 of 3 links, of which none is read." in said
    assert "none in the source" not in said
    found = {each.rule: each for each in lint(loaded.topology, 3, loaded.unread).findings}
    assert found["unread-edge"].level == "warning"
    assert found["unread-edge"].what == ("'bandwidth' (2 of 3)", "'delay' (1 of 3)")
    assert found["unread-node"].what == ("'pop' (1 of 3)",)
    assert found["no-capacity"].meaning.startswith("no capacity that is read:")


def test_without_attributes_there_are_none_in_the_source(tmp_path: Path) -> None:
    loaded = read(graphml(tmp_path, edge("eu-one", "us-one")))
    assert loaded.unread == ()
    said = "Capacity 100 Gb/s assumed for 1 of 1 links, which have none in the source."
    assert said in loaded.assumptions
    found = {each.rule: each for each in lint(loaded.topology, 1).findings}
    assert found["no-capacity"].meaning.startswith("no capacity in the source:")


def test_a_default_that_is_not_read_is_carried_by_all(tmp_path: Path) -> None:
    path = tmp_path / "net.graphml"
    path.write_text(
        '<graphml><key id="b" for="edge" attr.name="bandwidth"><default>5</default></key>'
        '<key id="y" for="node" yfiles.type="nodegraphics"/><graph>'
        '<node id="A"><data key="y"><Shape>drawn</Shape></data></node><node id="B"/>'
        + edge("A", "B")
        + edge("A", "B", b=7)
        + "</graph></graphml>"
    )
    counted = [(each.kind, each.name, each.count, each.of) for each in read(path).unread]
    assert counted == [("edge", "bandwidth", 2, 2), ("node", "nodegraphics", 1, 2)]
    rates = [each.capacity_bps for each in read(path, BANDWIDTH).topology.links]
    assert sorted(rates) == [5.0, 7.0]


def test_the_user_says_what_they_are(tmp_path: Path) -> None:
    """1,000 Mb/s, 42 ms and a metric of 10; the weight is not read unless it is named."""
    path = graphml(tmp_path, edge("eu-one", "us-one", b=1000, d=42, w=10.0))
    given: dict[str, Any] = {
        "capacity": {"name": "bandwidth", "unit": "1Mbps"},
        "delay": {"name": "delay", "unit": "1ms"},
    }
    loaded = read(path, given)
    (found,) = loaded.topology.links
    assert (found.capacity_bps, found.delay_s) == (1e9, 0.042)
    assert [each.name for each in loaded.unread] == ["weight"]
    topology = load_topology(
        path, attributes={**given, "metric": {"name": "weight"}}, metric="explicit"
    )
    assert topology.links[0].metric == topology.links[0].metric_reverse == 10


def test_values_may_carry_their_units(tmp_path: Path) -> None:
    path = graphml(tmp_path, edge("eu-one", "us-one", b="10 Gbps", d="42ms"))
    given = {"capacity": {"name": "bandwidth"}, "delay": {"name": "delay"}}
    (found,) = load_topology(path, attributes=given).links
    assert (found.capacity_bps, found.delay_s) == (1e10, 0.042)


@pytest.mark.parametrize(
    ("data", "attributes", "what"),
    [
        ({"b": 1e9}, {"capacity": {"name": "bandwith"}}, "no edge has the attribute 'bandwith'; d"),
        (
            {"b": 1e9},
            {"capacity": {"name": "bandwidth"}},
            "bandwidth '1000000000.0' has no unit; say what 1",
        ),
        (
            {"b": "10G"},
            BANDWIDTH,
            "bandwidth '10G', in units of 1 b/s, is out of range; it is a nu",
        ),
        ({"b": 1e9}, {"capacity": {"name": "bandwidth", "unit": "1"}}, "'1' is not a rate; write"),
        (
            {"d": 2000},
            DELAY,
            "delay '2000', in units of 1 s, is out of range; it is a number, and 0",
        ),
        (
            {"w": 0.5},
            {"metric": {"name": "weight"}},
            "weight '0.5' is out of range; it is a number",
        ),
        ({"w": 1.5}, {"metric": {"name": "weight"}}, "weight 1.5 is not a whole number; round it"),
        ({}, {"speed": {"name": "b"}}, "unknown key 'speed'; known: capacity, delay, metric"),
    ],
)
def test_bad_attributes(
    data: dict[str, object], attributes: Any, what: str, tmp_path: Path
) -> None:
    path = graphml(tmp_path, edge("eu-one", "us-one", **data))
    with pytest.raises(ScenarioError) as caught:
        read(path, attributes)
    assert caught.value.what.startswith(what)


def test_a_scenario_reads_a_foreign_file(tmp_path: Path) -> None:
    """The same as from Python; and what it does not read stands in the result's assumptions."""
    graphml(tmp_path, edge("eu-one", "us-one", b=1e9, d=0.042))
    path = tmp_path / "push.yaml"
    text = (
        "schema: mcastplan.scenario/1\nname: foreign\ntopology: net.graphml\n"
        "clouds: [{name: c, node: us-one, ingress: 100Gbps}]\n"
        "transfers: [{name: p, size: 70GB, origin: {node: eu-one}, to: all}]\n"
    )
    path.write_text(text)
    assert any(
        "'bandwidth' (1 of 1), 'delay' (1 of 1)" in each for each in load_scenario(path).assumptions
    )
    path.write_text(text + f"underlay: {{attributes: {BANDWIDTH | DELAY}}}\n")
    scenario = load_scenario(path)
    assert scenario.topology.links[0].capacity_bps == 1e9
    said = ("Metrics are the delays, for no link has a metric of its own.",)
    assert scenario.assumptions == said
    path.write_text(
        text.replace("net.graphml", "builtin:geant") + f"underlay: {{attributes: {DELAY}}}\n"
    )
    with pytest.raises(ScenarioError, match="is for the edges of a GraphML file"):
        load_scenario(path)


def test_two_directed_edges_with_two_delays(tmp_path: Path) -> None:
    """40 ms there and 42 ms back, as measured: a link has one delay, the larger, and it is said."""
    path = graphml(
        tmp_path,
        edge("eu-one", "us-one", d=0.040, w=3) + edge("us-one", "eu-one", d=0.042, w=5),
        "directed",
    )
    loaded = read_topology(
        path, attributes={**DELAY, "metric": {"name": "weight"}}, metric="explicit"
    )
    (found,) = loaded.topology.links
    assert (found.delay_s, found.metric, found.metric_reverse) == (0.042, 3, 5)
    assert any(
        each.endswith("a link has the larger one both ways: 1.") for each in loaded.assumptions
    )


@pytest.mark.parametrize(
    ("lon", "lat"), [("lon", "lat"), ("longitude", "LATITUDE"), ("Lon", "Lat")]
)
def test_positions_in_any_case(lon: str, lat: str) -> None:
    graph = nx.Graph()
    graph.add_node("A", **{lon: 4.9, lat: 52.4})
    (node,) = from_networkx(graph).nodes
    assert (node.lon, node.lat) == (4.9, 52.4)


def test_half_a_position_is_not_read() -> None:
    graph = nx.Graph()
    graph.add_node("A", lat=52.4)
    with pytest.raises(
        ScenarioError, match=r"nodes have .* not read: 'lat' \(1 of 1\); a position"
    ):
        from_networkx(graph)


def test_a_speed_without_a_unit_is_not_read() -> None:
    graph = nx.Graph([("A", "B", {"LinkSpeed": 34, "LinkSpeedUnits": "OC"})])
    with pytest.raises(ScenarioError, match=r"'LinkSpeed' \(1 of 1\), 'LinkSpeedUnits' \(1 of 1\)"):
        from_networkx(graph)
    graph = nx.Graph([("A", "B", {"LinkSpeed": "<34", "LinkSpeedUnits": "M"})])
    assert from_networkx(graph).links[0].capacity_bps == 34e6


def test_networkx_drops_nothing_in_silence() -> None:
    """Read as told, waived as told, else an error; the values of the graph are 1 Gb/s and 4 ms."""
    graph = nx.Graph([("ams", "ber", {"capacity": 1e9, "delay": 0.004, "weight": 10})])
    with pytest.raises(ScenarioError) as caught:
        from_networkx(graph)
    assert str(caught.value) == (
        "edges have attributes that are not read: 'capacity' (1 of 1), 'delay' (1 of 1), 'weight'"
        " (1 of 1); say what they are, as in attributes={'delay': {'name': ..., 'unit': '1ms'}}, or"
        " leave them out with ignore=[...]"
    )
    attributes = {
        "capacity": {"name": "capacity", "unit": "1bps"},
        "delay": {"name": "delay", "unit": "1s"},
    }
    loaded = read_networkx(graph, attributes=attributes, ignore="weight")
    (found,) = loaded.topology.links
    assert (found.capacity_bps, found.delay_s, found.metric) == (1e9, 0.004, 4000)
    said = ("Metrics are the delays, for no link has a metric of its own.",)
    assert loaded.assumptions == said
    attributes["metric"] = {"name": "weight"}
    assert from_networkx(graph, attributes=attributes).links[0].metric == 10


def test_networkx_takes_anything_as_a_key_or_a_value() -> None:
    """A key that is a number, one on two lines, positions drawn by a layout: named on one line."""
    graph = nx.Graph([("A", "B", {1: 2, "a\nb": [3]}), ("B", "C", {"metric": None})])
    with pytest.raises(ScenarioError, match=r"not read: '1' \(1 of 2\), 'a b' \(1 of 2\); say"):
        from_networkx(graph)
    nx.set_node_attributes(graph, nx.circular_layout(graph), "pos")
    with pytest.raises(ScenarioError, match=r"nodes have .*: 'pos' \(3 of 3\); a position"):
        from_networkx(graph, ignore=[1, "a\nb"])
    assert len(from_networkx(graph, ignore=["1", "a\nb", "pos"]).links) == 2


def test_assumptions_go_into_the_scenario() -> None:
    """A graph that says nothing: delay and capacity are assumed, which the result must say."""
    loaded = read_networkx(nx.Graph([("A", "B")]))
    value = {
        "schema": "mcastplan.scenario/1",
        "name": "given",
        "clouds": [{"name": "c", "node": "B", "ingress": "1Gbps"}],
        "transfers": [{"name": "p", "size": "1GB", "origin": {"node": "A"}, "to": "all"}],
    }
    scenario = load_scenario(value, topology=loaded)
    assert scenario.assumptions == loaded.assumptions
    assert any("Capacity 100 Gb/s assumed for 1 of 1" in each for each in loaded.assumptions)
    assert load_scenario(value, topology=loaded.topology).topology == loaded.topology


def written(topology: Topology, path: Path) -> Path:
    nx.write_graphml(to_networkx(topology), path)
    return path


def read_back(path: Path) -> Topology:
    return load_topology(path, metric="explicit", waypoints="keep")


@given(topologies())
@settings(max_examples=50)
def test_what_networkx_writes_of_it_is_the_same_topology(
    tmp_path_factory: pytest.TempPathFactory, topology: Topology
) -> None:
    path = tmp_path_factory.mktemp("own") / "own.graphml"
    canonical = from_networkx(to_networkx(topology), waypoints="keep")
    assert read_back(written(canonical, path)) == canonical
    assert from_networkx(nx.read_graphml(path), waypoints="keep") == canonical


def test_labels_positions_and_odd_names_come_back(tmp_path: Path) -> None:
    """Names that YAML takes for numbers, labels unlike them, half the nodes without a position."""
    links = (
        link("7", "NL", 3, 5, gbps=155e-3, delay_s=0.000123),
        link("7", "NL", 2, tag="#2", delay_s=0.5),
        link("1e3", "NL"),
    )
    nodes = (
        NodeInfo("7", "The  Hague & <b>", 4.3, 52.1, "city"),
        NodeInfo("NL", "", None, None, "external"),
        NodeInfo("1e3", "NL", -0.1, 0.0),
    )
    topology = Topology.make("own", nodes, links, "me, 2024", "CC0")
    canonical = from_networkx(to_networkx(topology), waypoints="keep")
    assert {each.label for each in canonical.nodes} == {"The  Hague & <b>", "", "NL"}
    path = written(canonical, tmp_path / "own.graphml")
    assert read_back(path) == canonical
    assert from_networkx(nx.read_graphml(path), waypoints="keep") == canonical
    assert read_topology(path, metric="explicit", waypoints="keep").unread == ()


@pytest.mark.parametrize(
    "reference", ["topohub:backbone/africa", "builtin:geant", "builtin:rl-delta"]
)
def test_real_ones_come_back(reference: str, tmp_path: Path) -> None:
    if reference.startswith("builtin:"):
        topology = load_scenario(reference).topology
    else:
        topology = load_topology(reference)
    path = written(topology, tmp_path / "own.graphml")
    assert read_back(path) == topology


def test_a_later_schema_of_its_own_is_refused(tmp_path: Path) -> None:
    graph = to_networkx(from_networkx(nx.Graph([("A", "B")])))
    graph.graph["schema"] = "mcastplan.topology/2"
    path = tmp_path / "own.graphml"
    nx.write_graphml(graph, path)
    with pytest.raises(ScenarioError, match=r"schema 'mcastplan.topology/2' is not known; this"):
        load_topology(path)
