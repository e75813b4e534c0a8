"""Ingress replication by kernel VXLAN: one unicast copy to each egress PE (RFC 7348; RFC 8365
section 5, head-end replication).

A push has a VNI of its own (its ``tree_id``) and a vxlan device on every PE it concerns. At the
origin's PE a filter on the origin's port moves the push's two groups into the device, whose flood
list names the loopback of each egress PE; there a filter on the device moves the inner frame to the
ports of the receiving sites. Tunnels end at loopbacks, so that they follow OSPF. The kernel does
not fragment: DF is set and the planner's payload leaves room for the 50 B of header.

Not modelled: BUM flooding of a bridge domain and EVPN routes; who receives is written, not learned.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from mcastlab.schemes import Lab
from mcastplan.lab.spec import LabPush, LabRouter, LabSite
from mcastplan.model.measurement import TableCheck
from mcastplan.model.plan import Demand
from mcastplan.schemes.ingress_replication import VXLAN_BYTES
from mcastplan.study.plan import prepare

UDP_PORT = 4789
TTL = 64
FIRST_PRIORITY = 100  # of filters; a push has 100 + tree_id
_EVERYONE = "00:00:00:00:00:00"  # the FDB's row for what it does not know: the flood list
_TO_TUNNELS = "tunnels"

Lines = defaultdict[str, list[str]]


class IngressReplication:
    """VXLAN devices while the scheme runs, flood lists and filters while a push is open."""

    name: ClassVar[str] = "ingress-replication"
    daemons: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, lab: Lab) -> None:
        self._spec, self._network = lab.spec, lab.network

    def start(self) -> None:
        """A tunnel endpoint for each push on each of its PEs, without anybody to send to."""
        made, up, hooks = Lines(list), Lines(list), Lines(list)
        for host, device, push in self._devices():
            made[host].append(
                f"link add name {device} mtu {self._spec.mtu - VXLAN_BYTES} type vxlan"
                f" id {push.tree_id} local {self._spec.router[host].loopback} dstport {UDP_PORT}"
                f" nolearning noudpcsum ttl {TTL} df set"
            )
            up[host].append(f"link set dev {device} up")
            hooks[host].append(f"qdisc replace dev {device} clsact")
        for origin in self._spec.origins:
            hooks[origin.router].append(f"qdisc replace dev {origin.port} clsact")
        self._network.batch("ip", made)
        for host, device, _ in self._devices():
            with self._network.inside(host):  # a tunnel needs no IPv6, and IPv6 would talk into it
                Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6").write_text("1")
        self._network.batch("ip", up)
        self._network.batch("tc", hooks)

    def open(self, push: LabPush) -> None:
        """Egress PEs first, then the flood list, last the origin's packets."""
        egress = {
            host: self._filters(push, _device(push), [site.port for site in sites], None)
            for host, sites in self._egress(push).items()
        }
        self._network.batch("tc", egress)
        ingress, device = push.origin.router, _device(push)
        self._network.batch("bridge", {ingress: self._flood_lines("append", push)})
        local = [site.port for site in self._local(push)]
        tunnels = device if self._egress(push) else None
        origin = self._filters(push, push.origin.port, local, tunnels)
        self._network.batch("tc", {ingress: origin})

    def close(self, push: LabPush) -> None:
        """In the order of `open`, backwards."""
        ingress, priority = push.origin.router, _priority(push)
        gone = f"filter del dev {{}} ingress protocol ip pref {priority}"
        self._network.batch("tc", {ingress: [gone.format(push.origin.port)]})
        self._network.batch("bridge", {ingress: self._flood_lines("del", push)})
        device = _device(push)
        self._network.batch("tc", {host: [gone.format(device)] for host in self._egress(push)})

    def stop(self) -> None:
        """Devices away, with the filters of pushes that are open, and clsact of the origins' ports
        if nobody else uses it. Safe halfway."""
        gone = Lines(list)
        made = {
            host: {row["ifname"] for row in self._json(host, "ip", "-j", "link", "show")}
            for host, _, _ in self._devices()
        }
        for host, device, _ in self._devices():
            if device in made[host]:
                gone[host].append(f"link del dev {device}")
        self._network.batch("ip", gone)
        own = {_priority(push) for push in self._spec.pushes}
        for origin in self._spec.origins:
            host, port = origin.router, origin.port
            if "clsact" not in self._network.run(host, "tc", "qdisc", "show", "dev", port):
                continue
            show = ("tc", "-j", "filter", "show", "dev", port)
            left = {row["pref"] for row in self._json(host, *show, "ingress")}
            lines = [
                f"filter del dev {port} ingress protocol ip pref {each}"
                for each in sorted(left & own)
            ]
            if left <= own and not self._json(host, *show, "egress"):
                lines.append(f"qdisc del dev {port} clsact")
            self._network.batch("tc", {host: lines})

    def drops(self) -> dict[str, int]:
        """What tunnels could not send since `start`."""
        no_route = other = 0
        for host, device, _ in self._devices():
            text = Path(f"/proc/{self._network.pid(host)}/net/dev").read_text()
            line = next(row for row in text.splitlines() if row.strip().startswith(f"{device}:"))
            sent = [int(cell) for cell in line.partition(":")[2].split()[8:]]
            _, _, errors, dropped, _, _, carrier, _ = sent
            no_route += carrier  # vxlan counts an unreachable remote as a lost carrier
            other += errors - carrier + dropped
        return {"no-route": no_route, "other": other}

    def tables(self, push: LabPush) -> tuple[TableCheck, ...]:
        """Flood list of the origin's PE, and where each PE sends both groups."""
        demand, flood = self._planned[push.transfer]
        names = self._spec.scenario.topology.graph.names
        ingress = self._spec.router[push.origin.router]
        checks = [TableCheck(ingress.name, "flood list", flood, self._flood_list(push))]
        sites: dict[str, list[str]] = {names[demand.origin]: []}
        for cloud, pe, _ in demand.clouds:
            sites.setdefault(names[pe], []).append(f"cloud:{cloud}")
        if flood:
            sites[ingress.name].append(_TO_TUNNELS)
        for name, wanted in sorted(sites.items()):
            router = self._spec.router_named[name]
            expected = tuple(
                sorted(f"{group} to {each}" for group in _groups(push) for each in wanted)
            )
            checks.append(TableCheck(name, "forwarding", expected, self._forwarding(push, router)))
        return tuple(checks)

    @cached_property
    def _planned(self) -> dict[str, tuple[Demand, tuple[str, ...]]]:
        """By transfer: the planner's demand, and the egress PEs on its flood list."""
        context, installed = prepare(self._spec.scenario, self.name)
        found = {}
        for demand, _ in installed.plans:
            table = installed.scheme.table(context.routes, installed.plans, demand.origin)
            rows = table.sections()[0].rows
            egress = tuple(sorted(row[1] for row in rows if row[0] == demand.transfer))
            found[demand.transfer] = (demand, egress)
        return found

    def _flood_list(self, push: LabPush) -> tuple[str, ...]:
        """Names of the routers to whose loopback the origin's PE sends a copy."""
        named = {router.loopback: router.name for router in self._spec.routers}
        if not self._egress(push):
            return ()
        rows = self._json(push.origin.router, "bridge", "-j", "fdb", "show", "dev", _device(push))
        return tuple(sorted(named[row["dst"]] for row in rows if row["mac"] == _EVERYONE))

    def _forwarding(self, push: LabPush, router: LabRouter) -> tuple[str, ...]:
        """``group to cloud:name`` for each copy that the router's filters of this push make."""
        here = [site for site in self._spec.sites if site.router == router.host]
        where = {site.port: f"cloud:{site.cloud}" for site in here}
        where[_device(push)] = _TO_TUNNELS
        at_origin = router.host == push.origin.router
        port = push.origin.port if at_origin else _device(push)
        rows = self._json(router.host, "tc", "-j", "filter", "show", "dev", port, "ingress")
        found = []
        for row in rows:
            options = row.get("options", {})
            if row["pref"] != _priority(push) or "match" not in options:
                continue
            group = _address(options["match"]["value"])
            found += [f"{group} to {where[each['to_dev']]}" for each in options["actions"]]
        return tuple(sorted(found))

    def _json(self, host: str, *argv: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._network.run(host, *argv) or "[]")
        return found

    def _devices(self) -> list[tuple[str, str, LabPush]]:
        """(router, device, push) of every tunnel endpoint; none where no tunnel is needed."""
        found = []
        for push in self._spec.pushes:
            egress = self._egress(push)
            for host in (push.origin.router, *egress) if egress else ():
                found.append((host, _device(push), push))
        return found

    def _egress(self, push: LabPush) -> dict[str, list[LabSite]]:
        """Receiving sites by their PE, but for those at the origin's own."""
        found: dict[str, list[LabSite]] = {}
        for site in self._spec.receiving(push):
            if site.router != push.origin.router:
                found.setdefault(site.router, []).append(site)
        return found

    def _local(self, push: LabPush) -> list[LabSite]:
        receiving = self._spec.receiving(push)
        return [site for site in receiving if site.router == push.origin.router]

    def _flood_lines(self, verb: str, push: LabPush) -> list[str]:
        return [
            f"fdb {verb} {_EVERYONE} dev {_device(push)} dst {self._spec.router[host].loopback}"
            for host in self._egress(push)
        ]

    def _filters(
        self, push: LabPush, port: str, ports: Sequence[str], tunnels: str | None
    ) -> list[str]:
        """(S,G) of both groups from ``port`` to every one of ``ports`` and into the tunnels."""
        *copies, last = [*ports, *([tunnels] if tunnels else [])]
        actions = "".join(f" action mirred egress mirror dev {each}" for each in copies)
        return [
            f"filter add dev {port} ingress protocol ip pref {_priority(push)} u32"
            # The group last: `_forwarding` reads it back.
            f" match ip src {push.origin.address}/32 match ip dst {group}/32{actions}"
            f" action mirred egress redirect dev {last}"
            for group in _groups(push)
        ]


def _device(push: LabPush) -> str:
    return f"vx{push.tree_id}"


def _priority(push: LabPush) -> int:
    return FIRST_PRIORITY + push.tree_id


def _groups(push: LabPush) -> tuple[str, str]:
    return push.group, push.announce


def _address(value: str) -> str:
    """Of u32's hexadecimal key."""
    return ".".join(str(octet) for octet in bytes.fromhex(value.zfill(8)))
