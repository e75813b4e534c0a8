"""IGP routes of one state of the network: one area, every router on the same link-state database.

Not modelled here: areas, prefix summaries, administrative distance, unequal-cost multipath.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from heapq import heappop, heappush
from itertools import islice
from typing import Literal

from mcastplan.model.plan import Key
from mcastplan.model.topology import Arc, Graph, Node
from mcastplan.underlay.spf import distances, distances_and_tree, first_tree

# Trees tried for a path between two nodes before a search: a scenario's first few origins.
TREES_TRIED = 4


def choose(graph: Graph, arcs: Sequence[Arc], key: Key, spread: Node | None = None) -> Arc:
    """One of a node's equal-cost ``arcs``, by a stable hash of flow key and node.

    First the neighbour, then one of the links to it. Every neighbour has a rank of its own for a
    key, and the best one present wins (rendezvous hashing: Thaler, Ravishankar 1998), so that
    destinations with different equal-cost sets still share a neighbour where they can. ``spread``
    hashes a destination of its own into the neighbour's rank, never into the link.
    """
    if len(arcs) == 1:
        return arcs[0]
    node, head = graph.tail[arcs[0]], graph.head
    whose = key if spread is None else (key, spread)
    best = min({head[arc] for arc in arcs}, key=lambda to: (_hash(whose, node, to), to))
    links = [arc for arc in arcs if head[arc] == best]
    return links[_hash(key, node, best) % len(links)]


def _hash(key: Key, node: Node, neighbour: Node) -> int:
    digest = blake2b(f"{node}|{neighbour}|{key!r}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


class IgpRoutes:
    """Shortest-path routes, computed where asked and kept.

    ``ecmp="first"``: neighbour with the smallest name, then smallest link id. ``"hash"``: `choose`
    among the equal-cost arcs.
    """

    def __init__(self, graph: Graph, ecmp: Literal["first", "hash"] = "first") -> None:
        self.graph = graph
        self.ecmp = ecmp
        self._dist_from: dict[Node, list[int]] = {}
        self._dist_to: dict[Node, list[int]] = {}
        self._parent: dict[Node, list[Arc]] = {}
        self._near: dict[tuple[Node, Node], tuple[Arc, ...] | None] = {}

    def without(self, down: frozenset[Arc]) -> IgpRoutes:
        """The same network with these arcs down as well."""
        if not down:
            return self
        return IgpRoutes(self.graph.without(down), self.ecmp)

    def detour(self, node: Node, dest: Node) -> None:
        """No fast reroute here."""

    def dist_from(self, root: Node) -> list[int]:
        """IGP distance from ``root`` by node; -1 where unreachable."""
        dist = self._dist_from.get(root)
        if dist is None:
            if self.graph.symmetric and root in self._dist_to:
                dist = self._dist_to[root]
            else:
                dist = distances(self.graph.size, self.graph.out, root)
            self._dist_from[root] = dist
        return dist

    def dist_to(self, dest: Node) -> list[int]:
        """IGP distance of every node to ``dest``; -1 where unreachable."""
        dist = self._dist_to.get(dest)
        if dist is None:
            if self.graph.symmetric:
                dist = self.dist_from(dest)
            else:
                dist = distances(self.graph.size, self.graph.into, dest)
            self._dist_to[dest] = dist
        return dist

    def parents(self, root: Node) -> list[Arc]:
        """Arc into each node on its path from ``root`` under ``first``; -1 at the root."""
        parent = self._parent.get(root)
        if parent is None:
            if root in self._dist_from:
                parent = first_tree(self.graph, root, self._dist_from[root])
            else:
                self._dist_from[root], parent = distances_and_tree(self.graph, root)
            self._parent[root] = parent
        return parent

    def next_arcs(self, node: Node, dest: Node) -> list[Arc]:
        dist = self.dist_to(dest)
        here = dist[node]
        if here <= 0:
            return []
        return [arc for v, w, arc in self.graph.out[node] if w + dist[v] == here and dist[v] >= 0]

    def next_arc(self, node: Node, dest: Node, key: Key = None, spread: bool = False) -> Arc | None:
        if self.ecmp == "hash":
            arcs = self.next_arcs(node, dest)
            return choose(self.graph, arcs, key, dest if spread else None) if arcs else None
        dist = self.dist_to(dest)
        here = dist[node]
        if here > 0:
            for v, w, arc in self.graph.out[node]:
                if w + dist[v] == here and dist[v] >= 0:
                    return arc
        return None

    def path(self, source: Node, dest: Node, key: Key = None) -> tuple[Arc, ...] | None:
        if self.ecmp == "first":
            return self._first_path(source, dest)
        head, arcs, node = self.graph.head, [], source
        while node != dest:
            arc = self.next_arc(node, dest, key)
            if arc is None:
                return None
            arcs.append(arc)
            node = head[arc]
        return tuple(arcs)

    def union(self, source: Node, dests: Sequence[Node]) -> list[Arc]:
        if len(dests) == 1 and source not in self._parent:
            return list(self._first_path(source, dests[0]) or ())
        parent, tail = self.parents(source), self.graph.tail
        arcs: list[Arc] = []
        if len(dests) == 1:
            node = dests[0]
            while node != source:
                arc = parent[node]
                if arc < 0:
                    return []
                arcs.append(arc)
                node = tail[arc]
            return arcs
        seen = {source}
        for dest in dests:
            node = dest
            while node not in seen:
                seen.add(node)
                arc = parent[node]
                if arc < 0:
                    break
                arcs.append(arc)
                node = tail[arc]
        return arcs

    def _first_path(self, source: Node, dest: Node) -> tuple[Arc, ...] | None:
        if source == dest:
            return ()
        if source in self._parent:
            return self._up_tree(source, source, dest)
        # A suffix of a lexicographically smallest shortest path is one too, so an origin's tree
        # also answers for the nodes above ``dest`` in it.
        for root in islice(self._parent, TREES_TRIED):
            arcs = self._up_tree(root, source, dest)
            if arcs is not None:
                return arcs
        pair = source, dest
        if pair not in self._near:
            self._near[pair] = self._search(source, dest)
        return self._near[pair]

    def _up_tree(self, root: Node, source: Node, dest: Node) -> tuple[Arc, ...] | None:
        """Arcs from ``source`` down to ``dest`` in the root's tree; None if it is not above."""
        parent, tail, dist = self._parent[root], self.graph.tail, self._dist_from[root]
        arcs, node, start = [], dest, dist[source]
        while node != source:
            arc = parent[node]
            if arc < 0 or dist[node] <= start:
                return None
            arcs.append(arc)
            node = tail[arc]
        arcs.reverse()
        return tuple(arcs)

    def _search(self, source: Node, dest: Node) -> tuple[Arc, ...] | None:
        graph = self.graph
        dist = self._labels(source, dest)
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

    def _labels(self, source: Node, dest: Node) -> dict[Node, int]:
        """Distances from ``source`` of all nodes on shortest paths to ``dest``, and of few others.

        Dijkstra drawn towards ``dest`` (A*, Hart, Nilsson, Raphael 1968): what is left is at least
        the difference of the two distances from an origin (a landmark: Goldberg, Harrelson 2005).
        It ends past every node that could lie on a path as short.
        """
        graph = self.graph
        size, out, symmetric = graph.size, graph.out, graph.symmetric
        known = next(iter(self._dist_from.values()), None)
        if known is None or known[source] < 0 or known[dest] < 0:
            known = [0] * size
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
