"""SR-P2MP in the lab: End.Replicate in tc eBPF on every router, and a controller at each root.

On-tree routers hold a segment, the root a policy besides. Between them packets are plain IPv6,
forwarded by routes of ospf6d. Packets and controller: ``replicate.bpf.c``, `mcastlab.controller`.

Not in the lab: MPLS, protected adjacencies, several candidate paths.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import ClassVar

from mcastlab.errors import LabError
from mcastlab.schemes import Lab
from mcastlab.schemes.sr_plane import Plane
from mcastlab.schemes.sr_segments import DROPPED, Lookup
from mcastlab.schemes.sr_site import Site
from mcastlab.schemes.sr_tables import checks
from mcastlab.schemes.sr_tree import Round, Status
from mcastplan.lab.spec import LabPush
from mcastplan.model.measurement import TableCheck
from mcastplan.study.compare import context_of


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
            raise LabError("the lab protects no adjacencies; leave protected_adjacencies out")
        self._lab = lab
        self.plane = Plane(lab.network, lab.spec)
        self._sites: dict[str, Site] = {}  # by root
        self._ended: list[Round] = []

    def start(self) -> None:
        """Programs attached, every controller hears every link. Raises `LabError`."""
        lab = self._lab
        try:
            self.plane.start()
            pins, ifindex = self.plane.pins(), self.plane.ifindex()
            roots = {push.origin.router: None for push in lab.spec.pushes}
            for number, root in enumerate(roots, 1):
                router = lab.spec.router[root]
                self._sites[root] = Site(
                    lab.network, lab.frr, lab.spec, router, number, pins, ifindex
                )
        except (LabError, OSError):
            self.stop()
            raise

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

    def controller_pid(self, push: LabPush) -> int:
        """The controller's process."""
        return self._site(push).pid

    def tables(self, push: LabPush) -> tuple[TableCheck, ...]:
        """Of an open push: every router's maps against the planner's segments, with the links down
        that the controller knows of."""
        spec, status = self._lab.spec, self.status(push)
        context = context_of(spec.scenario)
        demand = next(each for each in context.demands if each.transfer == push.transfer)
        lookup = Lookup(spec, self.plane.ifindex())
        return checks(spec, push, context.routes, demand, status, lookup, self.plane.loaded)

    def drops(self) -> dict[str, int]:
        """By reason, all routers together; reasons that did not occur are left out.

        Raises `LabError` if a controller has ended.
        """
        for site in self._sites.values():
            site.check()
        totals = self.counters()
        return {name: totals[name] for name in DROPPED if totals[name]}

    def counters(self, host: str | None = None) -> Counter[str]:
        """Every counter of the forwarding plane, of one router or of all."""
        return self.plane.counters(host)

    def stop(self) -> None:
        """No program, pin, controller or adjacency is left. Safe halfway and twice."""
        with contextlib.suppress(LabError):
            self._ended += [each for each in self.history if each not in self._ended]
        for site in self._sites.values():
            site.close()
        self._sites.clear()
        self.plane.stop()
