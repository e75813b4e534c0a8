"""Every timer, with unit, default and source, in the one table that code and docs read."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Preset = Literal["tuned", "frr-defaults", "no-bfd", "lab"]
PRESETS: tuple[str, ...] = get_args(Preset)


class Timers(msgspec.Struct, frozen=True):
    """Control-plane times [s]. The setup terms are the same in every preset."""

    preset: Preset = "tuned"
    announce_s: float = 0.060
    igmp_s: float = 0.010
    join_s: float = 0.010
    discovery_s: float = 0.100
    compute_s: float = 0.500
    program_s: float = 0.050
    signal_s: float = 0.100
    write_s: float = 0.000150


class TimerRow(msgspec.Struct, frozen=True):
    """One timer as a scenario names it."""

    key: str
    meaning: str
    source: str

    @property
    def field(self) -> str:
        return f"{self.key}_s"


TIMER_ROWS: tuple[TimerRow, ...] = (
    TimerRow(
        "announce",
        "the push is announced to its receivers (every scheme)",
        "UFTP 4.10.2 closed-group announce and register, measured 0.06 s",
    ),
    TimerRow(
        "igmp",
        "receiver's IGMPv3 report to its PE, processing (PIM)",
        "stated guess; RFC 3376 section 5.1 sends the first report at once",
    ),
    TimerRow(
        "join",
        "one router handles a Join and writes its mroute, per hop (PIM)",
        "stated guess; no published figure found",
    ),
    TimerRow(
        "discovery",
        "the controller learns the leaves (SR-P2MP)",
        "stated guess: one BGP update through a route reflector",
    ),
    TimerRow(
        "compute",
        "the controller computes the tree (SR-P2MP)",
        "stated guess, low end of 0.5 to 5 s for a PCE round; no published figure found",
    ),
    TimerRow(
        "program",
        "the controller programs nodes in parallel and hears their acks (SR-P2MP)",
        "stated guess",
    ),
    TimerRow(
        "signal",
        "overlay signal BFER or egress PE to the ingress (BIER, ingress replication)",
        "stated guess: one BGP update through a route reflector",
    ),
    TimerRow(
        "write",
        "one forwarding entry written at one node",
        "FIB download 10 to 150 us per prefix, the slow end",
    ),
)
