"""What ``ethtool`` would be asked for a port, by its ioctl: Debian's base has no such program.

References: include/uapi/linux/ethtool.h, ``struct ethtool_value``.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct

_SIOCETHTOOL = 0x8946
_GLINK = 0x0A
# Checksums in and out, TSO, GSO, GRO: ETHTOOL_G*; ETHTOOL_S* is the next number.
_OFFLOADS = (0x14, 0x16, 0x1E, 0x23, 0x2B)


def offloads_off(control: socket.socket, port: str) -> None:
    """All of them off at a port of the socket's namespace. Raises OSError."""
    for command in _OFFLOADS:
        _value(control, port, command + 1)


def offloads_on(control: socket.socket, port: str) -> int:
    """How many of them are on. Raises OSError."""
    return sum(map(bool, (_value(control, port, command) for command in _OFFLOADS)))


def carrier(control: socket.socket, port: str) -> bool:
    """Whether it has carrier, which the kernel reads now, not within a second. Raises OSError."""
    return bool(_value(control, port, _GLINK))


def _value(control: socket.socket, port: str, command: int) -> int:
    """The value after ``command`` with value 0."""
    value = ctypes.create_string_buffer(struct.pack("=II", command, 0), 8)
    request = struct.pack("16sP16x", port.encode(), ctypes.addressof(value))
    fcntl.ioctl(control.fileno(), _SIOCETHTOOL, request)
    return int(struct.unpack("=II", value.raw)[1])
