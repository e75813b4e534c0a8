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
