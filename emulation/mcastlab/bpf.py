"""eBPF objects of the lab: compile, load, attach; read and write their maps.

bpftool loads (libbpf does BTF, relocations and pins), `tc` attaches, and maps are reached through
bpf(2) itself, because an agent that follows routes cannot afford a process for each write. Every
failure is one `LabError` that says what failed and how the kernel names it. Pins lie in the lab's
own bpffs (a private /run), so that they vanish with it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from mcastlab.errors import LabError

if TYPE_CHECKING:
    from mcastlab.network import Network

SOURCES = Path(__file__).parent / "ebpf"
OBJECTS = Path("/run/mcastlab/bpf")

Direction = Literal["ingress", "egress"]

# bpf(2) commands, linux/bpf.h
_LOOKUP, _UPDATE, _DELETE, _NEXT_KEY = 1, 2, 3, 4
_OBJ_GET, _INFO_BY_FD, _LOOKUP_BATCH = 7, 15, 24
_PER_CPU = frozenset({5, 6, 10, 21})  # PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH, storage
_ARRAYS = frozenset({2})
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


class _Batch(ctypes.Structure):
    """`bpf_attr` of BPF_MAP_LOOKUP_BATCH."""

    _fields_ = (
        ("in_batch", ctypes.c_uint64),
        ("out_batch", ctypes.c_uint64),
        ("keys", ctypes.c_uint64),
        ("values", ctypes.c_uint64),
        ("count", ctypes.c_uint32),
        ("map_fd", ctypes.c_uint32),
        ("elem_flags", ctypes.c_uint64),
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

    def array(self) -> bytes:
        """All values of a plain array map in one call, one after another."""
        if self.type not in _ARRAYS:
            raise ValueError(f"{self.pin.name} is not an array map")
        keys = ctypes.create_string_buffer(4 * self.max_entries)
        values = ctypes.create_string_buffer(self.value_bytes * self.max_entries)
        last = ctypes.c_uint32()
        attr = _Batch(
            out_batch=ctypes.addressof(last),
            keys=ctypes.addressof(keys),
            values=ctypes.addressof(values),
            count=self.max_entries,
            map_fd=self.fd,
        )
        result = call(_LOOKUP_BATCH, attr)
        if result != -_ENOENT:  # the kernel's way to say that this was the last batch
            self._checked(result, "read all of")
        return values.raw[: attr.count * self.value_bytes]

    def sum_u64(self, index: int) -> int:
        """The sum over the CPUs of a per-CPU counter: native u64 at an array index."""
        slots = self.lookup_percpu(index.to_bytes(4, "little"))
        return sum(int.from_bytes(slot[:8], "little") for slot in slots)

    def close(self) -> None:
        """Give the descriptor back; the pin keeps the map."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Loaded(msgspec.Struct, frozen=True):
    """An object that the kernel accepted; its programs and maps are pinned under ``pins``."""

    pins: Path

    def program(self, name: str) -> Path:
        """Where the program of this C function is pinned."""
        return self.pins / "p" / name

    def map(self, name: str) -> Map:
        """The map of this name. Raises `LabError` if the object has none."""
        return Map(self.pins / "m" / name)


def _complaint(stderr: str) -> str:
    """The line that says most: libbpf's verdict, then what calls itself an error."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    libbpf = [line.removeprefix("libbpf: ") for line in lines if line.startswith("libbpf: ")]
    verdicts = [line for line in libbpf if "failed: " in line]
    errors = [line for line in lines if "rror: " in line or line.startswith("Error")]
    return next(iter((*verdicts, *errors, *lines)), "")


def _told(argv: list[str], what: str, text: str | None = None) -> str:
    """What the command printed. Raises `LabError` with the line that names the trouble."""
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LabError(f"{what}: no {argv[0]} here; install it") from None
    if done.returncode:
        raise LabError(f"{what}: {_complaint(done.stderr) or f'exit {done.returncode}'}")
    return done.stdout


@cache
def compile(  # noqa: A001 - bpf.compile is what it is called
    source: str, folder: Path = OBJECTS, sources: Path = SOURCES
) -> Path:
    """The object made of ``<sources>/<source>.bpf.c``, once for each process and folder.

    Raises `LabError` with clang's first error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{source}.bpf.o"
    # Debian keeps asm/types.h, which linux/bpf.h includes, in the architecture's folder.
    headers = f"/usr/include/{platform.machine()}-linux-gnu"
    # fmt: off
    argv = ["clang", "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror", "-I", headers,
            "-I", str(SOURCES), "-c", str(sources / f"{source}.bpf.c"), "-o", str(target)]
    # fmt: on
    _told(argv, f"cannot compile {source}.bpf.c")
    return target


def load(obj: Path, pins: Path) -> Loaded:
    """Load every program of the object and pin programs and maps below ``pins``, in a bpffs.

    Each call makes programs and maps of its own. Raises `LabError` with libbpf's first error.
    """
    if pins.exists():
        raise LabError(f"cannot load {obj.name}: something is pinned at {pins}")
    pins.mkdir(parents=True)
    # fmt: off
    argv = ["bpftool", "prog", "loadall", str(obj), str(pins / "p"), "pinmaps", str(pins / "m")]
    # fmt: on
    try:
        _told(argv, f"cannot load {obj.name} at {pins}")
    except LabError:
        pins.rmdir()  # bpftool pins all or nothing
        raise
    return Loaded(pins)


def unload(loaded: Loaded) -> None:
    """Remove the pins; the kernel frees what nothing else holds."""
    for folder in (loaded.pins / "p", loaded.pins / "m"):
        for pin in sorted(folder.iterdir()):
            pin.unlink()
        folder.rmdir()
    loaded.pins.rmdir()


def _tc(network: Network, host: str, what: str, *lines: str) -> str:
    """What tc says to these lines in the host's namespace: one process for all of them."""
    argv = ["nsenter", f"--net=/proc/{network.pid(host)}/ns/net", "tc", "-batch", "-"]
    return _told(argv, what, "\n".join(lines) + "\n")


def attach(
    network: Network,
    host: str,
    port: str,
    direction: Direction,
    program: Path,
    priority: int = 1,
) -> None:
    """Run the pinned program on every packet of the port, direct action; lower priority first.

    What had this priority there is replaced. Raises `LabError`.
    """
    _tc(
        network,
        host,
        f"cannot attach {program.name} to {host} {port} {direction}",
        f"qdisc replace dev {port} clsact",
        f"filter replace dev {port} {direction} protocol all prio {priority} handle 1"
        f" bpf da object-pinned {program}",
    )


def detach(network: Network, host: str, port: str, direction: Direction, priority: int = 1) -> None:
    """Take the program of this priority away, and clsact with the last one. Raises `LabError`."""
    what = f"cannot detach priority {priority} from {host} {port} {direction}"
    left = _tc(
        network,
        host,
        what,
        f"filter del dev {port} {direction} protocol all prio {priority}",
        f"filter show dev {port} ingress",
        f"filter show dev {port} egress",
    )
    if not left.strip():
        _tc(network, host, what, f"qdisc del dev {port} clsact")
