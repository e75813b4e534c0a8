"""mroutes of the lab's routers: as the planner has them, as the kernel holds them, as pimd says.

(S,G,rpt) is no mroute in Linux: its effect is in the OIFs of (S,G). A (*,G) of the kernel lists its
IIF, and pimd's Register interface, among the OIFs; both are left out here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from mcastplan.evaluate.scheme import Plans, install
from mcastplan.lab.spec import LabPush, LabRouter, LabSpec
from mcastplan.model.measurement import TableCheck
from mcastplan.model.plan import Entry
from mcastplan.schemes.mroute import keys_of
from mcastplan.schemes.pim_sm import PimSm
from mcastplan.study.compare import context_of

if TYPE_CHECKING:
    from mcastlab.frr import Frr
    from mcastlab.network import Network

ANY = "*"
REGISTER = "pimreg"
_KERNEL_ANY = "0.0.0.0"  # noqa: S104  (a source, not a bind)


class Mroute(msgspec.Struct, frozen=True, order=True):
    """``iif`` and ``oifs`` are ports; ``source`` may be `ANY`."""

    group: str
    source: str
    iif: str
    oifs: tuple[str, ...]  # sorted


def kernel_mroutes(network: Network, host: str) -> list[Mroute]:
    """Resolved entries of the router's MFC."""
    rows = json.loads(network.run(host, "ip", "-j", "mroute", "show") or "[]")
    return sorted(
        _mroute(
            row["dst"],
            ANY if row["src"] == _KERNEL_ANY else row["src"],
            row.get("iif", ""),
            (branch["oif"] for branch in row.get("multipath", ())),
        )
        for row in rows
        if row["state"] == "resolved"
    )


def pimd_mroutes(frr: Frr, host: str) -> list[Mroute]:
    """Entries that pimd says it has installed."""
    groups: dict[str, dict[str, Any]] = frr.json(host, "show ip mroute json")
    return sorted(
        _mroute(group, source, row["iif"], row.get("oil", ()))
        for group, sources in groups.items()
        for source, row in sources.items()
        if row["installed"]
    )


def _mroute(group: str, source: str, iif: str, oifs: Iterable[str]) -> Mroute:
    out = tuple(sorted(set(oifs) - {REGISTER, iif}))
    return Mroute(group, source, iif, out)


class MrouteCheck:
    """The planner's entries for the scaled scenario, in ports."""

    def __init__(self, spec: LabSpec) -> None:
        self._spec = spec
        self._graph = spec.scenario.topology.graph
        self._plans: Plans = install(context_of(spec.scenario), PimSm).plans
        self._behind = {router.host: _behind(spec, router) for router in spec.routers}

    def expected(self, push: LabPush, router: LabRouter) -> list[Mroute]:
        """Of both groups: they take the same way."""
        plan = next(plan for _, plan in self._plans if plan.transfer == push.transfer)
        source_key, _, any_key = keys_of(push.transfer)
        node = self._graph.index[router.name]
        found = []
        for key, source, root in (
            (source_key, push.origin.address, push.origin.port),
            (any_key, ANY, "lo"),
        ):
            entry = plan.entries.get((node, key))
            if entry is not None:
                iif, oifs = self._ports(push, router, entry, root)
                found += [Mroute(group, source, iif, oifs) for group in (push.group, push.announce)]
        return sorted(found)

    def _ports(
        self, push: LabPush, router: LabRouter, entry: Entry, root: str
    ) -> tuple[str, tuple[str, ...]]:
        """IIF and OIFs; ``root`` is the IIF where the tree begins."""
        ports = {port.arc: port.name for port in router.ports}
        # Data arrives over an arc whose other direction leaves this router.
        iif = root if entry.iif is None else ports.get(entry.iif ^ 1, "")
        oifs = [ports[arc] for arc in entry.out if isinstance(arc, int)]
        if entry.local:
            sites = self._spec.receiving(push)
            oifs += [site.port for site in sites if site.router == router.host]
        return iif, tuple(sorted(oifs))

    def compare(
        self,
        push: LabPush,
        router: LabRouter,
        kernel: list[Mroute],
        pimd: list[Mroute],
    ) -> TableCheck | None:
        """The router's row; None where neither side has anything. An entry that only the kernel or
        only pimd has is marked, and so never the planner's."""
        groups = {push.group, push.announce}
        held = {row for row in kernel if row.group in groups}
        said = {row for row in pimd if row.group in groups}
        wanted = self.expected(push, router)
        if not (wanted or held or said):
            return None
        show = self._behind[router.host]
        found = [_row(each, show) for each in sorted(held & said)]
        found += [f"{_row(each, show)}, only in the kernel" for each in sorted(held - said)]
        found += [f"{_row(each, show)}, only in pimd" for each in sorted(said - held)]
        expected = tuple(_row(each, show) for each in wanted)
        return TableCheck(router.name, "mroutes", expected, tuple(found))


def _behind(spec: LabSpec, router: LabRouter) -> dict[str, str]:
    """What lies behind each port of a router, for people."""
    found = {port.name: spec.router[port.peer].name for port in router.ports}
    for site in spec.sites:
        found[site.port] = f"cloud {site.cloud}"
    for origin in spec.origins:
        found[origin.port] = "source"
    return found


def _row(entry: Mroute, behind: dict[str, str]) -> str:
    def port(name: str) -> str:
        return f"{name} ({behind[name]})" if name in behind else name or "(no route)"

    out = ", ".join(map(port, entry.oifs)) or "nobody"
    return f"({entry.source}, {entry.group}) from {port(entry.iif)} to {out}"
