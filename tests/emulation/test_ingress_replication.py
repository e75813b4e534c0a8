"""Kernel VXLAN against the plan: copies per link, bytes on the wire, tables, nothing left.

::

    (a) A --10-- B --10-- C (c1, c2)      replicas: two at each site; the push starts at A
        |        |
       20       10
        |        |
        E --20-- D (d)
"""

from __future__ import annotations

import ipaddress
import struct

import pytest

from tests.emulation.sandboxed import in_sandbox

COUNT = 100
PAYLOAD = 1000
INNER = PAYLOAD + 28 + 14  # IPv4, UDP, Ethernet
VXLAN = 50
BEYOND = 24  # preamble, FCS, gap


@pytest.mark.parametrize(
    ("to", "copies"),
    [
        # One copy to C for both of its sites, one to D; the origin's own site needs no tunnel.
        (["a", "c1", "c2", "d"], {("A", "B"): 2, ("B", "C"): 1, ("B", "D"): 1}),
        (["c2"], {("A", "B"): 1, ("B", "C"): 1}),
        (["a"], {}),
    ],
    ids=["all", "one", "local"],
)
def test_copies_are_the_planned_ones(to: list[str], copies: dict[tuple[str, str], int]) -> None:
    out = in_sandbox("network_jobs:replicated", COUNT, PAYLOAD, to)
    packets = 2 * COUNT  # to both groups
    assert out["got"] == {
        f"{cloud}/{index}": packets if cloud in to else 0
        for cloud in ("a", "c1", "c2", "d")
        for index in (0, 1)
    }
    assert out["sizes"] == [PAYLOAD]
    core = {
        f"{tail}->{head}": [each * packets, each * packets * (INNER + VXLAN + BEYOND), 0]
        for (tail, head), each in copies.items()
    }
    pe = {"a": "A", "c1": "C", "c2": "C", "d": "D"}
    access = {f"{pe[cloud]}->cloud:{cloud}" for cloud in to} | {"origin:push->A"}
    native = [packets, packets * (INNER + BEYOND), 0]
    assert out["rows"] == core | dict.fromkeys(access, native)
    planned = {f"{tail}->{head}": each for (tail, head), each in copies.items()}
    assert out["planned"] == planned | dict.fromkeys(access, 1)
    assert out["drops"] == {"no-route": 0, "other": 0}
    for node, what, expected, found in out["tables"]:
        assert found == expected, (node, what)
    assert out["after_close"] == 0
    assert out["changed"] == [], "links, queues and filters are as before"


def test_tables_name_egress_and_ports() -> None:
    out = in_sandbox("network_jobs:replicated", 1, PAYLOAD, ["a", "c1", "d"])
    found = {(node, what): rows for node, what, _, rows in out["tables"]}
    assert found["A", "flood list"] == ["C", "D"]
    ways = {node: {row.split(" to ")[1] for row in found[node, "forwarding"]} for node in "ACD"}
    assert ways == {"A": {"cloud:a", "tunnels"}, "C": {"cloud:c1"}, "D": {"cloud:d"}}
    assert all(len(found[node, "forwarding"]) == 2 * len(ways[node]) for node in "ACD")


def test_a_packet_on_the_wire() -> None:
    # The largest payload that the planner allows: MTU 1500 - 28 - 50. Nothing is fragmented.
    payload = 1500 - 28 - VXLAN
    out = in_sandbox("network_jobs:encapsulated", payload)
    frames = [bytes.fromhex(frame) for frame in out["frames"]]
    assert [len(frame) for frame in frames] == [1514, 1514]  # to C and D, each whole
    loopback = dict(zip("ABCDE", out["loopbacks"], strict=True))
    ends = set()
    for frame in frames:
        outer = frame[14:34]
        assert struct.unpack_from("!H", outer, 6)[0] == 0x4000  # DF, no fragment
        assert (outer[0], outer[8], outer[9]) == (0x45, 64, 17)
        ends.add((str(ipaddress.ip_address(outer[12:16])), str(ipaddress.ip_address(outer[16:]))))
        port, length = struct.unpack_from("!HH", frame, 36)
        assert (port, length) == (4789, 1480)
        assert frame[42:50] == bytes.fromhex("0800000000000100")  # flag I, VNI 1
        inner = frame[50:]
        assert inner[:3] == bytes.fromhex("01005e")  # as the origin sent it
        assert inner[14 + 8] == 64  # its TTL too
        assert str(ipaddress.ip_address(inner[14 + 12 : 14 + 16])) == out["source"]
        assert str(ipaddress.ip_address(inner[14 + 16 : 14 + 20])) == out["group"]
    assert ends == {(loopback["A"], loopback["C"]), (loopback["A"], loopback["D"])}
    assert "mtu 1450" in out["vxlan"]["r1"]
    assert out["vxlan"]["r5"] == "", "E has no site, and needs no tunnel"


def test_a_group_of_another_source_is_not_the_pushs() -> None:
    """As under the other schemes: (S,G), not G."""
    assert set(in_sandbox("network_jobs:other_source", "198.18.99.9").values()) == {0}


def test_stop_leaves_nothing_of_an_open_push_or_of_half_a_start() -> None:
    out = in_sandbox("network_jobs:interrupted")
    assert "File exists" in out["failed"]
    assert out["left"] == {"open": [], "half": []}


def test_what_is_too_large_is_dropped_whole() -> None:
    assert in_sandbox("network_jobs:encapsulated", 1500 - 28 - VXLAN + 1)["frames"] == []
