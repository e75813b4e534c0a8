"""Runs the command in this process under guard: output kept, files watched, waiting ended."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from mcastplan.cli import app

HANG_S = 20  # a case takes milliseconds; this only ends one that never would

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = frozenset(
    {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod"}
)
_NEVER = ("subprocess.", "socket.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "ctypes.")
_seen: list[tuple[str, str]] | None = None  # what the audit hook saw, while it is asked to look


class Hang(BaseException):
    """Not an `Exception`: the command must not turn it into an answer."""


class Answer(NamedTuple):
    code: int
    out: str
    err: str
    touched: list[tuple[str, str]]  # (event, path) of every file changed, and forbidden deeds


def _audit(event: str, args: tuple[object, ...]) -> None:
    if _seen is None:
        return
    if event == "open":
        path, _, flags = args
        if isinstance(flags, int) and flags & _WRITING and not isinstance(path, int):
            _seen.append((event, os.path.realpath(os.fsdecode(str(path)))))
    elif event in _CHANGES:
        _seen.extend((event, os.path.realpath(str(arg))) for arg in args if isinstance(arg, str))
    elif event.startswith(_NEVER):
        _seen.append((event, ""))


def install() -> None:
    """An audit hook cannot be removed; it sleeps outside `guarded`."""
    if not getattr(sys, "_mcastplan_audit", False):
        sys.addaudithook(_audit)
        sys._mcastplan_audit = True  # type: ignore[attr-defined]


def _ring(number: int, frame: FrameType | None) -> None:
    raise Hang


@contextmanager
def _alarm() -> Iterator[None]:
    old = signal.signal(signal.SIGALRM, _ring)
    signal.alarm(HANG_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def guarded(args: list[str]) -> Answer:
    """Run one command line. Raises `Hang` after `HANG_S`."""
    global _seen
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    cached, sys.dont_write_bytecode = (
        sys.dont_write_bytecode,
        True,
    )  # of what is imported first here
    _seen = []
    try:
        with _alarm():
            code = app.run(args)
        touched = _seen
    finally:
        _seen = None
        sys.stdout, sys.stderr = streams
        sys.dont_write_bytecode = cached
    out.flush()
    assert isinstance(out.buffer, io.BytesIO)
    return Answer(code, out.buffer.getvalue().decode(), err.getvalue(), touched)


def outside(answer: Answer, folder: Path) -> list[tuple[str, str]]:
    """What was touched outside ``folder``."""
    home = os.path.realpath(folder)
    return [
        (event, path)
        for event, path in answer.touched
        if not (path == home or path.startswith(home + os.sep)) and path != os.devnull
    ]
