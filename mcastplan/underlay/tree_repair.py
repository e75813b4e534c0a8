"""A tree from one root to many receivers, repaired after arcs of it went down.

What the root still feeds stays, less the branches that no longer lead to a receiver. The rest comes
back in two ways, of which the cheaper one is taken: every receiver on its own, by the path from
what is in the tree then (Takahashi and Matsuyama's growth, nearest first), or every detached
subtree as it is, entered at whichever of its nodes is cheapest to feed. Both search backwards, out
of what is cut off and until the first way into the tree, and from there on out of what was just
joined, so that time goes with the cut-off part and not with the network.

The first way takes a search for nearly every receiver, so it is tried only where at most
`MOST_ALONE` of them are cut off: there the cost is never above that of plain regrowth. With more,
plain regrowth would have saved at most 0.7 % of the tree on the networks of `benchmarks`.

Not done: exchanges in what stays. So the cost may lie well above a tree grown afresh.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from mcastplan.model.topology import Arc, Graph, Node

MOST_ALONE = 12

_FAR = 1 << 62


class _Joined(NamedTuple):
    """A part, its node that is fed now, and the path to that from the tree."""

    part: int
    entry: Node
    path: list[Arc]


def repair_tree(
    graph: Graph, root: Node, terminals: Iterable[Node], tree: Sequence[Arc]
) -> list[Arc]:
    """Arcs of a tree from ``root`` to every terminal; its leaves are terminals.

    ``tree`` was one on a network of which ``graph`` is what is left; arcs that ``graph`` lacks are
    down. Raises `ValueError` for a terminal that cannot be reached.
    """
    wanted = [t for t in dict.fromkeys(terminals) if t != root]
    feed = {graph.head[arc]: arc for arc in tree if _up(graph, arc)}
    branches = _branches(graph, root, wanted, feed)
    kept = branches.pop(root)
    if not branches:
        return kept
    inside = {root, *(graph.head[arc] for arc in kept)}
    cut = [t for t in wanted if t not in inside]
    together = len(cut) > 1 and any(branches.values())
    plain: list[Arc] | None = None
    if len(cut) <= MOST_ALONE or not together:
        alone = _join(graph, root, inside, [{t: 0} for t in cut])
        plain = kept + [arc for each in alone for arc in each.path]
        if not together:
            return plain
    tops = list(branches)
    joined = _join(graph, root, inside, [_entries(graph, top, branches[top]) for top in tops])
    arcs = list(kept)
    for each in joined:
        arcs += each.path + _turned(graph, branches[tops[each.part]], each.entry)
    whole = _tidied(graph, root, wanted, arcs)
    metric = graph.metric.__getitem__
    if plain is None or sum(map(metric, whole)) <= sum(map(metric, plain)):
        return whole
    return plain


def _up(graph: Graph, arc: Arc) -> bool:
    return (graph.tail[arc], graph.metric[arc], arc) in graph.into[graph.head[arc]]


def _branches(
    graph: Graph, root: Node, wanted: Sequence[Node], feed: dict[Node, Arc]
) -> dict[Node, list[Arc]]:
    """Arcs above the terminals, by the node where the way up ends; the root's are always there."""
    top = {root: root}
    found: dict[Node, list[Arc]] = {root: []}
    for node in wanted:
        way = []
        while node not in top and node in feed:
            way.append(node)
            node = graph.tail[feed[node]]
        end = top.setdefault(node, node)
        found.setdefault(end, []).extend(feed[each] for each in way)
        top.update(dict.fromkeys(way, end))
    return found


def _entries(graph: Graph, top: Node, arcs: Sequence[Arc]) -> dict[Node, int]:
    """What a detached subtree costs when fed at a node, over the least of all: arcs above that node
    turn round. Without those that it cannot be fed at, as an arc cannot be turned."""
    below: dict[Node, list[Arc]] = {}
    for arc in arcs:
        below.setdefault(graph.tail[arc], []).append(arc)
    extra = {top: 0}
    todo = [top]
    for node in todo:
        for arc in below.get(node, ()):
            if _up(graph, arc ^ 1):
                extra[graph.head[arc]] = extra[node] + graph.metric[arc ^ 1] - graph.metric[arc]
                todo.append(graph.head[arc])
    least = min(extra.values())
    return {node: cost - least for node, cost in extra.items()}


def _turned(graph: Graph, arcs: Sequence[Arc], entry: Node) -> list[Arc]:
    """The subtree's arcs when it is fed at ``entry``."""
    feed = {graph.head[arc]: arc for arc in arcs}
    arc = feed.pop(entry, -1)
    while arc >= 0:
        node = graph.tail[arc]
        feed[node], arc = arc ^ 1, feed.get(node, -1)
    return list(feed.values())


def _tidied(graph: Graph, root: Node, wanted: Sequence[Node], arcs: Iterable[Arc]) -> list[Arc]:
    """Of arcs that reach all terminals, those of a tree: each node fed once, no idle branch."""
    below: dict[Node, list[Arc]] = {}
    for arc in arcs:
        below.setdefault(graph.tail[arc], []).append(arc)
    feed: dict[Node, Arc] = {}
    todo = [root]
    for node in todo:
        for arc in below.get(node, ()):
            v = graph.head[arc]
            if v != root and v not in feed:
                feed[v] = arc
                todo.append(v)
    return _branches(graph, root, wanted, feed)[root]


def _join(
    graph: Graph, root: Node, tree: Iterable[Node], parts: Sequence[dict[Node, int]]
) -> list[_Joined]:
    """Join parts to the tree one after the other, each time the one nearest to what is in it then.

    A part is its nodes, with what it costs more when fed at that one. The nearest part is searched
    for backwards, out of the parts. All others are at least as far from what is in the tree so far,
    so those that are nearer to what was just joined are found forwards, out of that alone.
    """
    inside = bytearray(graph.size)
    for node in tree:
        inside[node] = 1
    missing = dict.fromkeys(range(len(parts)))
    joined: list[_Joined] = []
    while missing:
        found = _nearest(graph, inside, {part: parts[part] for part in missing})
        if found is None:
            lost = graph.names[min(min(parts[part]) for part in missing)]
            raise ValueError(f"{lost} cannot be reached from {graph.names[root]}")
        cost, first = found
        more = [first, *_nearby(graph, first, cost, parts, missing)]
        for each in more:
            for node in (*map(graph.head.__getitem__, each.path), *parts[each.part]):
                inside[node] = 1
        joined += more
    return joined


def _nearest(
    graph: Graph, inside: bytearray, parts: dict[int, dict[Node, int]]
) -> tuple[int, _Joined] | None:
    """The part nearest to the tree, and how far it is: Dijkstra backwards out of all of them, up to
    the best way into the tree that was met."""
    into, head = graph.into, graph.head
    shift = graph.size.bit_length()  # heap entries are distance << shift | node
    mask = (1 << shift) - 1
    near = [_FAR] * graph.size
    onward = [-1] * graph.size  # the arc towards the part
    best = _FAR << shift
    heap = []
    for at in parts.values():
        for node, cost in at.items():
            near[node] = cost
            entry = cost << shift | node
            if inside[node]:
                best = min(best, entry)
            else:
                heap.append(entry)
    heapify(heap)
    while heap:
        entry = heappop(heap)
        if entry > best:
            break
        v, d = entry & mask, entry >> shift
        if d > near[v]:
            continue
        for u, w, arc in into[v]:
            t = d + w
            if t < near[u]:
                entry = t << shift | u
                if entry < best:
                    near[u] = t
                    onward[u] = arc
                    if inside[u]:
                        best = entry
                    else:
                        heappush(heap, entry)
    if best >> shift == _FAR:
        return None
    node, cost = best & mask, best >> shift
    path = []
    while onward[node] >= 0:
        path.append(onward[node])
        node = head[onward[node]]
    part = next(part for part, at in parts.items() if node in at)
    return cost, _Joined(part, node, path)


def _nearby(
    graph: Graph,
    first: _Joined,
    limit: int,
    parts: Sequence[dict[Node, int]],
    missing: dict[int, None],
) -> list[_Joined]:
    """Parts at most ``limit`` away from what was just joined, nearest first, each joined in turn:
    Dijkstra out of it that goes on, as in `mcastplan.underlay.steiner`, when it meets one. All that
    are joined are no longer ``missing``."""
    del missing[first.part]
    if not missing:
        return []
    out, head, tail, size = graph.out, graph.head, graph.tail, graph.size
    owner = {node: part for part in missing for node in parts[part]}
    dist: dict[Node, int] = {}
    parent: dict[Node, Arc] = {}
    entries: dict[int, Node] = {}  # by part that was met: where it is cheapest to feed
    best = dict.fromkeys(missing, limit + 1)
    heap: list[tuple[int, int]] = []  # (distance, node, or size + part: all of it is fed)
    joined: list[_Joined] = []

    def take(each: _Joined) -> None:
        for node in (*map(head.__getitem__, each.path), *parts[each.part]):
            if dist.get(node) != 0:
                dist[node] = 0
                heappush(heap, (0, node))

    take(first)
    if first.path:
        dist[tail[first.path[0]]] = 0
    while heap and missing:
        d, u = heappop(heap)
        if u >= size:
            part = u - size
            if part not in missing:
                continue
            del missing[part]
            path = []
            node = entries[part]
            while dist[node]:  # 0 only in the tree: metrics are at least 1
                path.append(parent[node])
                node = tail[parent[node]]
            joined.append(_Joined(part, entries[part], path[::-1]))
            take(joined[-1])
            continue
        if d > dist[u]:
            continue
        part = owner.get(u, -1)
        if part in missing and d + parts[part][u] < best[part]:
            best[part], entries[part] = d + parts[part][u], u
            heappush(heap, (best[part], size + part))
        for v, w, arc in out[u]:
            t = d + w
            if t <= limit and t < dist.get(v, _FAR):
                dist[v] = t
                parent[v] = arc
                heappush(heap, (t, v))
    return joined
