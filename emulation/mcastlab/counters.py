"""What every port sent, received and dropped, and the same as rows of arcs.

Bytes and packets come from each namespace's /proc/PID/net/dev (what a veth handed over, after its
queue), drops from its queueing disciplines through netlink. What a BPF program drops is not a drop
of the queue and is not here.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from mcastlab.network import Network
from mcastlab.shaping import WIRE_BYTES
from mcastplan.lab.spec import LabPush, LabSpec
from mcastplan.model.measurement import ArcBytes

_GETQDISC, _NEWQDISC, _DONE = 38, 36, 3  # RTM_GETQDISC, RTM_NEWQDISC, NLMSG_DONE
_REQUEST_DUMP = 0x301
_ROOT = 0xFFFFFFFF  # TC_H_ROOT
_STATS2, _QUEUE = 7, 3  # TCA_STATS2, TCA_STATS_QUEUE
_ATTRIBUTE_TYPE = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER


class Counters(msgspec.Struct, frozen=True):
    """Of one port, as the kernel counts: with the Ethernet header, without preamble, FCS, gap."""

    tx_bytes: int
    tx_packets: int
    rx_bytes: int
    rx_packets: int
    dropped: int  # by the port's own queue


Reading = Mapping[tuple[str, str], Counters]


def read(network: Network) -> dict[tuple[str, str], Counters]:
    """Counters of every port by (host, port); loopback is none."""
    found: dict[tuple[str, str], Counters] = {}
    for host in network.hosts:
        dropped = _drops(network, host)
        for port, (rx_bytes, rx_packets, tx_bytes, tx_packets) in traffic(network, host).items():
            found[host, port] = Counters(
                tx_bytes, tx_packets, rx_bytes, rx_packets, dropped.get(port, 0)
            )
    return found


def traffic(network: Network, host: str) -> dict[str, tuple[int, int, int, int]]:
    """(received bytes, packets, sent bytes, packets) by port of one host."""
    text = Path(f"/proc/{network.pid(host)}/net/dev").read_text()
    ports = {}
    for line in text.splitlines()[2:]:
        name, _, numbers = line.partition(":")
        cells = numbers.split()
        ports[name.strip()] = (int(cells[0]), int(cells[1]), int(cells[8]), int(cells[9]))
    ports.pop("lo", None)
    return ports


def arcs(spec: LabSpec, push: LabPush, before: Reading, after: Reading) -> tuple[ArcBytes, ...]:
    """What passed between two readings, named and ordered as in `compare`.

    Core arcs both ways, also those without a packet; access arcs in the direction of the push.
    """
    graph, links = spec.scenario.topology.graph, spec.scenario.topology.links
    rows = []

    def add(host: str, port: str, source: str, target: str, link: str | None) -> None:
        first, last = before[host, port], after[host, port]
        packets = last.tx_packets - first.tx_packets
        rows.append(
            ArcBytes(
                source=source,
                target=target,
                link=link,
                kind="access" if link is None else "core",
                wire_bytes=float(last.tx_bytes - first.tx_bytes + WIRE_BYTES * packets),
                packets=packets,
                dropped=last.dropped - first.dropped,
            )
        )

    for router in spec.routers:
        for each in router.ports:
            head = graph.names[graph.head[each.arc]]
            add(router.host, each.name, router.name, head, links[each.arc >> 1].id)
    for site in spec.sites:
        pe = spec.router[site.router].name
        add(site.router, site.port, pe, f"cloud:{site.cloud}", None)
    pe = spec.router[push.origin.router].name
    add(push.origin.host, "eth0", f"origin:{push.transfer}", pe, None)
    rows.sort(key=lambda row: (row.kind != "core", row.source, row.target, row.link or ""))
    return tuple(rows)


def _drops(network: Network, host: str) -> dict[str, int]:
    """Packets that each port's root queueing discipline refused."""
    found: dict[str, int] = {}
    with network.inside(host):
        names = dict(socket.if_nameindex())
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
            body = struct.pack("=BxxxiIIII", socket.AF_UNSPEC, 0, 0, 0, 0, 0)
            header = struct.pack("=IHHII", 16 + len(body), _GETQDISC, _REQUEST_DUMP, 0, 0)
            netlink.send(header + body)
            for kind, message in _messages(netlink):
                if kind != _NEWQDISC:
                    continue
                index, _, parent = struct.unpack_from("=iII", message, 4)
                if parent == _ROOT and index in names:
                    found[names[index]] = _queue_drops(message[20:])
    return found


def _messages(netlink: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Every message of one dump: its type, and what follows the header."""
    while True:
        data = netlink.recv(1 << 17)
        at = 0
        while at + 16 <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind == _DONE:
                return
            yield kind, data[at + 16 : at + length]
            at += (length + 3) & ~3


def _queue_drops(attributes: bytes) -> int:
    for kind, stats in _attributes(attributes):
        if kind == _STATS2:
            for inner, value in _attributes(stats):
                if inner == _QUEUE:  # struct gnet_stats_queue: qlen, backlog, drops, ...
                    return int(struct.unpack_from("=I", value, 8)[0])
    return 0


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        yield kind & _ATTRIBUTE_TYPE, data[at + 4 : at + length]
        at += (length + 3) & ~3
