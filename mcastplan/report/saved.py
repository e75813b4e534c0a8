"""A saved result back into what it was; the formats it may have are listed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from mcastplan.errors import UsageError
from mcastplan.model.campaign import Campaign
from mcastplan.model.measurement import Measurement
from mcastplan.model.results import Comparison
from mcastplan.model.sweep import Sweep
from mcastplan.model.timeline import Timeline
from mcastplan.report import campaign, comparison, measurement, sweep, timeline

Result = Comparison | Timeline | Sweep | Campaign | Measurement

# Beyond any number of bytes or seconds that a result can come to.
LARGEST = 1e30


class Kind(msgspec.Struct, frozen=True):
    """One format: what it decodes to, which command writes it, and how it is rendered."""

    type: type[Any]
    command: str
    chapters: tuple[Callable[[Any], str], ...]
    headline: Callable[[Any], str]
    markdown: Callable[[Any], str]


def _kind(result: type[Any], command: str, pages: Any) -> Kind:
    """``pages`` is the module that renders such results; every one exports these three names."""
    return Kind(result, command, pages.CHAPTERS, pages.headline, pages.markdown)


# What a report can be made of, by the text in ``schema``.
RESULTS: dict[str, Kind] = {
    "mcastplan.compare/1": _kind(Comparison, "compare", comparison),
    "mcastplan.timeline/1": _kind(Timeline, "fail", timeline),
    "mcastplan.sweep/1": _kind(Sweep, "sweep", sweep),
    "mcastplan.campaign/1": _kind(Campaign, "campaign", campaign),
    "mcastplan.measurement/1": _kind(Measurement, "lab run", measurement),
}


def kind_of(result: Result) -> Kind:
    """How this result is rendered. Raises `KeyError` for what is none."""
    return {kind.type: kind for kind in RESULTS.values()}[type(result)]


class _Head(msgspec.Struct):
    schema: str = ""


def decode(data: bytes, source: str) -> Result:
    """The result in ``data``; ``source`` is what the user calls it. Raises `UsageError`."""
    writers = "compare --json"
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.schema not in RESULTS:
            known = ", ".join(f"{name} ({kind.command} --json)" for name, kind in RESULTS.items())
            what = f"schema {head.schema[:60]!r}" if head.schema else "no schema"
            raise UsageError(f"{source}: {what}; a report is made of {known}")
        kind = RESULTS[head.schema]
        writers = f"{kind.command} --json"
        result: Result = msgspec.json.decode(data, type=kind.type)
    except msgspec.ValidationError as error:
        raise UsageError(f"{source}: not a result as {writers} writes it: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{source}: not JSON: {error}") from None
    for what in _unsound(msgspec.to_builtins(result), ""):
        raise UsageError(f"{source}: not a result as {writers} writes it: {what}")
    return result


def _unsound(value: object, where: str) -> Iterator[str]:
    """What no result holds, though its type allows it: numbers to draw must be drawable."""
    if isinstance(value, dict):
        if _backwards(value):
            yield f"an end before its beginning - at ${where}"
        for key, item in value.items():
            # Longitudes and latitudes are checked where they are projected.
            if key != "network":
                yield from _unsound(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _unsound(item, f"{where}[{number}]")
    elif isinstance(value, int | float) and not 0 <= value <= LARGEST:
        yield f"{value:g} is out of range - at ${where}"
    elif value == 0 and where.endswith("].count"):
        yield f"a group without replicas - at ${where}"


def _backwards(value: dict[str, Any]) -> bool:
    """Whether this is an interval that ends before it begins."""
    for first, last in (("from_s", "to_s"), ("at_s", "up_at_s")):
        begin, end = value.get(first), value.get(last)
        if isinstance(begin, int | float) and isinstance(end, int | float) and end < begin:
            return True
    return False
