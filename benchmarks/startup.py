"""Import and start-up times, each in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from benchmarks.budget import Report
from benchmarks.process import python

ROUNDS = 7
IMPORTS = {
    "import mcastplan": 60,
    "from mcastplan import compare, Topology": 120,
}  # budgets [ms]
HELP_MS = 150


def measure(report: Report) -> None:
    report.section(f"Start-up, median of {ROUNDS} fresh interpreters")
    for statement, budget_ms in IMPORTS.items():
        seconds = _import_s(statement)
        if seconds is None:
            report.failed(statement, "fails")
        else:
            report.line(statement, seconds * 1e3, budget_ms, "ms")
    shown = python("-m", "mcastplan", "--help", rounds=ROUNDS)
    if shown.exit_code:
        report.failed("mcastplan --help", shown.said)
    else:
        report.line("mcastplan --help (whole process)", shown.wall_s * 1e3, HELP_MS, "ms")


def _import_s(statement: str) -> float | None:
    """Seconds of the statement alone, without the interpreter's own start."""
    program = (
        f"import time; start = time.perf_counter(); {statement}; print(time.perf_counter() - start)"
    )
    times = []
    for _ in range(ROUNDS):
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        if result.returncode:
            return None
        times.append(float(result.stdout))
    return median(times)
