"""GraphML files to a raw topology, with the standard library's expat.

Read are the Internet Topology Zoo's files (http://www.topology-zoo.org/gml.html, GraphML 1.0
http://graphml.graphdrawing.org), what networkx writes of a `to_networkx` (its graph has a
``schema``: node ids are names there, and edges' ``id`` those of links), and what the user names in
any other (`mcastplan.scenario.attributes`, which also says what the attributes mean). Parallel
edges stay. What is not read is counted and named.

A DOCTYPE is refused before anything in it is read, so no entity is ever declared or expanded and
nothing is fetched; sizes and depth are bounded. Not read: GraphML's own ``hyperedge`` elements,
ports, and graphs inside a node.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from functools import partial
from typing import Any
from xml.parsers import expat  # bandit's S406 is about entities: a DOCTYPE is refused below

from mcastplan.errors import ScenarioError
from mcastplan.model.network import ElementKind
from mcastplan.model.topology import NodeInfo
from mcastplan.scenario import yamlcore
from mcastplan.scenario.attributes import AttributeReader, Attributes, EdgeValues
from mcastplan.scenario.files import TOPOLOGY_SCHEMA
from mcastplan.scenario.names import Namer, check_link_id, is_name
from mcastplan.scenario.raw import RawLink, RawTopology
from mcastplan.scenario.words import printable, shown

MAX_ELEMENTS = 2_000_000
MAX_DEPTH = 32
_MAX_VALUE = 2_000  # characters of one data element; the rest is a drawing's or a comment's
_MAX_LABEL = 300
_READ_OF_GRAPH = ("Network", "Source", "Provenance", "name", "source", "licence", "schema")


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
            drawn = attributes.get("yfiles.type", self._key[1])
            self.keys[self._key[1]] = attributes.get("attr.name", drawn)
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

    def defaults_of(self, kind: ElementKind) -> dict[str, str]:
        """Declared defaults of a ``kind`` of element, by attribute name."""
        return {
            self.keys[key]: value
            for (domain, key), value in self.defaults.items()
            if domain in (kind, "all")
        }

    def named(self, element: _Element, defaults: Mapping[str, str]) -> dict[str, str]:
        """Data by attribute name, over ``defaults``."""
        return {**defaults, **{self.keys.get(key, key): v for key, v in element.data.items()}}


def raw_from_graphml(
    text: str,
    name: str,
    attributes: Attributes = Attributes(),  # noqa: B008  (frozen)
) -> RawTopology:
    """``text`` of a GraphML file called ``name``; ``attributes`` are the user's.

    Raises `ScenarioError`.
    """
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
    own = bool(about.get("schema"))
    if own and about["schema"] != TOPOLOGY_SCHEMA:
        what = f"schema {shown(about['schema'])} is not known; this version reads"
        raise ScenarioError(f"{what} '{TOPOLOGY_SCHEMA}'")
    values = AttributeReader(attributes, also_read=("id",) if own else ())
    notes: list[str] = []
    nodes, names = _nodes(reader, values, own, notes)
    links = _links(reader, values, names, notes)
    for key, value in about.items():
        if value and key not in _READ_OF_GRAPH:
            values.skip("graph", key)
    source = " ".join(
        part for part in (about.get("Source", ""), about.get("Provenance", "")) if part
    )
    return RawTopology(
        _line(about.get("Network") or about.get("name") or "") or name,
        nodes,
        links,
        _line(about.get("source", ""))
        if about.get("source") or own
        else _line(f"GraphML file {name}" + (f" ({source})" if source else "")),
        _line(about.get("licence", "")),
        notes,
        unread=values.unread({"edge": len(reader.edges), "node": len(reader.nodes), "graph": 1}),
    )


def _read_defaults(
    reader: _Reader, values: AttributeReader, kind: ElementKind, elements: int
) -> dict[str, str]:
    """Those of attributes that are read, however many a file declares; the others are counted."""
    read = {}
    for name, value in reader.defaults_of(kind).items():
        if values.reads(kind, name):
            read[name] = value
        elif value and elements:
            values.skip(kind, name, elements)
    return read


def _nodes(
    reader: _Reader, values: AttributeReader, own: bool, notes: list[str]
) -> tuple[list[NodeInfo], dict[str, str]]:
    defaults = _read_defaults(reader, values, "node", len(reader.nodes))
    found = {}
    for element in reader.nodes:
        key = element.attributes.get("id")
        if not key:
            raise _at(element, "a node has no id; give it one")
        if key in found:
            raise _at(element, f"the node id {shown(key)} is repeated; keep one")
        found[key] = values.node(reader.named(element, defaults), partial(_at, element))
    namer = Namer()
    # Kept ids come first, wherever they stand; only the others are given a name.
    names = {key: namer.keep(key) for key, node in found.items() if _keeps(key, node.label, own)}
    nodes = []
    for key, node in found.items():
        label = _line(node.label)
        if key not in names:
            names[key] = namer.name(label, key)
        nodes.append(NodeInfo(names[key], label, node.lon, node.lat, _line(node.kind)))
    kinds = Counter(node.kind for node in found.values())
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


def _keeps(key: str, label: str, own: bool) -> bool:
    """Whether an id is the node's name: one that a scenario can write without quotes."""
    return is_name(key) and (own or (not label and isinstance(yamlcore.scalar(key), str)))


def _links(
    reader: _Reader, values: AttributeReader, names: Mapping[str, str], notes: list[str]
) -> list[RawLink]:
    assert reader.graph is not None
    both_ways = reader.graph.attributes.get("edgedefault", "undirected") != "directed"
    links: list[RawLink] = []
    waiting: dict[tuple[str, str, str], deque[RawLink]] = {}
    defaults = _read_defaults(reader, values, "edge", len(reader.edges))
    loops = alone = unequal = 0
    seen: set[str] = set()
    for element in reader.edges:
        ends = [element.attributes.get(end, "") for end in ("source", "target")]
        for end in ends:
            if end not in names:
                raise _at(element, f"no node has the id {shown(end)}, where an edge ends; add it")
        a, b = names[ends[0]], names[ends[1]]
        data = reader.named(element, defaults)
        seen.update(data)
        edge = values.edge(data, partial(_at, element))
        if a == b:
            loops += 1
            continue
        key = data.get("id", "") if values.reads("edge", "id") else ""
        one_way = not both_ways
        if "directed" in element.attributes:
            one_way = element.attributes["directed"] == "true"
        if one_way and waiting.get((b, a, key)):
            there = _like(waiting[b, a, key], edge)
            unequal += _lead_back(there, edge)
            alone -= 1
            continue
        link = RawLink(
            a=a,
            b=b,
            id=check_link_id(key, f"line {element.line}") if key else None,
            capacity_bps=edge.capacity_bps,
            delay_us=edge.delay_us,
            metric=edge.metric,
            srlgs=edge.srlgs,
        )
        links.append(link)
        if one_way:
            waiting.setdefault((a, b, key), deque()).append(link)
            alone += 1
    values.check_used(seen)
    notes += _odd_edges(alone, unequal, loops, reader.hyperedges)
    return links


def _like(waiting: deque[RawLink], edge: EdgeValues) -> RawLink:
    """Takes the one with the values of ``edge``, or else the first, out of those that wait."""
    values = edge.capacity_bps, edge.metric, edge.delay_us
    found = next(
        (link for link in waiting if (link.capacity_bps, link.metric, link.delay_us) == values),
        waiting[0],
    )
    waiting.remove(found)
    return found


def _lead_back(link: RawLink, edge: EdgeValues) -> bool:
    """Take the edge that leads back into ``link``; whether the two have different delays.

    What only one of them has counts both ways.
    """
    link.capacity_reverse_bps = edge.capacity_bps
    if link.capacity_bps is None:
        link.capacity_bps = edge.capacity_bps
    link.metric_reverse = edge.metric
    if link.metric is None:
        link.metric = edge.metric
    link.srlgs = tuple(sorted({*link.srlgs, *edge.srlgs}))
    there, back = link.delay_us, edge.delay_us
    if there is None or back is None:
        link.delay_us = back if there is None else there
        return False
    link.delay_us = max(there, back)
    return there != back


def _odd_edges(alone: int, unequal: int, loops: int, hyperedges: int) -> list[str]:
    notes = []
    if alone:
        notes.append(
            f"Directed edges without one that leads back, taken as links both ways: {alone:,}."
        )
    if unequal:
        notes.append(
            "Pairs of directed edges with two delays, of which a link has the larger one both"
            f" ways: {unequal:,}."
        )
    if loops:
        notes.append(f"Edges from a node to itself, dropped: {loops:,}.")
    if hyperedges:
        notes.append(f"GraphML hyperedges, not read: {hyperedges:,}.")
    return notes


def _line(text: str) -> str:
    """``text`` as it is where it is one printable line, and not too long."""
    return (text if text.isprintable() else " ".join(printable(text).split()))[:_MAX_LABEL]


def _at(element: _Element, what: str) -> ScenarioError:
    return ScenarioError(f"{what} (line {element.line})")
