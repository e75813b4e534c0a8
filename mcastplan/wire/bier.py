"""The BIER header on Ethernet, without MPLS (RFC 8296 section 2.2).

::

    BIFT-id:20 TC:3 S:1 TTL:8 | Nibble:4 Ver:4 BSL:4 Entropy:20 | OAM:2 Rsv:2 DSCP:6 Proto:6
    BFIR-id:16 | BitString, bit 1 the rightmost of the last octet

BIFT-id as in draft-ietf-bier-non-mpls-bift-encoding (`mcastplan.schemes.bift.bift_id`). Without
MPLS, TC is 0, S is 1 and Nibble is 0 on transmission, and all three are ignored on receipt.
"""

from __future__ import annotations

import struct

import msgspec

from mcastplan.schemes.bift import BSL_CODE, FIXED_BYTES, header_bytes

PROTO_IPV4, PROTO_IPV6 = 4, 6  # RFC 8296 section 2.1.2, registry "BIER Next Protocol Identifiers"

_BSL = {code: bsl for bsl, code in BSL_CODE.items()}
_WIDTH = {
    "bift_id": 20,
    "tc": 3,
    "s": 1,
    "ttl": 8,
    "nibble": 4,
    "ver": 4,
    "entropy": 20,
    "oam": 2,
    "dscp": 6,
    "proto": 6,
    "bfir_id": 16,
}


class BierHeader(msgspec.Struct, frozen=True):
    """One header. ``bits`` is the BitString as a number: bit 1 is its least significant."""

    bift_id: int
    bsl: int
    bits: int
    bfir_id: int
    ttl: int
    proto: int = PROTO_IPV4
    entropy: int = 0
    dscp: int = 0
    oam: int = 0
    tc: int = 0
    s: int = 1
    nibble: int = 0
    ver: int = 0

    def encode(self) -> bytes:
        """Raises `ValueError` for a field that does not fit: BSL codes 0 and 8..15 are never sent,
        nor a BFIR-id of 0, nor an empty BitString."""
        if self.bsl not in BSL_CODE:
            raise ValueError(f"no BSL code stands for {self.bsl} bits")
        for name, width in _WIDTH.items():
            if not 0 <= getattr(self, name) < 1 << width:
                raise ValueError(f"{name} {getattr(self, name)} does not fit in {width} bits")
        if not self.bfir_id:
            raise ValueError("a BFIR-id is 1 to 65535")
        if not 0 < self.bits < 1 << self.bsl:
            raise ValueError(f"a BitString of {self.bsl} bits cannot hold {self.bits:#x}")
        fixed = struct.pack(
            "!IIHH",
            self.bift_id << 12 | self.tc << 9 | self.s << 8 | self.ttl,
            self.nibble << 28 | self.ver << 24 | BSL_CODE[self.bsl] << 20 | self.entropy,
            self.oam << 14 | self.dscp << 6 | self.proto,
            self.bfir_id,
        )
        return fixed + self.bits.to_bytes(self.bsl // 8, "big")

    @classmethod
    def decode(cls, data: bytes) -> BierHeader:
        """The header ``data`` begins with. Its length is that of the BIFT-id, never of the BSL
        field (RFC 8296 section 2.1.2). Raises `ValueError` where a BFR drops the packet."""
        if len(data) < FIXED_BYTES:
            raise ValueError("shorter than a BIER header")
        first, second, third, bfir_id = struct.unpack_from("!IIHH", data)
        if second >> 20 & 0xF not in _BSL:
            raise ValueError(f"BSL code {second >> 20 & 0xF} is reserved")
        bsl = _BSL.get(first >> 28)
        if bsl is None:
            raise ValueError(f"BIFT-id {first >> 12:#07x} names no BitString length")
        if len(data) < header_bytes(bsl):
            raise ValueError(f"shorter than a BitString of {bsl} bits")
        return cls(
            bift_id=first >> 12,
            bsl=bsl,
            bits=int.from_bytes(data[FIXED_BYTES : header_bytes(bsl)], "big"),
            bfir_id=bfir_id,
            ttl=first & 0xFF,
            proto=third & 0x3F,
            entropy=second & 0xFFFFF,
            dscp=third >> 6 & 0x3F,
            oam=third >> 14,
            tc=first >> 9 & 7,
            s=first >> 8 & 1,
            nibble=second >> 28,
            ver=second >> 24 & 0xF,
        )
