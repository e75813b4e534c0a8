"""What each port may send, made by HTB.

Rates are wire rates: ``overhead 24`` adds what a veth does not carry (preamble 8, FCS 4, gap 12) to
the 14 B of Ethernet header that the kernel counts, 38 B a packet as in the planner. ``burst`` and
``cburst`` are 1 ms of rate (the default of `tc` runs 3 to 5 % low), the queue is 20 ms of rate, so
that overload shows as loss soon. Packets marked CS6 (OSPF, BFD, PIM) have a class of their own that
is served first: a full queue of data must not look like a dead neighbour.

Not modelled: a router's shared buffers, RED or ECN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from mcastplan.errors import UsageError
from mcastplan.lab.scale import MOST_BPS
from mcastplan.lab.spec import LabSpec
from mcastplan.units import BITS_PER_BYTE, show_rate

ETHERNET_BYTES = 14  # counted by the kernel
WIRE_BYTES = 24  # preamble, FCS and gap: not counted by it
BURST_S = 1e-3
QUEUE_S = 20e-3
QUEUE_PACKETS = 16  # at least
CONTROL_SHARE = 0.1  # of the rate is guaranteed to CS6; what it leaves is the data's
CONTROL_DSFIELD = 0xC0
# Two packets in 100 ms: below that BFD's own packets would not fit between those of the data.
SLOWEST_PACKETS_PER_S = 20
NETEM_LEAST_BYTES = 64  # the shortest packet that netem's queue, counted in packets, must hold


class Shaped(msgspec.Struct, frozen=True):
    """A port that does not send at the speed of the machine. ``link`` names it in messages."""

    host: str
    port: str
    rate_bps: float  # infinity: not shaped
    delay_s: float
    link: str


def shaped_ports(spec: LabSpec) -> tuple[Shaped, ...]:
    """Every port with a rate or a delay: core both ways, sites' edges and fabric, origins."""
    return tuple(
        port
        for port in _ports(spec)
        if math.isfinite(port.rate_bps) or (spec.netem and port.delay_s)
    )


def _ports(spec: LabSpec) -> Iterator[Shaped]:
    for router in spec.routers:
        for port in router.ports:
            delay_s = port.delay_s if spec.netem else 0.0
            yield Shaped(router.host, port.name, port.rate_bps, delay_s, port.link)
    for site in spec.sites:
        name = f"cloud:{site.cloud}"
        yield Shaped(site.router, site.port, site.ingress_bps, 0.0, f"{name} ingress")
        yield Shaped(site.host, UPLINK, site.egress_bps, 0.0, f"{name} egress")
        for replica in site.replicas:
            down = f"{name} fabric to replica {replica.index}"
            yield Shaped(site.host, downlink(replica.index), site.fabric_bps, 0.0, down)
    for push in spec.pushes:
        if push.origin in spec.origins and _first(spec, push.origin.host) == push.transfer:
            link = f"origin:{push.transfer} egress"
            yield Shaped(push.origin.host, "eth0", push.origin.egress_bps, 0.0, link)


def _first(spec: LabSpec, host: str) -> str:
    """The first transfer of an origin, which its access link is named by."""
    return next(push.transfer for push in spec.pushes if push.origin.host == host)


UPLINK = "u1"  # of a site's bridge, towards its PE


def downlink(index: int) -> str:
    """The site's port towards one replica."""
    return f"d{index}"


def burst_bytes(rate_bps: float, mtu: int) -> int:
    """1 ms of rate, and at least two packets: a bucket below one stalls HTB."""
    return max(math.ceil(rate_bps * BURST_S / BITS_PER_BYTE), 2 * _wire(mtu))


def queue_bytes(rate_bps: float, mtu: int) -> int:
    """What waits before the port drops, as the kernel counts it (without preamble, FCS, gap)."""
    time = math.ceil(rate_bps * QUEUE_S / BITS_PER_BYTE)
    return max(time, QUEUE_PACKETS * (mtu + ETHERNET_BYTES))


def check(port: Shaped, mtu: int) -> None:
    """Raises `UsageError` for a rate that HTB would take and not keep, naming link and rate."""
    if port.rate_bps == math.inf:
        return
    slowest = SLOWEST_PACKETS_PER_S * _wire(mtu) * BITS_PER_BYTE
    if not port.rate_bps >= slowest:
        raise UsageError(
            f"link {port.link}: {show_rate(port.rate_bps)} is under {show_rate(slowest)}, the least"
            f" that can be shaped beside routing; raise --rate-scale"
        )
    if port.rate_bps > MOST_BPS:
        raise UsageError(
            f"link {port.link}: {show_rate(port.rate_bps)} cannot be shaped (at most"
            f" {show_rate(MOST_BPS)}); lower --rate-scale"
        )


def tc_lines(port: Shaped, mtu: int) -> list[str]:
    """Input for ``tc -batch`` in the port's namespace. Raises as `check` does."""
    check(port, mtu)
    dev = f"dev {port.port}"
    if port.rate_bps == math.inf:
        return [f"qdisc replace {dev} root handle 1: netem {_netem(port, mtu)}"]
    rate, burst = round(port.rate_bps), burst_bytes(port.rate_bps, mtu)
    control = max(1, round(rate * CONTROL_SHARE))
    bucket = f"burst {burst} cburst {burst} quantum {_wire(mtu)} overhead {WIRE_BYTES}"
    lines = [
        f"qdisc replace {dev} root handle 1: htb default 10",
        f"class add {dev} parent 1: classid 1:1 htb rate {rate}bit ceil {rate}bit {bucket}",
        f"class add {dev} parent 1:1 classid 1:10 htb prio 1 rate {rate - control}bit"
        f" ceil {rate}bit {bucket}",
        f"class add {dev} parent 1:1 classid 1:20 htb prio 0 rate {control}bit"
        f" ceil {rate}bit {bucket}",
        # ``protocol`` is what the kernel takes a packet for, and stays IPv4 where eBPF has put BIER
        # in front, whose second octet may look like CS6: the frame's own ethertype has to fit too.
        f"filter add {dev} parent 1: protocol ip prio 1 u32 match u16 0x0800 0xffff at -2"
        f" match ip dsfield {CONTROL_DSFIELD:#x} 0xfc flowid 1:20",
        f"filter add {dev} parent 1: protocol ipv6 prio 2 u32 match u16 0x86dd 0xffff at -2"
        f" match ip6 priority {CONTROL_DSFIELD:#x} 0xfc flowid 1:20",
    ]
    for number in (10, 20):
        leaf = f"bfifo limit {queue_bytes(port.rate_bps, mtu)}"
        if port.delay_s:
            leaf = f"netem {_netem(port, mtu)}"
        lines.append(f"qdisc add {dev} parent 1:{number} handle {number}: {leaf}")
    return lines


def _netem(port: Shaped, mtu: int) -> str:
    """Delay, and a queue for what is on the way as well as what waits; netem counts packets."""
    rate = min(port.rate_bps, MOST_BPS)
    held = rate * port.delay_s / BITS_PER_BYTE / NETEM_LEAST_BYTES
    waiting = queue_bytes(rate, mtu) / (mtu + ETHERNET_BYTES)
    return f"delay {port.delay_s * 1e6:.0f}us limit {math.ceil(held + waiting)}"


def _wire(mtu: int) -> int:
    return mtu + ETHERNET_BYTES + WIRE_BYTES
