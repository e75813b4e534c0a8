"""Headers of the other schemes' tunnels: SRH, MPLS label stack, VXLAN, PIM Register."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from mcastplan.wire.ip import checksum

VXLAN_PORT = 4789
VXLAN_HAS_VNI = 0x08
SRH_TYPE = 4
LABEL_BYTES = 4
BOTTOM_OF_STACK = 0x100
PIM_REGISTER = 0x21  # version 2, type 1


def srh(segments: Sequence[bytes], segments_left: int, next_header: int) -> bytes:
    """A segment routing header of 8 + 16 n bytes (RFC 8754 section 2), no TLVs.

    ``segments`` are in the order of the list field: the last segment of the path first.
    """
    if not segments or not 0 <= segments_left <= len(segments):
        raise ValueError(f"{segments_left} segments left of {len(segments)}")
    head = struct.pack(
        "!BBBBBBH", next_header, 2 * len(segments), SRH_TYPE, segments_left, len(segments) - 1, 0, 0
    )
    return head + b"".join(segments)


def label_stack(labels: Sequence[tuple[int, int]]) -> bytes:
    """``(label, TTL)`` from the top, the last with the bottom-of-stack bit (RFC 3032)."""
    entries = [label << 12 | ttl for label, ttl in labels]
    entries[-1] |= BOTTOM_OF_STACK
    return struct.pack(f"!{len(entries)}I", *entries)


def vxlan(vni: int) -> bytes:
    """Eight bytes: the I flag and a VXLAN network identifier of 24 bits (RFC 7348 section 5)."""
    return struct.pack("!B3xI", VXLAN_HAS_VNI, vni << 8)


def pim_register() -> bytes:
    """Eight bytes before the data packet; the checksum is over these alone (RFC 7761 section
    4.9.3). Border and Null-Register bits are 0."""
    head = struct.pack("!BBHI", PIM_REGISTER, 0, 0, 0)
    return head[:2] + struct.pack("!H", checksum(head)) + head[4:]
