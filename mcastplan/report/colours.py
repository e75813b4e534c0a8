"""Which colour class a scheme has, everywhere on the page."""

from __future__ import annotations

from mcastplan.report import words

_KNOWN = tuple(words.SCHEMES)
_SPARE = 3  # classes beyond the known schemes


def colour(name: str, number: int) -> str:
    """``k0`` .. ; ``number`` is the scheme's place in the result."""
    if name in _KNOWN:
        return f"k{_KNOWN.index(name)}"
    return f"k{len(_KNOWN) + number % _SPARE}"
