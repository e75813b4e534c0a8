"""What ``campaign`` answers (``mcastplan.campaign/1``): many pushes to changing receiver sets."""

from __future__ import annotations

import msgspec


class ChurnPoint(msgspec.Struct, frozen=True):
    """All pushes after the first at one churn (0 to 1: the share of receivers replaced each time);
    means over the pushes unless the name says otherwise.

    ``messages``: signalling messages of one push's change, each counted per link or session.
    ``state_peak``: most entries on one node, ``state_sum`` on all nodes together, at any time.
    """

    churn: float
    setup_s: float
    setup_worst_s: float
    messages: float
    writes: float
    state_sum: float
    state_peak: int
    transfer_s: float
    ready_s: float


class SchemeCampaign(msgspec.Struct, frozen=True):
    name: str
    feasible: bool
    reason: str | None
    points: tuple[ChurnPoint, ...] = ()


class Crossing(msgspec.Struct, frozen=True):
    """Below ``churn`` ``fixed`` is better in this measure, above it ``changing`` is. Without a
    churn one of them is better all along: ``always``."""

    measure: str
    fixed: str
    changing: str
    churn: float | None
    always: str | None
    sentence: str


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    schema: str
    scenario: str
    assumptions: tuple[str, ...]
    pushes: int
    receivers: int  # clouds of one push
    pool: int  # clouds to choose from
    seed: int
    size_bytes: int
    limits: dict[str, int]
    schemes: tuple[SchemeCampaign, ...]
    crossings: tuple[Crossing, ...]
    because: tuple[str, ...] = ()
