"""What `compare` answers: the structure of ``mcastplan.compare/1``, key by key.

A number without a value is None. Times count from the transfer's start [s].
"""

from __future__ import annotations

import msgspec

from mcastplan.model.plan import Section
from mcastplan.model.question import Network, Question

STAGES: tuple[str, ...] = (
    "provision",
    "setup",
    "transfer",
    "repair",
    "fan_out",
    "verify",
    "load",
    "compile",
    "graphs",
    "warm_up",
)


class Stages(msgspec.Struct, frozen=True):
    """Seconds of each cold-start stage."""

    provision: float = 0.0
    setup: float = 0.0
    transfer: float = 0.0
    repair: float = 0.0
    fan_out: float = 0.0
    verify: float = 0.0
    load: float = 0.0
    compile: float = 0.0
    graphs: float = 0.0
    warm_up: float = 0.0

    def total(self) -> float:
        return float(sum(getattr(self, stage) for stage in STAGES))


class ReplicaGroup(msgspec.Struct, frozen=True):
    """Replicas ``first``..``last`` (0-based, inclusive) of one cloud, ready at the same instant.

    ``stages`` are critical-path seconds that sum to ``ready_s``; hidden time is in ``overlapped``.
    """

    count: int
    first: int
    last: int
    ready_s: float
    stages: Stages
    overlapped: Stages


class CloudResult(msgspec.Struct, frozen=True):
    name: str
    transfer_s: float
    replica_groups: tuple[ReplicaGroup, ...]


class ArcEnds(msgspec.Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """One arc, named as in a row of ``links``."""

    source: str
    target: str
    link: str | None


class TransferResult(msgspec.Struct, frozen=True, kw_only=True):
    """One transfer under one scheme; ``setup_terms`` are named and sum to ``setup_s``.

    ``binding_arc`` is the arc that ``binding`` describes in words. ``no_room``: those of
    ``unreachable`` that have a way, but one that background fills.
    """

    name: str
    setup_s: float | None
    setup_terms: dict[str, float] = {}
    completion_s: float | None
    rate_bps: float | None
    ratio_to_bound: float | None
    binding: str | None
    unreachable: tuple[str, ...]
    no_room: tuple[str, ...] = ()
    clouds: tuple[CloudResult, ...]
    binding_arc: ArcEnds | None = None


class LinkLoad(msgspec.Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """One directed arc that carries copies."""

    source: str
    target: str
    link: str | None
    kind: str  # core | access
    copies: int
    wire_bytes: float
    busiest_utilisation: float


class NodeState(msgspec.Struct, frozen=True):
    name: str
    state_entries: int


class Totals(msgspec.Struct, frozen=True):
    """``link_copies`` and ``wire_bytes`` are of core arcs; ``egress_usd`` needs prices."""

    link_copies: int
    wire_bytes: float
    origin_egress_bytes: float
    state_entries: int
    header_bytes: int
    egress_usd: float | None = None


class SchemeResult(msgspec.Struct, frozen=True):
    """``notes`` are sentences about this scheme's plan (proven gap, BFR-id assignment, phases)."""

    name: str
    feasible: bool
    reason: str | None
    transfers: tuple[TransferResult, ...]
    links: tuple[LinkLoad, ...]
    nodes: tuple[NodeState, ...]
    totals: Totals | None
    notes: tuple[str, ...] = ()

    @property
    def unreachable(self) -> int:
        """Receivers not served, over all transfers."""
        return sum(len(transfer.unreachable) for transfer in self.transfers)

    @property
    def last_ready_s(self) -> float | None:
        """When the last replica of the last transfer is ready."""
        ready = [
            group.ready_s
            for transfer in self.transfers
            for cloud in transfer.clouds
            for group in cloud.replica_groups
        ]
        return max(ready, default=None)


class TransferBound(msgspec.Struct, frozen=True):
    """What no scheme can beat: payload bytes through the narrowest cut."""

    name: str
    size_bytes: int
    bound_s: float | None
    binding: str | None


class Recommendation(msgspec.Struct, frozen=True):
    scheme: str
    because: tuple[str, ...]


class BierChoice(msgspec.Struct, frozen=True):
    """What one BitString length and one numbering of BFR-ids would cost, all transfers together.

    ``numbering`` is ``dense`` or ``by-tree`` as that option assigns it. ``preorder_copies``: core
    copies of the tree's numbering, even where ``by-tree`` keeps ``dense`` (None in a ``dense``
    row). ``copies_ratio`` is against one copy on every arc. Without a value where not ``feasible``.
    """

    bsl: int
    numbering: str
    set_identifiers: int
    core_copies: int | None
    preorder_copies: int | None
    copies_ratio: float | None
    header_bytes: int
    payload_bytes: int | None
    wire_bytes: float | None
    feasible: bool
    reason: str | None
    configured: bool
    best: bool


class Comparison(msgspec.Struct, frozen=True):
    schema: str
    scenario: str
    assumptions: tuple[str, ...]
    transfers: tuple[TransferBound, ...]
    schemes: tuple[SchemeResult, ...]
    recommendation: Recommendation | None
    network: Network | None = None
    question: Question | None = None
    bier_choice: tuple[BierChoice, ...] = ()
    full_of_background: str | None = None  # which arcs, in words


class PlanPhase(msgspec.Struct, frozen=True):
    """One phase of a transfer's forwarding (only PIM ASM has more than one).

    ``copies`` are (arc, copies) in walk order, as ``DE->NL``; ``delivered`` are PE names.
    """

    name: str
    meaning: str
    copies: tuple[tuple[str, int], ...]
    delivered: tuple[str, ...]


class PlanTransfer(msgspec.Struct, frozen=True):
    """What one transfer installs: ``imposed`` are the lines the ingress imposes by."""

    name: str
    origin: str
    receivers: tuple[str, ...]  # PE names
    unreachable: tuple[str, ...]  # cloud names
    imposed: tuple[str, ...]
    header_bytes: int
    phases: tuple[PlanPhase, ...]
    notes: tuple[str, ...]
    no_room: tuple[str, ...] = ()  # those of ``unreachable`` whose way background fills


class PlanNode(msgspec.Struct, frozen=True):
    """One router: its state and the tables it holds."""

    name: str
    state_entries: int
    tables: tuple[Section, ...]


class PlanResult(msgspec.Struct, frozen=True):
    """``mcastplan.plan/1``: one scheme's tables, walked before they are shown."""

    schema: str
    scenario: str
    scheme: str
    assumptions: tuple[str, ...]
    transfers: tuple[PlanTransfer, ...]
    nodes: tuple[PlanNode, ...]  # the node asked for, or every router a packet meets
    state_entries: int  # over all nodes, shown or not
    full_of_background: str | None = None  # which arcs, in words
