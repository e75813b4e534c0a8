"""A tree from one root to many receivers, repaired after arcs of it went down.

What the root still feeds stays, less the branches that no longer lead to a receiver. The rest comes
back in two ways, of which the cheaper one is taken: every receiver on its own, by the path from
what is in the tree then (Takahashi and Matsuyama's growth, nearest first), or every detached
subtree as it is, entered at whichever of its nodes is cheapest to feed. Both search backwards, out
of what is cut off and until it meets the tree, so that time goes with the cut-off part and not with
the network: one search in all, in which the nodes nearest to a part that has been joined are given
to the parts next to them.

Not done: exchanges in what stays. So the cost is not above that of plain regrowth, but may lie well
above a tree grown afresh.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from mcastplan.model.topology import Arc, Graph, Node


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
    alone = _join(graph, root, inside, [{t: 0} for t in cut])
    plain = kept + [arc for each in alone for arc in each.path]
    if len(cut) == 1 or not any(branches.values()):
        return plain
    tops = list(branches)
    joined = _join(graph, root, inside, [_entries(graph, top, branches[top]) for top in tops])
    arcs = list(kept)
    for each in joined:
        arcs += each.path + _turned(graph, branches[tops[each.part]], each.entry)
    whole = _tidied(graph, root, wanted, arcs)
    metric = graph.metric.__getitem__
    return whole if sum(map(metric, whole)) <= sum(map(metric, plain)) else plain


def _up(graph: Graph, arc: Arc) -> bool:
    return arc in [each for _, _, each in graph.into[graph.head[arc]]]


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

    A part is its nodes, with what it costs more when fed at that one. Dijkstra backwards from all
    parts at once; ``near`` has each node's distance to its nearest part that is not joined, that
    part, and the arc towards it. The nodes that were nearest to a part just joined are taken over
    from their neighbours.
    """
    size, out, into, head = graph.size, graph.out, graph.into, graph.head
    inside = set(tree)
    source = {node: (cost, part, -1) for part, at in enumerate(parts) for node, cost in at.items()}
    near = dict(source)
    settled: set[Node] = set()
    claimed = [list(nodes) for nodes in parts]  # every node that was nearest to the part
    heap = [cost * size + node for node, (cost, _, _) in source.items()]
    heapify(heap)
    missing = set(range(len(parts)))
    joined: list[_Joined] = []
    while heap and missing:
        d, v = divmod(heappop(heap), size)
        if v in settled or v not in near or near[v][0] != d:
            continue
        _, part, arc = near[v]
        if v not in inside:
            settled.add(v)
            for u, w, before in into[v]:
                if u not in near or d + w < near[u][0]:
                    near[u] = d + w, part, before
                    claimed[part].append(u)
                    heappush(heap, (d + w) * size + u)
            continue
        path = []
        while arc >= 0:
            path.append(arc)
            v = head[arc]
            arc = near[v][2]
        joined.append(_Joined(part, v, path))
        missing.remove(part)
        inside.update(map(head.__getitem__, path), parts[part])
        freed = {node for node in claimed[part] if node in near and near[node][1] == part}
        settled -= freed
        for node in sorted(freed):
            del near[node]
            ways = [(near[x][0] + w, near[x][1], arc) for x, w, arc in out[node] if x in settled]
            if node in source and source[node][1] in missing:
                ways.append(source[node])
            if ways:
                near[node] = min(ways)
                claimed[near[node][1]].append(node)
                heappush(heap, near[node][0] * size + node)
        for node in parts[part]:
            if node in settled:  # nearest to another part, and now where that can be joined
                settled.remove(node)
                heappush(heap, near[node][0] * size + node)
    if missing:
        lost = graph.names[min(min(parts[part]) for part in missing)]
        raise ValueError(f"{lost} cannot be reached from {graph.names[root]}")
    return joined
