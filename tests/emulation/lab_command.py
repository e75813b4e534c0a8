"""`mcastplan lab run` as a process, as a user has it, and what its result must show.

Predictions here use what this machine was calibrated with if it was, else made-up constants: a
calibration takes a minute, and nothing that these tests demand depends on one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import jsonschema
import msgspec

from mcastlab import calibrate
from mcastlab.machine import machine
from mcastplan.model.measurement import ArcBytes, Measurement, Run
from mcastplan.report.saved import decode
from mcastplan.scenario import schemas
from tests.emulation.sandboxed import need_lab
from tests.measurements import CALIBRATION

MCASTPLAN = str(Path(sys.executable).with_name("mcastplan"))
LEAST_BYTES = 1e6  # links that carry less are not compared
CLOSE = 0.03
PACKET, PAYLOAD = 1538, 1350  # on the wire, and the least of a model's bytes in it
RUN_BUDGET_S = 400.0  # only to end a command that hangs
SEVERAL_RUNS_S = 900  # the limit of a test, likewise


def environment(folder: Path) -> dict[str, str]:
    """With a state folder of the test's own."""
    known = calibrate.stored() or msgspec.structs.replace(CALIBRATION, machine=machine())
    kept = calibrate._Kept(calibrate.VERSION, known)
    state = folder / "mcastplan" / "calibration.json"
    if not state.exists():
        state.parent.mkdir()
        state.write_bytes(msgspec.json.encode(kept))
    return {**os.environ, "XDG_STATE_HOME": str(folder)}


class Done(msgspec.Struct, frozen=True):
    """``result`` None: no file was written."""

    code: int
    out: str
    err: str
    result: Measurement | None


def lab_run(
    folder: Path, scenario: str, *options: str, command: Sequence[str] = (MCASTPLAN,)
) -> Done:
    """``lab run`` with its result as a file in the folder; shown if the test fails."""
    need_lab()
    file = folder / "result.json"
    started_s = time.monotonic()
    done = subprocess.run(
        (*command, "lab", "run", scenario, *options, "--json", str(file)),
        capture_output=True,
        text=True,
        env=environment(folder),
        timeout=RUN_BUDGET_S,
        check=False,
    )
    took_s = time.monotonic() - started_s
    sys.stdout.write(f"lab run {' '.join(options)}: {took_s:.1f} s {done.stderr}\n")
    return Done(done.returncode, done.stdout, done.stderr, read(file))


def read(file: Path) -> Measurement | None:
    """A saved result, which must fit the published schema."""
    if not file.exists():
        return None
    data = file.read_bytes()
    schema = schemas()["mcastplan.measurement/1"]
    jsonschema.Draft202012Validator(schema).validate(msgspec.json.decode(data))
    result = decode(data, str(file))
    assert isinstance(result, Measurement)
    show(result)
    return result


def show(result: Measurement) -> None:
    """Times are for people: a busy machine is no reason to fail."""
    for run in result.runs:
        what = [f"{run.scheme} {run.attempt}:"]
        for name in ("setup_s", "transfer_s", "ready_s", "worst_outage_s"):
            was, said = getattr(run.measured, name), getattr(run.predicted, name)
            if was is not None and said:
                what.append(f"{name} {was:.3f}, predicted {said:.3f} ({was / said - 1:+.1%})")
        sys.stdout.write("  ".join((*what, *run.invalid)) + "\n")


def counted(result: Measurement) -> dict[str, Run]:
    """Of each scheme the run that counts. Where the machine was too busy for any: one in which at
    least no router took a neighbour for dead."""
    found: dict[str, Run] = {}
    for run in result.runs:
        known = found.get(run.scheme)
        if known is None or _doubt(run) < _doubt(known):
            found[run.scheme] = run
    return found


def _doubt(run: Run) -> tuple[bool, int]:
    return bool(run.invalid), run.measured.bfd_flaps


def not_ready(result: Measurement) -> list[tuple[str, str, int, str]]:
    """Ready means: the hash of every shard is the manifest's, and all tensors are in memory."""
    return [
        (run.scheme, each.cloud, each.index, each.status)
        for run in result.runs
        for each in run.measured.replicas
        if each.status != "ready"
        or not (each.first_byte_s or 1e9) <= (each.last_byte_s or 0.0)
        or not (each.last_byte_s or 1e9) <= (each.verified_s or 0.0) <= (each.ready_s or 0.0)
    ]


def wrong_tables(result: Measurement) -> list[str]:
    return [
        f"{run.scheme} {table.node} {table.what}: {table.found} instead of {table.expected}"
        for run in result.runs
        for table in run.measured.tables
        if not table.same
    ]


def wrong_bytes(run: Run) -> Iterator[str]:
    """Arcs whose bytes are not the predicted ones. A prediction has no packet lost; each that was
    sent again may have crossed any arc."""
    again = run.measured.repaired_bytes * PACKET / PAYLOAD
    measured, predicted = arcs(run.measured.links), arcs(run.predicted.links)
    for arc in sorted(measured.keys() | predicted.keys()):
        found, said = measured.get(arc, 0.0), predicted.get(arc, 0.0)
        if max(found, said) > LEAST_BYTES and not (
            said * (1 - CLOSE) <= found <= said * (1 + CLOSE) + again
        ):
            yield f"{run.scheme} {arc}: {found:.0f} B instead of {said:.0f} B"


def arcs(rows: Sequence[ArcBytes]) -> dict[str, float]:
    return {f"{row.source}->{row.target} {row.link or ''}": row.wire_bytes for row in rows}
