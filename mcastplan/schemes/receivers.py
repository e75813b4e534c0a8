"""What the schemes share when one push's receiver set follows another's.

Clouds on one PE count as one receiver: the network signals for PEs. The announcement of the push
is no signalling message here, for it is the same in every scheme.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from mcastplan.model.campaign import ReceiverChange
from mcastplan.model.plan import Demand
from mcastplan.model.timers import Timers
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import farthest_s
from mcastplan.underlay.routes import IgpRoutes


def joined_and_left(before: Demand, after: Demand) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """PEs that receive ``after`` and not ``before``, and the other way round; both in order."""
    was, now = set(before.pes), set(after.pes)
    return tuple(sorted(now - was)), tuple(sorted(was - now))


def away_s(routes: IgpRoutes, demand: Demand, pes: Sequence[Node]) -> float:
    """Propagation [s] from the one of ``pes`` that is farthest from the origin's PE."""
    return farthest_s(routes, msgspec.structs.replace(demand, pes=tuple(pes)))


def overlay_change(
    timers: Timers, routes: IgpRoutes, before: Demand, after: Demand, writes: int
) -> ReceiverChange:
    """One overlay update from each egress that comes or goes; the push waits for the farthest new
    one and for one write at the ingress, as in a set-up from nothing."""
    joined, left = joined_and_left(before, after)
    terms = {"announce": timers.announce_s}
    if joined:
        terms["signal"] = timers.signal_s + away_s(routes, after, joined)
        terms["write"] = timers.write_s
    remote = sum(pe != after.origin for pe in (*joined, *left))
    return ReceiverChange(terms, remote, writes if joined or left else 0)


def grafted_s(
    routes: IgpRoutes, added: Mapping[Node, Arc], leaves: Iterable[Node], join_s: float
) -> float:
    """When the last Join has met the tree that is there [s]. ``added`` are the nodes without state
    so far, with their new IIF: every leaf among them sends a Join at 0, any other as soon as the
    first from below is handled (``join_s`` each); a node that has state sends none on."""
    delay_s, tail = routes.graph.delay_s, routes.graph.tail
    below = dict.fromkeys(added, 0)
    for arc in added.values():
        if tail[arc] in below:
            below[tail[arc]] += 1
    sent = {leaf: 0.0 for leaf in leaves if leaf in added}
    ready = [node for node, children in below.items() if not children]
    last = 0.0
    while ready:  # each node after all those that it receives a Join from
        node = ready.pop()
        there = sent[node] + delay_s[added[node]] + join_s
        last = max(last, there)
        upstream = tail[added[node]]
        if upstream in below:
            sent[upstream] = min(sent.get(upstream, there), there)
            below[upstream] -= 1
            if not below[upstream]:
                ready.append(upstream)
    return last
