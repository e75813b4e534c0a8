"""Replication segments as bytes: what ``replicate.bpf.c`` reads from a router's maps, and back.

A Replication-SID is ``locator:function:instance::``: the function is 0xE000 + Tree-ID, as `plan`
prints it, and the next 16 bits number the instance of the tree, so that two instances stand side by
side (RFC 9960, make-before-break). A branch over a pinned adjacency names its port, whose MAC
addresses come with it. Not encoded: more than 128 branches or 256 sites at one router,
which is more than a lab has.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator, Mapping

import msgspec

from mcastlab.bpf import Loaded
from mcastlab.errors import LabError
from mcastplan.lab.spec import LabPort, LabPush, LabRouter, LabSite, LabSpec
from mcastplan.model.plan import Entry, ReplicationPlan, Steer
from mcastplan.schemes.replication_segment import FIRST_FUNCTION

MOST_BRANCHES, MOST_PORTS = 128, 256
MOST_INSTANCES = 0xFFFF
# `enum counter` of replicate.bpf.c. The first six are no drops: what no policy takes, as before
# `open` and after `close`, is the kernel's.
PASSED = ("imposed", "replicated", "copies", "resolved", "delivered", "unsteered")
DROPPED = (
    "VLAN tag",
    "other host",
    "truncated",
    "wrong length",
    "not IPv6",
    "unknown SID",
    "hop limit",
    "next header",
    "SRH",
    "malformed inner header",
    "inner TTL",
    "not this stream",
    "no branch",
    "no route",
    "over the MTU",
    "not sent",
)
_HEAD = struct.Struct("=II4s4s4s")
_BRANCH = struct.Struct("=16sI6s6s")
_PORT = struct.Struct("=I6s2x")
_POLICY = struct.Struct("=4s6s2x")
_NODE = struct.Struct("=6s2x16s")


class Branch(msgspec.Struct, frozen=True):
    """One branch. ``via``: the port of a pinned adjacency and its ifindex; None: by the FIB."""

    router: LabRouter  # downstream
    via: tuple[LabPort, int] | None = None


class Segment(msgspec.Struct, frozen=True):
    """What one router does for one instance. ``sites`` come with the ifindex of their PE port."""

    branches: tuple[Branch, ...]
    sites: tuple[tuple[LabSite, int], ...]


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def function_of(push: LabPush) -> int:
    return FIRST_FUNCTION + push.tree_id


def sid_key(push: LabPush, instance: int) -> bytes:
    """Function and instance, as they stand in the SID: the key of `segments`."""
    return struct.pack("!HH", function_of(push), instance)


def sid(router: LabRouter, push: LabPush, instance: int) -> bytes:
    """The 16 bytes of a Replication-SID."""
    prefix = ipaddress.IPv6Network(router.locator).network_address.packed[:6]
    return (prefix + sid_key(push, instance)).ljust(16, b"\0")


def node_value(router: LabRouter) -> bytes:
    """The element of `node`."""
    locator = ipaddress.IPv6Network(router.locator).network_address.packed[:6]
    return _NODE.pack(locator, ipaddress.IPv6Address(router.loopback6).packed)


def stream_keys(push: LabPush) -> tuple[bytes, bytes]:
    """Keys of `policies`: (S,G) of both groups."""
    source = ipaddress.IPv4Address(push.origin.address).packed
    return (
        source + ipaddress.IPv4Address(push.group).packed,
        source + ipaddress.IPv4Address(push.announce).packed,
    )


def policy_value(push: LabPush, instance: int) -> bytes:
    """The element of `policies`: the active instance, and the origin port's MAC."""
    return _POLICY.pack(sid_key(push, instance), mac(push.origin.port_mac))


def policy_key(value: bytes) -> bytes:
    """The `sid_key` that a policy points to."""
    key: bytes = _POLICY.unpack(value)[0]
    return key


def segment_value(segment: Segment, push: LabPush, instance: int) -> bytes:
    """The element of `segments`. Raises `LabError` for more branches or sites than it holds."""
    if len(segment.branches) > MOST_BRANCHES or len(segment.sites) > MOST_PORTS:
        raise LabError(
            f"a replication segment of {push.transfer} has {len(segment.branches)} branches and"
            f" {len(segment.sites)} sites at one router; the lab's has room for {MOST_BRANCHES}"
            f" and {MOST_PORTS}: spread the clouds over more routers"
        )
    branches = sorted(segment.branches, key=lambda branch: branch.via is not None)
    parts = [
        _HEAD.pack(
            len(branches),
            len(segment.sites),
            ipaddress.IPv4Address(push.origin.address).packed,
            ipaddress.IPv4Address(push.group).packed,
            ipaddress.IPv4Address(push.announce).packed,
        )
    ]
    for branch in branches:
        there = sid(branch.router, push, instance)
        if branch.via is None:
            parts.append(_BRANCH.pack(there, 0, bytes(6), bytes(6)))
        else:
            port, ifindex = branch.via
            parts.append(_BRANCH.pack(there, ifindex, mac(port.peer_mac), mac(port.mac)))
    parts.append(bytes((MOST_BRANCHES - len(branches)) * _BRANCH.size))
    parts += (_PORT.pack(ifindex, mac(site.port_mac)) for site, ifindex in segment.sites)
    parts.append(bytes((MOST_PORTS - len(segment.sites)) * _PORT.size))
    return b"".join(parts)


def read_segment(value: bytes) -> tuple[tuple[tuple[bytes, int], ...], tuple[int, ...]]:
    """(SID, pinned ifindex or 0) of each branch, and the ifindexes of the sites' ports."""
    branches, ports = struct.unpack_from("=II", value)
    found = [
        _BRANCH.unpack_from(value, _HEAD.size + place * _BRANCH.size) for place in range(branches)
    ]
    start = _HEAD.size + MOST_BRANCHES * _BRANCH.size
    indexes = [_PORT.unpack_from(value, start + place * _PORT.size)[0] for place in range(ports)]
    return tuple((row[0], row[1]) for row in found), tuple(indexes)


class Lookup:
    """Ports of the lab by what a plan calls them: made once, before anything forks."""

    def __init__(self, spec: LabSpec, ifindex: Mapping[tuple[str, str], int]) -> None:
        """``ifindex`` by (host, port), of core and site ports."""
        self._spec, self._ifindex = spec, ifindex
        self._names = spec.scenario.topology.graph.names
        self._by_arc = {
            port.arc: (router, port) for router in spec.routers for port in router.ports
        }

    def router(self, node: int) -> LabRouter:
        return self._spec.router_named[self._names[node]]

    def neighbour(self, router: LabRouter, ifindex: int) -> str:
        """The topology's name of the router behind a core port."""
        port = next(
            each for each in router.ports if self._ifindex[router.host, each.name] == ifindex
        )
        return self._spec.router[port.peer].name

    def cloud(self, router: LabRouter, ifindex: int) -> str:
        """The cloud behind a PE's port."""
        return next(
            site.cloud
            for site in self._spec.sites
            if site.router == router.host and self._ifindex[router.host, site.port] == ifindex
        )

    def segments(self, push: LabPush, plan: ReplicationPlan) -> dict[str, Segment]:
        """By router host: the plan's entries as segments."""
        return {
            self.router(node).host: self._segment(push, self.router(node), entry)
            for (node, _), entry in plan.entries.items()
        }

    def _segment(self, push: LabPush, router: LabRouter, entry: Entry) -> Segment:
        sites = tuple(
            (site, self._ifindex[router.host, site.port])
            for site in self._spec.receiving(push)
            if entry.local and site.router == router.host
        )
        return Segment(tuple(self._branches(entry)), sites)

    def _branches(self, entry: Entry) -> Iterator[Branch]:
        for steer in entry.out:
            assert isinstance(steer, Steer)
            via = None
            if steer.via is not None:
                owner, port = self._by_arc[steer.via]
                via = port, self._ifindex[owner.host, port.name]
            yield Branch(self.router(steer.dests[0]), via)


def counted(loaded: Loaded) -> dict[str, int]:
    """Every counter of one router by name."""
    counters = loaded.map("counters")
    try:
        return {name: counters.sum_u64(place) for place, name in enumerate((*PASSED, *DROPPED))}
    finally:
        counters.close()
