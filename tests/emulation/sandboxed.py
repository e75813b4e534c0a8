"""Run a function of these tests in a sandbox of its own, as the lab runs its engine.

::

    out = in_sandbox("bier_jobs:forward_golden", {"bsl": 64})

calls ``tests.emulation.bier_jobs.forward_golden({"bsl": 64})`` as root in fresh namespaces and
returns what it returned, through JSON. What it raises is raised here, with its traceback.
"""

from __future__ import annotations

import functools
import importlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from mcastlab.events import Emit
from mcastlab.sandbox import Sandbox

ROOT = Path(__file__).parents[2]


def in_sandbox(function: str, *args: Any) -> Any:
    """The function's result; skips, under CI=true fails, where the lab cannot be."""
    need_lab()
    job = {"function": function, "args": args}
    name = "tests.emulation.sandboxed:call"
    with Sandbox(name, job, what=f"test {function}", path=(ROOT,)) as sandbox:
        for event in sandbox.events():
            sys.stdout.write(f"{event.kind} {event.data}\n")  # pytest shows it if the test fails
        return sandbox.result


def call(job: dict[str, Any], emit: Emit) -> object:
    """In the sandbox: what `in_sandbox` asked for."""
    module, _, name = job["function"].partition(":")
    return getattr(importlib.import_module(f"tests.emulation.{module}"), name)(*job["args"])


def need_lab() -> None:
    """Skip this test, under CI=true fail it, if the machine lacks what every lab needs."""
    lacks = lacking()
    if lacks is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(lacks)
        pytest.skip(lacks)


@functools.cache
def lacking() -> str | None:
    """One line: what this machine lacks."""
    if os.geteuid() != 0:
        return "the lab needs root"
    missing = [tool for tool in ("unshare", "setpriv", "ip") if shutil.which(tool) is None]
    return f"the lab needs {', '.join(missing)}" if missing else None
