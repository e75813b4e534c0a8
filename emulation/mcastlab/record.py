"""Which labs run on this machine: one file each, ``/run/mcastlab/ID.json``, on the host.

A record names processes by id and start time, so it can never mean another process that got the
same id later. It is written before the lab makes anything and removed when the lab is gone. All
that a lab makes lives in its namespaces and ends with their first process, so these processes are
all that `clean` may ever have to end.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mcastlab.errors import LabError

FOLDER = Path("/run/mcastlab")
SCHEMA = "mcastplan.lab/1"
KILL_BUDGET_S = 20.0  # from SIGKILL until the kernel has ended a whole namespace on a busy machine

_counter = itertools.count(1)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STATE, _PARENT, _START = 0, 1, 19  # fields of /proc/PID/stat, counted from the one after ")"


class Process(msgspec.Struct, frozen=True):
    """``start_ticks``: when it started, in clock ticks since boot."""

    pid: int
    start_ticks: int

    def alive(self) -> bool:
        return process(self.pid) == self


class Record(msgspec.Struct, frozen=True):
    """One lab. ``owner`` is the command that runs it, ``processes`` are what it started outside
    of its PID namespace and that namespace's first one; they end when the owner does."""

    schema: str
    id: str
    boot_id: str
    what: str
    owner: Process
    processes: tuple[Process, ...] = ()

    @property
    def running(self) -> bool:
        """Whether the command that made it is still there."""
        return self.boot_id == _boot_id() and self.owner.alive()


class Cleaned(msgspec.Struct, frozen=True):
    """What `clean` removed, and the labs that it left alone, a line each."""

    removed: tuple[str, ...]
    running: tuple[str, ...]


def process(pid: int) -> Process | None:
    """The process that has this id now; None when there is none, or only its exit status."""
    fields = _stat(pid)
    if fields is None or fields[_STATE] in "ZX":
        return None
    return Process(pid, int(fields[_START]))


def child(pid: int) -> Process | None:
    """The first child of a process that still runs."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields is not None and int(fields[_PARENT]) == pid and fields[_STATE] not in "ZX":
                return Process(int(entry.name), int(fields[_START]))
    return None


def new(what: str) -> Record:
    """A record of this process, written. Raises LabError when its place cannot be had."""
    owner = process(os.getpid())
    assert owner is not None
    name = f"{owner.pid}-{owner.start_ticks}-{next(_counter)}"
    record = Record(SCHEMA, name, _boot_id(), what, owner)
    write(record)
    return record


def write(record: Record) -> None:
    """In one piece: a reader sees the old one, the new one or none."""
    try:
        while True:
            with contextlib.suppress(FileExistsError):  # not exist_ok: that looks twice
                FOLDER.mkdir(mode=0o755)
            with contextlib.suppress(FileNotFoundError):  # another lab removed the empty folder
                _check_owner()
                _write(record)
                return
    except OSError as error:
        raise LabError(f"{FOLDER}: {error.strerror}: the lab must keep its record there") from None


def remove(record: Record) -> None:
    """Take the record away, and the folder when it was the last. Missing ones are no error."""
    for name in (_file(record), _draft(record)):
        name.unlink(missing_ok=True)
    _remove_empty_folder()


def records() -> tuple[Record, ...]:
    """Every record there is, by id; files that are none are passed over."""
    try:
        files = sorted(FOLDER.glob("*.json"))
        return tuple(record for file in files if (record := _read(file)) is not None)
    except OSError as error:
        raise LabError(f"{FOLDER}: {error.strerror}: run this as root") from None


def live() -> tuple[Record, ...]:
    """The labs whose command still runs."""
    return tuple(record for record in records() if record.running)


def clean() -> Cleaned:
    """End and forget every lab whose command is gone; a lab that runs is left alone.

    Processes are ended only where id and start time are the record's. Raises LabError when this may
    not be done here, or a process does not end.
    """
    removed, running = [], []
    try:
        for record in records():
            if record.running:
                running.append(f"lab {record.id} ({record.what}), process {record.owner.pid}")
                continue
            if record.boot_id == _boot_id():
                ended = [each.pid for each in reversed(record.processes) if end(each)]
                removed += [f"process {pid} of lab {record.id}" for pid in ended]
            remove(record)
            removed.append(f"record of lab {record.id} ({record.what})")
        removed += [f"unfinished record {name}" for name in _stale_drafts()]
        _remove_empty_folder()
    except PermissionError as error:
        raise LabError(f"{error.filename}: {error.strerror}: run this as root") from None
    return Cleaned(tuple(removed), tuple(running))


def end(target: Process) -> bool:
    """Kill exactly this process and wait until it is gone; whether it was there.

    The first process of a PID namespace is gone only after all others in it. Raises LabError when
    that takes longer than `KILL_BUDGET_S`.
    """
    try:
        handle = os.pidfd_open(target.pid)
    except ProcessLookupError:
        return False
    except PermissionError:
        raise LabError(f"process {target.pid}: not permitted: run this as root") from None
    try:
        if not target.alive():  # checked behind the handle, which cannot change its process
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        gone, _, _ = select.select((handle,), (), (), KILL_BUDGET_S)
    except ProcessLookupError:
        return False
    except PermissionError:
        raise LabError(f"process {target.pid}: not permitted: run this as root") from None
    finally:
        os.close(handle)
    if not gone:
        raise LabError(
            f"process {target.pid} was killed and has not ended in {KILL_BUDGET_S:g} s:"
            " run `mcastplan lab clean` again later"
        )
    return True


# --- files ----------------------------------------------------------------------------------------


def _file(record: Record) -> Path:
    return FOLDER / f"{record.id}.json"


def _draft(record: Record) -> Path:
    return FOLDER / f"{record.id}.new"


def _write(record: Record) -> None:
    draft = _draft(record)
    with draft.open("wb") as stream:
        stream.write(msgspec.json.encode(record))
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(_file(record))


def _read(file: Path) -> Record | None:
    try:
        record = msgspec.json.decode(file.read_bytes(), type=Record)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return record if record.schema == SCHEMA and file == _file(record) else None


def _stale_drafts() -> Iterator[str]:
    """Removes the drafts of commands that are gone."""
    for file in sorted(FOLDER.glob("*.new")):
        pid, _, rest = file.stem.partition("-")
        ticks = rest.partition("-")[0]
        if pid.isdigit() and ticks.isdigit() and not Process(int(pid), int(ticks)).alive():
            file.unlink(missing_ok=True)
            yield file.name


def _remove_empty_folder() -> None:
    with contextlib.suppress(OSError):  # others are in it, or it is gone
        FOLDER.rmdir()


def _check_owner() -> None:
    if FOLDER.is_symlink() or FOLDER.stat().st_uid != os.geteuid():
        raise LabError(f"{FOLDER} belongs to another user: remove it as root")


def _boot_id() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip()


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
