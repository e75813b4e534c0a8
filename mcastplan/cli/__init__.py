"""The command line: a command loads, makes one pure call and renders.

`main` is the entry point. click is imported by `mcastplan.cli.app`, rich only inside the functions
that print, everything that computes only inside a command's body: ``mcastplan --help`` is instant.
"""

from __future__ import annotations

import sys
from typing import NoReturn

INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command in ``sys.argv`` and leave with its exit code."""
    try:
        from mcastplan.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)
