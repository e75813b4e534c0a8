"""Every timer, with unit, value in each preset and source, in the one table that code, docs and
`mcastplan timers` read."""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

Preset = Literal["tuned", "frr-defaults", "no-bfd", "lab"]
PRESETS: tuple[Preset, ...] = get_args(Preset)
SpfThrottle = Literal["rfc8405", "frr-throttle"]


class Timers(msgspec.Struct, frozen=True):
    """Control-plane times [s]; the defaults are those of ``tuned``, `of` gives any preset's."""

    preset: Preset = "tuned"
    spf: SpfThrottle = "rfc8405"
    # Set-up of a new receiver set.
    announce_s: float = 0.060
    igmp_s: float = 0.010
    join_s: float = 0.010
    discovery_s: float = 0.100
    compute_s: float = 0.500
    program_s: float = 0.050
    signal_s: float = 0.100
    write_s: float = 0.000150
    # The IGP after an event.
    carrier_s: float = 0.010
    silent_s: float = 0.150
    adjacency_s: float = 1.0
    lsa_interval_s: float = 0.0
    flood_s: float = 0.005
    spf_initial_s: float = 0.050
    spf_short_s: float = 0.200
    spf_long_s: float = 5.0
    spf_learn_s: float = 0.500
    spf_holddown_s: float = 10.0
    spf_delay_s: float = 0.0
    spf_hold_s: float = 0.050
    spf_max_hold_s: float = 5.0
    spf_run_s: float = 0.005
    # Schemes and transport after an event.
    protect_s: float = 0.005
    pim_hello_s: float = 0.0
    mbb_hold_s: float = 10.0
    rto_s: float = 0.200

    @classmethod
    def of(cls, preset: Preset, **overrides: Any) -> Timers:
        """The preset's values, and what overrides them."""
        return cls(preset=preset, **{**_OTHER[preset], **overrides})


_FRR: dict[str, Any] = {"spf": "frr-throttle", "adjacency_s": 10.0, "lsa_interval_s": 5.0}
# Where a preset differs from ``tuned``.
_OTHER: dict[Preset, dict[str, Any]] = {
    "tuned": {},
    "frr-defaults": {**_FRR, "silent_s": 0.900},
    "no-bfd": {**_FRR, "silent_s": 40.0},
    "lab": {
        "spf": "frr-throttle",
        "silent_s": 0.300,
        "adjacency_s": 1.2,
        "flood_s": 0.001,
        "spf_delay_s": 0.050,
        "spf_hold_s": 0.200,
        "spf_run_s": 0.001,
    },
}


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
        "one router handles a Join or Prune and writes its mroute, per hop (PIM)",
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
        "one forwarding entry written at one node: FIB, BIFT or mroute",
        "FIB download 10 to 150 us per prefix, the slow end",
    ),
    TimerRow(
        "carrier",
        "both ends of a link see its carrier go",
        "FRR 8.4.4 on a square of routers: outage of 12 to 14 ms with an SPF delay of 0",
    ),
    TimerRow(
        "silent",
        "a failure without loss of carrier is noticed: BFD, else the IGP's dead timer",
        "RFC 5880: multiplier x interval, 3 x 50 ms (FRR's default 3 x 300 ms, lab 3 x 100 ms);"
        " RFC 2328: RouterDeadInterval 40 s",
    ),
    TimerRow(
        "adjacency",
        "from link up to a full IGP adjacency",
        "RFC 2328 HelloInterval 10 s; with hellos each second FRR 8.4.4 was up in 1.2 s; tuned:"
        " stated guess",
    ),
    TimerRow(
        "lsa_interval",
        "least time between two originations of one router's LSA",
        "RFC 2328 MinLSInterval 5 s, also FRR's default; 0 where tuned",
    ),
    TimerRow(
        "flood",
        "one router originates, or receives and passes on, an LSA",
        "1 to 30 ms per hop; lab: the low end",
    ),
    TimerRow(
        "spf_initial",
        "rfc8405: INITIAL_SPF_DELAY, in QUIET",
        "RFC 8405 section 6, its default",
    ),
    TimerRow(
        "spf_short",
        "rfc8405: SHORT_SPF_DELAY, in SHORT_WAIT",
        "RFC 8405 section 6, its default",
    ),
    TimerRow(
        "spf_long",
        "rfc8405: LONG_SPF_DELAY, in LONG_WAIT",
        "RFC 8405 section 6, its default",
    ),
    TimerRow(
        "spf_learn",
        "rfc8405: TIME_TO_LEARN_INTERVAL, then SHORT_WAIT becomes LONG_WAIT",
        "RFC 8405 section 6, its default",
    ),
    TimerRow(
        "spf_holddown",
        "rfc8405: HOLDDOWN_INTERVAL without an event, then QUIET again",
        "RFC 8405 section 6, its default",
    ),
    TimerRow(
        "spf_delay",
        "frr-throttle: least time from an event to the SPF",
        "FRR ospfd 'timers throttle spf 0 50 5000'; lab: 50 200 5000",
    ),
    TimerRow(
        "spf_hold",
        "frr-throttle: hold time after an SPF; each SPF due to events during it adds as much again",
        "FRR ospfd 'timers throttle spf 0 50 5000'; lab: 50 200 5000",
    ),
    TimerRow(
        "spf_max_hold",
        "frr-throttle: largest hold time between two SPFs",
        "FRR ospfd 'timers throttle spf 0 50 5000'",
    ),
    TimerRow(
        "spf_run",
        "one SPF runs",
        "stated guess: some 5 us per router at 1,000 routers; lab: a dozen routers",
    ),
    TimerRow(
        "protect",
        "a router puts a pre-computed backup in place (LFA, TI-LFA, BIER-FRR, MoFRR)",
        "stated guess; with detection it stays under the 50 ms of draft-ietf-bier-frr and RFC 7431",
    ),
    TimerRow(
        "pim_hello",
        "from link up until PIM's Hellos are heard over it; a Join before is not sent (PIM)",
        "RFC 7761 section 4.3.1: sent within Triggered_Hello_Delay, 5 s; 0: at once, so before the"
        " IGP adjacency. FRR may wait for the next periodic one, 30 s at most",
    ),
    TimerRow(
        "mbb_hold",
        "the old tree lives on after the root has switched (SR-P2MP make-before-break)",
        "stated guess",
    ),
    TimerRow(
        "rto",
        "first retransmission timeout of a TCP pull, doubled each time",
        "Linux TCP_RTO_MIN 200 ms; RFC 6298 section 5.5 doubles it",
    ),
)
