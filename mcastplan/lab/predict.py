"""What a push in the lab should show: `compare` and `fail` on the scaled scenario, one push alone.

Nothing here comes from the run that it is set beside: the scenario is scaled, stage constants are
those of the calibration, on another topology. Multicast schemes carry UFTP (52 B above the payload,
95 % of the planned rate), pulls are TCP. ``ready`` is UFTP's or HTTP's last byte, then hashing and
loading. Not modelled: UFTP's own time between files, contention for the host's processor by
anything but replicas.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mcastplan.converge.episode import play
from mcastplan.converge.igp import LinkState
from mcastplan.converge.timeline import scheme_timeline
from mcastplan.converge.transport import UFTP_RATE_SHARE, pass_rates
from mcastplan.errors import InfeasibleError, UsageError
from mcastplan.evaluate.push import run
from mcastplan.evaluate.scheme import cold_start
from mcastplan.evaluate.wire import payload_bytes
from mcastplan.lab.calm import Calm, run_calm
from mcastplan.lab.control import WATCH_S, Packets, control
from mcastplan.lab.spec import LabPush, LabSpec
from mcastplan.lab.traffic import Hit, arc_bytes
from mcastplan.model.cloud import EngineProfile
from mcastplan.model.failure import Failure
from mcastplan.model.measurement import ArcBytes, Calibration, Predicted, PredictedCloud
from mcastplan.model.scenario import Scenario
from mcastplan.model.timeline import CloudTimeline
from mcastplan.model.timers import TIMER_ROWS
from mcastplan.model.topology import Arc

# What separates the first byte from the last one at a replica, of the stages of a cold start.
_ARRIVING = ("transfer", "repair", "fan_out")


def predict(
    spec: LabSpec,
    push: LabPush,
    scheme: str,
    calibration: Calibration,
    failure: Failure | None = None,
    probe: bool = False,
) -> Predicted:
    """One push under one scheme. ``failure`` has its instants in seconds after the push's start;
    ``probe``: the probe that measures outages runs beside the data.

    Raises `InfeasibleError` where a limit rules the scheme out, `UsageError` for a calibration
    with a timer that there is not.
    """
    replicas = sum(len(site.replicas) for site in spec.receiving(push))
    scenario = calibrated(spec.scenario, calibration, replicas)
    calm = run_calm(scenario, push.transfer, scheme)
    schemes = spec.scenario.schemes.only or ()
    # Intervals of hellos and BFD are as configured, not as calibrated.
    talk = control(spec.scenario.timers, scheme, v6="sr-p2mp" in schemes)
    if failure is None:
        return _calm(calm, talk, probe)
    return _failing(calm, talk, probe, failure)


def calibrated(scenario: Scenario, calibration: Calibration, replicas: int) -> Scenario:
    """The scenario with the machine's constants: timers, and what a replica does after the last
    byte. All replicas of the lab are on one machine: when they hash and load at once, they share
    its cores. Raises `UsageError` for an unknown timer."""
    fields = {row.key: row.field for row in TIMER_ROWS}
    for key in calibration.timers:
        if key not in fields:
            raise UsageError(
                f"calibration of {calibration.date}: no timer {key!r}; calibrate again"
            )
    share = min(1.0, calibration.machine.cores / replicas)
    engine = EngineProfile(
        "calibrated",
        verify_bps=share * calibration.verify_bps,
        load_bps=share * calibration.load_bps,
    )
    return msgspec.structs.replace(
        scenario,
        timers=msgspec.structs.replace(
            scenario.timers, **{fields[key]: value for key, value in calibration.timers.items()}
        ),
        clouds=tuple(
            msgspec.structs.replace(cloud, engine=engine, provision_s=0.0)
            for cloud in scenario.clouds
        ),
    )


def _calm(calm: Calm, talk: Packets, probe: bool) -> Predicted:
    clouds = []
    for name, delivery in calm.delivery.clouds.items():
        groups = cold_start(calm.context, calm.kind, calm.planned, name, delivery.pulls)
        clouds.append(
            PredictedCloud(
                name=name,
                transfer_s=max(
                    sum(getattr(group.stages, stage) for stage in _ARRIVING) for group in groups
                ),
                ready_s=max(group.ready_s for group in groups),
                outage_s=0.0 if probe else None,
            )
        )
    return _predicted(calm, clouds, links=_links(calm, talk, probe, clouds, None))


def _failing(calm: Calm, talk: Packets, probe: bool, failure: Failure) -> Predicted:
    igp = LinkState(calm.context.scenario, calm.context.routes, [failure])
    row = scheme_timeline(calm.context, calm.kind, igp)
    if not row.feasible:
        raise InfeasibleError(f"{row.name} under this failure: {row.reason}")
    timeline = row.transfers[calm.place]
    episode = play(calm.context, calm.installed.scheme, igp, calm.installed.plans)
    clouds = [_cloud(cloud) for cloud in timeline.clouds]
    hit = Hit(episode, timeline)
    ends_s = [failure.at_s + WATCH_S, (failure.up_at_s or 0.0) + WATCH_S]
    return _predicted(
        calm,
        clouds,
        links=_links(calm, talk, probe, clouds, hit, ends_s),
        repaired_bytes=float(timeline.repaired_bytes),
    )


def _links(
    calm: Calm,
    talk: Packets,
    probe: bool,
    clouds: Sequence[PredictedCloud],
    hit: Hit | None,
    ends_s: Sequence[float] = (),
) -> tuple[ArcBytes, ...]:
    """Counters are read from the end of the network's set-up until the last replica is ready and
    every failure has been watched (``ends_s``)."""
    ready = [cloud.ready_s for cloud in clouds if cloud.ready_s is not None]
    terms = calm.planned.setup_terms
    begin_s = sum(terms.values()) - terms.get("announce", 0.0)
    seconds = max(0.0, max([*ready, *ends_s], default=0.0) - begin_s)
    return arc_bytes(calm, talk, seconds, probe=probe, hit=hit)


def _cloud(cloud: CloudTimeline) -> PredictedCloud:
    outage_s = None if cloud.outage_s is None else float(cloud.outage_s)
    return PredictedCloud(cloud.name, _arrived_s(cloud), cloud.ready_s, outage_s)


def _arrived_s(cloud: CloudTimeline) -> float | None:
    if cloud.ready_s is None:
        return None
    return sum(cloud.stages.get(stage, 0.0) for stage in _ARRIVING)


def _predicted(
    calm: Calm,
    clouds: Sequence[PredictedCloud],
    *,
    links: tuple[ArcBytes, ...],
    repaired_bytes: float = 0.0,
) -> Predicted:
    ready = [cloud.ready_s for cloud in clouds if cloud.ready_s is not None]
    arrived = [cloud.transfer_s for cloud in clouds if cloud.transfer_s is not None]
    outages = [cloud.outage_s for cloud in clouds if cloud.outage_s is not None]
    binding = _binding(calm)
    space = calm.context.space
    return Predicted(
        setup_s=sum(calm.planned.setup_terms.values()) if clouds else None,
        transfer_s=max(arrived, default=None),
        ready_s=max(ready, default=None),
        worst_outage_s=max(outages, default=None),
        rate_bps=_rate_bps(calm),
        binding=None if binding is None else space.words(*binding),
        binding_arc=None if binding is None else _arc_name(calm, binding[0]),
        clouds=tuple(clouds),
        links=links,
        repaired_bytes=repaired_bytes,
    )


def _binding(calm: Calm) -> tuple[Arc, int] | None:
    """The arc that the last flow waits for, and its copies."""
    (push,), _ = run(calm.context.space, [calm.planned])
    return push.binding


def _arc_name(calm: Calm, arc: Arc) -> str:
    space = calm.context.space
    if arc < space.core:
        return calm.context.scenario.topology.arc_name(arc)
    source, target, _ = space.ends(arc)
    return f"{source}->{target}"


def _rate_bps(calm: Calm) -> float | None:
    """What the origin of a multicast push sends, IP packets without scheme header: the measured
    ``sent_bps``. Pulls have no such rate."""
    if calm.kind.name == "unicast" or not calm.planned.loads:
        return None
    payload = payload_bytes(calm.context.scenario.mtu, calm.plan)
    (goodput,) = pass_rates(calm.context.space, calm.planned).values()
    return UFTP_RATE_SHARE * goodput * (payload + calm.plan.inner_bytes) / payload
