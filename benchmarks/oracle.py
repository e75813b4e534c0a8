"""The same answers from networkx, used as sensibly as its interface allows.

One Dijkstra each way, one Mehlhorn tree, then walks along the predecessors: no path is asked for
twice, no all-pairs anything. Graphs are built beforehand and not timed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import networkx as nx

from mcastplan.model.topology import Graph, Node

FRAME_BYTES, IP_UDP_BYTES = 38, 28

Arcs = dict[tuple[Node, Node], int]
Wire = dict[tuple[Node, Node], float]


class Graphs(NamedTuple):
    forward: Any
    backward: Any
    undirected: Any


def graphs(graph: Graph) -> Graphs:
    """For networks without parallel links and with symmetric metrics."""
    forward: Any = nx.DiGraph()
    undirected: Any = nx.Graph()
    for u, v, w in zip(graph.tail, graph.head, graph.metric, strict=True):
        forward.add_edge(u, v, weight=w)
        undirected.add_edge(u, v, weight=w)
    return Graphs(forward, forward.reverse(copy=True), undirected)


def steiner_tree(undirected: Any, root: Node, terminals: Sequence[Node]) -> Any:
    return nx.approximation.steiner_tree(
        undirected, [root, *terminals], weight="weight", method="mehlhorn"
    )


def loads(
    networks: Graphs, origin: Node, pes: Sequence[Node], bsl: int, min_cost: bool
) -> dict[str, Arcs]:
    """Copies of a packet on each arc, for the four schemes that use the network."""
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
        "ingress-replication": copied,
        "pim-sm": _walk({}, backward, origin, pes),
        "sr-p2mp": _walk({}, above, origin, pes),
        "bier": bier,
    }


def wire(found: dict[str, Arcs], bsl: int, mtu: int) -> dict[str, Wire]:
    """Wire bytes per payload byte on each arc; SR-P2MP as SRv6 without a segment list."""
    headers = {"ingress-replication": 50, "pim-sm": 0, "sr-p2mp": 40, "bier": 12 + bsl // 8}
    result = {}
    for scheme, load in found.items():
        packet = mtu + FRAME_BYTES
        payload = mtu - IP_UDP_BYTES - headers[scheme]
        result[scheme] = {arc: copies * packet / payload for arc, copies in load.items()}
    return result


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
