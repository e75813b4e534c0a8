"""Internet Topology Zoo files: GraphML to a raw topology, with the standard library's expat.

Read as the Topology Zoo writes them (http://www.topology-zoo.org/gml.html, GraphML 1.0
http://graphml.graphdrawing.org): nodes with ``label``, ``Longitude``, ``Latitude``, ``Internal``
(0: somebody else's router) and ``hyperedge`` (1: a shared medium drawn as a node); edges with
``LinkSpeedRaw`` [bit/s], or ``LinkSpeed`` and ``LinkSpeedUnits`` (K, M, G, T, as such or before bps
or b/s; without them the speed is unknown). Parallel edges stay.

A DOCTYPE is refused before anything in it is read, so no entity is ever declared or expanded and
nothing is fetched; sizes and depth are bounded. Not read: GraphML's own ``hyperedge`` elements,
ports, and graphs inside a node.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping
from typing import Any
from xml.parsers import expat  # bandit's S406 is about entities: a DOCTYPE is refused below

from mcastplan.errors import ScenarioError
from mcastplan.model.topology import NodeInfo
from mcastplan.scenario.names import Namer
from mcastplan.scenario.quantities import MAX_RATE_BPS
from mcastplan.scenario.raw import RawLink, RawTopology
from mcastplan.scenario.words import printable, shown
from mcastplan.units import RATE_UNITS

MAX_ELEMENTS = 2_000_000
MAX_DEPTH = 32
_MAX_VALUE = 2_000  # characters of one data element; the rest is a drawing's or a comment's
_MAX_LABEL = 300
_SPEED_UNITS = {prefix.upper(): float(RATE_UNITS[f"{prefix}bps"]) for prefix in ("", *"kMGT")}
# Any case but MB/s and MBps, which are bytes.
_SPEED_UNIT = re.compile(r"(?=.)([KMGTkmgt]?)(?:bps|BPS|b/s)?")
# The attributes that are read: only these have a default, however many a file declares.
_READ = {
    "graph": frozenset({"Network", "Source", "Provenance"}),
    "node": frozenset({"label", "Longitude", "Latitude", "Internal", "hyperedge"}),
    "edge": frozenset({"LinkSpeedRaw", "LinkSpeed", "LinkSpeedUnits"}),
}


class _Element:
    """A node or an edge while it is read; ``data`` by key id."""

    __slots__ = ("attributes", "data", "line")

    def __init__(self, attributes: dict[str, str], line: int) -> None:
        self.attributes, self.line = attributes, line
        self.data: dict[str, str] = {}


class _Reader:
    """expat's handlers. Only the first graph counts; a second or a nested one is an error."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.keys: dict[str, str] = {}  # key id -> attr.name
        self.defaults: dict[tuple[str, str], str] = {}  # (for, key id) -> value
        self.graph: _Element | None = None
        self.nodes: list[_Element] = []
        self.edges: list[_Element] = []
        self.hyperedges = 0
        self._path: list[str] = []
        self._inside: list[_Element] = []
        self._key: tuple[str, str] | None = None  # of the default that is read
        self._data: str | None = None
        self._value = ""
        self._elements = 0

    def error(self, what: str) -> ScenarioError:
        return ScenarioError(f"{what} (line {self.parser.CurrentLineNumber})")

    def _doctype(self, *_: Any) -> None:
        raise self.error("has a DOCTYPE, which GraphML does not need; remove it")

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS or len(self._path) >= MAX_DEPTH:
            limits = f"{MAX_ELEMENTS:,} elements or {MAX_DEPTH} levels"
            raise self.error(f"has more than {limits}; cut the drawing out of it")
        name = qualified.rpartition(":")[2]
        if not self._path and name != "graphml":
            raise self.error(f"starts with <{shown(name)[1:-1]}>; a GraphML file has <graphml>")
        self._path.append(name)
        element = _Element(attributes, self.parser.CurrentLineNumber)
        if name == "key":
            self._key = attributes.get("for", "all"), attributes.get("id", "")
            if self._key[1] in self.keys:
                raise self.error(f"the key id {shown(self._key[1])} is repeated; keep one")
            self.keys[self._key[1]] = attributes.get("attr.name", self._key[1])
        elif name == "default" and self._key is not None:
            self._value = ""
        elif name == "graph":
            if self.graph is not None:
                raise self.error("holds a second or nested graph; keep one")
            self.graph = element
            self._inside.append(element)
        elif name in ("node", "edge"):
            if self.graph is None:
                raise self.error(f"has a {name} outside a graph; put it inside")
            (self.nodes if name == "node" else self.edges).append(element)
            self._inside.append(element)
        elif name == "hyperedge":
            self.hyperedges += 1
        elif name == "data" and self._inside and self._path[-2] in ("node", "edge", "graph"):
            self._data, self._value = attributes.get("key", ""), ""

    def _text(self, text: str) -> None:
        if len(self._value) < _MAX_VALUE:
            self._value += text[:_MAX_VALUE]

    def _end(self, _: str) -> None:
        name = self._path.pop()
        if name in ("node", "edge", "graph"):
            self._inside.pop()
        elif name == "data" and self._data is not None:
            self._inside[-1].data[self._data] = self._value.strip()
            self._data = None
        elif name == "default" and self._key is not None:
            self.defaults[self._key] = self._value.strip()
        elif name == "key":
            self._key = None

    def defaults_of(self, kind: str) -> dict[str, str]:
        """Declared defaults of the attributes read of a ``kind`` of element, by attribute name."""
        return {
            self.keys[key]: value
            for (domain, key), value in self.defaults.items()
            if domain in (kind, "all") and self.keys[key] in _READ[kind]
        }

    def named(self, element: _Element, defaults: Mapping[str, str]) -> dict[str, str]:
        """Data by attribute name, over `defaults_of` its kind."""
        return {**defaults, **{self.keys.get(key, key): v for key, v in element.data.items()}}


def raw_from_graphml(text: str, name: str) -> RawTopology:
    """``text`` of a GraphML file called ``name``. Raises `ScenarioError`."""
    reader = _Reader()
    try:
        reader.parser.Parse(text.encode("utf-8"), True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        what = f"not valid XML: {reason} (line {error.lineno}, column {error.offset + 1})"
        raise ScenarioError(what) from None
    if reader.graph is None or not reader.nodes:
        raise ScenarioError("holds no graph with nodes; save the network as GraphML")
    about = reader.named(reader.graph, reader.defaults_of("graph"))
    notes: list[str] = []
    nodes, names = _nodes(reader, notes)
    links = _links(reader, names, notes)
    source = " ".join(
        part for part in (about.get("Source", ""), about.get("Provenance", "")) if part
    )
    return RawTopology(
        _line(about.get("Network", "")) or name,
        nodes,
        links,
        _line(f"GraphML file {name}" + (f" ({source})" if source else "")),
        "",
        notes,
    )


def _nodes(reader: _Reader, notes: list[str]) -> tuple[list[NodeInfo], dict[str, str]]:
    namer = Namer()
    names: dict[str, str] = {}
    nodes = []
    kinds = {"external": 0, "shared medium": 0}
    defaults = reader.defaults_of("node")
    for element in reader.nodes:
        key = element.attributes.get("id")
        if not key:
            raise _at(element, "a node has no id; give it one")
        if key in names:
            raise _at(element, f"the node id {shown(key)} is repeated; keep one")
        data = reader.named(element, defaults)
        label = _line(data.get("label", ""))
        names[key] = namer.name(label, key)
        kind = ""
        if _flag(data.get("hyperedge")):
            kind = "shared medium"
        elif data.get("Internal") is not None and not _flag(data["Internal"]):
            kind = "external"
        if kind:
            kinds[kind] += 1
        lon = _degrees(data, "Longitude", 180, element)
        lat = _degrees(data, "Latitude", 90, element)
        if lon is None or lat is None:
            lon = lat = None
        nodes.append(NodeInfo(names[key], label, lon, lat, kind))
    if kinds["external"]:
        notes.append(
            f"Nodes the source marks as somebody else's (Internal 0), taken as routers:"
            f" {kinds['external']:,}."
        )
    if kinds["shared medium"]:
        notes.append(
            f"Nodes that stand for a shared medium (hyperedge 1), taken as routers:"
            f" {kinds['shared medium']:,}."
        )
    return nodes, names


def _links(reader: _Reader, names: Mapping[str, str], notes: list[str]) -> list[RawLink]:
    assert reader.graph is not None
    both_ways = reader.graph.attributes.get("edgedefault", "undirected") != "directed"
    links: list[RawLink] = []
    waiting: dict[tuple[str, str], deque[RawLink]] = {}
    defaults = reader.defaults_of("edge")
    loops = alone = 0
    for element in reader.edges:
        ends = [element.attributes.get(end, "") for end in ("source", "target")]
        for end in ends:
            if end not in names:
                raise _at(element, f"no node has the id {shown(end)}, where an edge ends; add it")
        a, b = names[ends[0]], names[ends[1]]
        if a == b:
            loops += 1
            continue
        capacity = _capacity(reader.named(element, defaults), element)
        one_way = not both_ways
        if "directed" in element.attributes:
            one_way = element.attributes["directed"] == "true"
        if one_way and waiting.get((b, a)):
            link = waiting[b, a].popleft()
            link.capacity_reverse_bps = capacity
            if link.capacity_bps is None:  # as a missing way back is the way there
                link.capacity_bps = capacity
            alone -= 1
            continue
        link = RawLink(a=a, b=b, capacity_bps=capacity)
        links.append(link)
        if one_way:
            waiting.setdefault((a, b), deque()).append(link)
            alone += 1
    if alone:
        notes.append(
            f"Directed edges without one that leads back, taken as links both ways: {alone:,}."
        )
    if loops:
        notes.append(f"Edges from a node to itself, dropped: {loops:,}.")
    if reader.hyperedges:
        notes.append(f"GraphML hyperedges, not read: {reader.hyperedges:,}.")
    return links


def _capacity(data: Mapping[str, str], element: _Element) -> float | None:
    """Capacity [bit/s]; None where the file has none, no unit, or 0 (the Zoo's unknown)."""
    unit = _SPEED_UNIT.fullmatch(data.get("LinkSpeedUnits", ""))
    if data.get("LinkSpeedRaw"):
        key, bps = "LinkSpeedRaw", _number(data["LinkSpeedRaw"])
    elif data.get("LinkSpeed") and unit:
        factor = _SPEED_UNITS[unit[1].upper()]
        key, bps = "LinkSpeed", _number(data["LinkSpeed"].lstrip("<>= ")) * factor
    else:
        return None
    if not 0 <= bps <= MAX_RATE_BPS:
        raise _at(element, f"{key} {shown(data[key])} is not a rate in bit/s; correct it")
    return bps if bps >= 1 else None


def _degrees(data: Mapping[str, str], key: str, limit: float, element: _Element) -> float | None:
    if not data.get(key):
        return None
    value = _number(data[key])
    if not -limit <= value <= limit:
        raise _at(element, f"{key} {shown(data[key])} is not -{limit:g} to {limit:g}; correct it")
    return value


def _number(text: str) -> float:
    """NaN where it is none, so that every range check fails."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _flag(text: str | None) -> bool:
    return text is not None and text.lower() in ("1", "1.0", "true")


def _line(text: str) -> str:
    return " ".join(printable(text).split())[:_MAX_LABEL]


def _at(element: _Element, what: str) -> ScenarioError:
    return ScenarioError(f"{what} (line {element.line})")
