"""An IGP written by hand, for tests of what a scheme makes of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mcastplan.model.change import Cause, Heard, Update
from mcastplan.model.timers import Timers
from mcastplan.model.topology import Arc, Node, Topology
from mcastplan.underlay.routes import IgpRoutes

Span = tuple[float, float]


class Script:
    """An IGP whose every step the test gives.

    ``links``: id -> (down from, to); ``nodes``: name -> (down from, to). ``fibs``: node ->
    [(instant, ids of the links that its SPF took to be down)]. ``own``: node -> [(instant, ids of
    the links it has out of use)]. ``others``: updates that come from no SPF.
    """

    def __init__(
        self,
        topology: Topology,
        links: Mapping[str, Span],
        fibs: Mapping[str, Sequence[tuple[float, Iterable[str]]]],
        own: Mapping[str, Sequence[tuple[float, Iterable[str]]]],
        *,
        nodes: Mapping[str, Span] | None = None,
        others: Mapping[str, Sequence[Update]] | None = None,
        after: Iterable[str] = (),
        timers: Timers | None = None,
    ) -> None:
        self._topology = topology
        self.graph = topology.graph
        self.timers = timers or Timers()
        self.before = IgpRoutes(self.graph)
        self.after = self._without(after)
        self.down = {arc: [span] for each, span in links.items() for arc in self.arcs((each,))}
        self._nodes = {topology.node(name): span for name, span in (nodes or {}).items()}
        for node, span in self._nodes.items():
            for _, _, arc in self.graph.out[node]:
                self.down[arc] = self.down[arc ^ 1] = [span]
        self._flips: dict[Node, list[Update]] = {}
        for name, steps in fibs.items():
            node = topology.node(name)
            self._flips[node] = [
                Update(at, node, Cause("down", 10.0).then("fib", at), routes=self._without(ids))
                for at, ids in steps
            ]
        for name, updates in (others or {}).items():
            steps_of = self._flips.setdefault(topology.node(name), [])
            steps_of += updates
            steps_of.sort(key=lambda each: each.at_s)
        self._own = {
            topology.node(name): [
                Heard(at, frozenset(self.arcs(ids)), Cause("down", 10.0).then("detection", at))
                for at, ids in steps
            ]
            for name, steps in own.items()
        }

    def arcs(self, ids: Iterable[str]) -> list[Arc]:
        rank = {each.id: place for place, each in enumerate(self._topology.links)}
        return [arc for each in ids for arc in (2 * rank[each], 2 * rank[each] + 1)]

    def _without(self, ids: Iterable[str]) -> IgpRoutes:
        return IgpRoutes(self.graph).without(frozenset(self.arcs(ids)))

    def flips(self, node: Node) -> Sequence[Update]:
        return self._flips.get(node, [])

    def heard(self, node: Node) -> Sequence[Heard]:
        raise NotImplementedError  # PIM asks nobody's link-state database

    def own(self, node: Node) -> Sequence[Heard]:
        return self._own.get(node, [])

    def rewritten(self, node: Node, before: IgpRoutes, after: IgpRoutes) -> int:
        raise NotImplementedError

    def changing(self) -> Sequence[Node]:
        return sorted({*self._flips, *self._own})

    def up(self, arc: Arc, from_s: float, to_s: float) -> bool:
        return not any(begin <= to_s and from_s < end for begin, end in self.down.get(arc, ()))

    def alive(self, node: Node, at_s: float) -> bool:
        return not any(begin <= at_s < end for begin, end in self.node_down(node))

    def node_down(self, node: Node) -> Sequence[Span]:
        return [self._nodes[node]] if node in self._nodes else []
