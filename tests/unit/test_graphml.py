"""Topology Zoo GraphML: units, positions, names, parallel edges, what is refused."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from mcastplan.errors import ScenarioError
from mcastplan.scenario import load_scenario, read_topology
from mcastplan.scenario.complete import LoadedTopology, complete
from mcastplan.scenario.graphml import MAX_DEPTH, raw_from_graphml
from mcastplan.scenario.raw import Underlay

# As the Topology Zoo writes its files: two Berlins, one node without a name, a shared medium.
ZOO = """<?xml version='1.0' encoding='utf-8'?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key attr.name="LinkSpeedRaw" attr.type="double" for="edge" id="d40"/>
  <key attr.name="LinkSpeedUnits" attr.type="string" for="edge" id="d39"/>
  <key attr.name="LinkSpeed" attr.type="string" for="edge" id="d38"/>
  <key attr.name="LinkLabel" attr.type="string" for="edge" id="d37"/>
  <key attr.name="label" attr.type="string" for="node" id="d33"/>
  <key attr.name="Longitude" attr.type="double" for="node" id="d32"/>
  <key attr.name="Internal" attr.type="int" for="node" id="d31"><default>1</default></key>
  <key attr.name="Latitude" attr.type="double" for="node" id="d29"/>
  <key attr.name="hyperedge" attr.type="int" for="node" id="d28"/>
  <key attr.name="Network" attr.type="string" for="graph" id="d19"/>
  <key attr.name="Source" attr.type="string" for="graph" id="d18"/>
  <graph edgedefault="undirected">
    <data key="d19">Zoo</data>
    <data key="d18">http://example.net/map &amp; legend</data>
    <node id="0"><data key="d33">Berlin</data>
      <data key="d32">13.4</data><data key="d29">52.5</data></node>
    <node id="1"><data key="d33">Berlin</data></node>
    <node id="2"><data key="d33">Z\u00fcrich &lt;b&gt;</data>
      <data key="d32">8.5</data><data key="d29">47.4</data></node>
    <node id="3"><data key="d28">1</data></node>
    <node id="4"><data key="d33">Peer</data><data key="d31">0</data></node>
    <edge source="0" target="2"><data key="d40">10000000000.0</data></edge>
    <edge source="2" target="0"><data key="d38">2.5</data><data key="d39">G</data></edge>
    <edge source="0" target="1"><data key="d37">&gt; 155 Mbps</data></edge>
    <edge source="1" target="3"><data key="d38">&lt; 34</data><data key="d39">M</data></edge>
    <edge source="3" target="4"><data key="d40">0</data></edge>
    <edge source="4" target="4"/>
  </graph>
</graphml>
"""


def read(tmp_path: Path, text: str) -> LoadedTopology:
    path = tmp_path / "net.graphml"
    path.write_text(text, encoding="utf-8")
    return read_topology(path)


def test_a_topology_zoo_file(tmp_path: Path) -> None:
    loaded = read(tmp_path, ZOO)
    topology = loaded.topology
    assert topology.name == "Zoo"
    assert topology.source == "GraphML file net (http://example.net/map & legend)"
    nodes = {node.name: node for node in topology.nodes}
    assert sorted(nodes) == ["Berlin", "Berlin-2", "Peer", "Zurich-b", "n3"]
    assert nodes["Zurich-b"].label == "Zürich <b>"
    assert (nodes["Berlin"].lon, nodes["Berlin"].lat) == (13.4, 52.5)
    assert nodes["Berlin-2"].lon is None
    assert (nodes["n3"].kind, nodes["Peer"].kind) == ("shared medium", "external")
    rates = {link.id: link.capacity_bps for link in topology.links}
    assert rates == {
        "Berlin--Berlin-2": 34e6,  # LinkLabel is free text: the least that is known
        "Berlin--Zurich-b#1": 10e9,
        "Berlin--Zurich-b#2": 2.5e9,
        "Berlin-2--n3": 34e6,
        "Peer--n3": 34e6,  # 0 is unknown
    }
    said = " ".join(loaded.assumptions)
    assert "somebody else's (Internal 0), taken as routers: 1." in said
    assert "shared medium (hyperedge 1), taken as routers: 1." in said
    assert "Edges from a node to itself, dropped: 1." in said
    assert "Capacity 34 Mb/s, the least that is known, assumed for 2 of 5 links" in said
    assert "Delay from distance for 2 of 5 links" in said


def test_directed_edges_pair_up(tmp_path: Path) -> None:
    """a -> b with 1 Gb/s and b -> a with 2 are one link; b -> c alone counts both ways."""
    loaded = read(
        tmp_path,
        """<graphml><key id="s" for="edge" attr.name="LinkSpeedRaw"/>
        <graph edgedefault="directed"><node id="a"/><node id="b"/><node id="c"/>
        <edge source="a" target="b"><data key="s">1e9</data></edge>
        <edge source="b" target="c"><data key="s">3e9</data></edge>
        <edge source="b" target="a"><data key="s">2e9</data></edge>
        </graph></graphml>""",
    )
    rates = [
        (link.a, link.b, link.capacity_bps, link.capacity_reverse_bps)
        for link in loaded.topology.links
    ]
    assert rates == [("a", "b", 1e9, 2e9), ("b", "c", 3e9, 3e9)]
    assert any("taken as links both ways: 1" in note for note in loaded.assumptions)


def test_a_scenario_names_the_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "net.graphml").write_text(ZOO, encoding="utf-8")
    path = tmp_path / "push.yaml"
    path.write_text(
        """schema: mcastplan.scenario/1
name: zoo
topology: net.graphml
clouds: [{name: swiss, node: Z\u00fcrich <b>, ingress: 1Gbps}]
transfers: [{name: push, size: 1GB, origin: {node: Berlin-2}, to: all}]
""",
        encoding="utf-8",
    )
    scenario = load_scenario(path)
    assert scenario.clouds[0].node == "Zurich-b"
    assert scenario.topology.name == "Zoo"


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE g SYSTEM "file:///etc/passwd"><graphml/>',
        '<!DOCTYPE g [<!ENTITY a SYSTEM "http://example.net/">]><graphml>&a;</graphml>',
        "<!DOCTYPE graphml><graphml/>",
    ],
)
def test_no_doctype_whatever_it_holds(text: str) -> None:
    with pytest.raises(ScenarioError, match="has a DOCTYPE"):
        raw_from_graphml(text, "bad")


def test_depth_is_bounded() -> None:
    text = "<graphml>" + "<a>" * MAX_DEPTH * 100
    with pytest.raises(ScenarioError, match="has more than"):
        raw_from_graphml(text, "deep")


def test_a_long_drawing_is_cut_off() -> None:
    """A node's data may hold a picture; only its first characters are kept, and as a label 300."""
    text = "x " * 1_000_000
    raw = raw_from_graphml(
        f'<graphml><key id="l" for="node" attr.name="label"/><graph><node id="0"><data key="l">'
        f"{text}</data></node></graph></graphml>",
        "big",
    )
    assert len(raw.nodes[0].label) <= 300


@pytest.mark.parametrize("known_first", [False, True])
def test_a_directed_pair_with_one_speed(known_first: bool) -> None:
    """The known speed counts both ways, whichever edge comes first."""
    there = '<edge source="0" target="1"/>'
    back = '<edge source="1" target="0"><data key="s">5e9</data></edge>'
    raw = raw_from_graphml(
        '<graphml><key id="s" for="edge" attr.name="LinkSpeedRaw"/><graph edgedefault="directed">'
        '<node id="0"/><node id="1"/>'
        + (back + there if known_first else there + back)
        + "</graph></graphml>",
        "pair",
    )
    link = complete(raw, Underlay()).topology.links[0]
    assert (link.capacity_bps, link.capacity_reverse_bps) == (5e9, 5e9)


@pytest.mark.parametrize(
    ("unit", "bps"),
    [
        *(("M", 34e6), ("m", 34e6), ("k", 34e3), ("Gbps", 34e9), ("gb/s", 34e9), ("MBPS", 34e6)),
        *(("bps", 34.0), ("b/s", 34.0), ("T", 34e12)),
        *(("", None), ("MB/s", None), ("MBps", None), ("Mbit", None), ("OC", None), ("MM", None)),
    ],
)
def test_a_speed_needs_a_unit(unit: str, bps: float | None) -> None:
    raw = raw_from_graphml(
        '<graphml><key id="s" for="edge" attr.name="LinkSpeed"/>'
        '<key id="u" for="edge" attr.name="LinkSpeedUnits"/><graph><node id="0"/><node id="1"/>'
        f'<edge source="0" target="1"><data key="s">34</data><data key="u">{unit}</data></edge>'
        "</graph></graphml>",
        "units",
    )
    assert raw.links[0].capacity_bps == bps


def test_defaults_count_for_their_kind_of_element() -> None:
    raw = raw_from_graphml(
        '<graphml><key id="i" for="node" attr.name="Internal"><default>0</default></key>'
        '<key id="l" for="edge" attr.name="label"><default>cable</default></key>'
        '<key id="s" attr.name="LinkSpeedRaw"><default>1e9</default></key>'
        '<graph><node id="0"/><node id="1"><data key="i">1</data></node>'
        '<edge source="0" target="1"/><edge source="0" target="1"><data key="s">2e9</data></edge>'
        "</graph></graphml>",
        "defaults",
    )
    assert [(node.name, node.label, node.kind) for node in raw.nodes] == [
        ("n0", "", "external"),
        ("n1", "", ""),
    ]
    assert [link.capacity_bps for link in raw.links] == [1e9, 2e9]


def test_a_node_without_a_label_keeps_an_id_that_is_a_name() -> None:
    """Not one that YAML takes for a number or a word: a scenario would have to quote it."""
    ids = ("7", "us-east-1", "a b", "1e3", "true", "Berlin", "x--y")
    nodes = "".join(f'<node id="{each}"/>' for each in ids)
    raw = raw_from_graphml(
        '<graphml><key id="l" for="node" attr.name="label"/><graph>'
        '<node id="9"><data key="l">Berlin</data></node>'
        f'{nodes}<node id="us-west"><data key="l">Oregon</data></node></graph></graphml>',
        "ids",
    )
    assert [(node.name, node.label) for node in raw.nodes] == [
        ("Berlin-2", "Berlin"),  # the name is taken by the id
        ("n7", ""),
        ("us-east-1", ""),
        ("na-b", ""),
        ("n1e3", ""),
        ("ntrue", ""),
        ("Berlin", ""),
        ("nx-y", ""),
        ("Oregon", "Oregon"),
    ]


def test_many_defaults_and_many_nodes() -> None:
    """12,000 keys with a default and 30,000 nodes: work is their sum, not their product."""
    keys = "".join(
        f'<key id="k{n}" for="node" attr.name="x{n}"><default>1</default></key>'
        for n in range(12_000)
    )
    nodes = "".join(f'<node id="{n}"/>' for n in range(30_000))

    def hangs(*_: object) -> None:
        raise AssertionError("hangs")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(20)
    try:
        raw = raw_from_graphml(f"<graphml>{keys}<graph>{nodes}</graph></graphml>", "many")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert len(raw.nodes) == 30_000
