"""What a push in the lab should show: `compare` and `fail` on the scaled scenario, one push alone.

Nothing here comes from the run that it is set beside: the scenario is scaled, stage constants are
those of the calibration, on another topology. Multicast schemes carry UFTP (52 B above the payload,
95 % of the planned rate), pulls are TCP. ``ready`` is UFTP's or HTTP's last byte, then hashing and
loading. Not modelled: UFTP's own time between files, contention for the host's processor by
anything but replicas.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
from mcastplan.lab.control import Packets, control, watched_s
from mcastplan.lab.spec import LabPush, LabSpec
from mcastplan.lab.traffic import Hit, arc_bytes
from mcastplan.model.cloud import EngineProfile
from mcastplan.model.failure import Failure
from mcastplan.model.measurement import ArcBytes, Calibration, Predicted, PredictedCloud
from mcastplan.model.scenario import Scenario
from mcastplan.model.timeline import CloudTimeline
from mcastplan.model.timers import TIMER_ROWS, Timers
from mcastplan.model.topology import Arc

# A run's trains are sent at this many times the highest rate without loss, to see where they drop.
OVERLOAD = 1.15

# What separates the first byte from the last one at a replica, of the stages of a cold start.
_ARRIVING = ("transfer", "repair", "fan_out")
# Detection and return of a neighbour follow from intervals that the scenario configures.
_TOLD = frozenset({"silent", "adjacency"})
_LAB = Timers.of("lab")


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
    if scheme == "unicast":  # replicas ask by themselves; what was calibrated is UFTP's
        timers = msgspec.structs.replace(scenario.timers, announce_s=0.0)
        scenario = msgspec.structs.replace(scenario, timers=timers)
    calm = run_calm(scenario, push.transfer, scheme)
    schemes = spec.scenario.schemes.only or ()
    # Intervals of hellos and BFD are as configured, not as calibrated.
    talk = control(spec.scenario.timers, scheme, v6="sr-p2mp" in schemes)
    if failure is None:
        return _calm(calm, talk, probe)
    until_s = watched_s(
        spec.scenario.timers, failure.at_s, failure.up_at_s, silent=failure.kind == "silent"
    )
    return _failing(calm, talk, probe, failure, until_s)


def calibrated(scenario: Scenario, calibration: Calibration, replicas: int) -> Scenario:
    """The scenario with the machine's constants: timers, and what a replica does after the last
    byte. All replicas of the lab are on one machine: when they hash and load at once, they share
    its cores. Raises `UsageError` for an unknown timer."""
    timers = _timers(scenario.timers, calibration)
    share = min(1.0, calibration.machine.cores / replicas)
    engine = EngineProfile(
        "calibrated",
        verify_bps=share * calibration.verify_bps,
        load_bps=share * calibration.load_bps,
    )
    return msgspec.structs.replace(
        scenario,
        timers=timers,
        clouds=tuple(
            msgspec.structs.replace(cloud, engine=engine, provision_s=0.0)
            for cloud in scenario.clouds
        ),
    )


def _timers(configured: Timers, calibration: Calibration) -> Timers:
    """Those of the calibration; what the routers are told to wait for (`_TOLD`) in proportion,
    where the scenario tells them something else than the calibration's, which has ``timers: lab``.
    """
    fields = {row.key: row.field for row in TIMER_ROWS}
    found: dict[str, float] = {}
    for key, value in calibration.timers.items():
        if key not in fields:
            raise UsageError(
                f"calibration of {calibration.date}: no timer {key!r}; calibrate again"
            )
        own = getattr(configured, fields[key]) / getattr(_LAB, fields[key]) if key in _TOLD else 1.0
        found[fields[key]] = own * value
    return msgspec.structs.replace(configured, **found)


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


def _failing(calm: Calm, talk: Packets, probe: bool, failure: Failure, until_s: float) -> Predicted:
    igp = LinkState(calm.context.scenario, calm.context.routes, [failure])
    row = scheme_timeline(calm.context, calm.kind, igp)
    if not row.feasible:
        raise InfeasibleError(f"{row.name} under this failure: {row.reason}")
    timeline = row.transfers[calm.place]
    episode = play(calm.context, calm.installed.scheme, igp, calm.installed.plans)
    clouds = [_cloud(cloud) for cloud in timeline.clouds]
    hit = Hit(episode, timeline)
    return _predicted(
        calm,
        clouds,
        links=_links(calm, talk, probe, clouds, hit, until_s),
        repaired_bytes=float(timeline.repaired_bytes),
    )


def _links(
    calm: Calm,
    talk: Packets,
    probe: bool,
    clouds: Sequence[PredictedCloud],
    hit: Hit | None,
    until_s: float = 0.0,
) -> tuple[ArcBytes, ...]:
    """Counters are read from the end of the network's set-up until the last replica is ready and
    every failure has been watched (``until_s``)."""
    ready = [cloud.ready_s for cloud in clouds if cloud.ready_s is not None]
    terms = calm.planned.setup_terms
    begin_s = sum(terms.values()) - terms.get("announce", 0.0)
    seconds = max(0.0, max([*ready, until_s]) - begin_s)
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
    binding = _binding(calm)
    space = calm.context.space
    return Predicted(
        setup_s=sum(calm.planned.setup_terms.values()) if clouds else None,
        transfer_s=_largest(cloud.transfer_s for cloud in clouds),
        ready_s=_largest(cloud.ready_s for cloud in clouds),
        worst_outage_s=_largest(cloud.outage_s for cloud in clouds),
        rate_bps=_rate_bps(calm),
        binding=None if binding is None else space.words(*binding),
        binding_arc=None if binding is None else _arc_name(calm, binding[0]),
        overloaded=_overloaded(calm),
        clouds=tuple(clouds),
        links=links,
        repaired_bytes=repaired_bytes,
    )


def _largest(values: Iterable[float | None]) -> float | None:
    """None where there is none, or one has no end: as what is measured."""
    known = list(values)
    ended = [each for each in known if each is not None]
    return max(ended) if ended and len(ended) == len(known) else None


def _binding(calm: Calm) -> tuple[Arc, int] | None:
    """The arc that the last flow waits for, and its copies."""
    (push,), _ = run(calm.context.space, [calm.planned])
    return push.binding


def _overloaded(calm: Calm) -> tuple[str, ...]:
    """Arcs that one multicast stream at `OVERLOAD` times its highest rate would fill, if nothing
    before them dropped a part of it. Pulls adapt: none."""
    if calm.kind.name == "unicast":
        return ()
    capacity = calm.context.space.capacity_bps
    room = {
        arc: capacity[arc] / weight
        for each in calm.planned.loads
        for arc, weight in each.weights.items()
    }
    most = OVERLOAD * min(room.values(), default=0.0)
    return tuple(sorted(_arc_name(calm, arc) for arc, bps in room.items() if bps < most))


def _arc_name(calm: Calm, arc: Arc) -> str:
    space = calm.context.space
    if arc < space.core:
        return calm.context.scenario.topology.arc_name(arc)
    source, target, _ = space.ends(arc, calm.plan.transfer)
    return f"{source}->{target}"


def _rate_bps(calm: Calm) -> float | None:
    """What the origin of a multicast push sends, IP packets without scheme header: the measured
    ``sent_bps``. Pulls have no such rate."""
    if calm.kind.name == "unicast" or not calm.planned.loads:
        return None
    payload = payload_bytes(calm.context.scenario.mtu, calm.plan)
    (goodput,) = pass_rates(calm.context.space, calm.planned).values()
    return UFTP_RATE_SHARE * goodput * (payload + calm.plan.inner_bytes) / payload
