"""Where a command's answer goes: standard output, a file, one line on stderr.

A file appears complete or not at all. A reader that closes the pipe early is no error.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import click

from mcastplan.errors import UsageError

# Where a group of commands keeps, in click's `Context.meta`, which of them runs: for messages.
SUBCOMMAND = "mcastplan.subcommand"
STDOUT = "-"

json_option: Callable[[Any], Any] = click.option(
    "--json",
    "json_target",
    metavar="-|FILE",
    help="The result as JSON: - prints it instead of the tables, FILE is written as well.",
)


def plain(text: str) -> str:
    """Text from a file or an exception, safe to print: one line, no control characters."""
    return "".join(
        char if char.isprintable() else " " if char.isspace() else f"\\x{ord(char):02x}"
        for char in text
    )


def complain(name: str, message: str) -> None:
    """One line on stderr."""
    line = " ".join(plain(message).split())
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(f"{name}: {line}\n")
        sys.stderr.flush()


def silence_stdout() -> None:
    """After a broken pipe: what is still buffered goes nowhere, and exit says nothing."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def emit(data: bytes | str) -> None:
    """Write to standard output, all of it, now."""
    stream = sys.stdout
    if stream is None:  # closed by the caller
        return
    if isinstance(data, str):
        data = data.encode(stream.encoding or "utf-8", "backslashreplace")
    try:
        stream.flush()
        stream.buffer.write(data)
        stream.buffer.flush()
    except BrokenPipeError:
        silence_stdout()
    except OSError as error:
        silence_stdout()
        raise UsageError(f"standard output cannot be written: {error.strerror}") from None


def check_target(target: str | None, source: str | None = None, option: str = "--json") -> None:
    """Refuse, before anything is computed, a file that cannot be written. Raises `UsageError`."""
    if target is None or target == STDOUT:
        return
    path = Path(target)
    try:
        if not target or path.is_dir():
            raise UsageError(f"{option} {target or repr(target)}: not a file name")
        if not path.parent.is_dir():
            raise UsageError(f"{option} {target}: there is no folder {path.parent}; make it first")
        with contextlib.suppress(FileNotFoundError):
            path.stat()  # a name too long, a loop of links
        if source and path.exists() and Path(source).exists() and path.samefile(source):
            raise UsageError(f"{option} {target}: this is the file that is read; name another one")
        if not os.access(path if _is_special(path) else path.resolve().parent, os.W_OK):
            raise UsageError(f"{option} {target}: its folder cannot be written; name another one")
    except (OSError, ValueError) as error:
        raise UsageError(f"{option} {target}: {_reason(error)}") from None


def write_file(target: str, data: bytes, option: str = "--json") -> None:
    """Write beside the target, then rename: complete or not at all. Raises `UsageError`."""
    path = Path(target)
    try:
        if _is_special(path):
            with path.open("wb") as stream:
                stream.write(data)
            return
        path = path.resolve()
        beside = path.with_name(f".{path.name[:100]}.{os.urandom(4).hex()}.tmp")
        try:
            with beside.open("xb") as stream:
                stream.write(data)
                if path.exists():
                    os.fchmod(stream.fileno(), stat.S_IMODE(path.stat().st_mode))
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except BrokenPipeError:
        return
    except OSError as error:
        raise UsageError(f"{option} {target}: cannot be written: {_reason(error)}") from None


def _is_special(path: Path) -> bool:
    """A pipe, a terminal, /dev/null: written in place, never replaced."""
    return path.exists() and not path.is_file()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def deliver(
    result: object,
    target: str | None,
    view: Callable[[], str],
    *files: tuple[str, str, bytes],
) -> None:
    """Print ``result`` as JSON, or its view; then write it, and ``files``: (target, option, data).
    The path of a JSON file is the last line.

    What was computed is printed first, and whatever can be written is, before the first failure is
    raised: no hour of computing is lost for a full disk. Raises `UsageError`.
    """
    from mcastplan.report.json import render

    data = render(result)
    steps = [lambda: emit(data if target == STDOUT else view())]
    steps += [partial(write_file, name, content, option) for name, option, content in files]
    if target is not None and target != STDOUT:
        steps.append(partial(_write_and_say, target, data))
    try_all(steps)


def _write_and_say(target: str, data: bytes) -> None:
    write_file(target, data)
    emit(f"{plain(target)}\n")


def try_all(steps: Iterable[Callable[[], object]]) -> None:
    """Take each step, whatever becomes of the others. Raises the first `UsageError` of them."""
    failed: UsageError | None = None
    for step in steps:
        try:
            step()
        except UsageError as error:
            failed = failed or error
    if failed is not None:
        raise failed


def same_place(one: str | None, other: str | None) -> bool:
    """Whether two targets are one file, however each is spelled."""
    if one is None or other is None or STDOUT in (one, other):
        return one is not None and one == other
    return Path(one).resolve() == Path(other).resolve()
