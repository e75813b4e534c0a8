"""A command with one lab, to be killed: ``python -m tests.emulation.outer FUNCTION ARGS``.

Tells each event as a JSON line; the first has the process ids.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from mcastlab.errors import LabError
from mcastlab.sandbox import Sandbox
from tests.emulation.sandboxed import ROOT


def tell(kind: str, **data: Any) -> None:
    sys.stdout.write(json.dumps({"kind": kind, **data}) + "\n")
    sys.stdout.flush()


def main(function: str, args: str) -> int:
    job = {"function": function, "args": json.loads(args)}
    name = "tests.emulation.sandboxed:call"
    try:
        with Sandbox(name, job, what=f"outer {function}", path=(ROOT,)) as sandbox:
            unshare, init = sandbox.pids
            tell("pids", unshare=unshare, init=init)
            for event in sandbox.events():
                tell(event.kind, **event.data)
            tell("end", result=sandbox.result)
    except KeyboardInterrupt:
        return 130
    except LabError as error:
        tell("lab-error", message=str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
