"""networkx graphs in and out, for people who have their network as one.

Attributes, all SI numbers. Nodes: ``label``, ``lon``, ``lat`` [degrees], ``kind``. Edges:
``capacity_bps`` [bit/s], ``delay_s`` [s], ``metric`` (integer >= 1), ``srlgs`` (names, or text with
commas between them), ``id``; and what a file of the Topology Zoo has
(`mcastplan.scenario.attributes`). Graph: ``name``, ``source``, ``licence``. What is missing is
filled in as for a file; other attributes are an error unless they are explained or waived. An
undirected graph does not know which end of an edge came first, so values that differ by direction
need a directed one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from mcastplan.errors import ScenarioError
from mcastplan.model.network import Unread
from mcastplan.model.topology import NodeInfo, Topology
from mcastplan.scenario.attributes import AttributeReader, given_attributes
from mcastplan.scenario.complete import LoadedTopology, complete
from mcastplan.scenario.files import TOPOLOGY_SCHEMA
from mcastplan.scenario.names import Namer, check_link_id, check_text, is_name
from mcastplan.scenario.raw import (
    DEFAULT_ROUTE_FACTOR,
    MetricRule,
    RawLink,
    RawTopology,
    Underlay,
    WaypointRule,
)
from mcastplan.scenario.words import listed, shortened, shown

if TYPE_CHECKING:
    import networkx as nx


def read_networkx(
    graph: Any,
    *,
    name: str = "",
    metric: MetricRule | None = None,
    capacity_bps: float | None = None,
    route_factor: float = DEFAULT_ROUTE_FACTOR,
    waypoints: WaypointRule = "merge",
    attributes: Mapping[str, Any] | None = None,
    ignore: Iterable[object] = (),
) -> LoadedTopology:
    """`from_networkx`, with the assumptions made on the way."""
    reader = AttributeReader(given_attributes(attributes), also_read=("id",))
    nodes, names = _nodes(graph, reader)
    if not nodes:
        raise ScenarioError("the graph has no nodes; add the network's routers to it")
    links = list(
        _directed(graph, names, reader)
        if graph.is_directed()
        else _undirected(graph, names, reader)
    )
    reader.check_used(str(key) for *_, data in graph.edges(data=True) for key in data)
    waived = {shortened(str(key)) for key in ([ignore] if isinstance(ignore, str) else ignore)}
    edges = graph.number_of_edges()
    _check_unread(reader.unread({"edge": edges, "node": len(nodes), "graph": 1}), waived)
    info: Mapping[str, Any] = graph.graph
    raw = RawTopology(
        check_text(name or str(info.get("name") or "networkx"), "name", required=True),
        nodes,
        links,
        check_text(str(info.get("source", "")), "source"),
        check_text(str(info.get("licence", "")), "licence"),
        notes=[],
    )
    return complete(raw, Underlay(metric, capacity_bps, route_factor, waypoints))


def from_networkx(
    graph: Any,
    *,
    name: str = "",
    metric: MetricRule | None = None,
    capacity_bps: float | None = None,
    route_factor: float = DEFAULT_ROUTE_FACTOR,
    waypoints: WaypointRule = "merge",
    attributes: Mapping[str, Any] | None = None,
    ignore: Iterable[object] = (),
) -> Topology:
    """A topology from any networkx graph (or what behaves like one).

    A node's name is its key where that is a valid name, else a slug of its ``label`` or key. In a
    directed graph each edge needs one that leads back (paired by ``id``, else by key), and the two
    become one link. ``metric`` None means ``explicit`` where every edge has a metric,
    ``delay`` where none has; some are an error. ``capacity_bps`` [bit/s] is that of edges without
    one (None: the least that is known, else 100 Gb/s).

    ``attributes`` says which of the edges' attributes are capacity, delay and metric, as a
    scenario's ``underlay.attributes`` does: ``{"capacity": {"name": "bandwidth", "unit":
    "1Mbps"}}``. Attributes of nodes and edges that are not read are an error, unless ``ignore``
    names them; those of the graph are passed over. Raises `ScenarioError`.
    """
    return read_networkx(
        graph,
        name=name,
        metric=metric,
        capacity_bps=capacity_bps,
        route_factor=route_factor,
        waypoints=waypoints,
        attributes=attributes,
        ignore=ignore,
    ).topology


def _check_unread(unread: Iterable[Unread], waived: set[str]) -> None:
    """Raises `ScenarioError` where a node or an edge says what nobody reads or waives."""
    left = [each for each in unread if each.name not in waived]
    for kind, way in (
        ("edge", "say what they are, as in attributes={'delay': {'name': ..., 'unit': '1ms'}}"),
        ("node", "a position is read from 'lon' and 'lat'"),
    ):
        names = [each.text() for each in left if each.kind == kind]
        if names:
            what = f"{kind}s have attributes that are not read: {listed(names)}"
            raise ScenarioError(f"{what}; {way}, or leave them out with ignore=[...]")


def to_networkx(topology: Topology) -> nx.MultiDiGraph[str]:
    """The topology as a MultiDiGraph: two edges a link, each keyed by the link's id.

    Edge attributes ``id``, ``capacity_bps`` [bit/s], ``delay_s`` [s], ``metric``, ``srlgs`` (text,
    a comma between two, none left out); a position that is not known is left out. Every value is
    text or a number, so `networkx.write_graphml` takes it. `from_networkx`, and reading that file
    with an explicit metric (both with ``waypoints="keep"``), give the same topology back. Imports
    networkx.
    """
    import networkx as nx  # noqa: PLC0415  (114 ms, and few need it)

    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph(
        name=topology.name,
        source=topology.source,
        licence=topology.licence,
        schema=TOPOLOGY_SCHEMA,
    )
    for node in topology.nodes:
        position = {"lon": node.lon, "lat": node.lat}
        known = {key: value for key, value in position.items() if value is not None}
        graph.add_node(node.name, label=node.label, kind=node.kind, **known)
    for link in topology.links:
        common: dict[str, Any] = {"id": link.id, "delay_s": link.delay_s}
        if link.srlgs:
            common["srlgs"] = ",".join(link.srlgs)
        there = {"capacity_bps": link.capacity_bps, "metric": link.metric}
        back = {"capacity_bps": link.capacity_reverse_bps, "metric": link.metric_reverse}
        graph.add_edge(link.a, link.b, key=link.id, **common, **there)
        graph.add_edge(link.b, link.a, key=link.id, **common, **back)
    return graph


def _nodes(graph: Any, reader: AttributeReader) -> tuple[list[NodeInfo], dict[Any, str]]:
    namer = Namer()
    found = list(graph.nodes(data=True))
    # Valid keys keep their names, wherever they stand; only the others are given one.
    names: dict[Any, str] = {key: namer.keep(key) for key, _ in found if _keeps(key)}
    nodes = []
    for key, data in found:
        where = f"node {shown(key)}"
        node = reader.node(data, partial(ScenarioError, where=where))
        label = node.label or ("" if _keeps(key) else str(key))
        if key not in names:
            names[key] = namer.name(label, key)
        kind = check_text(node.kind, where)
        nodes.append(NodeInfo(names[key], check_text(label, where), node.lon, node.lat, kind))
    return nodes, names


def _keeps(key: object) -> bool:
    return isinstance(key, str) and is_name(key)


def _undirected(graph: Any, names: Mapping[Any, str], reader: AttributeReader) -> Iterable[RawLink]:
    for u, v, data in graph.edges(data=True):
        where = f"edge {shown(u)} - {shown(v)}"
        for key in ("capacity_reverse_bps", "metric_reverse"):
            if key in data:
                what = f"{key} has no direction in an undirected graph; use a DiGraph"
                raise ScenarioError(what, where)
        link = _link((names[u], names[v]), data, reader, where)
        link.capacity_reverse_bps, link.metric_reverse = link.capacity_bps, link.metric
        yield link


def _directed(graph: Any, names: Mapping[Any, str], reader: AttributeReader) -> Iterable[RawLink]:
    waiting: dict[tuple[Any, Any, object], RawLink] = {}
    keyed = graph.is_multigraph()
    edges = graph.edges(data=True, keys=True) if keyed else graph.edges(data=True)
    for edge in edges:
        u, v, data = edge[0], edge[1], edge[-1]
        label = data.get("id", edge[2] if keyed else None)
        there = _link((names[u], names[v]), data, reader, f"edge {shown(u)} -> {shown(v)}")
        back = waiting.pop((v, u, label), None)
        if back is None:
            waiting[u, v, label] = there
            continue
        if back.delay_us != there.delay_us:
            what = "has another delay than the edge that leads back; give both the same delay_s"
            raise ScenarioError(what, there.where)
        back.capacity_reverse_bps, back.metric_reverse = there.capacity_bps, there.metric
        back.srlgs = tuple(sorted({*back.srlgs, *there.srlgs}))
        yield back
    for link in waiting.values():
        raise ScenarioError("no edge leads back; add one, a link carries both ways", link.where)


def _link(
    ends: tuple[str, str], data: Mapping[str, Any], reader: AttributeReader, at: str
) -> RawLink:
    if ends[0] == ends[1]:
        raise ScenarioError("joins a node to itself; remove it", at)
    edge = reader.edge(data, partial(ScenarioError, where=at))
    link_id = data.get("id")
    return RawLink(
        a=ends[0],
        b=ends[1],
        id=None if link_id is None else check_link_id(str(link_id), at),
        capacity_bps=edge.capacity_bps,
        delay_us=edge.delay_us,
        metric=edge.metric,
        srlgs=edge.srlgs,
        where=at,
    )
