"""networkx graphs in and out, for people who have their network as one.

Attributes, all SI numbers. Nodes: ``label``, ``lon``, ``lat`` [degrees], ``kind``. Edges:
``capacity_bps`` [bit/s], ``delay_s`` [s], ``metric`` (integer >= 1), ``srlgs`` (names), ``id``.
Graph: ``name``, ``source``, ``licence``. What is missing is filled in as for a file. An undirected
graph does not know which end of an edge came first, so values that differ by direction need a
directed one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mcastplan.errors import ScenarioError
from mcastplan.model.topology import NodeInfo, Topology
from mcastplan.scenario.complete import complete
from mcastplan.scenario.files import MAX_METRIC
from mcastplan.scenario.names import Namer, check_link_id, check_name, check_text, is_name
from mcastplan.scenario.quantities import MAX_LINK_DELAY_S, MAX_RATE_BPS
from mcastplan.scenario.raw import (
    DEFAULT_ROUTE_FACTOR,
    MetricRule,
    RawLink,
    RawTopology,
    Underlay,
    WaypointRule,
)
from mcastplan.scenario.words import shown
from mcastplan.units import NANOSECONDS

if TYPE_CHECKING:
    import networkx as nx


def from_networkx(
    graph: Any,
    *,
    name: str = "",
    metric: MetricRule | None = None,
    capacity_bps: float | None = None,
    route_factor: float = DEFAULT_ROUTE_FACTOR,
    waypoints: WaypointRule = "merge",
) -> Topology:
    """A topology from any networkx graph (or what behaves like one).

    A node's name is its key where that is a valid name, else a slug of its ``label`` or key. In a
    directed graph each edge needs one that leads back (paired by ``id``, else by key), and the two
    become one link. ``metric`` None means ``explicit`` where every edge has a metric,
    ``delay`` where none has; some are an error. Raises `ScenarioError`.
    """
    nodes, names = _nodes(graph)
    links = list(_directed(graph, names) if graph.is_directed() else _undirected(graph, names))
    info: Mapping[str, Any] = graph.graph
    raw = RawTopology(
        check_text(name or str(info.get("name") or "networkx"), "name", required=True),
        nodes,
        links,
        check_text(str(info.get("source", "")), "source"),
        check_text(str(info.get("licence", "")), "licence"),
        notes=[],
    )
    return complete(raw, Underlay(metric, capacity_bps, route_factor, waypoints)).topology


def to_networkx(topology: Topology) -> nx.MultiDiGraph[str]:
    """The topology as a MultiDiGraph: two edges a link, each keyed by the link's id.

    Edge attributes ``id``, ``capacity_bps``, ``delay_s``, ``metric``, ``srlgs``; `from_networkx`
    (with ``waypoints="keep"``) gives the same topology back. Imports networkx.
    """
    import networkx as nx  # noqa: PLC0415  (114 ms, and few need it)

    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph(
        name=topology.name, source=topology.source, licence=topology.licence
    )
    for node in topology.nodes:
        graph.add_node(node.name, label=node.label, lon=node.lon, lat=node.lat, kind=node.kind)
    for link in topology.links:
        common = {"id": link.id, "delay_s": link.delay_s, "srlgs": link.srlgs}
        there = {"capacity_bps": link.capacity_bps, "metric": link.metric}
        back = {"capacity_bps": link.capacity_reverse_bps, "metric": link.metric_reverse}
        graph.add_edge(link.a, link.b, key=link.id, **common, **there)
        graph.add_edge(link.b, link.a, key=link.id, **common, **back)
    return graph


def _nodes(graph: Any) -> tuple[list[NodeInfo], dict[Any, str]]:
    namer = Namer()
    found = list(graph.nodes(data=True))
    # Valid keys keep their names, wherever they stand; only the others are given one.
    names: dict[Any, str] = {key: namer.keep(key) for key, _ in found if _keeps(key)}
    nodes = []
    for key, data in found:
        label = str(data.get("label") or ("" if _keeps(key) else key))
        if key not in names:
            names[key] = namer.name(label, key)
        where = f"node {shown(key)}"
        nodes.append(
            NodeInfo(
                names[key],
                check_text(label, where),
                _number(data, "lon", where, -180, 180),
                _number(data, "lat", where, -90, 90),
                check_text(str(data.get("kind") or ""), where),
            )
        )
    return nodes, names


def _keeps(key: object) -> bool:
    return isinstance(key, str) and is_name(key)


def _undirected(graph: Any, names: Mapping[Any, str]) -> Iterable[RawLink]:
    for u, v, data in graph.edges(data=True):
        where = f"edge {shown(u)} - {shown(v)}"
        for key in ("capacity_reverse_bps", "metric_reverse"):
            if key in data:
                what = f"{key} has no direction in an undirected graph; use a DiGraph"
                raise ScenarioError(what, where)
        link = _link(u, v, data, names, where)
        link.capacity_reverse_bps, link.metric_reverse = link.capacity_bps, link.metric
        yield link


def _directed(graph: Any, names: Mapping[Any, str]) -> Iterable[RawLink]:
    waiting: dict[tuple[Any, Any, object], RawLink] = {}
    keyed = graph.is_multigraph()
    edges = graph.edges(data=True, keys=True) if keyed else graph.edges(data=True)
    for edge in edges:
        u, v, data = edge[0], edge[1], edge[-1]
        label = data.get("id", edge[2] if keyed else None)
        there = _link(u, v, data, names, f"edge {shown(u)} -> {shown(v)}")
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


def _link(u: Any, v: Any, data: Mapping[str, Any], names: Mapping[Any, str], at: str) -> RawLink:
    if u == v:
        raise ScenarioError("joins a node to itself; remove it", at)
    delay_s = _number(data, "delay_s", at, 0, MAX_LINK_DELAY_S)
    link_id = data.get("id")
    return RawLink(
        a=names[u],
        b=names[v],
        id=None if link_id is None else check_link_id(str(link_id), at),
        capacity_bps=_number(data, "capacity_bps", at, 1, MAX_RATE_BPS),
        delay_us=None if delay_s is None else round(delay_s * NANOSECONDS) / 1000,
        metric=_metric(data, "metric", at),
        srlgs=tuple(sorted({check_name(str(name), at) for name in data.get("srlgs") or ()})),
        where=at,
    )


def _number(data: Mapping[str, Any], key: str, at: str, low: float, high: float) -> float | None:
    value = data.get(key)
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not low <= number <= high:
        what = f"{key} {shown(value)} is out of range; it is a number {low:g} to {high:g}"
        raise ScenarioError(what, at)
    return number


def _metric(data: Mapping[str, Any], key: str, at: str) -> int | None:
    number = _number(data, key, at, 1, MAX_METRIC)
    if number is not None and number != int(number):
        raise ScenarioError(f"{key} {number:g} is not a whole number; round it", at)
    return None if number is None else int(number)
