"""The rows file of a sweep: JSON lines, written as results come in, read again to go on.

The first line says what the rows are of; a file of another question is refused. Which of the
failures are in a sample changes none of its rows: a file takes those of any. A last line that was
torn off in the middle of writing is dropped. One sweep at a time writes a file: its lock is the
kernel's, which ends with the process however that ends.
"""

from __future__ import annotations

import fcntl
import os
from hashlib import blake2b
from pathlib import Path

import msgspec

from mcastplan import __version__
from mcastplan.errors import UsageError
from mcastplan.model.scenario import Scenario
from mcastplan.model.sweep import Row

SCHEMA = "mcastplan.sweep-rows/1"
OPTION = "--rows"


class Header(msgspec.Struct, frozen=True):
    """``scenario``: a hash of everything in it that a row depends on, and of this program's
    version."""

    schema: str
    scenario: str
    failures: str
    transient: bool


def header_of(scenario: Scenario, failures: str, transient: bool) -> Header:
    # Listed failures, prices and words change no row.
    topology = msgspec.structs.replace(scenario.topology, name="", source="", licence="")
    matters = msgspec.structs.replace(
        scenario, name="", topology=topology, failures=(), prices=(), assumptions=(), gaps=()
    )
    data = __version__.encode() + msgspec.msgpack.encode(matters)
    return Header(SCHEMA, blake2b(data, digest_size=16).hexdigest(), failures, transient)


class RowsFile:
    """``done`` are the rows that were there, by failure; ``lost`` is why the last ones are not in
    the file, where it cannot be written any more: the sweep itself is none the worse."""

    def __init__(self, target: str, header: Header) -> None:
        """Raises `UsageError` for a file that is no rows file, or one of another sweep, or one that
        another sweep writes at this moment."""
        self._target = target
        self.lost: str | None = None
        path = Path(target)
        try:
            if path.exists() and not path.is_file():
                raise UsageError(f"{OPTION} {target}: not a file; name another one")
            if not path.parent.is_dir():
                raise UsageError(f"{OPTION} {target}: there is no folder {path.parent}; make it")
            self._stream = path.open("rb+" if path.exists() else "xb+", buffering=0)
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise UsageError(f"{OPTION} {target}: {why}") from None
        try:
            self._lock()
            self.done, self._whole = _read(self._stream.readall(), target, header)
            self._cut()
            if not self._whole:
                self._line(header)
        except OSError as error:
            self._stream.close()
            raise UsageError(f"{OPTION} {target}: {error.strerror}") from None
        except UsageError:
            self._stream.close()
            raise

    def write(self, row: Row) -> None:
        """Append it, while that can be done."""
        if self.lost is None:
            try:
                self._line(row)
            except OSError as error:
                self._lose(f"{error.strerror}")

    def close(self) -> None:
        """Also sees whether the file is still there."""
        try:
            there = Path(self._target).stat()
            if not os.path.samestat(there, os.fstat(self._stream.fileno())):
                self._lose("another file has taken its place")
        except OSError as error:
            self._lose(f"{error.strerror}")
        self._stream.close()

    def _lose(self, why: str) -> None:
        self.lost = self.lost or f"{OPTION} {self._target}: {why}"

    def _lock(self) -> None:
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{OPTION} {self._target}: another sweep is writing this file; wait for its end, or"
                " name another one"
            ) from None
        except OSError as error:
            raise UsageError(
                f"{OPTION} {self._target}: cannot be locked here ({error.strerror}); name a file on"
                " another file system"
            ) from None

    def _line(self, what: Header | Row) -> None:
        """The whole line, or none of it."""
        line = msgspec.json.encode(what) + b"\n"
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[self._stream.write(rest) :]
        except OSError:
            self._cut()
            raise
        self._whole += len(line)

    def _cut(self) -> None:
        """Behind the last whole line."""
        self._stream.truncate(self._whole)
        self._stream.seek(self._whole)


def _read(data: bytes, target: str, header: Header) -> tuple[dict[str, Row], int]:
    """(rows by failure, how many bytes of the file are whole lines)."""
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].splitlines()
    if not lines:
        # Nothing, or a header torn off by an interrupt; anything else is somebody's file.
        if data and not msgspec.json.encode(header).startswith(data):
            raise UsageError(f"{OPTION} {target}: not a rows file of a sweep; name another one")
        return {}, 0
    try:
        there = msgspec.json.decode(lines[0], type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError):
        there = None
    if there is None or there.schema != SCHEMA:
        raise UsageError(f"{OPTION} {target}: not a rows file of a sweep; name another one")
    if there != header:
        raise UsageError(f"{OPTION} {target}: holds {_difference(there, header)}; name another one")
    decoder = msgspec.json.Decoder(Row)
    rows: dict[str, Row] = {}
    for number, line in enumerate(lines[1:], 2):
        try:
            row = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise UsageError(
                f"{OPTION} {target}: line {number} is not a row; name another file"
            ) from None
        rows[row.failure] = row
    return rows, whole


def _difference(there: Header, wanted: Header) -> str:
    if there.scenario != wanted.scenario:
        return "rows of another scenario, or of another version of mcastplan"
    if there.failures != wanted.failures:
        return f"{there.failures!r} failures, not {wanted.failures!r} ones"
    return f"rows with{'' if there.transient else 'out'} --transient"
