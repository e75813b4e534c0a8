"""``python -m benchmarks [PART ...]``: print each budget, what was measured, and PASS or MISS.

A miss does not fail the run: machines differ, and a person reads the ratios.
"""

from __future__ import annotations

import argparse
import importlib
import platform

from benchmarks.budget import Report

# Whole processes first, while nothing large is loaded beside them.
PARTS = ("startup", "whole", "files", "trees", "loads", "bier", "curve", "sweep")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help=", ".join(PARTS))
    chosen = parser.parse_args().part or PARTS
    report = Report()
    print(f"Python {platform.python_version()}, {platform.machine()}")
    for part in PARTS:
        if part in chosen:
            try:
                importlib.import_module(f"benchmarks.{part}").measure(report)
            except Exception as error:  # one broken part must not hide the others
                report.failed(part, f"{type(error).__name__}: {error}")
    print(f"\n{report.lines - len(report.missed)} of {report.lines} budgets met")
    for what in report.missed:
        print(f"  missed: {what}")


if __name__ == "__main__":
    main()
