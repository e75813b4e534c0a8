"""SR-P2MP in the lab: End.Replicate in tc eBPF on every router, and a controller at each root.

Every router has the program on its core ports and maps of its own, so that any tree may use any
router; on-tree ones hold a segment, the root a policy besides. Between them packets are plain IPv6,
forwarded by routes of ospf6d. Packets and controller: ``replicate.bpf.c``, `mcastlab.controller`.

Not in the lab: MPLS, protected adjacencies, several candidate paths.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from mcastlab import bpf
from mcastlab.bpf import Loaded
from mcastlab.controller import Round, Status
from mcastlab.errors import LabError
from mcastlab.schemes import Lab
from mcastlab.schemes.sr_segments import DROPPED, Lookup, counted, node_value
from mcastlab.schemes.sr_site import Site
from mcastlab.schemes.sr_tables import checks
from mcastplan.lab.spec import LabPush
from mcastplan.model.measurement import TableCheck
from mcastplan.study.compare import context_of

PINS = Path("/run/bpf/sr")


class SrP2mpLab:
    """Segments, policies, and the controllers that write them."""

    name: ClassVar[str] = "sr-p2mp"
    daemons: ClassVar[frozenset[str]] = frozenset({"ospf6d"})

    def __init__(self, lab: Lab) -> None:
        """Raises `LabError` for options that the lab has no part for."""
        options = lab.spec.scenario.schemes.sr_p2mp
        if options.dataplane != "srv6":
            raise LabError(f"the lab has no sr-p2mp dataplane {options.dataplane}; use srv6")
        if options.protected_adjacencies:
            raise LabError(
                "the lab's routers protect no adjacencies; leave protected_adjacencies out"
            )
        self._lab = lab
        self._loaded: dict[str, Loaded] = {}
        self._attached: list[tuple[str, str]] = []
        self._sites: dict[str, Site] = {}  # by root
        self._ended: list[Round] = []

    def start(self) -> None:
        """Programs attached, every controller hears every link. Raises `LabError`."""
        try:
            self._start()
        except LabError:
            self.stop()
            raise

    def _start(self) -> None:
        lab, compiled = self._lab, bpf.compile("replicate")
        for router in lab.spec.routers:
            loaded = self._loaded[router.host] = bpf.load(compiled, PINS / router.host)
            with contextlib.closing(loaded.map("node")) as node:
                node.update(bytes(4), node_value(router))
            for port in router.ports:
                self._attach(router.host, port.name, loaded.program("replicate"))
        for origin in lab.spec.origins:
            self._attach(origin.router, origin.port, self._loaded[origin.router].program("impose"))
        ifindex = self._ifindex()
        pins = {host: loaded.pins for host, loaded in self._loaded.items()}
        roots = {push.origin.router: None for push in lab.spec.pushes}
        for number, root in enumerate(roots, 1):
            router = lab.spec.router[root]
            self._sites[root] = Site(lab.network, lab.frr, lab.spec, router, number, pins, ifindex)

    def _attach(self, host: str, port: str, program: Path) -> None:
        bpf.attach(self._lab.network, host, port, "ingress", program)
        self._attached.append((host, port))

    def _ifindex(self) -> Mapping[tuple[str, str], int]:
        spec, network = self._lab.spec, self._lab.network
        core = [(router.host, port.name) for router in spec.routers for port in router.ports]
        sites = [(site.router, site.port) for site in spec.sites]
        return {place: network.ifindex(*place) for place in (*core, *sites)}

    def open(self, push: LabPush) -> None:
        """The tree is computed and programmed and the root sends into it. Raises `LabError`."""
        self._site(push).ask("open", push.transfer)

    def close(self, push: LabPush) -> None:
        self._site(push).ask("close", push.transfer)

    def _site(self, push: LabPush) -> Site:
        return self._sites[push.origin.router]

    @property
    def history(self) -> tuple[Round, ...]:
        """Every computation of every controller since `start`, also after `stop`."""
        rounds = [*self._ended]
        for site in self._sites.values():
            rounds += site.ask("history")
        return tuple(sorted(rounds, key=lambda each: each.heard_ns))

    def status(self, push: LabPush) -> Status:
        """The active instance of an open push, and what the controller knows to be down."""
        status: Status = self._site(push).ask("status", push.transfer)
        return status

    def tables(self, push: LabPush) -> tuple[TableCheck, ...]:
        """Of an open push: every router's maps against the planner's segments, with the links down
        that the controller knows of."""
        spec, status = self._lab.spec, self.status(push)
        context = context_of(spec.scenario)
        demand = next(each for each in context.demands if each.transfer == push.transfer)
        lookup = Lookup(spec, self._ifindex())
        return checks(spec, push, context.routes, demand, status, lookup, self._loaded)

    def drops(self) -> dict[str, int]:
        """By reason, all routers together; reasons that did not occur are left out."""
        totals = self.counters()
        return {name: totals[name] for name in DROPPED if totals[name]}

    def counters(self, host: str | None = None) -> Counter[str]:
        """Every counter of the forwarding plane, of one router or of all."""
        totals: Counter[str] = Counter()
        for each, loaded in self._loaded.items():
            if host in (None, each):
                totals.update(counted(loaded))
        return totals

    def stop(self) -> None:
        """No program, pin, controller or adjacency is left. Safe halfway and twice."""
        with contextlib.suppress(LabError):
            self._ended += self.history
        for site in self._sites.values():
            site.close()
        self._sites.clear()
        for host, port in reversed(self._attached):
            # A port that went away took its filters along.
            with contextlib.suppress(LabError):
                bpf.detach(self._lab.network, host, port, "ingress")
        self._attached.clear()
        for loaded in self._loaded.values():
            bpf.unload(loaded)
        self._loaded.clear()
        with contextlib.suppress(FileNotFoundError):
            PINS.rmdir()
