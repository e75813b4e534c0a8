"""The command line: a command loads, makes one pure call and renders.

`main` is the entry point. click is imported by `mcastplan.cli.app`, rich only inside the functions
that print, everything that computes only inside a command's body: ``mcastplan --help`` is instant.
"""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command in ``sys.argv`` and leave with its exit code."""
    try:
        heed_signals()
        from mcastplan.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
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
