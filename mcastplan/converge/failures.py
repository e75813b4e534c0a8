"""Failures of a scenario as physical facts: when each arc and each node is down.

A failed node takes all its links with it. What overlaps merges: a link is up again when the last
of its failures, and of its ends' failures, is over. ``up_at`` before ``at`` never gets here.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from mcastplan.model.failure import Failure
from mcastplan.model.scenario import Scenario
from mcastplan.model.timeline import FailureRow
from mcastplan.model.topology import Arc, Node, Topology

Span = tuple[float, float]  # [s], the second one infinite if never repaired


class Physical(msgspec.Struct, frozen=True):
    """Spans that ascend and do not touch. ``links`` and ``dark`` by link number: down for any
    reason, and without carrier."""

    down: Mapping[Arc, tuple[Span, ...]]
    links: Mapping[int, tuple[Span, ...]]
    dark: Mapping[int, tuple[Span, ...]]
    nodes: Mapping[Node, tuple[Span, ...]]


def physical(scenario: Scenario, failures: Sequence[Failure]) -> Physical:
    """When what is down. Raises `KeyError` for a link or node that is not there."""
    topology = scenario.topology
    graph = topology.graph
    links: dict[int, list[Span]] = {}
    dark: dict[int, list[Span]] = {}
    nodes: dict[Node, list[Span]] = {}
    for failure in failures:
        span = failure.at_s, math.inf if failure.up_at_s is None else failure.up_at_s
        if span[0] >= span[1]:
            continue
        hit = {_number(topology, name) for name in _links(scenario, failure)}
        for name in failure.nodes:
            node = graph.index[name]
            nodes.setdefault(node, []).append(span)
            hit |= {arc >> 1 for _, _, arc in graph.out[node]}
        for link in hit:
            links.setdefault(link, []).append(span)
            if failure.kind == "carrier":
                dark.setdefault(link, []).append(span)
    merged = {link: _merged(spans) for link, spans in sorted(links.items())}
    return Physical(
        down={arc: spans for link, spans in merged.items() for arc in (2 * link, 2 * link + 1)},
        links=merged,
        dark={link: _merged(spans) for link, spans in sorted(dark.items())},
        nodes={node: _merged(spans) for node, spans in sorted(nodes.items())},
    )


def failure_rows(scenario: Scenario, failures: Sequence[Failure]) -> tuple[FailureRow, ...]:
    """As results name them, in time order."""
    rows = (
        FailureRow(
            at_s=failure.at_s,
            up_at_s=failure.up_at_s,
            kind=failure.kind,
            links=tuple(sorted(_links(scenario, failure))),
            nodes=tuple(sorted(set(failure.nodes))),
            srlgs=tuple(sorted(set(failure.srlgs))),
        )
        for failure in failures
    )
    return tuple(
        sorted(
            rows,
            key=lambda row: (
                row.at_s,
                math.inf if row.up_at_s is None else row.up_at_s,
                row.kind,
                row.links,
                row.nodes,
                row.srlgs,
            ),
        )
    )


def _links(scenario: Scenario, failure: Failure) -> set[str]:
    """Ids of the links that fail by themselves: named, or in a failed risk group."""
    found = set(failure.links)
    if failure.srlgs:
        groups = set(failure.srlgs)
        found |= {link.id for link in scenario.topology.links if groups & set(link.srlgs)}
    return found


def _number(topology: Topology, name: str) -> int:
    """Rank of the link, found by its id: links are in that order."""
    links = topology.links
    place = bisect_left(links, name, key=lambda link: link.id)
    if place == len(links) or links[place].id != name:
        raise KeyError(name)
    return place


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    found: list[Span] = []
    for from_s, to_s in sorted(spans):
        if found and from_s <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], to_s)
        else:
            found.append((from_s, to_s))
    return tuple(found)
