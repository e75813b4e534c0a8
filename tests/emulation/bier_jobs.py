"""What the tests of BIER do inside a sandbox; each answers with what came out, as JSON."""

from __future__ import annotations

import random
import socket
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from mcastlab.faults import Faults
from mcastlab.network import Network
from mcastlab.schemes import Lab
from mcastlab.schemes import bier_maps as maps
from mcastlab.schemes.bier import Bier
from mcastlab.schemes.bier_maps import Imposition
from mcastplan.lab.build import build
from mcastplan.lab.spec import DATA_PORT, LabPush, LabSpec
from mcastplan.model.measurement import TableCheck
from mcastplan.scenario import load_scenario
from mcastplan.schemes.bift import BierPacket, BiftRow, bitstring, forward_bits
from mcastplan.wire.bier import BierHeader
from tests.emulation.bier_node import OWN, Node, bier, ipv4, listen
from tests.emulation.network_jobs import receiver, running, static_routes

RUN_DIR = Path("/run/mcastlab")
FRAMES = 100_000
ID_64 = 0x10000  # BSL code 1, sub-domain 0, SI 0
BUDGET_S = 10.0


def _hex(heard: dict[str, list[bytes]]) -> dict[str, list[str]]:
    return {port: [frame.hex() for frame in frames] for port, frames in heard.items()}


def _answer(node: Node) -> dict[str, Any]:
    return {"heard": _hex(node.heard()), "drops": node.drops()}


# --- one BFR --------------------------------------------------------------------------------------


def transit(packets: Sequence[str], bsl: int, rows: dict[str, int], number: int) -> dict[str, Any]:
    """Packets (hexadecimal, after the ethertype) through one BIFT."""
    node = Node(3, sites=2)
    node.bift(number, bsl, {int(bit): row for bit, row in rows.items()})
    node.receive(1, 2)
    for packet in packets:
        node.arrive(bytes.fromhex(packet))
    return _answer(node)


def impose(bsl: int, bfir_id: int, sets: list[list[int]], rows: list[list[Any]]) -> dict[str, Any]:
    """One packet from the origin; ``sets`` (BIFT-id, bits), ``rows`` (BIFT-id, {bit: row})."""
    node = Node(3, sites=2)
    for number, bits in rows:
        node.bift(number, bsl, {int(bit): row for bit, row in bits.items()})
    node.receive(2)
    node.impose(Imposition(bsl, bfir_id, tuple((number, bits) for number, bits in sets)))
    node.originate(ipv4(b"push"))
    node.originate(ipv4(b"to a group of others", group="232.9.9.9"))
    node.originate(ipv4(b"too far", ttl=1))
    answer = _answer(node)
    answer["headers"] = {
        port: [msgspec.to_builtins(BierHeader.decode(bytes.fromhex(each)[14:])) for each in frames]
        for port, frames in answer["heard"].items()
        if port.startswith("we")
    }
    return answer


def entropies(flows: int) -> list[list[int]]:
    """The entropy field of two packets of each of several flows."""
    node = Node(1)
    node.bift(ID_64, 64, {1: 1})
    node.impose(Imposition(64, 1, ((ID_64, 1),)))
    datagram = bytearray(ipv4(b"push"))
    for port in range(flows):
        datagram[20:22] = port.to_bytes(2, "big")
        for _ in range(2):
            node.originate(bytes(datagram))
    found = [BierHeader.decode(frame[14:]).entropy for frame in node.heard()["we1"]]
    return [found[at : at + 2] for at in range(0, len(found), 2)]


def other_frames() -> dict[str, Any]:
    """What is not BIER for this BFR: tagged, for another station, and IPv4."""
    node = Node(1)
    node.bift(ID_64, 64, {1: 1})
    packet = bier(ID_64, 1, bytes(7) + b"\1") + ipv4(b"x")
    node.arrive(b"\x00\x07\xab\x37" + packet, ethertype=0x8100)
    node.arrive(packet, to=b"\x02\x00\x00\x00\x99\x99")
    node.arrive(packet, to=b"\xff" * 6)
    node.arrive(ipv4(b"x"), ethertype=0x0800)
    node.arrive(b"\x00\x07\x08\x00" + ipv4(b"x"), ethertype=0x8100)
    return _answer(node)


def changing(packets: int) -> dict[str, Any]:
    """A BIFT rewritten all the time while packets for bits 1 and 2 pass: bit 1 moves to and fro."""
    node = Node(3)
    both = [{1: 1, 2: 3}, {1: 2, 2: 3}]
    node.bift(ID_64, 64, both[0])
    packet = bier(ID_64, 1, bytes(7) + b"\3") + ipv4(b"x")
    for number in range(packets):
        node.arrive(packet)
        node.bift(ID_64, 64, both[number % 2])
    seen = {
        port: Counter(frame[26:34].hex() for frame in frames)
        for port, frames in node.heard().items()
    }
    return {"bits": seen, "drops": node.drops()}


def as_planned(bsl: int, seed: int) -> dict[str, Any]:
    """Random BitStrings through a random BIFT: what came out, and what the planner's own RFC 8279
    section 6.5 makes of the same rows. BitStrings by port, in the order they left."""
    chance, node = random.Random(seed), Node(3)
    number = (bsl.bit_length() - 6) << 16
    owner = {bit: chance.choice((0, 1, 2, 3, OWN)) for bit in range(1, bsl + 1)}
    owner = {bit: row for bit, row in owner.items() if chance.random() < 0.9}
    rows = {
        bit: BiftRow(bit, bitstring(b for b, other in owner.items() if other == row), row)
        for bit, row in owner.items()
    }
    for bit, row in owner.items():
        if row == OWN:
            rows[bit] = msgspec.structs.replace(rows[bit], arc=None)
    node.bift(number, bsl, owner)
    node.receive(1)
    planned: dict[str, list[str]] = {}
    dropped = 0
    for _ in range(200):
        bits = bitstring(chance.sample(range(1, bsl + 1), chance.randrange(1, 40)))
        node.arrive(bier(number, number >> 16, bits.to_bytes(bsl // 8, "big")) + ipv4(b"x"))
        hop = forward_bits(rows, BierPacket(0, bits, None, 0))
        for arc, copy in hop.out:
            assert isinstance(copy, BierPacket)
            planned.setdefault(f"we{arc}", []).append(f"{copy.bits:x}")
        if hop.delivered:
            planned.setdefault("wc1", []).append("inner")
        dropped += bool(hop.drops)
    heard = {
        port: [
            f"{BierHeader.decode(frame[14:]).bits:x}" if port != "wc1" else "inner"
            for frame in frames
        ]
        for port, frames in node.heard().items()
    }
    return {"planned": planned, "heard": heard, "dropped": dropped, "drops": node.drops()}


class _Malformed:
    """Frames that no BFR may deliver or forward, each with the reason it is counted by."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._own, self._far = bytes(7) + b"\x08", bytes(7) + b"\x01"  # bits 4 and 1

    def next(self) -> tuple[str, bytes, int]:
        """(reason, what follows the addresses and the ethertype, the ethertype)."""
        make = self._random.choice(
            (
                self._truncated,
                self._reserved,
                self._unknown,
                self._expired,
                self._nobody,
                self._inner,
                self._tagged,
                self._version,
                self._mismatch,
                self._empty,
                self._proto,
                self._old,
                self._stranger,
            )
        )
        return make()

    def _good(self, bits: bytes) -> bytes:
        return bier(ID_64, 1, bits) + ipv4(b"x" * self._random.randrange(64))

    def _truncated(self) -> tuple[str, bytes, int]:
        return "truncated header", self._good(self._own)[: self._random.randrange(20)], 0xAB37

    def _reserved(self) -> tuple[str, bytes, int]:
        code = self._random.choice((0, *range(8, 16)))
        return "reserved BSL code", bier(ID_64, code, self._own) + ipv4(b"x"), 0xAB37

    def _unknown(self) -> tuple[str, bytes, int]:
        number = self._random.choice([each for each in range(1, 300) if each != ID_64])
        return "unknown BIFT-id", bier(number, 1, self._own) + ipv4(b"x"), 0xAB37

    def _expired(self) -> tuple[str, bytes, int]:
        ttl, bits = self._random.choice(((0, self._own), (0, self._far), (1, self._far)))
        return "TTL expired", bier(ID_64, 1, bits, ttl=ttl) + ipv4(b"x"), 0xAB37

    def _nobody(self) -> tuple[str, bytes, int]:
        bits = (1 << self._random.randrange(4, 64)).to_bytes(8, "big")
        return "bit without a BIFT entry", self._good(bits), 0xAB37

    def _inner(self) -> tuple[str, bytes, int]:
        """The IPv4 packet is longer than the frame, shorter than its header, or cut off."""
        length = self._random.choice((0, 19, 20 + 8 + 100, 65_535))
        whole = bier(ID_64, 1, self._own) + ipv4(b"x", length=length)
        cut = self._random.choice((len(whole), 20, 39))
        return "malformed inner packet", whole[:cut], 0xAB37

    def _tagged(self) -> tuple[str, bytes, int]:
        return "VLAN tag", b"\x00\x07\xab\x37" + self._good(self._own), 0x8100

    def _version(self) -> tuple[str, bytes, int]:
        version = self._random.randrange(1, 16)
        return "unknown version", bier(ID_64, 1, self._own, version=version) + ipv4(b"x"), 0xAB37

    def _mismatch(self) -> tuple[str, bytes, int]:
        code = self._random.randrange(2, 8)
        whole = bier(ID_64, code, self._own) + ipv4(b"x")
        return "BSL code is not the BIFT's", whole, 0xAB37

    def _empty(self) -> tuple[str, bytes, int]:
        return "empty BitString", self._good(bytes(8)), 0xAB37

    def _old(self) -> tuple[str, bytes, int]:
        """A router sends on no packet whose TTL it would make 0."""
        ttl = self._random.choice((0, 1))
        return "inner TTL expired", bier(ID_64, 1, self._own) + ipv4(b"x", ttl=ttl), 0xAB37

    def _stranger(self) -> tuple[str, bytes, int]:
        """Nobody here receives this source or this group."""
        inner = self._random.choice(
            (ipv4(b"x", group="232.1.0.2"), ipv4(b"x", source="198.18.1.3"))
        )
        return "no receiving site", bier(ID_64, 1, self._own) + inner, 0xAB37

    def _proto(self) -> tuple[str, bytes, int]:
        proto = self._random.choice((0, 1, 2, 3, 5, 6, 7, 63))
        return "unsupported protocol", bier(ID_64, 1, self._own, proto=proto) + ipv4(b"x"), 0xAB37


def malformed(seed: int) -> dict[str, Any]:
    """`FRAMES` of them, then one good packet."""
    node = Node(2)
    node.bift(ID_64, 64, {1: 1, 2: 2, 4: OWN})
    node.receive(1)
    frames, expected = _Malformed(seed), Counter[str]()
    for _ in range(FRAMES):
        reason, packet, ethertype = frames.next()
        expected[reason] += 1
        node.arrive(packet, ethertype)
    heard = _hex(node.heard())
    counted = node.drops()
    node.arrive(bier(ID_64, 1, bytes(7) + b"\x0b") + ipv4(b"after all that"))
    after = {port: len(each) for port, each in node.heard().items()}
    return {"expected": dict(expected), "counted": counted, "heard": heard, "after": after}


# --- several routers ------------------------------------------------------------------------------


def _scenario(
    links: Sequence[tuple[str, str, int]], clouds: Sequence[str], origin: str, bsl: int
) -> dict[str, Any]:
    nodes = sorted({node for a, b, _ in links for node in (a, b)})
    wide = {"ingress": "100Gbps", "egress": "100Gbps", "fabric": "200Gbps", "replicas": 1}
    return {
        "schema": "mcastplan.scenario/1",
        "name": "bier",
        "timers": "lab",
        "topology": {
            "name": "bier",
            "nodes": [{"name": name} for name in nodes],
            "links": [
                {"a": a, "b": b, "metric": metric, "capacity": "100Gbps"} for a, b, metric in links
            ],
        },
        "underlay": {"metric": "explicit"},
        "schemes": {"bier": {"bsl": bsl}},
        "clouds": [{"name": node.lower(), "node": node, **wide} for node in clouds],
        "transfers": [
            {
                "name": "push",
                "size": "100GB",
                "origin": {"node": origin, "egress": "100Gbps"},
                "to": "all",
            }
        ],
    }


@contextmanager
def _bier(spec: LabSpec) -> Iterator[tuple[Network, Bier]]:
    with running(spec) as network:
        static_routes(network, spec)
        scheme = Bier(Lab(spec, network, None, RUN_DIR))  # type: ignore[arg-type]
        try:
            scheme.start()
            yield network, scheme
        finally:
            scheme.stop()


def _speak(network: Network, push: LabPush, payload: bytes) -> None:
    """One datagram to each of the push's groups."""
    with network.inside(push.origin.host):
        speaker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own = socket.inet_aton(push.origin.address)
    speaker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
    speaker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 64)
    for group in (push.group, push.announce):
        speaker.sendto(payload, (group, DATA_PORT))
    speaker.close()


def _different(checks: Sequence[TableCheck]) -> list[Any]:
    return [msgspec.to_builtins(check) for check in checks if not check.same]


# RFC 8279 Figure 1. The cables' metrics are one hop each.
FIGURE_1 = (("A", "B", 10), ("B", "C", 10), ("C", "D", 10), ("B", "E", 10), ("C", "F", 10))
FIGURE_1_IDS = {"D": 1, "F": 2, "E": 3, "A": 4}


def figure_1() -> dict[str, Any]:
    """The RFC's own numbers: its BIFTs, and the BitString on every link for D, E and F."""
    spec = build(load_scenario(_scenario(FIGURE_1, "DEF", "A", 64)), schemes=["bier"])
    routers = tuple(
        msgspec.structs.replace(router, bfr_id=FIGURE_1_IDS.get(router.name))
        for router in spec.routers
    )
    spec = msgspec.structs.replace(spec, routers=routers)
    push, named = spec.pushes[0], spec.router_named
    with _bier(spec) as (network, scheme):
        scheme.open(push)
        ears = {}
        for name in "ABCDEF":
            for port in named[name].ports:
                with network.inside(named[name].host):
                    ears[f"{spec.router[port.peer].name}{name}"] = listen(port.name)
        sites = [
            receiver(network, site.replicas[0].host, DATA_PORT, push.group) for site in spec.sites
        ]
        _speak(network, push, b"figure 1")
        delivered = []
        for each in sites:
            each.settimeout(BUDGET_S)
            delivered.append(each.recv(2048).decode())
        links = {}
        for name, ear in ears.items():
            ear.setblocking(False)
            bits = sorted(_bitstrings(ear))
            if bits:
                links[name] = bits
        bifts = {name: _bift(network, scheme, spec, name) for name in ("A", "B", "C")}
    return {"links": links, "bifts": bifts, "delivered": delivered}


def _bitstrings(ear: socket.socket) -> Iterator[str]:
    """The lowest four bits of each BIER packet heard."""
    while True:
        try:
            frame = ear.recv(2048)
        except BlockingIOError:
            return
        if frame[12:14] == b"\xab\x37":
            yield f"{BierHeader.decode(frame[14:]).bits:04b}"


def _bift(network: Network, scheme: Bier, spec: LabSpec, name: str) -> list[str]:
    """Rows as RFC 8279 Figure 2 prints them: BFR-id, F-BM, neighbour."""
    router = spec.router_named[name]
    peers = {network.ifindex(router.host, port.name): port.peer for port in router.ports}
    value = scheme.loaded[router.host].map("bifts").lookup(maps.bift_key(ID_64))
    assert value is not None
    return [
        f"{bit} {f_bm:04b} {spec.router[peers[ifindex]].name if ifindex else 'self'}"
        for bit, (ifindex, f_bm) in maps.read_bift(value).items()
    ]


# A, B and C: two ways from everyone to everyone; one cloud each, and one more at the origin's PE.
TRIANGLE = (("A", "B", 10), ("B", "C", 12), ("A", "C", 25))


def triangle() -> LabSpec:
    return build(load_scenario(_scenario(TRIANGLE, "ABC", "A", 64)), schemes=["bier"])


def end_to_end() -> dict[str, Any]:
    """Both groups reach every site, the origin's own PE's too; tables are the planner's; what
    `close` and `stop` leave."""
    spec = triangle()
    push = spec.pushes[0]
    with _bier(spec) as (network, scheme):
        before_open = [len(check.found) for check in scheme.tables(push) if check.what == "BFIR"]
        scheme.open(push)
        different = _different(scheme.tables(push))
        sites = [
            receiver(network, site.replicas[0].host, DATA_PORT, push.group, push.announce)
            for site in spec.receiving(push)
        ]
        heard = []
        _speak(network, push, b"both")
        for each in sites:
            each.settimeout(BUDGET_S)
            heard.append([each.recv(2048).decode() for _ in range(2)])
        scheme.close(push)
        closed = [check.found for check in scheme.tables(push) if check.what != "BIFT"]
        drops = scheme.drops()
        scheme.stop()
        left = {
            router.host: network.run(router.host, "tc", "qdisc", "show").count("clsact")
            for router in spec.routers
        }
        pins = [str(each) for each in Path("/run/bpf").rglob("*bier*")]
    return {
        "before_open": before_open,
        "different": different,
        "heard": heard,
        "closed": closed,
        "drops": drops,
        "left": left,
        "pins": pins,
    }


def following() -> dict[str, Any]:
    """What A's BIFT says of C after its kernel's route moves, goes, comes, and its port dies."""
    spec = triangle()
    a, c = spec.router_named["A"], spec.router_named["C"]
    to = {spec.router[port.peer].name: port for port in a.ports}
    rows: dict[str, str] = {}
    with _bier(spec) as (network, scheme):

        def settled(name: str, *lines: str) -> None:
            network.batch("ip", {a.host: list(lines)})
            rows[name] = _row(scheme, network, spec, "A", c.loopback)

        def via(neighbour: str) -> str:
            return f"via {to[neighbour].peer_address}"

        rows["at first"] = _row(scheme, network, spec, "A", c.loopback)
        settled("replaced", f"route replace {c.loopback}/32 {via('C')}")
        settled("deleted", f"route del {c.loopback}/32")
        settled("added", f"route add {c.loopback}/32 {via('B')} metric 20")
        settled("worse added", f"route add {c.loopback}/32 {via('C')} metric 30")
        settled("better deleted", f"route del {c.loopback}/32 {via('B')} metric 20")
        settled("port down", f"link set {to['C'].name} down")
        settled("port up", f"link set {to['C'].name} up")
        settled(
            "next-hop object",
            f"nexthop add id 7 {via('B')} dev {to['B'].name}",
            f"route add {c.loopback}/32 nhid 7",
        )
        settled("object gone", "nexthop del id 7")
        changes = scheme.follower.changes()
        again = scheme.follower.changes()
    return {
        "rows": rows,
        "order": all(each.heard_ns <= each.done_ns for each in changes),
        "again": len(again),
    }


def _row(scheme: Bier, network: Network, spec: LabSpec, name: str, loopback: str) -> str:
    """The BFR-NBR that the map has for this BFER, once the follower has heard of everything."""
    scheme.follower.changes()
    (bit,) = (router.bfr_id for router in spec.routers if router.loopback == loopback)
    row = [line for line in _bift(network, scheme, spec, name) if line.startswith(f"{bit} ")]
    return row[0].split()[2] if row else "nobody"


def latency(changes: int) -> dict[str, float]:
    """From reading a kernel's message to the row's being written, and from a cable's being pulled
    to a row's being gone [s]."""
    spec = triangle()
    a, c = spec.router_named["A"], spec.router_named["C"]
    with _bier(spec) as (network, scheme):
        for number in range(changes):
            port = a.ports[number % 2]
            line = f"route replace {c.loopback}/32 via {port.peer_address}"
            network.batch("ip", {a.host: [line]})
        written = [
            (each.done_ns - each.heard_ns) / 1e9
            for each in scheme.follower.changes()
            if each.host == a.host
        ]
        with Faults(network, spec) as faults:
            link = next(port.link for port in a.ports if spec.router[port.peer].name == "B")
            faults.prepare([link], False)
            at = faults.down([link], False)
            deadline = time.monotonic() + BUDGET_S
            gone: list[float] = []
            while not gone and time.monotonic() < deadline:
                heard = scheme.follower.changes()
                gone = [(each.done_ns - at) / 1e9 for each in heard if each.port is None]
    return {"written_s": statistics.median(written), "pulled_s": gone[0]}
