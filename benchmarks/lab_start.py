"""From nothing to a converged network: seconds, and memory of all that runs then (as root).

Daemons are those of all five schemes: zebra, ospfd, ospf6d, pimd, bfdd on every router. Time goes
from before the sandbox until every router's kernel has the planner's routes; the lab's check of
every link's rate, which comes in between, is included. Memory is the proportional set size of all
processes, this one too: daemons, a shell for each host, the engine.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from benchmarks.budget import Report
from mcastlab import job
from mcastlab.errors import LabError
from mcastlab.events import Emit
from mcastlab.experiment import LAB_SCHEMES, standing
from mcastlab.sandbox import Sandbox
from mcastplan.lab.build import build
from mcastplan.scenario import load_scenario
from mcastplan.units import show_time

GB, NANO = 1e9, 1e9
BUDGETS_S = {"lab-abilene": 20.0, "lab-nobel-eu": 45.0}
AT_MOST_GB = 2.5
GONE = (ProcessLookupError, FileNotFoundError)  # a process that ended meanwhile
_PSS = re.compile(r"^Pss: +(\d+) kB", re.MULTILINE)


def measure(report: Report) -> None:
    report.section("Up and converged, daemons of all schemes")
    for scenario, budget_s in BUDGETS_S.items():
        try:
            _one(report, scenario, budget_s)
        except LabError as error:  # the other can still start
            report.failed(scenario, str(error))


def _one(report: Report, scenario: str, budget_s: float) -> None:
    spec = build(load_scenario(f"builtin:{scenario}"))
    asked = job.packed(job.Job(spec=spec, pushes=(), push_s=0.0))
    root = Path(__file__).parents[1]
    began = time.monotonic()
    with Sandbox(f"{__name__}:inside", asked, what=scenario, path=(root,)) as sandbox:
        for event in sandbox.events():
            up = job.unpacked(event.data["up"], job.Up)
            wall_s = event.at_ns / NANO - began
        pss = _pss_bytes(os.getpid()) + sandbox.result
    name = f"{scenario}, {len(spec.routers)} routers"
    report.line(f"{name}: up and converged", wall_s, budget_s, "s")
    report.note(
        f"made in {show_time(up.built_s)}, converged {show_time(up.converged_s)} after the daemons'"
        f" start; daemons {up.memory_bytes / GB:.2f} GB"
    )
    report.line(f"{name}: memory", pss / GB, AT_MOST_GB, "GB")


def inside(asked: str, emit: Emit) -> int:
    """In the sandbox: an event when the network stands, then the bytes of all that runs."""

    def tell(event: job.Event) -> None:
        if isinstance(event, job.Up):
            emit("converged", up=job.packed(event))

    schemes = {kind.name for kind in LAB_SCHEMES}
    with standing(job.unpacked(asked, job.Job).spec, schemes, tell):
        # Of this sandbox: /proc shows its processes and no others.
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return sum(map(_pss_bytes, pids))


def _pss_bytes(pid: int) -> int:
    """Zero for a process that has ended."""
    try:
        return 1024 * sum(map(int, _PSS.findall(Path(f"/proc/{pid}/smaps_rollup").read_text())))
    except GONE:
        return 0
