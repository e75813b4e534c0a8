"""What a `lab run` does: each push under each scheme, its failure, and what should come of it.

Everything here is known before the run, from the scenario, the calibration and the options.
"""

from __future__ import annotations

import msgspec

from mcastlab import job, shaping
from mcastplan.converge.failures import failure_rows
from mcastplan.converge.transport import UFTP_RATE_SHARE
from mcastplan.errors import ScenarioError, UnitError, UsageError
from mcastplan.evaluate.wire import payload_bytes
from mcastplan.lab.calm import run_calm
from mcastplan.lab.control import PROBE_PPS, PROBE_S, probe_bytes, watched_s
from mcastplan.lab.predict import predict
from mcastplan.lab.spec import LabPush, LabSpec
from mcastplan.model.failure import Failure
from mcastplan.model.measurement import Calibration, Predicted
from mcastplan.model.scenario import Scenario
from mcastplan.model.timeline import FailureRow
from mcastplan.scenario.failing import failures_of
from mcastplan.units import BITS_PER_BYTE, parse_time, show_rate, show_time

DEFAULT_SHARE = 40.0  # of the predicted transfer, where --fail names no instant


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


class Plan(msgspec.Struct, frozen=True):
    """One push under one scheme: what is done, and what should come of it."""

    push: job.Push
    row: FailureRow | None
    predicted: Predicted


class Instant(msgspec.Struct, frozen=True):
    """``A,B@5s`` or ``A,B@40%``: one of the two is set."""

    link: str
    at_s: float | None
    share: float | None


def instants_of(scenario: Scenario, asked: Asked) -> tuple[Instant, ...]:
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


def _instant(text: str) -> Instant:
    link, _, when = text.rpartition("@") if "@" in text else (text, "", f"{DEFAULT_SHARE:g}%")
    if not link:
        raise UsageError(f"--fail {text}: no link; write A,B@5s, A,B@40% or a link's id")
    if not when.endswith("%"):
        return Instant(link, _time(when, f"--fail {text}"), None)
    try:
        share = float(when[:-1])
    except ValueError:
        share = -1.0
    if not 0 <= share <= 100:
        raise UsageError(f"--fail {text}: {when!r} is no share of the transfer; write 0% to 100%")
    return Instant(link, None, share / 100)


def _time(text: str, what: str) -> float:
    try:
        return parse_time(text)
    except UnitError as error:
        raise UsageError(f"{what}: {error}") from None


def plan_of(
    spec: LabSpec,
    push: LabPush,
    scheme: str,
    constants: Calibration,
    asked: Asked,
    instants: tuple[Instant, ...],
) -> Plan:
    """Shares of the transfer are of the predicted one, so that the plan knows the instant too."""
    calm = predict(spec, push, scheme, constants)
    payload = payload_bytes(spec.mtu, run_calm(spec.scenario, push.transfer, scheme).plan)
    if not instants:
        return Plan(job.Push(scheme, push.transfer, payload, None, asked.repeat), None, calm)
    first = instants[0]
    if first.at_s is not None:
        at_s = first.at_s
    else:
        assert first.share is not None
        at_s = (calm.setup_s or 0.0) + first.share * (calm.transfer_s or 0.0)
    failure = _failure(spec.scenario, instants, at_s, asked)
    fault = job.Fault(failure.links, failure.at_s, failure.up_at_s, asked.silent)
    _check_probe(spec, fault, scheme, calm.setup_s or 0.0)
    return Plan(
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
    scenario: Scenario, instants: tuple[Instant, ...], at_s: float, asked: Asked
) -> Failure:
    try:
        [failure] = failures_of(scenario, [each.link for each in instants], silent=asked.silent)
    except ScenarioError as error:
        raise ScenarioError(error.what, "--fail") from None
    up_at_s = None if asked.up is None else _time(asked.up, f"--up {asked.up}")
    if up_at_s is not None and up_at_s <= at_s:
        raise UsageError(f"--up {asked.up}: the link fails only {at_s:.3g} s after the start")
    return msgspec.structs.replace(failure, at_s=at_s, up_at_s=up_at_s)


def longest_s(plan: Plan, asked: Asked, spec: LabSpec) -> float:
    """A push's transfer as predicted, or until its failure has been watched."""
    transfers = [each.transfer_s for each in plan.predicted.clouds if each.transfer_s is not None]
    known_s = max(transfers, default=asked.seconds)
    return max(known_s, _watched_s(spec, plan.push.fault) if plan.push.fault is not None else 0.0)


def _watched_s(spec: LabSpec, fault: job.Fault) -> float:
    return watched_s(spec.scenario.timers, fault.at_s, fault.up_at_s, silent=fault.silent)
