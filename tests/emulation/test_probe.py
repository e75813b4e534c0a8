"""Trains find the rate that was shaped; the probe measures the outage that was made."""

from __future__ import annotations

import numpy as np
import pytest

from mcastlab.probe import outages
from mcastlab.trains import _growth
from tests.emulation.sandboxed import in_sandbox

MS = 1_000_000


def _sent(count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(1, count + 1, dtype=np.int64) * MS


def test_trains_find_the_narrowest_receivers_rate() -> None:
    rates = [3e6, 20e6, 100e6]
    for rate, found in zip(rates, in_sandbox("workload_jobs:trains", rates), strict=True):
        assert 0.98 < found <= 1.0, rate


def test_trains_name_who_is_not_reached() -> None:
    said = in_sandbox("workload_jobs:unreachable")
    assert said == "m: no packet of 1500 B to 232.1.0.1 reaches h2"


@pytest.mark.parametrize("unicast", [False, True])
def test_a_blackout_is_measured(unicast: bool) -> None:
    # Two blackouts, each to be known within 2 ms: of three tries the best, since a busy machine
    # makes the sender late.
    errors = []
    for _ in range(3):
        out = in_sandbox("workload_jobs:probed", unicast, [0.05, 0.2])
        assert (out["h1"]["outage_s"], out["h1"]["gaps"], out["h1"]["lost"]) == (0.0, 0, 0)
        assert out["h2"]["gaps"] == 2
        errors.append(abs(out["h2"]["outage_s"] - out["down_s"]))
        if errors[-1] <= 0.004:
            break
    assert min(errors) <= 0.004
    assert (out["h3"]["outage_s"], out["h3"]["gaps"]) == (None, 1)
    assert {out[host]["duplicates"] for host in ("h1", "h2", "h3")} == {0}


def test_no_loss_is_no_outage() -> None:
    sent = _sent(100)
    found = outages(sent, sent + 3 * MS)
    assert (found.outage_s, found.gaps, found.lost, found.longest_s) == (0.0, 0, 0, 0.0)


def test_an_outage_is_from_arrival_to_arrival_less_one_interval() -> None:
    # Probes 20..39 are lost; those after them come by a way that is 2 ms longer.
    sent = _sent(100)
    arrived = sent + 3 * MS
    arrived[40:] += 2 * MS
    arrived[20:40] = 0
    found = outages(sent, arrived)
    assert found.outage_s == pytest.approx(0.022)
    assert (found.gaps, found.lost) == (1, 20)


def test_single_losses_are_losses_and_a_longer_way_is_neither() -> None:
    sent = _sent(100)
    arrived = sent + 3 * MS
    arrived[50] = 0
    arrived[70:] += 9 * MS
    found = outages(sent, arrived)
    assert (found.outage_s, found.gaps, found.lost) == (0.0, 0, 1)


def test_setup_is_no_outage_and_the_end_may_be_open() -> None:
    sent = _sent(100)
    arrived = sent + 3 * MS
    arrived[:30] = 0
    arrived[90:] = 0
    found = outages(sent, arrived)
    assert (found.outage_s, found.gaps, found.lost) == (None, 1, 10)
    nothing = outages(sent, np.zeros(100, np.int64))
    assert (nothing.outage_s, nothing.gaps, nothing.lost) == (None, 1, 100)


def test_growth_is_the_overload() -> None:
    # At 1.03 of the capacity, delay grows by 30 ms a second; every tenth packet is late besides.
    sent = _sent(400)
    late = np.where(np.arange(400) % 10 == 0, 5 * MS, 0)
    arrived = sent + (0.03 * (sent - sent[0])).astype(np.int64) + late
    assert _growth(sent, arrived) == pytest.approx(0.03, rel=0.02)
    assert _growth(sent, sent + late) == 0.0
