"""What stands in the maps of ``ebpf/bier.bpf.c``, octet for octet.

A BitString is kept as on the wire, bit 1 the last octet's least significant one (RFC 8296 section
2.1.2). The program reads words of 64 bits in host order, so that *its* number of a bit is
``8 * octet + significance``. Multi-octet fields are the machine's own, little-endian.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from mcastlab.bpf import Loaded
from mcastlab.errors import LabError
from mcastplan.schemes.bift import BSL_CODE

MAX_BSL = 1024
MAX_ROWS = 128  # a lab has at most 100 routers and 250 sites
MAX_SETS = 16
MAX_PORTS = 256
NOBODY, SELF, FIRST_NEIGHBOUR = 0, 1, 2  # rows of a BIFT

# Then ODDITIES, in the order of the program's `enum counter`.
DROPS = (
    "VLAN tag",
    "frame for another station",
    "truncated header",
    "unknown version",
    "reserved BSL code",
    "unknown BIFT-id",
    "TTL expired",
    "empty BitString",
    "bit without a BIFT entry",
    "unsupported protocol",
    "malformed inner packet",
    "inner TTL expired",
    "no receiving site",
    "store failed",
    "redirect failed",
)
# Counted, and the packet goes on (RFC 8296 section 2.1.2: the length is the BIFT's).
ODDITIES = ("BSL code is not the BIFT's",)

_FBM_BYTES = MAX_BSL // 8
_ROW_BYTES = 16 + _FBM_BYTES
_HEAD_BYTES = 8
_ROW_OF_AT = _HEAD_BYTES + MAX_ROWS * _ROW_BYTES
BIFT_BYTES = _ROW_OF_AT + MAX_BSL
_SET_BYTES = 8 + _FBM_BYTES
_IMPOSITION_BYTES = 16 + MAX_SETS * _SET_BYTES
_SITES_BYTES = 4 + MAX_PORTS * 12


class Neighbour(msgspec.Struct, frozen=True):
    """A BFR-NBR: the port towards it, and the MAC addresses at both ends."""

    ifindex: int
    mac: str  # the neighbour's
    own_mac: str


class Imposition(msgspec.Struct, frozen=True):
    """What a BFIR puts in front of the packets of an (S,G): a BitString for each BIFT-id."""

    bsl: int
    bfir_id: int
    sets: tuple[tuple[int, int], ...]  # BIFT-id, bits


def check_bsl(bsl: int) -> None:
    """Raises `LabError` for a length that the program has no loop for."""
    if bsl not in BSL_CODE or bsl > MAX_BSL:
        raise LabError(f"BIER in the lab carries BitStrings of 64 to {MAX_BSL} bits, not {bsl}")


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


class Bift:
    """One BIFT as the map holds it, kept up to date row by row; ``value`` goes into the map.

    Each bit belongs to exactly one row: a neighbour's, `SELF`, or `NOBODY` (counted as a drop). So
    a copy carries exactly the bits that its neighbour's F-BM names, whatever the order of changes.
    """

    def __init__(self, bsl: int, neighbours: Sequence[Neighbour]) -> None:
        """Nobody owns a bit yet. Raises `LabError` if the program has no room."""
        check_bsl(bsl)
        if len(neighbours) > MAX_ROWS - FIRST_NEIGHBOUR:
            raise LabError(
                f"BIER in the lab takes {MAX_ROWS - FIRST_NEIGHBOUR} neighbours of a router,"
                f" not {len(neighbours)}"
            )
        self._bytes = bsl // 8
        self._row: dict[int, int] = {}
        self._f_bm = [0] * (FIRST_NEIGHBOUR + len(neighbours))
        self._value = bytearray(BIFT_BYTES)
        struct.pack_into("<II", self._value, 0, BSL_CODE[bsl], bsl // 64)
        for number, each in enumerate(neighbours, FIRST_NEIGHBOUR):
            at = _HEAD_BYTES + number * _ROW_BYTES
            macs = _mac(each.mac) + _mac(each.own_mac)
            struct.pack_into("<12sI", self._value, at, macs, each.ifindex)
        self._write_f_bm(NOBODY, (1 << bsl) - 1)

    def _write_f_bm(self, row: int, bits: int) -> None:
        self._f_bm[row] = bits
        at = _HEAD_BYTES + row * _ROW_BYTES + 16
        self._value[at : at + self._bytes] = bits.to_bytes(self._bytes, "big")

    def assign(self, bit: int, row: int) -> None:
        """The bit (1 the rightmost) goes to this row from now on, and to no other."""
        mask, before = 1 << (bit - 1), self._row.get(bit, NOBODY)
        if before == row:
            return
        self._row[bit] = row
        self._write_f_bm(before, self._f_bm[before] & ~mask)
        self._write_f_bm(row, self._f_bm[row] | mask)
        octet, significance = self._bytes - 1 - (bit - 1) // 8, (bit - 1) % 8
        self._value[_ROW_OF_AT + 8 * octet + significance] = row

    @property
    def value(self) -> bytes:
        return bytes(self._value)


def read_bift(value: bytes) -> dict[int, tuple[int, int]]:
    """(row's ifindex, F-BM) by bit, of a BIFT in the map; bits that nobody owns are left out.

    The ifindex is 0 for the BFR's own bit.
    """
    words = struct.unpack_from("<II", value)[1]
    size = 8 * words
    found = {}
    for bit in range(1, 64 * words + 1):
        octet, significance = size - 1 - (bit - 1) // 8, (bit - 1) % 8
        row = value[_ROW_OF_AT + 8 * octet + significance]
        if row == NOBODY:
            continue
        at = _HEAD_BYTES + row * _ROW_BYTES
        (ifindex,) = struct.unpack_from("<I", value, at + 12)
        found[bit] = (ifindex, int.from_bytes(value[at + 16 : at + 16 + size], "big"))
    return found


def bift_key(bift_id: int) -> bytes:
    return struct.pack("<I", bift_id)


def flow_key(source: str, group: str) -> bytes:
    """(S,G), as the packet has it."""
    return socket.inet_aton(source) + socket.inet_aton(group)


def imposition_value(imposition: Imposition) -> bytes:
    """Raises `LabError` for more set identifiers than the program has room for."""
    check_bsl(imposition.bsl)
    if len(imposition.sets) > MAX_SETS:
        raise LabError(
            f"BIER in the lab imposes {MAX_SETS} set identifiers, not {len(imposition.sets)};"
            " use a longer BSL"
        )
    size = imposition.bsl // 8
    value = struct.pack(
        "<III2s2x",
        len(imposition.sets),
        BSL_CODE[imposition.bsl],
        imposition.bsl // 64,
        imposition.bfir_id.to_bytes(2, "big"),
    )
    for bift_id, bits in imposition.sets:
        value += (struct.pack("<II", bift_id, 0) + bits.to_bytes(size, "big")).ljust(
            _SET_BYTES, b"\0"
        )
    return value.ljust(_IMPOSITION_BYTES, b"\0")


def read_imposition(value: bytes) -> Imposition:
    """The inverse of `imposition_value`."""
    count, _, words, bfir_id = struct.unpack_from("<III2s", value)
    sets = []
    for number in range(count):
        at = 16 + number * _SET_BYTES
        bits = int.from_bytes(value[at + 8 : at + 8 + 8 * words], "big")
        sets.append((struct.unpack_from("<I", value, at)[0], bits))
    return Imposition(64 * words, int.from_bytes(bfir_id, "big"), tuple(sets))


def sites_value(ports: Iterable[tuple[int, str]]) -> bytes:
    """(ifindex, own MAC) of each port that a group is delivered to. Raises `LabError`."""
    listed = list(ports)
    if len(listed) > MAX_PORTS:
        raise LabError(f"BIER in the lab delivers to {MAX_PORTS} sites of a PE, not {len(listed)}")
    value = struct.pack("<I", len(listed))
    for ifindex, mac in listed:
        value += struct.pack("<I6s2x", ifindex, _mac(mac))
    return value.ljust(_SITES_BYTES, b"\0")


def read_sites(value: bytes) -> tuple[int, ...]:
    """The ports' ifindexes."""
    (count,) = struct.unpack_from("<I", value)
    return tuple(struct.unpack_from("<I", value, 4 + 12 * n)[0] for n in range(count))


def read_drops(loaded: Loaded) -> dict[str, int]:
    """Packets dropped by reason, all CPUs together; reasons that never came are left out."""
    return _counted(loaded, DROPS, 0)


def read_oddities(loaded: Loaded) -> dict[str, int]:
    """As `read_drops`, of what is odd about packets that went on all the same."""
    return _counted(loaded, ODDITIES, len(DROPS))


def _counted(loaded: Loaded, names: Sequence[str], first: int) -> dict[str, int]:
    counters = loaded.map("counters")
    counted = {name: counters.sum_u64(number) for number, name in enumerate(names, first)}
    counters.close()
    return {name: count for name, count in counted.items() if count}


def write(loaded: Loaded, name: str, rows: Mapping[bytes, bytes]) -> None:
    """Put these elements in the map, each as a whole."""
    target = loaded.map(name)
    for key, value in rows.items():
        target.update(key, value)
    target.close()
