"""Rates, sizes and times: text with a unit to SI numbers, and back for people.

The only module that knows 1e3, 1e6, 1e9. Decimal prefixes, as model hubs print sizes (689 GB =
689e9 bytes); the binary ones (GiB) are read where a source uses them. Nothing here rounds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction

from mcastplan.errors import UnitError

BITS_PER_BYTE = 8
MICROSECONDS = 1_000_000
NANOSECONDS = 1_000_000_000

_DECIMAL = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}

RATE_UNITS: Mapping[str, Fraction] = {f"{p}bps": Fraction(f) for p, f in _DECIMAL.items()}
SIZE_UNITS: Mapping[str, Fraction] = {f"{p}B": Fraction(f) for p, f in (_DECIMAL | _BINARY).items()}
TIME_UNITS: Mapping[str, Fraction] = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "ms": Fraction(1, 10**3),
    "s": Fraction(1),
    "min": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86_400),
}

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,12})?"
_QUANTITY = re.compile(rf"({_NUMBER}) ?([A-Za-z/]{{1,5}})", re.ASCII)


def _parse(text: str, units: Mapping[str, Fraction], kind: str, example: str) -> Fraction:
    """One number and its unit; of a time also several, each unit smaller than the one before."""
    total: Fraction | None = None
    before, rest = None, text
    while match := _QUANTITY.match(rest):
        unit = units.get(match[2])
        if unit is None and units is RATE_UNITS and match[2].endswith("b/s"):
            unit = units.get(match[2].removesuffix("b/s") + "bps")  # as `show_rate` writes it
        if unit is None or (before is not None and unit >= before):
            break
        value = Fraction(match[1]) * unit
        total, before, rest = total + value if total else value, unit, rest[match.end() :]
        if not rest:
            return total
        if units is not TIME_UNITS or not rest.startswith(" "):
            break
        rest = rest[1:]
    shown = text if len(text) <= 40 else text[:37] + "..."
    raise UnitError(
        f"{shown!r} is not a {kind}; write a number and one of {', '.join(units)},"
        f" as in {example!r}"
    )


def quantity_pattern(units: Mapping[str, Fraction]) -> str:
    """The accepted texts of one kind of quantity as an (ECMA) regular expression; of the order of a
    time's units it says nothing."""
    names = list(units)
    if units is RATE_UNITS:
        names += [name.removesuffix("bps") + "b/s" for name in units]
    one = rf"{_NUMBER} ?({'|'.join(names)})"
    return rf"^{one}( {one})*$" if units is TIME_UNITS else rf"^{one}$"


def parse_rate(text: str) -> float:
    """Rate [bit/s] from ``"40Gbps"`` or ``"40 Gb/s"``. Raises `UnitError`."""
    return float(_parse(text, RATE_UNITS, "rate", "40Gbps"))


def parse_size(text: str) -> int:
    """Size [bytes, whole] from ``"689GB"``. Raises `UnitError`."""
    size = _parse(text, SIZE_UNITS, "size", "689GB")
    if size.denominator != 1:
        raise UnitError(f"{text!r} is not a whole number of bytes; round it")
    return int(size)


def parse_time(text: str) -> float:
    """Time [s] from ``"10ms"`` or ``"18 min 32 s"``. Raises `UnitError`."""
    return float(_parse(text, TIME_UNITS, "time", "10ms"))


def _scaled(value: float, prefixes: Mapping[str, int], unit: str) -> str:
    best_prefix, best_factor = "", 1
    for prefix, factor in prefixes.items():
        if value >= factor:
            best_prefix, best_factor = prefix, factor
    return f"{value / best_factor:.4g} {best_prefix}{unit}"


def show_rate(bps: float) -> str:
    """``4e10`` -> ``"40 Gb/s"``; infinity is ``"unlimited"``."""
    return "unlimited" if math.isinf(bps) else _scaled(bps, _DECIMAL, "b/s")


def show_size(size_bytes: float) -> str:
    """``689e9`` -> ``"689 GB"``."""
    return _scaled(size_bytes, _DECIMAL, "B")


def show_time(seconds: float) -> str:
    """``61.2`` -> ``"61.2 s"``, ``2820`` -> ``"47 min 0 s"``, ``0.012`` -> ``"12 ms"``, ``4e-7``
    -> ``"400 ns"``."""
    if seconds >= 48 * 3600:
        hours = round(seconds / 3600)
        return f"{hours // 24} d {hours % 24} h"
    if seconds >= 3599.5:
        minutes = round(seconds / 60)
        return f"{minutes // 60} h {minutes % 60} min"
    if seconds >= 99.95:
        whole = round(seconds)
        return f"{whole // 60} min {whole % 60} s"
    if seconds >= 0.9995 or seconds == 0:  # 1 s, not 1e+03 ms
        return f"{seconds:.3g} s"
    if 0 < seconds < 0.9995e-6:
        return f"{seconds * NANOSECONDS:.3g} ns"
    return f"{seconds * 1000:.3g} ms"


def counted(number: int, one: str, many: str = "") -> str:
    """``(1, "cloud")`` -> ``"1 cloud"``, ``(1656, "replica")`` -> ``"1,656 replicas"``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
