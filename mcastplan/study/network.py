"""Questions about a network alone: what it is, and what is wrong with it for a push.

`lint` answers "can every node reach every other": that is its only error. Everything else is a
warning (the plan holds, but a single failure or a router will not let you have it) or a note.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from mcastplan.model.network import (
    Degrees,
    Demands,
    Extent,
    Finding,
    Level,
    LintResult,
    NetworkFacts,
    Range,
    Unread,
)
from mcastplan.model.topology import Link, Topology
from mcastplan.underlay.cuts import Cuts, cuts

SHOW_SCHEMA = "mcastplan.topology-show/1"
LINT_SCHEMA = "mcastplan.topology-lint/1"
OSPF_LARGEST_METRIC = 65_535  # RFC 2328 A.4.2: 16 bits, and appendix C.3: greater than 0


def describe(
    topology: Topology,
    assumptions: Sequence[str] = (),
    demands: Sequence[tuple[str, str, float]] = (),
) -> NetworkFacts:
    """The network in numbers. ``demands`` are (from, to, units)."""
    found = cuts(topology.graph)
    graph, links = topology.graph, topology.links
    degrees = [len(arcs) for arcs in graph.out]
    return NetworkFacts(
        schema=SHOW_SCHEMA,
        name=topology.name,
        source=topology.source,
        licence=topology.licence,
        nodes=len(topology.nodes),
        links=len(links),
        kinds=dict(sorted(Counter(node.kind for node in topology.nodes if node.kind).items())),
        parts=tuple(len(part) for part in found.parts),
        bridges=len(found.bridges),
        cut_nodes=len(found.nodes),
        degree=Degrees(min(degrees), sum(degrees) / len(degrees), max(degrees)),
        capacity_bps=_range(graph.capacity_bps),
        delay_s=_range(graph.delay_s),
        metric=_range(graph.metric),
        extent=_extent(topology),
        demands=Demands(len(demands), sum(row[2] for row in demands)) if demands else None,
        assumptions=tuple(assumptions),
    )


def _range(values: Sequence[float]) -> Range | None:
    return Range(min(values), max(values)) if values else None


def _extent(topology: Topology) -> Extent | None:
    lons = [node.lon for node in topology.nodes if node.lon is not None]
    lats = [node.lat for node in topology.nodes if node.lat is not None]
    if not lons or not lats:
        return None
    return Extent(min(lons), max(lons), min(lats), max(lats), len(lons))


def lint(
    topology: Topology,
    no_capacity: int = 0,
    unread: Sequence[Unread] = (),
    guessed: Sequence[str] = (),
    assumed: Sequence[str] = (),
) -> LintResult:
    """What is wrong with the network, errors first. ``no_capacity`` links had none in the source
    or, where there are ``unread`` attributes, none that is read; the positions of ``guessed`` nodes
    and the delays of ``assumed`` links are not known.

    Not looked at: SRLGs, asymmetric metrics, and whether two cuts together take it apart.
    """
    found = cuts(topology.graph)
    findings = [
        *_cut(topology, found),
        *_unread(unread),
        *_values(topology, no_capacity, bool(unread)),
        *_finding(
            "guessed-position",
            "warning",
            guessed,
            "no position: taken amid the neighbours, so that delays and shortest ways are guesses",
        ),
        *_finding(
            "assumed-delay",
            "warning",
            assumed,
            "no delay and no position: the largest known delay stands for it",
        ),
        *_shape(topology),
    ]
    order: list[Level] = ["error", "warning", "note"]
    findings.sort(key=lambda finding: order.index(finding.level))
    connected = len(found.parts) == 1
    return LintResult(
        LINT_SCHEMA,
        topology.name,
        len(topology.nodes),
        len(topology.links),
        connected,
        tuple(findings),
    )


def _finding(rule: str, level: Level, what: Iterable[str], meaning: str) -> list[Finding]:
    names = tuple(what)
    return [Finding(rule, level, len(names), meaning, names)] if names else []


def _cut(topology: Topology, found: Cuts) -> list[Finding]:
    names = topology.graph.names
    apart = [names[node] for part in found.parts[1:] for node in part]
    return [
        *_finding(
            "disconnected",
            "error",
            sorted(apart),
            f"not joined to the largest of {len(found.parts)} parts: no scheme gets there from it",
        ),
        *_finding(
            "bridge",
            "warning",
            (topology.links[link].id for link in found.bridges),
            "the only way between two sides: when it fails, no scheme restores what is behind it",
        ),
        *_finding(
            "cut-node",
            "warning",
            (names[node] for node in found.nodes),
            "the only router between two sides: when it fails, they are apart",
        ),
    ]


def _unread(unread: Sequence[Unread]) -> list[Finding]:
    """A warning: each may be the very number that a default stands for."""
    meanings = {
        "edge": "attributes of edges that are not read: if one is the capacity, delay or metric,"
        " name it in a scenario's underlay.attributes",
        "node": "attributes of nodes that are not read",
        "graph": "attributes of the graph that are not read",
    }
    levels: dict[str, Level] = {"edge": "warning", "node": "warning", "graph": "note"}
    findings = []
    for kind, meaning in meanings.items():
        names = [each.text() for each in unread if each.kind == kind]
        findings += _finding(f"unread-{kind}", levels[kind], names, meaning)
    return findings


def _values(topology: Topology, no_capacity: int, any_unread: bool) -> list[Finding]:
    findings = []
    if no_capacity:
        none = "no capacity that is read" if any_unread else "no capacity in the source"
        meaning = f"{none}: underlay.capacity, or the least that is known, stands for it"
        findings.append(Finding("no-capacity", "warning", no_capacity, meaning, ()))
    findings += _finding(
        "ospf-metric",
        "warning",
        (
            f"{link.id} {max(link.metric, link.metric_reverse)}"
            for link in topology.links
            if max(link.metric, link.metric_reverse) > OSPF_LARGEST_METRIC
        ),
        f"a metric over {OSPF_LARGEST_METRIC:,}, which OSPF cannot carry (IS-IS wide metrics can)",
    )
    findings += _finding(
        "zero-delay",
        "note",
        (link.id for link in topology.links if link.delay_s == 0),
        "no delay: free for set-up and convergence, and metric 1 under metric: delay",
    )
    return findings


def _narrow_back(both: Sequence[Link]) -> bool:
    used = min(both, key=lambda link: (link.metric_reverse, link.id))
    return used.capacity_reverse_bps < max(each.capacity_reverse_bps for each in both)


def _shape(topology: Topology) -> list[Finding]:
    between: dict[tuple[str, str], list[Link]] = {}
    for link in topology.links:
        between.setdefault((link.a, link.b), []).append(link)
    several = [both for both in between.values() if len(both) > 1]
    used = [(both, min(both, key=lambda link: (link.metric, link.id))) for both in several]
    return [
        *_finding(
            "narrow-parallel-link",
            "warning",
            (
                link.id
                for both, link in used
                if link.capacity_bps < max(each.capacity_bps for each in both) or _narrow_back(both)
            ),
            "the link that ecmp: first uses, though one beside it is wider",
        ),
        *_finding(
            "parallel-links",
            "note",
            sorted(link.id for both in several for link in both),
            "several links between two nodes: ecmp: first uses one of them",
        ),
        *_finding(
            "waypoint",
            "note",
            (node.name for node in topology.nodes if node.kind == "waypoint"),
            "a cable joint that stays, since other than two links meet there: it forwards as a"
            " router and holds state",
        ),
    ]
