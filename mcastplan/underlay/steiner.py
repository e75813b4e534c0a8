"""A cheap tree from one root to many receivers, and a proof of how far from optimal it can be.

`min_cost_tree` is a heuristic for the directed Steiner tree on integer metrics: it grows the tree
by the nearest receiver (Takahashi and Matsuyama 1980, at most twice the optimum on symmetric
metrics), then takes the cheapest tree on the routers it found (as Mehlhorn's 1988 construction
ends). `dual_ascent` is a lower bound on every such tree (Wong 1984, in the form of Pajor, Uchoa
and Werneck 2014), so cost / bound - 1 is a proven gap: about 2 % on backbone-like graphs.

Costs are sums of arc metrics; the metrics of one link may differ by direction. Everything is
integer arithmetic over sorted adjacency, so equal inputs give equal trees.

Not done: exchanges of key paths or key vertices, an exact solution, limits on fan-out, depth or
capacity. Directed graphs have no such guarantee as the factor of two: there, only the gap says how
good a tree is.

References: Takahashi, Matsuyama, Math. Japonica 24 (1980); Mehlhorn, Inf. Process. Lett. 27 (1988);
Wong, Math. Programming 28 (1984); Pajor, Uchoa, Werneck, "A robust and scalable algorithm for the
Steiner problem in graphs", DIMACS Challenge (2014).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

from mcastplan.model.topology import Arc, Graph, Node

_FAR = 1 << 62
_Adjacency = Sequence[Sequence[tuple[Node, int, Arc]]]


def min_cost_tree(
    graph: Graph,
    root: Node,
    terminals: Iterable[Node],
    residual: Sequence[int] | None = None,
) -> list[Arc]:
    """Arcs of a cheap tree from ``root`` to every terminal; its leaves are terminals.

    ``residual`` is what `ascend` left of the metrics: with it a second tree is grown on the arcs it
    used up, and the cheaper one returned (0.1 to 0.8 % better on symmetric metrics, most where
    receivers are many; about 4 % where the two directions differ at random).
    About one Dijkstra over the graph; O(m log n) for each time the tree's growth reaches a node
    again. Raises `ValueError` for a terminal that cannot be reached.
    """
    wanted = [t for t in dict.fromkeys(terminals) if t != root]
    arcs = _improved(graph, root, wanted, _grown(graph, graph.out, root, wanted))
    if residual is None:
        return arcs
    used_up = [[entry for entry in entries if not residual[entry[2]]] for entries in graph.out]
    other = _improved(graph, root, wanted, _grown(graph, used_up, root, wanted))
    return other if tree_cost(graph, other) < tree_cost(graph, arcs) else arcs


def tree_cost(graph: Graph, arcs: Iterable[Arc]) -> int:
    """Sum of the arcs' metrics."""
    return sum(map(graph.metric.__getitem__, arcs))


def dual_ascent(graph: Graph, root: Node, terminals: Iterable[Node]) -> int:
    """A lower bound on the cost of every tree from ``root`` to ``terminals``. See `ascend`."""
    return ascend(graph, root, terminals)[0]


def ascend(graph: Graph, root: Node, terminals: Iterable[Node]) -> tuple[int, list[int]]:
    """Wong's dual ascent: (lower bound, what is left of each arc's metric).

    A tree enters every set of nodes that holds a terminal and not the root. So while some terminal
    is cut off from the root by arcs with metric left, the least that is left on its cut is paid by
    any tree: add it to the bound, take it off the whole cut. The arcs used up (left: 0) reach every
    terminal from the root.

    Smallest cut first, which keeps the bound tight; sizes in the heap are those last seen, and a
    terminal goes on while its cut is the smallest, so that its component need not be found anew. A
    component that meets another one's terminal stops: whatever reaches that one reaches it too.
    Time is the sum of the cuts raised: 7 ms at 1,000 nodes and 100 terminals, 0.2 s at ten times
    both. Raises `ValueError` for a terminal that cannot be reached.
    """
    out, into, tail = graph.out, graph.into, graph.tail
    left = list(graph.metric)
    wanted = [t for t in dict.fromkeys(terminals) if t != root]
    active = bytearray(graph.size)
    active[root] = 1
    for t in wanted:
        active[t] = 1
    # Dicts, not sets: they keep order by construction.
    components = {t: {t} for t in wanted}
    cuts = {t: {arc: None for _, _, arc in into[t]} for t in wanted}
    heap = [(len(cuts[t]), t) for t in wanted]
    heapify(heap)
    bound = 0
    while heap:
        _, t = heappop(heap)
        component, cut = components[t], cuts[t]
        limit = heap[0][0] if heap else _FAR
        # Other terminals may have used up arcs of this cut since it was last seen.
        joining = [tail[arc] for arc in cut if not left[arc]]
        while True:
            while joining and not active[joining[-1]]:
                u = joining.pop()
                if u in component:
                    continue
                component.add(u)
                for v, _, arc in out[u]:
                    if v in component:
                        cut.pop(arc, None)
                for v, _, arc in into[u]:
                    if v not in component:
                        if left[arc]:
                            cut[arc] = None
                        else:
                            joining.append(v)
            # An active node on the stack is never this terminal: arcs out of it are not in its cut.
            if joining:
                active[t] = 0
                del components[t], cuts[t]
                break
            if not cut:
                raise ValueError(f"{graph.names[t]} cannot be reached from {graph.names[root]}")
            if len(cut) > limit:
                heappush(heap, (len(cut), t))
                break
            least = min(map(left.__getitem__, cut))
            bound += least
            for arc in cut:
                rest = left[arc] - least
                left[arc] = rest
                if not rest:
                    joining.append(tail[arc])
    return bound, left


def _grown(graph: Graph, out: _Adjacency, root: Node, wanted: Sequence[Node]) -> list[Arc]:
    """Takahashi and Matsuyama's tree: again and again the path to the terminal nearest to the tree.

    One Dijkstra that never starts over: when it meets a terminal, the nodes of the path to it drop
    to distance 0 and are searched from again.
    """
    size, tail = graph.size, graph.tail
    shift = size.bit_length()  # heap entries are distance << shift | node
    mask = (1 << shift) - 1
    dist = [_FAR] * size
    parent = [-1] * size
    missing = bytearray(size)
    for t in wanted:
        missing[t] = 1
    number = len(wanted)
    dist[root] = 0
    heap = [root]
    while heap and number:
        entry = heappop(heap)
        u, d = entry & mask, entry >> shift
        if d > dist[u]:
            continue
        if missing[u]:
            missing[u] = 0
            number -= 1
            joined = []
            while dist[u]:  # 0 only in the tree: metrics are at least 1
                dist[u] = 0
                joined.append(u)
                u = tail[parent[u]]
            for u in joined:
                for v, w, arc in out[u]:
                    if w < dist[v]:
                        dist[v] = w
                        parent[v] = arc
                        heappush(heap, w << shift | v)
            continue
        for v, w, arc in out[u]:
            t = d + w
            if t < dist[v]:
                dist[v] = t
                parent[v] = arc
                heappush(heap, t << shift | v)
    if number:
        lost = graph.names[missing.index(1)]
        raise ValueError(f"{lost} cannot be reached from {graph.names[root]}")
    return _pruned(graph, root, wanted, parent)


def _pruned(graph: Graph, root: Node, wanted: Sequence[Node], parent: Sequence[Arc]) -> list[Arc]:
    """The arcs on the way up from the terminals; ``parent`` is the arc into each node."""
    tail = graph.tail
    seen = bytearray(graph.size)
    seen[root] = 1
    arcs = []
    for v in wanted:
        while not seen[v]:
            seen[v] = 1
            arcs.append(parent[v])
            v = tail[parent[v]]
    return arcs


def _improved(graph: Graph, root: Node, wanted: Sequence[Node], arcs: list[Arc]) -> list[Arc]:
    """A tree on nodes of ``arcs`` that costs no more."""
    spanning = _spanned if graph.symmetric else _rehung
    other = _pruned(graph, root, wanted, spanning(graph, root, arcs))
    return other if tree_cost(graph, other) < tree_cost(graph, arcs) else arcs


def _spanned(graph: Graph, root: Node, arcs: Sequence[Arc]) -> list[Arc]:
    """Prim's minimum spanning tree on the nodes of a tree, as the arc into each node."""
    out, head, number = graph.out, graph.head, len(graph.tail)
    parent = [-1] * graph.size
    outside = bytearray(graph.size)
    for arc in arcs:
        outside[head[arc]] = 1
    heap = [w * number + arc for v, w, arc in out[root] if outside[v]]
    heapify(heap)
    missing = len(arcs)
    while missing:
        arc = heappop(heap) % number
        u = head[arc]
        if outside[u]:
            outside[u] = 0
            parent[u] = arc
            missing -= 1
            for v, w, candidate in out[u]:
                if outside[v]:
                    heappush(heap, w * number + candidate)
    return parent


def _rehung(graph: Graph, root: Node, arcs: Sequence[Arc]) -> list[Arc]:
    """The tree with each node moved below a cheaper neighbour that is not below itself.

    Prim's tree has no directed counterpart as quick; one pass of these exchanges finds most of it.
    """
    into, tail, head, metric = graph.into, graph.tail, graph.head, graph.metric
    parent = [-1] * graph.size
    inside = bytearray(graph.size)
    inside[root] = 1
    for arc in arcs:
        parent[head[arc]] = arc
        inside[head[arc]] = 1
    for arc in arcs:
        v = head[arc]
        for u, w, candidate in into[v]:
            if inside[u] and w < metric[parent[v]]:
                above = u
                while above not in (root, v):
                    above = tail[parent[above]]
                if above != v:
                    parent[v] = candidate
    return parent
