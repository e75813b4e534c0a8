"""``python -m benchmarks [PART ...]``: print each budget, what was measured, and PASS or MISS.

A miss does not fail the run: machines differ, and a person reads the ratios. Parts of the lab need
root and run only if named; ``lab`` is all of them, ``outage`` all whose names begin with it.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import sys

from benchmarks.budget import Report

# Whole processes first, while nothing large is loaded beside them.
PARTS = ("startup", "whole", "files", "trees", "loads", "bier", "curve", "sweep")

LAB_PARTS = (
    *("start", "forwarding", "fidelity-diamond", "fidelity-abilene"),
    *("outage-diamond-carrier", "outage-diamond-silent"),
    *("outage-abilene-carrier", "outage-abilene-silent"),
)
GROUPS = {"lab": LAB_PARTS} | {
    name: tuple(part for part in LAB_PARTS if part.startswith(name))
    for name in ("fidelity", "outage", "outage-diamond", "outage-abilene")
}


def main() -> int:
    """130 after Ctrl-C, else 0."""
    names = (*PARTS, *GROUPS, *LAB_PARTS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("part", nargs="*", choices=[*names, []], help=", ".join(names))
    parser.add_argument(
        "--repeat",
        type=_positive,
        default=5,
        help="the lab's runs in a median (default: %(default)s)",
    )
    given = parser.parse_args()
    chosen = {one for name in given.part or PARTS for one in GROUPS.get(name, (name,))}
    report = Report()
    print(f"Python {platform.python_version()}, {platform.machine()}", flush=True)
    code = 0
    for part in (*PARTS, *LAB_PARTS):
        if part in chosen:
            try:
                _measure(report, part, given.repeat)
            except KeyboardInterrupt:
                code = 130
                break
            except Exception as error:  # one broken part must not hide the others
                report.failed(part, f"{type(error).__name__}: {error}")
    print(f"\n{report.lines - len(report.missed)} of {report.lines} budgets met")
    for what in report.missed:
        print(f"  missed: {what}")
    return code


def _measure(report: Report, part: str, repeat: int) -> None:
    if part in LAB_PARTS:
        importlib.import_module("benchmarks.lab").measure(report, part, repeat)
    else:
        importlib.import_module(f"benchmarks.{part}").measure(report)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


if __name__ == "__main__":
    sys.exit(main())
