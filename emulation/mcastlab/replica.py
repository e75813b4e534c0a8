"""One GPU server's cold start: request, first byte, last byte, verified, loaded, ready.

A worker in the replica's namespace fetches (HTTP) or lets ``uftpd`` receive (UFTP), hashes every
shard and reads every tensor of it into memory. ``load: streamed`` does that shard by shard while
later ones arrive; ``after`` hashes all once all are there, then loads all. A shard with a wrong
hash ends it: `corrupt`, with the file's name, and it is never ready.

First and last byte are those of file content: of a pull when they are read from the socket, of
UFTP when they pass the replica's tap. Not modelled: a GPU; "loaded" is in the host's memory.
"""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mcastlab.receiver import (
    Arrived,
    Begin,
    Corrupt,
    Event,
    Fetch,
    GaveUp,
    Loaded,
    Prepared,
    Requested,
    Transport,
    Verified,
    run,
)
from mcastlab.shards import Manifest
from mcastlab.tap import Tap
from mcastlab.workers import Worker, poll
from mcastplan.lab.spec import LabPush, LabReplica
from mcastplan.model.measurement import ReplicaStatus

if TYPE_CHECKING:
    from mcastlab.network import Network

Stage = Literal["waiting", "receiving", "verifying", "loading", "ready", "corrupt", "gave-up"]


class Replica:
    """The engine's view of one replica; `Worker` events go through `take`.

    Instants are None until they have happened. ``arrived``, ``verified`` and ``loaded`` give the
    instant of each shard.
    """

    def __init__(
        self,
        network: Network,
        push: LabPush,
        replica: LabReplica,
        manifest: Manifest,
        folder: Path,
        *,
        transport: Transport,
        tap: Tap,
    ) -> None:
        self._network, self._push, self._manifest = network, push, manifest
        self._folder, self._transport, self._tap = folder, transport, tap
        self.replica = replica
        self.worker: Worker[Event] | None = None
        self._received = mmap.mmap(-1, mmap.PAGESIZE)  # bytes of a pull, counted by the worker
        self.request_ns: int | None = None
        self._first_byte_ns: int | None = None
        self.arrived: dict[str, int] = {}
        self.verified: dict[str, int] = {}
        self.loaded: dict[str, int] = {}
        self.corrupt: Corrupt | None = None
        self.gave_up: GaveUp | None = None

    def start(self) -> None:
        """Fork the worker and wait until it can begin (UFTP: until uftpd listens). The folder
        must be empty or absent."""
        self._folder.mkdir(parents=True, exist_ok=True)
        fetch = Fetch(
            self._push,
            self.replica,
            self._manifest,
            self._folder,
            self._transport,
            self._tap,
            self._received,
        )
        self.worker = Worker(
            self._network,
            self.replica.host,
            f"replica {self.replica.cloud}#{self.replica.index}",
            lambda channel: run(channel, fetch),
            commands=Begin,
            events=Event,
        )

    def wait_prepared(self) -> None:
        """Separate from `start`, so that many prepare at once. Raises `LabError`."""
        assert self.worker is not None
        prepared = self.worker.receive()
        assert isinstance(prepared, Prepared)

    def begin(self) -> None:
        assert self.worker is not None
        self.worker.send(Begin())

    def take(self, event: Event) -> None:
        """Keep what the worker told."""
        match event:
            case Requested(at_ns):
                self.request_ns = at_ns
            case Arrived(shard, first_ns, last_ns):
                self._first_byte_ns = self._first_byte_ns or first_ns
                self.arrived[shard] = last_ns
            case Verified(shard, at_ns):
                self.verified[shard] = at_ns
            case Loaded(shard, at_ns):
                self.loaded[shard] = at_ns
            case Corrupt():
                self.corrupt = event
            case GaveUp():
                self.gave_up = self.gave_up or event

    def give_up(self, why: str) -> None:
        """The sender gave it up: what is not here will not come."""
        if len(self.arrived) < len(self._manifest.shards):
            self.gave_up = self.gave_up or GaveUp(time.monotonic_ns(), why)

    @property
    def first_byte_ns(self) -> int | None:
        """Of UFTP also where no shard is complete."""
        if self._first_byte_ns is None and self._transport == "uftp":
            return self._tap.data().first_ns
        return self._first_byte_ns

    @property
    def last_byte_ns(self) -> int | None:
        return self._all(self.arrived)

    @property
    def verified_ns(self) -> int | None:
        return self._all(self.verified)

    @property
    def loaded_ns(self) -> int | None:
        return self._all(self.loaded)

    @property
    def ready_ns(self) -> int | None:
        """Verified and loaded, all of it."""
        verified, loaded = self.verified_ns, self.loaded_ns
        return None if verified is None or loaded is None else max(verified, loaded)

    @property
    def status(self) -> ReplicaStatus:
        if self.corrupt is not None:
            return "corrupt"
        if self.ready_ns is not None:
            return "ready"
        return "unfinished" if self.gave_up is None else "gave-up"

    @property
    def over(self) -> bool:
        """Nothing more will come of it."""
        return self.status != "unfinished"

    @property
    def why(self) -> str | None:
        """What went wrong, in words that name the file."""
        if self.corrupt is not None:
            return f"{self.corrupt.shard}: {self.corrupt.why}"
        return None if self.gave_up is None else self.gave_up.why

    @property
    def stage(self) -> Stage:
        """Where it is now."""
        status = self.status
        if status != "unfinished":
            return status
        if self.last_byte_ns is not None:
            return "verifying" if self.verified_ns is None else "loading"
        return "receiving" if self.share else "waiting"

    @property
    def share(self) -> float:
        """Of the model's bytes, how much has come; repairs for others count as well."""
        if self.last_byte_ns is not None:
            return 1.0
        if self._transport == "uftp":
            have = self._tap.data().bytes
        else:
            (have,) = struct.unpack_from("=Q", self._received)
        return min(1.0, have / self._manifest.size_bytes)

    def close(self) -> None:
        """End the worker and what it started; remove what it received."""
        if self.worker is not None:
            self.worker.close()
            self.worker = None
        for shard in self._manifest.shards:
            (self._folder / shard.name).unlink(missing_ok=True)

    def _all(self, instants: dict[str, int]) -> int | None:
        complete = len(instants) == len(self._manifest.shards)
        return max(instants.values()) if complete else None


def watch(replicas: list[Replica], timeout_s: float) -> list[tuple[Replica, Event]]:
    """Wait for the next events at most ``timeout_s`` and let each replica take its own.

    Raises `LabError` if a worker failed.
    """
    of = {each.worker: each for each in replicas if each.worker is not None}
    told = []
    for worker, event in poll(list(of), timeout_s):
        of[worker].take(event)
        told.append((of[worker], event))
    return told
