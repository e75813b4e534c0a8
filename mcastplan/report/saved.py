"""A saved result back into what it was; the formats it may have are listed here."""

from __future__ import annotations

import msgspec

from mcastplan.errors import UsageError
from mcastplan.model.results import Comparison

# What a report can be made of, by the text in ``schema``.
RESULTS: dict[str, type[Comparison]] = {"mcastplan.compare/1": Comparison}


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
        return msgspec.json.decode(data, type=RESULTS[head.schema])
    except msgspec.ValidationError as error:
        raise UsageError(f"{source}: not a result as compare --json writes it: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{source}: not JSON: {error}") from None
