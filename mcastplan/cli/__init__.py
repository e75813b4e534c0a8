"""The command line: a command loads, makes one pure call and renders.

`main` is the entry point. click is imported by `mcastplan.cli.app`, rich only inside the functions
that print, everything that computes only inside a command's body: ``mcastplan --help`` is instant.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn

INTERRUPTED, TERMINATED = 130, 143  # 128 + the signal, as a shell says it


class Terminated(KeyboardInterrupt):
    """SIGTERM: what Ctrl-C would clean up and write is cleaned up and written."""


def main() -> NoReturn:
    """Run the command in ``sys.argv`` and leave with its exit code."""
    try:
        heed_signals()
        terminate_cleanly()
        from mcastplan.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt as end:
        code, _ = how_ended(end)
    sys.exit(code)


def heed_signals() -> None:
    """Ctrl-C and SIGTERM end a command even where whoever started it ignored them: a script with
    `&`, some CI runners. An ignored SIGHUP stays ignored: that is what nohup is for."""
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGTERM, signal.SIG_DFL),
    ):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


def terminate_cleanly() -> None:
    """SIGTERM ends a command as Ctrl-C does, but for the exit code and the word for it."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        raise Terminated

    signal.signal(signal.SIGTERM, leave)


def how_ended(end: KeyboardInterrupt) -> tuple[int, str]:
    """(exit code, the word for it)."""
    if isinstance(end, Terminated):
        return TERMINATED, "terminated"
    return INTERRUPTED, "interrupted"
