"""What the tests of SR-P2MP's forwarding plane do inside a sandbox."""

from __future__ import annotations

import random
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

from mcastlab import counters
from mcastlab.network import link_local
from mcastlab.schemes.sr_segments import (
    DROPPED,
    Branch,
    Segment,
    policy_value,
    segment_value,
    sid,
    sid_key,
    stream_keys,
)
from mcastplan.lab.spec import PROBE_PORT
from mcastplan.wire import ip, tunnels
from tests.emulation.bier_node import BUDGET_S, INNER_PACKETS, ipv4
from tests.emulation.sr_network import (
    HOLD_S,
    Bench,
    diamond,
    drained,
    frames,
    left,
    mac,
    numbered,
    origin_socket,
    raw,
    receivers,
    spec_of,
    summary,
)

SETTLE_S = 0.2  # for frames under way on veth pairs, which take microseconds


def on_the_wire() -> dict[str, Any]:
    """One probe and one announcement: frames from A at B's port, and at D's site; counters."""
    bench = Bench(diamond())
    with bench.running():
        tree = bench.tree()
        tree.compute("open", 0, frozenset())
        b, d = bench.router("B").host, bench.spec.site["c000-D"]
        core = raw(bench.network, b, bench.port("B", "A").name)
        site = raw(bench.network, d.replicas[0].host, "eth0")
        start = origin_socket(bench.network, bench.push)
        for group in (bench.push.group, bench.push.group, bench.push.announce):
            start.sendto(b"sixteen bytes...", (group, PROBE_PORT))
        time.sleep(SETTLE_S)
        source = start.getsockname()[1]
        return {
            "core": [
                each.hex() for each in frames(core) if each[12:14] == b"\x86\xdd" and each[20] == 4
            ],
            "site": [
                each.hex()
                for each in frames(site)
                if each[:3] == b"\x01\x00\x5e" and each[23] == 17
            ],
            "port": source,
            "drops": left(_drops(bench)),
        }


def pinned() -> dict[str, Any]:
    """A's branch to D is pinned to the link to C, where the FIB goes by B; D, by B again, to A.

    The segments are written by hand: no planner pins here.
    """
    bench = Bench(diamond())
    with bench.running():
        push, spec = bench.push, bench.spec
        index = bench.plane.ifindex()
        a, b, c, d = (bench.router(name) for name in "ABCD")
        ac, dc = bench.port("A", "C"), bench.port("C", "D")
        cd_in = bench.port("D", "C")
        sites = {name: spec.site[name] for name in ("c000-D", "c001-B")}
        key = sid_key(push, 1)
        segments = {
            # An ordinary branch beside the pinned one: only the latter has an SRH.
            a.host: Segment((Branch(c, (ac, index[a.host, ac.name])), Branch(b, None)), ()),
            c.host: Segment((Branch(d, (dc, index[c.host, dc.name])),), ()),
            d.host: Segment((), ((sites["c000-D"], index[d.host, sites["c000-D"].port]),)),
            b.host: Segment((), ((sites["c001-B"], index[b.host, sites["c001-B"].port]),)),
        }
        for host, segment in segments.items():
            bench.routers.segments[host].update(key, segment_value(segment, push, 1))
        for stream in stream_keys(push):
            bench.routers.policies[a.host].update(stream, policy_value(push, 1))
        taps = {
            "B": raw(bench.network, b.host, bench.port("B", "A").name),
            "C": raw(bench.network, c.host, bench.port("C", "A").name),
            "D": raw(bench.network, d.host, cd_in.name),
        }
        targets = receivers(bench.network, spec, push)
        start = origin_socket(bench.network, push)
        numbered(start, push.group, 10, 0.001)
        got = drained(targets)
        # B as a bud: its branch to D has an SRH, what it delivers has none.
        bd = bench.port("B", "D")
        branch = Branch(d, (bd, index[b.host, bd.name]))
        segments = {
            a.host: Segment((Branch(b),), ()),
            b.host: Segment((branch,), segments[b.host].sites),
        }
        for host, segment in segments.items():
            bench.routers.segments[host].update(key, segment_value(segment, push, 1))
        numbered(start, push.group, 10, 0.001)
        return {
            "bud": drained(targets),
            "frames": {
                name: [each.hex() for each in frames(tap) if each[38:40] != b"\xff\x02"][:1]
                for name, tap in taps.items()
            },
            "got": got,
            "drops": left(_drops(bench)),
        }


def unresolved() -> dict[str, Any]:
    """A forgets B's MAC address: the kernel asks for it. Then A's route to B goes. Then packets are
    too large for an outer header."""
    bench = Bench(diamond())
    with bench.running():
        bench.tree().compute("open", 0, frozenset())
        a, port = bench.router("A").host, bench.port("A", "B")
        targets = receivers(bench.network, bench.spec, bench.push)
        start = origin_socket(bench.network, bench.push)
        neighbour = link_local(port.peer_mac)
        bench.network.run(a, "ip", "neigh", "del", neighbour, "dev", port.name)
        numbered(start, bench.push.group, 20, 0.005)
        asked = {"got": drained(targets), "counted": left(_drops(bench))}
        resolved, copies = (bench.plane.counters()[name] for name in ("resolved", "copies"))
        for each in ("B", "D"):
            bench.network.run(a, "ip", "route", "del", bench.router(each).locator)
        numbered(start, bench.push.group, 20, 0.001)
        lost = {"got": drained(targets), "counted": left(_drops(bench))}
        via = f"{bench.router('B').locator} via {neighbour} dev {port.name}"
        bench.network.run(a, "ip", "route", "add", *via.split())
        start.sendto(bytes(1452), (bench.push.group, PROBE_PORT))
        large = {"got": drained(targets), "counted": left(_drops(bench))}
        return {
            "resolved": resolved,
            "copies": copies,
            "asked": asked,
            "lost": lost,
            "large": large,
        }


def copies(which: str, count: int) -> dict[str, Any]:
    """A train through the tree: packets on every arc, numbers at every cloud."""
    bench = Bench(spec_of(which))
    with bench.running():
        tree = bench.tree()
        tree.compute("open", 0, frozenset())
        targets = receivers(bench.network, bench.spec, bench.push)
        start = origin_socket(bench.network, bench.push)
        before = counters.read(bench.network)
        numbered(start, bench.push.group, count, 0.002)
        got = drained(targets)
        after = counters.read(bench.network)
        # Bytes of the train's own size: neighbour discovery sends some small packets besides.
        frame = 14 + 40 + 28 + 200
        core = {
            str(port.arc): (
                after[router.host, port.name].tx_bytes - before[router.host, port.name].tx_bytes
            )
            / (frame * count)
            for router in bench.spec.routers
            for port in router.ports
        }
        resolved = bench.plane.counters()["resolved"]
        tree.close()
        held = {host: len(list(each.items())) for host, each in bench.routers.segments.items()}
        return {
            "core": core,
            "got": summary(got, count),
            "drops": left(_drops(bench)),
            "resolved": resolved,
            "held": {host: count for host, count in held.items() if count},
        }


def switches(update: Literal["make-before-break", "in-place"], times: int) -> dict[str, Any]:
    """Probes while the tree moves between its two shapes, by a new instance or in place."""
    bench = Bench(diamond(update))
    with bench.running():
        tree = bench.tree()
        tree.compute("open", 0, frozenset())
        cut = bench.arcs("B", "D")
        targets = receivers(bench.network, bench.spec, bench.push)
        start = origin_socket(bench.network, bench.push)
        gap_s, each_s = 0.0005, HOLD_S / 5
        sent = round(times * each_s / gap_s) + 1000
        train = threading.Thread(target=numbered, args=(start, bench.push.group, sent, gap_s))
        train.start()
        rounds = []
        for number in range(times):
            time.sleep(each_s)
            tree.tidy(time.monotonic_ns())
            down = cut if number % 2 == 0 else frozenset()
            rounds.append(tree.compute("change", time.monotonic_ns(), down))
        train.join()
        got = drained(targets)
        time.sleep(HOLD_S)
        tree.tidy(time.monotonic_ns())
        held = {
            host: sorted(key.hex() for key, _ in each.items())
            for host, each in bench.routers.segments.items()
        }
        return {
            "got": summary(got, sent),
            "kinds": sorted({each.kind for each in rounds}),
            "instances": sorted({each.instance for each in rounds}),
            "held": {host: keys for host, keys in held.items() if keys},
            "routers": {router.host: router.name for router in bench.spec.routers},
            "drops": left(_drops(bench)),
        }


def _drops(bench: Bench, host: str | None = None) -> dict[str, int]:
    found = bench.plane.counters(host)
    return {name: found[name] for name in DROPPED}


Frame = bytes
Maker = Callable[[random.Random], tuple[Frame, dict[str, int]]]


class Bad:
    """Frames that B, a bud with the leaf D below it, must not deliver; each with the counters that
    must show it, one for every router that drops a copy."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._push = bench, bench.push
        port = bench.port("A", "B")
        self._ethernet = mac(port.peer_mac) + mac(port.mac)
        self._source = bytes.fromhex("fd000000000100000000000000000001")
        self._sid = sid(bench.router("B"), bench.push, 1)
        self.makers: tuple[Maker, ...] = (
            self._short, self._unknown, self._hops, self._next_header, self._length, self._vlan,
            self._srh, self._short_srh, self._version, self._no_inner, self._inner,
            self._inner_length, self._inner_ttl, self._stream, self._other_host,
        )  # fmt: skip

    def good(self, number: int) -> Frame:
        return self._frame(self.outer(self._inner_packet(struct.pack("!I", number))))

    def outer(self, inner: bytes, to: bytes = b"", kind: int = 4, hops: int = 64) -> bytes:
        return ip.ipv6(self._source, to or self._sid, kind, len(inner), hops, 7) + inner

    def _frame(self, packet: bytes, kind: bytes = b"\x86\xdd") -> Frame:
        return self._ethernet + kind + packet

    def _inner_packet(
        self, body: bytes, ttl: int = 64, group: bytes = b"", source: bytes = b""
    ) -> bytes:
        ends = source or _address(self._push.origin.address), group or _address(self._push.group)
        udp = ip.udp(*ends, (5000, PROBE_PORT), body, len(body)) + body
        return ip.ipv4(*ends, 17, len(udp), ttl) + udp

    def _body(self, rng: random.Random) -> bytes:
        return b"\xff" * 4 + rng.randbytes(rng.randrange(0, 200))

    def _packet(self, rng: random.Random) -> bytes:
        return self._inner_packet(self._body(rng))

    def _short(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        whole = self._frame(self.outer(self._packet(rng)))
        return whole[: rng.randrange(15, 54)], {"truncated": 1}

    def _unknown(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        to = bytearray(self._sid)
        # Another function than 0, another instance, or something in the last 48 bits.
        to[rng.choice((6, 7, 8, 9, *range(10, 16)))] ^= rng.choice((1, 2, 4, 8))
        return self._frame(self.outer(self._packet(rng), bytes(to))), {"unknown SID": 1}

    def _hops(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        return self._frame(self.outer(self._packet(rng), hops=rng.randrange(2))), {"hop limit": 1}

    def _next_header(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        kind = rng.choice([each for each in range(256) if each not in (4, 43)])
        return self._frame(self.outer(self._packet(rng), kind=kind)), {"next header": 1}

    def _length(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        packet = bytearray(self.outer(self._packet(rng)))
        right = len(packet) - 40
        wrong = rng.choice([each for each in (0, 1, right - 1, right + 1, 65535) if each != right])
        struct.pack_into("!H", packet, 4, wrong)
        return self._frame(bytes(packet)), {"wrong length": 1}

    def _vlan(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        tag = b"\x81\x00" + struct.pack("!H", rng.randrange(4096)) + b"\x86\xdd"
        return self._frame(self.outer(self._packet(rng)), tag), {"VLAN tag": 1}

    def _srh(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        routing = bytearray(tunnels.srh([self._sid], 0, 4))
        place, values = rng.choice(
            ((0, (6, 41, 43)), (1, (0, 4)), (2, (0, 3)), (3, (1, 255)), (4, (1,)))
        )
        routing[place] = rng.choice(values)
        return self._frame(self.outer(bytes(routing) + self._packet(rng), kind=43)), {"SRH": 1}

    def _short_srh(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        routing = tunnels.srh([self._sid], 0, 4) + self._packet(rng)
        return self._frame(self.outer(routing[: rng.randrange(0, 44)], kind=43)), {"truncated": 1}

    def _version(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        packet = bytearray(self.outer(self._packet(rng)))
        packet[0] = rng.choice([each for each in range(16) if each != 6]) << 4
        return self._frame(bytes(packet)), {"not IPv6": 1}

    def _no_inner(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        return self._frame(self.outer(self._packet(rng)[: rng.randrange(0, 20)])), {"truncated": 1}

    def _inner(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        inner = bytearray(self._packet(rng))
        inner[rng.randrange(20)] ^= 1 << rng.randrange(8)  # the checksum holds no longer
        return self._frame(self.outer(bytes(inner))), {"malformed inner header": 2}

    def _inner_length(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        inner = self._packet(rng)
        longer = inner + bytes(rng.randrange(1, 9))
        return self._frame(self.outer(rng.choice((longer, inner[:-1])))), {"wrong length": 2}

    def _inner_ttl(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        inner = self._inner_packet(self._body(rng), ttl=rng.randrange(2))
        return self._frame(self.outer(inner)), {"inner TTL": 2}

    def _stream(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        group = rng.choice((b"", b"\xe8\x09\x09\x09", b"\x0a\x10\x01\x0a"))
        source = _address("198.18.1.3") if not group else b""
        inner = self._inner_packet(self._body(rng), group=group, source=source)
        return self._frame(self.outer(inner)), {"not this stream": 2}

    def _other_host(self, rng: random.Random) -> tuple[Frame, dict[str, int]]:
        frame = self._frame(self.outer(self._packet(rng)))
        return rng.choice((b"\x02\xaa\0\0\0\1", b"\x33\x33\0\0\0\1")) + frame[6:], {"other host": 1}


def malformed(count: int) -> dict[str, Any]:
    """Bad frames from A's end of the link to B, good ones among them."""
    bench = Bench(diamond())
    rng = random.Random(9524)
    with bench.running():
        bench.tree().compute("open", 0, frozenset())
        bad = Bad(bench)
        targets = receivers(bench.network, bench.spec, bench.push)
        injector = raw(bench.network, bench.router("A").host, bench.port("A", "B").name)
        # Nothing of what B drops may leave it, neither way.
        out = raw(bench.network, bench.router("A").host, bench.port("A", "C").name)
        expected: Counter[str] = Counter()
        good = 0
        for number in range(count):
            frame, drops = bad.makers[number % len(bad.makers)](rng)
            injector.send(frame)
            expected.update(drops)
            if number % 100 == 0:
                injector.send(bad.good(good))
                good += 1
            if number % 1000 == 0:
                time.sleep(0.005)  # at 100 Mb/s B's queue towards D must not fill
        got = drained(targets)
        return {
            "expected": dict(expected),
            "counted": left(_drops(bench)),
            "good": good,
            "got": summary(got, good),
            "leaked": len([each for each in frames(out) if each[38:40] != b"\xff\x02"]),
        }


def malformed_native(count: int) -> dict[str, Any]:
    """The same at the root's origin port: what an origin may send and no policy takes."""
    bench = Bench(diamond())
    rng = random.Random(8986)
    with bench.running():
        bench.tree().compute("open", 0, frozenset())
        origin, push = bench.push.origin, bench.push
        ends = _address(origin.address), _address(push.group)
        targets = receivers(bench.network, bench.spec, push)
        injector = raw(bench.network, origin.host, "eth0")

        def packet(ttl: int = 64, group: bytes = ends[1], body: bytes = b"\xff" * 8) -> bytes:
            udp = ip.udp(ends[0], group, (5000, PROBE_PORT), body, len(body)) + body
            return ip.ipv4(ends[0], group, 17, len(udp), ttl) + udp

        def frame(data: bytes, kind: bytes = b"\x08\x00") -> bytes:
            return ip.multicast_mac(ends[1]) + mac(origin.mac) + kind + data

        expected: Counter[str] = Counter()
        good = 0
        for number in range(count):
            whole = packet(body=rng.randbytes(rng.randrange(0, 100)))
            match number % 6:
                case 0:
                    bad, why = frame(whole[: rng.randrange(20, 28)]), "wrong length"
                case 1:
                    broken = bytearray(whole)
                    broken[rng.choice((0, 1, 8, 9, 10, 11))] ^= 1
                    bad, why = frame(bytes(broken)), "malformed inner header"
                case 2:
                    bad, why = frame(packet(ttl=rng.randrange(2))), "inner TTL"
                case 3:
                    bad, why = frame(whole + bytes(rng.randrange(1, 5))), "wrong length"
                case 4:
                    other = rng.choice((b"\xe8\x07\x07\x07", b"\xe0\x00\x01\x01"))
                    bad, why = frame(packet(group=other)), "unsteered"
                case _:
                    bad, why = frame(whole, b"\x81\x00\x00\x05\x08\x00"), "VLAN tag"
            injector.send(bad)
            expected[why] += 1
            if number % 100 == 0:
                injector.send(frame(packet(body=struct.pack("!I", good))))
                good += 1
        got = drained(targets)
        counted = bench.plane.counters()
        return {
            "expected": dict(expected),
            "counted": left({name: counted[name] for name in (*DROPPED, "unsteered")}),
            "good": good,
            "got": summary(got, good),
        }


def native(name: str) -> list[str]:
    """An inner packet from the origin, as it comes to D's site."""
    bench = Bench(diamond())
    with bench.running():
        bench.tree().compute("open", 0, frozenset())
        origin, push = bench.push.origin, bench.push
        packet = ipv4(source=origin.address, group=push.group, **INNER_PACKETS[name])
        site = raw(bench.network, bench.spec.site["c000-D"].replicas[0].host, "eth0")
        injector = raw(bench.network, origin.host, "eth0")
        to = ip.multicast_mac(_address(push.group))
        injector.send(to + mac(origin.mac) + b"\x08\x00" + packet)
        end_s, found = time.monotonic() + BUDGET_S, list[bytes]()
        while not found and time.monotonic() < end_s:
            heard = [each for each in frames(site) if each[12:14] == b"\x08\x00"]
            found = [each for each in heard if each[14 + 4 : 14 + 6] == b"\0\7"]
            time.sleep(0.01)
        return [each[14:].hex() for each in found]


def _address(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))
