"""What one failure takes apart: connected parts, bridges and cut nodes, in linear time.

Hopcroft and Tarjan, Communications of the ACM 16 (1973), doi:10.1145/362248.362272, without
recursion. Parallel links are told apart by their number, so that neither of two is a bridge. Links
are taken as up in both directions.
"""

from __future__ import annotations

import msgspec

from mcastplan.model.topology import Graph, Node


class Cuts(msgspec.Struct, frozen=True):
    """``parts`` largest first, then by smallest node; ``bridges`` are link numbers; all sorted."""

    parts: tuple[tuple[Node, ...], ...]
    bridges: tuple[int, ...]
    nodes: tuple[Node, ...]


def parts(graph: Graph) -> list[list[Node]]:
    """Connected parts, each found from its smallest node, which stands first in it."""
    out = graph.out
    seen = bytearray(graph.size)
    found = []
    for start in range(graph.size):
        if seen[start]:
            continue
        seen[start] = 1
        part = [start]
        for node in part:
            for v, _, _ in out[node]:
                if not seen[v]:
                    seen[v] = 1
                    part.append(v)
        found.append(part)
    return found


def cuts(graph: Graph) -> Cuts:
    """Parts, bridges and cut nodes of the network."""
    entered = [-1] * graph.size  # order of the first visit
    low = [0] * graph.size  # earliest node reachable from below without the link to the parent
    clock = 0
    bridges: list[int] = []
    cut: set[Node] = set()
    found = parts(graph)
    for root, *_ in found:
        entered[root] = low[root] = clock
        clock += 1
        children = 0
        path: list[tuple[Node, int, int]] = [(root, -1, 0)]  # node, link to the parent, next arc
        while path:
            node, above, place = path.pop()
            if place < len(graph.out[node]):
                path.append((node, above, place + 1))
                head, _, arc = graph.out[node][place]
                if arc >> 1 == above:
                    continue
                if entered[head] >= 0:
                    low[node] = min(low[node], entered[head])
                else:
                    entered[head] = low[head] = clock
                    clock += 1
                    path.append((head, arc >> 1, 0))
            elif path:
                parent = path[-1][0]
                low[parent] = min(low[parent], low[node])
                if low[node] > entered[parent]:
                    bridges.append(above)
                if parent == root:
                    children += 1
                elif low[node] >= entered[parent]:
                    cut.add(parent)
        if children > 1:
            cut.add(root)
    ordered = sorted((tuple(sorted(part)) for part in found), key=lambda part: (-len(part), part))
    return Cuts(tuple(ordered), tuple(sorted(bridges)), tuple(sorted(cut)))
