"""What transport is given and what it answers: the course of forwarding, and deliveries."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mcastplan.evaluate.arrival import Arrival
from mcastplan.evaluate.push import Planned
from mcastplan.model.plan import Flow
from mcastplan.model.topology import Arc


class Piece(msgspec.Struct, frozen=True):
    """Packets of one flow emitted in [from_s, to_s), scenario time; the last ``to_s`` is infinite.

    ``weights``: wire bytes per payload byte by arc, core and access, of one of the flow's count.
    ``missing``: clouds of the flow that do not get these packets. ``extra``: copies beyond the
    first, by cloud.
    """

    from_s: float
    to_s: float
    weights: Mapping[Arc, float]
    missing: frozenset[str]
    extra: Mapping[str, int]


class FlowCourse(msgspec.Struct, frozen=True):
    """Pieces are contiguous and cover [data start, infinity). ``rtt_s``: for how long a TCP sender
    goes on into a black hole, its round-trip time."""

    flow: Flow
    pieces: tuple[Piece, ...]
    rtt_s: float = 0.0


class Course(msgspec.Struct, frozen=True):
    """One transfer under one scheme."""

    planned: Planned
    flows: tuple[FlowCourse, ...]
    tcp: bool


class CloudDelivery(msgspec.Struct, frozen=True):
    """What one cloud got. ``pulls``: those that are complete, in order.

    Bytes are payload, of all its pulls. ``offered_bytes``: emitted while the cloud, not evicted,
    lacked them: ``delivered_bytes`` + ``lost_bytes``. ``duplicate_bytes``: copies beyond the first
    that came with the delivered ones.
    """

    pulls: tuple[Arrival, ...]
    lost_bytes: float
    duplicate_bytes: float
    evicted: bool
    complete: bool
    delivered_bytes: float
    offered_bytes: float


class Delivery(msgspec.Struct, frozen=True):
    """One transfer as it went: ``sent_bytes`` of payload left the origin, ``repaired_bytes`` of
    them once more than the first time."""

    planned: Planned
    clouds: Mapping[str, CloudDelivery]
    repaired_bytes: float
    sent_bytes: float
