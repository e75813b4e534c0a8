"""Quantities: text to SI numbers and back."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcastplan import units
from mcastplan.errors import UnitError


@pytest.mark.parametrize(
    ("text", "bps"),
    [
        ("1bps", 1.0),
        ("9.6kbps", 9600.0),
        ("10Mbps", 1e7),
        ("40Gbps", 4e10),
        ("40 Gbps", 4e10),
        ("2.5Tbps", 2.5e12),
        ("0Gbps", 0.0),
        ("0.000000000001Pbps", 1000.0),
    ],
)
def test_rate(text: str, bps: float) -> None:
    assert units.parse_rate(text) == bps


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("689GB", 689 * 10**9),
        ("70.6GB", 70_600_000_000),  # exactly: 70.6e9 as a float product is not
        ("1.56TB", 1_560_000_000_000),
        ("894GiB", 894 * 2**30),
        ("1B", 1),
        ("0.5kB", 500),
    ],
)
def test_size(text: str, size_bytes: int) -> None:
    assert units.parse_size(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10ms", 0.01), ("0s", 0.0), ("5us", 5e-6), ("3ns", 3e-9), ("2min", 120.0), ("1.5h", 5400.0)],
)
def test_time(text: str, seconds: float) -> None:
    assert units.parse_time(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "40", "Gbps", "40GB", "40gbps", "40gb/s", "40GB/s", "40Gbit", "nanbps", "infGbps"),
        *("-1Gbps", "+1Gbps", "1e3Gbps", "1_0Gbps", "1,5Gbps", ".5Gbps", "5.Gbps"),
        *(" 5Gbps", "5Gbps ", "5  Gbps", "5\nGbps", "٤٠Gbps", "1" * 16 + "Gbps"),
    ],
)
def test_not_a_rate(text: str) -> None:
    with pytest.raises(UnitError, match="write a number and one of bps, kbps") as caught:
        units.parse_rate(text)
    assert "\n" not in str(caught.value)


def test_error_names_the_kind_and_cuts_long_text() -> None:
    with pytest.raises(UnitError, match=r"is not a size; .* as in '689GB'"):
        units.parse_size("689Gbps")
    with pytest.raises(UnitError, match=r"is not a time; .* as in '10ms'"):
        units.parse_time("12:30")
    with pytest.raises(UnitError) as caught:
        units.parse_time("x" * 10_000)
    assert len(str(caught.value)) < 200


def test_part_of_a_byte() -> None:
    with pytest.raises(UnitError, match="whole number of bytes"):
        units.parse_size("0.0001kB")


def test_pattern_agrees_with_the_parser() -> None:
    pattern = re.compile(units.quantity_pattern(units.RATE_UNITS))
    for text in ["40Gbps", "40 Gbps", "0.25Tbps", "1bps"]:
        assert pattern.match(text)
        units.parse_rate(text)
    for text in ["40", "40GB", "1e3Gbps", "-1Gbps", "5  Gbps"]:
        assert not pattern.match(text)


def test_tables_are_exact() -> None:
    assert units.TIME_UNITS["ns"] * 10**9 == 1
    assert units.SIZE_UNITS["GiB"] == 2**30
    assert all(isinstance(factor, Fraction) for factor in units.RATE_UNITS.values())


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (units.show_rate(4e10), "40 Gb/s"),
        (units.show_rate(math.inf), "unlimited"),
        (units.show_rate(12), "12 b/s"),
        (units.show_size(689e9), "689 GB"),
        (units.show_size(1.56e12), "1.56 TB"),
        (units.show_time(0), "0 s"),
        (units.show_time(0.012), "12 ms"),
        (units.show_time(61.2), "61.2 s"),
        (units.show_time(2820), "47 min 0 s"),
        (units.show_time(7260), "2 h 1 min"),
    ],
)
def test_for_people(shown: str, text: str) -> None:
    assert shown == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("18 min 32 s", 1112), ("2 h 47 min", 10_020), ("3 d 5 h", 277_200), ("1h 30min", 5400)],
)
def test_times_as_tables_print_them(text: str, seconds: float) -> None:
    assert units.parse_time(text) == seconds
    assert re.fullmatch(units.quantity_pattern(units.TIME_UNITS), text)


@pytest.mark.parametrize("text", ["32 s 18 min", "5 s 5 s", "1 min  2 s", "1 min 2", "1 min s"])
def test_no_times(text: str) -> None:
    with pytest.raises(UnitError, match="is not a time"):
        units.parse_time(text)


@given(st.floats(1, 9e18))
def test_a_rate_that_is_shown_can_be_written(bps: float) -> None:
    text = units.show_rate(bps)
    assert units.parse_rate(text) == pytest.approx(bps, rel=1e-3)
    assert re.fullmatch(units.quantity_pattern(units.RATE_UNITS), text)


@given(st.integers(1, 9 * 10**18))
def test_a_size_that_is_shown_can_be_written(size_bytes: int) -> None:
    assert units.parse_size(units.show_size(size_bytes)) == pytest.approx(size_bytes, rel=1e-3)


@given(st.floats(1e-9, 86_000_000))
def test_a_time_that_is_shown_can_be_written(seconds: float) -> None:
    assert units.parse_time(units.show_time(seconds)) == pytest.approx(seconds, rel=0.006)
