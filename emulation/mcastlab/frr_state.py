"""What each router should hold once the IGP has converged, and what it lacks of it.

Expected next hops are the planner's for the scaled scenario (no equal-cost paths); found ones are
the kernel's. Adjacencies and BFD sessions are counted too: a failure before a link's session is up
would be noticed by another timer than the one the prediction takes.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mcastlab.frr_config import FrrTimers
from mcastlab.frr_vty import ask_json
from mcastplan.lab.spec import LabRouter, LabSpec
from mcastplan.underlay.routes import IgpRoutes

if TYPE_CHECKING:
    from mcastlab.network import Network

# (device, gateway) by prefix; IPv6 next hops are link-local and not compared.
Routes = Mapping[str, tuple[str, str]]


def expected_routes(spec: LabSpec, *, with_v6: bool) -> dict[str, dict[str, tuple[str, str]]]:
    """By router: the planner's next hop to every other router's loopback and access subnets, and
    with IPv6 its locator."""
    graph = spec.scenario.topology.graph
    routes = IgpRoutes(graph)
    prefixes = {router.host: tuple(_prefixes(spec, router, with_v6)) for router in spec.routers}
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for router in spec.routers:
        ports = {port.arc: port for port in router.ports}
        wanted = found[router.host] = {}
        for other in spec.routers:
            arc = routes.next_arc(graph.index[router.name], graph.index[other.name])
            if arc is not None:
                port = ports[arc]
                for prefix in prefixes[other.host]:
                    wanted[prefix] = (port.name, "" if ":" in prefix else port.peer_address)
    return found


def _prefixes(spec: LabSpec, router: LabRouter, with_v6: bool) -> Iterator[str]:
    yield f"{router.loopback}/32"
    for site in spec.sites:
        if site.router == router.host:
            yield _network(site.subnet)
    for origin in spec.origins:
        if origin.router == router.host:
            yield _network(f"{origin.gateway}/24")
    if with_v6:
        yield _network(router.locator)


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text, strict=False))


def kernel_routes(network: Network, host: str, *, with_v6: bool) -> dict[str, tuple[str, str]]:
    """The router's unicast routes that have a next hop. Equal-cost ones are left out: the lab has
    none, and the prefix is then missed by name."""
    families = ("-4", "-6") if with_v6 else ("-4",)
    found: dict[str, tuple[str, str]] = {}
    for family in families:
        for row in json.loads(network.run(host, "ip", "-j", family, "route", "show") or "[]"):
            if "gateway" in row and row["dst"] != "default":
                gateway = row["gateway"] if family == "-4" else ""
                found[_network(row["dst"])] = (row["dev"], gateway)
    return found


def wrong_route(wanted: Routes, found: Routes) -> str | None:
    """The first prefix without the planner's next hop, in words; None where all have it."""
    for prefix, (port, gateway) in wanted.items():
        if found.get(prefix) != (port, gateway):
            held = found.get(prefix)
            has = "no route" if held is None else " ".join(("via", held[1], "on", held[0]))
            return f"{prefix} should go via {gateway or 'a neighbour'} on {port}, has {has}"
    return None


def missing_session(
    router: LabRouter, timers: FrrTimers, *, with_v6: bool, with_pim: bool
) -> str | None:
    """The first port without a full adjacency, a PIM neighbour or a BFD session that is up, in
    words; None where all are there."""
    kinds = {"full OSPF adjacency": _ospf_full(router.host)}
    if with_v6:
        kinds["full OSPFv3 adjacency"] = _ospf6_full(router.host)
    if with_pim:
        known = ask_json(router.host, "pimd", "show ip pim neighbor json")
        kinds["PIM neighbour"] = {port for port, rows in known.items() if rows}
    if timers.bfd_ms is not None:
        rows = ask_json(router.host, "bfdd", "show bfd peers json")
        up = {(row["interface"], ":" in row["peer"]) for row in rows if row["status"] == "up"}
        kinds["BFD session over IPv4"] = {port for port, six in up if not six}
        if with_v6:
            kinds["BFD session over IPv6"] = {port for port, six in up if six}
    wanted = {port.name for port in router.ports}
    for kind, ports in kinds.items():
        if lacking := wanted - ports:
            return f"no {kind} on {min(lacking)}"
    return None


def _ospf_full(host: str) -> set[str]:
    """Ports with a full adjacency."""
    adjacent = ask_json(host, "ospfd", "show ip ospf neighbor json").get("neighbors", {})
    return {
        row["ifaceName"].split(":")[0]
        for rows in adjacent.values()
        for row in rows
        if row["nbrState"].startswith("Full")
    }


def _ospf6_full(host: str) -> set[str]:
    rows = ask_json(host, "ospf6d", "show ipv6 ospf6 neighbor json")["neighbors"]
    return {row["interfaceName"] for row in rows if row["state"] == "Full"}


def throttle_rests(host: str, daemon: str) -> bool:
    """Whether the last SPF lies so far back that the next event finds the throttle as configured
    (FRR `ospf_spf_calculate_schedule`: an event within the hold time waits and lengthens it)."""
    if daemon == "ospfd":
        row = ask_json(host, daemon, "show ip ospf json")
        due, since_ms = "spfTimerDueInMsecs" in row, row["spfLastExecutedMsecs"]
        hold_ms, most_ms = row["holdtimeMinMsecs"], row["holdtimeMaxMsecs"]
        times = row["holdtimeMultplier"]
    else:
        row = ask_json(host, daemon, "show ipv6 ospf6 json")
        area = row["areas"]["0"]
        due = row["spfTimerActive"]
        since_ms = area["spfLastExecutedSecs"] * 1e3 + area["spfLastExecutedMicroSecs"] / 1e3
        hold_ms, most_ms = row["holdTimeMinMsecs"], row["holdTimeMaxMsecs"]
        times = row["holdTimeMultiplier"]
    return not due and bool(since_ms > min(hold_ms * times, most_ms))
