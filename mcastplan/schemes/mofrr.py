"""Multicast-only fast reroute (RFC 7431): a second upstream neighbour, joined in advance.

A router that somebody's primary stream crosses also joins an alternate upstream neighbour: another
equal-cost one, else a loop-free alternate (RFC 5286 section 3.1, inequality 1). Its RPF check drops
that second copy until the primary interface is lost. Assumed here: a router joined for a spare
alone asks for none of its own, or routers could keep each other's state alive for ever. Not
modelled: detection by missing packets; a way to the source that a spare has to be steered along
(RPF Vector, RFC 9860); choosing among alternates by the routers they share with the primary way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from mcastplan.model.plan import Entry, Key
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import Igp
from mcastplan.schemes.mroute import Tree
from mcastplan.underlay.routes import IgpRoutes


def alternate(routes: IgpRoutes, node: Node, root: Node, primary: Arc) -> Arc | None:
    """The arc towards the secondary upstream neighbour of ``node``; None without one.

    Equal cost first, then a neighbour other than the primary's, then the shortest way to the root,
    then by name of neighbour and link.
    """
    graph, dist = routes.graph, routes.dist_to(root)
    equal = set(routes.next_arcs(node, root))
    best: tuple[bool, bool, int, Node, Arc] | None = None
    for near, metric, arc in graph.out[node]:
        if arc == primary or dist[near] < 0:
            continue
        rank = arc not in equal, near == graph.head[primary], metric + dist[near], near, arc
        if (best is None or rank < best) and not _through(routes, near, node, root):
            best = rank
    return None if best is None else best[-1]


def _through(routes: IgpRoutes, start: Node, node: Node, root: Node) -> bool:
    """Whether a shortest path from ``start`` to ``root`` passes ``node``: dist(start, root) =
    dist(start, node) + dist(node, root)."""
    head, dist = routes.graph.head, routes.dist_to(root)
    todo, seen = [start], {start}
    while todo:
        here = todo.pop()
        if here == node:
            return True
        if dist[here] <= dist[node]:
            continue
        for arc in routes.next_arcs(here, root):
            if head[arc] not in seen:
                seen.add(head[arc])
                todo.append(head[arc])
    return False


class Coverage(msgspec.Struct, frozen=True):
    """Of the routers below the root on the primary tree (``routers``), in order: ``bare`` have no
    alternate upstream neighbour; the spare of those in ``meets`` passes the primary one, and fails
    with it. (That a spare comes from the root itself is nobody's failure but the root's.)"""

    routers: int
    bare: tuple[Node, ...]
    meets: tuple[Node, ...]


def add_spares(tree: Tree, routes: IgpRoutes, root: Node, key: Key) -> Coverage:
    """Put the branches for spare copies into a ``tree`` of primary streams."""
    head, tail = routes.graph.head, routes.graph.tail
    below = [(node, iif) for node, iif in tree.iif.items() if iif is not None]
    bare, meets = [], []
    for node, iif in below:
        spare = alternate(routes, node, root, iif ^ 1)
        if spare is None:
            bare.append(node)
            continue
        tree.graft(routes, root, key, head[spare])
        tree.oifs[head[spare]].append(spare ^ 1)
        way = _upwards(tree, routes, head[spare])
        if tail[iif] != root and tail[iif] in way:
            meets.append(node)
    return Coverage(len(below), tuple(sorted(bare)), tuple(sorted(meets)))


def _upwards(tree: Tree, routes: IgpRoutes, node: Node) -> list[Node]:
    """The router and all above it on the tree."""
    way = [node]
    while (iif := tree.iif[way[-1]]) is not None:
        way.append(routes.graph.tail[iif])
    return way


def uncovered(
    igp: Igp, root: Node, entries: Mapping[Node, Entry], receivers: Iterable[Node]
) -> tuple[int, dict[Node, str]]:
    """(receivers whose primary way something fails on, those that no spare stream saves, and why).

    Followed up the tree is each router's primary arc; where that fails, its spare. All that ever
    fails counts as failed together.
    """
    found = {pe: _saved(igp, root, entries, pe) for pe in receivers}
    hit = {pe: why for pe, why in found.items() if why is not None}
    return len(hit), {pe: why for pe, why in hit.items() if why}


def _saved(igp: Igp, root: Node, entries: Mapping[Node, Entry], pe: Node) -> str | None:
    """None: nothing fails on the way down to ``pe``; "": a spare stream stands in; else why not."""
    tail, names = igp.graph.tail, igp.graph.names
    for node in (pe, root):
        if igp.node_down(node):
            return f"{names[node]} itself failed"
    switched, below, node, seen = False, pe, pe, set[Node]()
    while node != root:
        if node in seen:
            return "its spare stream comes back to it"
        seen.add(node)
        if node not in entries:  # a router that is joined for a spare alone has no spare itself
            return f"{names[below]} is joined for a spare alone"
        arc = entries[node].iif
        assert arc is not None  # the root alone has none
        if arc in igp.down:
            switched = True
            spare = alternate(igp.before, node, root, arc ^ 1)
            if spare is None:
                return f"no second upstream neighbour at {names[node]}"
            if spare in igp.down:
                return f"the spare stream of {names[node]} fails too"
            arc = spare ^ 1
        below, node = node, tail[arc]
    return "" if switched else None
