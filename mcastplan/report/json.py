"""A result as JSON: keys in the order of the structure, floats to 12 significant digits.

The same result gives the same bytes on every machine; a number without a value is null.
"""

from __future__ import annotations

import math

import msgspec

_DIGITS = "%.12g"


def render(result: object) -> bytes:
    """UTF-8, two-space indent, one newline at the end."""
    plain = msgspec.to_builtins(result)
    return msgspec.json.format(msgspec.json.encode(_rounded(plain)), indent=2) + b"\n"


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(_DIGITS % value) + 0.0 if math.isfinite(value) else None  # no "-0.0"
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
