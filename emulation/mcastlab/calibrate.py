"""Stage constants of this machine: measured once on a topology of their own, then kept.

They are what a prediction may know of the machine. The topology is `builtin:lab-calibration`, which
no experiment uses; the file says when, where and how often each was measured.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from mcastlab import job
from mcastlab.errors import LabError
from mcastlab.machine import machine, same
from mcastlab.sandbox import run_job
from mcastplan.evaluate.wire import payload_bytes
from mcastplan.lab.build import build
from mcastplan.lab.calm import run_calm
from mcastplan.model.measurement import Calibration
from mcastplan.scenario import load_scenario

TOPOLOGY = "builtin:lab-calibration"
SCHEME = "bier"  # its pushes tell how long UFTP takes to announce one
PUSH_S = 1.0  # the transfer of one, about
# Stage constants change with what the lab's own programs do: raise it when they do.
VERSION = 1


class _Kept(msgspec.Struct, frozen=True):
    version: int
    calibration: Calibration


def path() -> Path:
    """Where it is kept: state that outlives a run, by the XDG rules."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "mcastplan" / "calibration.json"


def stored() -> Calibration | None:
    """What was measured on this machine, with these programs; None if nothing was."""
    try:
        kept = msgspec.json.decode(path().read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None
    if kept.version != VERSION or not same(kept.calibration.machine, machine()):
        return None
    return kept.calibration


def calibrated(watch: Callable[[job.Event], None], *, anew: bool = False) -> Calibration:
    """The stored constants, or measured now (about two minutes) and stored. Raises `LabError`."""
    known = None if anew else stored()
    if known is not None:
        return known
    watch(job.Doing("calibrating: stage constants of this machine, on a topology of its own"))
    spec = build(load_scenario(TOPOLOGY), seconds=PUSH_S)
    (push,) = spec.pushes
    payload = payload_bytes(spec.mtu, run_calm(spec.scenario, push.transfer, SCHEME).plan)
    whole = job.Job(spec=spec, pushes=(job.Push(SCHEME, push.transfer, payload),), push_s=60.0)
    found: job.Constants | None = None
    for event in run_job("mcastlab.calibrating:main", whole):
        watch(event)
        if isinstance(event, job.Constants):
            found = event
    if found is None:
        raise LabError("the calibration ended without a result; run it with --calibrate again")
    calibration = Calibration(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=machine(),
        topology=spec.scenario.name,
        verify_bps=found.verify_bps,
        load_bps=found.load_bps,
        timers=found.timers,
        samples=found.samples,
    )
    _store(calibration)
    return calibration


def _store(calibration: Calibration) -> None:
    """Complete or not at all. A state folder that cannot be written costs two minutes next time."""
    place = path()
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f".{place.name}.{os.getpid()}.tmp")
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(_Kept(VERSION, calibration))))
        beside.replace(place)
