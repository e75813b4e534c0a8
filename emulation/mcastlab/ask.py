"""One `lab run` from outside the sandbox: predict, have it measured, put both in one result."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec

from mcastlab import calibrate, doctor, job, shaping
from mcastlab.machine import machine
from mcastlab.sandbox import run_job
from mcastplan.converge.failures import failure_rows
from mcastplan.converge.transport import UFTP_RATE_SHARE
from mcastplan.errors import EnvironmentLacksError, ScenarioError, UnitError, UsageError
from mcastplan.evaluate.wire import payload_bytes
from mcastplan.lab.build import build
from mcastplan.lab.calm import run_calm
from mcastplan.lab.control import PROBE_PPS, PROBE_S, probe_bytes, watched_s
from mcastplan.lab.predict import predict
from mcastplan.lab.spec import LabPush, LabSpec
from mcastplan.model.failure import Failure
from mcastplan.model.measurement import Calibration, Lab, Measurement, Predicted, Run
from mcastplan.model.scenario import Scenario
from mcastplan.model.timeline import FailureRow
from mcastplan.scenario.failing import failures_of
from mcastplan.schemes import SCHEMES
from mcastplan.study.beside import summaries
from mcastplan.units import BITS_PER_BYTE, parse_time, show_rate, show_size, show_time

SCHEMA = "mcastplan.measurement/1"
DEFAULT_SHARE = 40.0  # of the predicted transfer, where --fail names no instant
# A push may take this many times its prediction, and this much more, before it is ended.
PATIENCE, PATIENCE_S = 3.0, 30.0
MEMORY_SHARE = 0.5  # of the machine's, for files; daemons and page caches take the rest
# File systems that the sandbox mounts over the machine's (`mcastlab.inside`).
PRIVATE = (Path("/run"), Path("/sys"), Path("/proc"), Path("/etc/frr"), Path("/var/tmp/frr"))  # noqa: S108

Watch = Callable[[job.Event], None]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `lab run`, as the user gave them."""

    schemes: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    up: str | None = None
    silent: bool = False
    repeat: int = 1
    rate_scale: float = 1e-3
    seconds: float = 20.0
    pcap: str | None = None
    calibrate: bool = False


class _Plan(msgspec.Struct, frozen=True):
    """One push under one scheme: what is done, and what should come of it."""

    push: job.Push
    row: FailureRow | None
    predicted: Predicted


def measure(scenario: Scenario, asked: Asked, watch: Watch) -> Measurement:
    """Build, push and measure. Ctrl-C ends it early with what was measured so far.

    Raises `EnvironmentLacksError` where the machine lacks something, `UsageError` for what the lab
    cannot run.
    """
    # What was asked comes first: its faults show on any machine, and at once.
    schemes = _schemes(scenario, asked.schemes)
    spec = _built(scenario, asked, schemes, netem=False)
    instants = _instants(scenario, asked)
    examined = doctor.examine()
    if not examined.fit:
        raise EnvironmentLacksError(doctor.refusal(examined))
    if examined.netem:
        spec = _built(scenario, asked, schemes, netem=True)
    constants = calibrate.calibrated(watch, anew=asked.calibrate)
    plans = [
        _plan(spec, push, scheme, constants, asked, instants)
        for scheme in schemes
        for push in spec.pushes
    ]
    slowest_s = max(_longest_s(each, asked, spec) for each in plans)
    whole = job.Job(
        spec=spec,
        pushes=tuple(each.push for each in plans),
        push_s=PATIENCE * slowest_s + PATIENCE_S,
        pcap=None if asked.pcap is None else _made(asked.pcap),
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


def _longest_s(plan: _Plan, asked: Asked, spec: LabSpec) -> float:
    """A push's transfer as predicted, or until its failure has been watched."""
    transfers = [each.transfer_s for each in plan.predicted.clouds if each.transfer_s is not None]
    known_s = max(transfers, default=asked.seconds)
    return max(known_s, _watched_s(spec, plan.push.fault) if plan.push.fault is not None else 0.0)


def _watched_s(spec: LabSpec, fault: job.Fault) -> float:
    return watched_s(spec.scenario.timers, fault.at_s, fault.up_at_s, silent=fault.silent)


def _made(folder: str) -> str:
    """The folder's full path; it is made out here, since the lab has some places of its own."""
    path = Path(folder).resolve()
    for place in PRIVATE:
        if path == place or place in path.parents:
            raise UsageError(
                f"--pcap {folder}: the lab has a {place} of its own, which goes with it; name"
                " another folder"
            )
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--pcap {folder}: cannot be made: {error.strerror}") from None
    return str(path)


class _Instant(msgspec.Struct, frozen=True):
    """``A,B@5s`` or ``A,B@40%``: one of the two is set."""

    link: str
    at_s: float | None
    share: float | None


def _instants(scenario: Scenario, asked: Asked) -> tuple[_Instant, ...]:
    """When which link fails. Raises `UsageError` or `ScenarioError`."""
    found = tuple(map(_instant, asked.links))
    if not found:
        if asked.up is not None or asked.silent:
            raise UsageError("nothing fails; name a link with --fail")
        return ()
    if len({(each.at_s, each.share) for each in found}) > 1:
        raise UsageError("--fail: all links fail at one instant; give each the same, or none")
    _failure(scenario, found, found[0].at_s or 0.0, asked)  # shares are known later
    return found


def _instant(text: str) -> _Instant:
    link, _, when = text.rpartition("@") if "@" in text else (text, "", f"{DEFAULT_SHARE:g}%")
    if not link:
        raise UsageError(f"--fail {text}: no link; write A,B@5s, A,B@40% or a link's id")
    if not when.endswith("%"):
        return _Instant(link, _time(when, f"--fail {text}"), None)
    try:
        share = float(when[:-1])
    except ValueError:
        share = -1.0
    if not 0 <= share <= 100:
        raise UsageError(f"--fail {text}: {when!r} is no share of the transfer; write 0% to 100%")
    return _Instant(link, None, share / 100)


def _time(text: str, what: str) -> float:
    try:
        return parse_time(text)
    except UnitError as error:
        raise UsageError(f"{what}: {error}") from None


def _discard(spec: LabSpec, folder: Path) -> None:
    """Captures that were cut short with the sandbox; whole ones have another name by then."""
    from mcastlab import capture  # noqa: PLC0415 - it needs Mininet, and doctor comes first

    capture.discard(spec, folder)


def _plan(
    spec: LabSpec,
    push: LabPush,
    scheme: str,
    constants: Calibration,
    asked: Asked,
    instants: tuple[_Instant, ...],
) -> _Plan:
    """Shares of the transfer are of the predicted one, so that the plan knows the instant too."""
    calm = predict(spec, push, scheme, constants)
    payload = payload_bytes(spec.mtu, run_calm(spec.scenario, push.transfer, scheme).plan)
    if not instants:
        return _Plan(job.Push(scheme, push.transfer, payload, None, asked.repeat), None, calm)
    first = instants[0]
    if first.at_s is not None:
        at_s = first.at_s
    else:
        assert first.share is not None
        at_s = (calm.setup_s or 0.0) + first.share * (calm.transfer_s or 0.0)
    failure = _failure(spec.scenario, instants, at_s, asked)
    fault = job.Fault(failure.links, failure.at_s, failure.up_at_s, asked.silent)
    _check_probe(spec, fault, scheme, calm.setup_s or 0.0)
    return _Plan(
        job.Push(scheme, push.transfer, payload, fault, asked.repeat),
        failure_rows(spec.scenario, [failure])[0],
        predict(spec, push, scheme, constants, failure, probe=True),
    )


def _check_probe(spec: LabSpec, fault: job.Fault, scheme: str, setup_s: float) -> None:
    """Raises `UsageError` for a failure that the probe would not see, or see nothing else."""
    if fault.at_s < setup_s:
        raise UsageError(
            f"--fail: links fail once the push is set up, under {scheme} after"
            f" {show_time(setup_s)}, not after {show_time(fault.at_s)}; write a later time, or 0%"
        )
    if _watched_s(spec, fault) > PROBE_S:
        raise UsageError(
            f"--fail: outages are measured in the first {PROBE_S:g} s of a push, this would take"
            f" {show_time(_watched_s(spec, fault))}; write an earlier time or fewer --seconds"
        )
    # Beside UFTP, which leaves a share of each link.
    least_bps = PROBE_PPS * probe_bytes() * BITS_PER_BYTE / (1 - UFTP_RATE_SHARE)
    narrowest = min(shaping.shaped_ports(spec), key=lambda port: port.rate_bps)
    if narrowest.rate_bps < least_bps:
        raise UsageError(
            f"--fail: the probe that measures outages needs {show_rate(least_bps)} on every link,"
            f" not {show_rate(narrowest.rate_bps)} as on {narrowest.link}; raise --rate-scale"
        )


def _failure(
    scenario: Scenario, instants: tuple[_Instant, ...], at_s: float, asked: Asked
) -> Failure:
    try:
        [failure] = failures_of(scenario, [each.link for each in instants], silent=asked.silent)
    except ScenarioError as error:
        raise ScenarioError(error.what, "--fail") from None
    up_at_s = None if asked.up is None else _time(asked.up, f"--up {asked.up}")
    if up_at_s is not None and up_at_s <= at_s:
        raise UsageError(f"--up {asked.up}: the link fails only {at_s:.3g} s after the start")
    return msgspec.structs.replace(failure, at_s=at_s, up_at_s=up_at_s)


def _measurement(
    scenario: Scenario,
    spec: LabSpec,
    constants: Calibration,
    plans: list[_Plan],
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
