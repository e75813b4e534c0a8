"""Which BitString length and which numbering of BFR-ids suit this network and these receivers.

A long BitString makes fewer packets, each with a longer header (12 + BSL/8 B, RFC 8296); BFR-ids
that follow the tree put neighbours into one set identifier (RFC 8279 section 3). Every choice is
installed and folded (under ``ecmp: hash`` walked) like any plan. Compared are wire bytes on core
arcs; what is not: BIFT rows (the same for every choice), completion time, receivers to come.
"""

from __future__ import annotations

import msgspec

from mcastplan.errors import InfeasibleError
from mcastplan.evaluate.scheme import Context, Installed, install
from mcastplan.evaluate.wire import payload_bytes, wire_factor
from mcastplan.model.results import BierChoice
from mcastplan.schemes.base import loads
from mcastplan.schemes.bier import Bier, homes
from mcastplan.schemes.bift import BSL_CODE, header_bytes, set_identifier

NUMBERINGS = ("dense", "by-tree")


def bier_choice(context: Context) -> tuple[BierChoice, ...]:
    """A row per BitString length and numbering; none where BIER is left out, or cannot serve.

    The best is feasible with the fewest core wire bytes; ties go to the shorter header, then to
    what the scenario says, then to `dense`.
    """
    schemes = context.scenario.schemes
    if schemes.only is not None and Bier.name not in schemes.only:
        return ()
    single = sum(len(context.routes.union(each.origin, each.pes)) for each in context.demands)
    rows = [
        _row(context, bsl, numbering, single)
        for bsl in sorted(BSL_CODE)
        for numbering in NUMBERINGS
    ]
    feasible = [row for row in rows if row.feasible]
    if not feasible:
        return ()
    best = min(feasible, key=lambda row: (row.wire_bytes, row.header_bytes, not row.configured))
    return tuple(msgspec.structs.replace(row, best=True) if row is best else row for row in rows)


def better_choice(rows: tuple[BierChoice, ...]) -> str | None:
    """One sentence where another choice beats the scenario's; None where none does."""
    ours = next((row for row in rows if row.configured and row.feasible), None)
    best = next((row for row in rows if row.best), None)
    if best is None or best is ours:
        return None
    name = f"bier: BSL {best.bsl}"
    if ours is None:
        return f"{name}, BFR-ids {best.numbering} would serve this scenario"
    assert best.wire_bytes is not None and ours.wire_bytes is not None
    if best.numbering != ours.numbering:
        name += f", BFR-ids {best.numbering},"
    saved = 1 - best.wire_bytes / ours.wire_bytes if ours.wire_bytes else 0.0
    if saved < 0.0005:
        return None
    numbering = f", {ours.numbering}" if best.numbering != ours.numbering else ""
    return f"{name} would carry {saved:.1%} fewer core bytes than BSL {ours.bsl}{numbering}"


def _row(context: Context, bsl: int, numbering: str, single: int) -> BierChoice:
    """``single``: core copies of trees without set identifiers."""
    options = context.scenario.schemes.bier
    row = BierChoice(
        bsl=bsl,
        numbering=numbering,
        set_identifiers=set_identifier(len(homes(context.scenario)), bsl)[0] + 1,
        core_copies=None,
        preorder_copies=None,
        copies_ratio=None,
        header_bytes=header_bytes(bsl),
        payload_bytes=None,
        wire_bytes=None,
        feasible=False,
        reason=None,
        configured=(bsl, numbering) == (options.bsl, options.bfr_ids),
        best=False,
    )
    chosen = msgspec.structs.replace(options, bsl=bsl, bfr_ids=numbering)
    schemes = msgspec.structs.replace(context.scenario.schemes, bier=chosen)
    scenario = msgspec.structs.replace(context.scenario, schemes=schemes)
    try:
        installed = install(msgspec.structs.replace(context, scenario=scenario), Bier)
    except InfeasibleError as limit:
        return msgspec.structs.replace(row, reason=str(limit))
    scheme = installed.scheme
    assert isinstance(scheme, Bier)
    copies, wire_bytes = _core(context, installed)
    return msgspec.structs.replace(
        row,
        core_copies=copies,
        preorder_copies=scheme.numbering_copies.get("by-tree"),
        copies_ratio=copies / single if single else None,
        payload_bytes=min(payload_bytes(scenario.mtu, plan) for _, plan in installed.plans),
        wire_bytes=wire_bytes,
        feasible=True,
    )


def _core(context: Context, installed: Installed) -> tuple[int, float]:
    """Copies of one packet of each transfer on core arcs, and wire bytes of the whole transfers."""
    copies, wire_bytes = 0, 0.0
    for demand, plan in installed.plans:
        payload, inner = payload_bytes(context.scenario.mtu, plan), plan.inner_bytes
        for load in loads(plan, context.routes):
            count = sum(each for each, _ in load.values())
            headers = sum(size for _, size in load.values())
            copies += count
            wire_bytes += demand.size_bytes * wire_factor(payload, inner, count, headers)
    return copies, wire_bytes
