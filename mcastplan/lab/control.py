"""Bytes on a link that are not the push: hellos, BFD, and the probe that measures outages.

Sizes are those on the wire: what the protocol's packet holds, IP, and 38 B of L1 and L2. Left out,
since together they stay far below a thousandth of a link that carries a megabyte: LSA refreshes and
floods, PIM Joins (one for each tree and minute), IGMP, ARP and neighbour discovery, UFTP's
announcements and the replies of its receivers.
"""

from __future__ import annotations

import msgspec

from mcastplan.evaluate.wire import FRAME_BYTES
from mcastplan.model.timers import Timers

_IPV4, _IPV6, _UDP = 20, 40, 8
# RFC 2328 section A.3.2: header 24, hello 20, and 4 for the one neighbour of a point-to-point link.
OSPF_HELLO_BYTES = 48 + _IPV4 + FRAME_BYTES
# RFC 5340 section A.3.2: header 16, hello 20, one neighbour 4.
OSPF6_HELLO_BYTES = 40 + _IPV6 + FRAME_BYTES
# RFC 5880 section 4.1: 24 B without authentication; over UDP (RFC 5881).
BFD_BYTES = 24 + _UDP + _IPV4 + FRAME_BYTES
BFD6_BYTES = 24 + _UDP + _IPV6 + FRAME_BYTES
# RFC 5880 section 6.8.7: each interval is shortened by 0 to 25 % at random.
BFD_JITTER = 0.875
BFD_MULTIPLIER = 3
# RFC 7761 section 4.9.2: header 4, Holdtime 6, LAN Prune Delay 8, DR Priority 8, Generation ID 8.
PIM_HELLO_BYTES = 34 + _IPV4 + FRAME_BYTES
PIM_HELLO_S = 1.0  # `ip pim hello 1 4`
# Where an adjacency comes up sooner than RFC 2328's HelloInterval allows, hellos go each second.
HELLO_S, FAST_HELLO_S = 10.0, 1.0
HELLOS_TO_DEATH = 4

# The probe: packets a second, the UDP payload of each, and how many pulls have one of their own;
# beyond those there is one for each cloud.
PROBE_PPS = 1000.0
PROBE_PAYLOAD_BYTES = 8
PROBE_STREAMS = 8
PROBE_S = 131.0  # what the taps have room for
# After routers have noticed that a link went down or came back the lab watches at least so long.
WATCH_S = 3.0


class Packets(msgspec.Struct, frozen=True):
    """So many packets a second on every direction of every link, and their bytes."""

    packets: float = 0.0
    wire_bytes: float = 0.0


def control(timers: Timers, scheme: str, *, v6: bool) -> Packets:
    """What routers say to each other when nothing happens. ``timers`` are the configured ones;
    ``v6``: ospf6d runs too, with a BFD session of its own."""
    rows: list[tuple[float, int]] = []  # (packets a second, bytes of each)
    if timers.preset == "no-bfd":
        hello_s = timers.silent_s / HELLOS_TO_DEATH
    else:
        hello_s = FAST_HELLO_S if timers.adjacency_s < HELLO_S else HELLO_S
        bfd_pps = BFD_MULTIPLIER / timers.silent_s / BFD_JITTER
        rows.append((bfd_pps, BFD_BYTES))
        if v6:
            rows.append((bfd_pps, BFD6_BYTES))
    rows.append((1 / hello_s, OSPF_HELLO_BYTES))
    if v6:
        rows.append((1 / hello_s, OSPF6_HELLO_BYTES))
    if scheme == "pim-sm":
        rows.append((1 / PIM_HELLO_S, PIM_HELLO_BYTES))
    return Packets(sum(pps for pps, _ in rows), sum(pps * size for pps, size in rows))


def watched_s(timers: Timers, at_s: float, up_at_s: float | None, *, silent: bool) -> float:
    """Until when a failure at ``at_s`` and its end are watched. ``timers`` are the configured
    ones: without BFD a silent link takes its dead interval to be missed."""
    down_s = at_s + (timers.silent_s if silent else 0.0) + WATCH_S
    return down_s if up_at_s is None else max(down_s, up_at_s + timers.adjacency_s + WATCH_S)


def probe_bytes(header_bytes: float = 0.0) -> float:
    """One packet of the probe on the wire, under so many bytes of scheme header."""
    return PROBE_PAYLOAD_BYTES + _UDP + _IPV4 + header_bytes + FRAME_BYTES
