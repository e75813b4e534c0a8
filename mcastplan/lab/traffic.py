"""Wire bytes of one push on every arc of the lab: data, acknowledgements, control, probe.

Data is plan's copies x payload packets, each with IP, transport, the arc's scheme header and 38 B.
Not counted: TCP's retransmissions, slow start's bursts, repairs in a push without failure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from mcastplan.converge.episode import Episode
from mcastplan.converge.transport import UFTP_RATE_SHARE, pass_rates
from mcastplan.dataplane.flight import Flight
from mcastplan.evaluate.push import FlowLoad
from mcastplan.evaluate.wire import FRAME_BYTES, payload_bytes, wire_factor
from mcastplan.lab.calm import TCP_BYTES, Calm
from mcastplan.lab.control import PROBE_PPS, PROBE_S, PROBE_STREAMS, Packets, probe_bytes
from mcastplan.model.measurement import ArcBytes
from mcastplan.model.timeline import TransferTimeline
from mcastplan.model.topology import Arc
from mcastplan.units import BITS_PER_BYTE

# RFC 5681 section 4.2: an ACK for at least every second full-sized segment; Linux sends just that.
SEGMENTS_AN_ACK = 2
ACK_BYTES = TCP_BYTES + FRAME_BYTES


class Load:
    """Packets and wire bytes by arc, summed up."""

    def __init__(self) -> None:
        self.packets: dict[Arc, float] = {}
        self.wire: dict[Arc, float] = {}

    def add(self, arc: Arc, packets: float, wire_bytes: float) -> None:
        self.packets[arc] = self.packets.get(arc, 0.0) + packets
        self.wire[arc] = self.wire.get(arc, 0.0) + wire_bytes


class Hit(msgspec.Struct, frozen=True):
    """The same push with a failure: its flights, and what became of it."""

    episode: Episode
    timeline: TransferTimeline


def arc_bytes(
    calm: Calm, control: Packets, seconds: float, *, probe: bool, hit: Hit | None = None
) -> tuple[ArcBytes, ...]:
    """All core arcs both ways, then the access arcs of the push's direction, in the order of
    `compare`; control and probe for ``seconds``."""
    load = Load()
    if hit is None:
        for each in calm.planned.loads:
            _data(load, calm, each)
    else:
        _data_of_flights(load, calm, hit)
    if calm.kind.name == "unicast":
        _acknowledgements(load, calm)
    if probe:
        pulls = sum(each.flow.count for each in calm.planned.loads)
        for place, each in enumerate(calm.planned.loads):
            streams = each.flow.count if pulls <= PROBE_STREAMS else 1
            pps = streams * PROBE_PPS
            probed_s = min(seconds, PROBE_S)
            if hit is None:
                _probe(load, calm, each.copies, each.weights, pps * probed_s)
                continue
            for flight in hit.episode.transfers[calm.place].courses[place]:
                lasts_s = min(flight.until_s, probed_s) - max(flight.from_s, 0.0)
                if lasts_s > 0:
                    weights = _weights(calm, each, flight)
                    copies = {arc: _copies(calm, weight) for arc, weight in weights.items()}
                    _probe(load, calm, copies, weights, pps * lasts_s)
    space = calm.context.space
    for arc in range(space.core):
        load.add(arc, control.packets * seconds, control.wire_bytes * seconds)
    rows = []
    for arc, wire_bytes in load.wire.items():
        source, target, link = space.ends(arc, calm.plan.transfer)
        kind = "access" if link is None else "core"
        packets = round(load.packets[arc])
        rows.append(ArcBytes(source, target, link, kind, wire_bytes, packets, 0))
    rows.sort(key=lambda row: (row.kind != "core", row.source, row.target, row.link or ""))
    return tuple(rows)


def _payload(calm: Calm) -> int:
    return payload_bytes(calm.context.scenario.mtu, calm.plan)


def _data(load: Load, calm: Calm, each: FlowLoad) -> None:
    flow = each.flow
    size = float(flow.size_bytes * flow.count)
    for arc, weight in each.weights.items():
        load.add(arc, each.copies[arc] * size / _payload(calm), size * weight)


def _acknowledgements(load: Load, calm: Calm) -> None:
    """On the receivers' own way back, which need not be the data's."""
    context = calm.context
    for each in calm.planned.loads:
        acks = each.flow.count * each.flow.size_bytes / _payload(calm) / SEGMENTS_AN_ACK
        for name in each.flow.clouds:
            back = context.routes.path(context.pe(name), calm.planned.demand.origin) or ()
            for arc in back:
                load.add(arc, acks, acks * ACK_BYTES)


def _probe(
    load: Load,
    calm: Calm,
    copies_on: Mapping[Arc, float],
    weights: Mapping[Arc, float],
    packets: float,
) -> None:
    """Every packet as often as one of the data."""
    payload, inner = _payload(calm), calm.plan.inner_bytes
    for arc, copies in copies_on.items():
        header = weights[arc] * payload - copies * (payload + inner + FRAME_BYTES)
        load.add(arc, packets * copies, packets * (copies * probe_bytes() + header))


def _data_of_flights(load: Load, calm: Calm, hit: Hit) -> None:
    """Bytes emitted while each flight holds, at its weights.

    A multicast push sends at its planned pace, or what the detour leaves of it, first the file and
    then what is repaired; a pull at its mean pace while its cloud is reached.
    """
    timeline = hit.timeline
    if timeline.data_start_s is None:
        return
    carried = hit.episode.transfers[calm.place]
    for each, course in zip(calm.planned.loads, carried.courses, strict=True):
        if calm.kind.name == "unicast":
            emitted = _pulled(calm, each, course, timeline)
        else:
            emitted = _sent(calm, each, course, timeline)
        for flight, size in zip(course, emitted, strict=True):
            _flown(load, calm, each, flight, size)


def _sent(
    calm: Calm, each: FlowLoad, course: Sequence[Flight], timeline: TransferTimeline
) -> list[float]:
    cap = UFTP_RATE_SHARE * pass_rates(calm.context.space, calm.planned)[each.flow.name]
    left, at_s = each.flow.size_bytes + timeline.repaired_bytes, timeline.data_start_s or 0.0
    emitted = []
    for flight in course:
        rate = min(cap, _room_bps(calm, _weights(calm, each, flight)))
        lasts_s = max(0.0, flight.until_s - max(at_s, flight.from_s))
        size = min(left, rate * lasts_s / BITS_PER_BYTE) if lasts_s else 0.0
        emitted.append(size)
        left -= size
        at_s = max(at_s, flight.until_s)
    return emitted


def _room_bps(calm: Calm, weights: Mapping[Arc, float]) -> float:
    capacity = calm.context.space.capacity_bps
    return min((capacity[arc] / weight for arc, weight in weights.items()), default=math.inf)


def _pulled(
    calm: Calm, each: FlowLoad, course: Sequence[Flight], timeline: TransferTimeline
) -> list[float]:
    """A cloud that is cut off for good gets what had come by then, at its pace without failure."""
    (cloud,) = each.flow.clouds
    row = next(row for row in timeline.clouds if row.name == cloud)
    if timeline.data_start_s is None:
        return [0.0] * len(course)
    size, calm_s = float(each.flow.count * each.flow.size_bytes), None
    if row.transfer_s is None:
        calm_s = max(pull.transfer_s for pull in calm.delivery.clouds[cloud].pulls)
        end_s = timeline.data_start_s + calm_s
    else:
        pulls = sum(one.flow.count for one in calm.planned.loads if cloud in one.flow.clouds)
        size += each.flow.count * row.lost_bytes / pulls
        end_s = timeline.data_start_s + row.transfer_s + (row.repair_s or 0.0)
    node = calm.context.pe(cloud)
    spans = [
        max(0.0, min(flight.until_s, end_s) - max(flight.from_s, timeline.data_start_s))
        if node in flight.arrivals
        else 0.0
        for flight in course
    ]
    whole = calm_s or sum(spans) or 1.0
    return [size * span / whole for span in spans]


def _weights(calm: Calm, each: FlowLoad, flight: Flight) -> dict[Arc, float]:
    """Wire bytes for one of payload, without what a dead link takes: its counter does not move."""
    payload, inner, space = _payload(calm), calm.plan.inner_bytes, calm.context.space
    lost: dict[Arc, int] = {}
    for drop in flight.drops:
        if drop.arc is not None:
            lost[drop.arc] = lost.get(drop.arc, 0) + 1
    weights = {}
    for arc, copies in flight.copies.items():
        left = copies - lost.get(arc, 0)
        if left > 0:
            header = round(flight.headers[arc] * left / copies)
            weights[arc] = wire_factor(payload, inner, left, header)
    native = wire_factor(payload, inner)
    weights[space.origin[calm.plan.transfer]] = native
    for name in each.flow.clouds:
        if calm.context.pe(name) in flight.arrivals:
            weights[space.cloud[name]] = native
    return weights


def _flown(load: Load, calm: Calm, each: FlowLoad, flight: Flight, size: float) -> None:
    if not size:
        return
    for arc, weight in _weights(calm, each, flight).items():
        load.add(arc, _copies(calm, weight) * size / _payload(calm), size * weight)


def _copies(calm: Calm, weight: float) -> float:
    """How many copies of a packet this many wire bytes for one of payload are."""
    payload, inner = _payload(calm), calm.plan.inner_bytes
    return max(1.0, weight * payload // (payload + inner + FRAME_BYTES))
