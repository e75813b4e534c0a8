"""Attributes of graphs that others define (GraphML, networkx): which are read, as what.

Read are the names `to_networkx` writes (``capacity_bps``, ``delay_s``, ``metric``, ``srlgs``), the
Internet Topology Zoo's (``LinkSpeedRaw`` [bit/s], or ``LinkSpeed`` and ``LinkSpeedUnits``,
``Internal``, ``hyperedge``), positions (``lon``, ``lat``, ``longitude``, ``latitude`` in any case),
and what the user says (``underlay.attributes``), who alone knows the unit of a ``bandwidth`` or a
``delay``. All others are counted, so that they can be named.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import msgspec

from mcastplan.errors import ScenarioError
from mcastplan.model.network import ElementKind, Unread
from mcastplan.scenario import quantities
from mcastplan.scenario.files import MAX_METRIC, FileAttributes
from mcastplan.scenario.names import check_name
from mcastplan.scenario.quantities import MAX_LINK_DELAY_S, MAX_RATE_BPS
from mcastplan.scenario.shape import decode
from mcastplan.scenario.words import hint, listed, shortened, shown
from mcastplan.units import NANOSECONDS, RATE_UNITS, show_rate, show_time

_SPEED_UNITS = {prefix.upper(): float(RATE_UNITS[f"{prefix}bps"]) for prefix in ("", *"kMGT")}
# Any case but MB/s and MBps, which are bytes.
_SPEED_UNIT = re.compile(r"(?=.)([KMGTkmgt]?)(?:bps|BPS|b/s)?")
_NODE = frozenset({"label", "name", "kind", "Internal", "hyperedge"})
_EDGE = frozenset(
    {"capacity_bps", "delay_s", "metric", "srlgs", "LinkSpeedRaw", "LinkSpeed", "LinkSpeedUnits"}
)
_LONGITUDE, _LATITUDE = ("lon", "longitude"), ("lat", "latitude")

Fail = Callable[[str], ScenarioError]  # what is wrong -> an error that says where


class _Read(msgspec.Struct, frozen=True):
    """An attribute the user names; ``unit`` in SI, None where each value carries its own."""

    name: str
    unit: float | None = None


class Attributes(msgspec.Struct, frozen=True):
    """What the user says of a graph's edges."""

    capacity: _Read | None = None
    delay: _Read | None = None
    metric: _Read | None = None

    def names(self) -> frozenset[str]:
        given = (self.capacity, self.delay, self.metric)
        return frozenset(each.name for each in given if each is not None)


def attributes_of(file: FileAttributes) -> Attributes:
    """``underlay.attributes`` in SI. Raises `ScenarioError`."""
    where = "underlay.attributes"
    capacity = delay = metric = None
    if file.capacity:
        unit = file.capacity.unit
        bps = None if unit is None else quantities.rate(unit, f"{where}.capacity.unit")
        capacity = _Read(file.capacity.name, bps)
    if file.delay:
        unit = file.delay.unit
        seconds = None if unit is None else quantities.time(unit, f"{where}.delay.unit")
        delay = _Read(file.delay.name, seconds)
    if file.metric:
        metric = _Read(file.metric.name)
    return Attributes(capacity, delay, metric)


def given_attributes(given: Mapping[str, Any] | None) -> Attributes:
    """`attributes_of` a mapping, as Python gives it. Raises `ScenarioError`."""
    return attributes_of(decode(given or {}, FileAttributes))


class NodeValues(msgspec.Struct, frozen=True):
    label: str
    lon: float | None
    lat: float | None
    kind: str


class EdgeValues(msgspec.Struct, frozen=True):
    capacity_bps: float | None
    delay_us: float | None
    metric: int | None
    srlgs: tuple[str, ...]


class AttributeReader:
    """Reads nodes and edges one by one, and counts by name what it does not read."""

    def __init__(self, attributes: Attributes, also_read: Iterable[str] = ()) -> None:
        self._given = attributes
        self._edge = _EDGE | attributes.names() | frozenset(also_read)
        self._skipped: dict[ElementKind, Counter[str]] = {
            "edge": Counter(),
            "node": Counter(),
            "graph": Counter(),
        }

    def reads(self, kind: ElementKind, name: str) -> bool:
        """Whether an attribute of that name is read, if there is one."""
        if kind == "edge":
            return name in self._edge
        return kind == "node" and (name in _NODE or name.casefold() in _LONGITUDE + _LATITUDE)

    def check_used(self, names: Iterable[str]) -> None:
        """What the user names must be among the ``names`` edges have. Raises `ScenarioError`."""
        known = set(names)
        for field in ("capacity", "delay", "metric"):
            each: _Read | None = getattr(self._given, field)
            if each is not None and each.name not in known:
                advice = hint(each.name, known, "edges have") or "; no edge has any"
                what = f"no edge has the attribute {shown(each.name)}{advice}"
                raise ScenarioError(what, f"underlay.attributes.{field}.name")

    def skip(self, kind: ElementKind, name: str, count: int = 1) -> None:
        self._skipped[kind][name] += count

    def unread(self, elements: Mapping[ElementKind, int]) -> tuple[Unread, ...]:
        """What was not read; ``elements`` counts each kind. The most common first."""
        return tuple(
            Unread(kind, shortened(name), min(count, elements[kind]), elements[kind])
            for kind, skipped in self._skipped.items()
            for name, count in sorted(skipped.items(), key=lambda item: (-item[1], item[0]))
        )

    def node(self, data: Mapping[str, Any], fail: Fail) -> NodeValues:
        """Raises what ``fail`` makes."""
        data = self._known("node", data)
        lon, lon_key = _degrees(data, _LONGITUDE, 180, fail)
        lat, lat_key = _degrees(data, _LATITUDE, 90, fail)
        if lon is None or lat is None:
            lon = lat = None
            for key in (lon_key, lat_key):
                if key:
                    self.skip("node", key)
        kind = str(data.get("kind", ""))
        if _flag(data.get("hyperedge")):
            kind = kind or "shared medium"
        elif "Internal" in data and not _flag(data["Internal"]):
            kind = kind or "external"
        return NodeValues(str(data.get("label") or data.get("name") or ""), lon, lat, kind)

    def edge(self, data: Mapping[str, Any], fail: Fail) -> EdgeValues:
        """Raises what ``fail`` makes."""
        data = self._known("edge", data)
        delay_s = self._delay_s(data, fail)
        if delay_s and not round(delay_s * NANOSECONDS):
            raise fail(f"a delay of {delay_s:g} s is below a nanosecond; write 0 or at least 1 ns")
        return EdgeValues(
            self._capacity_bps(data, fail),
            None if delay_s is None else round(delay_s * NANOSECONDS) / 1000,
            self._metric(data, fail),
            _srlgs(data.get("srlgs"), fail),
        )

    def _known(self, kind: ElementKind, data: Mapping[str, Any]) -> dict[str, Any]:
        """What of ``data`` has a value and is read; the rest of it is counted."""
        known = {}
        for key, value in data.items():
            name = str(key)  # networkx takes anything as a key, and arrays as values
            if value is None or (isinstance(value, str) and not value):
                continue
            if self.reads(kind, name):
                known[name] = value
            else:
                self.skip(kind, name)
        return known

    def _instead(self, data: Mapping[str, Any], name: str, others: Iterable[str]) -> None:
        """Count what is not read because another attribute was named for it."""
        for other in others:
            if other != name and other in data:
                self.skip("edge", other)

    def _capacity_bps(self, data: Mapping[str, Any], fail: Fail) -> float | None:
        """None where there is none, no unit, or 0 in ``LinkSpeed`` (the Zoo's unknown)."""
        given = self._given.capacity
        if given:
            words = (quantities.rate, show_rate, "1Mbps")
            self._instead(data, given.name, ("capacity_bps", "LinkSpeedRaw", "LinkSpeed"))
            there = given.name in data
            return _quantity(data, given, (1, MAX_RATE_BPS), words, fail) if there else None
        if "capacity_bps" in data:
            return _number(data, "capacity_bps", (1, MAX_RATE_BPS), fail)
        if "LinkSpeedRaw" in data:
            bps = _number(data, "LinkSpeedRaw", (0, MAX_RATE_BPS), fail)
            if bps >= 1:
                return bps
        if "LinkSpeed" not in data:
            return None
        unit = _SPEED_UNIT.fullmatch(str(data.get("LinkSpeedUnits", "")).strip())
        if not unit:
            for key in ("LinkSpeed", "LinkSpeedUnits"):
                if key in data:
                    self.skip("edge", key)
            return None
        speed = str(data["LinkSpeed"]).lstrip("<>= ")
        bps = _number({**data, "LinkSpeed": speed}, "LinkSpeed", (0, MAX_RATE_BPS), fail)
        bps *= _SPEED_UNITS[unit[1].upper()]
        if bps > MAX_RATE_BPS:
            _out_of_range("LinkSpeed", speed, (0, MAX_RATE_BPS), fail)
        return bps if bps >= 1 else None

    def _delay_s(self, data: Mapping[str, Any], fail: Fail) -> float | None:
        given = self._given.delay
        if given:
            words = (quantities.time, show_time, "1ms")
            self._instead(data, given.name, ("delay_s",))
            there = given.name in data
            return _quantity(data, given, (0, MAX_LINK_DELAY_S), words, fail) if there else None
        if "delay_s" in data:
            return _number(data, "delay_s", (0, MAX_LINK_DELAY_S), fail)
        return None

    def _metric(self, data: Mapping[str, Any], fail: Fail) -> int | None:
        given = self._given.metric
        key = given.name if given else "metric"
        self._instead(data, key, ("metric",))
        if key not in data:
            return None
        number = _number(data, key, (1, MAX_METRIC), fail)
        if number != int(number):
            raise fail(f"{key} {number:g} is not a whole number; round it")
        return int(number)


def unread_notes(unread: Iterable[Unread]) -> list[str]:
    """A sentence for each kind of element with attributes that are not read."""
    ways = {
        "edge": "; if one is the capacity, delay or metric, name it in underlay.attributes",
        "node": "",
        "graph": "",
    }
    return [
        f"Attributes of {kind}s that are not read: {listed(names)}{way}."
        for kind, way in ways.items()
        if (names := [each.text() for each in unread if each.kind == kind])
    ]


def _quantity(
    data: Mapping[str, Any],
    given: _Read,
    limits: tuple[float, float],
    words: tuple[Callable[[str, str], float], Callable[[float], str], str],
    fail: Fail,
) -> float:
    """The value of an attribute the user names: its number of units, or text with a unit."""
    parse, show, one = words
    value = data[given.name]
    if given.unit is None:
        if not math.isnan(_float(value)):
            raise fail(
                f"{given.name} {shown(value)} has no unit; say what 1 is, as in 'unit: {one}'"
            )
        try:
            return parse(str(value).strip(), "")
        except ScenarioError as error:
            raise fail(f"{given.name}: {error.what}") from None
    number = _float(value) * given.unit
    if not limits[0] <= number <= limits[1]:
        what = f"{given.name} {shown(value)}, in units of {show(given.unit)}, is out of range"
        raise fail(f"{what}; it is a number, and {show(limits[0])} to {show(limits[1])} in all")
    return number


def _number(data: Mapping[str, Any], key: str, limits: tuple[float, float], fail: Fail) -> float:
    number = _float(data[key])
    if not limits[0] <= number <= limits[1]:
        _out_of_range(key, data[key], limits, fail)
    return number


def _out_of_range(key: str, value: object, limits: tuple[float, float], fail: Fail) -> NoReturn:
    what = f"{key} {shown(value)} is out of range"
    raise fail(f"{what}; it is a number {limits[0]:g} to {limits[1]:g}")


def _float(value: object) -> float:
    """NaN where it is none, so that every range check fails."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _degrees(
    data: Mapping[str, Any], names: tuple[str, str], limit: float, fail: Fail
) -> tuple[float | None, str]:
    """The value and the name it stands under, in whatever case."""
    for name in names:
        for key in data:
            if key.casefold() == name:
                return _number(data, key, (-limit, limit), fail), key
    return None, ""


def _flag(value: object) -> bool:
    return str(value).lower() in ("1", "1.0", "true")


def _srlgs(value: object, fail: Fail) -> tuple[str, ...]:
    """Names, or text with commas between them."""
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",")]
    if not isinstance(value, Iterable):
        if value is None:
            return ()
        raise fail(f"srlgs {shown(value)} is no list of names; write 'duct-1,duct-2'")
    try:
        return tuple(sorted({check_name(str(name), "") for name in value}))
    except ScenarioError as error:
        raise fail(error.what) from None
