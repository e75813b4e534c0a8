"""Maps of the lab's eBPF programs, through bpf(2) itself.

An agent that follows routes cannot afford a process for each write, and the standard library has no
bpf(2). Every failure is one `LabError` with the kernel's own word for it.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from mcastlab.errors import LabError

# bpf(2) commands, linux/bpf.h
_LOOKUP, _UPDATE, _DELETE, _NEXT_KEY = 1, 2, 3, 4
_OBJ_GET, _INFO_BY_FD = 7, 15
_PER_CPU = frozenset({5, 6, 10, 21})  # PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH, storage
_SYSCALL = {"x86_64": 321, "aarch64": 280}
_ENOENT, _ENOSPC = 2, 28

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _Element(ctypes.Structure):
    """`bpf_attr` of the commands on one element."""

    _fields_ = (
        ("map_fd", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("key", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
    )


class _Pin(ctypes.Structure):
    """`bpf_attr` of BPF_OBJ_GET."""

    _fields_ = (
        ("pathname", ctypes.c_uint64),
        ("bpf_fd", ctypes.c_uint32),
        ("file_flags", ctypes.c_uint32),
    )


class _InfoQuery(ctypes.Structure):
    """`bpf_attr` of BPF_OBJ_GET_INFO_BY_FD."""

    _fields_ = (
        ("bpf_fd", ctypes.c_uint32),
        ("info_len", ctypes.c_uint32),
        ("info", ctypes.c_uint64),
    )


class _MapInfo(ctypes.Structure):
    """The beginning of `struct bpf_map_info`."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("max_entries", ctypes.c_uint32),
        ("map_flags", ctypes.c_uint32),
    )


@cache
def _syscall_number() -> int:
    machine = platform.machine()
    if machine not in _SYSCALL:
        raise LabError(f"bpf(2) has no known number on {machine}; the lab knows {sorted(_SYSCALL)}")
    return _SYSCALL[machine]


def call(command: int, attr: ctypes.Structure) -> int:
    """bpf(2): its result, or minus its errno."""
    result: int = _libc.syscall(
        _syscall_number(), command, ctypes.byref(attr), ctypes.c_uint32(ctypes.sizeof(attr))
    )
    return result if result >= 0 else -ctypes.get_errno()


@cache
def possible_cpus() -> int:
    """How many values a per-CPU map has for a key."""
    last = Path("/sys/devices/system/cpu/possible").read_text().strip().split(",")[-1]
    return int(last.split("-")[-1]) + 1


def open_pin(pin: Path) -> int:
    """A descriptor of what is pinned there. Raises `LabError`."""
    name = ctypes.create_string_buffer(os.fsencode(pin))
    result = call(_OBJ_GET, _Pin(pathname=ctypes.addressof(name)))
    if result < 0:
        raise LabError(f"cannot open BPF pin {pin}: {os.strerror(-result)}")
    return result


class Map:
    """One pinned map. Keys and values are bytes as the kernel lays them out.

    A `Map` survives a fork; it is not for several threads at once.
    """

    def __init__(self, pin: Path) -> None:
        """Raises `LabError` if nothing is pinned there."""
        self.pin = pin
        self.fd = open_pin(pin)
        info = _MapInfo()
        query = _InfoQuery(
            bpf_fd=self.fd, info_len=ctypes.sizeof(info), info=ctypes.addressof(info)
        )
        self._checked(call(_INFO_BY_FD, query), "describe")
        self.type, self.max_entries = int(info.type), int(info.max_entries)
        self.key_bytes, self.value_bytes = int(info.key_size), int(info.value_size)
        self.per_cpu = self.type in _PER_CPU
        self._slot_bytes = (self.value_bytes + 7) // 8 * 8  # of one CPU
        room = self._slot_bytes * possible_cpus() if self.per_cpu else self.value_bytes
        self._key = ctypes.create_string_buffer(self.key_bytes)
        self._next = ctypes.create_string_buffer(self.key_bytes)
        self._value = ctypes.create_string_buffer(room)
        self._attr = _Element(
            map_fd=self.fd,
            key=ctypes.addressof(self._key),
            value=ctypes.addressof(self._value),
        )

    def _checked(self, result: int, what: str) -> int:
        if result < 0:
            raise LabError(f"cannot {what} BPF map {self.pin}: {os.strerror(-result)}")
        return result

    def _put_key(self, key: bytes) -> None:
        if len(key) != self.key_bytes:
            raise ValueError(f"{self.pin.name}: a key has {self.key_bytes} B, not {len(key)}")
        self._key.raw = key

    def lookup(self, key: bytes) -> bytes | None:
        """The value, None if there is none. A per-CPU map gives the CPUs' values in a row."""
        self._put_key(key)
        result = call(_LOOKUP, self._attr)
        if result == -_ENOENT:
            return None
        self._checked(result, "read")
        return self._value.raw

    def lookup_percpu(self, key: bytes) -> list[bytes]:
        """One value for each possible CPU; none if the key is not there."""
        whole = self.lookup(key)
        if whole is None:
            return []
        size, slot = self.value_bytes, self._slot_bytes
        return [whole[at : at + size] for at in range(0, len(whole), slot)]

    def update(self, key: bytes, value: bytes) -> None:
        """Write one element; a per-CPU map gets the same value on every CPU.

        The kernel copies an array's element in place, so that a reader may see half of a long one;
        a hash map's element is replaced as a whole.
        """
        if len(value) != self.value_bytes:
            raise ValueError(f"{self.pin.name}: a value has {self.value_bytes} B, not {len(value)}")
        self._put_key(key)
        if self.per_cpu:
            self._value.raw = value.ljust(self._slot_bytes, b"\0") * possible_cpus()
        else:
            self._value.raw = value
        self._checked(call(_UPDATE, self._attr), "write to")

    def delete(self, key: bytes) -> bool:
        """Whether the key was there."""
        self._put_key(key)
        # The kernel refuses a value here.
        attr = _Element(map_fd=self.fd, key=ctypes.addressof(self._key))
        result = call(_DELETE, attr)
        if result == -_ENOENT:
            return False
        self._checked(result, "delete from")
        return True

    def keys(self) -> Iterator[bytes]:
        """Every key, in the kernel's order; deletions meanwhile may make it start over."""
        attr = _Element(map_fd=self.fd, key=0, value=ctypes.addressof(self._next))
        while True:
            result = call(_NEXT_KEY, attr)
            if result == -_ENOENT:
                return
            self._checked(result, "list")
            key = self._next.raw
            yield key
            self._put_key(key)
            attr.key = ctypes.addressof(self._key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of those that are there."""
        for key in list(self.keys()):
            value = self.lookup(key)
            if value is not None:
                yield key, value

    def sum_u64(self, index: int) -> int:
        """The sum over the CPUs of a per-CPU counter: native u64 at an array index."""
        slots = self.lookup_percpu(index.to_bytes(4, "little"))
        return sum(int.from_bytes(slot[:8], "little") for slot in slots)

    def close(self) -> None:
        """Give the descriptor back; the pin keeps the map."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
