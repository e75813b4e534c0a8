"""One `lab run` from outside the sandbox: predict, have it measured, put both in one result."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from mcastlab import calibrate, doctor, job, shaping
from mcastlab.machine import machine
from mcastlab.plans import Asked, Plan, instants_of, longest_s, plan_of
from mcastlab.sandbox import run_job
from mcastplan.errors import EnvironmentLacksError, UsageError
from mcastplan.lab.build import build
from mcastplan.lab.spec import LabSpec
from mcastplan.model.measurement import Calibration, Lab, Measurement, Run
from mcastplan.model.scenario import Scenario
from mcastplan.schemes import SCHEMES
from mcastplan.study.beside import summaries
from mcastplan.units import show_rate, show_size

SCHEMA = "mcastplan.measurement/1"
# A push may take this many times its prediction, and this much more, before it is ended.
PATIENCE, PATIENCE_S = 3.0, 30.0
MEMORY_SHARE = 0.5  # of the machine's, for files; daemons and page caches take the rest
LEAST_BPS = 1e6  # a train of 60 packets then takes 0.7 s, and there are a dozen
# File systems that the sandbox mounts over the machine's (`mcastlab.inside`).
PRIVATE = (Path("/run"), Path("/sys"), Path("/proc"), Path("/etc/frr"), Path("/var/tmp/frr"))  # noqa: S108

Watch = Callable[[job.Event], None]


def measure(scenario: Scenario, asked: Asked, watch: Watch) -> Measurement:
    """Build, push and measure. Ctrl-C ends it early with what was measured so far.

    Raises `EnvironmentLacksError` where the machine lacks something, `UsageError` for what the lab
    cannot run.
    """
    # What was asked comes first: its faults show on any machine, and at once.
    schemes = _schemes(scenario, asked.schemes)
    spec = _built(scenario, asked, schemes, netem=False)
    instants = instants_of(scenario, asked)
    examined = doctor.examine()
    if not examined.fit:
        raise EnvironmentLacksError(doctor.refusal(examined))
    if examined.netem:
        spec = _built(scenario, asked, schemes, netem=True)
    pcap = None if asked.pcap is None else _made(asked.pcap)
    constants = calibrate.calibrated(watch, anew=asked.calibrate)
    plans = [
        plan_of(spec, push, scheme, constants, asked, instants)
        for scheme in schemes
        for push in spec.pushes
    ]
    slowest_s = max(longest_s(each, asked, spec) for each in plans)
    whole = job.Job(
        spec=spec,
        pushes=tuple(each.push for each in plans),
        push_s=PATIENCE * slowest_s + PATIENCE_S,
        pcap=pcap,
    )
    up: job.Up | None = None
    ran: list[job.Ran] = []
    interrupted = False
    try:
        with closing(run_job("mcastlab.experiment:main", whole)) as events:
            for event in events:
                watch(event)
                if isinstance(event, job.Up):
                    up = event
                elif isinstance(event, job.Ran):
                    ran.append(event)
    except KeyboardInterrupt:
        if not ran:
            raise
        interrupted = True
    finally:
        if whole.pcap is not None:
            _discard(spec, Path(whole.pcap))
    assert up is not None  # the sandbox raises before it ends without it
    return _measurement(scenario, spec, constants, plans, up, ran, interrupted)


def all_ready(result: Measurement) -> bool:
    """Whether every replica got ready in every run that counts, in all of them where none does."""
    return all(
        replica.status == "ready"
        for each in summaries(result)
        for run in each.runs or each.invalid
        for replica in run.measured.replicas
    )


def _schemes(scenario: Scenario, names: tuple[str, ...]) -> tuple[str, ...]:
    known = tuple(kind.name for kind in SCHEMES)
    for name in names:
        if name not in known:
            raise UsageError(f"no scheme {name!r}; there are {', '.join(known)}")
    wanted = names or scenario.schemes.only or known
    return tuple(name for name in known if name in wanted)


def _built(scenario: Scenario, asked: Asked, schemes: tuple[str, ...], *, netem: bool) -> LabSpec:
    """Raises `UsageError` naming the option or the part of the scenario."""
    if not 0 < asked.rate_scale <= 1:
        raise UsageError(f"--rate-scale {asked.rate_scale:g}: write more than 0 and at most 1")
    if not 0 < asked.seconds < math.inf:
        raise UsageError(f"--seconds {asked.seconds:g}: write a time of more than 0")
    spec = build(
        scenario,
        rate_scale=asked.rate_scale,
        seconds=asked.seconds,
        netem=netem,
        schemes=schemes,
    )
    for port in shaping.shaped_ports(spec):
        shaping.check(port, spec.mtu)
        if port.rate_bps < LEAST_BPS:
            raise UsageError(
                f"link {port.link}: {show_rate(port.rate_bps)} is under {show_rate(LEAST_BPS)},"
                " below which the search for a rate takes minutes; raise --rate-scale"
            )
    # The model and what each replica receives are files in memory.
    needed = max(
        push.size_bytes * (1 + sum(len(site.replicas) for site in spec.receiving(push)))
        for push in spec.pushes
    )
    memory = machine().memory_bytes
    if needed > MEMORY_SHARE * memory:
        raise UsageError(
            f"--seconds {asked.seconds:g}: the model and its copies would take {show_size(needed)}"
            f" of the {show_size(memory)} of memory here; write fewer seconds"
        )
    return spec


def _made(folder: str) -> str:
    """The folder's full path; it is made out here, since the lab has some places of its own."""
    path = Path(folder).resolve()
    for place in PRIVATE:
        if path in (place, Path("/var/tmp")) or place in path.parents:  # noqa: S108
            raise UsageError(
                f"--pcap {folder}: the lab has a {place} of its own, which goes with it; name"
                " another folder"
            )
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--pcap {folder}: cannot be made: {error.strerror}") from None
    return str(path)


def _discard(spec: LabSpec, folder: Path) -> None:
    """Captures that were cut short with the sandbox; whole ones have another name by then."""
    from mcastlab import capture  # noqa: PLC0415 - it needs Mininet, and doctor comes first

    capture.discard(spec, folder)


def _measurement(
    scenario: Scenario,
    spec: LabSpec,
    constants: Calibration,
    plans: list[Plan],
    up: job.Up,
    ran: list[job.Ran],
    interrupted: bool,
) -> Measurement:
    plan = {(each.push.scheme, each.push.transfer): each for each in plans}
    runs = []
    for each in ran:
        own = plan[each.push.scheme, each.push.transfer]
        runs.append(
            Run(
                scheme=each.push.scheme,
                transfer=each.push.transfer,
                attempt=each.attempt,
                invalid=each.invalid,
                failure=own.row,
                measured=each.measured,
                predicted=own.predicted,
            )
        )
    return Measurement(
        schema=SCHEMA,
        scenario=scenario.name,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=machine(),
        calibration=constants,
        lab=Lab(
            rate_scale=spec.rate_scale,
            size_scale=spec.size_scale,
            mtu=spec.mtu,
            routers=len(spec.routers),
            links=len(spec.scenario.topology.links),
            replicas=sum(len(site.replicas) for site in spec.sites),
            size_bytes=max(push.size_bytes for push in spec.pushes),
            shards=max(push.shards for push in spec.pushes),
            converged_s=up.built_s + up.converged_s,
            worst_link_error=up.worst_link_error,
            netem=spec.netem,
        ),
        assumptions=spec.scenario.assumptions,
        runs=tuple(runs),
        interrupted=interrupted,
    )
