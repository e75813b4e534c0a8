"""What ``fail`` answers (``mcastplan.timeline/1``): who stopped receiving, from when to when, why.

Instants are seconds in scenario time, the clock of ``transfers[].start`` and ``failures[].at``.
"""

from __future__ import annotations

import msgspec

from mcastplan.model.question import Network


class FailureRow(msgspec.Struct, frozen=True):
    """What failed. ``links`` are ids, SRLGs resolved; a node's own links are not repeated."""

    at_s: float
    up_at_s: float | None
    kind: str
    links: tuple[str, ...]
    nodes: tuple[str, ...]
    srlgs: tuple[str, ...]


class Outage(msgspec.Struct, frozen=True):
    """One gap at one receiver, in its own time; ``to_s`` None: it does not end.

    ``stages`` are seconds by stage (`mcastplan.model.change.STAGES`) that sum to its length; {}
    where it does not end. ``where`` says what became of the packets, most of them first.
    """

    from_s: float
    to_s: float | None
    stages: dict[str, float]
    where: str


class CloudTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """One receiving cloud. ``ready_s`` of its last replica, counted from the transfer's start, as
    in `compare`; ``stages`` of that replica sum to it. None: never ready."""

    name: str
    outages: tuple[Outage, ...]
    outage_s: float | None  # None: it does not end
    lost_bytes: float
    duplicate_bytes: float
    transfer_s: float | None
    repair_s: float | None
    ready_s: float | None
    ready_without_s: float | None
    stages: dict[str, float] = {}


class TransferTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """``unreachable``: cut off by the failure; ``never``: without a way before it already;
    ``evicted`` were gone for too long, then reachable again. ``repaired_bytes`` were sent once more
    by the origin."""

    name: str
    data_start_s: float | None
    completion_s: float | None
    completion_without_s: float | None
    unreachable: tuple[str, ...]
    evicted: tuple[str, ...]
    lost_bytes: float
    repaired_bytes: float
    clouds: tuple[CloudTimeline, ...]
    never: tuple[str, ...] = ()


class Span(msgspec.Struct, frozen=True):
    """A router is in this stage; spans of one router do not overlap."""

    stage: str
    from_s: float
    to_s: float


class RouterTimeline(msgspec.Struct, frozen=True):
    """One router that changes something: what it went through."""

    name: str
    spans: tuple[Span, ...]


class Loss(msgspec.Struct, frozen=True):
    """Packets emitted in this time end here: ``place`` is a node or an arc ``A->B``."""

    transfer: str
    place: str
    reason: str
    from_s: float
    to_s: float | None
    clouds: tuple[str, ...]


class SchemeTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """``settled_s``: the last instant at which anything changes. ``copies_peak``: most copies on
    core arcs of one packet of all transfers, at any time; ``state_peak`` likewise, entries."""

    name: str
    feasible: bool
    reason: str | None
    settled_s: float | None = None
    restored_s: float | None = None  # the last outage that ends has ended
    worst_outage_s: float | None = None  # longest that ends
    state_before: int | None = None
    state_peak: int | None = None
    state_after: int | None = None
    copies_before: int | None = None
    copies_peak: int | None = None
    copies_after: int | None = None
    transfers: tuple[TransferTimeline, ...] = ()
    routers: tuple[RouterTimeline, ...] = ()
    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    schema: str
    scenario: str
    assumptions: tuple[str, ...]
    failures: tuple[FailureRow, ...]
    preset: str
    profile: str
    schemes: tuple[SchemeTimeline, ...]
    because: tuple[str, ...] = ()  # the answer in sentences
    full_of_background: str | None = None  # which arcs, in words
    network: Network | None = None
