"""The timeline of one scheme: episode, transport and cold start, written down as a result row."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from mcastplan.converge.courses import Course, Delivery, FlowCourse, Piece
from mcastplan.converge.coverage import notes
from mcastplan.converge.episode import Carried, Episode, play
from mcastplan.converge.losses import Place, ended, losses
from mcastplan.converge.outages import Gap
from mcastplan.converge.routers import routers
from mcastplan.converge.transport import carried, transmit
from mcastplan.dataplane.flight import Flight
from mcastplan.errors import InfeasibleError
from mcastplan.evaluate.scheme import (
    Context,
    Installed,
    cold_start,
    install,
    planned_push,
)
from mcastplan.evaluate.wire import payload_bytes, wire_factor
from mcastplan.model.plan import Flow, ReplicationPlan
from mcastplan.model.results import ReplicaGroup
from mcastplan.model.timeline import (
    CloudTimeline,
    Loss,
    Outage,
    SchemeTimeline,
    TransferTimeline,
)
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import Igp, Scheme, toward

NANO = 9  # digits


def scheme_timeline(context: Context, kind: type[Scheme], igp: Igp) -> SchemeTimeline:
    """One scheme's row; a limit it meets, or transitions it does not model, make it infeasible."""
    try:
        installed = install(context, kind)
        episode = play(context, installed.scheme, igp, installed.plans)
    except InfeasibleError as limit:
        return SchemeTimeline(name=kind.name, feasible=False, reason=str(limit))
    scenario = context.scenario
    calm = _courses(context, installed, None)
    hit = _courses(context, installed, episode)
    without = transmit(context.space, calm, scenario.transport, scenario.timers)
    delivered = transmit(context.space, hit, scenario.transport, scenario.timers)
    transfers = tuple(
        _transfer(context, kind, carried, before, now)
        for carried, before, now in zip(episode.transfers, without, delivered, strict=True)
    )
    over = [
        (outage.from_s, outage.to_s)
        for each in transfers
        for cloud in each.clouds
        for outage in cloud.outages
        if outage.to_s is not None
    ]
    state = sum(installed.state.values())
    after = _state_after(installed.scheme, igp, episode)
    copies = _copies(context, episode)
    return SchemeTimeline(
        name=kind.name,
        feasible=True,
        reason=None,
        settled_s=max((update.at_s for update in episode.updates), default=None),
        restored_s=max((to_s for _, to_s in over), default=None),
        worst_outage_s=max((to_s - from_s for from_s, to_s in over), default=None),
        state_before=state,
        state_peak=max(after, state + _entries_peak(episode)),
        state_after=after,
        copies_before=copies[0],
        copies_peak=max(copies),
        copies_after=copies[-1],
        transfers=transfers,
        routers=routers(igp.graph, episode.updates),
        losses=tuple(_losses(context, episode)),
        notes=notes(episode, scenario.protection),
    )


def _courses(context: Context, installed: Installed, episode: Episode | None) -> list[Course]:
    """What transport is given: the flights as loads and missing clouds; without failure if there
    is no ``episode``."""
    scheme = installed.scheme
    found = []
    for number, (demand, steady_plan) in enumerate(installed.plans):
        transfer = context.scenario.transfers[number]
        tcp = scheme.name == "unicast"
        plan = steady_plan if tcp else carried(steady_plan, context.scenario.transport)
        push = planned_push(context, scheme, transfer, demand, plan)
        courses = []
        for place, load in enumerate(push.loads):
            steady = Piece(-math.inf, math.inf, load.weights, frozenset(), {})
            pieces: tuple[Piece, ...] = (steady,)
            rtt_s = 0.0
            if episode is not None:
                course = episode.transfers[number].courses[place]
                pieces = tuple(_piece(context, plan, load.flow, flight) for flight in course)
                there = course[0].arrivals
                back = toward(context.routes, demand.origin, there) if tcp else {}
                rtt_s = max(
                    (there[node][1] + back[node][1] for node in back if node in there), default=0.0
                )
            courses.append(FlowCourse(load.flow, pieces, rtt_s))
        found.append(Course(push, tuple(courses), tcp))
    return found


def _piece(context: Context, plan: ReplicationPlan, flow: Flow, flight: Flight) -> Piece:
    """Access arcs of clouds that will be back are in: nothing is sent faster while they are out."""
    payload, inner = payload_bytes(context.scenario.mtu, plan), plan.inner_bytes
    weights: dict[Arc, float] = {
        arc: wire_factor(payload, inner, copies, flight.headers[arc])
        for arc, copies in flight.copies.items()
    }
    native = wire_factor(payload, inner)
    space = context.space
    weights[space.origin[plan.transfer]] = native
    missing, extra = [], {}
    for name in flow.clouds:
        copies, _ = flight.arrivals.get(context.pe(name), (0, 0.0))
        if copies or flight.until_s < math.inf:
            weights[space.cloud[name]] = native
        if copies == 0:
            missing.append(name)
        elif copies > 1:
            extra[name] = copies - 1
    return Piece(flight.from_s, flight.until_s, weights, frozenset(missing), extra)


def _transfer(
    context: Context, kind: type[Scheme], carried: Carried, before: Delivery, now: Delivery
) -> TransferTimeline:
    found = carried.gaps()
    clouds = tuple(
        _cloud(context, kind, carried, name, gaps, before, now) for name, gaps in found.items()
    )
    unreachable = tuple(
        name
        for name in carried.transition.demand.unreachable
        if name not in carried.demand.unreachable
    )
    return TransferTimeline(
        name=carried.plan.transfer,
        data_start_s=now.planned.data_start_s if clouds else None,
        completion_s=_completion(now),
        completion_without_s=_completion(before),
        unreachable=unreachable,
        evicted=tuple(
            name for name, each in now.clouds.items() if each.evicted and name not in unreachable
        ),
        lost_bytes=sum(each.lost_bytes for each in now.clouds.values()),
        repaired_bytes=now.repaired_bytes,
        clouds=clouds,
        never=carried.demand.unreachable,
    )


def _completion(delivery: Delivery) -> float | None:
    """Seconds from data start to the last byte of the clouds that get all."""
    return max(
        (pull.here_s for each in delivery.clouds.values() if each.complete for pull in each.pulls),
        default=None,
    )


def _cloud(
    context: Context,
    kind: type[Scheme],
    carried: Carried,
    name: str,
    gaps: Sequence[Gap],
    before: Delivery,
    now: Delivery,
) -> CloudTimeline:
    delivery = now.clouds[name]
    group = _last(context, kind, now, name)
    calm = _last(context, kind, before, name)
    node = context.pe(name)
    outages = tuple(_outage(context, carried, gap, node) for gap in gaps)
    lasting = [gap.to_s - gap.from_s for gap in gaps]
    transfer_s, repair_s = None, None
    if delivery.complete:
        last = max(delivery.pulls, key=lambda pull: pull.here_s)
        transfer_s, repair_s = last.transfer_s, last.repair_s
    return CloudTimeline(
        name=name,
        outages=outages,
        outage_s=None if math.inf in lasting else sum(lasting),
        lost_bytes=delivery.lost_bytes,
        duplicate_bytes=delivery.duplicate_bytes,
        transfer_s=transfer_s,
        repair_s=repair_s,
        ready_s=group.ready_s if group else None,
        ready_without_s=calm.ready_s if calm else None,
        stages=msgspec.structs.asdict(group.stages) if group else {},
    )


def _last(
    context: Context, kind: type[Scheme], delivery: Delivery, name: str
) -> ReplicaGroup | None:
    each = delivery.clouds[name]
    if not each.complete:
        return None
    groups = cold_start(context, kind, delivery.planned, name, each.pulls)
    return max(groups, key=lambda group: group.ready_s)


def _outage(context: Context, carried: Carried, gap: Gap, node: Node) -> Outage:
    place = Place(context.scenario.topology)
    graph = context.routes.graph
    good = next(
        flight
        for course in carried.courses
        for flight in reversed(course)
        if flight.until_s <= gap.sent_from_s and node in flight.arrivals
    )
    words: dict[str, None] = {}
    for flight in gap.flights:
        for drop in ended(graph, flight, good, node):
            words[place.words(place.of(drop), drop.reason)] = None
    # Differences of instants on a clock of minutes: beyond a nanosecond they are rounding.
    return Outage(
        round(gap.from_s, NANO),
        round(gap.to_s, NANO) if gap.to_s < math.inf else None,
        {stage: round(seconds, NANO) for stage, seconds in gap.stages.items()},
        "; then ".join(words),
    )


def _losses(context: Context, episode: Episode) -> list[Loss]:
    """Of all flows; the same loss of several pulls is one, with all their clouds."""
    clouds: dict[Loss, set[str]] = {}
    for each in episode.transfers:
        for flow, course in zip(each.plan.flows, each.courses, strict=True):
            receivers = [(name, context.pe(name)) for name in flow.clouds]
            for loss in losses(context.scenario.topology, each.plan.transfer, course, receivers):
                whose = clouds.setdefault(msgspec.structs.replace(loss, clouds=()), set())
                whose.update(loss.clouds)
    return [
        msgspec.structs.replace(loss, clouds=tuple(sorted(whose)))
        for loss, whose in sorted(
            clouds.items(), key=lambda item: (item[0].from_s, item[0].transfer, item[0].place)
        )
    ]


def _state_after(scheme: Scheme, igp: Igp, episode: Episode) -> int:
    plans = [(each.transition.demand, each.transition.after) for each in episode.transfers]
    return sum(scheme.state(igp.after, plans).values())


def _entries_peak(episode: Episode) -> int:
    """Most entries there are at any time beyond those of the start."""
    changes: list[tuple[float, Node, str, object, bool]] = []
    peak = now = 0
    held: dict[tuple[str, Node, object], bool] = {}
    for each in episode.transfers:
        name = each.plan.transfer
        held |= {(name, *place): True for place in each.plan.entries}
        for update in each.transition.updates:
            if update.entry is not None:
                key, entry = update.entry
                changes.append((update.at_s, update.node, name, key, entry is not None))
    changes.sort(key=lambda change: change[:3])
    for _, node, name, key, there in changes:
        was = held.get((name, node, key), False)
        now += there - was
        held[name, node, key] = there
        peak = max(peak, now)
    return peak


def _copies(context: Context, episode: Episode) -> list[int]:
    """Copies on core arcs of one packet of every flow, as they change over time."""
    changes: dict[float, int] = {}
    for each in episode.transfers:
        for flow, course in zip(each.plan.flows, each.courses, strict=True):
            before = 0
            for flight in course:
                count = flow.count * sum(flight.copies.values())
                changes[flight.from_s] = changes.get(flight.from_s, 0) + count - before
                before = count
    total, found = 0, []
    for at_s in sorted(changes):
        total += changes[at_s]
        found.append(total)
    return found or [0]
