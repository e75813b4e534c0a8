"""The one link that, added or doubled, removes most harm.

Looked at: a twin for each link of the ten failures that hurt most (as long and as wide, in no
shared-risk group), and for each of them the shortest new link from the side that is cut off to the
rest. Those that leave more replicas without any path than another does are ruled out by that alone.
The others are judged by all the failures that do harm, evaluated again; what a link changes
for failures that do none is not counted, nor what it costs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import NamedTuple

import msgspec

from mcastplan.model.scenario import Scenario
from mcastplan.model.sweep import Case, Remedy, Row
from mcastplan.model.topology import Link, Node, Topology
from mcastplan.study.harm import Harm, Verdict, harm, worst

EARTH_KM = 6371.0
MOST_TRIED = 40
MOST_PAIRS = 200_000  # distances looked at for one new link

Again = Callable[[Scenario, Sequence[Case]], Iterable[Row]]


class Candidate(NamedTuple):
    kind: str  # doubled | added
    link: Link


def remedy(
    scenario: Scenario, verdict: Verdict, judged: Sequence[Harm], again: Again
) -> Remedy | None:
    """None where nothing does harm, or nothing that is tried helps. ``again`` evaluates failures on
    a changed scenario."""
    hurt = [each for each in judged if each.any]
    tried = candidates(verdict, worst(hurt))
    before = _sum(hurt)
    best: tuple[tuple[int, float], Candidate] | None = None
    for one in _promising(verdict, hurt, tried):
        topology = with_link(scenario.topology, one.link)
        changed = msgspec.structs.replace(scenario, topology=topology)
        cases = [each.case for each in hurt]
        rows = again(changed, cases)
        found = _sum(harm(verdict, case, row) for case, row in zip(cases, rows, strict=True))
        if best is None or found < best[0]:
            best = found, one
    if best is None or best[0] >= before:
        return None
    (replicas, delay_s), (kind, link) = best
    return Remedy(kind, link.a, link.b, before[0], replicas, before[1], delay_s, len(tried))


def _sum(found: Iterable[Harm]) -> tuple[int, float]:
    each = [(one.replicas, one.delay_s) for one in found]
    return sum(replicas for replicas, _ in each), math.fsum(delay_s for _, delay_s in each)


def candidates(verdict: Verdict, hurt: Sequence[Harm]) -> list[Candidate]:
    """Twins first, both in order of harm, each once."""
    topology = verdict.context.scenario.topology
    link = {each.id: each for each in topology.links}
    twins = [
        Candidate("doubled", _twin(topology, link[name]))
        for each in hurt
        for name in verdict.places.links(each.case)
    ][: MOST_TRIED - len(hurt)]
    ways = [way for each in hurt if (way := _new_link(verdict, each)) is not None]
    return list(dict.fromkeys((*twins, *(Candidate("added", way) for way in ways))))


def with_link(topology: Topology, link: Link) -> Topology:
    return Topology.make(
        topology.name, topology.nodes, (*topology.links, link), topology.source, topology.licence
    )


def _twin(topology: Topology, link: Link) -> Link:
    return msgspec.structs.replace(link, id=_free(topology, f"{link.id}:twin"), srlgs=())


def _free(topology: Topology, name: str) -> str:
    taken = {link.id for link in topology.links}
    while name in taken:
        name += "+"
    return name


def _new_link(verdict: Verdict, each: Harm) -> Link | None:
    """From the side that the failure cuts off (if it cuts nothing off, from the far end of its
    first link) to the nearest node of the rest that is no neighbour yet."""
    topology = verdict.context.scenario.topology
    side, rest = _sides(verdict, each)
    ends = _nearest(topology, side, rest)
    if ends is None:
        return None
    a, b = (topology.nodes[node].name for node in sorted(ends))
    km = _km(topology, *ends)
    length = [
        _km(topology, topology.node(link.a), topology.node(link.b)) for link in topology.links
    ]
    known = [(link, d) for link, d in zip(topology.links, length, strict=True) if d]
    if km and known and len({link.metric for link in topology.links}) > 1:
        metric = max(1, round(km * median(link.metric / d for link, d in known if d)))
    else:
        metric = round(median(link.metric for link in topology.links))
    if km and known:
        delay_s = km * median(link.delay_s / d for link, d in known if d)
    else:
        delay_s = median(link.delay_s for link in topology.links)
    capacity_bps = median(link.capacity_bps for link in topology.links)
    name = _free(topology, f"{a}--{b}")
    return Link(name, a, b, capacity_bps, capacity_bps, delay_s, metric, metric)


def _sides(verdict: Verdict, each: Harm) -> tuple[list[Node], list[Node]]:
    """(nodes cut off from the first origin that the failure parts from anybody, the others)."""
    context = verdict.context
    graph = context.routes.graph
    dead = verdict.places.nodes(each.case)
    cut = graph.without(verdict.places.down(each.case))
    live = [node for node in range(graph.size) if node not in dead]
    for demand in context.demands:
        if demand.origin in dead:
            continue
        seen = {demand.origin}
        todo = [demand.origin]
        while todo:
            for head, _, _ in cut.out[todo.pop()]:
                if head not in seen:
                    seen.add(head)
                    todo.append(head)
        side = [node for node in live if node not in seen]
        if each.cut_off and any(pe not in seen for pe in demand.pes):
            return side, [node for node in live if node in seen]
    if each.cut_off:
        return [], []
    arcs = sorted(verdict.places.down(each.case))
    dist = context.routes.dist_from(context.demands[0].origin)
    ends = [node for arc in arcs[:1] for node in (graph.tail[arc], graph.head[arc])]
    far = max((node for node in ends if node not in dead), key=lambda n: dist[n], default=None)
    return ([], []) if far is None else ([far], [node for node in live if node != far])


def _nearest(
    topology: Topology, side: Sequence[Node], rest: Sequence[Node]
) -> tuple[Node, Node] | None:
    """The pair of least great-circle distance, else of fewest hops; then of smallest names."""
    graph = topology.graph
    side = side[: max(1, MOST_PAIRS // max(1, len(rest)))]
    placed = all(topology.nodes[node].lat is not None for node in (*side, *rest))
    best: tuple[float, Node, Node] | None = None
    inside = set(rest)
    for a in side:
        beside = {a, *(head for head, _, _ in graph.out[a])}
        away = {} if placed else _hops(topology, a, inside - beside)
        for b in rest if placed else away:
            if b not in beside:
                far = _km(topology, a, b) if placed else away[b]
                if far is not None and (best is None or (far, a, b) < best):
                    best = far, a, b
    return None if best is None else best[1:]


def _hops(topology: Topology, start: Node, wanted: set[Node]) -> dict[Node, int]:
    """Hops to the nearest of ``wanted``, all that are equally near."""
    out = topology.graph.out
    seen, wave, hops = {start}, [start], 0
    while wave:
        hops += 1
        wave = list(dict.fromkeys(v for u in wave for v, _, _ in out[u] if v not in seen))
        seen.update(wave)
        found = {node: hops for node in wave if node in wanted}
        if found:
            return found
    return {}


def _km(topology: Topology, a: Node, b: Node) -> float | None:
    one, two = topology.nodes[a], topology.nodes[b]
    if one.lon is None or one.lat is None or two.lon is None or two.lat is None:
        return None
    high, low = math.radians(one.lat), math.radians(two.lat)
    east = math.radians(two.lon - one.lon)
    half = math.sin((low - high) / 2) ** 2
    half += math.cos(high) * math.cos(low) * math.sin(east / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half)))


def _promising(
    verdict: Verdict, hurt: Sequence[Harm], tried: Sequence[Candidate]
) -> list[Candidate]:
    """Those that leave the fewest replicas cut off by connectivity alone: no other can be best."""
    if not tried:
        return []
    cut = [each for each in hurt if each.replicas]
    left = [sum(_still_cut_off(verdict, each, one.link) for each in cut) for one in tried]
    least = min(left)
    return [one for one, number in zip(tried, left, strict=True) if number == least]


def _still_cut_off(verdict: Verdict, each: Harm, link: Link) -> int:
    """Replicas that no path reaches after the failure with one more link."""
    context = verdict.context
    scenario, graph = context.scenario, context.routes.graph
    dead = verdict.places.nodes(each.case)
    out = graph.without(verdict.places.down(each.case)).out
    a, b = graph.index[link.a], graph.index[link.b]
    joins = a not in dead and b not in dead
    several = len(context.demands) > 1
    lost: set[str] = set()
    for demand in context.demands:
        wanted = {context.pe(name): 0 for name, _, _ in demand.clouds}
        seen = set() if demand.origin in dead else {demand.origin}
        todo = list(seen)
        while todo:
            node = todo.pop()
            beyond = [head for head, _, _ in out[node]]
            if joins and node in (a, b):
                beyond.append(b if node == a else a)
            for head in beyond:
                if head not in seen:
                    seen.add(head)
                    todo.append(head)
        for name in each.cut_off:
            transfer, _, cloud = name.rpartition("/")
            pe = context.pe(cloud)
            if (not several or transfer == demand.transfer) and pe in wanted and pe not in seen:
                lost.add(cloud)
    return sum(scenario.cloud[cloud].replicas for cloud in lost)
