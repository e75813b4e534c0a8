"""Topologies from files and mappings: completion, ids, orientation, waypoints, sources."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from mcastplan.errors import ScenarioError
from mcastplan.scenario import load_topology, read_topology


def topo(links: list[dict[str, Any]], **nodes: dict[str, Any]) -> dict[str, Any]:
    """A mapping with these links; nodes are made up as needed."""
    names = {link[end] for link in links for end in "ab"} | set(nodes)
    return {
        "name": "t",
        "nodes": [{"name": name, **nodes.get(name, {})} for name in sorted(names)],
        "links": links,
    }


def test_defaults_of_a_link() -> None:
    """A - B, nothing known: 100 Gb/s both ways, no delay, metric 1, and it is said."""
    loaded = read_topology(topo([{"a": "B", "b": "A"}]))
    (link,) = loaded.topology.links
    assert (link.id, link.a, link.b) == ("A--B", "A", "B")
    assert link.capacity_bps == link.capacity_reverse_bps == 100e9
    assert (link.delay_s, link.metric, link.metric_reverse) == (0.0, 1, 1)
    assert loaded.assumptions == (
        "Delay 0 for 1 of 1 links, which have neither a delay nor positions.",
        "Capacity 100 Gb/s assumed for 1 of 1 links, which have none in the source.",
        "Metrics are the delays, for no link has a metric of its own.",
    )


def test_values_keep_their_direction() -> None:
    """Given from Z to A, so A -> Z has the reverse values."""
    spec = {"a": "Z", "b": "A", "capacity": "10Gbps", "capacity_reverse": "40Gbps"}
    spec |= {"delay": "1ms", "metric": 5, "metric_reverse": 7, "srlgs": ["y", "x", "y"]}
    (link,) = load_topology(topo([spec]), metric="explicit").links
    assert (link.a, link.b) == ("A", "Z")
    assert (link.capacity_bps, link.capacity_reverse_bps) == (40e9, 10e9)
    assert (link.metric, link.metric_reverse) == (7, 5)
    assert link.srlgs == ("x", "y")


def test_capacity_fills_only_what_is_missing() -> None:
    links = [
        {"a": "A", "b": "B", "capacity": "1Gbps"},
        {"a": "B", "b": "C", "capacity_reverse": "2Gbps"},
        {"a": "C", "b": "D"},
    ]
    loaded = read_topology(topo(links), capacity_bps=5e9)
    rates = [(link.capacity_bps, link.capacity_reverse_bps) for link in loaded.topology.links]
    assert rates == [(1e9, 1e9), (5e9, 2e9), (5e9, 5e9)]
    text = "Capacity 5 Gb/s assumed for 2 of 3 links, which have none in the source"
    assert f"{text}; the others have 1 Gb/s to 2 Gb/s." in loaded.assumptions


def test_a_gap_beside_known_capacities_is_not_the_widest() -> None:
    links = [
        {"a": "A", "b": "B", "capacity": "155Mbps"},
        {"a": "B", "b": "C", "capacity": "10Gbps"},
        {"a": "A", "b": "C"},
    ]
    loaded = read_topology(topo(links))
    rates = {link.id: link.capacity_bps for link in loaded.topology.links}
    assert rates == {"A--B": 155e6, "B--C": 10e9, "A--C": 155e6}
    assert (
        "Capacity 155 Mb/s, the least that is known, assumed for 1 of 3 links, which have none in"
        " the source."
    ) in loaded.assumptions


def test_metric_rules() -> None:
    links = [
        {"a": "A", "b": "B", "delay": "1234.6us", "metric": 9},
        {"a": "B", "b": "C", "delay": "400us", "metric": 8, "metric_reverse": 3},
    ]
    links[0]["delay"] = "1234us"
    unused = "Metrics of 2 links in the source are not used: underlay.metric is {}."
    by_delay = read_topology(topo(links), metric="delay")
    metrics = [(link.metric, link.metric_reverse) for link in by_delay.topology.links]
    assert metrics == [(1234, 1234), (400, 400)]
    assert unused.format("delay") in by_delay.assumptions
    hops = read_topology(topo(links), metric="hops")
    assert [link.metric for link in hops.topology.links] == [1, 1]
    assert unused.format("hops") in hops.assumptions
    for explicit in (read_topology(topo(links), metric="explicit"), read_topology(topo(links))):
        metrics = [(link.metric, link.metric_reverse) for link in explicit.topology.links]
        assert metrics == [(9, 9), (8, 3)]
    assert "Metrics are those of the links, each of which has one." in explicit.assumptions


def test_metrics_of_some_links_are_no_metrics() -> None:
    links: list[dict[str, object]] = [{"a": "A", "b": "B", "metric": 9}, {"a": "B", "b": "C"}]
    with pytest.raises(ScenarioError, match="link B to C has no metric, and 1 of 2 links have one"):
        load_topology(topo(links))
    assert [link.metric for link in load_topology(topo(links), metric="hops").links] == [1, 1]


def test_delays_below_a_microsecond_keep_their_order() -> None:
    """A-B-C takes 0.8 us, A-C 1.4 us: in whole microseconds A-C would be the shorter way."""
    links = [
        {"a": "A", "b": "B", "delay": "400ns"},
        {"a": "B", "b": "C", "delay": "0.4us"},
        {"a": "A", "b": "C", "delay": "1400ns"},
    ]
    loaded = read_topology(topo(links))
    rows = {link.id: (link.delay_s, link.metric) for link in loaded.topology.links}
    assert rows == {"A--B": (4e-7, 400), "B--C": (4e-7, 400), "A--C": (1.4e-6, 1400)}
    said = "Metrics are delays in nanoseconds, since not all are whole microseconds."
    assert said in loaded.assumptions
    links[0]["delay"] = "0.4ns"
    with pytest.raises(ScenarioError, match=r"'0\.4ns' is not a whole number of nanoseconds"):
        load_topology(topo(links))


def test_delay_from_positions() -> None:
    """A quarter of the equator: 10,007,557 m by the mean radius; x 1.5 x 5 us/km = 75,057 us."""
    links = [{"a": "A", "b": "B"}]
    ends = {"A": {"lon": 0, "lat": 0}, "B": {"lon": 90, "lat": 0}}
    (link,) = load_topology(topo(links, **ends)).links
    quarter_m = math.pi / 2 * 6_371_008.8
    assert link.delay_s == round(round(quarter_m) * 1.5 * 5 / 1000) / 1e6 == 0.075057
    (short,) = load_topology(topo(links, **ends), route_factor=1).links
    assert short.delay_s == 0.050038
    ends["B"] = {"lon": 90}  # half a position is none
    assert load_topology(topo(links, **ends)).links[0].delay_s == 1e-6  # taken to be at A


def test_a_node_without_a_position_is_no_short_cut() -> None:
    """A and B a quarter of the equator apart, 75,057 us; H, joined to both, is taken to lie in the
    middle: 37,529 us (rounded up) and one more to each, so that the direct link wins."""
    links = [{"a": "A", "b": "B"}, {"a": "A", "b": "H"}, {"a": "H", "b": "B"}, {"a": "H", "b": "I"}]
    ends = {"A": {"lon": 0, "lat": 0}, "B": {"lon": 90, "lat": 0}}
    loaded = read_topology(topo(links, **ends))
    delay = {link.id: round(link.delay_s * 1e6) for link in loaded.topology.links}
    assert delay == {"A--B": 75_057, "A--H": 37_530, "B--H": 37_530, "H--I": 1}
    assert loaded.guessed == ("H", "I")
    assert (
        "Position unknown for 2 nodes (H, I): taken to lie amid the neighbours, for the delay of"
        " 3 links; no way over them is shorter than one that is known."
    ) in loaded.assumptions
    assert set(loaded.gaps) <= set(loaded.assumptions) and len(loaded.gaps) == 1


def test_a_guess_is_no_short_cut_past_a_stated_delay() -> None:
    """A and C a degree apart: by the globe 834 us, stated as 5 ms. Over B, which lies somewhere,
    418 us twice would win: what is lacking is added, half of it at either end."""
    links = [{"a": "A", "b": "C", "delay": "5ms"}, {"a": "A", "b": "B"}, {"a": "B", "b": "C"}]
    ends = {"A": {"lon": 0, "lat": 0}, "C": {"lon": 1, "lat": 0}}
    loaded = read_topology(topo(links, **ends))
    delay = {link.id: round(link.delay_s * 1e6) for link in loaded.topology.links}
    assert delay["A--C"] == 5000
    assert delay["A--B"] + delay["B--C"] in (5001, 5002)


def test_a_metric_back_needs_one_there() -> None:
    links = [{"a": "A", "b": "B", "delay": "1ms", "metric_reverse": 5}]
    with pytest.raises(ScenarioError, match="stands without 'metric', the one from a to b"):
        load_topology(topo(links))


def test_an_unknown_delay_is_the_largest_known_one() -> None:
    links = [{"a": "A", "b": "B", "delay": "10ms"}, {"a": "A", "b": "H"}, {"a": "H", "b": "B"}]
    loaded = read_topology(topo(links))
    assert {link.delay_s for link in loaded.topology.links} == {0.010}
    assert loaded.assumed == ("A--H", "B--H")
    assert (
        "Delay unknown for 2 of 3 links, which have neither a delay nor positions: taken as long as"
        " the longest that is known, or longer where a known way would lose by it (10 ms at most)."
    ) in loaded.assumptions


def test_the_widest_of_parallel_links_comes_first() -> None:
    links = [
        {"a": "A", "b": "B", "capacity": "40Gbps", "delay": "2ms"},
        {"a": "B", "b": "A", "capacity": "10Gbps", "delay": "2ms"},
        {"a": "A", "b": "B", "capacity": "10Gbps", "delay": "1ms"},
        {"a": "A", "b": "C"},
    ]
    for order in (links, links[::-1]):
        found = {link.id: link for link in load_topology(topo(order)).links}
        assert sorted(found) == ["A--B#1", "A--B#2", "A--B#3", "A--C"]
        rows = [(found[f"A--B#{n}"].delay_s, found[f"A--B#{n}"].capacity_bps) for n in (1, 2, 3)]
        assert rows == [(0.002, 40e9), (0.001, 10e9), (0.002, 10e9)]


def test_parallel_links_of_one_metric_and_unequal_capacity_are_said() -> None:
    """The IGP sees no difference; ids of one's own may put the narrow one first."""
    links = [
        {"a": "A", "b": "B", "capacity": "155Mbps", "delay": "5ms"},
        {"a": "A", "b": "B", "capacity": "100Gbps", "delay": "5ms"},
    ]
    said = "Of parallel links of one metric and unequal capacity, ecmp: first uses the first: {}."
    assert said.format("A--B#1 (100 Gb/s)") in read_topology(topo(links)).assumptions
    links[0]["id"], links[1]["id"] = "a", "b"
    narrow = "a (155 Mb/s, though another has 100 Gb/s)"
    assert said.format(narrow) in read_topology(topo(links)).assumptions


def test_a_given_id_stays_and_counts() -> None:
    """The named link is the first of the two by delay, so the other is #2."""
    links = [
        {"a": "A", "b": "B", "id": "trunk", "delay": "1ms"},
        {"a": "A", "b": "B", "delay": "2ms"},
    ]
    assert [link.id for link in load_topology(topo(links)).links] == ["A--B#2", "trunk"]


WAY = {"kind": "waypoint"}


def test_waypoints_merge() -> None:
    """A - w1 - w2 - B with 1, 2, 4 ms and 10, 40, 20 Gb/s one way, 30, 5, 50 back."""
    links = [
        {"a": "A", "b": "w1", "delay": "1ms", "capacity": "10Gbps", "capacity_reverse": "30Gbps"},
        {"a": "w2", "b": "w1", "delay": "2ms", "capacity": "5Gbps", "capacity_reverse": "40Gbps"},
        {"a": "w2", "b": "B", "delay": "4ms", "capacity": "20Gbps", "capacity_reverse": "50Gbps"},
    ]
    links[0]["srlgs"] = ["duct"]
    links[2]["srlgs"] = ["sea", "duct"]
    for link, (metric, reverse) in zip(links, [(1, 10), (20, 2), (4, 40)], strict=True):
        link |= {"metric": metric, "metric_reverse": reverse}
    loaded = read_topology(topo(links, w1=WAY, w2=WAY), metric="explicit")
    (link,) = loaded.topology.links
    assert (link.id, link.delay_s) == ("A--B", 0.007)
    assert (link.capacity_bps, link.capacity_reverse_bps) == (10e9, 5e9)
    assert (link.metric, link.metric_reverse) == (1 + 2 + 4, 10 + 20 + 40)
    assert link.srlgs == ("duct", "sea")
    assert loaded.merged == ("w1", "w2")
    assert loaded.assumptions == (
        "Cable waypoints with two links, merged into the links they lie on: 2.",
    )
    by_delay = load_topology(topo(links, w1=WAY, w2=WAY), metric="delay")
    assert by_delay.links[0].metric == 7000
    assert load_topology(topo(links, w1=WAY, w2=WAY), metric="hops").links[0].metric == 1


def test_waypoints_add_what_their_pieces_say() -> None:
    links = [{"a": "A", "b": "w", "delay": "0.6us"}, {"a": "w", "b": "B", "delay": "0.6us"}]
    assert load_topology(topo(links, w=WAY)).links[0].delay_s == 1.2e-6


def test_waypoints_that_stay_go_or_ring() -> None:
    """w3 joins three cables and stays; A-w4-w5-A is a loop; r1-r2-r3 is a ring without a router;
    A-w1-B and A-w2-B end parallel to A-B; w6 hangs on one link and stays."""
    pairs = ["A w1", "w1 B", "A w2", "w2 B", "A B", "A w3", "B w3", "C w3", "A w4", "w4 w5"]
    pairs += ["w5 A", "r1 r2", "r2 r3", "r3 r1", "C w6"]
    links = [dict(zip("ab", pair.split(), strict=True)) for pair in pairs]
    ways = dict.fromkeys(["w1", "w2", "w3", "w4", "w5", "w6", "r1", "r2", "r3"], WAY)
    loaded = read_topology(topo(links, **ways))
    assert [node.name for node in loaded.topology.nodes] == ["A", "B", "C", "w3", "w6"]
    assert [link.id for link in loaded.topology.links] == [
        "A--B#1",
        "A--B#2",
        "A--B#3",
        "A--w3",
        "B--w3",
        "C--w3",
        "C--w6",
    ]
    assert loaded.assumptions[-2:] == (
        "Cable waypoints with two links, merged into the links they lie on: 7 (cables back to the"
        " same router, dropped: 1).",
        "Cable waypoints that stay and forward as routers: 2.",
    )
    kept = read_topology(topo(links, **ways), waypoints="keep")
    assert len(kept.topology.nodes) == 12
    assert kept.assumptions[-1] == "Cable waypoints that stay and forward as routers: 9."


def test_a_waypoint_between_two_parallel_links_is_a_loop() -> None:
    links = [{"a": "A", "b": "w"}, {"a": "w", "b": "A"}, {"a": "A", "b": "B"}]
    assert [link.id for link in load_topology(topo(links, w=WAY)).links] == ["A--B"]


def test_nothing_but_waypoints() -> None:
    ring = [{"a": "x", "b": "y"}, {"a": "y", "b": "z"}, {"a": "z", "b": "x"}]
    with pytest.raises(ScenarioError, match="no router is left"):
        load_topology(topo(ring, x=WAY, y=WAY, z=WAY))


def test_one_node_is_a_topology() -> None:
    topology = load_topology({"nodes": [{"name": "A"}]})
    assert (topology.name, len(topology.nodes), topology.links) == ("topology", 1, ())


def test_schema_key_is_optional_but_checked() -> None:
    spec = topo([{"a": "A", "b": "B"}])
    assert load_topology({"schema": "mcastplan.topology/1", **spec}) == load_topology(spec)
    with pytest.raises(ScenarioError, match="this file is a scenario"):
        load_topology({"schema": "mcastplan.scenario/1", **spec})


def test_files(tmp_path: Path) -> None:
    spec = topo([{"a": "A", "b": "B"}])
    (tmp_path / "net.json").write_text(json.dumps(spec))
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "net.json").symlink_to(tmp_path / "net.json")
    assert load_topology(tmp_path / "net.json") == load_topology(spec)
    assert load_topology("net.json", folder=tmp_path) == load_topology(spec)
    with pytest.raises(ScenarioError, match="lies outside"):
        load_topology("../net.json", folder=inner)
    with pytest.raises(ScenarioError, match="lies outside"):
        load_topology("net.json", folder=inner)  # the link leads out
    with pytest.raises(ScenarioError, match="there is no file"):
        load_topology("nothing.yaml", folder=tmp_path)
    with pytest.raises(ScenarioError, match=r"not a usable file name|there is no file"):
        load_topology("a\0b", folder=tmp_path)


def test_builtin() -> None:
    topology = load_topology("builtin:rfc8279")
    assert [link.id for link in topology.links] == ["A--B", "B--C", "B--E", "C--D", "C--F"]
    assert topology.source == "RFC 8279 figure 1"


def test_topohub() -> None:
    loaded = read_topology("topohub:sndlib/abilene")
    topology = loaded.topology
    assert (len(topology.nodes), len(topology.links)) == (12, 15)
    assert topology.name == "sndlib/abilene"
    assert topology.licence == "MIT (topohub)"
    assert "SNDlib" in topology.source
    first = next(link for link in topology.links if link.id == "ATLAM5--ATLAng")
    assert first.delay_s == round(132_400 * 1.5 * 5 / 1000) / 1e6  # 132.4 km, topohub's own
    assert topology.nodes[0].label == "ATLAM5"
    assert (topology.nodes[0].lon, topology.nodes[0].lat) == (-84.38, 33.75)


def test_topohub_drawing_coordinates_are_not_degrees() -> None:
    for key in ("gabriel/5/0", "sndlib/atlanta"):
        loaded = read_topology(f"topohub:{key}")
        assert all(node.lon is None and node.lat is None for node in loaded.topology.nodes)
        assert all(link.delay_s > 0 for link in loaded.topology.links)
        assert any("drawing coordinates" in text for text in loaded.assumptions) == (
            key != "gabriel/5/0"
        )
