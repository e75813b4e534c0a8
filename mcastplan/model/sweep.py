"""What ``sweep`` answers (``mcastplan.sweep/1``): every failure, in aggregate."""

from __future__ import annotations

import msgspec

from mcastplan.model.question import Network


class Case(msgspec.Struct, frozen=True):
    """One failure of a sweep. ``name`` is unique in it: a link id, a node, an SRLG, two links."""

    name: str
    links: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    srlgs: tuple[str, ...] = ()


class SchemeRow(msgspec.Struct, frozen=True):
    """One scheme after one failure; None where nothing is left to complete.

    ``touched``: the failure changes anything for it. ``unreachable``: cloud names (with the
    transfer, ``push/ams``, where there are several), beyond those that never were reachable.
    ``outage_s``: longest gap of a receiver that comes back (``--transient``), ``outage_sum_s`` of
    all of them. ``fresh``: a new SR-P2MP tree, because the repaired one was over 5 % dearer.
    """

    name: str
    touched: bool
    completion_s: float | None
    wire_bytes: float | None
    unreachable: tuple[str, ...]
    outage_s: float | None = None
    outage_sum_s: float | None = None
    fresh: bool = False


class Row(msgspec.Struct, frozen=True):
    """One failure, all schemes: one line of the rows file."""

    failure: str
    schemes: tuple[SchemeRow, ...]


class Distribution(msgspec.Struct, frozen=True):
    """Over all failures evaluated. ``values`` are all that differ from ``base``, sorted (for the
    figure); the quantiles count every failure."""

    base: float | None
    count: int
    p50: float | None
    p90: float | None
    p99: float | None
    worst: float | None
    values: tuple[float, ...] = ()


class SchemeSweep(msgspec.Struct, frozen=True, kw_only=True):
    """``harmless``: failures after which it serves everybody as fast as before. ``repaired`` and
    ``fresh`` count SR-P2MP min-cost trees that were repaired and replaced."""

    name: str
    feasible: bool
    reason: str | None
    touched: int = 0
    harmless: int = 0
    completion_s: Distribution | None = None
    unreachable: Distribution | None = None
    outage_s: Distribution | None = None
    repaired: int = 0
    fresh: int = 0


class HarmfulScheme(msgspec.Struct, frozen=True):
    name: str
    unreachable: int
    delay_s: float | None  # completion beyond the one without failure
    outage_s: float | None


class Harmful(msgspec.Struct, frozen=True):
    """One of the failures that hurt most. ``cut_off``: clouds that no scheme reaches any more."""

    failure: str
    links: tuple[str, ...]
    cut_off: tuple[str, ...]
    replicas_cut_off: int
    schemes: tuple[HarmfulScheme, ...]


class Remedy(msgspec.Struct, frozen=True):
    """The one link that removes most harm. Harm is (replicas cut off, summed over the failures;
    seconds of delay summed over failures and schemes)."""

    kind: str  # doubled | added
    a: str
    b: str
    replicas_before: int
    replicas_after: int
    delay_before_s: float
    delay_after_s: float
    tried: int


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """``total`` failures exist, ``evaluated`` of them are in here (fewer: a sample, or
    interrupted). ``unreachable``: clouds that no scheme reaches even without a failure."""

    schema: str
    scenario: str
    assumptions: tuple[str, ...]
    failures: str
    total: int
    chosen: int
    evaluated: int
    seed: int | None
    transient: bool
    complete: bool
    schemes: tuple[SchemeSweep, ...]
    worst: tuple[Harmful, ...]
    remedy: Remedy | None
    because: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    full_of_background: str | None = None  # which arcs, in words
    network: Network | None = None
