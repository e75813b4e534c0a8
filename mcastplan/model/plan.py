"""A replication plan: what a scheme installs, as data, and the only definition of that scheme.

`mcastplan.dataplane` forwards it node by node (`step`, `walk`) or sums it (`fold`).
"""

from __future__ import annotations

import math
from collections.abc import Container, Hashable, Mapping, Sequence
from functools import cached_property
from typing import Protocol

import msgspec

from mcastplan.model.topology import Arc, Graph, Node

Key = Hashable  # what a node looks up: (S, G), a tree instance, a receiver


class Steer(msgspec.Struct, frozen=True, cache_hash=True):
    """ "Each node by its own route towards ``dests``, one copy per next hop."

    A destination delivers, or with ``lookup`` looks ``key`` up in its own entries (a replication
    SID, a Register at the RP). ``via`` is crossed first, whatever the route says (an adjacency
    SID). ``spread`` hashes every destination on its own (BIER's per-BFER ECMP); otherwise ``key``
    alone picks among equal-cost next hops.
    """

    key: Key
    dests: tuple[Node, ...]
    header_bytes: int = 0
    lookup: bool = False
    via: Arc | None = None
    spread: bool = False


class Entry(msgspec.Struct, frozen=True):
    """Explicit state of one node for one key: an mroute, a replication segment.

    An arc in ``out`` carries the bare packet (no header, same key) to its head. ``iif`` None: no
    RPF check. ``role`` is the word a router's ``show`` command would print.
    """

    out: tuple[Arc | Steer, ...]
    iif: Arc | None = None
    local: bool = False
    role: str = ""


class Detour(msgspec.Struct, frozen=True, cache_hash=True):
    """A packet in a tunnel along ``arcs`` (a strict path, for fast reroute); where they end, the
    node goes on with ``packet``. ``header_bytes``: the packet's own and the tunnel's."""

    arcs: tuple[Arc, ...]
    packet: Packet
    header_bytes: int = 0


Packet = Steer | Detour | Key


class Flow(msgspec.Struct, frozen=True):
    """Keys that share one rate: a multicast push, or ``count`` equal pulls by one cloud."""

    name: str  # unique in the plan: the transfer, or transfer/cloud
    keys: tuple[Key, ...]
    clouds: tuple[str, ...]
    receivers: tuple[Node, ...]  # PEs of the clouds, sorted, each once
    size_bytes: int
    count: int = 1
    rate_cap_bps: float = math.inf


class ReplicationPlan(msgspec.Struct, frozen=True, dict=True):
    """``impose`` may name several sources. ``match`` lists the keys a node tries for a packet's
    key, most specific first; a key that is not in it is tried as it is.

    ``header_bytes`` is the scheme's largest header here, ``inner_bytes`` IP and transport.
    """

    transfer: str
    impose: tuple[tuple[Node, Packet], ...]
    flows: tuple[Flow, ...]
    header_bytes: int
    entries: Mapping[tuple[Node, Key], Entry]
    match: Mapping[Key, tuple[Key, ...]] = {}
    inner_bytes: int = 28  # IPv4 20 + UDP 8
    tree: tuple[Arc, ...] = ()  # a controller's tree; `entries` are made from it
    spares: bool = False  # second copies run in advance, up to an RPF check (MoFRR)

    def entry(self, node: Node, key: Key) -> Entry | None:
        """What ``node`` matches for a packet's ``key``; None without state."""
        for candidate in self.match.get(key, (key,)):
            found = self.entries.get((node, candidate))
            if found is not None:
                return found
        return None

    @cached_property
    def imposed_by_key(self) -> dict[Key, list[tuple[Node, Packet]]]:
        """``impose`` by the key of each packet."""
        found: dict[Key, list[tuple[Node, Packet]]] = {}
        for node, packet in self.impose:
            key = packet.key if isinstance(packet, Steer) else packet
            found.setdefault(key, []).append((node, packet))
        return found


class Demand(msgspec.Struct, frozen=True):
    """One transfer as the network sees it: its reachable receivers, the others by name.

    ``pes`` are the receiving PEs in order; ``clouds`` are (cloud, PE, replicas) by cloud name.
    ``no_room``: those of ``unreachable`` that have a way, but one that background fills.
    """

    transfer: str
    origin: Node
    size_bytes: int
    clouds: tuple[tuple[str, Node, int], ...]
    pes: tuple[Node, ...]
    unreachable: tuple[str, ...] = ()
    no_room: tuple[str, ...] = ()

    def only(self, names: Container[str]) -> Demand:
        """The same transfer to those of its clouds that are in ``names``."""
        clouds = tuple(each for each in self.clouds if each[0] in names)
        pes = tuple(sorted({pe for _, pe, _ in clouds}))
        return msgspec.structs.replace(self, clouds=clouds, pes=pes)


class Hop(msgspec.Struct, frozen=True):
    """What one node does with one packet: copies out, local deliveries, drops with a reason."""

    out: tuple[tuple[Arc, Packet], ...] = ()
    delivered: int = 0
    drops: tuple[str, ...] = ()


class Section(msgspec.Struct, frozen=True):
    """One table as a router's ``show`` command prints it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Native(msgspec.Struct, frozen=True):
    """The bare packet of one flow, as it enters the origin's PE and leaves a receiver's."""

    flow: str


class Table(Protocol):
    """What one router holds, rendered from the plan; forwards by the RFC's own procedure."""

    def forward(self, arrived: Arc | None, packet: Hashable) -> Hop:
        """One packet in. ``arrived`` None: from an access arc (imposition happens here)."""

    def sections(self) -> tuple[Section, ...]:
        """The rows, for `plan`."""


class Routes(Protocol):
    """The unicast underlay of one consistent state of the network."""

    graph: Graph

    def next_arc(self, node: Node, dest: Node, key: Key = None, spread: bool = False) -> Arc | None:
        """The node's own choice towards ``dest``; None where there is no route."""

    def next_arcs(self, node: Node, dest: Node) -> Sequence[Arc]:
        """All equal-cost choices, by (neighbour name, link id)."""

    def path(self, source: Node, dest: Node, key: Key = None) -> Sequence[Arc] | None:
        """The arcs a packet takes from ``source`` to ``dest``, each node choosing for itself."""

    def union(self, source: Node, dests: Sequence[Node]) -> Sequence[Arc]:
        """Arcs of the ``ecmp: first`` paths to all ``dests``, each once, whatever the rule here."""

    def without(self, down: frozenset[Arc]) -> Routes:
        """The same network with these arcs down as well; repairs only what they cut, when asked."""

    def detour(self, node: Node, dest: Node) -> Sequence[Arc] | None:
        """The strict path of a fast-reroute tunnel that takes the place of the node's own next hop
        towards ``dest`` while that is down; None without one."""
