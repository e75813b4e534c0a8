"""From a raw topology to a complete one: delays, capacities, metrics, merged waypoints, ids."""

from __future__ import annotations

import msgspec

from mcastplan.errors import ScenarioError
from mcastplan.model.network import Unread
from mcastplan.model.topology import Link, NodeInfo, Topology
from mcastplan.scenario.attributes import unread_notes
from mcastplan.scenario.delays import fill_delays
from mcastplan.scenario.files import MAX_METRIC
from mcastplan.scenario.names import NodeFinder
from mcastplan.scenario.raw import (
    DEFAULT_CAPACITY_BPS,
    MetricRule,
    RawLink,
    RawTopology,
    Underlay,
)
from mcastplan.scenario.waypoints import merge_waypoints
from mcastplan.scenario.words import listed, shown
from mcastplan.units import NANOSECONDS, show_rate


class LoadedTopology(msgspec.Struct, frozen=True):
    """A complete topology, how it was completed, and the waypoints that are gone.

    ``no_capacity`` counts the source's links without a capacity, ``guessed`` names nodes whose
    position was guessed, ``assumed`` links whose delay was; ``gaps`` are those of the assumptions
    that must be seen at once; ``demands`` are the source's traffic matrix as (from, to, units),
    less what starts or ends at a merged waypoint; ``unread`` are attributes that the source has and
    nobody reads.
    """

    topology: Topology
    assumptions: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    no_capacity: int = 0
    guessed: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    demands: tuple[tuple[str, str, float], ...] = ()
    unread: tuple[Unread, ...] = ()
    gaps: tuple[str, ...] = ()

    def finder(self) -> NodeFinder:
        return NodeFinder(self.topology.nodes, self.merged)


def complete(raw: RawTopology, underlay: Underlay) -> LoadedTopology:
    """Fill in, merge, number and check. Linear time but for sorting. Raises `ScenarioError`."""
    unread = unread_notes(raw.unread)
    delays = fill_delays(raw, underlay.route_factor)
    notes = [*raw.notes, *unread, *delays.notes, *delays.gaps]
    no_capacity = sum(link.capacity_bps is None for link in raw.links)
    capacities = _fill_capacities(raw, underlay.capacity_bps)
    notes += capacities
    gaps = [*unread, *delays.gaps]
    if raw.unread or 0 < no_capacity < len(raw.links):
        gaps += capacities
    rule = _metric_rule(raw.links, underlay.metric, notes)
    if rule == "explicit":
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
    if rule != "explicit":
        notes += _set_metrics(links, hops=rule == "hops")
    topology = _assemble(raw, nodes, links)
    notes += _unequal_notes(topology)
    gone = frozenset(merged)
    demands = tuple(row for row in raw.demands if row[0] not in gone and row[1] not in gone)
    return LoadedTopology(
        topology,
        tuple(notes),
        merged,
        no_capacity,
        delays.guessed,
        delays.assumed,
        demands,
        tuple(raw.unread),
        tuple(gaps),
    )


def _fill_capacities(raw: RawTopology, capacity_bps: float | None) -> list[str]:
    """A gap beside known capacities is never the widest: it gets the least of them, unless
    ``capacity_bps`` is stated."""
    links = raw.links
    rates = [rate for link in links for rate in (link.capacity_bps, link.capacity_reverse_bps)]
    known = [rate for rate in rates if rate is not None]
    filled = 0
    assumed_bps = capacity_bps or min(known, default=DEFAULT_CAPACITY_BPS)
    for link in links:
        if link.capacity_bps is None:
            filled += 1
            link.capacity_bps = assumed_bps
        if link.capacity_reverse_bps is None:
            link.capacity_reverse_bps = link.capacity_bps
    if not filled:
        return []
    least = "" if capacity_bps or not known else ", the least that is known,"
    which = "of which none is read" if raw.unread else "which have none in the source"
    beside = ""
    if capacity_bps and known:
        beside = f"; the others have {show_rate(min(known))} to {show_rate(max(known))}"
    return [
        f"Capacity {show_rate(assumed_bps)}{least} assumed for {filled:,} of {len(links):,} links,"
        f" {which}{beside}."
    ]


def _metric_rule(links: list[RawLink], asked: MetricRule | None, notes: list[str]) -> MetricRule:
    """What the metrics are; says so where the file decides, or where its metrics are not used."""
    stated = sum(link.metric is not None for link in links)
    if asked is None and links and stated == len(links):
        notes.append("Metrics are those of the links, each of which has one.")
        return "explicit"
    if asked is None and stated:
        lacking = next(link for link in links if link.metric is None)
        raise ScenarioError(
            f"link {lacking.a} to {lacking.b} has no metric, and {stated:,} of {len(links):,} links"
            " have one; add it, or choose metric: delay or hops (underlay.metric)",
            lacking.where,
        )
    rule = asked or "delay"
    if stated and rule != "explicit":
        notes.append(
            f"Metrics of {stated:,} links in the source are not used: underlay.metric is {rule}."
        )
    elif asked is None:
        notes.append("Metrics are the delays, for no link has a metric of its own.")
    return rule


def _check_metrics(links: list[RawLink]) -> None:
    for link in links:
        if link.metric is None:
            what = f"link {link.a} to {link.b} has no metric, which underlay.metric: explicit needs"
            raise ScenarioError(f"{what}; add one or use metric: delay", link.where)
        if link.metric_reverse is None:
            link.metric_reverse = link.metric


def _set_metrics(links: list[RawLink], hops: bool) -> list[str]:
    """One a link, or its delay: in whole microseconds, unless some delay is none; at least 1."""
    finer = not hops and any(link.delay_us and link.delay_us % 1 for link in links)
    unit = 1000 if finer else 1
    for link in links:
        link.metric = link.metric_reverse = (
            1 if hops else max(1, round((link.delay_us or 0) * unit))
        )
    if not finer:
        return []
    return ["Metrics are delays in nanoseconds, since not all are whole microseconds."]


def _unequal_notes(topology: Topology) -> list[str]:
    """Links side by side, as good for the IGP and not as wide: one of them carries everything."""
    pairs: dict[tuple[str, str], list[Link]] = {}
    for link in topology.links:
        pairs.setdefault((link.a, link.b), []).append(link)
    said: dict[str, None] = {}
    for both in pairs.values():
        if len(both) == 1:
            continue
        for arcs in (
            [(link.metric, link.id, link.capacity_bps) for link in both],
            [(link.metric_reverse, link.id, link.capacity_reverse_bps) for link in both],
        ):
            least, used, rate = min(arcs)
            rates = {each for metric, _, each in arcs if metric == least}
            if len(rates) > 1:
                wider = max(rates) > rate
                beside = f", though another has {show_rate(max(rates))}" if wider else ""
                said[f"{used} ({show_rate(rate)}{beside})"] = None
    if not said:
        return []
    return [
        f"Of parallel links of one metric and unequal capacity, ecmp: first uses the first:"
        f" {listed(said)}."
    ]


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
        delay_s = round((raw.delay_us or 0) * 1000) / NANOSECONDS
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
    """The widest first: under ``ecmp: first`` the smallest id carries everything."""
    return (
        -link.capacity_bps,
        -link.capacity_reverse_bps,
        link.metric,
        link.metric_reverse,
        link.delay_s,
        link.srlgs,
        link.id,
    )
