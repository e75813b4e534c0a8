"""What the tests of one BFR do inside a sandbox; each answers with what came out, as JSON."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from mcastlab.schemes.bier_maps import Imposition
from mcastplan.schemes.bift import BierPacket, BiftRow, bitstring, forward_bits
from mcastplan.wire.bier import BierHeader
from tests.emulation.bier_node import INNER_PACKETS, OWN, Node, bier, ipv4

FRAMES = 100_000
ID_64 = 0x10000  # BSL code 1, sub-domain 0, SI 0


def _hex(heard: dict[str, list[bytes]]) -> dict[str, list[str]]:
    return {port: [frame.hex() for frame in frames] for port, frames in heard.items()}


def _answer(node: Node) -> dict[str, Any]:
    return {"heard": _hex(node.heard()), "drops": node.drops()}


def odd_lengths() -> dict[str, Any]:
    """Every valid BSL code but the BIFT's."""
    node = Node(1)
    node.bift(ID_64, 64, {1: 1})
    for code in range(2, 8):
        node.arrive(bier(ID_64, code, bytes(7) + b"\1") + ipv4(b"x"))
    return _answer(node) | {"oddities": node.oddities()}


def native(name: str) -> dict[str, Any]:
    """An inner packet from the origin to this BFR's own site and to a neighbour, then from a
    neighbour to the site; then each with its checksum wrong."""
    node, packet = Node(1), ipv4(**INNER_PACKETS[name])
    broken = bytearray(packet)
    broken[(packet[0] & 15) * 4 - 1] ^= 1  # the header's last octet
    node.bift(ID_64, 64, {1: 1, 2: OWN})
    node.receive(1)
    node.impose(Imposition(64, 1, ((ID_64, 3),)))
    node.originate(packet)
    node.arrive(bier(ID_64, 1, bytes(7) + b"\2") + packet)
    good = _answer(node)
    if packet[0] & 15 > 5:  # in an ordinary header that octet is the group's
        node.originate(bytes(broken))
        node.arrive(bier(ID_64, 1, bytes(7) + b"\2") + bytes(broken))
    return good | {"bad": _answer(node)}


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
                self._checksum,
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

    def _checksum(self) -> tuple[str, bytes, int]:
        inner = bytearray(ipv4(b"x"))
        inner[self._random.choice((1, 4, 5, 6, 7, 9, 10, 11))] ^= 1 << self._random.randrange(8)
        return "malformed inner packet", bier(ID_64, 1, self._own) + bytes(inner), 0xAB37

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
