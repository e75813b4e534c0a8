"""PIM-SM by FRR's pimd, asked by its receivers through IGMPv3; SSM, or ASM with one RP.

pimd speaks PIM on the core ports from the start of the lab. `start` adds the access ports (PIM
passive; IGMP towards the sites) and the RP, `open` joins both groups of the push in every receiving
replica's namespace, by sockets that live until `close`. All state is then the daemons' own: (S,G)
Joins hop by hop towards the source by each router's own route (RFC 7761), in ASM the Register
tunnel and the shared tree first.

The core ports stay as they are, because bfdd 8.4 takes a session down, at both ends, as soon as one
of its clients leaves it (ptm_adapter.c `pcn_free`): PIM's leaving would end OSPF's adjacencies.

In ASM pimd sends some of the (S,G,rpt) Prunes that end the shared tree's second copies only with
its next periodic Join (RFC 7761 section 4.5.6: at once), so that interval is shorter there.

Not modelled: more than one RP, BSR, Assert (links are point to point), MoFRR (pimd has none).
Linux routes multicast over 32 interfaces, one of them for Register messages (linux/mroute.h
MAXVIFS): a router with more is refused by name.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from mcastlab.errors import LabError
from mcastlab.frr_config import access_ports
from mcastlab.frr_vty import ask
from mcastlab.frr_wait import until
from mcastlab.schemes import Lab
from mcastlab.schemes.mroutes import REGISTER, MrouteCheck, kernel_mroutes, pimd_mroutes
from mcastplan.errors import InfeasibleError
from mcastplan.lab.spec import LabPush, LabReplica, LabRouter, LabSite
from mcastplan.model.measurement import TableCheck

MAX_PORTS = 31
# IGMP asks once, and for 0.1 s, whether somebody else still listens [0.1 s]: nobody else does.
LAST_MEMBER_INTERVAL_DS = 1
LAST_MEMBER_COUNT = 1
JOINED_BUDGET_S = 10.0
LEFT_BUDGET_S = 10.0
LEAVE_S = 2.0  # the last-member queries are long over
STOP_BUDGET_S = 10.0
ASM_GROUPS = "239.0.0.0/8"
_PASSIVE = ("ip pim", "ip pim passive")
_VERSION = "ip igmp version 3"
_LISTEN = (
    "ip igmp",
    _VERSION,
    f"ip igmp last-member-query-interval {LAST_MEMBER_INTERVAL_DS}",
    f"ip igmp last-member-query-count {LAST_MEMBER_COUNT}",
)
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
        """IGMP and PIM on every access port, and the RP."""
        for router in self._lab.spec.routers:
            commands = []
            for port, lines in self._interfaces(router).items():
                commands += [f"interface {port}", *lines, "exit"]
            self._lab.frr.configure(router.host, "pimd", *commands, *self._global_lines())

    def _interfaces(self, router: LabRouter) -> dict[str, tuple[str, ...]]:
        """What each port is told."""
        told: dict[str, tuple[str, ...]] = dict.fromkeys(
            access_ports(self._lab.spec, router.host), _PASSIVE
        )
        for site in self._lab.spec.sites:
            if site.router == router.host:
                told[site.port] = _PASSIVE + _LISTEN
        if router is self._rp:
            told["lo"] = _PASSIVE
        return told

    def _global_lines(self) -> list[str]:
        if self._rp is None:
            return []
        lines = [f"ip pim rp {self._rp.loopback} {ASM_GROUPS}"]
        return lines if self._switchover else [*lines, "ip pim spt-switchover infinity-and-beyond"]

    def open(self, push: LabPush) -> None:
        """Every receiving replica has joined both groups, and its PE has heard of it."""
        sockets = self._joined.setdefault(push.transfer, [])
        for site in self._lab.spec.receiving(push):
            sockets += [self._join(replica, push) for replica in site.replicas]
        deadline_s = time.monotonic() + JOINED_BUDGET_S
        for site in self._lab.spec.receiving(push):
            until(partial(self._not_heard, site.router, site.port, push), deadline_s)

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
        lack = {push.group, push.announce} - self._members(host, port)
        return f"{host}: no IGMP member of {min(lack)} on {port}" if lack else None

    def close(self, push: LabPush) -> None:
        """Nobody is joined. With the last push that is open, no router holds an mroute any more;
        before, those without receivers may live on (Keepalive Timer, 210 s)."""
        for held in self._joined.pop(push.transfer, ()):
            held.close()
        for site in self._lab.spec.receiving(push):
            self._forgotten(site, push)
        if not self._joined:
            began_s = time.monotonic()
            until(partial(self._still, began_s + LEAVE_S), began_s + LEFT_BUDGET_S)

    def _forgotten(self, site: LabSite, push: LabPush) -> None:
        """Two servers that leave at once: now and then pimd takes the answer of one to the query
        about the other for a membership that stays, until its timer ends (260 s)."""
        heard = partial(self._heard, site.router, site.port, push)
        try:
            until(heard, time.monotonic() + LEAVE_S)
        except LabError:
            ask(site.router, "pimd", "clear ip igmp interfaces")
            until(heard, time.monotonic() + LEFT_BUDGET_S)

    def _heard(self, host: str, port: str, push: LabPush) -> str | None:
        still = self._members(host, port) & {push.group, push.announce}
        return f"{host}: IGMP keeps {min(still)} on {port}" if still else None

    def _members(self, host: str, port: str) -> set[str]:
        heard = self._lab.frr.json(host, "show ip igmp groups json").get(port, {})
        return {row["group"] for row in heard.get("groups", ())}

    def _still(self, patience_s: float) -> str | None:
        """Prunes end an (S,G) that nobody has sent to; what pimd keeps for its Keepalive Timer
        takes `clear ip mroute`, on all routers at once lest one joins another again. So does, from
        ``patience_s`` on, what a lost Prune would leave for its holdtime."""
        left = [
            (router.name, row)
            for router in self._lab.spec.routers
            for row in kernel_mroutes(self._lab.network, router.host)
        ]
        if not left:
            return None
        late = time.monotonic() > patience_s
        if late or self._asm or not any(row.oifs for _, row in left):
            for router in self._lab.spec.routers:
                self._lab.frr.vtysh(router.host, "clear ip mroute")
        name, row = left[0]
        return f"{name} still routes {row.group}"

    def tables(self, push: LabPush) -> tuple[TableCheck, ...]:
        """One row for each router that has, or should have, an mroute of the push."""
        frr, network = self._lab.frr, self._lab.network
        rows = (
            self._check.compare(
                push,
                router,
                kernel_mroutes(network, router.host),
                pimd_mroutes(frr, router.host),
            )
            for router in self._lab.spec.routers
        )
        return tuple(row for row in rows if row is not None)

    def drops(self) -> dict[str, int]:
        """Packets on another interface than their entry's IIF, of the entries that there are now:
        the kernel counts them by entry."""
        wrong = 0
        for router in self._lab.spec.routers:
            text = self._lab.network.run(router.host, "cat", "/proc/net/ip_mr_cache")
            # Group Origin Iif Pkts Bytes Wrong Oifs
            wrong += sum(int(line.split()[5]) for line in text.splitlines()[1:])
        return {"wrong interface": wrong}

    def stop(self) -> None:
        """pimd knows the core ports alone, as before `start`, and the kernel routes nothing."""
        for name in tuple(self._joined):
            for held in self._joined.pop(name):
                held.close()
        for router in self._lab.spec.routers:
            commands = []
            for port, lines in self._interfaces(router).items():
                # IGMP hangs on the interface's PIM; what it is told goes first.
                commands += [f"interface {port}", *_undo(lines), "exit"]
            commands += _undo(self._global_lines())
            self._lab.frr.configure(router.host, "pimd", *commands, "end", "clear ip mroute")
        deadline_s = time.monotonic() + STOP_BUDGET_S
        for router in self._lab.spec.routers:
            until(partial(self._routes_any, router), deadline_s)

    def _routes_any(self, router: LabRouter) -> str | None:
        left = kernel_mroutes(self._lab.network, router.host)
        if left:
            return f"{router.host}: still routes {left[0].group}"
        rows = self._lab.network.run(router.host, "cat", "/proc/net/ip_mr_vif").splitlines()[1:]
        ports = {row.split()[1] for row in rows}
        more = ports - {REGISTER} - {port.name for port in router.ports}
        return f"{router.host}: still routes multicast on {min(more)}" if more else None


def _undo(lines: Sequence[str]) -> list[str]:
    """``no`` of each line, last first. IGMP's version has no such form, and goes with IGMP."""
    return [f"no {line}" for line in reversed(lines) if line != _VERSION]
