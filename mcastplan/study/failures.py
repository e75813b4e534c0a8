"""The failures of a sweep: every link, node, shared-risk group, or pair of links; or a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from heapq import nsmallest
from itertools import combinations
from math import comb
from typing import Literal

from mcastplan.errors import UsageError
from mcastplan.model.sweep import Case
from mcastplan.model.topology import Arc, Node, Topology

Kind = Literal["single-link", "single-node", "srlg", "double-link"]
KINDS: tuple[Kind, ...] = ("single-link", "single-node", "srlg", "double-link")
# Rows of so many failures fit in memory, and evaluating them takes minutes, not days.
MOST = 200_000


def cases_of(
    topology: Topology, kind: Kind, sample: int | None = None, seed: int = 0
) -> tuple[int, tuple[Case, ...]]:
    """(how many failures there are, those chosen in order of links, nodes or groups).

    A sample of N are those with the N smallest hashes of seed and name: it does not depend on the
    order of anything, and a larger sample holds every smaller one. Raises as `number_of`.
    """
    total = number_of(topology, kind, sample)
    every = enumerate(_every(topology, kind))
    if sample is None or sample >= total:
        return total, tuple(case for _, case in every)
    chosen = nsmallest(sample, ((_rank(seed, case.name), place, case) for place, case in every))
    return total, tuple(case for _, case in sorted((place, case) for _, place, case in chosen))


def number_of(topology: Topology, kind: Kind, sample: int | None = None) -> int:
    """How many failures there are. Raises `UsageError` where there is nothing to fail, or far too
    much (without a sample)."""
    total = _number(topology, kind)
    if not total:
        raise UsageError(_nothing(topology, kind))
    if total > MOST and sample is None:
        raise UsageError(
            f"{total:,} failures are more than {MOST:,}; take a sample: --sample 10000"
        )
    if sample is not None and min(sample, total) > MOST:
        raise UsageError(f"a sample of {sample:,} is more than {MOST:,} failures; take fewer")
    return total


def _rank(seed: int, name: str) -> bytes:
    return blake2b(f"{seed}|{name}".encode(), digest_size=16).digest()


def _number(topology: Topology, kind: Kind) -> int:
    if kind == "single-link":
        return len(topology.links)
    if kind == "single-node":
        return len(topology.nodes)
    if kind == "srlg":
        return len(groups(topology))
    return comb(len(topology.links), 2)


def _every(topology: Topology, kind: Kind) -> Iterator[Case]:
    ids = [link.id for link in topology.links]
    if kind == "single-link":
        yield from (Case(each, links=(each,)) for each in ids)
    elif kind == "single-node":
        yield from (Case(node.name, nodes=(node.name,)) for node in topology.nodes)
    elif kind == "srlg":
        yield from (Case(group, srlgs=(group,)) for group in groups(topology))
    else:
        yield from (Case(f"{a} + {b}", links=(a, b)) for a, b in combinations(ids, 2))


def _nothing(topology: Topology, kind: Kind) -> str:
    if kind == "srlg":
        return f"topology {topology.name} has no SRLGs; give links 'srlgs', or sweep single-link"
    return f"topology {topology.name} has too few links for a {kind} failure"


def groups(topology: Topology) -> dict[str, tuple[str, ...]]:
    """Links by shared-risk group, both in order."""
    found: dict[str, list[str]] = {}
    for link in topology.links:
        for group in link.srlgs:
            found.setdefault(group, []).append(link.id)
    return {group: tuple(dict.fromkeys(found[group])) for group in sorted(found)}


class Places:
    """What a failure's names stand for in one topology."""

    def __init__(self, topology: Topology) -> None:
        self._graph = topology.graph
        self._rank = {link.id: rank for rank, link in enumerate(topology.links)}
        self._groups = groups(topology)

    def links(self, case: Case) -> tuple[str, ...]:
        """Links that the case names, by id or by group; not those of its nodes."""
        named = (*case.links, *(each for group in case.srlgs for each in self._groups[group]))
        return tuple(dict.fromkeys(named))

    def nodes(self, case: Case) -> frozenset[Node]:
        return frozenset(self._graph.index[name] for name in case.nodes)

    def down(self, case: Case) -> frozenset[Arc]:
        """Both arcs of every link that is down, a failed node's among them."""
        ranks: Iterable[int] = map(self._rank.__getitem__, self.links(case))
        arcs = {arc for rank in ranks for arc in (2 * rank, 2 * rank + 1)}
        for node in self.nodes(case):
            arcs.update(each for _, _, arc in self._graph.out[node] for each in (arc, arc ^ 1))
        return frozenset(arcs)
