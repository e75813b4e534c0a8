"""Whole processes: how long, how much memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import NamedTuple

WATCH = Path(__file__).with_name("watch.py")


class Run(NamedTuple):
    wall_s: float
    peak_bytes: int
    exit_code: int
    said: str  # last line on stderr


def run(*command: str) -> Run:
    result = subprocess.run(
        [sys.executable, "-I", "-S", str(WATCH), *command],
        check=True,
        capture_output=True,
        text=True,
    )
    return Run(**json.loads(result.stdout))


def python(*arguments: str, rounds: int) -> Run:
    """Median time and largest peak of several runs of this interpreter; the first failure wins."""
    runs = []
    for _ in range(rounds):
        one = run(sys.executable, *arguments)
        if one.exit_code:
            return one
        runs.append(one)
    return Run(median(r.wall_s for r in runs), max(r.peak_bytes for r in runs), 0, "")
