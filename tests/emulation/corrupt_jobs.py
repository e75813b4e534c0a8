"""An experiment whose origin sends other bytes than its manifest says.

As a command, ``python -m tests.emulation.corrupt_jobs ARGS`` is ``mcastplan ARGS`` with `main` in
the place of the lab's own experiment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from pathlib import Path

from mcastlab import ask, experiment, job
from mcastlab.sandbox import run_job
from mcastlab.shards import Manifest, make
from mcastplan.cli import main as mcastplan
from mcastplan.lab.spec import LabPush

FLIPPED = 1  # the shard


def main(whole: job.Job, tell: Callable[[job.Event], None]) -> None:
    """In the sandbox."""
    experiment.make = flipped  # type: ignore[attr-defined]
    experiment.main(whole, tell)


def flipped(folder: Path, push: LabPush) -> Manifest:
    """A bit of a tensor is another one on the disk than it was when the hashes were made."""
    manifest = make(folder, push)
    with (folder / manifest.shards[FLIPPED].name).open("r+b") as file:
        file.seek(-1, 2)
        (byte,) = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([byte ^ 1]))
    return manifest


def run_flipped(function: str, whole: job.Job) -> Generator[job.Event, None, None]:
    assert function == "mcastlab.experiment:main"
    return run_job("tests.emulation.corrupt_jobs:main", whole)


if __name__ == "__main__":
    sys.argv[0] = "mcastplan"
    ask.run_job = run_flipped  # type: ignore[attr-defined]
    mcastplan()
