"""The lab's network: reachable, shaped as asked, counted to the packet, captured whole."""

from __future__ import annotations

import math

import pytest

from mcastlab.shaping import Shaped, burst_bytes, check, queue_bytes, tc_lines
from mcastplan.errors import UsageError
from tests.emulation.sandboxed import in_sandbox

PATH = (("origin:push", "A"), ("A", "B"), ("B", "C"), ("C", "cloud:c1"))


def test_every_port_reaches_its_peer_and_nothing_is_left() -> None:
    out = in_sandbox("network_jobs:everything_reached")
    untouched = out.pop("offloads_on").pop()  # of lo
    assert untouched > 0
    assert out == {"lost": [], "alive": [], "root_links": ["lo"]}


def test_ports_send_what_was_asked() -> None:
    # Short packets too: without the 24 B beyond the frame they would come 8 % too fast.
    asked = [(5e6, 1500), (20e6, 1500), (100e6, 1500), (200e6, 1500), (20e6, 300)]
    for (rate, size), error in zip(asked, in_sandbox("network_jobs:rates", asked), strict=True):
        assert abs(error) < 0.02, f"{rate:.0f} bit/s in packets of {size} B is off by {error:.1%}"


def test_links_are_measured_and_a_wrong_one_is_named() -> None:
    out = in_sandbox("network_jobs:measured")
    assert out["worst"] <= 0.05
    assert out["said"].startswith("link A--B: asked for 100 Mb/s, this machine sends")
    assert out["silent"] == [], "a shaped port was not measured"
    assert out["answered"] == [], "the trains went further than the other end of their link"


@pytest.mark.parametrize("version", [4, 6])
def test_control_overtakes_a_full_queue(version: int) -> None:
    out = in_sandbox("network_jobs:control_first", 100, version)
    # 2 Mb/s hold the least queue, 16 full packets (17 of 1,400 B), and a burst of two passes.
    assert out["before"] < 6
    assert 17 <= out["data"] <= 22
    assert out["data"] + out["dropped"] == 100


def test_counters_are_exact() -> None:
    count, payload = 300, 1000
    out = in_sandbox("network_jobs:counted", count, payload)
    assert out["arrived"] == count
    wire = count * (payload + 28 + 38)
    on_path = [row for row in out["rows"] if row[5]]
    assert {(row[0], row[1]) for row in on_path} == set(PATH)
    for row in on_path:
        assert row[4:] == [wire, count, 0], row
    # Five links both ways, four sites, one origin; core arcs by name before access arcs.
    assert len(out["rows"]) == 15
    assert [row[3] for row in out["rows"]] == ["core"] * 10 + ["access"] * 5
    assert [row[2] for row in out["rows"][:2]] == ["A--B", "A--E"]


def test_captures_are_whole() -> None:
    count = 200
    out = in_sandbox("network_jobs:captured", count, 1000)
    carried = {"A--B.pcap", "B--C.pcap", "cloud@c1.pcap", "origin@push.pcap"}
    files = out["files"]
    assert len(files) == 10, "a link without a file, or a file that is not whole"
    for name, packets in files.items():
        assert packets == (count if name in carried else 0), name


def test_queue_and_burst() -> None:
    # 100 Mb/s: 20 ms are 250,000 B, 1 ms is 12,500 B; at 1 Mb/s both are a few packets.
    assert queue_bytes(100e6, 1500) == 250_000
    assert burst_bytes(100e6, 1500) == 12_500
    assert queue_bytes(1e6, 1500) == 16 * 1514
    assert burst_bytes(1e6, 1500) == 2 * 1538


@pytest.mark.parametrize("rate_bps", [0.0, 1e5, 5e10, math.nan])
def test_a_rate_that_cannot_be_shaped_is_refused_by_name(rate_bps: float) -> None:
    with pytest.raises(UsageError, match=r"^link DE--NL: .*; (raise|lower) --rate-scale$"):
        check(Shaped("r1", "e1", rate_bps, 0.0, "DE--NL"), 1500)


def test_delay_is_netem_under_htb() -> None:
    lines = tc_lines(Shaped("r1", "e1", 100e6, 0.005, "DE--NL"), 1500)
    # 5 ms at 100 Mb/s are 62,500 B on the way, as up to 977 packets of 64 B; 166 more may wait.
    assert lines[-2:] == [
        "qdisc add dev e1 parent 1:10 handle 10: netem delay 5000us limit 1142",
        "qdisc add dev e1 parent 1:20 handle 20: netem delay 5000us limit 1142",
    ]
    unshaped = tc_lines(Shaped("r1", "e1", math.inf, 0.005, "DE--NL"), 1500)
    assert len(unshaped) == 1
    assert "root handle 1: netem delay 5000us" in unshaped[0]
