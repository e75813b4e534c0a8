"""Small texts for errors: suggestions, cut-off values, lists. One line each, always."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_FEW = 12
_MANY = 50_000  # more candidates than this are not searched for a close one


def printable(text: str) -> str:
    """``text`` on one line: what a terminal would not show becomes a blank."""
    return "".join(char if char.isprintable() else " " for char in text)


def shown(value: object, limit: int = 60) -> str:
    """A value as the file shows it, on one line and not too long."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return shortened(repr(value) if isinstance(value, str) else str(value), limit)


def shortened(text: str, limit: int = 60) -> str:
    """``text`` on one line and not too long."""
    text = printable(text)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def listed(names: Iterable[str]) -> str:
    """``a, b, c`` or, when there are many, the first few and how many more."""
    names = list(names)
    rest = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {rest} more" if rest > 0 else "")


def hint(word: str, known: Iterable[str], what: str = "known") -> str:
    """``"; did you mean 'ingress'?"``, else what is known when that is few, else nothing."""
    names = sorted(set(known))
    if len(names) <= _MANY:
        folded: dict[str, str] = {}
        for name in names:
            folded.setdefault(name.casefold(), name)
        close = difflib.get_close_matches(word[:80].casefold(), folded, n=3, cutoff=0.6)
        if close:
            return f"; did you mean {' or '.join(repr(folded[name]) for name in close)}?"
    return f"; {what}: {listed(names)}" if 0 < len(names) <= 2 * _FEW else ""
