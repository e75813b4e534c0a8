"""The same answers from networkx, used as sensibly as its interface allows.

One Dijkstra each way, one Mehlhorn tree, then walks along the predecessors: no path is asked for
twice, no all-pairs anything. Graphs are built beforehand and not timed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import networkx as nx

from mcastplan.model.topology import Graph, Node

Arcs = dict[tuple[Node, Node], int]
Wire = dict[tuple[Node, Node], float]


class Graphs(NamedTuple):
    forward: Any
    backward: Any
    undirected: Any


def graphs(graph: Graph) -> Graphs:
    """For networks without parallel links and with symmetric metrics."""
    forward, undirected = nx.DiGraph(), nx.Graph()
    for u, v, w in zip(graph.tail, graph.head, graph.metric, strict=True):
        forward.add_edge(u, v, weight=w)
        undirected.add_edge(u, v, weight=w)
    return Graphs(forward, forward.reverse(copy=True), undirected)


def steiner_tree(undirected: Any, root: Node, terminals: Sequence[Node]) -> Any:
    return nx.approximation.steiner_tree(
        undirected, [root, *terminals], weight="weight", method="mehlhorn"
    )


def loads(
    networks: Graphs, origin: Node, pes: Sequence[Node], bsl: int, mtu: int, min_cost: bool
) -> dict[str, Wire]:
    """Wire bytes per payload byte on each arc, for the four schemes that use the network."""
    forward, _ = nx.dijkstra_predecessor_and_distance(networks.forward, origin)
    backward, _ = nx.dijkstra_predecessor_and_distance(networks.backward, origin)
    if min_cost:
        tree = steiner_tree(networks.undirected, origin, pes)
        above: Any = {v: [u] for u, v in nx.bfs_edges(tree, origin)}
    else:
        above = forward
    copied: Arcs = {}
    for pe in pes:
        _walk(copied, forward, origin, (pe,))
    by_set: dict[int, list[Node]] = {}
    # Dense BFR-ids in node order, the origin's among them; bits of one packet share an SI.
    for bfr_id, pe in enumerate(sorted({origin, *pes})):
        if pe != origin:
            by_set.setdefault(bfr_id // bsl, []).append(pe)
    bier: Arcs = {}
    for members in by_set.values():
        _walk(bier, forward, origin, members)
    return {
        "ingress-replication": _wire(copied, mtu, 50),
        "pim-sm": _wire(_walk({}, backward, origin, pes), mtu, 0),
        "sr-p2mp": _wire(_walk({}, above, origin, pes), mtu, 40),
        "bier": _wire(bier, mtu, 12 + bsl // 8),
    }


def tied(networks: Graphs, origin: Node) -> bool:
    """Whether some node has two shortest paths from the origin (networkx has no tie-break)."""
    before, _ = nx.dijkstra_predecessor_and_distance(networks.forward, origin)
    return any(len(choices) > 1 for choices in before.values())


def _walk(load: Arcs, before: Any, origin: Node, pes: Iterable[Node]) -> Arcs:
    """Add one copy on each arc of the union of the paths."""
    seen = {origin}
    for pe in pes:
        node = pe
        while node not in seen:
            seen.add(node)
            arc = before[node][0], node
            load[arc] = load.get(arc, 0) + 1
            node = arc[0]
    return load


def _wire(load: Arcs, mtu: int, header: int) -> Wire:
    payload = mtu - 28 - header
    return {arc: copies * (payload + 28 + header + 38) / payload for arc, copies in load.items()}
