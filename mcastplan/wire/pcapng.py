"""A capture file with one interface per arc: pcapng (draft-ietf-opsawg-pcapng), little-endian.

Classic pcap has no interfaces, so it could not say on which arc a frame was seen.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

import msgspec

ETHERNET = 1  # LINKTYPE_ETHERNET
SECTION, INTERFACE, ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
BYTE_ORDER = 0x1A2B3C4D
COMMENT, END = 1, 0  # options of any block
SHB_USERAPPL, IF_NAME, IF_DESCRIPTION, IF_SPEED, IF_TSRESOL = 4, 2, 3, 8, 9
NANOSECONDS = 9


class Interface(msgspec.Struct, frozen=True):
    """One arc; ``speed_bps`` is left out of the file where it is unlimited."""

    name: str
    description: str
    speed_bps: float


class Frame(msgspec.Struct, frozen=True):
    """One frame: what is kept of it, and how long it is on the wire (without its FCS)."""

    interface: int
    at_s: float
    data: bytes
    wire_bytes: int
    comment: str


def pcapng(about: str, interfaces: Sequence[Interface], frames: Sequence[Frame]) -> bytes:
    """The file. Times count from 1970-01-01, that is from 0, in nanoseconds."""
    snaplen = max((len(frame.data) for frame in frames), default=0)
    blocks = [
        _block(
            SECTION,
            struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1),
            ((COMMENT, about.encode()), (SHB_USERAPPL, b"mcastplan")),
        )
    ]
    for each in interfaces:
        options = [(IF_NAME, each.name.encode()), (IF_DESCRIPTION, each.description.encode())]
        if math.isfinite(each.speed_bps):
            options.append((IF_SPEED, struct.pack("<Q", round(each.speed_bps))))
        options.append((IF_TSRESOL, bytes((NANOSECONDS,))))
        blocks.append(_block(INTERFACE, struct.pack("<HHI", ETHERNET, 0, snaplen), options))
    for frame in frames:
        ticks = round(frame.at_s * 1e9)
        fixed = struct.pack(
            "<IIIII",
            frame.interface,
            ticks >> 32,
            ticks & 0xFFFFFFFF,
            len(frame.data),
            frame.wire_bytes,
        )
        body = fixed + _padded(frame.data)
        blocks.append(_block(ENHANCED_PACKET, body, ((COMMENT, frame.comment.encode()),)))
    return b"".join(blocks)


def _block(kind: int, body: bytes, options: Sequence[tuple[int, bytes]]) -> bytes:
    for code, value in (*options, (END, b"")):
        body += struct.pack("<HH", code, len(value)) + _padded(value)
    length = 12 + len(body)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
