"""Copies that come in unevenly, against a fabric and a loader that are played file by file."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcastplan.evaluate.arrival import Arrival, Bend, queue_s, straightened, streamed_s

SIZE = 1000  # bytes


def test_a_queue_in_front_of_the_fabric() -> None:
    """100 GB: 50 GB in 40 s at 10 Gb/s, 50 GB in 4 s at 100 Gb/s. A fabric of 20 Gb/s has nothing
    waiting after 40 s, and needs 20 s for the other half: it is done after 60 s, 16 s late."""
    pull = Arrival(1, 44.0, bends=(Bend(40.0, 50e9),))
    assert queue_s(pull, 100e9, 20e9) == 16
    # At 10 Gb/s the fabric never pauses: 80 s from the first byte on.
    assert queue_s(pull, 100e9, 10e9) == 36
    assert queue_s(pull, 100e9, 100e9) == 0
    # The other way round the fabric has most of it early: 50 GB wait after 4 s, 30 at 20 Gb/s for
    # 16 s; from then on the pace is that of the way in.
    assert queue_s(Arrival(1, 44.0, bends=(Bend(4.0, 50e9),)), 100e9, 20e9) == 0


def test_files_that_come_late_are_loaded_late() -> None:
    """Ten files; five in 40 s, five in 4 s; loading one takes 2 s: the fifth is loaded after 42 s,
    when the next is there, and each of the others waits: 52 s, 8 s after the last byte."""
    pull = Arrival(1, 44.0, bends=(Bend(40.0, 50e9),))
    assert streamed_s(pull, 100e9, math.inf, 10, 0.0, 2.0) == pytest.approx(8.0)
    # Had they come evenly, only the last would be left.
    assert streamed_s(Arrival(1, 44.0), 100e9, math.inf, 10, 0.0, 2.0) == pytest.approx(2.0)


def test_a_silence_between_two_files() -> None:
    """Three files, there after 2, 9.5 and 10 s; verifying takes 2 s each and loading 2: the second
    is loaded after 13.5 s, the third after 15.5."""
    pull = Arrival(1, 10.0, bends=(Bend(2.0, 1.0), Bend(9.0, 1.0)))
    assert streamed_s(pull, 3, math.inf, 3, 2.0, 2.0) == pytest.approx(5.5)


@st.composite
def arrivals(draw: st.DrawFn) -> Arrival:
    """Up to six stretches, some of them of silence or of a burst."""
    steps = draw(
        st.lists(st.tuples(st.integers(1, 50), st.integers(0, 300)), min_size=1, max_size=6)
    )
    at, there, bends = 0, 0, list[Bend]()
    for lasts, brings in steps:
        at, there = at + lasts, min(SIZE - 1, there + brings)
        bends.append(Bend(float(at), float(there)))
    end = at + draw(st.integers(1, 50))
    repair = draw(st.sampled_from([0.0, 0.5]))
    return Arrival(1, end - repair, repair, tuple(bends))


def came(pull: Arrival, number: Fraction) -> Fraction:
    """When that many bytes are there, looked up stretch by stretch."""
    points = [(Fraction(0), Fraction(0))]
    points += [(Fraction(at_s), Fraction(size)) for at_s, size in pull.bends]
    points.append((Fraction(pull.transfer_s) + Fraction(pull.repair_s), Fraction(SIZE)))
    for (from_s, low), (to_s, high) in pairwise(points):
        if low < number <= high:
            return from_s + (number - low) / (high - low) * (to_s - from_s)
    raise AssertionError(number)


@given(arrivals(), st.sampled_from([40, 160, 800, 4000]))
def test_the_queue_byte_by_byte(pull: Arrival, rate_bps: int) -> None:
    """A byte leaves after the one before it, and not before it came. A byte of fluid begins to
    leave before all of it is there: up to one byte's time of difference."""
    one = Fraction(8, rate_bps)
    left = Fraction(0)
    for number in range(1, SIZE + 1):
        left = max(left, came(pull, Fraction(number))) + one
    found = pull.here_s + queue_s(pull, SIZE, rate_bps)
    assert float(left - one) - 1e-6 <= found <= float(left) + 1e-6


@given(
    arrivals(),
    st.sampled_from([math.inf, 800.0, 160.0]),
    st.integers(1, 40),
    st.floats(0, 9),
    st.floats(0, 9),
)
def test_the_loader_file_by_file(
    pull: Arrival, fabric_bps: float, shards: int, verify_s: float, load_s: float
) -> None:
    """Every file against the fabric's queue and the two stages, one after the other."""
    out, verified, loaded = 0.0, 0.0, 0.0
    for number in range(1, shards + 1):
        there = Fraction(number * SIZE, shards)
        # The fabric has what came by each byte's time, and then works at its rate.
        out = float(came(pull, there))
        starts = [Bend(0.0, 0.0), *(bend for bend in pull.bends if bend.size_bytes < there)]
        for at_s, size in starts:
            out = max(out, at_s + (float(there) - size) * 8 / fabric_bps)
        verified = max(out, verified) + verify_s
        loaded = max(verified, loaded) + load_s
    found = streamed_s(pull, SIZE, fabric_bps, shards, verify_s, load_s)
    assert found == pytest.approx(loaded - out, rel=1e-9, abs=1e-9)


@given(arrivals())
def test_points_on_the_way_change_nothing(pull: Arrival) -> None:
    """Points put in the middle of every stretch are left out again."""
    end = Bend(pull.here_s, float(SIZE))
    kept = straightened(pull.bends, end)
    points = [Bend(0.0, 0.0), *kept, end]
    more = list[Bend]()
    for before, after in pairwise(points):
        more += [Bend(*((a + b) / 2 for a, b in zip(before, after, strict=True))), after]
    assert straightened(more[:-1], end) == kept
    queue = queue_s(Arrival(1, pull.here_s, bends=kept), SIZE, 160.0)
    assert queue == pytest.approx(queue_s(pull, SIZE, 160.0), abs=1e-6)
