"""A lab with SR-P2MP's forwarding plane and static IPv6 routes, and sockets at its edges.

::

    o1 --- A --999-- B -- site B          "diamond": the push starts at A; sites at A, B and D.
           |         |                    The least tree is A -> B -> D: A is root and bud, B a bud,
         1000      1001                   D a leaf. Without B--D it is A -> B, A -> C -> D, and C
           |         |                    holds nothing: the FIB of A goes to D that way.
           C --3004- D -- site D

Metrics are those of the scaled scenario. Routes are the planner's: no daemon runs.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from mcastlab.network import Network, link_local
from mcastlab.schemes.sr_plane import Plane
from mcastlab.schemes.sr_segments import Lookup
from mcastlab.schemes.sr_tree import Routers, Tree
from mcastplan.lab.build import build
from mcastplan.lab.spec import PROBE_PORT, LabPort, LabPush, LabRouter, LabSpec
from mcastplan.model.scenario import SchemeOptions, SrP2mpOptions
from mcastplan.model.timers import Timers
from mcastplan.model.topology import Arc
from mcastplan.scenario import load_scenario
from mcastplan.study.compare import context_of
from tests.networks import link, network, push

RUN_DIR = Path("/run/mcastlab")
ROOT = Path(__file__).parents[2]
HOLD_S = 0.5
LAST_S = 1.0  # silence after which nothing more is expected
_RCVBUFFORCE, _BYPASS = 33, 20  # SO_RCVBUFFORCE, PACKET_QDISC_BYPASS
_ALL = socket.htons(3)  # ETH_P_ALL


def diamond(update: Literal["make-before-break", "in-place"] = "make-before-break") -> LabSpec:
    topology = network(link("A", "B", 1), link("A", "C", 1), link("B", "D", 1), link("C", "D", 3))
    scenario = push(
        topology,
        "A",
        ("D", "B", "A"),
        ingress_gbps=100,
        timers=Timers.of("lab", mbb_hold_s=HOLD_S),
    )
    spec = build(scenario, schemes=("sr-p2mp",))
    options = SchemeOptions(sr_p2mp=SrP2mpOptions(update=update))
    return replace(spec, scenario=replace(spec.scenario, schemes=options))


def two_pushes() -> LabSpec:
    """A to the sites of B and D, and D to those of A and B."""
    spec = diamond().scenario
    there, back = ("c000-D", "c001-B"), ("c001-B", "c002-A")
    first = spec.transfers[0]
    transfers = (
        replace(first, name="back", origin="D", clouds=back),
        replace(first, name="there", origin="A", clouds=there),
    )
    scenario = replace(spec, transfers=transfers)  # scaled already
    return build(scenario, rate_scale=1.0, schemes=("sr-p2mp",))


def abilene() -> LabSpec:
    """Eleven clouds on twelve routers, one at the origin's PE."""
    topology = load_scenario(ROOT / "topologies" / "abilene.yaml").topology
    names = [node.name for node in topology.nodes]
    receivers = tuple(name for name in names if name != "KSCYng")
    scenario = push(topology, "WASHng", receivers, timers=Timers.of("lab"))
    return build(scenario, schemes=("sr-p2mp",))


def spec_of(which: str) -> LabSpec:
    return abilene() if which == "abilene" else diamond()


class Bench:
    """A network, the plane on it, and the tree of its only push, kept by this process."""

    def __init__(self, spec: LabSpec) -> None:
        self.spec, self.push = spec, spec.pushes[0]
        self.context = context_of(spec.scenario)
        self.network = Network(spec, RUN_DIR)
        self.plane = Plane(self.network, spec)

    @contextlib.contextmanager
    def running(self) -> Iterator[Bench]:
        try:
            self.network.start()
            self._routes()
            self.plane.start()
            self.lookup = Lookup(self.spec, self.plane.ifindex())
            self.routers = Routers(self.plane.pins())
            yield self
        finally:
            self.plane.stop()
            self.network.stop()

    def tree(self) -> Tree:
        demand, routes = self.context.demands[0], self.context.routes
        return Tree(self.spec, self.push, demand, routes, self.routers, self.lookup, 1)

    def _routes(self) -> None:
        graph, routes = self.context.routes.graph, self.context.routes
        lines = {}
        for router in self.spec.routers:
            ports = {port.arc: port for port in router.ports}
            lines[router.host] = [
                f"route add {other.locator} via {link_local(ports[arc].peer_mac)}"
                f" dev {ports[arc].name}"
                for other in self.spec.routers
                for arc in [routes.next_arc(graph.index[router.name], graph.index[other.name])]
                if arc is not None
            ]
        self.network.batch("ip", lines)

    def router(self, name: str) -> LabRouter:
        return self.spec.router_named[name]

    def port(self, here: str, there: str) -> LabPort:
        """The port of router ``here`` towards ``there``."""
        peer = self.router(there).host
        return next(port for port in self.router(here).ports if port.peer == peer)

    def arcs(self, here: str, there: str) -> frozenset[Arc]:
        """Both directions of a link."""
        arc = self.port(here, there).arc
        return frozenset({arc, arc ^ 1})


def receivers(lab: Network, spec: LabSpec, to: LabPush) -> dict[str, socket.socket]:
    """By cloud: its first replica's socket for probes in both groups."""
    found = {}
    for site in spec.receiving(to):
        replica = site.replicas[0]
        with lab.inside(replica.host):
            each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        each.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 1 << 25)
        each.bind(("", PROBE_PORT))
        for group in (to.group, to.announce):
            member = socket.inet_aton(group) + socket.inet_aton(replica.address)
            each.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        each.setblocking(False)
        found[site.cloud] = each
    return found


def origin_socket(lab: Network, to: LabPush) -> socket.socket:
    with lab.inside(to.origin.host):
        found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 64)
    interface = socket.inet_aton(to.origin.address)
    found.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
    return found


def raw(lab: Network, host: str, port: str) -> socket.socket:
    """A packet socket that sends past the port's queue, and sees all that comes or goes."""
    with lab.inside(host):
        found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, _ALL)
    found.setsockopt(263, _BYPASS, 1)
    found.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 1 << 25)
    found.bind((port, 3))
    found.setblocking(False)
    return found


def frames(taken: socket.socket) -> list[bytes]:
    """What came in by the port so far, without what went out."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            frame, (_, _, kind, _, _) = taken.recvfrom(2000)
            if kind != 4:  # PACKET_OUTGOING
                found.append(frame)
    return found


def numbered(start: socket.socket, to: str, count: int, gap_s: float, first: int = 0) -> None:
    """Probes with sequence numbers, evenly spaced."""
    at_s = time.monotonic()
    for number in range(first, first + count):
        start.sendto(struct.pack("!I", number).ljust(200, b"\0"), (to, PROBE_PORT))
        at_s += gap_s
        time.sleep(max(0.0, at_s - time.monotonic()))


def drained(targets: dict[str, socket.socket]) -> dict[str, list[int]]:
    """Sequence numbers at each receiver until none has got anything for a second."""
    got: dict[str, list[int]] = {name: [] for name in targets}
    while select.select(list(targets.values()), [], [], LAST_S)[0]:
        for name, target in targets.items():
            with contextlib.suppress(BlockingIOError):
                while True:
                    got[name].append(int(struct.unpack("!I", target.recv(2000)[:4])[0]))
    return got


def left(drops: dict[str, int]) -> dict[str, int]:
    """Without what did not occur."""
    return {name: count for name, count in drops.items() if count}


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def summary(got: dict[str, list[int]], sent: int) -> dict[str, Any]:
    """By cloud: numbers missing and numbers that came more than once."""
    return {
        name: {
            "missing": sorted(set(range(sent)) - set(numbers)),
            "twice": len(numbers) - len(set(numbers)),
        }
        for name, numbers in got.items()
    }
