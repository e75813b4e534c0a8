"""What is left of a network after a failure: repaired routes against routes computed afresh.

A fresh `IgpRoutes` on the masked graph is itself held against networkx and plain enumeration in
tests/reference/test_spf_networkx.py. Here every answer of repaired routes has to equal it.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.model.topology import Arc, Graph, Node, Topology
from mcastplan.underlay.routes import IgpRoutes, rerouted
from tests.networks import link, network, topologies

RULES = ("first", "hash")


def equal(repaired: IgpRoutes, fresh: IgpRoutes) -> None:
    """Every answer, for every node; paths before and after the trees are there."""
    nodes = range(fresh.graph.size)
    assert repaired.graph.out == fresh.graph.out
    assert repaired.graph.into == fresh.graph.into
    assert repaired.graph.symmetric == fresh.graph.symmetric
    paths(repaired, fresh)
    for node in nodes:
        assert repaired.dist_to(node) == fresh.dist_to(node)
        assert repaired.dist_from(node) == fresh.dist_from(node)
        assert repaired.parents(node) == fresh.parents(node)
        assert repaired.dist_from(node) == fresh.dist_from(node)
        assert sorted(repaired.union(node, nodes)) == sorted(fresh.union(node, nodes))
        for dest in nodes:
            assert repaired.next_arcs(node, dest) == fresh.next_arcs(node, dest)
            assert repaired.next_arc(node, dest, "k") == fresh.next_arc(node, dest, "k")
            assert repaired.next_arc(node, dest, "k", True) == fresh.next_arc(node, dest, "k", True)
    paths(repaired, fresh)


def paths(repaired: IgpRoutes, fresh: IgpRoutes) -> None:
    nodes = range(fresh.graph.size)
    for source in nodes:
        for dest in nodes:
            assert repaired.path(source, dest) == fresh.path(source, dest)
            assert sorted(repaired.union(source, [dest])) == sorted(fresh.union(source, [dest]))


def every_failure(graph: Graph) -> list[frozenset[Arc]]:
    """Every link, every single direction of one, every node."""
    arcs = range(len(graph.tail))
    found = [frozenset((arc, arc + 1)) for arc in arcs[::2]]
    found += [frozenset((arc,)) for arc in arcs[::3]]
    for node in range(graph.size):
        around = {arc for _, _, arc in graph.out[node]}
        found.append(frozenset(around | {arc ^ 1 for arc in around}))
    return found


def warmed(graph: Graph, ecmp: str, roots: range) -> IgpRoutes:
    """Routes that were asked a few things before the failure."""
    routes = IgpRoutes(graph, ecmp)  # type: ignore[arg-type]
    for root in roots:
        routes.parents(root)
        routes.path(graph.size - 1, root)
    return routes


@settings(max_examples=250)
@given(topologies(max_nodes=9), st.sampled_from(RULES), st.integers(0, 3))
def test_every_single_failure(topology: Topology, ecmp: str, known: int) -> None:
    graph = topology.graph
    base = warmed(graph, ecmp, range(0, graph.size, known) if known else range(0))
    for down in every_failure(graph):
        fresh = IgpRoutes(graph.without(down), ecmp)  # type: ignore[arg-type]
        equal(base.without(down), fresh)


@settings(max_examples=250)
@given(topologies(), st.sampled_from(RULES), st.data())
def test_any_set_of_arcs_in_two_steps(topology: Topology, ecmp: str, data: st.DataObject) -> None:
    """What is left of what is left is what both masks together leave, in either order."""
    graph = topology.graph
    arcs = st.frozensets(st.integers(0, max(0, len(graph.tail) - 1)), max_size=8)
    one, other = data.draw(arcs), data.draw(arcs)
    if not graph.tail:
        one = other = frozenset()
    base = warmed(graph, ecmp, range(0, graph.size, 3))
    first = base.without(one)
    first.parents(0)
    fresh = IgpRoutes(graph.without(one | other), ecmp)  # type: ignore[arg-type]
    equal(first.without(other), fresh)
    equal(base.without(other).without(one), fresh)


def differ(before: IgpRoutes, after: IgpRoutes, dest: Node) -> set[Node]:
    """By looking at every node."""

    def route(routes: IgpRoutes, node: Node) -> tuple[object, ...]:
        arcs = routes.next_arcs(node, dest)
        return routes.dist_to(dest)[node], arcs if routes.ecmp == "hash" else arcs[:1]

    return {n for n in range(before.graph.size) if route(before, n) != route(after, n)}


@settings(max_examples=250)
@given(topologies(), st.sampled_from(RULES), st.data())
def test_rerouted_nodes(topology: Topology, ecmp: str, data: st.DataObject) -> None:
    """Failure, repair, and from one failure to another, whether or not they share a base."""
    graph = topology.graph
    arcs = st.frozensets(st.integers(0, max(0, len(graph.tail) - 1)), max_size=4)
    one, other = data.draw(arcs), data.draw(arcs)
    if not graph.tail:
        one = other = frozenset()
    base = IgpRoutes(graph, ecmp)  # type: ignore[arg-type]
    states = [base, base.without(one), base.without(other), base.without(one).without(other)]
    states.append(IgpRoutes(graph.without(other), ecmp))  # type: ignore[arg-type]
    for before in states:
        for after in states:
            for dest in range(graph.size):
                assert rerouted(before, after, dest) == differ(before, after, dest)


def test_untouched_answers_are_the_base_s_own_objects() -> None:
    """a - b - c - d in a row, and e hung on b by two links of the same metric.

    From a, the loss of c - d leaves a, b, c, e where they were; d is gone. Towards e nothing but d
    changes; the loss of one of the two links to e changes no distance at all.
    """
    topology = network(
        link("a", "b"),
        link("b", "c"),
        link("c", "d"),
        link("b", "e", tag="#1"),
        link("b", "e", tag="#2"),
    )
    graph = topology.graph
    a, b, c, d, e = range(5)
    number = {each.id: place for place, each in enumerate(topology.links)}
    base = IgpRoutes(graph)

    twin = number["b--e#1"]
    left = base.without(frozenset((2 * twin, 2 * twin + 1)))
    assert left.dist_from(a) is base.dist_from(a)
    assert left.dist_to(e) is base.dist_to(e)
    assert left.parents(e) is not base.parents(e)
    assert left.parents(a)[e] != base.parents(a)[e]
    assert left.dist_from(a) is base.dist_from(a)
    assert rerouted(base, left, e) == {b}  # a, c and d send towards b as before

    last = number["c--d"]
    left = base.without(frozenset((2 * last, 2 * last + 1)))
    assert left.dist_from(a) == [0, 1, 2, -1, 2]
    assert rerouted(base, left, a) == {d}
    assert rerouted(base, left, d) == {a, b, c, e}

    back = base.without(frozenset((2 * last + 1,)))  # only d -> c is gone
    assert not back.graph.symmetric
    assert back.dist_from(a) is base.dist_from(a)
    assert back.dist_to(a) == [0, 1, 2, -1, 2]
    assert back.parents(a) is base.parents(a)
    assert base.without(frozenset()) is base
    assert left.without(left.down) is left


@pytest.mark.parametrize("rows", [2, 5])
def test_the_smallest_of_many_ties(rows: int) -> None:
    """A grid of unit metrics, where every node has many shortest paths from the corner: the loss of
    each link in turn leaves the smallest of those that remain."""
    size = rows * rows
    names = [f"{place:02}" for place in range(size)]
    across = [link(names[p], names[p + 1]) for p in range(size) if (p + 1) % rows]
    along = [link(names[p], names[p + rows]) for p in range(size - rows)]
    graph = network(*across, *along).graph
    base = IgpRoutes(graph)
    for down in every_failure(graph):
        fresh = IgpRoutes(graph.without(down))
        for root in (0, size // 2, size - 1):
            assert base.without(down).parents(root) == fresh.parents(root)
