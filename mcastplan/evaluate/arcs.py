"""Every place a flow can be held up: the network's arcs, origins' egress, clouds' ingress."""

from __future__ import annotations

from collections.abc import Iterable

from mcastplan.errors import ScenarioError
from mcastplan.fluid import left
from mcastplan.model.cloud import Cloud
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Arc
from mcastplan.model.transfer import Transfer
from mcastplan.underlay.routes import IgpRoutes
from mcastplan.units import counted, show_rate


class ArcSpace:
    """Core arcs keep their number; then one access arc per origin's node and per cloud.

    ``origin`` is by transfer: transfers from one node share its egress, so they share its arc.
    ``background_bps`` is routed as unicast over core arcs; under ``ecmp: hash`` each of its rows is
    one flow. ``unrouted`` names rows without a path.

    Raises `ScenarioError` where two transfers give one node different egress rates.
    """

    def __init__(self, scenario: Scenario, routes: IgpRoutes) -> None:
        self._scenario = scenario
        graph = scenario.topology.graph
        self.core = len(graph.head)
        self.origin: dict[str, Arc] = {}
        self.cloud: dict[str, Arc] = {}
        self.capacity_bps: list[float] = list(graph.capacity_bps)
        self._access: list[Transfer | Cloud] = []  # by arc beyond the core; of an origin, its first
        first: dict[str, Transfer] = {}
        for transfer in scenario.transfers:
            one = first.setdefault(transfer.origin, transfer)
            if one is transfer:
                self.origin[one.name] = self._add(one, one.origin_egress_bps)
            elif transfer.origin_egress_bps != one.origin_egress_bps:
                raise ScenarioError(
                    f"transfers {one.name} and {transfer.name} start at {transfer.origin} with"
                    " different egress rates; an origin has one"
                )
            self.origin[transfer.name] = self.origin[one.name]
        for cloud in scenario.clouds:
            self.cloud[cloud.name] = self._add(cloud, cloud.ingress_bps)
        self.background_bps: dict[Arc, float] = {}
        self.unrouted: list[str] = []
        for number, row in enumerate(scenario.background):
            source, target = graph.index[row.source], graph.index[row.target]
            path = routes.path(source, target, ("background", number))
            if path is None:
                self.unrouted.append(f"{row.source} to {row.target}")
            for arc in path or ():
                self.background_bps[arc] = self.background_bps.get(arc, 0.0) + row.rate_bps

    def residual_bps(self) -> list[float]:
        """Core capacity less background, by arc."""
        residual = self.capacity_bps[: self.core]
        for arc, rate in self.background_bps.items():
            residual[arc] = left(residual[arc], rate)
        return residual

    def full(self) -> frozenset[Arc]:
        """Core arcs on which background leaves nothing."""
        return frozenset(
            arc
            for arc, rate in self.background_bps.items()
            if not left(self.capacity_bps[arc], rate)
        )

    def filled(self) -> str | None:
        """The arcs that background fills, in words; None without one."""
        arcs = self.full()
        if not arcs:
            return None
        worst, share = self._fullest(arcs)
        count = f"{len(arcs):,} of {counted(self.core, 'arc')}"
        return f"background fills {count}, the worst {worst} to {share:.0%}"

    def fullest(self) -> str:
        """The share of its arc that background takes at most, in words."""
        if not self.background_bps:
            return "none of it has a route"
        name, share = self._fullest(self.background_bps)
        return f"at most it takes {share:.2%} of {name}"

    def _fullest(self, arcs: Iterable[Arc]) -> tuple[str, float]:
        """The one of ``arcs`` of which background takes the largest share, and that share."""
        share = {arc: self.background_bps[arc] / self.capacity_bps[arc] for arc in arcs}
        most = min(share, key=lambda arc: (-share[arc], arc))
        return self._scenario.topology.arc_name(most), share[most]

    def ends(self, arc: Arc, transfer: str) -> tuple[str, str, str | None]:
        """(from, to, link id) as results name them; an origin's arc is named by who uses it."""
        topology = self._scenario.topology
        if arc < self.core:
            graph = topology.graph
            return (
                graph.names[graph.tail[arc]],
                graph.names[graph.head[arc]],
                topology.links[arc >> 1].id,
            )
        at = self._access[arc - self.core]
        if isinstance(at, Cloud):
            return at.node, f"cloud:{at.name}", None
        return f"origin:{transfer}", at.origin, None

    def words(self, arc: Arc, copies: int) -> str:
        """The arc as a constraint: ``"arc DE->NL 100 Gb/s carries 31 copies"``."""
        rate = show_rate(self.capacity_bps[arc])
        carries = f" carries {copies:,} copies" if copies > 1 else ""
        if arc < self.core:
            background = self.background_bps.get(arc)
            beside = f" beside {show_rate(background)} of background" if background else ""
            return f"arc {self._scenario.topology.arc_name(arc)} {rate}{carries}{beside}"
        at = self._access[arc - self.core]
        if isinstance(at, Cloud):
            return f"cloud {at.name}: ingress {rate}{carries}"
        return f"origin {at.origin}: egress {rate}{carries}"

    def _add(self, at: Transfer | Cloud, rate_bps: float) -> Arc:
        self._access.append(at)
        self.capacity_bps.append(rate_bps)
        return len(self.capacity_bps) - 1
