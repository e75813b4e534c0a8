"""What ``campaign`` answers (``mcastplan.campaign/1``): many pushes to changing receiver sets."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mcastplan.model.topology import Node


class ReceiverChange(msgspec.Struct, frozen=True):
    """What one scheme does so that a push reaches another receiver set than the one before it.

    ``setup_terms``: named terms [s] until data may start. ``messages``: signalling, one per link or
    session it crosses. ``writes``: forwarding entries written, changed or removed. ``held``:
    entries of the old set that nodes hold beside the new ones while the change lasts.
    """

    setup_terms: Mapping[str, float]
    messages: int = 0
    writes: int = 0
    held: Mapping[Node, int] = {}


class ChurnPoint(msgspec.Struct, frozen=True):
    """All pushes after the first at one churn (0 to 1: the share of receivers replaced each time);
    means over the pushes unless the name says otherwise.

    ``effective``: the share that was really replaced; whole receivers move, and a small pool has
    not enough others. ``messages``: signalling messages of one push's change, each counted per
    link or session. ``state_sum``: most entries on all nodes together during a push and its change,
    ``state_peak`` on one node during any of them.
    """

    churn: float
    effective: float
    setup_s: float
    setup_worst_s: float
    messages: float
    writes: float
    state_sum: float
    state_peak: int
    transfer_s: float
    ready_s: float


class FirstPush(msgspec.Struct, frozen=True):
    """The first push, where every receiver is new; no mean holds it."""

    setup_s: float
    messages: int
    writes: int
    ready_s: float


class SchemeCampaign(msgspec.Struct, frozen=True):
    name: str
    feasible: bool
    reason: str | None
    first: FirstPush | None = None
    points: tuple[ChurnPoint, ...] = ()


class Crossing(msgspec.Struct, frozen=True):
    """Below ``churn`` ``below`` (one of the two) is better in this measure, above it the other is.
    Without a churn one of them is better at every churn tried, ``always``; without that they are
    equal. ``most``: the largest difference at any churn tried, in the measure's own unit.

    ``at_once``: the crossing lies below one receiver a push: ``churn`` is a mean of pushes that
    change one and pushes that change none, and whoever changes any is above it. ``again``: later
    crossings, at each of which the better one is the worse again.
    """

    measure: str
    fixed: str
    changing: str
    churn: float | None
    below: str | None
    always: str | None
    most: float
    sentence: str
    at_once: bool = False
    again: tuple[float, ...] = ()


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    schema: str
    scenario: str
    transfer: str
    assumptions: tuple[str, ...]
    pushes: int
    receivers: int  # clouds of one push
    pool: int  # clouds to choose from
    seed: int
    size_bytes: int
    unreachable: tuple[str, ...]  # clouds of the transfer that are not in the pool
    limits: dict[str, int]
    schemes: tuple[SchemeCampaign, ...]
    searched: tuple[float, ...]  # churns at which crossings are looked for, whatever the points
    crossings: tuple[Crossing, ...]
    because: tuple[str, ...] = ()
    full_of_background: str | None = None  # which arcs, in words
