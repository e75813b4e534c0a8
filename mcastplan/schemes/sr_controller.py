"""The SR-P2MP controller through failures and repairs: compute, program, switch (RFC 9960).

It sits at the root's site and hears what the root's IGP hears. One that is idle starts to compute
when it hears of a change, on the link-state database of that instant; what it hears while it
computes, programs and waits for the root starts another computation afterwards. Where the tree that
comes out differs from the one in place:

- make-before-break: a new instance goes to every node of the new tree in parallel, and is there
  after propagation and ``program_s``; the acknowledgement takes the propagation back. After the
  last one the root switches, ``program_s`` later; ``mbb_hold_s`` later the old one is removed.
- in place: the same instants, but the entries of nodes that differ are replaced as they arrive, the
  root's first of all; nodes that the new tree leaves are cleaned up in a second round.

A router that is down acknowledges nothing: then the root does not switch, and a new instance is
removed after ``mbb_hold_s``. Not modelled: a controller at another place or several of them, lost
and repeated messages, a controller that waits before it computes, and routers that lose their
entries while they are down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from mcastplan.model.change import Cause, Heard, Transition, Update
from mcastplan.model.plan import Demand, Entry, Key, ReplicationPlan, Steer
from mcastplan.model.topology import Node
from mcastplan.schemes.base import Igp, onward_s, toward
from mcastplan.underlay.routes import IgpRoutes

# How the next tree came about: as it was, repaired, or grown afresh.
Kind = Literal["kept", "repaired", "fresh"]
Replan = Callable[[IgpRoutes, Demand, ReplicationPlan, bool], tuple[ReplicationPlan, Kind]]


class TreeKey(NamedTuple):
    """The Tree-SID of one instance of a transfer's tree.

    Its text is that of the first instance: equal-cost choices hash it (`routes.choose`), and a
    packet's flow label comes from what is inside, whatever instance carries it (RFC 6438).
    """

    kind: str
    transfer: str
    instance: int

    def __repr__(self) -> str:
        return repr((self.kind, self.transfer, 1))


def instance_of(plan: ReplicationPlan) -> int:
    """The number of the plan's tree instance."""
    if not plan.flows:
        return 1
    key = plan.flows[0].keys[0]
    assert isinstance(key, TreeKey)
    return key.instance


def renamed(plan: ReplicationPlan, key: Key) -> ReplicationPlan:
    """The same tree as another instance."""
    if not plan.flows or plan.flows[0].keys == (key,):
        return plan
    entries = {
        (node, key): msgspec.structs.replace(
            entry,
            out=tuple(
                msgspec.structs.replace(branch, key=key) if isinstance(branch, Steer) else branch
                for branch in entry.out
            ),
        )
        for (node, _), entry in plan.entries.items()
    }
    return msgspec.structs.replace(
        plan,
        impose=tuple((node, key) for node, _ in plan.impose),
        flows=tuple(msgspec.structs.replace(flow, keys=(key,)) for flow in plan.flows),
        entries=entries,
    )


class _Round(msgspec.Struct, frozen=True):
    """One computation: what it knew, and when it ended."""

    routes: IgpRoutes
    end_s: float
    cause: Cause


class Controller:
    """What the controller does for one transfer, from its steady ``plan`` on; ``replan`` finds the
    next tree (`SrP2mp.replan`)."""

    def __init__(
        self, igp: Igp, replan: Replan, in_place: bool, demand: Demand, plan: ReplicationPlan
    ) -> None:
        self._igp, self._replan, self._in_place = igp, replan, in_place
        self._timers = igp.timers
        self._demand, self._root = demand, demand.origin
        self._active = plan
        # Trees are repaired from the last one that was grown on all that was up, so that the tree
        # after several failures does not hang on their order.
        self._reference = plan
        self._down: frozenset[int] = frozenset()
        self._instance = instance_of(plan)
        self._key = TreeKey("tree", plan.transfer, self._instance)
        self._held: dict[Node, Entry] = {node: entry for (node, _), entry in plan.entries.items()}
        self._updates: list[Update] = []
        self._notes = [*_waiting(igp, plan), *_kept(igp, plan)]

    def transition(self, after: Demand) -> Transition:
        """To the tree that is there in the end."""
        heard = _changes(self._igp.heard(self._root))
        free_s, place = -math.inf, 0
        while place < len(heard):
            start_s = max(heard[place].at_s, free_s)
            while place + 1 < len(heard) and heard[place + 1].at_s <= start_s:
                place += 1
            free_s = self._compute(heard[place], start_s)
            place += 1
        left = self._active
        if any(up_s == math.inf for _, up_s in self._igp.node_down(self._root)):
            # Nobody moved to it, but nothing is sent any more either.
            left, _ = self._replan(self._igp.after, after, self._reference, True)
        self._updates.sort(key=lambda update: (update.at_s, update.node))
        return Transition(after, left, tuple(self._updates), tuple(self._notes))

    def _compute(self, known: Heard, start_s: float) -> float:
        """One computation and what follows; when the controller is idle again [s]."""
        end_s = start_s + self._timers.compute_s
        if not (self._igp.alive(self._root, start_s) and self._igp.alive(self._root, end_s)):
            return start_s
        routes = self._igp.before.without(known.down)
        dist = routes.dist_from(self._root)
        demand = self._demand.only({name for name, pe, _ in self._demand.clouds if dist[pe] >= 0})
        came_up = not self._down <= known.down
        self._down = known.down
        plan, kind = self._replan(routes, demand, self._reference, came_up)
        if came_up:
            self._reference = plan
        done = _Round(routes, end_s, known.cause.then("compute", end_s))
        # A kept tree is the reference, not always the one in place: that may be a repaired one.
        now = renamed(plan, self._key)
        if self._in_place:
            return self._replace(done, now, kind)
        if now.entries == self._active.entries:
            self._active = now  # perhaps another tree, but the same segments: SIDs healed it
            return end_s
        return self._install(done, plan, kind)

    def _placed(self, done: _Round, nodes: Sequence[Node]) -> tuple[dict[Node, float], float]:
        """When the entry of each node is in place, and the last acknowledgement back [s];
        infinite where a node is down."""
        back = toward(done.routes, self._root, nodes)
        there_s = onward_s(done.routes, self._root, nodes)
        placed, acked_s = {}, done.end_s
        for node in nodes:
            at_s = done.end_s + there_s.get(node, 0.0) + self._timers.program_s
            if not self._igp.alive(node, at_s):
                acked_s = math.inf
                continue
            placed[node] = at_s
            acked_s = max(acked_s, at_s + (back[node][1] if node in back else 0.0))
        return placed, acked_s

    def _install(self, done: _Round, plan: ReplicationPlan, kind: Kind) -> float:
        """A new instance beside the old one; then the root switches."""
        timers, old = self._timers, self._active
        self._instance += 1
        key = TreeKey("tree", plan.transfer, self._instance)
        plan = renamed(plan, key)
        entries = {node: entry for (node, _), entry in plan.entries.items()}
        placed, acked_s = self._placed(done, list(entries))
        self._program(done, key, {node: entries[node] for node in placed}, placed)
        if acked_s == math.inf:
            last_s = max(placed.values(), default=done.end_s)
            unused = done.cause.then("program", last_s)
            self._remove(unused.then("hold", last_s + timers.mbb_hold_s), key, placed)
            return done.end_s
        switch = done.cause.then("program", acked_s).then("switch", acked_s + timers.program_s)
        self._impose(plan, switch)
        hold = switch.then("hold", switch.until_s + timers.mbb_hold_s)
        self._remove(hold, self._key, [node for node, _ in old.entries])
        self._said(switch.until_s, f"to instance {self._instance}", kind, len(entries))
        self._key, self._active = key, plan
        return switch.until_s

    def _replace(self, done: _Round, plan: ReplicationPlan, kind: Kind) -> float:
        """The same instance, entry by entry; then nodes that are no longer of the tree."""
        entries = {node: entry for (node, _), entry in plan.entries.items()}
        wanted = {node: entry for node, entry in entries.items() if self._held.get(node) != entry}
        gone = [node for node in self._held if node not in entries]
        if not wanted and not gone:
            self._active = plan
            return done.end_s
        placed, acked_s = self._placed(done, list(wanted))
        self._program(done, self._key, {node: wanted[node] for node in placed}, placed)
        self._held |= {node: wanted[node] for node in placed}
        if acked_s == math.inf:
            return done.end_s
        acked = done.cause.then("program", acked_s)
        if plan.impose != self._active.impose:
            self._impose(plan, acked.then("switch", acked_s + self._timers.program_s))
        there_s = onward_s(done.routes, self._root, gone)
        last_s = acked_s
        for node in gone:
            at_s = acked_s + there_s.get(node, 0.0) + self._timers.program_s
            self._remove(acked.then("program", at_s), self._key, [node])
            del self._held[node]
            last_s = max(last_s, at_s)
        self._said(last_s, "in place", kind, len(wanted))
        self._active = plan
        return last_s

    def _program(
        self, done: _Round, key: Key, entries: Mapping[Node, Entry], placed: Mapping[Node, float]
    ) -> None:
        for node, entry in entries.items():
            at_s = placed[node]
            cause = done.cause.then("program", at_s)
            self._updates.append(Update(at_s, node, cause, entry=(key, entry)))

    def _remove(self, cause: Cause, key: Key, nodes: Sequence[Node] | Mapping[Node, float]) -> None:
        self._updates += (Update(cause.until_s, node, cause, entry=(key, None)) for node in nodes)

    def _impose(self, plan: ReplicationPlan, cause: Cause) -> None:
        packets = tuple(packet for _, packet in plan.impose)
        self._updates.append(Update(cause.until_s, self._root, cause, impose=packets))

    def _said(self, at_s: float, where: str, kind: Kind, entries: int) -> None:
        how = {"kept": "its tree of before", "repaired": "a repaired tree", "fresh": "a new tree"}
        self._notes.append(
            f"{self._demand.transfer}: {how[kind]} {where} at {at_s:.3f} s, {entries} entries"
            " programmed"
        )


def _waiting(igp: Igp, plan: ReplicationPlan) -> list[str]:
    """What no SID heals: replication nodes that fail themselves."""
    names = [
        igp.graph.names[node]
        for (node, _), entry in plan.entries.items()
        if entry.out and igp.node_down(node)
    ]
    if not names:
        return []
    return [
        f"{plan.transfer}: what is behind {', '.join(names)} waits for the controller: SIDs heal"
        " links, not replication nodes that fail"
    ]


def _kept(igp: Igp, plan: ReplicationPlan) -> list[str]:
    """Replication nodes that restart: theirs is the one state here that is not lost by it."""
    names = [
        igp.graph.names[node]
        for node in sorted({node for node, _ in plan.entries})
        if any(up_s < math.inf for _, up_s in igp.node_down(node))
    ]
    if not names:
        return []
    verb = "keeps its" if len(names) == 1 else "keep their"
    return [
        f"{plan.transfer}: {', '.join(names)} {verb} segments over a restart (PIM and BIFT state"
        " does not last)"
    ]


def _changes(heard: Sequence[Heard]) -> list[Heard]:
    """Those that differ from what was known before them; at first, nothing is down."""
    known: frozenset[int] = frozenset()
    found = []
    for each in heard:
        if each.down != known:
            found.append(each)
            known = each.down
    return found
