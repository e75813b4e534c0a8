"""One scheme's forwarding through an episode: each node's state at any time, looked up."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Hashable, Iterable

import msgspec

from mcastplan.dataplane.flight import INSTANT_S
from mcastplan.dataplane.step import step
from mcastplan.model.change import Cause, Update
from mcastplan.model.plan import (
    Detour,
    Entry,
    Flow,
    Hop,
    Key,
    Packet,
    ReplicationPlan,
    Routes,
    Steer,
)
from mcastplan.model.topology import Arc, Graph, Node
from mcastplan.schemes.base import Igp, Scheme

NODE_DOWN = "the router itself is down"
_DEAD = Hop(drops=(NODE_DOWN,))


class _State:
    """What one node forwards by between two instants; plays the plan for `step`."""

    __slots__ = ("_changed", "_plan", "alive", "memo", "routes")

    def __init__(
        self,
        plan: ReplicationPlan,
        routes: Routes,
        changed: dict[Key, Entry | None],
        alive: bool,
    ) -> None:
        self._plan = plan
        self._changed = changed
        self.routes = routes
        self.alive = alive
        self.memo: dict[tuple[Arc | None, Hashable], Hop] = {}

    def entry(self, node: Node, key: Key) -> Entry | None:
        changed, entries = self._changed, self._plan.entries
        for candidate in self._plan.match.get(key, (key,)):
            kept = candidate not in changed
            found = entries.get((node, candidate)) if kept else changed[candidate]
            if found is not None:
                return found
        return None


class Watched(msgspec.Struct, frozen=True):
    """Receiving PEs of interest, and every node that a copy for them may pass by its entries."""

    receivers: frozenset[Node]
    live: frozenset[Node]


class _Course(msgspec.Struct):
    """A node over time: its state from ``at_s[i - 1]`` to ``at_s[i]`` is ``states[i]``."""

    at_s: list[float]
    causes: list[Cause]
    states: list[_State]


class Forwarding:
    """`mcastplan.dataplane.flight.Moving` for one transfer: the plan before, then the updates.

    Nodes are worked out when a packet meets them. With ``watched``, only what can concern some
    receivers is followed: their own copies, and entries' branches that lead to ``live`` nodes.
    """

    def __init__(
        self,
        scheme: Scheme,
        igp: Igp,
        plan: ReplicationPlan,
        updates: Iterable[Update],
        watched: Watched | None = None,
    ) -> None:
        self.graph: Graph = igp.graph
        self._watched = watched
        self._scheme, self._igp, self._plan = scheme, igp, plan
        self._updates: dict[Node, list[Update]] = {}
        self._imposed: list[Update] = []
        for update in updates:
            if update.impose is not None:
                self._imposed.append(update)
            else:
                self._updates.setdefault(update.node, []).append(update)
        self._courses: dict[Node, _Course] = {}

    def hop(
        self, node: Node, at_s: float, arrived: Arc | None, packet: Hashable
    ) -> tuple[Hop, float, Cause | None]:
        course = self._courses.get(node) or self._course(node)
        place = bisect_right(course.at_s, at_s + INSTANT_S)
        state = course.states[place]
        found = state.memo.get((arrived, packet))
        if found is None:
            found = _DEAD
            if state.alive:
                found = step(state, state.routes, node, arrived, packet)
                if self._watched is not None:
                    found = _narrowed(self.graph, found, self._watched.live)
            state.memo[arrived, packet] = found
        if place == len(course.at_s):
            return found, math.inf, None
        return found, course.at_s[place], course.causes[place]

    def crosses(self, arc: Arc, at_s: float) -> tuple[bool, float, Cause | None]:
        """A packet is lost if the arc is down at any time while it is on it."""
        delay_s = self.graph.delay_s[arc]
        for down_s, up_s in self._igp.down.get(arc, ()):
            if at_s + INSTANT_S < down_s - delay_s:
                return True, down_s - delay_s, Cause("down", down_s)
            if at_s + INSTANT_S < up_s:
                return False, up_s, Cause("down", up_s)
        return True, math.inf, None

    def starts(
        self, flow: Flow, at_s: float
    ) -> tuple[list[tuple[Node, Packet]], float, Cause | None]:
        """What enters the network for a packet of ``flow`` at ``at_s``, until when, and what ends
        that."""
        found = [start for key in flow.keys for start in self._plan.imposed_by_key.get(key, ())]
        if self._watched is not None:
            found = _for(found, self._watched.receivers)
        for update in self._imposed:
            assert update.impose is not None
            if at_s + INSTANT_S < update.at_s:
                return found, update.at_s, update.cause
            found = [(update.node, packet) for packet in update.impose]
        return found, math.inf, None

    def entry(self, node: Node, key: Key, at_s: float) -> Entry | None:
        """The node's entry then."""
        course = self._courses.get(node) or self._course(node)
        return course.states[bisect_right(course.at_s, at_s + INSTANT_S)].entry(node, key)

    def _course(self, node: Node) -> _Course:
        igp = self._igp
        own = [*self._scheme.forwarding(igp, node), *self._updates.get(node, ())]
        changes: list[tuple[float, int, Update | bool, Cause]] = [
            (update.at_s, 1, update, update.cause) for update in own
        ]
        for down_s, up_s in igp.node_down(node):
            changes.append((down_s, 0, False, Cause("down", down_s)))
            if up_s < math.inf:
                changes.append((up_s, 0, True, Cause("down", up_s)))
        changes.sort(key=lambda change: change[:2])
        routes: Routes = igp.before
        entries: dict[Key, Entry | None] = {}
        alive = True
        course = _Course([], [], [_State(self._plan, routes, entries, alive)])
        for at_s, _, change, cause in changes:
            if isinstance(change, bool):
                alive = change
            else:
                routes = routes if change.routes is None else change.routes
                if change.entry is not None:
                    entries = {**entries, change.entry[0]: change.entry[1]}
            state = _State(self._plan, routes, entries, alive)
            if course.at_s and at_s <= course.at_s[-1]:
                course.states[-1] = state
            else:
                course.at_s.append(at_s)
                course.causes.append(cause)
                course.states.append(state)
        self._courses[node] = course
        return course


def _for(
    starts: list[tuple[Node, Packet]], receivers: frozenset[Node]
) -> list[tuple[Node, Packet]]:
    """Imposed packets cut down to these receivers."""
    found: list[tuple[Node, Packet]] = []
    for node, packet in starts:
        if isinstance(packet, Steer) and not packet.lookup:
            dests = tuple(dest for dest in packet.dests if dest in receivers)
            if not dests:
                continue
            if len(dests) < len(packet.dests):
                packet = msgspec.structs.replace(packet, dests=dests)
        found.append((node, packet))
    return found


def _narrowed(graph: Graph, hop: Hop, live: frozenset[Node]) -> Hop:
    """Without the branches of entries that lead to no ``live`` node."""
    out = []
    for arc, packet in hop.out:
        inner = packet.packet if isinstance(packet, Detour) else packet
        if isinstance(inner, Steer):
            leads = not inner.lookup or not live.isdisjoint(inner.dests)
        else:
            leads = graph.head[arc] in live
        if leads:
            out.append((arc, packet))
    return Hop(tuple(out), hop.delivered, hop.drops)
