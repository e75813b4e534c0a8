"""`plan` as a router's ``show`` commands would print it: never wrapped, one row a line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from mcastplan.cli.output import plain
from mcastplan.cli.show.page import WIDTH, aligned, some
from mcastplan.model.results import PlanNode, PlanPhase, PlanResult, PlanTransfer
from mcastplan.units import counted
from mcastplan.wire.capture import Capture

_MAX_ROUTERS = 40
_MAX_ARCS = 8


def show_plan(result: PlanResult, node: str | None) -> str:
    """The transfers, then the tables of ``node``, or of every ingress when it is None."""
    lines = [f"{result.scenario}: {result.scheme}, {_entries(result.state_entries)} in all"]
    for transfer in result.transfers:
        lines += ["", *_transfer(transfer, result.full_of_background)]
    origins = {transfer.origin for transfer in result.transfers}
    shown = [n for n in result.nodes if node is not None or n.name in origins]
    for router in shown:
        lines += ["", *_router(router)]
    others = [n for n in result.nodes if node is None and n.name not in origins]
    if others:
        lines += ["", *_others(others)]
    return "\n".join(lines) + "\n"


def show_capture(capture: Capture, target: str) -> str:
    """What the capture file holds, and that it holds no more."""
    packets = counted(capture.packets, "packet")
    if capture.all_packets > capture.packets:
        packets = f"the first {capture.packets:,} of {capture.all_packets:,} packets"
    frames = f"{counted(capture.frames, 'frame')} of {packets} on {counted(capture.arcs, 'arc')}"
    lost = f"; {counted(capture.expired, 'copy', 'copies')} ended by TTL" if capture.expired else ""
    return "\n" + "\n".join(_text(f"{target}: {frames}, payloads cut{lost}", "")) + "\n"


def _entries(number: int) -> str:
    return counted(number, "state entry", "state entries")


def _text(text: str, indent: str = "  ") -> list[str]:
    """A sentence, wrapped to the width of a page."""
    return textwrap.wrap(
        plain(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_on_hyphens=False,
    )


def _transfer(transfer: PlanTransfer, full_of_background: str | None) -> Iterator[str]:
    yield from _text(
        f"transfer {transfer.name}: from {transfer.origin} to"
        f" {counted(len(transfer.receivers), 'PE')} ({some(transfer.receivers, 8)}),"
        f" header {transfer.header_bytes} B",
        "",
    )
    no_way = [name for name in transfer.unreachable if name not in transfer.no_room]
    if no_way:
        yield from _text(f"UNREACHABLE: {some(no_way)}")
    if transfer.no_room:
        yield from _text(f"NO ROOM for {some(transfer.no_room)}: {full_of_background}")
    yield plain(f"  imposed at {transfer.origin}:")
    for line in transfer.imposed or ("nothing",):
        yield plain(f"    {line}")
    for phase in transfer.phases:
        yield from _phase(phase)
    for note in transfer.notes:
        yield from _text(f"note: {note}")


def _phase(phase: PlanPhase) -> Iterator[str]:
    copies = sum(number for _, number in phase.copies)
    yield from _text(
        f"phase {phase.name}: {counted(copies, 'copy', 'copies')} on"
        f" {counted(len(phase.copies), 'arc')}, delivered at"
        f" {counted(len(phase.delivered), 'PE')}"
    )
    if phase.meaning:
        yield from _text(phase.meaning, "    ")
    loaded = sorted(phase.copies, key=lambda item: -item[1])
    if loaded and loaded[0][1] > 1:
        most = [f"{arc} {number}" for arc, number in loaded if number > 1]
        yield from _text(f"more than one copy: {some(most, _MAX_ARCS)}", "    ")


def _router(router: PlanNode) -> Iterator[str]:
    yield plain(f"router {router.name}: {_entries(router.state_entries)}")
    if not router.tables:
        yield "  no tables for this scheme"
    for table in router.tables:
        yield plain(f"  {table.title}")
        yield from aligned(table.columns, table.rows, indent="    ")


def _others(routers: list[PlanNode]) -> Iterator[str]:
    yield f"Other routers on the way ({len(routers)}; --node NAME shows one, --json all):"
    listed = [f"{router.name} {router.state_entries}" for router in routers[:_MAX_ROUTERS]]
    width = max(map(len, listed)) + 3
    per_line = max(1, 96 // width)
    for start in range(0, len(listed), per_line):
        cells = listed[start : start + per_line]
        yield plain("  " + "".join(cell.ljust(width) for cell in cells).rstrip())
    if len(routers) > _MAX_ROUTERS:
        yield f"  and {len(routers) - _MAX_ROUTERS} more"
