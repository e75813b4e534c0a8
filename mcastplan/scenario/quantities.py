"""Text with a unit to a number within what can be meant; errors carry the path."""

from __future__ import annotations

from functools import lru_cache

from mcastplan import units
from mcastplan.errors import ScenarioError, UnitError
from mcastplan.scenario.words import shown

# Far beyond anything real, and small enough that products stay exact enough in a float.
MAX_RATE_BPS = 1e18
MAX_SIZE_BYTES = 10**18
MAX_TIME_S = 1e9  # 32 years
MAX_LINK_DELAY_S = 1000.0  # keeps a metric in microseconds below 2**31

_rate = lru_cache(maxsize=4096)(units.parse_rate)
_time = lru_cache(maxsize=4096)(units.parse_time)


def rate(text: str, where: str) -> float:
    """Rate [bit/s], 1 bit/s to 1 Eb/s. Raises `ScenarioError`."""
    try:
        value = _rate(text)
    except UnitError as error:
        raise ScenarioError(str(error), where) from None
    if not 1 <= value <= MAX_RATE_BPS:
        raise ScenarioError(f"{shown(text)} is out of range; write 1bps to 1000Pbps", where)
    return value


def size(text: str, where: str) -> int:
    """Size [bytes], 1 B to 1 EB. Raises `ScenarioError`."""
    try:
        value = units.parse_size(text)
    except UnitError as error:
        raise ScenarioError(str(error), where) from None
    if not 1 <= value <= MAX_SIZE_BYTES:
        raise ScenarioError(f"{shown(text)} is out of range; write 1B to 1000PB", where)
    return value


def time(text: str, where: str, at_most_s: float = MAX_TIME_S) -> float:
    """Time [s], 0 to ``at_most_s``. Raises `ScenarioError`."""
    try:
        value = _time(text)
    except UnitError as error:
        raise ScenarioError(str(error), where) from None
    if value > at_most_s:
        raise ScenarioError(f"{shown(text)} is out of range; write 0s to {at_most_s:g}s", where)
    return value


def delay_us(text: str, where: str) -> float:
    """Link delay [us] in whole nanoseconds. Raises `ScenarioError`."""
    delay_ns = time(text, where, MAX_LINK_DELAY_S) * units.NANOSECONDS
    if abs(delay_ns - round(delay_ns)) > 1e-3:
        raise ScenarioError(f"{shown(text)} is not a whole number of nanoseconds; round it", where)
    return round(delay_ns) / 1000
