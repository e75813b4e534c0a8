"""What `mcastlab.network` tells ``ip``, ``tc``, ``bridge`` and sysctl, host by host, as text."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Callable

import msgspec

from mcastlab import shaping
from mcastlab.shaping import UPLINK, downlink
from mcastplan.lab.spec import LabOrigin, LabReplica, LabRouter, LabSite, LabSpec

BRIDGE = "br"

# Per namespace, before any interface exists: "default" is what each new one starts with.
_EVERYWHERE = {
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/lo/rp_filter": "0",
    "net/ipv4/conf/all/accept_redirects": "0",
    "net/ipv4/conf/default/accept_redirects": "0",
    "net/ipv4/igmp_max_memberships": "4096",
    "net/ipv6/conf/all/accept_dad": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/dad_transmits": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
}
_ROUTER = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv6/conf/default/forwarding": "1",
    # A port that comes back keeps its addresses, as a router's configuration does.
    "net/ipv6/conf/all/keep_addr_on_down": "1",
    "net/ipv6/conf/default/keep_addr_on_down": "1",
    "net/ipv6/conf/all/seg6_enabled": "1",
    "net/ipv6/conf/default/seg6_enabled": "1",
    "net/ipv6/conf/lo/seg6_enabled": "1",
}
# Sites and servers speak IPv4 only: IPv6 would add its own multicast to every counter.
_HOST = {
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
}


def sysctls(router: bool) -> dict[str, str]:
    """Values by path under /proc/sys."""
    return _EVERYWHERE | (_ROUTER if router else _HOST)


class Cable(msgspec.Struct, frozen=True):
    """A veth pair. ``mac`` None: the kernel's choice."""

    host: str
    port: str
    mac: str | None
    peer: str
    peer_port: str
    peer_mac: str | None


def cables(spec: LabSpec) -> tuple[Cable, ...]:
    """Every veth pair once: core links, PE to site, site to replica, PE to origin."""
    pairs = [
        Cable(router.host, port.name, port.mac, port.peer, port.peer_port, port.peer_mac)
        for router in spec.routers
        for port in router.ports
        if port.arc % 2 == 0
    ]
    for site in spec.sites:
        pairs.append(Cable(site.router, site.port, site.port_mac, site.host, UPLINK, None))
        pairs += [
            Cable(site.host, downlink(each.index), None, each.host, "eth0", each.mac)
            for each in site.replicas
        ]
    for each in spec.origins:
        pairs.append(Cable(each.router, each.port, each.port_mac, each.host, "eth0", each.mac))
    return tuple(pairs)


def link_lines(spec: LabSpec, pid: Callable[[str], int]) -> dict[str, list[str]]:
    """Every veth pair, made in the one namespace with its peer in the other's, that of ``pid``."""
    lines: dict[str, list[str]] = defaultdict(list)
    # One segment a packet: a TCP sender otherwise queues 64 kB at once, to which HTB adds its
    # overhead only once.
    whole = "gso_max_segs 1 numtxqueues 1 numrxqueues 1"
    for each in cables(spec):
        mac = f"address {each.mac}" if each.mac else ""
        peer = f"address {each.peer_mac}" if each.peer_mac else ""
        lines[each.host].append(
            f"link add name {each.port} mtu {spec.mtu} {mac} {whole} type veth peer"
            f" name {each.peer_port} mtu {spec.mtu} {peer} {whole} netns {pid(each.peer)}"
        )
    return lines


def ip_lines(spec: LabSpec) -> dict[str, list[str]]:
    """Addresses, bridges, default routes, neighbours; every port up."""
    lines = {router.host: _router_lines(router) for router in spec.routers}
    for site in spec.sites:
        lines[site.host] = _site_lines(site)
        lines[site.router] += [
            f"address add {site.gateway}/24 dev {site.port}",
            f"link set dev {site.port} up",
            *(_neighbour(site.port, each.address, each.mac) for each in site.replicas),
        ]
        for replica in site.replicas:
            lines[replica.host] = _server_lines(replica, site.gateway, site.port_mac)
    for origin in spec.origins:
        lines[origin.host] = _server_lines(origin, origin.gateway, origin.port_mac)
        lines[origin.router] += [
            f"address add {origin.gateway}/24 dev {origin.port}",
            f"link set dev {origin.port} up",
            _neighbour(origin.port, origin.address, origin.mac),
        ]
    return lines


def tc_lines(spec: LabSpec) -> dict[str, list[str]]:
    """Rates and delays. Raises `LabError` for a rate that cannot be shaped."""
    lines: dict[str, list[str]] = defaultdict(list)
    for port in shaping.shaped_ports(spec):
        lines[port.host] += shaping.tc_lines(port, spec.mtu)
    return lines


def fdb_lines(spec: LabSpec) -> dict[str, list[str]]:
    """Of every site's bridge."""
    return {site.host: _fdb(site) for site in spec.sites}


def _router_lines(router: LabRouter) -> list[str]:
    lines = [
        "link set lo up",
        f"address add {router.loopback}/32 dev lo",
        f"address add {router.loopback6}/128 dev lo",
    ]
    for port in router.ports:
        lines += [
            f"address add {port.address}/31 dev {port.name}",
            f"link set dev {port.name} up",
            *neighbours(port.name, port.peer_address, port.peer_mac),
        ]
    return lines


def _site_lines(site: LabSite) -> list[str]:
    lines = [f"link add name {BRIDGE} type bridge stp_state 0 mcast_snooping 0 forward_delay 0"]
    for port in (UPLINK, *(downlink(each.index) for each in site.replicas)):
        lines += [f"link set dev {port} master {BRIDGE}", f"link set dev {port} up"]
    return [*lines, f"link set dev {BRIDGE} up", "link set lo up"]


def _server_lines(server: LabReplica | LabOrigin, gateway: str, gateway_mac: str) -> list[str]:
    return [
        "link set lo up",
        f"address add {server.address}/24 dev eth0",
        "link set eth0 up",
        f"route add default via {gateway}",
        _neighbour("eth0", gateway, gateway_mac),
    ]


def _fdb(site: LabSite) -> list[str]:
    """Where everyone is, so that unicast to one replica is never flooded to the others."""
    return [
        f"fdb replace {site.port_mac} dev {UPLINK} master static",
        *(
            f"fdb replace {each.mac} dev {downlink(each.index)} master static"
            for each in site.replicas
        ),
    ]


def _neighbour(port: str, address: str, mac: str) -> str:
    return f"neighbour replace {address} lladdr {mac} dev {port} nud permanent"


def neighbours(port: str, address: str, mac: str) -> tuple[str, str]:
    """Of a core port: IPv4, and the IPv6 link-local that ospf6d takes as next hop."""
    return _neighbour(port, address, mac), _neighbour(port, link_local(mac), mac)


def link_local(mac: str) -> str:
    """The IPv6 link-local address the kernel makes of a MAC (RFC 4291 appendix A)."""
    octets = [int(part, 16) for part in mac.split(":")]
    octets = [octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]]
    host = bytes([0xFE, 0x80, *[0] * 6, *octets])
    return socket.inet_ntop(socket.AF_INET6, host)
