"""What the tests of the network, of faults and of ingress replication do inside a sandbox.

::

    (a) A --10-- B --10-- C (c1, c2)      every link 100 Mb/s in the lab, two replicas at each of
        |        |                        the sites in parentheses; the push starts at A
       20       10
        |        |
        E --20-- D (d)

Routes are static, those of the planner: no daemon runs here.
"""

from __future__ import annotations

import contextlib
import errno
import math
import select
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mcastlab import counters, ethtool, links
from mcastlab.capture import Capture
from mcastlab.errors import LabError
from mcastlab.faults import PINS, Faults
from mcastlab.network import Network
from mcastlab.schemes import Lab
from mcastlab.schemes.ingress_replication import IngressReplication
from mcastlab.shaping import Shaped, shaped_ports, tc_lines
from mcastlab.wiring import link_local
from mcastplan.lab.build import build
from mcastplan.lab.spec import DATA_PORT, LabPort, LabSpec
from mcastplan.scenario import load_scenario
from mcastplan.study.compare import compare
from mcastplan.underlay.routes import IgpRoutes

if TYPE_CHECKING:
    from mcastlab.frr import Frr

RUN_DIR = Path("/run/mcastlab")
PORT = 9999
QUIET_S = 1.5  # longer than the kernel waits between two reports of its own multicast groups
QUIET_BUDGET_S = 30.0
PACKET_S = 0.001  # between packets of a train that must not fill a queue
LAST_S = 1.0  # to wait for one packet more
_RCVBUFFORCE = 33
_CS6 = 0xC0


def scenario(**changes: Any) -> dict[str, Any]:
    """The file of the picture above; ``changes`` replace whole keys."""
    link = {"capacity": "100Gbps", "delay": "1ms"}
    ends = (("A", "B", 10), ("B", "C", 10), ("B", "D", 10), ("A", "E", 20), ("D", "E", 20))
    sites = (("a", "A"), ("c1", "C"), ("c2", "C"), ("d", "D"))
    wide = {"ingress": "100Gbps", "egress": "100Gbps", "fabric": "200Gbps", "replicas": 2}
    return {
        "schema": "mcastplan.scenario/1",
        "name": "five",
        "timers": "lab",
        "topology": {
            "name": "five",
            "nodes": [{"name": name} for name in "ABCDE"],
            "links": [{"a": a, "b": b, "metric": metric, **link} for a, b, metric in ends],
        },
        "clouds": [{"name": name, "node": node, **wide} for name, node in sites],
        "transfers": [
            {
                "name": "push",
                "size": "100GB",
                "origin": {"node": "A", "egress": "100Gbps"},
                "to": "all",
            }
        ],
        **changes,
    }


def five(**changes: Any) -> LabSpec:
    return build(load_scenario(scenario(**changes)), schemes=["ingress-replication"])


@contextlib.contextmanager
def running(spec: LabSpec) -> Iterator[Network]:
    network = Network(spec, RUN_DIR)
    try:
        network.start()
        yield network
    finally:
        network.stop()


def static_routes(network: Network, spec: LabSpec) -> None:
    """What OSPF would install: every loopback and access subnet by the planner's next hop."""
    graph = spec.scenario.topology.graph
    routes = IgpRoutes(graph, spec.scenario.ecmp)
    prefixes = {router.host: [f"{router.loopback}/32"] for router in spec.routers}
    for site in spec.sites:
        prefixes[site.router].append(site.subnet)
    for origin in spec.origins:
        prefixes[origin.router].append(f"{origin.gateway.rpartition('.')[0]}.0/24")
    lines = {}
    for router in spec.routers:
        port = {each.arc: each for each in router.ports}
        lines[router.host] = [
            f"route add {prefix} via {port[arc].peer_address}"
            for dest in spec.routers
            if dest is not router
            for arc in [routes.next_arc(graph.index[router.name], graph.index[dest.name])]
            if arc is not None
            for prefix in prefixes[dest.host]
        ]
    network.batch("ip", lines)


def quiet(network: Network) -> dict[tuple[str, str], counters.Counters]:
    """Counters once nothing moves: the kernel reports its IPv6 groups for a while."""
    end = time.monotonic() + QUIET_BUDGET_S
    before = counters.read(network)
    while True:
        time.sleep(QUIET_S)
        after = counters.read(network)
        if after == before:
            return after
        assert time.monotonic() < end, "the network does not fall silent"
        before = after


def receiver(
    network: Network, host: str, port: int, *groups: str, version: int = 4
) -> socket.socket:
    """A UDP socket with room for everything, in every group given; version 6 takes both."""
    with network.inside(host):
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        found = socket.socket(family, socket.SOCK_DGRAM)
    found.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 1 << 24)
    found.bind(("", port))
    for group in groups:
        member = socket.inet_aton(group) + socket.inet_aton("0.0.0.0")
        found.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    found.setblocking(False)
    return found


def sender(network: Network, host: str, tos: int = 0) -> socket.socket:
    with network.inside(host):
        found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    found.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 64)
    return found


def arrived(found: socket.socket, wanted: int) -> list[bytes]:
    """``wanted`` packets, and whatever else comes until nothing has come for a second."""
    packets: list[bytes] = []
    while True:
        found.settimeout(LAST_S)
        try:
            packets.append(found.recv(65536))
        except TimeoutError:
            return packets
        if len(packets) == wanted:
            with contextlib.suppress(TimeoutError, BlockingIOError):
                found.settimeout(PACKET_S * 50)
                packets.append(found.recv(65536))
            return packets


def all_arrived(targets: dict[str, socket.socket]) -> dict[str, list[bytes]]:
    """What each socket gets until none has got anything for a second."""
    packets: dict[str, list[bytes]] = {name: [] for name in targets}
    while select.select(list(targets.values()), [], [], LAST_S)[0]:
        for name, target in targets.items():
            target.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    packets[name].append(target.recv(65536))
    return packets


def train(found: socket.socket, to: tuple[str, int], count: int, payload_bytes: int) -> None:
    """Slow enough for every queue."""
    for number in range(count):
        found.sendto(struct.pack("!I", number).ljust(payload_bytes, b"x"), to)
        time.sleep(PACKET_S)


def _reaches(network: Network, spec: LabSpec, port: LabPort, address: str) -> bool:
    """One UDP packet over one link."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    source = next(router.host for router in spec.routers if port in router.ports)
    with network.inside(port.peer), socket.socket(family, socket.SOCK_DGRAM) as target:
        target.bind(("", PORT))
        target.settimeout(LAST_S)
        with network.inside(source), socket.socket(family, socket.SOCK_DGRAM) as start:
            scope = (0, network.ifindex(source, port.name)) if ":" in address else ()
            try:
                start.sendto(b"x", (address, PORT, *scope))
                return target.recv(10) == b"x"
            except OSError:
                return False


def everything_reached() -> dict[str, Any]:
    """Neighbours by IPv4 and link-local, replicas their PE, the origin its own; what is left."""
    spec = five()
    lost = []
    with running(spec) as network:
        for router in spec.routers:
            for port in router.ports:
                for address in (port.peer_address, link_local(port.peer_mac)):
                    if not _reaches(network, spec, port, address):
                        lost.append(f"{router.host} {port.name} {address}")
        static_routes(network, spec)
        for site in spec.sites:
            for replica in site.replicas:
                with receiver(network, spec.origins[0].host, PORT) as target:
                    train(sender(network, replica.host), (spec.origins[0].address, PORT), 1, 9)
                    if len(arrived(target, 1)) != 1:
                        lost.append(f"{replica.host} to the origin")
        with network.inside("r1"), socket.socket() as control:
            on = [ethtool.offloads_on(control, p) for p in (spec.routers[0].ports[0].name, "lo")]
        pids = [network.pid(host) for host in network.hosts]
    return {
        "lost": lost,
        "offloads_on": on,
        "alive": [pid for pid in pids if Path(f"/proc/{pid}").exists()],
        "root_links": sorted(name for _, name in socket.if_nameindex()),
    }


def rates(asked: list[tuple[float, int]]) -> list[float]:
    """The smallest error of five measurements of a core port at each (rate, packet's bytes)."""
    spec = five()
    port = spec.routers[0].ports[0]
    best = []
    with running(spec) as network:
        for rate, packet_bytes in asked:
            shaped = Shaped("r1", port.name, rate, 0.0, port.link)
            network.batch("tc", {"r1": [f"qdisc del dev {port.name} root"]})
            network.batch("tc", {"r1": tc_lines(shaped, spec.mtu)})
            errors = [links.trains(network, [shaped], packet_bytes, 0.3)[0].error for _ in range(5)]
            best.append(min(errors, key=abs))
    return best


def measured() -> dict[str, Any]:
    """All links; then one that is shaped to half of what the spec says."""
    spec = five()
    port = spec.routers[0].ports[0]
    with running(spec) as network:
        before = counters.read(network)
        worst = links.measure(network, spec)
        after = counters.read(network)
        half = Shaped("r1", port.name, port.rate_bps / 2, 0.0, port.link)
        network.batch("tc", {"r1": [f"qdisc del dev {port.name} root"]})
        network.batch("tc", {"r1": tc_lines(half, spec.mtu)})
        try:
            links.measure(network, spec)
            said = ""
        except LabError as error:
            said = str(error)
    ports = [(each.host, each.port) for each in shaped_ports(spec) if math.isfinite(each.rate_bps)]
    silent = [each for each in ports if after[each].tx_packets == before[each].tx_packets]
    replicas = [each.host for site in spec.sites for each in site.replicas]
    forwarded = [
        host
        for host in replicas
        if after[host, "eth0"].tx_packets > before[host, "eth0"].tx_packets
    ]
    return {"worst": worst, "said": said, "silent": silent, "answered": forwarded}


def control_first(data: int, version: int) -> dict[str, int]:
    """A full queue of data, then one packet marked CS6: how many came before it.

    ``version`` of IP of the marked one: ospfd speaks IPv4, ospf6d IPv6.
    """
    spec = five()
    port = spec.routers[0].ports[0]
    with running(spec) as network:
        slow = Shaped("r1", port.name, 2e6, 0.0, port.link)
        network.batch("tc", {"r1": [f"qdisc del dev {port.name} root"]})
        network.batch("tc", {"r1": tc_lines(slow, spec.mtu)})
        target = receiver(network, port.peer, PORT, version=version)
        before = counters.read(network)
        to = (port.peer_address, PORT)
        with sender(network, "r1") as bulk, sender(network, "r1", _CS6) as control:
            for _ in range(data):
                with contextlib.suppress(OSError):  # the kernel tells the sender of the drop
                    bulk.sendto(b"data".ljust(1400), to)
            if version == 4:
                control.sendto(b"control", to)
            else:
                _send_marked(network, port)
        packets = arrived(target, data + 1)
        after = counters.read(network)["r1", port.name]
    return {
        "before": packets.index(b"control"),
        "data": sum(packet.startswith(b"data") for packet in packets),
        "dropped": after.dropped - before["r1", port.name].dropped,
    }


def _send_marked(network: Network, port: LabPort) -> None:
    with network.inside("r1"), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
        control.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _CS6)
        scope = network.ifindex("r1", port.name)
        control.sendto(b"control", (link_local(port.peer_mac), PORT, 0, scope))


def counted(count: int, payload_bytes: int) -> dict[str, Any]:
    """A train from the origin to a replica behind three routers: each arc's row."""
    spec = five()
    replica = spec.site["c1"].replicas[0]
    with running(spec) as network:
        static_routes(network, spec)
        target = receiver(network, replica.host, PORT)
        before = quiet(network)
        start = sender(network, spec.origins[0].host)
        train(start, (replica.address, PORT), count, payload_bytes)
        packets = arrived(target, count)
        rows = counters.arcs(spec, spec.pushes[0], before, counters.read(network))
    return {
        "arrived": len(packets),
        "rows": [
            [row.source, row.target, row.link, row.kind, row.wire_bytes, row.packets, row.dropped]
            for row in rows
        ],
    }


def captured(count: int, payload_bytes: int) -> dict[str, Any]:
    """The train again, captured on every link: packets of it in each file."""
    spec = five()
    replica = spec.site["c1"].replicas[0]
    folder = RUN_DIR / "pcap"
    with running(spec) as network:
        static_routes(network, spec)
        target = receiver(network, replica.host, PORT)
        capture = Capture(network, spec, folder)
        capture.start()
        start = sender(network, spec.origins[0].host)
        train(start, (replica.address, PORT), count, payload_bytes)
        arrived(target, count)
        capture.stop()
    frame = 14 + 28 + payload_bytes
    return {
        "files": {path.name: _frames(path).count(frame) for path in sorted(folder.iterdir())},
    }


def _frames(path: Path) -> list[int]:
    """Lengths of the packets of a pcap file; one that is not whole fails."""
    data = path.read_bytes()
    at, found = 24, []
    while at < len(data):
        _, _, kept, length = struct.unpack_from("<IIII", data, at)
        assert kept == length, "a packet was cut"
        found.append(length)
        at += 16 + kept
    assert at == len(data), "the file was cut"
    return found


def faults(silent: bool) -> dict[str, Any]:
    """Two links down at once and up again: what passes, what the ports say, what is left."""
    spec = five()
    router = spec.router_named["A"]
    cut = [port.link for port in router.ports]
    with running(spec) as network:
        before = _state(network, router.host)
        with Faults(network, spec) as control:
            told = _refusals(control, cut)
            down = control.down(cut, silent)
            passed_down = [_reaches(network, spec, p, p.peer_address) for p in router.ports]
            heard = _heard_at_peer(network, router.host, router.ports[0])
            lower_up = [_lower_up(network, router.host, p.name) for p in router.ports]
            lower_up += [_lower_up(network, p.peer, p.peer_port) for p in router.ports]
            again = _refused(lambda: control.down(cut[:1], silent))
            up = control.up(cut)
            passed_up = [
                _reaches(network, spec, p, address)
                for p in router.ports
                for address in (p.peer_address, link_local(p.peer_mac))
            ]
        after = _state(network, router.host)
        left = [str(path) for path in PINS.iterdir()] if PINS.exists() else []
    return {
        "told": told,
        "again": again,
        "ordered": 0 < down < up,
        "passed_down": passed_down,
        "heard": heard,
        "lower_up": lower_up,
        "passed_up": passed_up,
        "changed": sorted(set(before) ^ set(after)),
        "left": left,
    }


def _refusals(control: Faults, cut: list[str]) -> list[str]:
    return [
        _refused(lambda: control.down(["no-such"], False)),
        _refused(lambda: control.up(cut[:1])),
    ]


def _refused(call: Any) -> str:
    try:
        call()
    except LabError as error:
        return str(error)
    return "not refused"


def _lower_up(network: Network, host: str, port: str) -> bool:
    return "LOWER_UP" in network.run(host, "ip", "link", "show", "dev", port)


def _heard_at_peer(network: Network, host: str, port: LabPort) -> int:
    """Packets that a packet socket at the other end sees of ten sent here by a packet socket."""
    kind = 0x88B5  # IEEE 802 local experimental
    with network.inside(port.peer):
        target = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind))
        target.bind((port.peer_port, kind))
    with network.inside(host):
        start = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        start.bind((port.name, 0))
    frame = bytes(6) + bytes(6) + struct.pack("!H", kind) + bytes(50)
    with contextlib.suppress(OSError):  # ENETDOWN at a port without carrier
        for _ in range(10):
            start.send(frame)
    try:
        return len(arrived(target, 10))
    except OSError as down:
        assert down.errno == errno.ENETDOWN
        return 0


def _state(network: Network, host: str) -> list[str]:
    """Addresses, permanent neighbours, queues and filters of one router, line by line."""
    commands = (
        ("ip", "-o", "address"),
        ("ip", "neighbour", "show", "nud", "permanent"),
        ("tc", "qdisc", "show"),
        ("ip", "-o", "link"),
    )
    lines = [line for argv in commands for line in network.run(host, *argv).splitlines()]
    with network.inside(host):
        ports = [name for _, name in socket.if_nameindex()]
    for port in ports:
        for way in ("ingress", "egress"):
            lines += network.run(host, "tc", "filter", "show", "dev", port, way).splitlines()
    return lines


def _states(network: Network) -> list[list[str]]:
    return [_state(network, router.host) for router in network.spec.routers]


class _NoFrr:
    """Ingress replication asks nothing of the daemons."""


def _lab(network: Network, spec: LabSpec) -> Lab:
    return Lab(spec, network, cast("Frr", _NoFrr()), RUN_DIR)


def replicated(count: int, payload_bytes: int, to: list[str]) -> dict[str, Any]:
    """A train to each group of a push: who got what, each arc's row, the tables, what is left."""
    push = {"name": "push", "size": "100GB", "origin": {"node": "A", "egress": "100Gbps"}}
    spec = five(transfers=[{**push, "to": to}])
    wanted = spec.pushes[0]
    groups = (wanted.group, wanted.announce)
    with running(spec) as network:
        static_routes(network, spec)
        targets = {
            f"{site.cloud}/{replica.index}": receiver(network, replica.host, DATA_PORT, *groups)
            for site in spec.sites
            for replica in site.replicas
        }
        states = _states(network)
        scheme = IngressReplication(_lab(network, spec))
        scheme.start()
        scheme.open(wanted)
        tables = scheme.tables(wanted)
        before = quiet(network)
        start = sender(network, wanted.origin.host)
        for group in groups:
            train(start, (group, DATA_PORT), count, payload_bytes)
        got = all_arrived(targets)
        rows = counters.arcs(spec, spec.pushes[0], before, counters.read(network))
        drops = scheme.drops()
        scheme.close(wanted)
        train(start, (wanted.group, DATA_PORT), 3, payload_bytes)
        after_close = sum(map(len, all_arrived(targets).values()))
        scheme.stop()
        changed = sorted(
            line
            for one, two in zip(states, _states(network), strict=True)
            for line in set(one) ^ set(two)
        )
    result = next(each for each in compare(spec.scenario).schemes if each.name == scheme.name)
    return {
        "got": {name: len(packets) for name, packets in got.items()},
        "sizes": sorted({len(packet) for packets in got.values() for packet in packets}),
        "rows": {
            f"{row.source}->{row.target}": [row.packets, row.wire_bytes, row.dropped]
            for row in rows
            if row.packets
        },
        "planned": {f"{each.source}->{each.target}": each.copies for each in result.links},
        "tables": [[each.node, each.what, each.expected, each.found] for each in tables],
        "drops": drops,
        "after_close": after_close,
        "changed": changed,
    }


def other_source(address: str) -> dict[str, int]:
    """Packets at each server of a push's group, from its origin's port but another address."""
    spec = five()
    push = spec.pushes[0]
    with running(spec) as network:
        static_routes(network, spec)
        scheme = IngressReplication(_lab(network, spec))
        scheme.start()
        scheme.open(push)
        targets = {
            replica.host: receiver(network, replica.host, DATA_PORT, push.group)
            for site in spec.sites
            for replica in site.replicas
        }
        network.run(push.origin.host, "ip", "address", "add", f"{address}/32", "dev", "eth0")
        stranger = sender(network, push.origin.host)
        stranger.bind((address, 0))
        train(stranger, (push.group, DATA_PORT), 3, 100)
        return {host: len(packets) for host, packets in all_arrived(targets).items()}


def interrupted() -> dict[str, Any]:
    """`stop` of a push that is open, and of a `start` that failed: what it raises and leaves."""
    spec = five()
    push = spec.pushes[0]
    with running(spec) as network:
        static_routes(network, spec)
        states = _states(network)
        left, scheme = {}, IngressReplication(_lab(network, spec))

        def changed() -> list[str]:
            pairs = zip(states, _states(network), strict=True)
            return sorted(line for one, two in pairs for line in set(one) ^ set(two))

        scheme.start()
        scheme.open(push)
        scheme.stop()
        left["open"] = changed()
        taken = next(host for host, _, _ in scheme._devices() if host != push.origin.router)
        device = f"vx{push.tree_id}"
        network.run(taken, "ip", "link", "add", device, "type", "bridge")
        failed = _refused(scheme.start)
        scheme.stop()
        left["half"] = changed()
    return {"failed": failed, "left": left}


def encapsulated(payload_bytes: int) -> dict[str, Any]:
    """The first packet of a push as it is on the wire A->B, if one comes; MTUs of both devices."""
    spec = five()
    push = spec.pushes[0]
    port = next(each for each in spec.router_named["A"].ports if each.link == "A--B")
    with running(spec) as network:
        static_routes(network, spec)
        scheme = IngressReplication(_lab(network, spec))
        scheme.start()
        scheme.open(push)
        with network.inside(port.peer):
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
            wire.bind((port.peer_port, 0x0800))
        train(sender(network, push.origin.host), (push.group, DATA_PORT), 1, payload_bytes)
        frames = arrived(wire, 2)
        no_tunnel = {
            host: network.run(host, "ip", "-o", "-d", "link", "show", "type", "vxlan")
            for host in ("r1", "r5")
        }
    return {
        "frames": [frame.hex() for frame in frames],
        "loopbacks": [router.loopback for router in spec.routers],
        "vxlan": no_tunnel,
        "group": push.group,
        "source": push.origin.address,
    }
