"""What the sandbox tells the process outside: one JSON object a line.

Python's own JSON, since a result may hold infinity (a rate that is not shaped), which strict JSON
has no word for.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any, Protocol

import msgspec

UP = "up"  # the namespaces exist; nothing has been made in them yet
RESULT = "result"  # data: value
ERROR = "error"  # data: name, message, exit_code (None: a defect), traceback


class Event(msgspec.Struct, frozen=True):
    """``at_ns`` is CLOCK_MONOTONIC, which inside and outside share."""

    kind: str
    at_ns: int
    data: dict[str, Any]


class Emit(Protocol):
    """Tells the process outside; what it is given must be JSON or msgspec Structs."""

    def __call__(self, kind: str, **data: Any) -> None: ...


class Emitter:
    """Writes events to a file descriptor, each in one piece.

    Only one process writes at a time: a line above PIPE_BUF is not atomic.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __call__(self, kind: str, **data: Any) -> None:
        line = memoryview(encode(Event(kind, time.monotonic_ns(), data)))
        while line:
            line = line[os.write(self._fd, line) :]


def encode(value: object) -> bytes:
    """``value`` as one line of JSON; Structs become objects, paths become text.

    Raises TypeError for what JSON cannot hold.
    """
    builtins = msgspec.to_builtins(value, enc_hook=_path)
    return json.dumps(builtins, ensure_ascii=True).encode() + b"\n"


def decode(line: bytes) -> Event:
    """The event of a line. Raises msgspec.ValidationError or ValueError for anything else."""
    return msgspec.convert(json.loads(line), Event)


def _path(value: object) -> str:
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")
