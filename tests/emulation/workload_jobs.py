"""What the tests of shards, pulls, UFTP, trains and the probe do inside a sandbox."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec

from mcastlab import shards, uftp
from mcastlab.errors import LabError
from mcastlab.pacing import Pacer
from mcastlab.probe import Probe
from mcastlab.pull import Server
from mcastlab.replica import Replica, watch
from mcastlab.shaping import Shaped, tc_lines
from mcastlab.tap import Source, Tap
from mcastlab.trains import highest_rate
from mcastlab.workers import Channel, Worker, poll
from mcastplan.lab.spec import LabPush
from tests.emulation.small_network import SmallNetwork, origin, push

MODEL = Path("/run/model")
HERE = Path("/run/replicas")
PAYLOAD_BYTES = 1448
BUDGET_S = 60.0  # for a push of a few seconds, on a busy machine
WIRE = 1538 / 1500  # of full packets, 38 B each


class Bench:
    """Replicas of one push on a small network, ready to begin."""

    def __init__(self, what: LabPush, transport: str, replicas: int, rate_bps: float = 0.0) -> None:
        self.push, self.transport = what, transport
        self.network = cast(Any, SmallNetwork(replicas))
        if rate_bps:
            for host in self.network.replicas:
                self.network.shape(host.host, rate_bps)
        self.manifest = shards.make(MODEL, what)
        self.taps = [Tap(self.network, host) for host in self.network.replicas]
        self.source = Source(self.network, what.origin)
        self.server = Server(self.network, what, MODEL) if transport == "http" else None
        self.replicas = [
            Replica(
                self.network,
                what,
                tap.replica,
                self.manifest,
                HERE / tap.replica.host,
                transport="http" if transport == "http" else "uftp",
                tap=tap,
            )
            for tap in self.taps
        ]
        for each in self.replicas:
            each.start()
        for each in self.replicas:
            each.wait_prepared()

    def session(self, rate_bps: float, evict_after_s: float = 10.0) -> uftp.Session:
        return uftp.Session(
            self.network,
            self.push,
            self.manifest,
            MODEL,
            self.network.replicas,
            rate_bps=rate_bps,
            payload_bytes=PAYLOAD_BYTES,
            evict_after_s=evict_after_s,
        )

    def run(
        self, session: uftp.Session | None, meanwhile: Callable[[Bench], None] | None = None
    ) -> None:
        """Begin, call ``meanwhile`` over and over, return once every replica is over."""
        for each in self.replicas:
            each.begin()
        if session is not None:
            session.start()
        end = time.monotonic() + BUDGET_S
        while not all(each.over for each in self.replicas):
            assert time.monotonic() < end, [each.stage for each in self.replicas]
            watch(self.replicas, 0.01)
            if session is not None and not session.poll():
                for host, why in session.outcome().gave_up.items():
                    self.named(host).give_up(why)
            if meanwhile is not None:
                meanwhile(self)

    def named(self, host: str) -> Replica:
        return next(each for each in self.replicas if each.replica.host == host)

    def finish(self, session: uftp.Session) -> uftp.Outcome:
        """Until the sender has ended."""
        end = time.monotonic() + BUDGET_S
        while session.poll():
            assert time.monotonic() < end
            watch(self.replicas, 0.01)
        session.stop()
        return session.outcome()

    def results(self) -> list[dict[str, Any]]:
        return [
            {
                "host": each.replica.host,
                "status": each.status,
                "why": each.why,
                "ready": each.ready_ns is not None,
                "ordered": _ordered(each),
            }
            for each in self.replicas
        ]


def _ordered(each: Replica) -> bool:
    """Whether the instants that there are follow one another."""
    instants = [
        each.request_ns,
        each.first_byte_ns,
        each.last_byte_ns,
        each.verified_ns,
        each.loaded_ns,
        each.ready_ns,
    ]
    here = [instant for instant in instants if instant is not None]
    return here == sorted(here)


def _flip(path: Path, at: int = 4000) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def _session(bench: Bench, rate_bps: float) -> uftp.Session | None:
    return bench.session(rate_bps) if bench.transport == "uftp" else None


def pushed(transport: str, load: str, size_bytes: int) -> dict[str, Any]:
    """A push without trouble."""
    bench = Bench(push(size_bytes, 3, load), transport, 3)
    session = _session(bench, 40e6)
    bench.run(session)
    out: dict[str, Any] = {"replicas": bench.results()}
    if session is not None:
        out |= msgspec.to_builtins(bench.finish(session))
        out["bytes"] = [tap.data().bytes for tap in bench.taps] + [bench.source.data().bytes]
    else:
        assert bench.server is not None
        out["congestion_control"] = bench.server.congestion_control
    out["overlapped"] = [
        min(each.loaded.values()) < max(each.arrived.values()) for each in bench.replicas
    ]
    for each in bench.replicas:
        each.close()
    out["left"] = [path.name for path in HERE.rglob("*.safetensors")]
    return out


def corrupt_at_origin(transport: str) -> list[dict[str, Any]]:
    """A byte flips after the manifest was made: whoever gets the shard must notice."""
    bench = Bench(push(2_000_000, 2, "streamed"), transport, 2)
    _flip(MODEL / bench.manifest.shards[1].name)
    bench.run(_session(bench, 40e6))
    return bench.results()


def corrupt_on_disk() -> list[dict[str, Any]]:
    """A byte of a shard that has arrived flips at one replica, before it is hashed."""
    bench = Bench(push(2_000_000, 2), "http", 2, 10e6)
    first = bench.manifest.shards[0].name
    spoilt: list[str] = []

    def spoil(bench: Bench) -> None:
        if first in bench.named("h1").arrived and not spoilt:
            _flip(HERE / "h1" / first)
            spoilt.append(first)

    bench.run(None, spoil)
    return bench.results()


def resumed() -> dict[str, Any]:
    """The server dies in the middle of a shard and another one takes its place."""
    bench = Bench(push(4_000_000, 2), "http", 1, 20e6)
    shard = bench.manifest.shards[0].size_bytes
    second: list[Server] = []

    def restart(bench: Bench) -> None:
        if not second and bench.replicas[0].share * bench.push.size_bytes > shard / 2:
            assert bench.server is not None
            bench.server.close()
            second.append(Server(bench.network, bench.push, MODEL))

    bench.run(None, restart)
    bench.replicas[0].close()
    _ended(second[0])
    served = second[0].served[0]
    once = served.sent_bytes - served.retransmitted_bytes
    return {"replicas": bench.results(), "sent": once}


def kept_alive() -> dict[str, Any]:
    """The link is down for a second: TCP goes on where it was."""
    bench = Bench(push(4_000_000, 2), "http", 1, 20e6)
    instants: list[float] = []

    def cut(bench: Bench) -> None:
        now = time.monotonic()
        if not instants and bench.replicas[0].share > 0.3:
            bench.network.link("h1", "down")
            instants.append(now)
        elif len(instants) == 1 and now > instants[0] + 1.0:
            bench.network.link("h1", "up")
            instants.append(now)

    bench.run(None, cut)
    bench.replicas[0].close()
    assert bench.server is not None
    _ended(bench.server)
    return {
        "replicas": bench.results(),
        "connections": len(bench.server.served),
        "again": bench.server.retransmitted_bytes(),
    }


def _ended(server: Server) -> None:
    end = time.monotonic() + BUDGET_S
    while server.retransmitted_bytes() == 0 and not server.served:
        assert time.monotonic() < end
        time.sleep(0.01)


def on_the_wire() -> dict[str, Any]:
    """What UFTP's data packets look like, and how fast they leave."""
    bench = Bench(push(8_000_000, 1), "uftp", 1)
    session = bench.session(30e6)
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    raw.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE
    raw.bind(("b-o1", 0))
    raw.setblocking(False)
    lengths: set[int] = set()

    def look(_: Bench) -> None:
        while True:
            try:
                packet = raw.recv(2048)
            except BlockingIOError:
                return
            if packet[9] == socket.IPPROTO_UDP and packet[29] == 9 and packet[16] == 232:
                lengths.add(int.from_bytes(packet[2:4], "big"))

    bench.run(session, look)
    sent = bench.source.data()
    assert sent.first_ns is not None
    assert sent.last_ns is not None
    bits = (PAYLOAD_BYTES + uftp.HEADERS_BYTES) * 8 * (sent.packets - 1)
    rate_bps = bits / ((sent.last_ns - sent.first_ns) / 1e9)
    return {"length": max(lengths), "rate": rate_bps, "said": session.sent_bps}


def outage(seconds: float, evict_after_s: float) -> dict[str, Any]:
    """One of three receivers is cut off in the middle, for so long; a receiver's link has no room
    for more than the session's own rate."""
    rate_bps = 30e6
    bench = Bench(push(6_000_000, 2, "streamed"), "uftp", 3, rate_bps * WIRE / 0.95)
    session = bench.session(rate_bps, evict_after_s)
    instants: list[float] = []

    def cut(bench: Bench) -> None:
        now = time.monotonic()
        if not instants and bench.named("h2").share > 0.3:
            bench.network.link("h2", "down")
            instants.append(now)
        elif len(instants) == 1 and now > instants[0] + seconds:
            bench.network.link("h2", "up")
            instants.append(now)

    bench.run(session, cut)
    outcome = msgspec.to_builtins(bench.finish(session))
    repaired = bench.source.data().bytes - bench.push.size_bytes
    return {"replicas": bench.results(), "repaired": repaired, **outcome}


def paced() -> dict[str, list[str]]:
    """The origin's port before, while and after a session."""
    network: Any = SmallNetwork(1)
    shaped = msgspec.structs.replace(origin(), egress_bps=50e6)
    port = Shaped("o1", "eth0", 50e6, 0.0, "origin")
    out = {}
    for name, each in (("free", origin()), ("shaped", shaped)):
        if math.isfinite(each.egress_bps):
            network.run("o1", "tc", "-batch", "-", text="\n".join(tc_lines(port, 1500)) + "\n")
        pacer = Pacer(network, each)
        before = _queues(network)
        pacer.start(20e6, 1500)
        during = _queues(network)
        pacer.stop()
        out[name] = [before, during, _queues(network)]
    return out


def _queues(network: Any) -> str:
    show = (("qdisc",), ("class",))
    return "".join(network.run("o1", "tc", *what, "show", "dev", "eth0") for what in show)


def trains(rates_bps: list[float]) -> list[float]:
    """What is found for each rate of the narrowest of three receivers, over the right answer."""
    network: Any = SmallNetwork(3)
    taps = [Tap(network, each) for each in network.replicas]
    found = []
    for rate_bps in rates_bps:
        network.shape("h2", rate_bps)
        network.shape("h3", 1.5 * rate_bps)
        each = highest_rate(network, push(), taps, PAYLOAD_BYTES)
        found.append(each * WIRE / rate_bps)
    return found


def unreachable() -> str:
    """What trains say of a receiver that nothing reaches."""
    network: Any = SmallNetwork(2)
    taps = [Tap(network, each) for each in network.replicas]
    network.link("h2", "down")
    try:
        highest_rate(network, push(), taps, PAYLOAD_BYTES)
    except LabError as error:
        return str(error)
    return ""


def probed(unicast: bool, blackouts_s: list[float]) -> dict[str, Any]:
    """h2's port is down so often and so long; h3's for good at the end."""
    network: Any = SmallNetwork(3)
    taps = [Tap(network, each) for each in network.replicas]
    probe = Probe(network, push(), taps, unicast)
    probe.start()
    while len(probe.reached()) < len(taps):
        time.sleep(0.01)
    down_s = 0.0
    for seconds in blackouts_s:
        time.sleep(0.1)
        begin_ns = network.link("h2", "down")
        time.sleep(seconds)
        down_s += (network.link("h2", "up") - begin_ns) / 1e9
    network.link("h3", "down")
    time.sleep(0.1)
    found = msgspec.to_builtins(probe.stop())
    probe.close()
    return {"down_s": down_s, **found}


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    number: int


def workers() -> dict[str, Any]:
    """One worker answers, one fails, and both are in their own namespaces."""
    network: Any = SmallNetwork(1)

    def answer(channel: Channel[Ping]) -> None:
        while (ping := channel.receive()) is not None:
            channel.send(Ping(ping.number + 1))

    def fail(channel: Channel[Ping]) -> None:
        channel.receive()
        raise ValueError("out of paper")

    def look(channel: Channel[Ping]) -> None:
        channel.send(Ping(len(Path("/proc/thread-self/net/dev").read_text().splitlines()) - 2))

    made: list[Worker[Ping]] = [
        Worker(network, "h1", name, main, commands=Ping, events=Ping)
        for name, main in (("answers", answer), ("fails", fail), ("looks", look))
    ]
    made[0].send(Ping(1))
    answered = made[0].receive().number
    ports = made[2].receive().number
    made[1].send(Ping(1))
    said = ""
    try:
        for _ in poll(made[1:2], BUDGET_S):
            pass
    except LabError as error:
        said = str(error)
    pids = [each.pid for each in made]
    for each in made:
        each.close()
    alive = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    return {"answered": answered, "said": said, "ports": ports, "alive": alive, "me": os.getpid()}


def orphaned() -> bool:
    """Whether a worker ends when the process that forked it dies."""
    network: Any = SmallNetwork(1)
    told, tell = os.pipe()
    engine = os.fork()
    if engine == 0:
        made: Worker[Ping] = Worker(
            network, "h1", "sleeper", lambda _: time.sleep(3600), commands=Ping, events=Ping
        )
        os.write(tell, str(made.pid).encode())
        os._exit(0)
    pid = int(os.read(told, 32))
    os.waitpid(engine, 0)
    end = time.monotonic() + BUDGET_S
    while _runs(pid):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
