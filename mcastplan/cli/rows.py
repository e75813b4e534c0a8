"""The rows file of a sweep: JSON lines, written as results come in, read again to go on.

The first line says what the rows are of; a file of another question is refused. A last line that
was torn off in the middle of writing is dropped.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path
from typing import IO

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
        scenario, name="", topology=topology, failures=(), prices=(), assumptions=()
    )
    data = __version__.encode() + msgspec.msgpack.encode(matters)
    return Header(SCHEMA, blake2b(data, digest_size=16).hexdigest(), failures, transient)


class RowsFile:
    """``done`` are the rows that were there, by failure."""

    def __init__(self, target: str, header: Header) -> None:
        """Raises `UsageError` for a file that is no rows file, or one of another sweep."""
        self._target = target
        path = Path(target)
        try:
            if path.exists() and not path.is_file():
                raise UsageError(f"{OPTION} {target}: not a file; name another one")
            if not path.parent.is_dir():
                raise UsageError(f"{OPTION} {target}: there is no folder {path.parent}; make it")
            data = path.read_bytes() if path.exists() else b""
            self.done, whole = _read(data, target, header)
            self._stream: IO[bytes] = path.open("r+b" if path.exists() else "x+b")
            self._stream.truncate(whole)
            self._stream.seek(0, os.SEEK_END)
            if not whole:
                self._line(header)
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise UsageError(f"{OPTION} {target}: {why}") from None

    def write(self, row: Row) -> None:
        """Raises `UsageError` where the disk is full."""
        try:
            self._line(row)
        except OSError as error:
            raise UsageError(f"{OPTION} {self._target}: {error.strerror}") from None

    def close(self) -> None:
        self._stream.close()

    def _line(self, what: Header | Row) -> None:
        self._stream.write(msgspec.json.encode(what) + b"\n")
        self._stream.flush()


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
