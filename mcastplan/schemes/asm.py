"""PIM-SM ASM state in each of its three stages, by the macros of RFC 7761 section 4.1.6.

``register``: only the source's PE has (S,G), and tunnels to the RP. ``rpt``: the RP has joined the
source. ``spt``: every receiving PE has joined it too. A pruned (S,G) between source and RP stays,
with no OIF, until its Keepalive Timer (210 s) ends: a push is usually over by then, so it counts.
"""

from __future__ import annotations

from typing import Literal

from mcastplan.model.plan import Demand, Entry, Key, Steer
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.mroute import REGISTER_BYTES, Tree, keys_of
from mcastplan.underlay.routes import IgpRoutes

Stage = Literal["register", "rpt", "spt"]


class SharedTree:
    """Entries of every router on the shared tree, the source trees, and where they part."""

    def __init__(self, routes: IgpRoutes, demand: Demand, rp: Node, stage: Stage) -> None:
        sg, rpt, star = keys_of(demand.transfer)
        head, tail = routes.graph.head, routes.graph.tail
        origin, local = demand.origin, set(demand.pes)
        shared = Tree(routes, rp, star, demand.pes)
        joined = {"register": (), "rpt": (rp,), "spt": (rp, *demand.pes)}[stage]
        source = Tree(routes, origin, sg, joined)

        # Prune(S,G,rpt), leaves first: PruneDesired is an empty inherited_olist(S,G,rpt), or
        # SPTbit set with RPF'(S,G) != RPF'(*,G). The source's own PE is directly connected.
        dist = routes.dist_to(rp)
        pruned: set[Node] = set()
        kept: dict[Node, tuple[Arc, ...]] = {}  # joins(*,G) - prunes(S,G,rpt), by node
        for node in sorted(shared.oifs, key=lambda each: (-dist[each], each)):
            kept[node] = tuple(arc for arc in shared.oifs[node] if head[arc] not in pruned)
            parts = node in source.iif and source.iif[node] != shared.iif[node]
            if node != rp and (parts or not (kept[node] or node in local)):
                pruned.add(node)

        olist = {node: _merge(kept.get(node, ()), oifs) for node, oifs in source.oifs.items()}
        # A router on the way to the RP whose olist is empty leaves the source tree.
        node = rp
        while node != origin and node in olist and not olist[node] and node not in local:
            arc = source.iif[node]
            assert arc is not None
            node = tail[arc]
            olist[node] = tuple(each for each in olist[node] if each != arc)

        self.entries: dict[tuple[Node, Key], Entry] = {}
        for node, arcs in olist.items():
            out: tuple[Arc | Steer, ...] = arcs
            if stage == "register" and rp != origin:
                out = (*arcs, Steer(sg, (rp,), REGISTER_BYTES, lookup=True))
            self.entries[node, sg] = Entry(out, source.iif[node], node in local, "(S,G)")
        for node, oifs in shared.oifs.items():
            self.entries[node, star] = Entry(tuple(oifs), shared.iif[node], node in local, "(*,G)")
            if len(kept[node]) < len(oifs):
                self.entries[node, rpt] = Entry(
                    kept[node], shared.iif[node], node in local, "(S,G,rpt)"
                )


def _merge(first: tuple[Arc, ...], second: list[Arc]) -> tuple[Arc, ...]:
    return tuple(dict.fromkeys((*first, *second)))
