"""Every place a flow can be held up: the network's arcs, origins' egress, clouds' ingress."""

from __future__ import annotations

from mcastplan.fluid import left
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Arc
from mcastplan.underlay.routes import IgpRoutes
from mcastplan.units import show_rate


class ArcSpace:
    """Core arcs keep their number; then one access arc per transfer's origin and per cloud.

    ``background_bps`` is routed as unicast over core arcs; under ``ecmp: hash`` each of its rows is
    one flow. ``unrouted`` names rows without a path.
    """

    def __init__(self, scenario: Scenario, routes: IgpRoutes) -> None:
        self._scenario = scenario
        graph = scenario.topology.graph
        self.core = len(graph.head)
        self.origin: dict[str, Arc] = {}
        self.cloud: dict[str, Arc] = {}
        self.capacity_bps: list[float] = list(graph.capacity_bps)
        for transfer in scenario.transfers:
            self.origin[transfer.name] = len(self.capacity_bps)
            self.capacity_bps.append(transfer.origin_egress_bps)
        for cloud in scenario.clouds:
            self.cloud[cloud.name] = len(self.capacity_bps)
            self.capacity_bps.append(cloud.ingress_bps)
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

    def ends(self, arc: Arc) -> tuple[str, str, str | None]:
        """(from, to, link id) as results name them."""
        topology, scenario = self._scenario.topology, self._scenario
        if arc < self.core:
            graph = topology.graph
            return (
                graph.names[graph.tail[arc]],
                graph.names[graph.head[arc]],
                topology.links[arc >> 1].id,
            )
        place = arc - self.core
        if place < len(scenario.transfers):
            transfer = scenario.transfers[place]
            return f"origin:{transfer.name}", transfer.origin, None
        cloud = scenario.clouds[place - len(scenario.transfers)]
        return cloud.node, f"cloud:{cloud.name}", None

    def words(self, arc: Arc, copies: int) -> str:
        """The arc as a constraint: ``"arc DE->NL 100 Gb/s carries 31 copies"``."""
        rate = show_rate(self.capacity_bps[arc])
        carries = f" carries {copies:,} copies" if copies > 1 else ""
        place = arc - self.core
        if place < 0:
            background = self.background_bps.get(arc)
            beside = f" beside {show_rate(background)} of background" if background else ""
            return f"arc {self._scenario.topology.arc_name(arc)} {rate}{carries}{beside}"
        if place < len(self._scenario.transfers):
            return f"origin {self._scenario.transfers[place].origin}: egress {rate}{carries}"
        cloud = self._scenario.clouds[place - len(self._scenario.transfers)]
        return f"cloud {cloud.name}: ingress {rate}{carries}"
