"""The BIFT of one BFR through failures: interfaces that go, BIER-FRR backups, rows rewritten.

A BIFT follows the FIB: after each FIB flip the changed rows are written one after the other, one
flip's rows after the other's. An interface that the BFR takes out of use leaves the BIFT at once.
With BIER-FRR a backup is in place at detection + ``protect_s`` (draft-ietf-bier-frr), for the BIFT
alone: the underlay's own protection is below BIER packets only where they are in a tunnel.

- ``tunnel``: link protection. Packets for the BFR-NBR behind the failed link go to that same
  BFR-NBR in a tunnel along the shortest path without the BFR's failed links, F-BM unchanged. Not
  covered: a BFR-NBR that has failed itself (node protection, tunnels to the next-next-hops with
  F-BMs of their own, is not modelled), and one that no other path reaches.
- ``lfa``: per BFER another BFR-NBR that is a loop-free alternate (RFC 5286), without a tunnel. Not
  covered: BFERs without one. Remote and topology-independent alternates are not modelled here.

Neither covers the failure of a BFER itself, or of the BFIR.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from mcastplan.model.change import Cause, Update
from mcastplan.model.plan import Key, Routes
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import Igp
from mcastplan.underlay.protection import LocalRoutes, local_routes
from mcastplan.underlay.routes import IgpRoutes

Frr = Literal["none", "tunnel", "lfa"]


class Tunnels(LocalRoutes):
    """``routes`` at one BFR whose links ``own_down`` are out of use: what it sent over them goes to
    the same BFR-NBR another way (over another link between the two without a tunnel)."""

    def __init__(self, routes: IgpRoutes, node: Node, own_down: frozenset[Arc]) -> None:
        super().__init__(routes, node, own_down, "none")

    def _backup(self, dest: Node, lost: Sequence[Arc]) -> tuple[Arc, ...]:
        left = self._routes.without(self._down)
        return left.path(self._node, self.graph.head[lost[0]]) or ()


def local_bift(routes: IgpRoutes, node: Node, own_down: frozenset[Arc], frr: Frr) -> LocalRoutes:
    """A BIFT of ``routes`` at a BFR that has taken its links ``own_down`` out of use."""
    if frr == "tunnel":
        return Tunnels(routes, node, own_down)
    return local_routes(routes, node, own_down, frr)


def bift_updates(igp: Igp, node: Node, frr: Frr) -> list[Update]:
    """By what routes the BFR forwards BIER packets over time."""
    timers = igp.timers
    steps: list[tuple[float, int, frozenset[Arc] | IgpRoutes | None, Cause]] = []
    gone: frozenset[Arc] = frozenset()
    for own in igp.own(node):
        steps.append((own.at_s, 0, own.down, own.cause))
        if own.down - gone and frr != "none":
            ready_s = own.at_s + timers.protect_s
            steps.append((ready_s, 1, None, own.cause.then("protect", ready_s)))
        gone = own.down
    steps += _written(igp, node)
    steps.sort(key=lambda step: step[:2])
    return _replay(igp, node, frr, steps)


def _written(igp: Igp, node: Node) -> list[tuple[float, int, IgpRoutes, Cause]]:
    """When the rows that each FIB flip changes are in the BIFT."""
    routes, free_s, found = igp.before, -math.inf, []
    flip_s = -math.inf
    for flip in igp.flips(node):
        if flip.cause.stage != "fib":
            continue
        if any(flip_s < up_s <= flip.at_s for _, up_s in igp.node_down(node)):
            routes, free_s = _restarted(igp, node), -math.inf
        flip_s = flip.at_s
        after = flip.routes
        if isinstance(after, LocalRoutes):
            after = after.whole
        assert isinstance(after, IgpRoutes)
        rows = igp.rewritten(node, routes, after)
        free_s = max(flip_s, free_s) + rows * igp.timers.write_s
        routes = after
        if igp.alive(node, free_s):
            found.append((free_s, 2, routes, flip.cause.then("bift", free_s)))
    return found


def _restarted(igp: Igp, node: Node) -> IgpRoutes:
    """What a BFR knows that has just started: no link of its own is up."""
    arcs = {arc for _, _, arc in igp.graph.out[node]} | {arc for _, _, arc in igp.graph.into[node]}
    return igp.before.without(frozenset(arcs))


def _replay(
    igp: Igp,
    node: Node,
    frr: Frr,
    steps: Sequence[tuple[float, int, frozenset[Arc] | IgpRoutes | None, Cause]],
) -> list[Update]:
    """As the FIB does it: an interface that comes back is used from the next rows written on."""
    births = {up_s for _, up_s in igp.node_down(node)}
    found: list[Update] = []
    routes = igp.before
    own: frozenset[Arc] = frozenset()
    since_s = -math.inf  # the last interface to go
    for at_s, _, what, cause in steps:
        use: Routes
        if isinstance(what, IgpRoutes):
            routes = what
            use = _use(routes, node, own, "none")
        elif what is None:
            if own <= routes.down or at_s < since_s + igp.timers.protect_s:
                continue
            use = _use(routes, node, own, frr)
        else:
            born = at_s in births
            if born:
                routes, own = _restarted(igp, node), frozenset()
            lost, own = what - own, what
            if not lost or (own <= routes.down and not born):
                continue
            since_s = at_s
            use = _use(routes, node, own, "none")
        found.append(Update(at_s, node, cause, routes=use))
    return found


def _use(routes: IgpRoutes, node: Node, own: frozenset[Arc], frr: Frr) -> Routes:
    return routes if own <= routes.down else local_bift(routes, node, own, frr)


def uncovered(
    igp: Igp, origin: Node, bfers: Iterable[tuple[Node, Key]], frr: Frr
) -> tuple[int, dict[Node, str]]:
    """(BFERs on whose way something fails, those of them without a backup, and why).

    ``bfers`` come with the key of their packet. Looked at is the first failed arc on the way from
    ``origin`` before the first event, and whether the backup there meets none of the others.
    """
    graph, failed = igp.graph, igp.down.keys()
    behind, bare = 0, {}
    for bfer, key in bfers:
        path = igp.before.path(origin, bfer, key) or ()
        first = next((arc for arc in path if arc in failed), None)
        if first is None:
            continue
        behind += 1
        plr, nbr = graph.tail[first], graph.head[first]
        views = [own.down for own in igp.own(plr) if first in own.down]
        way = None
        if views:
            way = local_bift(igp.before, plr, max(views, key=len), frr).path(plr, bfer, key)
        if way and failed.isdisjoint(way):
            continue
        if igp.node_down(bfer):
            bare[bfer] = "it failed itself"
        elif igp.node_down(plr):
            bare[bfer] = f"the BFIR {graph.names[plr]} failed"
        elif igp.node_down(nbr) and (frr == "tunnel" or way):
            bare[bfer] = f"the BFR-NBR {graph.names[nbr]} failed"
        elif way is None and frr == "lfa":
            bare[bfer] = f"no LFA at {graph.names[plr]}"
        else:
            bare[bfer] = "no other way" if way is None else "its backup failed too"
    return behind, bare
