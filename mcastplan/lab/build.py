"""A scenario in, everything that the lab builds out."""

from __future__ import annotations

from collections.abc import Sequence

from mcastplan.errors import InfeasibleError, UsageError
from mcastplan.lab.limits import check
from mcastplan.lab.scale import scale
from mcastplan.lab.spec import (
    LabOrigin,
    LabPort,
    LabPush,
    LabReplica,
    LabRouter,
    LabSite,
    LabSpec,
)
from mcastplan.model.cloud import Cloud
from mcastplan.model.scenario import Scenario
from mcastplan.schemes import SCHEMES
from mcastplan.schemes.bier import Bier
from mcastplan.underlay.routes import IgpRoutes

# (origin's node, egress): pushes with the same of both start at one host.
Where = tuple[str, float]


def build(
    scenario: Scenario,
    *,
    rate_scale: float = 1e-3,
    seconds: float = 20.0,
    netem: bool = False,
    schemes: Sequence[str] | None = None,
) -> LabSpec:
    """The scenario scaled, with hosts, ports and addresses; the same input gives the same answer.

    ``schemes`` are those to be run (None: the scenario's ``only``, else all); the slowest of them
    ends a push within ``seconds`` of data. ``netem``: this machine can delay packets. Raises
    `UsageError` naming what the lab cannot run, `InfeasibleError` where a scheme meets a limit.
    """
    chosen = _chosen(scenario, schemes)
    check(scenario, chosen)
    scaled = scale(scenario, chosen, rate_scale=rate_scale, seconds=seconds, netem=netem)
    small = scaled.scenario
    hosts = {node.name: f"r{number}" for number, node in enumerate(small.topology.nodes, 1)}
    origins = _origins(small, hosts)
    return LabSpec(
        scenario=small,
        rate_scale=rate_scale,
        size_scale=scaled.size_scale,
        netem=netem,
        routers=_routers(small, hosts, chosen),
        sites=_sites(small, hosts),
        pushes=_pushes(small, origins),
        notes=scaled.notes,
    )


def _chosen(scenario: Scenario, schemes: Sequence[str] | None) -> tuple[str, ...]:
    """In the order of results. Raises `UsageError` for a name that is none."""
    known = [kind.name for kind in SCHEMES]
    wanted = scenario.schemes.only if schemes is None else schemes
    for name in wanted or ():
        if name not in known:
            raise UsageError(f"no scheme {name!r}; there are {', '.join(known)}")
    chosen = tuple(name for name in known if wanted is None or name in wanted)
    if not chosen:
        raise UsageError(f"no scheme to run; name one or more of {', '.join(known)}")
    return chosen


def _mac(kind: int, number: int, port: int = 0) -> str:
    """Locally administered, unicast: ``02:kind:number:port``."""
    octets = (0x02, kind, number >> 8, number & 255, port >> 8, port & 255)
    return ":".join(f"{octet:02x}" for octet in octets)


_CORE, _SITE, _REPLICA, _PE_ORIGIN, _ORIGIN = range(1, 6)


def _routers(
    scenario: Scenario, hosts: dict[str, str], schemes: Sequence[str]
) -> tuple[LabRouter, ...]:
    ids = _bfr_ids(scenario, schemes)
    ports = _ports(scenario, hosts)
    return tuple(
        LabRouter(
            name=node.name,
            host=hosts[node.name],
            number=number,
            loopback=f"10.255.{number >> 8}.{number & 255}",
            loopback6=f"fd00:0:{number:x}::1",
            locator=f"fd00:0:{number:x}::/48",
            bfr_id=ids.get(node.name),
            ports=tuple(ports[node.name]),
        )
        for number, node in enumerate(scenario.topology.nodes, 1)
    )


def _bfr_ids(scenario: Scenario, schemes: Sequence[str]) -> dict[str, int]:
    """By node name. Raises `InfeasibleError` where BIER is to run and has none to give."""
    routes = IgpRoutes(scenario.topology.graph)
    try:
        ids = Bier(scenario, routes).bfr_id
    except InfeasibleError:
        if "bier" in schemes:
            raise
        return {}
    return {routes.graph.names[node]: number for node, number in ids.items()}


class _End:
    """One end of a link, before its peer is known."""

    def __init__(self, node: str, number: int, place: int, address: str) -> None:
        self.node, self.name = node, f"e{place}"
        self.mac, self.address = _mac(_CORE, number, place), address


def _ports(scenario: Scenario, hosts: dict[str, str]) -> dict[str, list[LabPort]]:
    """Ports of each router, numbered in the order of its links."""
    graph = scenario.topology.graph
    found: dict[str, list[LabPort]] = {name: [] for name in hosts}
    for number, link in enumerate(scenario.topology.links):
        ends = [
            _End(
                node,
                graph.index[node] + 1,
                len(found[node]) + 1,
                f"10.1.{(2 * number + side) >> 8}.{(2 * number + side) & 255}",
            )
            for side, node in enumerate((link.a, link.b))
        ]
        for side, (own, peer) in enumerate((ends, ends[::-1])):
            arc = 2 * number + side
            found[own.node].append(
                LabPort(
                    name=own.name,
                    mac=own.mac,
                    address=own.address,
                    link=link.id,
                    arc=arc,
                    rate_bps=graph.capacity_bps[arc],
                    delay_s=graph.delay_s[arc],
                    metric=graph.metric[arc],
                    peer=hosts[peer.node],
                    peer_port=peer.name,
                    peer_mac=peer.mac,
                    peer_address=peer.address,
                )
            )
    return found


def _sites(scenario: Scenario, hosts: dict[str, str]) -> tuple[LabSite, ...]:
    found = []
    replicas = 0
    for number, cloud in enumerate(scenario.clouds, 1):
        found.append(_site(cloud, number, hosts[cloud.node], replicas))
        replicas += cloud.replicas
    return tuple(found)


def _site(cloud: Cloud, number: int, router: str, replicas: int) -> LabSite:
    """``replicas``: those of the sites before it."""
    net = f"10.{16 + (number >> 8)}.{number & 255}"
    return LabSite(
        cloud=cloud.name,
        host=f"s{number}",
        number=number,
        router=router,
        port=f"c{number}",
        port_mac=_mac(_SITE, number),
        gateway=f"{net}.1",
        subnet=f"{net}.0/24",
        ingress_bps=cloud.ingress_bps,
        egress_bps=cloud.egress_bps,
        fabric_bps=cloud.fabric_bps,
        replicas=tuple(
            LabReplica(
                cloud=cloud.name,
                index=index,
                host=f"h{replicas + index + 1}",
                address=f"{net}.{10 + index}",
                mac=_mac(_REPLICA, number, index),
            )
            for index in range(cloud.replicas)
        ),
    )


def _origins(scenario: Scenario, hosts: dict[str, str]) -> dict[Where, LabOrigin]:
    places = sorted({(each.origin, each.origin_egress_bps) for each in scenario.transfers})
    return {
        (node, egress): LabOrigin(
            host=f"o{number}",
            number=number,
            router=hosts[node],
            port=f"o{number}",
            port_mac=_mac(_PE_ORIGIN, number),
            gateway=f"198.18.{number}.1",
            address=f"198.18.{number}.2",
            mac=_mac(_ORIGIN, number),
            egress_bps=egress,
        )
        for number, (node, egress) in enumerate(places, 1)
    }


def _pushes(scenario: Scenario, origins: dict[Where, LabOrigin]) -> tuple[LabPush, ...]:
    # 232/8 is source-specific (RFC 4607), 239/8 is for any source within one network (RFC 2365).
    block = 239 if scenario.schemes.pim_sm.mode == "asm" else 232
    return tuple(
        LabPush(
            transfer=each.name,
            tree_id=number,
            origin=origins[each.origin, each.origin_egress_bps],
            group=f"{block}.1.0.{number}",
            announce=f"{block}.2.0.{number}",
            size_bytes=each.size_bytes,
            shards=each.shards,
            load=each.load,
            clouds=each.clouds,
        )
        for number, each in enumerate(scenario.transfers, 1)
    )
