"""Scenarios: every key, every default, every way in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from mcastplan.errors import ScenarioError
from mcastplan.model.cloud import Cloud
from mcastplan.model.failure import Failure
from mcastplan.model.scenario import (
    BierOptions,
    PimOptions,
    SchemeOptions,
    SrP2mpOptions,
    UnicastOptions,
)
from mcastplan.model.timers import PRESETS, TIMER_ROWS, Timers
from mcastplan.model.transfer import Background, Price, Transfer
from mcastplan.scenario import builtin_names, engines, load_scenario, load_topology
from mcastplan.scenario.files import SCHEME_NAMES, FileSchemes, FileTimers
from tests.networks import link, network

# The example of the contract, word for word.
CONTRACT = """
schema: mcastplan.scenario/1
name: geant-night-push
topology: topohub:topozoo/Geant2012
underlay: {metric: delay, capacity: 100Gbps, ecmp: first, mtu: 9000}
clouds:
  - {name: ams, node: NL, ingress: 40Gbps, egress: 40Gbps, replicas: 8, fabric: 400Gbps, \
fanout: multicast, engine: vllm-8xh200}
transfers:
  - {name: push, model: deepseek-v3-fp8, origin: {node: DE, egress: 100Gbps}, to: all, start: 0s, \
load: streamed}
schemes: {bier: {bsl: 256, bfr_ids: dense}, sr-p2mp: {dataplane: srv6, objective: min-cost}, \
pim-sm: {mode: ssm}, unicast: {per: replica}}
timers: tuned
failures: [{links: [[NL, BE]], at: 10s}]
"""


def base(**changes: Any) -> dict[str, Any]:
    """A - B - C, clouds on A and C, one push from B."""
    nodes = [{"name": "A"}, {"name": "B"}, {"name": "C", "label": "the sea"}]
    links: list[dict[str, Any]] = [
        {"a": "A", "b": "B", "capacity": "10Gbps", "delay": "1ms"},
        {"a": "B", "b": "C", "capacity": "10Gbps", "delay": "1ms", "srlgs": ["duct"]},
        {"a": "C", "b": "B", "capacity": "10Gbps", "delay": "2ms"},
    ]
    scenario: dict[str, Any] = {
        "schema": "mcastplan.scenario/1",
        "name": "case",
        "topology": {"nodes": nodes, "links": links},
        "clouds": [
            {"name": "one", "node": "A", "ingress": "10Gbps"},
            {"name": "two", "node": "the sea", "ingress": "5Gbps"},
        ],
        "transfers": [{"name": "push", "size": "7GB", "origin": {"node": "B"}, "to": "all"}],
    }
    return scenario | changes


def push(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "push", "size": "7GB", "origin": {"node": "B"}, "to": "all"} | changes]


def test_the_contracts_example(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(CONTRACT)
    scenario = load_scenario(path)
    assert scenario == load_scenario(str(path))
    assert scenario.name == "geant-night-push"
    assert len(scenario.topology.nodes) == 37
    engine = next(row for row in engines() if row.name == "vllm-8xh200")
    ams = Cloud("ams", "NL", 40e9, 40e9, 8, 400e9, "multicast", engine, engine.provision_s)
    assert scenario.clouds == (ams,)
    assert scenario.transfers == (
        Transfer(
            name="push",
            size_bytes=689_000_000_000,
            shards=163,
            origin="DE",
            clouds=("ams",),
            origin_egress_bps=100e9,
            load="streamed",
            model="deepseek-v3-fp8",
        ),
    )
    assert scenario.failures == (Failure(10.0, links=("BE--NL",)),)
    assert scenario.schemes == SchemeOptions()
    assert scenario.timers == Timers()


def test_defaults() -> None:
    scenario = load_scenario(base())
    assert scenario.clouds == (Cloud("one", "A", 10e9), Cloud("two", "C", 5e9))
    one = scenario.clouds[0]
    assert (one.egress_bps, one.fabric_bps, one.replicas) == (math.inf, math.inf, 1)
    assert (one.fanout, one.engine, one.provision_s) == ("multicast", None, 0.0)
    # 7 GB in files of 5 GB: two.
    assert scenario.transfers == (Transfer("push", 7_000_000_000, 2, "B", ("one", "two")),)
    transfer = scenario.transfers[0]
    assert (transfer.start_s, transfer.load, transfer.receivers) == (0.0, "after", "new")
    assert not transfer.ship_compile_cache
    assert (scenario.mtu, scenario.ecmp, scenario.state_limit) == (9000, "first", None)
    assert scenario.schemes == SchemeOptions(
        UnicastOptions("replica"),
        PimOptions("ssm", None, True, 10e6),
        SrP2mpOptions("srv6", "min-cost", "make-before-break"),
        BierOptions(256, "dense", "node", 0),
        None,
    )
    assert (scenario.failures, scenario.background, scenario.prices) == ((), (), ())
    assert scenario.assumptions == ("Metrics are the delays, for no link has a metric of its own.",)
    assert scenario.topology.name == "case"  # an inline topology without a name has the scenario's


def test_every_optional_key() -> None:
    scenario = load_scenario(
        base(
            underlay={
                "metric": "hops",
                "capacity": "1Gbps",
                "ecmp": "hash",
                "mtu": 1500,
                "waypoints": "keep",
                "route_factor": 2,
            },
            clouds=[
                {
                    "name": "one",
                    "node": "A",
                    "ingress": "10Gbps",
                    "egress": "2Gbps",
                    "replicas": 3,
                    "fabric": "20Gbps",
                    "fanout": "cache",
                    "engine": "vllm-8xb200",
                    "provision": "90s",
                }
            ],
            transfers=push(
                origin={"node": "B", "egress": "8Gbps"},
                to=["one"],
                start="2min",
                load="streamed",
                receivers="known",
                ship_compile_cache=True,
            ),
            schemes={
                "unicast": {"per": "cloud"},
                "ingress-replication": {},
                "pim-sm": {
                    "mode": "asm",
                    "rp": "the sea",
                    "spt_switchover": False,
                    "register_limit": "1Mbps",
                },
                "sr-p2mp": {"dataplane": "mpls", "objective": "shortest", "update": "in-place"},
                "bier": {"bsl": 1024, "bfr_ids": "by-tree", "ecmp": "bfer", "sub_domain": 7},
                "only": ["bier", "unicast"],
            },
            timers={"preset": "lab", "compute": "2s", "join": "1ms"},
            failures=[
                {"nodes": ["the sea"], "at": "20s", "up_at": "30s", "kind": "silent"},
                {"links": [["C", "B"], "A--B"], "srlgs": ["duct", "duct"], "at": "10s"},
            ],
            background=[{"from": "C", "to": "A", "rate": "3Gbps"}],
            prices=[
                {"from": "B", "to": "A", "usd_per_gb": 0.02},
                {"from": "A", "to": "C", "usd_per_gb": 1},
            ],
            limits={"state_entries": 5000},
        )
    )
    assert (scenario.mtu, scenario.ecmp, scenario.state_limit) == (1500, "hash", 5000)
    (cloud,) = scenario.clouds
    assert (cloud.egress_bps, cloud.replicas, cloud.fabric_bps) == (2e9, 3, 20e9)
    assert (cloud.fanout, cloud.provision_s) == ("cache", 90.0)
    assert cloud.engine is not None
    assert cloud.engine.name == "vllm-8xb200"
    (transfer,) = scenario.transfers
    assert (transfer.origin_egress_bps, transfer.start_s) == (8e9, 120.0)
    assert (transfer.receivers, transfer.ship_compile_cache) == ("known", True)
    assert scenario.schemes == SchemeOptions(
        UnicastOptions("cloud"),
        PimOptions("asm", "C", False, 1e6),
        SrP2mpOptions("mpls", "shortest", "in-place"),
        BierOptions(1024, "by-tree", "bfer", 7),
        ("unicast", "bier"),
    )
    assert scenario.timers == Timers.of("lab", compute_s=2.0, join_s=0.001)
    assert scenario.failures == (
        Failure(10.0, links=("A--B", "B--C#1", "B--C#2"), srlgs=("duct",)),
        Failure(20.0, nodes=("C",), kind="silent", up_at_s=30.0),
    )
    assert scenario.background == (Background("C", "A", 3e9),)
    assert scenario.prices == (Price("A", "C", 1.0), Price("B", "A", 0.02))
    assert scenario.assumptions == (
        "Transfer push is cut into 2 files of 5 GB at most, the default shard size of Hugging Face"
        " save_pretrained; streamed loading overlaps file by file.",
        "The price from A to C has no effect: no link joins them.",
    )


def test_null_is_the_default() -> None:
    clouds = [{"name": "one", "node": "A", "ingress": "10Gbps", "engine": None, "fabric": None}]
    scenario = load_scenario(base(clouds=clouds))
    assert scenario.clouds == (Cloud("one", "A", 10e9),)
    clouds[0]["engine"] = "none"
    assert load_scenario(base(clouds=clouds)) == scenario


@pytest.mark.parametrize("preset", PRESETS)
def test_timer_presets(preset: str) -> None:
    assert load_scenario(base(timers=preset)).timers.preset == preset
    assert load_scenario(base(timers={"preset": preset})).timers.preset == preset


def test_timer_keys_are_the_table() -> None:
    keys = [row.key for row in TIMER_ROWS]
    assert sorted(FileTimers.__struct_fields__) == sorted(["preset", "spf", *keys])
    for key in keys:
        assert getattr(load_scenario(base(timers={key: "7s"})).timers, f"{key}_s") == 7.0


def test_scheme_keys_are_the_schemes() -> None:
    assert FileSchemes.__struct_encode_fields__ == (*SCHEME_NAMES, "only")


def test_streamed_model_says_nothing_about_shards() -> None:
    transfers = [{"name": "p", "model": "kimi-k3-mxfp4", "origin": {"node": "B"}, "to": ["two"]}]
    scenario = load_scenario(base(transfers=[transfers[0] | {"load": "streamed"}]))
    assert scenario.transfers[0].shards == 118
    assert not any("shard" in said for said in scenario.assumptions)


def test_several_transfers_share_or_split_clouds() -> None:
    transfers = [
        {"name": "z", "size": "5GB", "origin": {"node": "A"}, "to": ["two", "one"]},
        {"name": "a", "size": "5000000001B", "origin": {"node": "C"}, "to": ["two"]},
    ]
    found = load_scenario(base(transfers=transfers)).transfers
    assert [(t.name, t.shards, t.clouds) for t in found] == [
        ("a", 2, ("two",)),
        ("z", 1, ("one", "two")),
    ]


def test_a_mapping_need_not_be_a_dict() -> None:
    assert load_scenario(MappingProxyType(base())) == load_scenario(base())


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ({}, "'schema' is missing"),
        ({"schema": 1}, "schema: 1 is not known"),
        (base(**{"topology": "net.yaml"}), "topology: 'net.yaml' is a file, but this scenario has"),
        (base(name=""), "name: '' is not one line"),
        (base(name="a\nb"), "is not one line"),
        ({**base(), 3: 4}, "a key is not text"),
        ({**base(), "\ud800": 4}, "half a surrogate pair"),
        (base(background=[{"from": "A", "to": "B", "rate": float("nan")}]), "has no unit"),
        (base(prices=[{"from": "A", "to": "B", "usd_per_gb": float("nan")}]), "out of range"),
        (base(prices=[{"from": "A", "to": "B", "usd_per_gb": float("inf")}]), "out of range"),
        (base(underlay={"route_factor": float("nan")}), "out of range"),
        (base(underlay={"mtu": 2**70}), "out of range"),
        (base(clouds=[{"name": "a", "node": object(), "ingress": "1Gbps"}]), "clouds"),
    ],
)
def test_bad_mappings(source: Mapping[str, Any], what: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(source)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_topology_of_the_caller() -> None:
    topology = network(link("X", "Y", 5), link("Y", "Z", 6))
    source = base(
        clouds=[{"name": "one", "node": "X", "ingress": "1Gbps"}],
        transfers=push(origin={"node": "Z"}),
    )
    scenario = load_scenario(source, topology=topology)
    assert scenario.topology is topology
    assert scenario.assumptions == ()
    del source["topology"]
    assert load_scenario(source, topology=topology) == scenario
    source["underlay"] = {"metric": "hops", "mtu": 1500}
    (said,) = load_scenario(source, topology=topology).assumptions
    assert said.startswith("The topology was given complete by the caller")


def test_topology_beside_the_scenario(tmp_path: Path) -> None:
    inline = base()
    topology = load_topology(inline["topology"])
    text = CONTRACT.replace("topohub:topozoo/Geant2012", "nets/net.yaml")
    text = text.replace("node: NL", "node: A").replace("node: DE", "node: B")
    text = text.replace("[NL, BE]", "[A, B]")
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "net.yaml").write_text(
        "nodes: [{name: A}, {name: B}, {name: C, label: the sea}]\n"
        "links:\n"
        "  - {a: A, b: B, capacity: 10Gbps, delay: 1ms}\n"
        "  - {a: B, b: C, capacity: 10Gbps, delay: 1ms, srlgs: [duct]}\n"
        "  - {a: C, b: B, capacity: 10Gbps, delay: 2ms}\n"
    )
    path = tmp_path / "x.yaml"
    path.write_text(text)
    found = load_scenario(path).topology
    assert (found.nodes, found.links) == (topology.nodes, topology.links)
    assert found.name == "net"


def test_errors_name_the_file_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for source in ("none.yaml", Path("none.yaml")):
        with pytest.raises(ScenarioError, match=r"^none.yaml: no such file"):
            load_scenario(source)
    with pytest.raises(ScenarioError, match="is a folder"):
        load_scenario(".")
    with pytest.raises(ScenarioError, match="not a regular file"):
        load_scenario("/dev/zero")
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario("a\0b")
    with pytest.raises(ScenarioError) as caught:
        load_scenario("two\nlines.yaml")
    assert "\n" not in str(caught.value)
    with pytest.raises(ScenarioError, match=r"there is no built-in scenario 'minimul'.*'minimal'"):
        load_scenario("builtin:minimul")
    with pytest.raises(ScenarioError, match="there is no built-in scenario"):
        load_scenario("builtin:../README")
    with pytest.raises(ScenarioError, match="this file is a topology"):
        load_scenario("builtin:rfc8279")


def test_size_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcastplan.scenario.reading.MAX_FILE_BYTES", 2**20)
    path = tmp_path / "big.yaml"
    path.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(ScenarioError, match="larger than 1 MiB"):
        load_scenario(path)


def test_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + CONTRACT.encode())
    assert load_scenario(path).name == "geant-night-push"


@pytest.mark.parametrize("name", builtin_names())
def test_builtin_scenarios_load(name: str) -> None:
    scenario = load_scenario(f"builtin:{name}")
    assert scenario.clouds
    assert scenario.transfers


def test_the_demonstration() -> None:
    scenario = load_scenario("builtin:global-inference")
    assert len(scenario.clouds) >= 48
    rates = [cloud.ingress_bps for cloud in scenario.clouds]
    assert (min(rates), max(rates)) == (10e9, 400e9)
    replicas = [cloud.replicas for cloud in scenario.clouds]
    assert (min(replicas), max(replicas)) == (4, 100)
    assert len({cloud.node for cloud in scenario.clouds}) == len(scenario.clouds)
    # No city by the wrong name: each node reference is the only node with that label.
    assert not any("other nodes with that label" in text for text in scenario.assumptions)


def test_a_name_that_is_also_a_label_elsewhere_is_said() -> None:
    clouds = [{"name": "c", "node": "Athens", "ingress": "1Gbps"}]
    source = base(topology="topohub:backbone/world", clouds=clouds)
    scenario = load_scenario(source | {"transfers": push(origin={"node": "Sydney"})})
    assert scenario.assumptions[-2:] == (
        "Cloud c is on the node named Athens; other nodes with that label: 1.",
        "The origin of push is on the node named Sydney; other nodes with that label: 1.",
    )


def test_an_egress_is_stated_once_for_all_transfers_from_a_node() -> None:
    """Whichever of them states it, in whatever order."""
    one = {"name": "one", "size": "1GB", "origin": {"node": "A", "egress": "40Gbps"}, "to": "all"}
    two = {"name": "two", "size": "1GB", "origin": {"node": "A"}, "to": "all"}
    for transfers in ([one, two], [two, one]):
        scenario = load_scenario(base(transfers=transfers))
        assert [each.origin_egress_bps for each in scenario.transfers] == [40e9, 40e9]
        said = "Transfer two states no egress at A: it shares the 40 Gb/s of transfer one."
        assert said in scenario.assumptions
