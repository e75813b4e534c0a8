"""The BIFT of one BFR, rendered and forwarded by RFC 8279 section 6.5."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

import msgspec

from mcastplan.model.plan import Demand, Hop, Key, Native, ReplicationPlan, Section, Steer
from mcastplan.model.topology import Arc, Node
from mcastplan.underlay.routes import IgpRoutes

NO_BIFT_ENTRY = "bit without a BIFT entry"
NO_IMPOSITION = "no bitstring for this transfer"
# RFC 8296 section 2.1.2: log2(BSL) - 5; codes 0 and 8 to 15 are reserved.
BSL_CODE = {64: 1, 128: 2, 256: 3, 512: 4, 1024: 5, 2048: 6, 4096: 7}


# The header before its BitString (RFC 8296 section 2).
FIXED_BYTES = 12


def bift_id(bsl: int, sub_domain: int, si: int) -> int:
    """draft-ietf-bier-non-mpls-bift-encoding: BSL code (4 bits), sub-domain (8), SI (8)."""
    return BSL_CODE.get(bsl, 0) << 16 | sub_domain << 8 | si


def header_bytes(bsl: int) -> int:
    """Size of the header with its BitString [B] (RFC 8296 section 2)."""
    return FIXED_BYTES + bsl // 8


def set_identifier(bfr_id: int, bsl: int) -> tuple[int, int]:
    """(SI, bit) of a BFR-id, bit 1 the rightmost: SI = (N-1) div BSL (RFC 8279 section 3)."""
    return (bfr_id - 1) // bsl, (bfr_id - 1) % bsl + 1


def bitstring(bits: Iterable[int]) -> int:
    """OR of bit positions, 1 the least significant."""
    value = 0
    for bit in bits:
        value |= 1 << (bit - 1)
    return value


class BierPacket(msgspec.Struct, frozen=True):
    """What a BFR forwards by: the BIFT-id (its SI), the BitString, and the entropy field."""

    si: int
    bits: int
    entropy: Key
    header_bytes: int


class BiftRow(msgspec.Struct, frozen=True):
    """One row; ``arc`` None: the BFR itself."""

    bfer: Node
    f_bm: int
    arc: Arc | None


def bift(
    routes: IgpRoutes, node: Node, bfers: Mapping[int, Node], entropy: Key, spread: bool
) -> dict[int, BiftRow]:
    """Rows by bit for one SI: BIRT (BFER -> BFR-NBR) with F-BM = all bits of that neighbour.

    Under ``ecmp: hash`` one entropy value picks one BIFT (section 6.7); with ``spread`` every BFER
    is hashed on its own.
    """
    birt: dict[int, Arc | None] = {}
    for bit, bfer in bfers.items():
        if bfer == node:
            birt[bit] = None
            continue
        arc = routes.next_arc(node, bfer, entropy, spread)
        if arc is not None:
            birt[bit] = arc
    f_bm: dict[Arc | None, int] = {}
    for bit, arc in birt.items():
        f_bm[arc] = f_bm.get(arc, 0) | 1 << (bit - 1)
    return {bit: BiftRow(bfers[bit], f_bm[arc], arc) for bit, arc in birt.items()}


def forward_bits(rows: Mapping[int, BiftRow], packet: BierPacket) -> Hop:
    """RFC 8279 section 6.5, bit by bit from the lowest."""
    out, drops, delivered = [], [], 0
    bits = packet.bits
    while bits:
        lowest = bits & -bits
        row = rows.get(lowest.bit_length())
        if row is None:
            drops.append(NO_BIFT_ENTRY)
            bits &= ~lowest
        elif row.arc is None:
            delivered += 1
            bits &= ~lowest
        else:
            copy = BierPacket(packet.si, bits & row.f_bm, packet.entropy, packet.header_bytes)
            out.append((row.arc, copy))
            bits &= ~row.f_bm
    return Hop(tuple(out), delivered, tuple(drops))


class BierTable:
    """BIFTs of one node, one per SI and entropy in use, and what it imposes as a BFIR."""

    def __init__(
        self,
        routes: IgpRoutes,
        plans: Sequence[tuple[Demand, ReplicationPlan]],
        node: Node,
        bfr_id: Mapping[Node, int],
        bsl: int,
        sub_domain: int,
        spread: bool,
    ) -> None:
        self._routes, self._node, self._spread = routes, node, spread
        self._bfr_id, self._bsl, self._sub_domain = bfr_id, bsl, sub_domain
        self._bfers: dict[int, dict[int, Node]] = {}
        for bfer, number in sorted(bfr_id.items(), key=lambda item: item[1]):
            si, bit = set_identifier(number, bsl)
            self._bfers.setdefault(si, {})[bit] = bfer
        self._imposed: dict[str, list[BierPacket]] = {}
        self._entropies: dict[int, list[tuple[str, Key]]] = {}  # by SI
        for demand, plan in plans:
            for origin, packet in plan.impose:
                assert isinstance(packet, Steer)
                si, _ = set_identifier(bfr_id[packet.dests[0]], bsl)
                self._entropies.setdefault(si, []).append((demand.transfer, packet.key))
                if origin == node:
                    bits = bitstring(set_identifier(bfr_id[dest], bsl)[1] for dest in packet.dests)
                    self._imposed.setdefault(demand.transfer, []).append(
                        BierPacket(si, bits, packet.key, packet.header_bytes)
                    )
        self._bifts: dict[tuple[int, Key], dict[int, BiftRow]] = {}

    def _bift(self, si: int, entropy: Key) -> dict[int, BiftRow]:
        entropy = entropy if self._routes.ecmp == "hash" else None
        rows = self._bifts.get((si, entropy))
        if rows is None:
            rows = bift(self._routes, self._node, self._bfers[si], entropy, self._spread)
            self._bifts[si, entropy] = rows
        return rows

    def forward(self, arrived: Arc | None, packet: Hashable) -> Hop:
        if isinstance(packet, Native):
            packets = self._imposed.get(packet.flow)
            if packets is None:
                return Hop(drops=(NO_IMPOSITION,))
            hops = [forward_bits(self._bift(each.si, each.entropy), each) for each in packets]
            return Hop(
                tuple(copy for hop in hops for copy in hop.out),
                sum(hop.delivered for hop in hops),
                tuple(drop for hop in hops for drop in hop.drops),
            )
        assert isinstance(packet, BierPacket)
        return forward_bits(self._bift(packet.si, packet.entropy), packet)

    def sections(self) -> tuple[Section, ...]:
        sections = [self._imposition()] if self._imposed else []
        for si in self._bfers:
            if self._routes.ecmp == "first":
                sections.append(self._bift_section(si, None, ""))
                continue
            for transfer, entropy in self._entropies.get(si, ()):
                sections.append(self._bift_section(si, entropy, f", entropy of {transfer}"))
        return tuple(sections)

    def _imposition(self) -> Section:
        rows = tuple(
            (transfer, str(packet.si), f"0x{packet.bits:x}")
            for transfer, packets in self._imposed.items()
            for packet in packets
        )
        return Section("BFIR", ("transfer", "SI", "BitString"), rows)

    def _bift_section(self, si: int, entropy: Key, suffix: str) -> Section:
        names, head = self._routes.graph.names, self._routes.graph.head
        rows = tuple(
            (
                str(self._bfr_id[row.bfer]),
                f"{si}:{bit}",
                names[row.bfer],
                f"0x{row.f_bm:x}",
                "self" if row.arc is None else names[head[row.arc]],
            )
            for bit, row in self._bift(si, entropy).items()
        )
        number = bift_id(self._bsl, self._sub_domain, si)
        title = f"BIFT 0x{number:05x}: sub-domain {self._sub_domain}, BSL {self._bsl}, SI {si}"
        return Section(title + suffix, ("BFR-id", "SI:bit", "BFER", "F-BM", "BFR-NBR"), rows)
