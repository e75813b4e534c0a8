"""Shortest paths on integer metrics, with the tie-break of the design: neighbour name, link id."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

from mcastplan.model.topology import Arc, Graph, Node

UNREACHED = -1


def distances(
    size: int, adjacency: Sequence[Sequence[tuple[Node, int, Arc]]], root: Node
) -> list[int]:
    """Distance from ``root`` to every node over ``adjacency``, `UNREACHED` where there is none.

    ``graph.out`` gives distances from the root, ``graph.into`` distances towards it. Dijkstra on a
    binary heap of single integers, distance * size + node, which compare faster than tuples.
    """
    dist = [UNREACHED] * size
    tentative = [1 << 62] * size
    tentative[root] = 0
    heap = [root]
    while heap:
        d, u = divmod(heappop(heap), size)
        if dist[u] >= 0:
            continue
        dist[u] = d
        for v, w, _ in adjacency[u]:
            t = d + w
            if t < tentative[v]:
                tentative[v] = t
                heappush(heap, t * size + v)
    return dist


def distances_and_tree(graph: Graph, root: Node) -> tuple[list[int], list[Arc]]:
    """`distances` from ``root`` and its `first_tree`, in one search where no two paths tie."""
    size, out = graph.size, graph.out
    far = 1 << 62
    dist, parent = [far] * size, [-1] * size
    dist[root] = 0
    ties: list[tuple[Node, int]] = []
    heap = [root]
    while heap:
        d, u = divmod(heappop(heap), size)
        if d > dist[u]:
            continue
        for v, w, arc in out[u]:
            t = d + w
            if t < dist[v]:
                dist[v] = t
                parent[v] = arc
                heappush(heap, t * size + v)
            elif t == dist[v]:
                ties.append((v, t))
    dist = [d if d < far else UNREACHED for d in dist]
    tied = any(dist[v] == t for v, t in ties)
    return dist, first_tree(graph, root, dist) if tied else parent


def first_tree(graph: Graph, root: Node, dist: Sequence[int]) -> list[Arc]:
    """Arc into every node on its lexicographically smallest shortest path from ``root``; -1: none.

    Each node forwarding by its own choice (smallest neighbour, then smallest link id) walks the
    lexicographically smallest shortest path, and those from one root form a tree: a depth-first
    search over the tight arcs, smallest first, meets every node on that path first.
    """
    parent = [-1] * graph.size
    out, seen = graph.out, bytearray(graph.size)
    seen[root] = 1
    stack = [iter(out[root])]
    at = [root]
    while stack:
        u = at[-1]
        d = dist[u]
        for v, w, arc in stack[-1]:
            if not seen[v] and d + w == dist[v]:
                seen[v] = 1
                parent[v] = arc
                stack.append(iter(out[v]))
                at.append(v)
                break
        else:
            stack.pop()
            at.pop()
    return parent


def first_path(
    graph: Graph, source: Node, dest: Node, known: Sequence[int] | None, symmetric: bool
) -> tuple[Arc, ...] | None:
    """The lexicographically smallest shortest path; None without one.

    ``known`` are distances from some root in ``graph`` or a network it is a part of; ``symmetric``
    says whether that network's metrics are.
    """
    if known is None or known[source] < 0 or known[dest] < 0:
        known = [0] * graph.size
    dist = _labels(graph, source, dest, known, symmetric)
    if dest not in dist:
        return None
    # Nodes on some shortest path, found backwards; then every node's own smallest choice.
    on_path, todo = {dest}, [dest]
    while todo:
        v = todo.pop()
        d = dist[v]
        for u, w, _ in graph.into[v]:
            if u not in on_path and dist.get(u, d) + w == d:
                on_path.add(u)
                todo.append(u)
    arcs, node = [], source
    while node != dest:
        d = dist[node]
        for v, w, arc in graph.out[node]:
            if v in on_path and d + w == dist[v]:
                arcs.append(arc)
                node = v
                break
    return tuple(arcs)


def _labels(
    graph: Graph, source: Node, dest: Node, known: Sequence[int], symmetric: bool
) -> dict[Node, int]:
    """Distances from ``source`` of all nodes on shortest paths to ``dest``, and of few others.

    Dijkstra drawn towards ``dest`` (A*, Hart, Nilsson, Raphael 1968): what is left is at least the
    difference of the two distances from an origin (a landmark: Goldberg, Harrelson 2005). That
    holds on any part of the network they were measured on, whose paths are no shorter. It ends past
    every node that could lie on a path as short.
    """
    size, out = graph.size, graph.out
    goal = known[dest]
    tentative = {source: 0}
    settled: dict[Node, int] = {}
    heap = [source]
    limit = -1
    while heap:
        least, u = divmod(heappop(heap), size)
        if 0 <= limit < least:
            break
        if u in settled:
            continue
        d = settled[u] = tentative[u]
        if u == dest:
            limit = least
            continue
        for v, w, _ in out[u]:
            t = d + w
            if t < tentative.get(v, t + 1):
                tentative[v] = t
                left = goal - known[v]
                if left < 0:
                    left = -left if symmetric else 0
                heappush(heap, (t + left) * size + v)
    return settled
