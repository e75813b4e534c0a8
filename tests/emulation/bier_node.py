"""One BFR under a microscope: a namespace whose ports end in the sandbox's own namespace.

::

    w0 --- e0 (in)   +-----+   e1 --- w1 (neighbour 1)
                     | bfr |   ...
    wo --- o1 origin +-----+   c1 --- wc1 (site), c2 --- wc2

Frames are written to and read from the far ends by packet sockets. A closing packet, sent last on
the same CPU and addressed to everybody, says that nothing more will come.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
from pathlib import Path
from typing import Any

from mcastlab import bpf
from mcastlab.schemes import bier_maps
from mcastlab.schemes.bier_maps import Bift, Imposition, Neighbour

SOURCE, GROUP = "198.18.1.2", "232.1.0.1"
OWN = -1
CLOSING = b"that was the last one"
CLOSING_ID, CLOSING_GROUP = 0x1FFFF, "232.255.255.255"
BUDGET_S = 10.0
ETH_P_ALL = 3


def mac(kind: int, number: int) -> str:
    return f"02:00:00:00:{kind:02x}:{number:02x}"


def mac_bytes(kind: int, number: int) -> bytes:
    return bytes.fromhex(mac(kind, number).replace(":", ""))


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(
    payload: bytes,
    source: str = SOURCE,
    group: str = GROUP,
    ttl: int = 64,
    length: int | None = None,
    options: bytes = b"",
    fragment: int = 0,
) -> bytes:
    """A UDP datagram in IPv4, by hand: ports 4000 to 1044, no UDP checksum. With ``fragment``
    (flags and offset) the payload alone."""
    udp = b"" if fragment else struct.pack("!HHHH", 4000, 1044, 8 + len(payload), 0)
    udp += payload
    total = 20 + len(options) + len(udp) if length is None else length
    first = 0x45 + len(options) // 4
    head = struct.pack("!BBHHHBBH", first, 0, total, 7, fragment, ttl, 17, 0)
    rest = socket.inet_aton(source) + socket.inet_aton(group) + options
    return head[:10] + struct.pack("!H", checksum(head + rest)) + rest + udp


# For `ipv4`: record route with room for one address, as long as a header can be, the last octets of
# a datagram, none at all, more than 1,500.
INNER_PACKETS: dict[str, dict[str, Any]] = {
    "options": {"payload": b"x", "options": bytes.fromhex("0707040000000000")},
    "longest": {"payload": b"x", "options": bytes([1] * 39 + [0])},
    "last fragment": {"payload": b"x", "fragment": 185},
    "no payload": {"payload": b"", "fragment": 185},
    "empty datagram": {"payload": b""},
    "jumbo": {"payload": bytes(1500)},
}


def bier(
    bift_id: int,
    code: int,
    bits: bytes,
    ttl: int = 9,
    proto: int = 4,
    version: int = 0,
    nibble: int = 0,
    entropy: int = 0x12345,
    bfir_id: int = 4,
) -> bytes:
    """RFC 8296 section 2, by hand; ``bits`` as on the wire."""
    return (
        struct.pack(
            "!IIHH",
            bift_id << 12 | 1 << 8 | ttl,
            nibble << 28 | version << 24 | code << 20 | entropy,
            proto,
            bfir_id,
        )
        + bits
    )


def listen(port: str) -> socket.socket:
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    listener.setsockopt(socket.SOL_SOCKET, 33, 1 << 28)  # SO_RCVBUFFORCE
    listener.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
    listener.bind((port, ETH_P_ALL))
    return listener


class Namespace:
    """Its holder is a process that sleeps, and ends with the sandbox."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()  # unshare has happened
        self.pid = self._holder.pid
        self.ip("link set lo up")

    def ip(self, *lines: str) -> None:
        argv = ["nsenter", f"--net=/proc/{self.pid}/ns/net", "ip", "-batch", "-"]
        subprocess.run(argv, input="\n".join(lines), text=True, check=True)

    def ifindex(self, port: str) -> int:
        argv = ["nsenter", f"--net=/proc/{self.pid}/ns/net", "ip", "-o", "link", "show", port]
        shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return int(shown.split(":")[0])


class Namespaces:
    """As much of `mcastlab.network.Network` as `mcastlab.bpf` asks for."""

    def __init__(self, *hosts: str) -> None:
        self.host = {name: Namespace() for name in hosts}

    def pid(self, host: str) -> int:
        return self.host[host].pid


class Node:
    """The BFR ``bfr`` with a port for arriving packets, ``neighbours``, ``sites`` and an origin.

    Neighbour n is behind ``e<n>``, whose far end is ``w<n>``; the site's is ``wc<n>``.
    """

    def __init__(self, neighbours: int, sites: int = 1) -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        self.namespaces = Namespaces("bfr")
        self.bfr = self.namespaces.host["bfr"]
        self.core = [f"e{n}" for n in range(neighbours + 1)]
        self.access = [f"c{n}" for n in range(1, sites + 1)]
        for kind, ports in ((0, self.core), (1, self.access), (2, ["o1"])):
            for number, port in enumerate(ports):
                self._cable(port, mac(kind, number), mac(kind + 8, number))
        self.loaded = bpf.load(bpf.compile("bier"), Path("/run/bpf/bfr"))
        forward, impose = map(self.loaded.program, ("bier_forward", "bier_impose"))
        for port in self.core:
            bpf.attach(self.namespaces, "bfr", port, "ingress", forward)  # type: ignore[arg-type]
        bpf.attach(self.namespaces, "bfr", "o1", "ingress", impose)  # type: ignore[arg-type]
        self.neighbours = [
            Neighbour(self.bfr.ifindex(port), mac(8, number), mac(0, number))
            for number, port in enumerate(self.core)
        ]
        self._ears = {f"w{port}": listen(f"w{port}") for port in [*self.core, *self.access]}
        self._mouths = {port: self._mouth(f"w{port}") for port in ("e0", "o1")}
        everybody = dict(enumerate(range(len(self.core)), 2))
        self.bift(CLOSING_ID, 64, {1: OWN, **everybody})
        self.receive(*range(1, sites + 1), group=CLOSING_GROUP)
        bits = ((1 << len(everybody) + 1) - 1).to_bytes(8, "big")
        self._closing = bier(CLOSING_ID, 1, bits) + ipv4(CLOSING, group=CLOSING_GROUP)

    def _cable(self, port: str, near: str, far: str) -> None:
        line = f"ip link add name w{port} address {far} mtu 1600 type veth peer name {port}"
        argv = [*line.split(), "address", near, "mtu", "1600", "netns", str(self.bfr.pid)]
        subprocess.run(argv, check=True)
        # Without IPv6 nobody speaks but the test.
        subprocess.run(["ip", "link", "set", f"w{port}", "addrgenmode", "none", "up"], check=True)
        self.bfr.ip(f"link set {port} addrgenmode none up")

    def _mouth(self, port: str) -> socket.socket:
        mouth = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        mouth.bind((port, 0))
        return mouth

    def bift(self, bift_id: int, bsl: int, rows: dict[int, int]) -> None:
        """``rows``: bit -> number of the neighbour, or `OWN`."""
        table = Bift(bsl, self.neighbours)
        for bit, number in rows.items():
            own = number == OWN
            table.assign(bit, bier_maps.SELF if own else bier_maps.FIRST_NEIGHBOUR + number)
        key = bier_maps.bift_key(bift_id)
        bier_maps.write(self.loaded, "bifts", {key: table.value})

    def receive(self, *sites: int, source: str = SOURCE, group: str = GROUP) -> None:
        ports = [(self.bfr.ifindex(f"c{n}"), mac(1, n - 1)) for n in sites]
        key = bier_maps.flow_key(source, group)
        bier_maps.write(self.loaded, "receivers", {key: bier_maps.sites_value(ports)})

    def impose(self, imposition: Imposition, source: str = SOURCE, group: str = GROUP) -> None:
        key = bier_maps.flow_key(source, group)
        value = bier_maps.imposition_value(imposition)
        bier_maps.write(self.loaded, "impositions", {key: value})

    def arrive(self, packet: bytes, ethertype: int = 0xAB37, to: bytes = mac_bytes(0, 0)) -> None:
        """A frame for the BFR on e0, after its addresses and ethertype."""
        head = to + mac_bytes(8, 0) + struct.pack("!H", ethertype)
        self._mouths["e0"].send(head + packet)

    def originate(self, packet: bytes) -> None:
        """An IPv4 packet from the origin."""
        group = socket.inet_aton(GROUP)
        head = b"\x01\x00\x5e" + bytes((group[1] & 0x7F, *group[2:]))
        self._mouths["o1"].send(head + mac_bytes(10, 0) + b"\x08\x00" + packet)

    def heard(self) -> dict[str, list[bytes]]:
        """Whole frames that came out since the last call, by far end."""
        self.arrive(self._closing)
        found: dict[str, list[bytes]] = {}
        for port, ear in self._ears.items():
            frames: list[bytes] = []
            while not frames or CLOSING not in frames[-1]:
                if not select.select([ear], [], [], BUDGET_S)[0]:
                    raise AssertionError(f"nothing closed {port} after {len(frames)} frames")
                frames.append(ear.recv(2048))
            if len(frames) > 1:
                found[port] = frames[:-1]
        return found

    def drops(self) -> dict[str, int]:
        return bier_maps.read_drops(self.loaded)

    def oddities(self) -> dict[str, int]:
        return bier_maps.read_oddities(self.loaded)
