"""Run a function of these tests in a sandbox of its own, as the lab runs its engine.

::

    out = in_sandbox("bier_jobs:forward_golden", {"bsl": 64})

calls ``tests.emulation.bier_jobs.forward_golden({"bsl": 64})`` as root in fresh namespaces and
returns what it returned, through JSON. What it raises is raised here, with its traceback. A
function whose first parameter is called ``emit`` is given that, before the arguments.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from mcastlab import doctor
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
    function = getattr(importlib.import_module(f"tests.emulation.{module}"), name)
    first = next(iter(inspect.signature(function).parameters), None)
    result: object = function(*([emit] if first == "emit" else []), *job["args"])
    return result


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
        return "the lab's tests need root"
    examined = doctor.examine()
    return None if examined.fit else doctor.refusal(examined)
