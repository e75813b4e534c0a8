"""UFTP unchanged: what it puts on the wire, what it survives, whom it gives up."""

from __future__ import annotations

import pytest

from mcastlab.uftp import HEADERS_BYTES, uid
from mcastplan.converge.transport import uftp_grtt_s
from tests.emulation.sandboxed import in_sandbox
from tests.emulation.workload_jobs import PAYLOAD_BYTES


@pytest.mark.parametrize("load", ["after", "streamed"])
def test_every_replica_gets_exactly_the_bytes(load: str) -> None:
    out = in_sandbox("workload_jobs:pushed", "uftp", load, 3_000_001)
    assert [each["status"] for each in out["replicas"]] == ["ready"] * 3
    assert all(each["ordered"] for each in out["replicas"])
    assert out["gave_up"] == {}
    # Nothing was lost, so that nothing was sent twice.
    assert (out["naks"], out["rounds"], out["bytes"]) == (0, 0, [3_000_001] * 4)
    assert out["overlapped"] == [load == "streamed"] * 3
    assert out["left"] == []


def test_a_block_travels_with_52_bytes_and_kilobits_are_1024() -> None:
    out = in_sandbox("workload_jobs:on_the_wire")
    assert HEADERS_BYTES == 52
    assert out["length"] == PAYLOAD_BYTES + HEADERS_BYTES
    assert out["said"] == 30e6 // 1024 * 1024
    assert out["rate"] == pytest.approx(out["said"], rel=0.01)  # 1000 would be 2.4 % less


def test_an_outage_is_repaired_in_one_round_for_those_who_wait() -> None:
    out = in_sandbox("workload_jobs:outage", 0.5, 10.0)
    assert [each["status"] for each in out["replicas"]] == ["ready"] * 3
    assert out["gave_up"] == {}
    assert out["naks"] > 0
    # A repair pass that began with a burst would lose most of it at the narrow port, and need more.
    assert out["rounds"] <= 2  # one for each shard that the outage touched
    assert out["repaired"] < 0.6 * 30e6 / 8 + 2 * PAYLOAD_BYTES


def test_a_receiver_that_is_cut_off_is_named_and_the_others_finish() -> None:
    out = in_sandbox("workload_jobs:outage", 3600.0, 1.0)
    statuses = {each["host"]: each["status"] for each in out["replicas"]}
    assert statuses == {"h1": "ready", "h2": "gave-up", "h3": "ready"}
    assert list(out["gave_up"]) == ["h2"]
    assert out["gave_up"]["h2"].endswith("safetensors: lost")
    assert out["naks"] == 0


def test_the_origins_port_is_limited_and_restored() -> None:
    out = in_sandbox("workload_jobs:paced")
    for name, (before, during, after) in out.items():
        assert before == after, name
        assert "rate 20506" in during, name  # 20 Mb/s of IP and 38 B a packet
    assert "htb" not in out["free"][0]
    assert "rate 45Mbit overhead 24 ceil 50Mbit" in out["shaped"][0]


def test_names_and_timers() -> None:
    assert uid("10.16.0.10") == "0x0A10000A"
    assert uftp_grtt_s(10.0) == 0.2
    assert uftp_grtt_s(0.1) == 0.02
