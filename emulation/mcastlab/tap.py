"""What arrives at a replica and what leaves the origin, seen by BPF on their ``eth0``.

The program's arrays are mapped into this process (and, after a fork, into its workers), so that
reading one is a load from memory. One push runs at a time: data is told from the rest by port, not
by group.
"""

from __future__ import annotations

import mmap
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from mcastlab import bpf
from mcastplan.lab.spec import LabOrigin, LabReplica

if TYPE_CHECKING:
    from mcastlab.network import Network

PINS = Path("/run/bpf/tap")
PORT = "eth0"
# As in ebpf/tap.bpf.c.
PROBES = 1 << 17  # two minutes at 1 kpps
TRAIN_PACKETS = 1 << 15

_FLOW = np.dtype([("packets", "u8"), ("bytes", "u8"), ("first_ns", "u8"), ("last_ns", "u8")])
_MARK = np.dtype([("train", "u4"), ("copies", "u4"), ("ns", "u8")])


class Flow(msgspec.Struct, frozen=True):
    """Blocks of files that passed; ``bytes`` of their content. None: none did."""

    packets: int
    bytes: int
    first_ns: int | None
    last_ns: int | None


class _Mapped:
    """One BPF array, in this process' memory."""

    def __init__(self, loaded: bpf.Loaded, name: str, kind: np.dtype[Any]) -> None:
        opened = loaded.map(name)
        size_bytes = opened.max_entries * opened.value_bytes
        self._memory = mmap.mmap(opened.fd, size_bytes)
        opened.close()
        self.rows: NDArray[Any] = np.frombuffer(self._memory, kind)

    def close(self) -> None:
        self.rows = np.zeros(0)
        self._memory.close()


class _Counter:
    """A program on one direction of a host's ``eth0``, and its arrays."""

    def __init__(self, network: Network, host: str, program: str, way: bpf.Direction) -> None:
        self._network, self._host, self._way = network, host, way
        self._loaded = bpf.load(bpf.compile("tap"), PINS / f"{host}-{program}")
        self._data = _Mapped(self._loaded, "data", _FLOW)
        self._trains = _Mapped(self._loaded, "trains", _MARK)
        self._probes = _Mapped(self._loaded, "probes", _MARK)
        bpf.attach(network, host, PORT, way, self._loaded.program(program))

    def data(self) -> Flow:
        """Blocks of files since the last `reset`."""
        packets, content, first_ns, last_ns = self._data.rows[0].tolist()
        return Flow(packets, content, first_ns or None, last_ns or None)

    def reset(self) -> None:
        """Forget everything that passed."""
        for mapped in (self._data, self._trains, self._probes):
            mapped.rows.view(np.uint8)[:] = 0

    def close(self) -> None:
        """Take the program away. What it counted is gone."""
        for mapped in (self._data, self._trains, self._probes):
            mapped.close()
        bpf.detach(self._network, self._host, PORT, self._way)
        shutil.rmtree(self._loaded.pins, ignore_errors=True)


class Tap(_Counter):
    """On a replica's ingress, before IP: an arrival counts whatever the host's sockets do."""

    def __init__(self, network: Network, replica: LabReplica) -> None:
        """Raises `LabError` if the kernel refuses the program."""
        super().__init__(network, replica.host, "arrived", "ingress")
        self.replica = replica

    def train(self, number: int) -> NDArray[np.int64]:
        """Arrival of each packet of a train [ns], by sequence; 0: it has not arrived."""
        rows = self._trains.rows
        return np.where(rows["train"] == number, rows["ns"], 0).astype(np.int64)

    def probes(self, count: int) -> NDArray[np.int64]:
        """Arrival of the first ``count`` probes [ns], by sequence; 0: it has not arrived."""
        return self._probes.rows["ns"][:count].astype(np.int64)

    def duplicates(self) -> int:
        """Probes that came more than once, each further copy counted."""
        copies = self._probes.rows["copies"].astype(np.int64)
        return int(np.maximum(copies - 1, 0).sum())


class Source(_Counter):
    """On the origin's egress: what was sent, repairs included."""

    def __init__(self, network: Network, origin: LabOrigin) -> None:
        """Raises `LabError` if the kernel refuses the program."""
        super().__init__(network, origin.host, "sent", "egress")
