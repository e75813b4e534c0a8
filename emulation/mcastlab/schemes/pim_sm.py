"""PIM-SM by FRR's pimd, asked by its receivers through IGMPv3; SSM, or ASM with one RP.

pimd runs from the start of the lab but on no interface. `start` gives it the core ports (PIM, BFD)
and the access ports (PIM passive; IGMP towards the sites), `open` joins both groups of the push in
every receiving replica's namespace, by sockets that live until `close`. All state is then the
daemons' own: (S,G) Joins hop by hop towards the source by each router's own route (RFC 7761), in
ASM the Register tunnel and the shared tree first.

Not modelled: more than one RP, BSR, Assert (links are point to point), MoFRR (pimd has none).
Linux routes multicast over 32 interfaces, one of them for Register messages (linux/mroute.h
MAXVIFS): a router with more is refused by name.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from typing import ClassVar

from mcastlab.errors import LabError
from mcastlab.frr_config import PROFILE, access_ports
from mcastlab.mroutes import MrouteCheck, kernel_mroutes, wrong_interface
from mcastlab.schemes import Lab
from mcastplan.errors import InfeasibleError
from mcastplan.lab.spec import LabPush, LabReplica, LabRouter
from mcastplan.model.measurement import TableCheck

MAX_PORTS = 31
HELLO_S = 1
SHORTEST_HOLD_S = 4
# IGMP asks once, and for 0.1 s, whether somebody else still listens [0.1 s]: nobody else does.
LAST_MEMBER_INTERVAL_DS = 1
LAST_MEMBER_COUNT = 1
NEIGHBOURS_BUDGET_S = 10.0  # a triggered Hello may wait 5 s (RFC 7761 section 4.11)
JOINED_BUDGET_S = 10.0
LEFT_BUDGET_S = 10.0
POLL_S = 0.02
_IP_ADD_SOURCE_MEMBERSHIP = 39  # linux/in.h; Python has the name from 3.12 on


class PimSm:
    """Raises `InfeasibleError` naming a router with too many interfaces."""

    name: ClassVar[str] = "pim-sm"
    daemons: ClassVar[frozenset[str]] = frozenset({"pimd"})

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        options = lab.spec.scenario.schemes.pim_sm
        self._asm = options.mode == "asm"
        self._switchover = options.spt_switchover
        self._rp = lab.spec.router_named[options.rp] if self._asm and options.rp else None
        self._joined: dict[str, list[socket.socket]] = {}
        self._check = MrouteCheck(lab.spec)
        for router in lab.spec.routers:
            count = len(router.ports) + len(access_ports(lab.spec, router.host))
            if count + (router is self._rp) > MAX_PORTS:
                raise InfeasibleError(
                    f"pim-sm: {router.name} has {count} interfaces, and Linux routes multicast"
                    f" over {MAX_PORTS}; leave out pim-sm"
                )

    def start(self) -> None:
        """PIM on every port; returns once every router knows every neighbour, because a Join on
        an interface without a neighbour goes nowhere."""
        for router in self._lab.spec.routers:
            self._configure(router, self._wanted(router))
        deadline_s = time.monotonic() + NEIGHBOURS_BUDGET_S
        for router in self._lab.spec.routers:
            self._wait(lambda router=router: self._no_neighbour(router), deadline_s)  # type: ignore[misc]

    def _configure(self, router: LabRouter, commands: Iterable[str]) -> None:
        self._lab.frr.configure(router.host, "pimd", *commands)

    def _wanted(self, router: LabRouter) -> list[str]:
        timers = self._lab.frr.timers
        hold_s = max(SHORTEST_HOLD_S, timers.dead_s)
        core = ["ip pim", f"ip pim hello {HELLO_S} {hold_s}"]
        if timers.bfd_ms is not None:
            core += ["ip pim bfd", f"ip pim bfd profile {PROFILE}"]
        passive = ["ip pim", "ip pim passive"]
        listening = [
            *passive,
            "ip igmp",
            "ip igmp version 3",
            f"ip igmp last-member-query-interval {LAST_MEMBER_INTERVAL_DS}",
            f"ip igmp last-member-query-count {LAST_MEMBER_COUNT}",
        ]
        commands = []
        for port in router.ports:
            commands += _interface(port.name, core)
        for site in self._sites(router):
            commands += _interface(site, listening)
        for origin in self._origins(router):
            commands += _interface(origin, passive)
        if router is self._rp:
            commands += _interface("lo", passive)
        return commands + [line for line in self._rp_lines()]

    def _rp_lines(self) -> list[str]:
        if self._rp is None:
            return []
        lines = [f"ip pim rp {self._rp.loopback} 239.0.0.0/8"]
        if not self._switchover:
            lines.append("ip pim spt-switchover infinity-and-beyond")
        return lines

    def _sites(self, router: LabRouter) -> list[str]:
        return [site.port for site in self._lab.spec.sites if site.router == router.host]

    def _origins(self, router: LabRouter) -> list[str]:
        return [each.port for each in self._lab.spec.origins if each.router == router.host]

    def _no_neighbour(self, router: LabRouter) -> str | None:
        known = self._lab.frr.json(router.host, "show ip pim neighbor json")
        lack = next((port for port in router.ports if not known.get(port.name)), None)
        return None if lack is None else f"{router.host}: no PIM neighbour on {lack.name}"

    def open(self, push: LabPush) -> None:
        """Every receiving replica has joined both groups, and its PE has heard of it."""
        sockets = self._joined.setdefault(push.transfer, [])
        for site in self._lab.spec.receiving(push):
            sockets += [self._join(replica, push) for replica in site.replicas]
        deadline_s = time.monotonic() + JOINED_BUDGET_S
        for site in self._lab.spec.receiving(push):
            self._wait(
                lambda site=site: self._not_heard(site.router, site.port, push),  # type: ignore[misc]
                deadline_s,
            )

    def _join(self, replica: LabReplica, push: LabPush) -> socket.socket:
        with self._lab.network.inside(replica.host):
            held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own = socket.inet_aton(replica.address)
        for group in (push.group, push.announce):
            wanted = socket.inet_aton(group) + own
            if self._asm:
                held.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, wanted)
            else:
                wanted += socket.inet_aton(push.origin.address)
                held.setsockopt(socket.IPPROTO_IP, _IP_ADD_SOURCE_MEMBERSHIP, wanted)
        return held

    def _not_heard(self, host: str, port: str, push: LabPush) -> str | None:
        heard = self._lab.frr.json(host, "show ip igmp groups json").get(port, {})
        groups = {row["group"] for row in heard.get("groups", ())}
        lack = {push.group, push.announce} - groups
        return f"{host}: no IGMP member of {min(lack)} on {port}" if lack else None

    def close(self, push: LabPush) -> None:
        """Nobody is joined, and no router holds an mroute of the push."""
        for held in self._joined.pop(push.transfer, ()):
            held.close()
        deadline_s = time.monotonic() + LEFT_BUDGET_S
        for router in self._lab.spec.routers:
            self._wait(lambda host=router.host: self._still(host, push), deadline_s)  # type: ignore[misc]

    def _still(self, host: str, push: LabPush) -> str | None:
        groups = {push.group, push.announce}
        left = [row for row in kernel_mroutes(self._lab.network, host) if row.group in groups]
        if not left:
            return None
        if not self._joined and not any(row.oifs for row in left):
            # An entry without OIFs lives on until its Keepalive Timer (210 s) ends.
            self._lab.frr.vtysh(host, "clear ip mroute")
        return f"{host}: still routes {left[0].group}"
