"""A `mcastplan.topology/1` mapping, in a scenario or in a file of its own, to a raw topology."""

from __future__ import annotations

from mcastplan.errors import ScenarioError
from mcastplan.model.topology import NodeInfo
from mcastplan.scenario import quantities
from mcastplan.scenario.files import FileLink, FileTopology
from mcastplan.scenario.names import NodeFinder, check_link_id, check_name, check_text
from mcastplan.scenario.raw import RawLink, RawTopology
from mcastplan.scenario.words import shown


def raw_from_file(file: FileTopology, prefix: str = "", name: str = "topology") -> RawTopology:
    """Check names and quantities. ``prefix`` (``topology.``) leads every path in an error.

    Raises `ScenarioError`.
    """
    nodes: list[NodeInfo] = []
    seen: dict[str, int] = {}
    for i, node in enumerate(file.nodes):
        where = f"{prefix}nodes[{i}]"
        check_name(node.name, f"{where}.name")
        if node.name in seen:
            what = f"the name {shown(node.name)} is already nodes[{seen[node.name]}]; rename one"
            raise ScenarioError(what, f"{where}.name")
        seen[node.name] = i
        check_text(node.label, f"{where}.label")
        check_text(node.kind, f"{where}.kind")
        nodes.append(NodeInfo(node.name, node.label, node.lon, node.lat, node.kind))
    finder = NodeFinder(nodes)
    ids: dict[str, int] = {}
    links: list[RawLink] = []
    for i, link in enumerate(file.links):
        where = f"{prefix}links[{i}]"
        if link.id is not None:
            check_link_id(link.id, f"{where}.id")
            if link.id in ids:
                what = f"the id {shown(link.id)} is already links[{ids[link.id]}]; change one"
                raise ScenarioError(what, f"{where}.id")
            ids[link.id] = i
        links.append(_link(link, where, finder))
    return RawTopology(
        check_text(file.name, f"{prefix}name", required=True) if file.name is not None else name,
        nodes,
        links,
        check_text(file.source, f"{prefix}source"),
        check_text(file.licence, f"{prefix}licence"),
        notes=[],
    )


def _link(link: FileLink, where: str, finder: NodeFinder) -> RawLink:
    a, b = finder.find(link.a, f"{where}.a"), finder.find(link.b, f"{where}.b")
    if a == b:
        raise ScenarioError(f"joins {shown(a)} to itself; remove it or change one end", where)
    capacity = reverse_bps = None
    if link.capacity is not None:
        capacity = reverse_bps = quantities.rate(link.capacity, f"{where}.capacity")
    if link.capacity_reverse is not None:
        reverse_bps = quantities.rate(link.capacity_reverse, f"{where}.capacity_reverse")
    if link.metric is None and link.metric_reverse is not None:
        what = "stands without 'metric', the one from a to b; give both"
        raise ScenarioError(what, f"{where}.metric_reverse")
    for i, srlg in enumerate(link.srlgs):
        check_name(srlg, f"{where}.srlgs[{i}]")
    return RawLink(
        a=a,
        b=b,
        id=link.id,
        capacity_bps=capacity,
        capacity_reverse_bps=reverse_bps,
        delay_us=None if link.delay is None else quantities.delay_us(link.delay, f"{where}.delay"),
        metric=link.metric,
        metric_reverse=link.metric if link.metric_reverse is None else link.metric_reverse,
        srlgs=tuple(sorted(set(link.srlgs))),
        where=where,
    )
