"""What the tests of BIER on several routers do inside a sandbox, with routes but no daemons."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from mcastlab import follow
from mcastlab.errors import LabError
from mcastlab.faults import Faults
from mcastlab.network import Network
from mcastlab.schemes import Lab
from mcastlab.schemes import bier_maps as maps
from mcastlab.schemes.bier import Bier
from mcastplan.lab.build import build
from mcastplan.lab.spec import DATA_PORT, LabPush, LabSpec
from mcastplan.model.measurement import TableCheck
from mcastplan.scenario import load_scenario
from mcastplan.wire.bier import BierHeader
from tests.emulation.bier_node import listen
from tests.emulation.network_jobs import receiver, running, static_routes

RUN_DIR = Path("/run/mcastlab")
ID_64 = 0x10000  # BSL code 1, sub-domain 0, SI 0
BUDGET_S = 10.0
POLL_S = 0.02
SILENT_S = 0.3  # after which nothing more comes


def _scenario(
    links: Sequence[tuple[str, str, int]], clouds: Sequence[str], origin: str, bsl: int
) -> dict[str, Any]:
    nodes = sorted({node for a, b, _ in links for node in (a, b)})
    wide = {"ingress": "100Gbps", "egress": "100Gbps", "fabric": "200Gbps", "replicas": 1}
    return {
        "schema": "mcastplan.scenario/1",
        "name": "bier",
        "timers": "lab",
        "topology": {
            "name": "bier",
            "nodes": [{"name": name} for name in nodes],
            "links": [
                {"a": a, "b": b, "metric": metric, "capacity": "100Gbps"} for a, b, metric in links
            ],
        },
        "underlay": {"metric": "explicit"},
        "schemes": {"bier": {"bsl": bsl}},
        "clouds": [{"name": node.lower(), "node": node, **wide} for node in clouds],
        "transfers": [
            {
                "name": "push",
                "size": "100GB",
                "origin": {"node": origin, "egress": "100Gbps"},
                "to": "all",
            }
        ],
    }


@contextmanager
def _bier(spec: LabSpec) -> Iterator[tuple[Network, Bier]]:
    with running(spec) as network:
        static_routes(network, spec)
        scheme = Bier(Lab(spec, network, None, RUN_DIR))  # type: ignore[arg-type]
        try:
            scheme.start()
            yield network, scheme
        finally:
            scheme.stop()


def _speak(network: Network, push: LabPush, payload: bytes) -> None:
    """One datagram to each of the push's groups."""
    with network.inside(push.origin.host):
        speaker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own = socket.inet_aton(push.origin.address)
    speaker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
    speaker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 64)
    for group in (push.group, push.announce):
        speaker.sendto(payload, (group, DATA_PORT))
    speaker.close()


def _different(checks: Sequence[TableCheck]) -> list[Any]:
    return [msgspec.to_builtins(check) for check in checks if not check.same]


# RFC 8279 Figure 1. The cables' metrics are one hop each.
FIGURE_1 = (("A", "B", 10), ("B", "C", 10), ("C", "D", 10), ("B", "E", 10), ("C", "F", 10))
FIGURE_1_IDS = {"D": 1, "F": 2, "E": 3, "A": 4}


def figure_1() -> dict[str, Any]:
    """The RFC's own numbers: its BIFTs, and the BitString on every link for D, E and F."""
    spec = build(load_scenario(_scenario(FIGURE_1, "DEF", "A", 64)), schemes=["bier"])
    routers = tuple(
        msgspec.structs.replace(router, bfr_id=FIGURE_1_IDS.get(router.name))
        for router in spec.routers
    )
    spec = msgspec.structs.replace(spec, routers=routers)
    push, named = spec.pushes[0], spec.router_named
    with _bier(spec) as (network, scheme):
        scheme.open(push)
        ears = {}
        for name in "ABCDEF":
            for port in named[name].ports:
                with network.inside(named[name].host):
                    ears[f"{spec.router[port.peer].name}{name}"] = listen(port.name)
        sites = [
            receiver(network, site.replicas[0].host, DATA_PORT, push.group) for site in spec.sites
        ]
        _speak(network, push, b"figure 1")
        delivered = []
        for each in sites:
            each.settimeout(BUDGET_S)
            delivered.append(each.recv(2048).decode())
        links = {}
        for name, ear in ears.items():
            ear.setblocking(False)
            bits = sorted(_bitstrings(ear))
            if bits:
                links[name] = bits
        bifts = {name: _bift(network, scheme, spec, name) for name in ("A", "B", "C")}
    return {"links": links, "bifts": bifts, "delivered": delivered}


def _bitstrings(ear: socket.socket) -> Iterator[str]:
    """The lowest four bits of each BIER packet heard."""
    while True:
        try:
            frame = ear.recv(2048)
        except BlockingIOError:
            return
        if frame[12:14] == b"\xab\x37":
            yield f"{BierHeader.decode(frame[14:]).bits:04b}"


def _bift(network: Network, scheme: Bier, spec: LabSpec, name: str) -> list[str]:
    """Rows as RFC 8279 Figure 2 prints them: BFR-id, F-BM, neighbour."""
    router = spec.router_named[name]
    peers = {network.ifindex(router.host, port.name): port.peer for port in router.ports}
    value = scheme.loaded[router.host].map("bifts").lookup(maps.bift_key(ID_64))
    assert value is not None
    return [
        f"{bit} {f_bm:04b} {spec.router[peers[ifindex]].name if ifindex else 'self'}"
        for bit, (ifindex, f_bm) in maps.read_bift(value).items()
    ]


# A, B and C: two ways from everyone to everyone; one cloud each, and one more at the origin's PE.
TRIANGLE = (("A", "B", 10), ("B", "C", 12), ("A", "C", 25))


def triangle() -> LabSpec:
    return build(load_scenario(_scenario(TRIANGLE, "ABC", "A", 64)), schemes=["bier"])


def end_to_end() -> dict[str, Any]:
    """Both groups reach every site, the origin's own PE's too; tables are the planner's; what
    `close` and `stop` leave."""
    spec = triangle()
    push = spec.pushes[0]
    with _bier(spec) as (network, scheme):
        before_open = [len(check.found) for check in scheme.tables(push) if check.what == "BFIR"]
        scheme.open(push)
        different = _different(scheme.tables(push))
        sites = [
            receiver(network, site.replicas[0].host, DATA_PORT, push.group, push.announce)
            for site in spec.receiving(push)
        ]
        heard = []
        _speak(network, push, b"both")
        for each in sites:
            each.settimeout(BUDGET_S)
            heard.append([each.recv(2048).decode() for _ in range(2)])
        scheme.close(push)
        closed = [check.found for check in scheme.tables(push) if check.what != "BIFT"]
        drops = scheme.drops()
        scheme.stop()
        left = {
            router.host: network.run(router.host, "tc", "qdisc", "show").count("clsact")
            for router in spec.routers
        }
        pins = [str(each) for each in Path("/run/bpf").rglob("*bier*")]
    return {
        "before_open": before_open,
        "different": different,
        "heard": heard,
        "closed": closed,
        "drops": drops,
        "left": left,
        "pins": pins,
    }


def following() -> dict[str, Any]:
    """What A's BIFT says of C after its kernel's route moves, goes, comes, and its port dies."""
    spec = triangle()
    a, c = spec.router_named["A"], spec.router_named["C"]
    to = {spec.router[port.peer].name: port for port in a.ports}
    rows: dict[str, str] = {}
    with _bier(spec) as (network, scheme):

        def settled(name: str, *lines: str) -> None:
            network.batch("ip", {a.host: list(lines)})
            rows[name] = _row(scheme, network, spec, "A", c.loopback)

        def via(neighbour: str) -> str:
            return f"via {to[neighbour].peer_address}"

        rows["at first"] = _row(scheme, network, spec, "A", c.loopback)
        settled("replaced", f"route replace {c.loopback}/32 {via('C')}")
        settled("deleted", f"route del {c.loopback}/32")
        settled("added", f"route add {c.loopback}/32 {via('B')} metric 20")
        settled("worse added", f"route add {c.loopback}/32 {via('C')} metric 30")
        settled("better deleted", f"route del {c.loopback}/32 {via('B')} metric 20")
        settled("port down", f"link set {to['C'].name} down")
        settled("port up", f"link set {to['C'].name} up")
        settled(
            "next-hop object",
            f"nexthop add id 7 {via('B')} dev {to['B'].name}",
            f"route add {c.loopback}/32 nhid 7",
        )
        settled("object replaced", f"nexthop replace id 7 {via('C')} dev {to['C'].name}")
        settled("object gone", "nexthop del id 7")
        changes = scheme.follower.changes()
        again = scheme.follower.changes()
    return {
        "rows": rows,
        "order": all(each.heard_ns <= each.done_ns for each in changes),
        "again": len(again),
    }


def overrun() -> dict[str, Any]:
    """Far more route changes than the agent's socket holds come while it is stopped."""
    follow._BUFFER_BYTES = 1
    read_all, asked = follow._Kernel.read_all, RUN_DIR / "asked"

    def noted(kernel: follow._Kernel) -> list[follow.RouteChange]:
        with asked.open("a") as note:
            note.write(f"{kernel._host}\n")
        return read_all(kernel)

    follow._Kernel.read_all = noted  # type: ignore[method-assign, assignment]
    spec = triangle()
    a, c = spec.router_named["A"], spec.router_named["C"]
    to = {spec.router[port.peer].name: port for port in a.ports}
    with _bier(spec) as (network, scheme):
        worker = scheme.follower._worker
        assert worker is not None
        os.kill(worker.pid, signal.SIGSTOP)
        ways = [to["C"].peer_address, to["B"].peer_address]
        lines = [f"route replace {c.loopback}/32 via {ways[n % 2]}" for n in range(500)]
        network.batch("ip", {a.host: lines})
        os.kill(worker.pid, signal.SIGCONT)
        row = _row(scheme, network, spec, "A", c.loopback)
        shown = network.run(a.host, "ip", "route", "get", c.loopback)
    way = next(name for name, port in to.items() if port.peer_address in shown.split())
    return {"asked": asked.read_text().split().count(a.host), "row": row, "route": way}


def unmarked(sub_domain: int) -> dict[str, int]:
    """Packets in each class of the BFIR's ports after 50 of a push; OSPF and BFD do not run."""
    links, options = TRIANGLE, {"bsl": 64, "sub_domain": sub_domain}
    scenario = _scenario(links, "ABC", "A", 64) | {"schemes": {"bier": options}}
    spec = build(load_scenario(scenario), schemes=["bier"])
    a = spec.router_named["A"]
    with _bier(spec) as (network, scheme):
        scheme.open(spec.pushes[0])
        for _ in range(25):
            _speak(network, spec.pushes[0], b"no control traffic")
        sent = dict.fromkeys(("data", "control"), 0)
        for port in a.ports:
            shown = network.run(a.host, "tc", "-s", "class", "show", "dev", port.name)
            for name, number in (("data", "1:10"), ("control", "1:20")):
                found = re.search(rf"class htb {number} .*\n Sent \d+ bytes (\d+) pkt", shown)
                assert found is not None, shown
                sent[name] += int(found[1])
    return sent


def looped() -> dict[str, Any]:
    """A and B send C's bit to each other, as while an IGP converges: copies between them, what
    reaches B's site and C's, and what is dropped."""
    spec = triangle()
    push, named = spec.pushes[0], spec.router_named
    a, b, c = (named[name] for name in "ABC")
    there = next(port for port in a.ports if port.peer == b.host)
    back = next(port for port in b.ports if port.peer == a.host)
    with _bier(spec) as (network, scheme):
        for router, port in ((a, there), (b, back)):
            line = f"route replace {c.loopback}/32 via {port.peer_address}"
            network.batch("ip", {router.host: [line]})
        scheme.follower.changes()
        scheme.open(push)
        with network.inside(b.host):
            ear = listen(back.name)
        sites = {
            site.cloud: receiver(network, site.replicas[0].host, DATA_PORT, push.group)
            for site in spec.receiving(push)
        }
        _speak(network, push, b"round and round")
        sites["b"].settimeout(BUDGET_S)
        sites["b"].recv(2048)
        deadline = time.monotonic() + BUDGET_S
        while scheme.drops().get("TTL expired", 0) < 2 and time.monotonic() < deadline:
            time.sleep(POLL_S)
        time.sleep(POLL_S)
        ear.setblocking(False)
        ttls = sorted(_ttls(ear))
        heard = {}
        for cloud, each in sites.items():
            each.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                heard[cloud] = len(each.recv(2048))
        return {"ttls": ttls, "more": heard, "drops": scheme.drops()}


def _ttls(ear: socket.socket) -> Iterator[int]:
    """Of each BIER packet heard."""
    with contextlib.suppress(BlockingIOError):
        while True:
            frame = ear.recv(2048)
            if frame[12:14] == b"\xab\x37":
                yield frame[17]


def two_pushes() -> dict[str, Any]:
    """Two pushes of one origin at once, to B and C and to C alone; then the first one closes."""
    scenario = _scenario(TRIANGLE, "ABC", "A", 64)
    (first,) = scenario["transfers"]
    scenario["transfers"] = [
        {**first, "name": "both", "to": ["b", "c"]},
        {**first, "name": "one", "to": ["c"]},
    ]
    spec = build(load_scenario(scenario), schemes=["bier"])
    with _bier(spec) as (network, scheme):
        for push in spec.pushes:
            scheme.open(push)
        different = [_different(scheme.tables(push)) for push in spec.pushes]
        heard = [_heard(network, spec, push) for push in spec.pushes]
        scheme.close(spec.pushes[0])
        different.append(_different(scheme.tables(spec.pushes[1])))
        heard += [_heard(network, spec, push) for push in spec.pushes]
        return {"different": different, "heard": heard, "drops": scheme.drops()}


def _heard(network: Network, spec: LabSpec, push: LabPush) -> list[str]:
    """Clouds that a packet of the push reaches, of all there are."""
    sites = {
        site.cloud: receiver(network, site.replicas[0].host, DATA_PORT, push.group)
        for site in spec.sites
    }
    _speak(network, push, b"whose?")
    found = []
    for cloud, each in sites.items():
        each.settimeout(SILENT_S)
        with contextlib.suppress(TimeoutError):
            each.recv(2048)
            found.append(cloud)
        each.close()
    return found


def killed() -> dict[str, Any]:
    """The agent dies: whoever asks hears of it, and nothing is left all the same."""
    spec = triangle()
    push, said = spec.pushes[0], []
    with _bier(spec) as (network, scheme):
        worker = scheme.follower._worker
        assert worker is not None
        scheme.open(push)
        os.kill(worker.pid, signal.SIGKILL)
        select.select([worker], [], [], BUDGET_S)
        for ask in (scheme.drops, partial(scheme.tables, push)):
            try:
                ask()
            except LabError as error:
                said.append(str(error))
        scheme.stop()
        clsact = sum(
            network.run(router.host, "tc", "qdisc", "show").count("clsact")
            for router in spec.routers
        )
    pins = [str(each) for each in Path("/run/bpf").rglob("*bier*")]
    return {"said": said, "left": {"pins": pins, "clsact": clsact}}


def _row(scheme: Bier, network: Network, spec: LabSpec, name: str, loopback: str) -> str:
    """The BFR-NBR that the map has for this BFER, once the follower has heard of everything."""
    scheme.follower.changes()
    (bit,) = (router.bfr_id for router in spec.routers if router.loopback == loopback)
    row = [line for line in _bift(network, scheme, spec, name) if line.startswith(f"{bit} ")]
    return row[0].split()[2] if row else "nobody"


def latency(changes: int) -> dict[str, float]:
    """From reading a kernel's message to the row's being written, and from a cable's being pulled
    to a row's being gone [s]."""
    spec = triangle()
    a, c = spec.router_named["A"], spec.router_named["C"]
    with _bier(spec) as (network, scheme):
        for number in range(changes):
            port = a.ports[number % 2]
            line = f"route replace {c.loopback}/32 via {port.peer_address}"
            network.batch("ip", {a.host: [line]})
        written = [
            (each.done_ns - each.heard_ns) / 1e9
            for each in scheme.follower.changes()
            if each.host == a.host
        ]
        with Faults(network, spec) as faults:
            link = next(port.link for port in a.ports if spec.router[port.peer].name == "B")
            faults.prepare([link], False)
            at = faults.down([link], False)
            deadline = time.monotonic() + BUDGET_S
            gone: list[float] = []
            while not gone and time.monotonic() < deadline:
                heard = scheme.follower.changes()
                gone = [(each.done_ns - at) / 1e9 for each in heard if each.port is None]
    return {"written_s": statistics.median(written), "pulled_s": gone[0]}
