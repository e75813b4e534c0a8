"""The work of one replica, inside its namespace: fetch or receive, verify, load, and tell when.

A worker process. ``load: streamed`` runs the three stages side by side, shard by shard; ``after``
hashes every shard once all are here, then loads all. A shard that is not what the manifest says
ends it.
"""

from __future__ import annotations

import mmap
import queue
import re
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from safetensors import safe_open

from mcastlab import pull, uftp
from mcastlab.shards import Manifest, Shard, sha256
from mcastlab.tap import Tap
from mcastlab.workers import Channel
from mcastplan.lab.spec import LabPush, LabReplica

Transport = Literal["http", "uftp"]

_RESULT = re.compile(r"RESULT;[^;]*;[^;]*;[^;]*;([^;]*);[^;]*;(\w+)")
_ENDED = re.compile(r"Transfer timed out|Transfer aborted by server.*")


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """Request the model now."""


class Prepared(msgspec.Struct, frozen=True, tag="prepared"):
    """It can be told to begin."""


class Requested(msgspec.Struct, frozen=True, tag="requested"):
    at_ns: int


class Arrived(msgspec.Struct, frozen=True, tag="arrived"):
    """A shard is complete; first and last byte of it (UFTP: of the push so far)."""

    shard: str
    first_ns: int
    last_ns: int


class Verified(msgspec.Struct, frozen=True, tag="verified"):
    shard: str
    at_ns: int


class Loaded(msgspec.Struct, frozen=True, tag="loaded"):
    shard: str
    at_ns: int


class Corrupt(msgspec.Struct, frozen=True, tag="corrupt"):
    """The shard is not what the manifest says."""

    shard: str
    at_ns: int
    why: str


class GaveUp(msgspec.Struct, frozen=True, tag="gave-up"):
    """The transport ended before every shard was here."""

    at_ns: int
    why: str


Event = Prepared | Requested | Arrived | Verified | Loaded | Corrupt | GaveUp


@dataclass(frozen=True)
class Fetch:
    """What the worker needs to know. ``received`` is memory shared with the engine."""

    push: LabPush
    replica: LabReplica
    manifest: Manifest
    folder: Path
    transport: Transport
    tap: Tap
    received: mmap.mmap


class _EndedError(Exception):
    """The transport ended: ``args[0]`` says why."""


class _ShardError(Exception):
    """A shard is not what it should be: shard, why."""


def run(channel: Channel[Begin], fetch: Fetch) -> None:
    """The worker's whole life: ends when the engine ends it."""
    if fetch.transport == "uftp":
        daemon = _daemon(fetch)
        channel.send(Prepared())
        channel.receive()
        channel.send(Requested(time.monotonic_ns()))
        arrivals = _uftp(daemon, fetch)
    else:
        channel.send(Prepared())
        channel.receive()
        channel.send(Requested(time.monotonic_ns()))
        arrivals = _http(fetch)
    try:
        stages = _streamed if fetch.push.load == "streamed" else _after
        stages(channel, fetch, _told(channel, arrivals))
    except _EndedError as ended:
        channel.send(GaveUp(time.monotonic_ns(), str(ended)))
    except _ShardError as bad:
        channel.send(Corrupt(bad.args[0], time.monotonic_ns(), bad.args[1]))
    # uftpd still has to confirm the last file, and its end would be told to the sender as an abort.
    channel.receive()


def _told(channel: Channel[Begin], arrivals: Iterator[pull.Pulled]) -> Iterator[Shard]:
    for each in arrivals:
        channel.send(Arrived(each.shard.name, each.first_ns, each.last_ns))
        yield each.shard


def _after(channel: Channel[Begin], fetch: Fetch, arrivals: Iterator[Shard]) -> None:
    shards = list(arrivals)
    for shard in shards:
        _verify(channel, fetch, shard)
    for shard in shards:
        _load(channel, fetch, shard)


def _streamed(channel: Channel[Begin], fetch: Fetch, arrivals: Iterator[Shard]) -> None:
    """Three stages at once: receive, verify, load; each takes the shards in order."""
    here: queue.SimpleQueue[Shard | Exception | None] = queue.SimpleQueue()
    checked: queue.SimpleQueue[Shard | Exception | None] = queue.SimpleQueue()

    def receive() -> None:
        try:
            for shard in arrivals:
                here.put(shard)
            here.put(None)
        except Exception as error:
            here.put(error)

    def verify() -> None:
        try:
            for shard in _taken(here):
                _verify(channel, fetch, shard)
                checked.put(shard)
            checked.put(None)
        except Exception as error:
            checked.put(error)

    for stage in (receive, verify):
        threading.Thread(target=stage, daemon=True).start()
    for shard in _taken(checked):
        _load(channel, fetch, shard)


def _taken(items: queue.SimpleQueue[Shard | Exception | None]) -> Iterator[Shard]:
    while (item := items.get()) is not None:
        if isinstance(item, Exception):
            raise item
        yield item


def _verify(channel: Channel[Begin], fetch: Fetch, shard: Shard) -> None:
    path = fetch.folder / shard.name
    size_bytes = path.stat().st_size
    if size_bytes != shard.size_bytes:
        raise _ShardError(shard.name, f"{size_bytes} B, should be {shard.size_bytes}")
    found = sha256(path)
    if found != shard.sha256:
        raise _ShardError(shard.name, f"SHA-256 {found[:16]}..., should be {shard.sha256[:16]}...")
    channel.send(Verified(shard.name, time.monotonic_ns()))


def _load(channel: Channel[Begin], fetch: Fetch, shard: Shard) -> None:
    expected = {name for name, file in fetch.manifest.weight_map.items() if file == shard.name}
    names = read_tensors(fetch.folder / shard.name)
    if names != expected:
        raise _ShardError(shard.name, f"tensors {sorted(names ^ expected)} differ from the index")
    channel.send(Loaded(shard.name, time.monotonic_ns()))


def read_tensors(path: Path) -> set[str]:
    """Every tensor of the file into memory of its own; their names."""
    with safe_open(path, framework="numpy") as file:
        names = set(file.keys())
        for name in sorted(names):
            file.get_tensor(name)
    return names


def _http(fetch: Fetch) -> Iterator[pull.Pulled]:
    total = 0

    def received(count: int) -> None:
        nonlocal total
        total += count
        struct.pack_into("=Q", fetch.received, 0, total)

    address = fetch.push.origin.address
    return pull.pull(address, fetch.manifest, fetch.folder, received)


def _daemon(fetch: Fetch) -> subprocess.Popen[bytes]:
    """``uftpd``, listening."""
    servers = fetch.folder / "servers"
    argv = uftp.receiver_argv(fetch.push, fetch.replica.address, fetch.folder, servers)
    daemon = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=uftp.prepare,
    )
    uftp.wait_listening(daemon, fetch.push)
    return daemon


def _uftp(daemon: subprocess.Popen[bytes], fetch: Fetch) -> Iterator[pull.Pulled]:
    shards = {shard.name: shard for shard in fetch.manifest.shards}
    assert daemon.stderr is not None
    for content in daemon.stderr:
        line = content.decode(errors="replace")
        if match := _RESULT.search(line):
            if match[2] not in ("copied", "overwritten"):
                raise _EndedError(f"{match[1]}: {match[2]}")
            # Read before the sender can start a further pass, which may be for others.
            data = fetch.tap.data()
            yield pull.Pulled(shards.pop(match[1]), data.first_ns or 0, data.last_ns or 0)
            if not shards:
                return
        elif match := _ENDED.search(line):
            raise _EndedError(match[0])
    raise _EndedError(f"uftpd ended ({daemon.wait()})")
