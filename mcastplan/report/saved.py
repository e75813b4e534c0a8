"""A saved result back into what it was; the formats it may have are listed here."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mcastplan.errors import UsageError
from mcastplan.model.results import Comparison

# What a report can be made of, by the text in ``schema``.
RESULTS: dict[str, type[Comparison]] = {"mcastplan.compare/1": Comparison}

# Beyond any number of bytes or seconds that a result can come to.
LARGEST = 1e30


class _Head(msgspec.Struct):
    schema: str = ""


def decode(data: bytes, source: str) -> Comparison:
    """The result in ``data``; ``source`` is what the user calls it. Raises `UsageError`."""
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.schema not in RESULTS:
            known = ", ".join(RESULTS)
            what = f"schema {head.schema[:60]!r}" if head.schema else "no schema"
            raise UsageError(f"{source}: {what}; a report is made of {known} (compare --json)")
        result = msgspec.json.decode(data, type=RESULTS[head.schema])
    except msgspec.ValidationError as error:
        raise UsageError(f"{source}: not a result as compare --json writes it: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{source}: not JSON: {error}") from None
    for what in _unsound(msgspec.to_builtins(result), ""):
        raise UsageError(f"{source}: not a result as compare --json writes it: {what}")
    return result


def _unsound(value: object, where: str) -> Iterator[str]:
    """What no result holds, though its type allows it: numbers to draw must be drawable."""
    if isinstance(value, dict):
        for key, item in value.items():
            # Longitudes and latitudes are checked where they are projected.
            if key != "network":
                yield from _unsound(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _unsound(item, f"{where}[{number}]")
    elif isinstance(value, int | float) and not 0 <= value <= LARGEST:
        yield f"{value:g} is out of range - at ${where}"
    elif value == 0 and where.endswith(".count"):
        yield f"a group without replicas - at ${where}"
