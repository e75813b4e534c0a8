"""A pcapng reader for tests: written from the format's description, not from the writer."""

from __future__ import annotations

import struct
from typing import NamedTuple


class Seen(NamedTuple):
    """One frame as a reader finds it."""

    arc: str
    at_ns: int
    data: bytes
    wire_bytes: int
    comment: str


def read(data: bytes) -> tuple[list[dict[int, bytes]], list[Seen]]:
    """(options of each interface, frames). Every block's two lengths must agree."""
    interfaces: list[dict[int, bytes]] = []
    frames = []
    place = 0
    while place < len(data):
        kind, length = struct.unpack_from("<II", data, place)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, place + length - 4) == (length,)
        body = data[place + 8 : place + length - 4]
        if kind == 0x0A0D0D0A:
            assert place == 0
            assert struct.unpack_from("<IHHq", body) == (0x1A2B3C4D, 1, 0, -1)
        elif kind == 1:
            assert struct.unpack_from("<H", body) == (1,)  # LINKTYPE_ETHERNET
            interfaces.append(_options(body[8:]))
        else:
            assert kind == 6
            number, high, low, kept, whole = struct.unpack_from("<IIIII", body)
            end = 20 + kept + -kept % 4
            frames.append(
                Seen(
                    interfaces[number][2].decode(),
                    high << 32 | low,
                    body[20 : 20 + kept],
                    whole,
                    _options(body[end:])[1].decode(),
                )
            )
        place += length
    return interfaces, frames


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    place = 0
    while True:
        code, length = struct.unpack_from("<HH", data, place)
        if code == 0:
            return found
        found[code] = data[place + 4 : place + 4 + length]
        place += 4 + length + -length % 4
