"""BIER without MPLS, forwarded by ``ebpf/bier.bpf.c`` (RFC 8279, RFC 8296).

BFR-ids are the planner's. A router's BIFT comes from that router's own kernel: a BFER's bit goes
to the port of the kernel's route to its loopback, whatever the planner thinks, and changes when
that route does (`mcastlab.follow`). The overlay (who receives; in practice BGP, RFC 8556) is what
`open` writes: receiving sites at the BFERs, then one entry at the BFIR.

Not modelled: the signalling of BFR-ids, BFERs and overlay; MPLS; ECMP; BIER-FRR.
"""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from mcastlab import bpf
from mcastlab.bpf import Loaded, Map
from mcastlab.errors import LabError
from mcastlab.follow import RouteFollower
from mcastlab.schemes import Lab
from mcastlab.schemes import bier_maps as maps
from mcastlab.schemes.bier_maps import Bift, Imposition, Neighbour
from mcastplan.lab.spec import LabPush, LabRouter
from mcastplan.model.measurement import TableCheck
from mcastplan.model.plan import Section
from mcastplan.schemes.bift import bift_id, bitstring, set_identifier
from mcastplan.study.plan import prepare

PINS = Path("/run/bpf/bier")

# One BIFT in the kernel and here: its map, its key there, what the map holds.
Table = tuple[Map, bytes, Bift]


class BiftWriter:
    """Turns routes into rows; runs in the follower's process."""

    def __init__(
        self,
        tables: Mapping[str, Mapping[int, Table]],
        rows: Mapping[str, Mapping[str, int]],
        bits: Mapping[str, tuple[int, int]],
    ) -> None:
        """``tables`` by host and SI; ``rows`` by host and port; (SI, bit) by BFER's loopback."""
        self._tables, self._rows, self._bits = tables, rows, bits

    def __call__(self, host: str, changes: Sequence[tuple[str, str | None]]) -> None:
        """Each BIFT that changes is written once, as a whole: no packet meets half of it."""
        tables, rows = self._tables[host], self._rows[host]
        touched = set()
        for loopback, port in changes:
            if loopback not in self._bits:  # not a BFER
                continue
            si, bit = self._bits[loopback]
            row = maps.NOBODY if port is None else rows.get(port, maps.NOBODY)
            tables[si][2].assign(bit, row)
            touched.add(si)
        for si in touched:
            target, key, bift = tables[si]
            target.update(key, bift.value)


class Bier:
    """BIFTs on every router while the scheme runs; a BitString at the BFIR while a push is open."""

    name: ClassVar[str] = "bier"
    daemons: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, lab: Lab) -> None:
        self._spec, self._network = lab.spec, lab.network
        options = lab.spec.scenario.schemes.bier
        self._bsl, self._sub_domain = options.bsl, options.sub_domain
        self.loaded: dict[str, Loaded] = {}  # by host
        self._undo = contextlib.ExitStack()
        self._follower: RouteFollower | None = None

    def start(self) -> None:
        """Programs on core and origin ports, and BIFTs that are what the kernels' routes say."""
        maps.check_bsl(self._bsl)
        compiled = bpf.compile("bier")
        PINS.mkdir()
        self._undo.callback(PINS.rmdir)
        tables, rows = {}, {}
        for router in self._spec.routers:
            loaded = self.loaded[router.host] = bpf.load(compiled, PINS / router.host)
            self._undo.callback(bpf.unload, loaded)
            rows[router.host] = _rows(router)
            tables[router.host] = self._tables(router, loaded)
        writer = BiftWriter(tables, rows, self._bits)
        self._follower = RouteFollower(self._network, self._spec, writer)
        self._undo.callback(self._follower.stop)
        self._follower.start()
        for router in self._spec.routers:
            for port in router.ports:
                self._attach(router.host, port.name, "bier_forward")
        for origin in self._spec.origins:
            self._attach(origin.router, origin.port, "bier_impose")

    def open(self, push: LabPush) -> None:
        """The BFERs first, then one write at the BFIR for each of the two groups."""
        for host, listed in self._sites(push).items():
            value = maps.sites_value(listed)
            maps.write(self.loaded[host], "receivers", dict.fromkeys(_flows(push), value))
        value = maps.imposition_value(self._imposition(push))
        bfir = self.loaded[push.origin.router]
        maps.write(bfir, "impositions", dict.fromkeys(_flows(push), value))

    def close(self, push: LabPush) -> None:
        """The BFIR first, so that nothing arrives where no site is known any more."""
        _delete(self.loaded[push.origin.router], "impositions", push)
        for host in self._sites(push):
            _delete(self.loaded[host], "receivers", push)

    def drops(self) -> dict[str, int]:
        """By reason, all routers together. Raises `LabError` if the agent has ended."""
        if self._follower is not None:
            self._follower.check()
        total: Counter[str] = Counter()
        for loaded in self.loaded.values():
            total.update(maps.read_drops(loaded))
        return dict(total)

    def oddities(self) -> dict[str, int]:
        """As `drops`, of packets that were odd and went on all the same."""
        total: Counter[str] = Counter()
        for loaded in self.loaded.values():
            total.update(maps.read_oddities(loaded))
        return dict(total)

    def stop(self) -> None:
        """End the agent, detach and unload everything. May be called after half a start."""
        self._undo.close()
        self.loaded.clear()
        self._follower = None

    @property
    def follower(self) -> RouteFollower:
        """What the agent has heard and when its rows were written."""
        assert self._follower is not None, "start comes first"
        return self._follower

    def tables(self, push: LabPush) -> tuple[TableCheck, ...]:
        """Every router's BIFTs, the BFIR's BitStrings, and the sites of each PE, as in `plan`.

        Raises `LabError` if the agent has ended.
        """
        self.follower.check()
        context, installed = prepare(self._spec.scenario, self.name)
        checks = []
        for router in self._spec.routers:
            node = self._spec.scenario.topology.graph.index[router.name]
            sections = installed.scheme.table(context.routes, installed.plans, node).sections()
            bifts = [section for section in sections if section.title.startswith("BIFT")]
            expected = tuple(_text(section.title, row) for section in bifts for row in section.rows)
            checks.append(TableCheck(router.name, "BIFT", expected, self._found_bifts(router)))
            if router.host == push.origin.router:
                imposed = _imposed(sections, push)
                found = self._found_impositions(router.host, push)
                checks.append(TableCheck(router.name, "BFIR", imposed, found))
        return (*checks, *self._site_checks(push))

    def _attach(self, host: str, port: str, program: str) -> None:
        pinned = self.loaded[host].program(program)
        bpf.attach(self._network, host, port, "ingress", pinned)
        self._undo.callback(bpf.detach, self._network, host, port, "ingress")

    @cached_property
    def _bits(self) -> dict[str, tuple[int, int]]:
        """(SI, bit) of each BFER's loopback."""
        return {
            router.loopback: set_identifier(router.bfr_id, self._bsl)
            for router in self._spec.routers
            if router.bfr_id is not None
        }

    @cached_property
    def _sis(self) -> tuple[int, ...]:
        return tuple(sorted({si for si, _ in self._bits.values()}))

    def _tables(self, router: LabRouter, loaded: Loaded) -> dict[int, Table]:
        """A BIFT for each SI that has BFERs, which knows of the router's own bit only."""
        neighbours = [
            Neighbour(self._network.ifindex(router.host, port.name), port.peer_mac, port.mac)
            for port in router.ports
        ]
        target, found = loaded.map("bifts"), {}
        self._undo.callback(target.close)
        for si in self._sis:
            bift = Bift(self._bsl, neighbours)
            if router.loopback in self._bits and self._bits[router.loopback][0] == si:
                bift.assign(self._bits[router.loopback][1], maps.SELF)
            key = maps.bift_key(bift_id(self._bsl, self._sub_domain, si))
            target.update(key, bift.value)
            found[si] = (target, key, bift)
        return found

    def _sites(self, push: LabPush) -> dict[str, list[tuple[int, str]]]:
        """By PE: (ifindex, MAC) of the ports towards receiving sites."""
        found = defaultdict(list)
        for site in self._spec.receiving(push):
            ifindex = self._network.ifindex(site.router, site.port)
            found[site.router].append((ifindex, site.port_mac))
        return dict(found)

    def _imposition(self, push: LabPush) -> Imposition:
        bfir = self._spec.router[push.origin.router].bfr_id
        if bfir is None:
            raise LabError(f"{push.transfer}: the origin's PE has no BFR-id")
        by_si = defaultdict(set)
        for site in self._spec.receiving(push):
            si, bit = self._bits[self._spec.router[site.router].loopback]
            by_si[si].add(bit)
        sets = tuple(
            (bift_id(self._bsl, self._sub_domain, si), bitstring(bits))
            for si, bits in sorted(by_si.items())
        )
        return Imposition(self._bsl, bfir, sets)

    def _found_bifts(self, router: LabRouter) -> tuple[str, ...]:
        """As the planner's rows, from the map."""
        peers = {
            self._network.ifindex(router.host, port.name): self._spec.router[port.peer].name
            for port in router.ports
        }
        bfers = {self._bits[each.loopback]: each for each in self._spec.routers if each.bfr_id}
        target, lines = self.loaded[router.host].map("bifts"), []
        for si in self._sis:
            number = bift_id(self._bsl, self._sub_domain, si)
            title = f"BIFT 0x{number:05x}: sub-domain {self._sub_domain}, BSL {self._bsl}, SI {si}"
            value = target.lookup(maps.bift_key(number))
            rows = {} if value is None else maps.read_bift(value)
            for bit, (ifindex, f_bm) in rows.items():
                bfer = bfers[si, bit]
                neighbour = peers[ifindex] if ifindex else "self"
                row = (str(bfer.bfr_id), f"{si}:{bit}", bfer.name, f"0x{f_bm:x}", neighbour)
                lines.append(_text(title, row))
        target.close()
        return tuple(lines)

    def _found_impositions(self, host: str, push: LabPush) -> tuple[str, ...]:
        target, lines = self.loaded[host].map("impositions"), []
        for group, flow in zip((push.group, push.announce), _flows(push), strict=True):
            value = target.lookup(flow)
            sets = () if value is None else maps.read_imposition(value).sets
            lines += [f"{group} SI {number & 0xFF} BitString 0x{bits:x}" for number, bits in sets]
        target.close()
        return tuple(lines)

    def _site_checks(self, push: LabPush) -> list[TableCheck]:
        checks = []
        for router in self._spec.routers:
            sites = [site for site in self._spec.sites if site.router == router.host]
            if not sites:
                continue
            cloud = {self._network.ifindex(router.host, site.port): site.cloud for site in sites}
            target, found = self.loaded[router.host].map("receivers"), []
            for group, flow in zip((push.group, push.announce), _flows(push), strict=True):
                ports = maps.read_sites(target.lookup(flow) or maps.sites_value(()))
                found += [f"{group} to cloud:{cloud[port]}" for port in ports]
            target.close()
            expected = [
                f"{group} to cloud:{site.cloud}"
                for group in (push.group, push.announce)
                for site in sites
                if site.cloud in push.clouds
            ]
            listed = tuple(sorted(expected)), tuple(sorted(found))
            checks.append(TableCheck(router.name, "forwarding", *listed))
        return checks


def _rows(router: LabRouter) -> dict[str, int]:
    """The row of each core port, in the order of `LabRouter.ports`."""
    return {port.name: row for row, port in enumerate(router.ports, maps.FIRST_NEIGHBOUR)}


def _flows(push: LabPush) -> tuple[bytes, bytes]:
    source = push.origin.address
    return maps.flow_key(source, push.group), maps.flow_key(source, push.announce)


def _delete(loaded: Loaded, name: str, push: LabPush) -> None:
    target = loaded.map(name)
    for flow in _flows(push):
        target.delete(flow)
    target.close()


def _text(title: str, row: Sequence[str]) -> str:
    return f"{title} | {' '.join(row)}"


def _imposed(sections: Sequence[Section], push: LabPush) -> tuple[str, ...]:
    """What the planner has the BFIR impose, for both groups of the push."""
    rows = [row for each in sections if each.title == "BFIR" for row in each.rows]
    return tuple(
        f"{group} SI {si} BitString {bits}"
        for group in (push.group, push.announce)
        for transfer, si, bits in rows
        if transfer == push.transfer
    )
