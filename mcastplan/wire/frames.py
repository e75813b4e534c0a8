"""One copy of one packet on one arc, as bytes.

What is kept of a frame is its headers and `SHOWN` bytes of payload; its length on the wire is that
of the whole: MTU-sized where the scheme's header is largest, as the plan's payload says.
"""

from __future__ import annotations

from collections.abc import Hashable
from hashlib import blake2b

import msgspec

from mcastplan.errors import UsageError
from mcastplan.evaluate.scheme import Context, Installed
from mcastplan.evaluate.wire import payload_bytes
from mcastplan.model.plan import Demand, Key, Native, ReplicationPlan
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.bier import Bier
from mcastplan.schemes.bift import BierPacket, bift_id
from mcastplan.schemes.ingress_replication import Tunnelled
from mcastplan.schemes.mroute import Registered
from mcastplan.schemes.replication_segment import (
    FIRST_FUNCTION,
    FIRST_NODE_SID,
    FIRST_REPLICATION_SID,
    Replicated,
    srv6_sid,
)
from mcastplan.schemes.segments import SRV6_BYTES
from mcastplan.schemes.unicast import Segment
from mcastplan.wire import addresses as at
from mcastplan.wire import ip, tunnels
from mcastplan.wire.bier import BierHeader

SHOWN = b"mcastplan payload, then zeros.\r\n"
# Dynamic ports (RFC 6335) on both sides of a push; a pull is served from port 80.
PUSH_PORTS = (49_152, 49_153)
PULL_PORT, FIRST_REPLICA_PORT = 80, 49_152
MAX_NODES = 65_534  # a SID has 16 bits for its node


class Ttl(msgspec.Struct, frozen=True):
    """TTLs of one copy: of its outer header, of that when it was imposed, of the IPv4 packet."""

    outer: int
    imposed: int
    inner: int


class Frames:
    """Frames of one transfer under one scheme; ``number`` counts transfers from 1."""

    def __init__(
        self,
        context: Context,
        installed: Installed,
        demand: Demand,
        plan: ReplicationPlan,
        number: int,
        whole: bool = False,
    ) -> None:
        scenario, self._graph = context.scenario, context.routes.graph
        self._scheme, self._number, self._origin = installed.scheme, number, demand.origin
        self._srv6 = scenario.schemes.sr_p2mp.dataplane == "srv6"
        self._pulled = installed.scheme.name == "unicast"
        self._bridged = installed.scheme.name == "ingress-replication"
        asm = installed.scheme.name == "pim-sm" and scenario.schemes.pim_sm.mode == "asm"
        self._group = at.group(number, asm)
        self._source = at.source(number)
        self._payload_bytes = payload_bytes(scenario.mtu, plan)
        self._shown = SHOWN[: self._payload_bytes]
        if whole:
            self._shown = self._shown.ljust(self._payload_bytes, b"\0")
        self._rank = {cloud.name: rank for rank, cloud in enumerate(scenario.clouds)}

    def core(self, arc: Arc, packet: Hashable, ttl: Ttl, cloud: str) -> tuple[bytes, int]:
        """(what is kept, bytes on the wire) of a copy on a core arc; ``cloud`` is whose pull."""
        graph = self._graph
        here, there = graph.tail[arc], graph.head[arc]
        kind, mac = ip.IPV4, at.mac(at.ROUTER, there)
        match packet:
            case Native():
                head, mac = self._native(ttl.inner), ip.multicast_mac(self._group)
            case Segment():
                head = self._pull(cloud, ttl.inner)
            case Tunnelled(dest, flow):
                head = self._vxlan(dest, flow, ttl)
            case Registered(_, rp):
                inner = self._native(ttl.inner)
                head = self._outer(
                    at.loopback(rp), ip.PROTO_PIM, tunnels.pim_register(), inner, ttl
                )
            case BierPacket():
                kind, head = ip.BIER, self._bier(packet, ttl)
            case Replicated() if self._srv6:
                kind, head = ip.IPV6, self._srv6_copy(packet, ttl)
            case Replicated():
                kind, head = ip.MPLS, self._mpls_copy(packet, ttl)
            case _:
                raise UsageError(
                    f"{self._scheme.name} has packets whose bytes mcastplan cannot write yet; leave"
                    " out --pcap"
                )
        return self._framed(mac, at.mac(at.ROUTER, here), kind, head)

    def from_origin(self, ttl: Ttl, cloud: str) -> tuple[bytes, int]:
        """The native packet on the origin's access arc."""
        head = self._pull(cloud, ttl.inner) if self._pulled else self._native(ttl.inner)
        mac = at.mac(at.ROUTER, self._origin) if self._pulled else ip.multicast_mac(self._group)
        return self._framed(mac, self._host_mac(), ip.IPV4, head)

    def to_cloud(self, pe: Node, name: str, ttl: Ttl) -> tuple[bytes, int]:
        """The native packet on a cloud's access arc; a bridged one keeps the origin's MAC."""
        head = self._pull(name, ttl.inner) if self._pulled else self._native(ttl.inner)
        mac = ip.multicast_mac(self._group)
        if self._pulled:
            mac = at.mac(at.CLOUD, self._rank[name])
        src = self._host_mac() if self._bridged else at.mac(at.ROUTER, pe)
        return self._framed(mac, src, ip.IPV4, head)

    def _framed(self, dst: bytes, src: bytes, kind: int, head: bytes) -> tuple[bytes, int]:
        headers = ip.ethernet(dst, src, kind) + head
        return headers + self._shown, len(headers) + self._payload_bytes

    def _host_mac(self) -> bytes:
        return at.mac(at.ORIGIN, self._number - 1)

    def _native(self, ttl: int) -> bytes:
        """IPv4 and UDP of a push."""
        ends = self._source, self._group
        udp = ip.udp(*ends, PUSH_PORTS, self._shown, self._payload_bytes)
        return ip.ipv4(*ends, ip.PROTO_UDP, 8 + self._payload_bytes, ttl) + udp

    def _pull(self, cloud: str, ttl: int) -> bytes:
        """IPv4 and TCP of a pull; the cloud's first replica stands for all of them."""
        ends = self._source, at.cloud_address(self._rank[cloud])
        ports = PULL_PORT, FIRST_REPLICA_PORT
        tcp = ip.tcp(*ends, ports, self._shown, self._payload_bytes)
        return ip.ipv4(*ends, ip.PROTO_TCP, 20 + self._payload_bytes, ttl) + tcp

    def _outer(self, dst: bytes, proto: int, middle: bytes, inner: bytes, ttl: Ttl) -> bytes:
        """``inner`` behind an IPv4 tunnel header from the ingress."""
        length = len(middle) + len(inner) + self._payload_bytes
        return ip.ipv4(at.loopback(self._origin), dst, proto, length, ttl.outer) + middle + inner

    def _vxlan(self, dest: Node, flow: Key, ttl: Ttl) -> bytes:
        frame = ip.ethernet(ip.multicast_mac(self._group), self._host_mac(), ip.IPV4)
        inner = tunnels.vxlan(self._number) + frame + self._native(ttl.inner)
        # The source port carries the flow's entropy: 49152 to 65535 (RFC 7348 section 5).
        ports = 0xC000 | entropy(flow) & 0x3FFF, tunnels.VXLAN_PORT
        udp = ip.udp_unchecked(ports, len(inner) + self._payload_bytes)
        return self._outer(at.loopback(dest), ip.PROTO_UDP, udp, inner, ttl)

    def _bier(self, packet: BierPacket, ttl: Ttl) -> bytes:
        scheme = self._scheme
        assert isinstance(scheme, Bier)
        header = BierHeader(
            bift_id=bift_id(scheme.bsl, scheme.sub_domain, packet.si),
            bsl=scheme.bsl,
            bits=packet.bits,
            bfir_id=scheme.bfr_id[self._origin],
            ttl=ttl.outer,
            entropy=entropy(packet.entropy),
        )
        return header.encode() + self._native(ttl.inner)

    def _srv6_copy(self, packet: Replicated, ttl: Ttl) -> bytes:
        """The destination address is the downstream Replication-SID. Over a pinned adjacency the
        SRH holds it too: End.X of the replicating node has just used up the one segment left."""
        sid = srv6_sid(packet.dest, FIRST_FUNCTION + self._number).to_bytes(16, "big")
        root = (srv6_sid(self._origin, 0) | 1).to_bytes(16, "big")
        routing = b""
        if packet.header_bytes > SRV6_BYTES:
            routing = tunnels.srh([sid], 0, ip.PROTO_IPIP)
        inner = self._native(ttl.inner)
        return (
            ip.ipv6(
                root,
                sid,
                ip.PROTO_ROUTING if routing else ip.PROTO_IPIP,
                len(routing) + len(inner) + self._payload_bytes,
                ttl.outer,
                entropy(("tree", packet.transfer)),
            )
            + routing
            + inner
        )

    def _mpls_copy(self, packet: Replicated, ttl: Ttl) -> bytes:
        """The Replication-SID, below the Node-SID of a downstream node that is not adjacent."""
        labels = [(FIRST_REPLICATION_SID + self._number, ttl.outer)]
        if packet.header_bytes > tunnels.LABEL_BYTES:
            labels = [
                (FIRST_NODE_SID + packet.dest, ttl.outer),
                (FIRST_REPLICATION_SID + self._number, ttl.imposed),
            ]
        return tunnels.label_stack(labels) + self._native(ttl.inner)


def entropy(key: Key) -> int:
    """Twenty bits that stand for a flow, the same on every machine."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=4).digest(), "big") & 0xFFFFF
