"""Shortest paths after arcs went down, repaired only where the failure cut them.

Removing arcs never makes a path shorter, so whatever kept one of its shortest paths keeps its
distance, and a node whose lexicographically smallest shortest path is whole keeps that too. What is
left is Dijkstra over the nodes cut off, seeded by their neighbours that were not: the deletion half
of Ramalingam and Reps, Journal of Algorithms 21 (1996), doi:10.1006/jagm.1996.0046.

Not done: arcs that come back (repair from the network that has them), and changed metrics.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from heapq import heapify, heappop, heappush

from mcastplan.model.topology import Arc, Graph, Node
from mcastplan.underlay.spf import UNREACHED

_FAR = 1 << 62
_Adjacency = Sequence[Sequence[tuple[Node, int, Arc]]]


def cut_off(
    dist: Sequence[int], ahead: _Adjacency, back: _Adjacency, heads: Iterable[Node]
) -> Collection[Node]:
    """Nodes whose distance grows: those that keep none of their shortest paths.

    ``dist`` are those of the whole network; ``ahead`` and ``back`` (the other direction) are what
    is left of it; ``heads`` are the nodes that a lost arc led into on some shortest path.
    """
    lost: dict[Node, None] = {}
    todo = list(heads)
    for v in todo:
        if v in lost:
            continue
        d = dist[v]
        for u, w, _ in back[v]:
            if dist[u] + w == d and u not in lost and dist[u] >= 0:
                break  # another shortest path; if that goes too, v is looked at again
        else:
            lost[v] = None
            for x, w, _ in ahead[v]:
                if d + w == dist[x]:
                    todo.append(x)
    return lost


def repaired_distances(
    dist: list[int], ahead: _Adjacency, back: _Adjacency, lost: Collection[Node]
) -> list[int]:
    """Distances with those of the ``lost`` nodes (`cut_off`) found anew; ``dist`` itself without
    any."""
    if not lost:
        return dist
    size = len(dist)
    dist = dist.copy()
    for v in lost:
        dist[v] = UNREACHED
    label: dict[Node, int] = {}
    heap: list[int] = []
    for v in lost:
        least = _FAR
        for u, w, _ in back[v]:
            d = dist[u]
            if d >= 0 and d + w < least:
                least = d + w
        label[v] = least
        if least < _FAR:
            heap.append(least * size + v)
    heapify(heap)
    while heap:
        d, u = divmod(heappop(heap), size)
        if dist[u] >= 0:
            continue
        dist[u] = d
        for v, w, _ in ahead[u]:
            if dist[v] < 0 and d + w < label[v]:
                label[v] = d + w
                heappush(heap, (d + w) * size + v)
    return dist


def repaired_tree(
    graph: Graph, dist: list[int], parent: list[Arc], heads: Sequence[Node]
) -> tuple[list[int], list[Arc]]:
    """(distances, `first_tree`) on ``graph``, what is left of a network with distances ``dist`` and
    tree ``parent``; ``heads``, at least one, lost their arc in it.

    Where two paths to a node are equally short, the one whose first different hop is smaller wins;
    both are already in the repaired tree, so it is found by climbing to where they part.
    """
    out, into = graph.out, graph.into
    size, far = graph.size, _FAR
    before = dist
    dist, parent_before, parent = dist.copy(), parent, parent.copy()
    below = list(dict.fromkeys(heads))
    inside = set(below)
    for u in below:
        dist[u] = UNREACHED
        parent[u] = -1
        for v, _, arc in out[u]:
            if parent_before[v] == arc and v not in inside:
                inside.add(v)
                below.append(v)
    label: dict[Node, int] = {}
    heap: list[int] = []
    for v in below:
        least = far
        for u, w, arc in into[v]:
            d = dist[u]
            if d >= 0:
                if d + w < least:
                    least = d + w
                    parent[v] = arc
                elif d + w == least and _first(graph, dist, parent, arc, parent[v]):
                    parent[v] = arc
        label[v] = least
        if least < far:
            heap.append(least * size + v)
    heapify(heap)
    while heap:
        d, u = divmod(heappop(heap), size)
        if dist[u] >= 0:
            continue
        dist[u] = d
        for v, w, arc in out[u]:
            if dist[v] < 0:
                t = d + w
                if t < label[v]:
                    label[v] = t
                    parent[v] = arc
                    heappush(heap, t * size + v)
                elif t == label[v] and _first(graph, dist, parent, arc, parent[v]):
                    parent[v] = arc
    return dist if any(dist[v] != before[v] for v in below) else before, parent


def _first(graph: Graph, dist: Sequence[int], parent: Sequence[Arc], one: Arc, other: Arc) -> bool:
    """Whether the path that ends with ``one`` comes before the equally long one with ``other``."""
    tail, head = graph.tail, graph.head
    x, y = tail[one], tail[other]
    while x != y:
        if dist[x] >= dist[y]:
            one = parent[x]
            x = tail[one]
        else:
            other = parent[y]
            y = tail[other]
    return (head[one], one) < (head[other], other)
