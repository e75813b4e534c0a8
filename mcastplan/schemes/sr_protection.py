"""Protected adjacency SIDs: a pinned branch whose arc is out of use goes to its far end anyhow.

RFC 8402 section 3.4 (the B-flag) and RFC 9855: a router that must forward over a failed adjacency
sends the packet along the repair path to the adjacency's far end. An arc is only pinned where the
IGP goes to its far end another way, so that way is the one after the failure too, and the FIB takes
it: the branch loses its ``via`` and nothing else. Not covered: a far end that has failed itself,
and an IGP way that failed with the adjacency (an SRLG); both wait, as any packet there does.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mcastplan.model.change import Cause, Heard, Transition, Update
from mcastplan.model.plan import Entry, Key, ReplicationPlan, Steer
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import Igp
from mcastplan.schemes.segments import branch_to


def protected(igp: Igp, plan: ReplicationPlan, moved: Transition, srv6: bool) -> Transition:
    """The transition with every pinned branch bypassed from detection + ``protect_s`` until the
    arc is back in use or the controller has taken the entry away."""
    intended: dict[Node, list[tuple[float, Cause | None, Key, Entry | None]]] = {}
    for (node, key), entry in plan.entries.items():
        intended.setdefault(node, []).append((-float("inf"), None, key, entry))
    for update in moved.updates:
        if update.entry is not None:
            change = (update.at_s, update.cause, *update.entry)
            intended.setdefault(update.node, []).append(change)
    pinning = {
        node
        for node, changes in intended.items()
        if any(entry is not None and _pinned(entry) for _, _, _, entry in changes)
    }
    updates = [
        update for update in moved.updates if update.entry is None or update.node not in pinning
    ]
    bypassed = []
    for node in sorted(pinning):
        mine = _Plr(igp, node, srv6).updates(intended[node])
        updates += mine
        if any(update.cause.stage == "protect" for update in mine):
            bypassed.append(node)
    updates.sort(key=lambda update: (update.at_s, update.node))
    notes = moved.notes
    if bypassed:
        names = ", ".join(igp.graph.names[node] for node in bypassed)
        notes = (*notes, f"{plan.transfer}: protected adjacencies bypassed at {names}")
    lost = sorted(
        {igp.graph.head[arc] for entry in plan.entries.values() for arc in _pinned(entry)}
    )
    gone = [igp.graph.names[node] for node in lost if igp.node_down(node)]
    if gone:
        names = ", ".join(gone)
        notes = (*notes, f"{plan.transfer}: no bypass leads to {names}, which failed itself")
    return msgspec.structs.replace(moved, updates=tuple(updates), notes=notes)


def _pinned(entry: Entry) -> list[Arc]:
    return [
        branch.via for branch in entry.out if isinstance(branch, Steer) and branch.via is not None
    ]


class _Plr:
    """The point of local repair: one node's entries as it forwards by them."""

    def __init__(self, igp: Igp, node: Node, srv6: bool) -> None:
        self._igp, self._node, self._srv6 = igp, node, srv6

    def updates(
        self, intended: Sequence[tuple[float, Cause | None, Key, Entry | None]]
    ) -> list[Update]:
        changes: list[tuple[float, int, Cause | None, Key, Entry | None]] = [
            (at_s, 0, cause, key, entry) for at_s, cause, key, entry in intended
        ]
        bypasses = _bypasses(self._igp.own(self._node), self._igp.timers.protect_s)
        changes += ((at_s, 1, cause, down, None) for at_s, cause, down in bypasses)
        changes.sort(key=lambda change: change[:2])
        down: frozenset[Arc] = frozenset()
        wanted: dict[Key, Entry | None] = {}
        held: dict[Key, Entry | None] = {}
        found = []
        for at_s, kind, cause, what, entry in changes:
            if kind:
                assert isinstance(what, frozenset)
                down = what
            else:
                wanted[what] = entry
            for key, want in wanted.items():
                now = None if want is None else self._without(want, down)
                if now == held.get(key):
                    continue
                held[key] = now
                if cause is not None:  # None: there before the first event
                    found.append(Update(at_s, self._node, cause, entry=(key, now)))
        return found

    def _without(self, entry: Entry, down: frozenset[Arc]) -> Entry:
        if down.isdisjoint(_pinned(entry)):
            return entry
        out = tuple(
            self._bypass(branch) if isinstance(branch, Steer) and branch.via in down else branch
            for branch in entry.out
        )
        return msgspec.structs.replace(entry, out=out)

    def _bypass(self, branch: Steer) -> Steer:
        routes, dest = self._igp.before, branch.dests[0]
        path = routes.path(self._node, dest)
        assert branch.via is not None
        return branch_to(routes, branch.key, path or (branch.via,), self._srv6, pinned=False)


def _bypasses(own: Sequence[Heard], protect_s: float) -> list[tuple[float, Cause, frozenset[Arc]]]:
    """(instant, cause, arcs bypassed from then on): an arc ``protect_s`` after it went out of use,
    unless it is back by then; back in use, it is used at once."""
    changes: list[tuple[float, int, Cause, frozenset[Arc]]] = []
    since: dict[Arc, float] = {}
    for number, each in enumerate(own):
        back = frozenset(since.keys() - each.down)
        if back:
            changes.append((each.at_s, number, each.cause, back))
        for arc in back:
            del since[arc]
        new = frozenset(each.down - since.keys())
        since |= dict.fromkeys(new, each.at_s)
        ready_s = each.at_s + protect_s
        stays = frozenset(arc for arc in new if _back_s(own[number + 1 :], arc) > ready_s)
        if stays:
            changes.append((ready_s, number, each.cause.then("protect", ready_s), stays))
    changes.sort(key=lambda change: change[:2])
    found = []
    bypassed: frozenset[Arc] = frozenset()
    for at_s, _, cause, arcs in changes:
        bypassed = bypassed | arcs if cause.stage == "protect" else bypassed - arcs
        found.append((at_s, cause, bypassed))
    return found


def _back_s(later: Sequence[Heard], arc: Arc) -> float:
    return next((each.at_s for each in later if arc not in each.down), float("inf"))
