"""``python -m mcastplan compare SCENARIO --json FILE`` as a user runs it: time and peak memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.budget import Report
from benchmarks.instances import write_scenario
from benchmarks.process import python

MB = 1e6
ROUNDS = 3
DEMO = "builtin:global-inference"
DEMO_BUDGET = (2.0, 250.0)  # [s], [MB]
# Nodes, clouds: [s], [MB].
BUDGETS: dict[tuple[int, int], tuple[float, float | None]] = {
    (1_000, 100): (0.8, None),
    (10_000, 1_000): (8.0, 1000.0),
}


def measure(report: Report) -> None:
    report.section(f"Whole process: compare, median time and largest peak of {ROUNDS}")
    with tempfile.TemporaryDirectory(prefix="mcastplan-bench-") as name:
        folder = Path(name)
        _one(report, DEMO, DEMO, folder, *DEMO_BUDGET)
        for (nodes, clouds), (budget_s, budget_mb) in BUDGETS.items():
            path = write_scenario(folder, nodes, clouds)
            _one(
                report,
                f"{nodes:,} nodes, {clouds:,} clouds",
                str(path),
                folder,
                budget_s,
                budget_mb,
            )


def _one(
    report: Report, what: str, scenario: str, folder: Path, budget_s: float, budget_mb: float | None
) -> None:
    found = python(
        "-m", "mcastplan", "compare", scenario, "--json", str(folder / "out.json"), rounds=ROUNDS
    )
    if found.exit_code:
        report.failed(what, f"exit {found.exit_code}: {found.said}")
        return
    report.line(f"{what}: time", found.wall_s, budget_s, "s")
    if budget_mb is None:
        report.note(f"{what}: peak {found.peak_bytes / MB:.0f} MB")
    else:
        report.line(f"{what}: peak", found.peak_bytes / MB, budget_mb, "MB")
