"""An IGP whose every instant a test writes down by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcastplan.model.change import Cause, Heard, Update
from mcastplan.model.timers import Timers
from mcastplan.model.topology import Arc, Graph, Node, Topology
from mcastplan.underlay.routes import IgpRoutes


def both(topology: Topology, *pairs: str) -> frozenset[Arc]:
    """Both arcs of each link, named by its ends as in ``"ab"``; ends may be longer: ``"a-b"``."""
    graph = topology.graph
    ends = [pair.split("-") if "-" in pair else list(pair) for pair in pairs]
    wanted = {frozenset(topology.node(end) for end in each) for each in ends}
    return frozenset(
        arc
        for arc in range(len(graph.head))
        if frozenset((graph.tail[arc], graph.head[arc])) in wanted
    )


class HandIgp:
    """`mcastplan.schemes.base.Igp`; what is not given did not happen."""

    def __init__(
        self,
        routes: IgpRoutes,
        down: Mapping[Arc, Sequence[tuple[float, float]]],
        *,
        timers: Timers | None = None,
        heard: Mapping[Node, Sequence[tuple[float, frozenset[Arc]]]] | None = None,
        own: Mapping[Node, Sequence[tuple[float, frozenset[Arc]]]] | None = None,
        flips: Mapping[Node, Sequence[Update]] | None = None,
        rows: int = 0,
        dead: Mapping[Node, Sequence[tuple[float, float]]] | None = None,
        event_s: float = 10.0,
    ) -> None:
        self.graph: Graph = routes.graph
        self.timers = timers or Timers()
        self.before = routes
        self.down = down
        self.after = routes.without(
            frozenset(arc for arc, spans in down.items() if spans[-1][1] == float("inf"))
        )
        self._event = Cause("down", event_s)
        self._heard = self._told(heard or {}, "flooding")
        self._own = self._told(own or {}, "detection")
        self._flips = flips or {}
        self._rows = rows
        self._dead = dead or {}

    def _told(
        self, told: Mapping[Node, Sequence[tuple[float, frozenset[Arc]]]], stage: str
    ) -> dict[Node, list[Heard]]:
        return {
            node: [Heard(at_s, down, self._event.then(stage, at_s)) for at_s, down in each]
            for node, each in told.items()
        }

    def flips(self, node: Node) -> Sequence[Update]:
        return self._flips.get(node, ())

    def heard(self, node: Node) -> Sequence[Heard]:
        return self._heard.get(node, ())

    def own(self, node: Node) -> Sequence[Heard]:
        return self._own.get(node, ())

    def rewritten(self, node: Node, before: IgpRoutes, after: IgpRoutes) -> int:
        return self._rows

    def changing(self) -> Sequence[Node]:
        return sorted({*self._flips, *self._own})

    def up(self, arc: Arc, from_s: float, to_s: float) -> bool:
        return not any(down < to_s and from_s < up for down, up in self.down.get(arc, ()))

    def alive(self, node: Node, at_s: float) -> bool:
        return not any(down <= at_s < up for down, up in self.node_down(node))

    def node_down(self, node: Node) -> Sequence[tuple[float, float]]:
        return self._dead.get(node, ())
