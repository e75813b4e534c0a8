"""The network as the planner sees it: routers, links, and the integer graph built on them."""

from __future__ import annotations

import math
from collections import Counter
from functools import cached_property

import msgspec

# Ranks, not objects: a node is the rank of its name in plain string order, so "smallest name"
# is "smallest int"; a link is the rank of its id; an arc is one direction of a link.
Node = int
Arc = int


class NodeInfo(msgspec.Struct, frozen=True):
    """One router. ``label`` is free text and is escaped wherever it is shown."""

    name: str
    label: str = ""
    lon: float | None = None  # [degrees]
    lat: float | None = None  # [degrees]
    kind: str = ""


class Link(msgspec.Struct, frozen=True):
    """One bidirectional link; the ``reverse`` values are those of b -> a."""

    id: str
    a: str
    b: str
    capacity_bps: float
    capacity_reverse_bps: float
    delay_s: float
    metric: int
    metric_reverse: int
    srlgs: tuple[str, ...] = ()


class Topology(msgspec.Struct, frozen=True, dict=True):
    """Routers and links, complete (every link has capacity, delay and metrics) and in order.

    ``nodes`` are sorted by name and ``links`` by id, both unique; every link end is a node and no
    link is a loop. `mcastplan.scenario` makes them so; a hand-made one goes through `make`.
    """

    name: str
    nodes: tuple[NodeInfo, ...]
    links: tuple[Link, ...]
    source: str = ""
    licence: str = ""

    @classmethod
    def make(
        cls,
        name: str,
        nodes: tuple[NodeInfo, ...],
        links: tuple[Link, ...],
        source: str = "",
        licence: str = "",
    ) -> Topology:
        """Sort and check. Raises `ValueError` for a repeated name or id, a loop, an unknown end."""
        nodes = tuple(sorted(nodes, key=lambda node: node.name))
        links = tuple(sorted(links, key=lambda link: link.id))
        names = {node.name for node in nodes}
        if len(names) != len(nodes) or len({link.id for link in links}) != len(links):
            raise ValueError(f"topology {name}: a node name or link id repeats")
        for link in links:
            if link.a not in names or link.b not in names or link.a == link.b:
                raise ValueError(f"topology {name}: link {link.id} does not join two of its nodes")
            if link.metric < 1 or link.metric_reverse < 1:
                raise ValueError(f"topology {name}: link {link.id} has a metric below 1")
            if not (link.capacity_bps > 0 and link.capacity_reverse_bps > 0):
                raise ValueError(f"topology {name}: link {link.id} has no capacity")
            if not (link.delay_s >= 0 and math.isfinite(link.delay_s)):
                raise ValueError(f"topology {name}: link {link.id} has no finite delay")
        return cls(name, nodes, links, source, licence)

    @cached_property
    def graph(self) -> Graph:
        return Graph(self)

    def node(self, name: str) -> Node:
        """Rank of a node's name. Raises `KeyError`."""
        return self.graph.index[name]

    @cached_property
    def _links_between(self) -> Counter[frozenset[str]]:
        return Counter(frozenset((link.a, link.b)) for link in self.links)

    def arc_name(self, arc: Arc) -> str:
        """``"DE->NL"``, with the link's id where several join the two."""
        link = self.links[arc >> 1]
        text = f"{link.b}->{link.a}" if arc & 1 else f"{link.a}->{link.b}"
        parallel = self._links_between[frozenset((link.a, link.b))] > 1
        return f"{text} ({link.id})" if parallel else text


class Graph:
    """The integer form: parallel lists by arc, and sorted adjacency by node.

    Arc ``2*l`` runs a -> b on link ``l``, arc ``2*l + 1`` back; ``arc ^ 1`` is the other direction.
    ``out[u]`` lists ``(head, metric, arc)`` by (head, arc): neighbour name, then link id.
    ``into[v]`` lists ``(tail, metric, arc)`` by (tail, arc). Never mutated after construction.
    """

    __slots__ = (
        "capacity_bps",
        "delay_s",
        "head",
        "index",
        "into",
        "metric",
        "names",
        "out",
        "size",
        "symmetric",
        "tail",
    )

    def __init__(self, topology: Topology) -> None:
        self.names: tuple[str, ...] = tuple(node.name for node in topology.nodes)
        self.size = len(self.names)
        self.index: dict[str, Node] = {name: rank for rank, name in enumerate(self.names)}
        self.tail: list[Node] = []
        self.head: list[Node] = []
        self.metric: list[int] = []
        self.capacity_bps: list[float] = []
        self.delay_s: list[float] = []
        index = self.index
        for link in topology.links:
            a, b = index[link.a], index[link.b]
            self.tail += (a, b)
            self.head += (b, a)
            self.metric += (link.metric, link.metric_reverse)
            self.capacity_bps += (link.capacity_bps, link.capacity_reverse_bps)
            self.delay_s += (link.delay_s, link.delay_s)
        out: list[list[tuple[Node, int, Arc]]] = [[] for _ in range(self.size)]
        into: list[list[tuple[Node, int, Arc]]] = [[] for _ in range(self.size)]
        for arc, (u, v, w) in enumerate(zip(self.tail, self.head, self.metric, strict=True)):
            out[u].append((v, w, arc))
            into[v].append((u, w, arc))

        def order(entry: tuple[Node, int, Arc]) -> tuple[Node, Arc]:
            return entry[0], entry[2]

        for entries in out:
            entries.sort(key=order)
        for entries in into:
            entries.sort(key=order)
        self.out = out
        self.into = into
        # Equal metrics both ways let one SPF serve as its own reverse.
        self.symmetric = self.metric[0::2] == self.metric[1::2]

    def without(self, down: frozenset[Arc]) -> Graph:
        """The same numbering with these arcs gone from ``out`` and ``into``; the rest is shared.

        ``symmetric`` stays true only where ``down`` holds both directions of each of its links.
        """
        rest = Graph.__new__(Graph)
        for slot in self.__slots__:
            setattr(rest, slot, getattr(self, slot))
        rest.out, rest.into = list(self.out), list(self.into)
        for node in {self.tail[arc] for arc in down}:
            rest.out[node] = [entry for entry in self.out[node] if entry[2] not in down]
        for node in {self.head[arc] for arc in down}:
            rest.into[node] = [entry for entry in self.into[node] if entry[2] not in down]
        rest.symmetric = self.symmetric and all(arc ^ 1 in down for arc in down)
        return rest
