"""One scheme's forwarding through an episode: each node's state at any time, looked up."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Hashable, Iterable, Mapping

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

    __slots__ = ("_changed", "_plan", "alive", "routes")

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

    def entry(self, node: Node, key: Key) -> Entry | None:
        changed, entries = self._changed, self._plan.entries
        for candidate in self._plan.match.get(key, (key,)):
            kept = candidate not in changed
            found = entries.get((node, candidate)) if kept else changed[candidate]
            if found is not None:
                return found
        return None


class _Course(msgspec.Struct):
    """A node over time: its state from ``at_s[i - 1]`` to ``at_s[i]`` is ``states[i]``."""

    at_s: list[float]
    causes: list[Cause]
    states: list[_State]


class _Hops(msgspec.Struct):
    """What a node does with one packet over time: ``hops[i]`` until ``at_s[i]``, each another than
    the one before."""

    at_s: list[float]
    causes: list[Cause]
    hops: list[Hop]


class Choices:
    """Which routers ever forward to a destination otherwise than before.

    Where everything fails once and for good (``once``), a router that keeps its choice in the end
    keeps it all the time: what is down on the way there is part of what is down in the end.
    """

    def __init__(self, igp: Igp) -> None:
        self.once = all(len(each) == 1 and each[0][1] == math.inf for each in igp.down.values())
        self._one_link = len(igp.down) == 2
        self._igp = igp
        self._lost = {igp.graph.tail[arc] for arc in igp.down}
        self._moved: dict[Node, Collection[Node]] = {}

    def stay(self, node: Node, packets: Iterable[Packet]) -> bool:
        """Whether the routes by which the node sends these packets stay as they are."""
        if not self.once or node in self._lost or self._igp.node_down(node):
            return False
        for packet in packets:
            while isinstance(packet, Detour):
                packet = packet.packet
            if isinstance(packet, Steer):
                for dest in packet.dests:
                    moved = self._moved.get(dest)
                    if moved is None:
                        moved = self._moved[dest] = self._igp.after.moved(dest)
                    if node in moved and not self._same(node, dest):
                        return False
        return True

    def _same(self, node: Node, dest: Node) -> bool:
        """Farther from ``dest`` than before, yet by the same next hop: with one link down there is
        no state in between."""
        return self._one_link and self._igp.after.stays(node, dest)


class Forwarding:
    """`mcastplan.dataplane.flight.Moving` for one transfer: the plan before, then the updates.

    Nodes are worked out when a packet of a key meets them.
    """

    def __init__(
        self,
        scheme: Scheme,
        igp: Igp,
        plan: ReplicationPlan,
        updates: Iterable[Update],
    ) -> None:
        self.graph: Graph = igp.graph
        self._scheme, self._igp, self._plan = scheme, igp, plan
        self._updates: dict[Node, list[Update]] = {}
        self._imposed: list[Update] = []
        for update in updates:
            if update.impose is not None:
                self._imposed.append(update)
            else:
                self._updates.setdefault(update.node, []).append(update)
        self._courses: dict[tuple[Node, Key], _Course] = {}
        self.choices = Choices(igp)
        self._steady: dict[str, list[tuple[Node, Packet]]] = {}  # what is imposed at first, by flow
        self._hops: dict[tuple[Node, Arc | None, Hashable], _Hops] = {}

    def hop(
        self, node: Node, at_s: float, arrived: Arc | None, packet: Hashable
    ) -> tuple[Hop, float, Cause | None]:
        found = self._hops.get((node, arrived, packet))
        if found is None:
            found = self._hops[node, arrived, packet] = self._over_time(node, arrived, packet)
        place = bisect_right(found.at_s, at_s + INSTANT_S)
        if place == len(found.at_s):
            return found.hops[place], math.inf, None
        return found.hops[place], found.at_s[place], found.causes[place]

    def _over_time(self, node: Node, arrived: Arc | None, packet: Hashable) -> _Hops:
        """Changes of the node that are none for this packet are left out."""
        key = _key(packet)
        course = self._courses.get((node, key))
        if course is None:
            found = self._along(self._course(node, key, by_routes=False), node, arrived, packet)
            if all(self.choices.stay(node, (to for _, to in hop.out)) for hop in found.hops):
                return found
            course = self._courses[node, key] = self._course(node, key)
        return self._along(course, node, arrived, packet)

    def _along(self, course: _Course, node: Node, arrived: Arc | None, packet: Hashable) -> _Hops:
        found = _Hops([], [], [])
        for place, state in enumerate(course.states):
            hop = step(state, state.routes, node, arrived, packet) if state.alive else _DEAD
            if place:
                if hop == found.hops[-1]:
                    continue
                found.at_s.append(course.at_s[place - 1])
                found.causes.append(course.causes[place - 1])
            found.hops.append(hop)
        return found

    def crosses(self, arc: Arc, at_s: float) -> tuple[bool, float, Cause | None]:
        """A packet is lost if the arc is down at any time while it is on it."""
        delay_s = self.graph.delay_s[arc]
        for down_s, up_s in self._igp.down.get(arc, ()):
            if at_s + INSTANT_S < down_s - delay_s:
                return True, down_s - delay_s, Cause("down", down_s)
            if at_s + INSTANT_S < up_s:
                return False, up_s, Cause("down", up_s)
        return True, math.inf, None

    def last_imposed_s(self) -> float:
        """Since when what is imposed stays; minus infinity: always."""
        return max((update.at_s for update in self._imposed), default=-math.inf)

    def starts(
        self, flow: Flow, at_s: float
    ) -> tuple[list[tuple[Node, Packet]], float, Cause | None]:
        """What enters the network for a packet of ``flow`` at ``at_s``, until when, and what ends
        that."""
        found = self._steady.get(flow.name)
        if found is None:
            imposed = self._plan.imposed_by_key
            found = [start for key in flow.keys for start in imposed.get(key, ())]
            self._steady[flow.name] = found
        for update in self._imposed:
            assert update.impose is not None
            if at_s + INSTANT_S < update.at_s:
                return found, update.at_s, update.cause
            found = [(update.node, packet) for packet in update.impose]
        return found, math.inf, None

    def _concern(self, node: Node, key: Key) -> list[Update]:
        """Updates of the node's entries for packets of the key."""
        keys = self._plan.match.get(key, (key,))
        return [
            update
            for update in self._updates.get(node, ())
            if update.entry is not None and update.entry[0] in keys
        ]

    def _course(self, node: Node, key: Key, by_routes: bool = True) -> _Course:
        """Of what concerns packets of one key: state of others is no news for them. Without what
        the node's routes do, where they are known to make no difference."""
        igp = self._igp
        own = [
            *(self._scheme.forwarding(igp, node) if by_routes else ()),
            *self._concern(node, key),
        ]
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
        return course


def _key(packet: Hashable) -> Key:
    while isinstance(packet, Detour):
        packet = packet.packet
    return packet.key if isinstance(packet, Steer) else packet


class Narrowed:
    """What of a `Forwarding` can concern one receiver of one flow: its own copies of packets that
    name their receivers, and branches of entries that lead to nodes ``live`` for their key
    (all, where that says nothing: a tree instance between the first and the last)."""

    def __init__(
        self, whole: Forwarding, receiver: Node, live: Mapping[Key, frozenset[Node]]
    ) -> None:
        self.graph = whole.graph
        self._whole, self._receiver, self._live = whole, receiver, live
        self._memo: dict[int, Hop] = {}  # by identity: the whole keeps its hops
        self._starts: dict[float, list[tuple[Node, Packet]]] = {}  # by their end
        self.crosses = whole.crosses

    def hop(
        self, node: Node, at_s: float, arrived: Arc | None, packet: Hashable
    ) -> tuple[Hop, float, Cause | None]:
        hop, until_s, cause = self._whole.hop(node, at_s, arrived, packet)
        found = self._memo.get(id(hop))
        if found is None:
            kept = tuple(copy for copy in hop.out if self._leads(*copy))
            found = hop if len(kept) == len(hop.out) else Hop(kept, hop.delivered, hop.drops)
            self._memo[id(hop)] = found
        return found, until_s, cause

    def starts(
        self, flow: Flow, at_s: float
    ) -> tuple[list[tuple[Node, Packet]], float, Cause | None]:
        starts, until_s, cause = self._whole.starts(flow, at_s)
        found = self._starts.get(until_s)
        if found is None:
            found = self._starts[until_s] = [
                start for start in map(self._mine, starts) if start is not None
            ]
        return found, until_s, cause

    def _mine(self, start: tuple[Node, Packet]) -> tuple[Node, Packet] | None:
        node, packet = start
        if isinstance(packet, Steer) and not packet.lookup:
            if self._receiver not in packet.dests:
                return None
            packet = msgspec.structs.replace(packet, dests=(self._receiver,))
        return node, packet

    def _leads(self, arc: Arc, packet: Packet) -> bool:
        while isinstance(packet, Detour):
            packet = packet.packet
        if isinstance(packet, Steer):
            live = self._live.get(packet.key) if packet.lookup else None
            return live is None or not live.isdisjoint(packet.dests)
        live = self._live.get(packet)
        return live is None or self.graph.head[arc] in live
