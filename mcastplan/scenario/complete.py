"""From a raw topology to a complete one: delays, capacities, metrics, merged waypoints, ids."""

from __future__ import annotations

import msgspec

from mcastplan.errors import ScenarioError
from mcastplan.model.network import Unread
from mcastplan.model.topology import Link, NodeInfo, Topology
from mcastplan.scenario.attributes import unread_notes
from mcastplan.scenario.files import MAX_METRIC
from mcastplan.scenario.names import NodeFinder
from mcastplan.scenario.raw import (
    FIBRE_US_PER_KM,
    RawLink,
    RawTopology,
    Underlay,
    fibre_delay_us,
    great_circle_m,
)
from mcastplan.scenario.waypoints import merge_waypoints
from mcastplan.scenario.words import shown
from mcastplan.units import MICROSECONDS, show_rate


class LoadedTopology(msgspec.Struct, frozen=True):
    """A complete topology, how it was completed, and the waypoints that are gone.

    ``no_capacity`` counts the source's links without a capacity; ``demands`` are the source's
    traffic matrix as (from, to, units), less what starts or ends at a merged waypoint; ``unread``
    are attributes that the source has and nobody reads.
    """

    topology: Topology
    assumptions: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    no_capacity: int = 0
    demands: tuple[tuple[str, str, float], ...] = ()
    unread: tuple[Unread, ...] = ()

    def finder(self) -> NodeFinder:
        return NodeFinder(self.topology.nodes, self.merged)


def complete(raw: RawTopology, underlay: Underlay) -> LoadedTopology:
    """Fill in, merge, number and check. Linear time but for sorting. Raises `ScenarioError`."""
    notes = [*raw.notes, *unread_notes(raw.unread)]
    notes += _fill_delays(raw, underlay.route_factor)
    no_capacity = sum(link.capacity_bps is None for link in raw.links)
    notes += _fill_capacities(raw, underlay.capacity_bps)
    if underlay.metric == "explicit":
        _check_metrics(raw.links)
    nodes, links = raw.nodes, raw.links
    merged: tuple[str, ...] = ()
    if underlay.waypoints == "merge":
        outcome = merge_waypoints(nodes, links)
        nodes, links, merged = outcome.nodes, outcome.links, outcome.removed
        notes += _merge_notes(len(merged), outcome.kept, outcome.loops)
    elif kept := sum(node.kind == "waypoint" for node in nodes):
        notes += _merge_notes(0, kept, 0)
    if not nodes:
        raise ScenarioError("no router is left after merging waypoints; set waypoints: keep")
    if underlay.metric != "explicit":
        _set_metrics(links, hops=underlay.metric == "hops")
    topology = _assemble(raw, nodes, links)
    gone = frozenset(merged)
    demands = tuple(row for row in raw.demands if row[0] not in gone and row[1] not in gone)
    unread = tuple(raw.unread)
    return LoadedTopology(topology, tuple(notes), merged, no_capacity, demands, unread)


def _fill_delays(raw: RawTopology, route_factor: float) -> list[str]:
    nodes = {node.name: node for node in raw.nodes}
    derived = unknown = 0
    for link in raw.links:
        if link.delay_us is not None:
            continue
        distance_m = link.distance_m
        if distance_m is None:
            distance_m = great_circle_m(nodes[link.a], nodes[link.b])
        if distance_m is None:
            link.delay_us, unknown = 0, unknown + 1
        else:
            link.delay_us, derived = fibre_delay_us(distance_m, route_factor), derived + 1
    notes = []
    if derived:
        notes.append(
            f"Delay from distance for {derived:,} of {len(raw.links):,} links:"
            f" {FIBRE_US_PER_KM} us per km of fibre, fibre {route_factor:g} times as long as the"
            " great circle (ITU-T Y.1541 reckons 1.5 below 1,000 km, 1.25 above 1,200 km)."
        )
    if unknown:
        missing = "which have neither a delay nor positions"
        if raw.unread:
            missing = "of which neither a delay nor positions are read"
        notes.append(f"Delay 0 for {unknown:,} of {len(raw.links):,} links, {missing}.")
    return notes


def _fill_capacities(raw: RawTopology, capacity_bps: float) -> list[str]:
    filled = 0
    for link in raw.links:
        if link.capacity_bps is None:
            filled += 1
            link.capacity_bps = capacity_bps
        if link.capacity_reverse_bps is None:
            link.capacity_reverse_bps = link.capacity_bps
    if not filled:
        return []
    which = "of which none is read" if raw.unread else "which have none in the source"
    number = f"{filled:,} of {len(raw.links):,} links"
    return [f"Capacity {show_rate(capacity_bps)} assumed for {number}, {which}."]


def _check_metrics(links: list[RawLink]) -> None:
    for link in links:
        if link.metric is None:
            what = f"link {link.a} to {link.b} has no metric, which underlay.metric: explicit needs"
            raise ScenarioError(f"{what}; add one or use metric: delay", link.where)
        if link.metric_reverse is None:
            link.metric_reverse = link.metric


def _set_metrics(links: list[RawLink], hops: bool) -> None:
    for link in links:
        metric = 1 if hops else max(1, link.delay_us or 0)
        link.metric = link.metric_reverse = metric


def _merge_notes(merged: int, kept: int, loops: int) -> list[str]:
    notes = []
    if merged:
        loop = f" (cables back to the same router, dropped: {loops:,})" if loops else ""
        notes.append(
            f"Cable waypoints with two links, merged into the links they lie on: {merged:,}{loop}."
        )
    if kept:
        notes.append(f"Cable waypoints that stay and forward as routers: {kept:,}.")
    return notes


def _assemble(raw: RawTopology, nodes: list[NodeInfo], links: list[RawLink]) -> Topology:
    finished: list[Link] = []
    for pair in _by_pair(links).values():
        finished += _numbered(pair)
    ids: set[str] = set()
    for link in finished:
        if link.id in ids:
            what = f"two links have the id {shown(link.id)}; give one of them another"
            raise ScenarioError(what, "links")
        ids.add(link.id)
        if max(link.metric, link.metric_reverse) > MAX_METRIC:
            what = f"link {link.id} gets a metric above {MAX_METRIC}; lower its delay or metric"
            raise ScenarioError(what, "links")
    try:
        return Topology.make(raw.name, tuple(nodes), tuple(finished), raw.source, raw.licence)
    except ValueError as error:
        raise ScenarioError(str(error)) from None


def _by_pair(links: list[RawLink]) -> dict[tuple[str, str], list[Link]]:
    """Links by their two ends; all of one pair run the same way, smaller name first."""
    pairs: dict[tuple[str, str], list[Link]] = {}
    for raw in links:
        a, b = raw.a, raw.b
        there, back = raw.capacity_bps or 0.0, raw.capacity_reverse_bps or 0.0
        metric, metric_reverse = raw.metric or 0, raw.metric_reverse or 0
        if b < a:
            a, b, there, back = b, a, back, there
            metric, metric_reverse = metric_reverse, metric
        delay_s = (raw.delay_us or 0) / MICROSECONDS
        link = Link(raw.id or "", a, b, there, back, delay_s, metric, metric_reverse, raw.srlgs)
        pairs.setdefault((a, b), []).append(link)
    return pairs


def _numbered(pair: list[Link]) -> list[Link]:
    """Give default ids: ``a--b``, or ``a--b#<rank>`` where several links join the two."""
    if len(pair) == 1:
        link = pair[0]
        return pair if link.id else [_with_id(link, f"{link.a}--{link.b}")]
    pair.sort(key=_rank)
    return [
        link if link.id else _with_id(link, f"{link.a}--{link.b}#{rank}")
        for rank, link in enumerate(pair, start=1)
    ]


def _with_id(link: Link, text: str) -> Link:
    return Link(
        text,
        link.a,
        link.b,
        link.capacity_bps,
        link.capacity_reverse_bps,
        link.delay_s,
        link.metric,
        link.metric_reverse,
        link.srlgs,
    )


def _rank(link: Link) -> tuple[object, ...]:
    return (
        link.metric,
        link.metric_reverse,
        link.capacity_bps,
        link.capacity_reverse_bps,
        link.delay_s,
        link.srlgs,
        link.id,
    )
