"""Transfers under failure: their courses through one fluid engine, and what each cloud gets.

Bytes are counted when they are emitted. Passes and repair rounds of multicast pushes (`repair`),
TCP pulls (`pulls`) and other transfers share the arcs max-min fairly. Not modelled: propagation
delay (a byte sent has arrived, or is lost), the capacity that NACKs, duplicates in the receivers'
hosts and loops take.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

import msgspec

from mcastplan.converge.courses import CloudDelivery, Course, Delivery, FlowCourse, Piece
from mcastplan.converge.pulls import Pull
from mcastplan.converge.repair import Session
from mcastplan.converge.sending import Sender
from mcastplan.evaluate.arcs import ArcSpace
from mcastplan.evaluate.push import Planned
from mcastplan.fluid import Fluid
from mcastplan.model.plan import ReplicationPlan
from mcastplan.model.scenario import Transport
from mcastplan.model.timers import Timers

__all__ = [
    "CloudDelivery",
    "Course",
    "Delivery",
    "FlowCourse",
    "Piece",
    "carried",
    "pass_rates",
    "transmit",
]

# The lab sends open loop (UFTP -R) at this share of the rate it has probed to be free of loss.
UFTP_RATE_SHARE = 0.95
# UFTP 4.10.2: IPv4 20, UDP 8, its own header 16 and a block's 8, above the payload; on the wire.
UFTP_BYTES = 52
# A receiver gives up when it has heard nothing for robust x GRTT (`-s 50`, the most there is), so
# that the outage to survive sets GRTT. A repair round begins 4 GRTT after its pass: receivers wait
# one before they send NAKs, the sender three for those of others (4.10.2, source and measured).
UFTP_ROBUST = 50
UFTP_ROUND_GRTTS = 4
UFTP_LEAST_GRTT_S = 0.02  # below it, a busy host's own delays look like loss


def uftp_grtt_s(evict_after_s: float) -> float:
    """The GRTT with which a receiver survives an outage of this length [s]."""
    return max(UFTP_LEAST_GRTT_S, evict_after_s / UFTP_ROBUST)


def carried(plan: ReplicationPlan, transport: Transport) -> ReplicationPlan:
    """The plan of a multicast push with what this transport puts between IP and payload."""
    if transport.profile == "uftp":
        return msgspec.structs.replace(plan, inner_bytes=UFTP_BYTES)
    return plan


def pass_rates(space: ArcSpace, planned: Planned) -> dict[str, float]:
    """Goodput of each flow as planned, with no other transfer in the network [bit/s], by name."""
    fluid = Fluid(space.capacity_bps, space.background_bps)
    for load in planned.loads:
        flow = load.flow
        fluid.start(flow.name, load.weights, flow.size_bytes, flow.count, flow.rate_cap_bps)
    return {load.flow.name: fluid.rate_bps(load.flow.name) for load in planned.loads}


def transmit(
    space: ArcSpace, courses: Sequence[Course], transport: Transport, timers: Timers
) -> list[Delivery]:
    """Run every transfer to its end, in the order given. What can never end is incomplete."""
    fluid = Fluid(space.capacity_bps, space.background_bps)
    # The engine's clock starts with the first byte: differences of small numbers stay exact.
    zero_s = min((each.planned.data_start_s for each in courses), default=0.0)
    senders = [_senders(space, fluid, each, zero_s, transport, timers) for each in courses]
    _run(fluid, [one for each in senders for one in each])
    return [_delivery(course, own) for course, own in zip(courses, senders, strict=True)]


def _senders(
    space: ArcSpace,
    fluid: Fluid,
    course: Course,
    zero_s: float,
    transport: Transport,
    timers: Timers,
) -> list[Sender]:
    begin_s = course.planned.data_start_s - zero_s
    if course.tcp:
        return [
            Pull(
                fluid,
                each,
                begin_s=begin_s,
                zero_s=zero_s,
                rto_s=timers.rto_s,
                traced=course.planned.pace,
            )
            for each in course.flows
        ]
    uftp = transport.profile == "uftp"
    grtt_s = uftp_grtt_s(transport.evict_after_s) if uftp else 0.0
    round_trip_s = UFTP_ROUND_GRTTS * grtt_s
    planned_bps = pass_rates(space, course.planned)
    return [
        Session(
            fluid,
            each,
            begin_s=begin_s,
            zero_s=zero_s,
            planned_bps=planned_bps[each.flow.name],
            cap_bps=UFTP_RATE_SHARE * planned_bps[each.flow.name] if uftp else math.inf,
            round_trip_s=round_trip_s,
            evict_after_s=transport.evict_after_s,
            traced=course.planned.pace,
        )
        for each in course.flows
    ]


def _run(fluid: Fluid, senders: Sequence[Sender]) -> None:
    """From event to event: a run ends, or a sender asked to be called."""
    number = {sender.flow.name: place for place, sender in enumerate(senders)}
    calls = [(sender.begin_s, place) for place, sender in enumerate(senders)]
    heapify(calls)
    while True:
        at_s = min(calls[0][0] if calls else math.inf, fluid.next_finish_s())
        if at_s == math.inf:
            return
        called = set[int]()
        while calls and calls[0][0] <= at_s:
            called.add(heappop(calls)[1])
        # Rates up to now, before anything that happens now can change them.
        for place in called:
            senders[place].note_rate()
        for done in fluid.run_until(at_s):
            place = number[str(done.flow)]
            senders[place].running = False
            called.add(place)
        for place in sorted(called):
            next_s = senders[place].step(at_s)
            assert next_s > at_s, "a sender asks for the instant it was just called at, for ever"
            if next_s < math.inf:
                heappush(calls, (next_s, place))


def _delivery(course: Course, senders: Sequence[Sender]) -> Delivery:
    parts: dict[str, list[CloudDelivery]] = {}
    for sender in senders:
        for cloud in sender.flow.clouds:
            parts.setdefault(cloud, []).append(sender.delivery(cloud))
    return Delivery(
        planned=course.planned,
        clouds={cloud: _together(each) for cloud, each in sorted(parts.items())},
        repaired_bytes=sum(sender.repaired_bytes for sender in senders),
        sent_bytes=sum(sender.sent_bytes for sender in senders),
    )


def _together(flows: Sequence[CloudDelivery]) -> CloudDelivery:
    """A cloud's part in several flows: pulls on their own paths."""
    return CloudDelivery(
        pulls=tuple(pull for each in flows for pull in each.pulls),
        lost_bytes=sum(each.lost_bytes for each in flows),
        duplicate_bytes=sum(each.duplicate_bytes for each in flows),
        evicted=any(each.evicted for each in flows),
        complete=all(each.complete for each in flows),
        delivered_bytes=sum(each.delivered_bytes for each in flows),
        offered_bytes=sum(each.offered_bytes for each in flows),
    )
