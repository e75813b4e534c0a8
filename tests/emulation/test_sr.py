"""SRv6 replication in eBPF: bytes, copies, moves from one tree to another, malformed packets."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from mcastplan.dataplane.walk import walk_plan
from mcastplan.study.plan import prepare
from mcastplan.wire import ip, tunnels
from tests.emulation.bier_node import INNER_PACKETS, ipv4
from tests.emulation.sandboxed import in_sandbox
from tests.emulation.sr_network import abilene, diamond

# What A sends to B, but for the flow label: Ethernet; version 6, payload of 44 bytes, next header
# 4, hop limit 64; from A's loopback to locator 2, function 0xe001 (Tree-ID 1), instance 1.
ETHERNET = "02010002000102010001000186dd"
OUTER = "002c0440fd000000000100000000000000000001fd0000000002e0010001000000000000"
# The inner packet: A has taken one off the TTL of 64, D another.
LAST = "c6120102e8010001"


@pytest.fixture(scope="module")
def wire() -> dict[str, Any]:
    out: dict[str, Any] = in_sandbox("sr_jobs:on_the_wire")
    return out


def test_bytes_on_the_wire(wire: dict[str, Any]) -> None:
    same, again, announced = (bytes.fromhex(each) for each in wire["core"])
    assert same[:14].hex() == ETHERNET
    assert same[14] == 0x60 and same[15] >> 4 == 0
    assert same[18:54].hex() == OUTER
    label = struct.unpack("!I", same[14:18])[0] & 0xFFFFF
    ends = bytes.fromhex(OUTER[8:40]), bytes.fromhex(OUTER[40:])
    assert same[14:54] == ip.ipv6(*ends, ip.PROTO_IPIP, 44, 64, label)
    assert label != 0
    assert again[14:18] == same[14:18], "packets of one flow have one label"
    assert announced[14:18] != same[14:18], "another flow has another"
    inner = same[54:]
    assert inner[:4].hex() == "4500002c" and inner[12:20].hex() == LAST
    assert inner[8] == 63 and ip.checksum(inner[:20]) == 0
    assert inner[-16:] == b"sixteen bytes..."


def test_a_leaf_delivers_the_native_frame(wire: dict[str, Any]) -> None:
    core = [bytes.fromhex(each) for each in wire["core"]]
    site = [bytes.fromhex(each) for each in wire["site"]]
    assert [each[:14].hex() for each in site] == [
        "01005e0100010202000100000800",
        "01005e0100010202000100000800",
        "01005e0200010202000100000800",
    ]
    for before, after in zip(core, site, strict=True):
        assert after[14 + 8] == 62 and ip.checksum(after[14:34]) == 0
        assert after[34:] == before[54 + 20 :], "UDP is as the origin sent it"
        assert after[14:22] + after[26:34] == before[54:62] + before[66:74]
    assert wire["drops"] == {}


@pytest.fixture(scope="module")
def pinned() -> dict[str, Any]:
    out: dict[str, Any] = in_sandbox("sr_jobs:pinned")
    return out


def test_a_pinned_adjacency_has_an_srh_and_the_next_branch_none(pinned: dict[str, Any]) -> None:
    by_fib, by_port, onward = (bytes.fromhex(pinned["frames"][name][0]) for name in "BCD")
    assert by_fib[20] == ip.PROTO_IPIP
    for frame, hops, node in ((by_port, 64, 3), (onward, 63, 4)):
        to = bytes.fromhex("fd000000") + struct.pack("!HHH", node, 0xE001, 1) + bytes(6)
        source = bytes.fromhex(OUTER[8:40])
        label = struct.unpack("!I", frame[14:18])[0] & 0xFFFFF
        srh = tunnels.srh([to], 0, ip.PROTO_IPIP)
        length = len(srh) + 228
        assert frame[14:54] == ip.ipv6(source, to, ip.PROTO_ROUTING, length, hops, label)
        assert frame[54:78] == srh
        assert frame[78:] == by_fib[54:]
    # By the FIB, D's packets would have come over B.
    every = list(range(10))
    assert pinned["got"] == {"c000-D": every, "c001-B": every, "c002-A": []}
    assert pinned["drops"] == {}


def test_a_bud_with_a_pinned_branch_delivers_too(pinned: dict[str, Any]) -> None:
    every = list(range(10))
    assert pinned["bud"] == {"c000-D": every, "c001-B": every, "c002-A": []}


def test_next_hops_without_address_route_or_room() -> None:
    out = in_sandbox("sr_jobs:unresolved")
    all_of, none = list(range(20)), list[int]()
    # The kernel held the first copies until the neighbour answered.
    assert out["asked"]["got"] == {"c000-D": all_of, "c001-B": all_of, "c002-A": all_of}
    assert out["asked"]["counted"] == {}
    assert 0 < out["resolved"] < 20
    assert out["copies"] == 40
    # A's own site needs no route.
    assert out["lost"]["got"] == {"c000-D": none, "c001-B": none, "c002-A": all_of}
    assert out["lost"]["counted"] == {"no route": 20}
    assert out["large"]["got"] == {"c000-D": none, "c001-B": none, "c002-A": [0]}
    assert out["large"]["counted"] == {"no route": 20, "over the MTU": 1}


@pytest.mark.parametrize("which", ["diamond", "abilene"])
def test_copies_on_every_link_are_the_planners(which: str) -> None:
    spec = abilene() if which == "abilene" else diamond()
    context, installed = prepare(spec.scenario, "sr-p2mp")
    plan = installed.plans[0][1]
    expected = walk_plan(plan, context.routes, plan.flows[0]).copies
    count = 300
    out = in_sandbox("sr_jobs:copies", which, count)
    for arc in range(len(context.routes.graph.head)):
        # Discovery of neighbours adds less than ten packets' worth.
        assert out["core"][str(arc)] == pytest.approx(expected.get(arc, 0), abs=10 / count), arc
    roles = {entry.role for entry in plan.entries.values()}
    assert "root and bud" in roles and "bud" in roles and "leaf" in roles
    assert set(out["got"]) == set(spec.pushes[0].clouds)
    assert all(each == {"missing": [], "twice": 0} for each in out["got"].values())
    assert out["drops"] == {}
    assert out["held"] == {}, "the tree was closed and something stayed"


def test_make_before_break_loses_and_repeats_nothing() -> None:
    out = in_sandbox("sr_jobs:switches", "make-before-break", 20)
    assert all(each == {"missing": [], "twice": 0} for each in out["got"].values())
    assert out["kinds"] == ["fresh", "repaired"]
    assert out["instances"] == list(range(2, 22)), "every move is a new instance"
    # Instance 21 alone is left, on the routers of the tree.
    assert {out["routers"][host]: keys for host, keys in out["held"].items()} == {
        name: ["e0010015"] for name in "ABD"
    }
    assert out["drops"] == {}


def test_in_place_keeps_the_instance() -> None:
    out = in_sandbox("sr_jobs:switches", "in-place", 20)
    assert out["instances"] == [1]
    assert {out["routers"][host]: keys for host, keys in out["held"].items()} == {
        name: ["e0010001"] for name in "ABD"
    }
    # Between two writes D has both parents or none: what the planner's walk finds. B never moves.
    assert out["got"]["c001-B"] == {"missing": [], "twice": 0}


def test_100_000_malformed_packets() -> None:
    out = in_sandbox("sr_jobs:malformed", 100_000)
    assert sum(out["expected"].values()) > 100_000
    assert out["counted"] == out["expected"]
    assert out["leaked"] == 0
    for cloud in ("c000-D", "c001-B"):
        # A bad packet that got through would be number 2**32 - 1.
        assert out["got"][cloud] == {"missing": [], "twice": 0}, cloud
    assert out["good"] == 1000


@pytest.mark.parametrize("name", [each for each in INNER_PACKETS if each != "jumbo"])
def test_any_ipv4_packet_is_carried(name: str) -> None:
    """Options, fragments too short for ports, no payload; the root and the leaf are IP hops."""
    origin = diamond().pushes[0].origin.address
    packet = ipv4(source=origin, **INNER_PACKETS[name])
    found = [bytes.fromhex(each) for each in in_sandbox("sr_jobs:native", name)]
    (inner,) = found
    assert inner[8] == 62 and ip.checksum(inner[: (inner[0] & 15) * 4]) == 0
    assert inner[:8] + inner[12:] == packet[:8] + packet[12:]


def test_malformed_packets_of_an_origin() -> None:
    out = in_sandbox("sr_jobs:malformed_native", 20_000)
    assert out["counted"] == out["expected"]
    assert all(each == {"missing": [], "twice": 0} for each in out["got"].values())
