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
from mcastplan.underlay.spf import distances, first_tree

# Trees tried for a path between two nodes before a search: a scenario's first few origins.
TREES_TRIED = 4


def choose(key: Key, node: Node, count: int) -> int:
    """Index of one of ``count`` equal-cost choices: a stable hash of flow key and node.

    The node is mixed in, as routers seed their hash, so that choices along a path are independent.
    """
    digest = blake2b(f"{node}|{key!r}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % count


class IgpRoutes:
    """Shortest-path routes, computed where asked and kept.

    ``ecmp="first"``: neighbour with the smallest name, then smallest link id. ``"hash"``: `choose`
    over the equal-cost set in that same order.
    """

    def __init__(self, graph: Graph, ecmp: Literal["first", "hash"] = "first") -> None:
        self.graph = graph
        self.ecmp = ecmp
        self._dist_from: dict[Node, list[int]] = {}
        self._dist_to: dict[Node, list[int]] = {}
        self._parent: dict[Node, list[Arc]] = {}
        self._near: dict[tuple[Node, Node], tuple[Arc, ...] | None] = {}

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
            parent = self._parent[root] = first_tree(self.graph, root, self.dist_from(root))
        return parent

    def next_arcs(self, node: Node, dest: Node) -> list[Arc]:
        dist = self.dist_to(dest)
        here = dist[node]
        if here <= 0:
            return []
        return [arc for v, w, arc in self.graph.out[node] if w + dist[v] == here and dist[v] >= 0]

    def next_arc(self, node: Node, dest: Node, key: Key = None) -> Arc | None:
        if self.ecmp == "hash":
            arcs = self.next_arcs(node, dest)
            return arcs[choose(key, node, len(arcs))] if arcs else None
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
        if len(dests) == 1:
            return list(self.path(source, dests[0]) or ())
        parent, tail = self.parents(source), self.graph.tail
        seen = {source}
        arcs = []
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
        parent, tail = self._parent[root], self.graph.tail
        arcs, node = [], dest
        while node != source:
            arc = parent[node]
            if arc < 0:
                return None
            arcs.append(arc)
            node = tail[arc]
        arcs.reverse()
        return tuple(arcs)

    def _search(self, source: Node, dest: Node) -> tuple[Arc, ...] | None:
        """Dijkstra that stops at ``dest``: the branches of a tree are short, a full SPF is not."""
        graph = self.graph
        size, out, into = graph.size, graph.out, graph.into
        tentative = {source: 0}
        done: set[Node] = set()
        heap = [source]
        while heap:
            d, u = divmod(heappop(heap), size)
            if u in done:
                continue
            done.add(u)
            if u == dest:
                break
            for v, w, _ in out[u]:
                t = d + w
                if t < tentative.get(v, t + 1):
                    tentative[v] = t
                    heappush(heap, t * size + v)
        if dest not in done:
            return None
        # Nodes on some shortest path, found backwards; then every node's own smallest choice.
        on_path, todo = {dest}, [dest]
        while todo:
            v = todo.pop()
            d = tentative[v]
            for u, w, _ in into[v]:
                if u in done and u not in on_path and tentative[u] + w == d:
                    on_path.add(u)
                    todo.append(u)
        arcs, node = [], source
        while node != dest:
            d = tentative[node]
            for v, w, arc in out[node]:
                if v in on_path and d + w == tentative[v]:
                    arcs.append(arc)
                    node = v
                    break
        return tuple(arcs)
