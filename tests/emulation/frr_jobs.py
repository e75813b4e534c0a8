"""What the tests of FRR and of PIM do inside a sandbox. Everything they return is JSON."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from mcastlab.errors import LabError
from mcastlab.faults import Faults
from mcastlab.frr import CONFIGURATION, Frr
from mcastlab.frr_state import kernel_routes
from mcastlab.frr_vty import STATE, ask
from mcastlab.network import Network
from mcastlab.schemes import Lab
from mcastlab.schemes.mroutes import kernel_mroutes
from mcastlab.schemes.pim_sm import PimSm
from mcastplan.lab.build import build
from mcastplan.lab.spec import PROBE_PORT, LabPush, LabSpec
from mcastplan.scenario import builtin_path, load_scenario

RUN_DIR = Path("/run/mcastlab")
CONVERGED_BUDGET_S = 60.0
SETTLED_BUDGET_S = 30.0
WIDE = {"ingress": "100Gbps", "egress": "100Gbps", "fabric": "200Gbps", "replicas": 1}


def abilene(**changes: Any) -> dict[str, Any]:
    """12 routers, 8 clouds with one replica each."""
    file: dict[str, Any] = yaml.safe_load(Path(builtin_path("abilene", "scenario")).read_text())
    clouds = [{"name": each["name"], "node": each["node"], **WIDE} for each in file["clouds"]]
    return {**file, "clouds": clouds, "timers": "lab", **changes}


def square(**changes: Any) -> dict[str, Any]:
    """::

    A --10-- B
    |        |
    20       10      the push starts at A, its cloud is at D
    |        |
    C --20-- D
    """
    ends = (("A", "B", 10), ("B", "D", 10), ("A", "C", 20), ("C", "D", 20))
    return {
        **abilene(),
        "name": "square",
        "topology": {
            "nodes": [{"name": name} for name in "ABCD"],
            "links": [
                {"a": a, "b": b, "metric": metric, "capacity": "100Gbps"} for a, b, metric in ends
            ],
        },
        "clouds": [{"name": "d", "node": "D", **WIDE}],
        "transfers": [
            {
                "name": "push",
                "size": "1GB",
                "origin": {"node": "A", "egress": "100Gbps"},
                "to": "all",
            }
        ],
        "failures": [],
        **changes,
    }


def crooked(seed: int) -> dict[str, Any]:
    """12 routers in a ring with 8 chords; no link costs the same in both directions."""
    rng = random.Random(seed)
    names = [f"n{number:02}" for number in range(12)]
    ends = {(a, (a + 1) % 12) for a in range(12)}
    while len(ends) < 20:
        a, b = rng.sample(range(12), 2)
        if (b, a) not in ends:
            ends.add((a, b))
    links = [
        {
            "a": names[a],
            "b": names[b],
            "capacity": "100Gbps",
            "metric": rng.randint(1, 500),
            "metric_reverse": rng.randint(1, 500),
        }
        for a, b in sorted(ends)
    ]
    return {
        **square(),
        "name": "crooked",
        "topology": {"nodes": [{"name": name} for name in names], "links": links},
        "clouds": [{"name": f"cloud-{name}", "node": name, **WIDE} for name in names[1::2]],
        "transfers": [
            {
                "name": "push",
                "size": "1GB",
                "origin": {"node": names[0], "egress": "100Gbps"},
                "to": "all",
            }
        ],
    }


FILES: dict[str, Callable[..., dict[str, Any]]] = {"abilene": abilene, "square": square}


@contextlib.contextmanager
def lab(file: dict[str, Any], *daemons: str) -> Iterator[tuple[LabSpec, Network, Frr]]:
    spec = build(load_scenario(file), schemes=["pim-sm"])
    network = Network(spec, RUN_DIR)
    try:
        network.start()
        frr = Frr(network, spec, frozenset(daemons))
        frr.start()
        yield spec, network, frr
    finally:
        network.stop()


def until(holds: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + SETTLED_BUDGET_S
    while not holds():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.02)


def neighbours(spec: LabSpec, network: Network) -> dict[str, dict[str, str]]:
    """By router and prefix, both by name: the neighbour that the kernel sends to."""
    found: dict[str, dict[str, str]] = {}
    for router in spec.routers:
        peers = {port.name: spec.router[port.peer].name for port in router.ports}
        routes = kernel_routes(network, router.host, with_v6=True)
        found[router.name] = {prefix: peers[port] for prefix, (port, _) in routes.items()}
    return found


def described(spec: LabSpec) -> dict[str, Any]:
    """What an oracle needs: directed edges, and every router's prefixes."""
    graph = spec.scenario.topology.graph
    names = graph.names
    prefixes: dict[str, list[str]] = {
        router.name: [f"{router.loopback}/32", router.locator] for router in spec.routers
    }
    for site in spec.sites:
        prefixes[spec.router[site.router].name].append(site.subnet)
    for origin in spec.origins:
        name = spec.router[origin.router].name
        prefixes[name].append(origin.gateway.removesuffix(".1") + ".0/24")
    edges = [
        (names[graph.tail[arc]], names[graph.head[arc]], graph.metric[arc])
        for arc in range(len(graph.tail))
    ]
    return {"edges": edges, "prefixes": prefixes}


def igp(what: str) -> dict[str, Any]:
    """All daemons up; every route; a stop that leaves nothing."""
    file = crooked(int(what)) if what.isdigit() else FILES[what]()
    with lab(file, "pimd", "ospf6d") as (spec, network, frr):
        converged_s = frr.wait_converged(CONVERGED_BUDGET_S)
        memory_bytes = frr.memory_bytes()
        routes = neighbours(spec, network)
        frr.stop()
        left = [
            line
            for router in spec.routers
            for family in ("-4", "-6")
            for line in network.run(router.host, "ip", family, "route").splitlines()
            if "proto ospf" in line
        ]
        left += [
            line
            for router in spec.routers
            for line in network.run(router.host, "ip", "nexthop").splitlines()
        ]
        left += [str(path) for base in (STATE, CONFIGURATION) for path in base.iterdir()]
        return {
            **described(spec),
            "routes": routes,
            "converged_s": converged_s,
            "memory_bytes": memory_bytes,
            "left": left,
        }


def outage() -> dict[str, Any]:
    """A link of the square fails silently and comes back: routes, sessions, flaps."""
    with lab(square(), "ospf6d", "pimd") as (spec, network, frr):
        frr.wait_converged(CONVERGED_BUDGET_S)
        whole = neighbours(spec, network)
        link = next(each.id for each in spec.scenario.topology.links if {each.a, each.b} == {*"AB"})
        far = f"{spec.router_named['B'].loopback}/32"
        with Faults(network, spec) as faults:
            faults.down([link], silent=True)
            until(lambda: neighbours(spec, network)["A"][far] == "C", "A goes round by C")
            faults.up([link])
            frr.wait_converged(SETTLED_BUDGET_S)
        return {"same": neighbours(spec, network) == whole, "flaps": frr.bfd_flaps()}


def flaps() -> dict[str, Any]:
    """BFD sessions that went down, with and without the link that was cut."""
    with lab(square()) as (spec, network, frr):
        frr.wait_converged(CONVERGED_BUDGET_S)
        before = frr.bfd_flaps()
        link = spec.scenario.topology.links[0].id
        with Faults(network, spec) as faults:
            faults.down([link], silent=True)
            until(lambda: frr.bfd_flaps() == 2, "both ends notice")
        return {"before": before, "all": frr.bfd_flaps(), "others": frr.bfd_flaps([link])}


def timers(preset: str) -> dict[str, Any]:
    """What ospfd and bfdd run with once the square has converged."""
    with lab(square(timers=preset)) as (_, _, frr):
        frr.wait_converged(CONVERGED_BUDGET_S)
        ospf = frr.json("r1", "show ip ospf json")
        port = frr.json("r1", "show ip ospf interface e1 json")["interfaces"]["e1"]
        peers = frr.json("r1", "show bfd peers json")
        return {
            "spf": [
                ospf[f"{key}Msecs"] for key in ("spfScheduleDelay", "holdtimeMin", "holdtimeMax")
            ],
            "lsa_ms": [ospf["lsaMinIntervalMsecs"], ospf["lsaMinArrivalMsecs"]],
            "hello_ms": port["timerMsecs"],
            "dead_s": port["timerDeadSecs"],
            "bfd": sorted({(each["status"], each["receive-interval"]) for each in peers}),
        }


def dead_daemon(daemon: str, converged: bool) -> str:
    """A daemon that dies is named, before convergence or by whoever looks after the network."""
    with lab(square()) as (_, _, frr):
        if converged:
            frr.wait_converged(CONVERGED_BUDGET_S)
        pid = int((STATE / "r2" / f"{daemon}.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        frr._running["r2", daemon].wait()
        try:
            if converged:
                frr.bfd_flaps()
            else:
                frr.wait_converged(CONVERGED_BUDGET_S)
        except LabError as error:
            return str(error)
        return "nothing was raised"


# PIM.


def pim(what: str, options: dict[str, Any]) -> dict[str, Any]:
    """A push through the scheme's whole life, twice; what each replica got, and what was left."""
    file = crooked(int(what)) if what.isdigit() else FILES[what]()
    with lab({**file, "schemes": {"pim-sm": options}}, "pimd") as (spec, network, frr):
        frr.wait_converged(CONVERGED_BUDGET_S)
        scheme = PimSm(Lab(spec, network, frr, RUN_DIR))
        push = spec.pushes[0]
        before = state(spec, network)
        rounds = []
        for _ in range(2):
            scheme.start()
            scheme.open(push)
            until(lambda: settled(spec, network, scheme, push), "every table is the planner's")
            rows = [msgspec.to_builtins(row) for row in scheme.tables(push)]
            got = received(spec, network, push, 50)
            scheme.close(push)
            routed = mroutes(spec, network)
            scheme.stop()
            rounds.append({"rows": rows, "got": got, "routed": routed})
        return {
            "rounds": rounds,
            "before": before,
            "after": state(spec, network),
            "flaps": frr.bfd_flaps(),
        }


def settled(spec: LabSpec, network: Network, scheme: PimSm, push: LabPush) -> bool:
    """In ASM the trees follow the first packets."""
    send(network, push, 5)
    return all(row.same for row in scheme.tables(push))


def state(spec: LabSpec, network: Network) -> dict[str, Any]:
    """Of every router: pimd's configuration, multicast interfaces; mroutes of all."""
    return {
        router.host: [
            ask(router.host, "pimd", "show running-config"),
            sorted(
                line.split()[1]
                for line in network.run(router.host, "cat", "/proc/net/ip_mr_vif").splitlines()[1:]
            ),
        ]
        for router in spec.routers
    } | {"mroutes": mroutes(spec, network)}


def mroutes(spec: LabSpec, network: Network) -> int:
    return sum(len(kernel_mroutes(network, router.host)) for router in spec.routers)


def send(network: Network, push: LabPush, count: int) -> None:
    with network.inside(push.origin.host):
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with out:
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 64)
        for number in range(count):
            for group in (push.group, push.announce):
                out.sendto(number.to_bytes(4, "big"), (group, PROBE_PORT))
            time.sleep(0.001)  # so that no queue fills


def received(spec: LabSpec, network: Network, push: LabPush, count: int) -> dict[str, int]:
    """By cloud: packets of both groups that its replica got of ``count`` to each."""
    sockets: dict[str, socket.socket] = {}
    for site in spec.sites:
        with network.inside(site.replicas[0].host):
            # Without a membership of its own: it hears what the host has joined.
            sockets[site.cloud] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sockets[site.cloud].bind(("", PROBE_PORT))
        sockets[site.cloud].setblocking(False)
    send(network, push, count)
    got = dict.fromkeys(sockets, 0)
    while ready := select.select(list(sockets.values()), [], [], 0.5)[0]:
        for name, each in sockets.items():
            if each in ready:
                each.recv(100)
                got[name] += 1
    for each in sockets.values():
        each.close()
    return got


def one_missing() -> dict[str, Any]:
    """A table that is not the planner's is said to be none: one of two clouds has not joined."""
    clouds = [{"name": name, "node": node, **WIDE} for name, node in (("b", "B"), ("d", "D"))]
    with lab(square(clouds=clouds), "pimd") as (spec, network, frr):
        frr.wait_converged(CONVERGED_BUDGET_S)
        scheme = PimSm(Lab(spec, network, frr, RUN_DIR))
        whole = spec.pushes[0]
        part = msgspec.structs.replace(whole, clouds=("b",))
        scheme.start()
        scheme.open(part)
        source = spec.router_named["A"].host
        until(lambda: len(kernel_mroutes(network, source)) == 2, "the Joins are at the source")
        return {row.node: row.same for row in scheme.tables(whole)}


def star(leaves: int) -> dict[str, Any]:
    """A hub with the source, and as many routers around it."""
    names = [f"n{number:02}" for number in range(leaves)]
    ends = [{"a": "hub", "b": name, "capacity": "100Gbps"} for name in names]
    return {
        **square(),
        "topology": {"nodes": [{"name": name} for name in ["hub", *names]], "links": ends},
        "clouds": [{"name": "cloud", "node": names[0], **WIDE}],
        "transfers": [
            {
                "name": "push",
                "size": "1GB",
                "origin": {"node": "hub", "egress": "1Tbps"},
                "to": "all",
            }
        ],
    }


def rerouted() -> dict[str, Any]:
    """The tree's first link fails and comes back; every packet then takes one way."""
    with lab(square(), "pimd") as (spec, network, frr):
        frr.wait_converged(CONVERGED_BUDGET_S)
        scheme = PimSm(Lab(spec, network, frr, RUN_DIR))
        push = spec.pushes[0]
        scheme.start()
        scheme.open(push)
        until(lambda: all(row.same for row in scheme.tables(push)), "every table is the planner's")
        link = next(each.id for each in spec.scenario.topology.links if {each.a, each.b} == {*"AB"})
        ways = [upstream(spec, network, "D")]
        got = []
        with Faults(network, spec) as faults:
            for silent in (False, True):
                faults.down([link], silent)
                until(lambda: upstream(spec, network, "D") == ["C"], "D joins by C")
                until(lambda: upstream(spec, network, "C") == ["A"], "C joins A")
                got.append(received(spec, network, push, 50)["d"])
                faults.up([link])
                until(lambda: upstream(spec, network, "D") == ["B"], "D joins by B again")
                frr.wait_converged(SETTLED_BUDGET_S)
                until(lambda: all(row.same for row in scheme.tables(push)), "the old tree is back")
                got.append(received(spec, network, push, 50)["d"])
        return {"ways": ways, "got": got}


def upstream(spec: LabSpec, network: Network, name: str) -> list[str]:
    """Routers that the named one's mroutes come from."""
    router = spec.router_named[name]
    peers = {port.name: spec.router[port.peer].name for port in router.ports}
    found = {peers.get(row.iif, row.iif) for row in kernel_mroutes(network, router.host)}
    return sorted(found)
