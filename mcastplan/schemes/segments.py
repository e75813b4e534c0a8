"""A tree made into replication segments: which nodes hold one, and how each branch gets down.

Between two of root, branch, bud and leaf lies a chain of arcs. It is one branch where the IGP goes
the same way; otherwise it is cut into the longest parts that the IGP does follow, with a one-branch
segment at each **waypoint**; an arc that is not even its own ends' shortest way is pinned by its
adjacency SID. SRv6: 40 B, +24 B SRH with a pinned adjacency (RFC 8754). MPLS: 4 B, 8 B with the
Node-SID of a downstream node that is not adjacent (no PHP).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from mcastplan.model.plan import Entry, Key, ReplicationPlan, Steer
from mcastplan.model.topology import Arc, Graph, Node
from mcastplan.underlay.routes import IgpRoutes

SRV6_BYTES, SRH_ONE_SID_BYTES = 40, 24
MPLS_LABEL_BYTES = 4

Chain = tuple[Arc, ...]
# By a chain's first arc: the chain, and its branches with the nodes that hold them.
Chains = Mapping[Arc, tuple[Chain, tuple[tuple[Node, Steer], ...]]]


def entries_of(
    routes: IgpRoutes,
    root: Node,
    receivers: Collection[Node],
    key: Key,
    tree: Sequence[Arc],
    srv6: bool,
    known: Chains | None = None,
) -> dict[tuple[Node, Key], Entry]:
    """Segments by node, sorted. ``known``: chains of another tree under the same ``key``, on routes
    with all these arcs and more: a chain that stands among them keeps its branches, for what was
    the IGP's way stays it while arcs only go away."""
    head = routes.graph.head
    out: dict[Node, list[Steer]] = {root: []}
    waypoints: set[Node] = set()
    # Under hashing, the number of labels hangs on equal-cost ways that may be gone.
    usable = known if known and (srv6 or routes.ecmp == "first") else {}
    for chain in _chains(routes.graph, root, receivers, tree):
        before = usable.get(chain[0])
        if before is not None and before[0] == chain:
            pieces = before[1]
        else:
            pieces = tuple(_pieces(routes, key, chain, srv6))
        for at, branch in pieces:
            out.setdefault(at, []).append(branch)
        if len(pieces) > 1:
            waypoints.update(at for at, _ in pieces[1:])
        out.setdefault(head[chain[-1]], [])
    return {
        (node, key): Entry(
            tuple(branches),
            None,
            node in receivers,
            _role(node == root, node in waypoints, node in receivers, bool(branches)),
        )
        for node, branches in sorted(out.items())
    }


def chains_of(graph: Graph, root: Node, plan: ReplicationPlan) -> Chains:
    """The chains of a plan that `entries_of` made, with their branches."""
    if not plan.flows:
        return {}
    key, receivers = plan.flows[0].keys[0], frozenset(plan.flows[0].receivers)
    found: dict[Arc, tuple[Chain, tuple[tuple[Node, Steer], ...]]] = {}
    taken: dict[Node, int] = {}
    for chain in _chains(graph, root, receivers, plan.tree):
        at, end = graph.tail[chain[0]], graph.head[chain[-1]]
        place = taken[at] = taken.get(at, -1) + 1
        pieces = []
        while at != end:
            branch = plan.entries[at, key].out[place]
            assert isinstance(branch, Steer)
            pieces.append((at, branch))
            at, place = branch.dests[0], 0
        found[chain[0]] = chain, tuple(pieces)
    return found


def branch_to(routes: IgpRoutes, key: Key, part: Sequence[Arc], srv6: bool, pinned: bool) -> Steer:
    """One branch along ``part``: by the FIB, which goes that way, or over its ``pinned`` arc."""
    at, dest = routes.graph.tail[part[0]], routes.graph.head[part[-1]]
    if srv6:
        header = SRV6_BYTES + (SRH_ONE_SID_BYTES if pinned else 0)
    else:
        # Under hashing any equal-cost way may be taken, so one that passes a router decides.
        ways = routes.next_arcs(at, dest) if routes.ecmp == "hash" and not pinned else part[:1]
        adjacent = all(routes.graph.head[arc] == dest for arc in ways)
        header = MPLS_LABEL_BYTES * (1 if adjacent else 2)
    return Steer(key, (dest,), header, lookup=True, via=part[0] if pinned else None)


def _chains(
    graph: Graph, root: Node, receivers: Collection[Node], tree: Sequence[Arc]
) -> Iterator[Chain]:
    """Arcs from each root, branch or receiver to the next one below; those of one node by arc."""
    head, tail = graph.head, graph.tail
    below: dict[Node, list[Arc]] = {}
    for arc in sorted(tree):
        below.setdefault(tail[arc], []).append(arc)
    for start, arcs in below.items():
        if len(arcs) == 1 and start != root and start not in receivers:
            continue
        for first in arcs:
            chain = [first]
            node = head[first]
            while node not in receivers:
                onward = below[node]
                if len(onward) > 1:
                    break
                chain += onward
                node = head[onward[0]]
            yield tuple(chain)


def _pieces(routes: IgpRoutes, key: Key, chain: Chain, srv6: bool) -> Iterator[tuple[Node, Steer]]:
    """The branches of one chain, each as long as the IGP follows it by itself."""
    while chain:
        at = routes.graph.tail[chain[0]]
        reach = _reach(routes, at, chain)
        part, chain = chain[: max(reach, 1)], chain[max(reach, 1) :]
        yield at, branch_to(routes, key, part, srv6, pinned=reach == 0)


def _reach(routes: IgpRoutes, at: Node, chain: Chain) -> int:
    """How many arcs of ``chain`` the IGP follows by itself from ``at``; 0: not even the first.

    The start of a way that the IGP takes is one too, so the longest is found by halving.
    """
    if _follows(routes, at, chain):
        return len(chain)
    good, bad = 0, len(chain)
    while bad - good > 1:
        middle = (good + bad) // 2
        if _follows(routes, at, chain[:middle]):
            good = middle
        else:
            bad = middle
    return good


def _follows(routes: IgpRoutes, at: Node, part: Chain) -> bool:
    """Under ``hash`` an equal-cost path is good enough: the walk finds what it really copies."""
    dest = routes.graph.head[part[-1]]
    if routes.ecmp == "hash":
        return routes.dist_to(dest)[at] == sum(map(routes.graph.metric.__getitem__, part))
    return routes.path(at, dest) == part


def _role(root: bool, waypoint: bool, receiver: bool, replicates: bool) -> str:
    if root:
        return "root and bud" if receiver else "root"
    if waypoint:
        return "waypoint"
    if receiver:
        return "bud" if replicates else "leaf"
    return "branch"
