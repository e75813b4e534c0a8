"""The lab's metrics: 16 bits, no ties, and the planner's own paths."""

from __future__ import annotations

import pytest
from hypothesis import given

from mcastplan.errors import UsageError
from mcastplan.lab import metrics
from mcastplan.lab.metrics import MAX_METRIC, distinct_metrics
from mcastplan.model.topology import Topology
from mcastplan.scenario import load_scenario
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import link, network, topologies

Paths = dict[tuple[int, int], list[int]]


def next_arcs(topology: Topology, down: frozenset[int] = frozenset()) -> Paths:
    """All equal-cost next arcs by (node, destination)."""
    routes, size = IgpRoutes(topology.graph).without(down), topology.graph.size
    return {(u, v): routes.next_arcs(u, v) for u in range(size) for v in range(size) if u != v}


def check_intact(before: Topology, after: Topology) -> None:
    """One next arc where there was any, of those that were as short; link by link its own metric;
    nothing else has changed."""
    was, now = next_arcs(before), next_arcs(after)
    for pair, arcs in was.items():
        assert len(now[pair]) == min(1, len(arcs))
        assert set(now[pair]) <= set(arcs)
    assert all(1 <= metric <= MAX_METRIC for metric in after.graph.metric)
    values = [{one.metric, one.metric_reverse} for one in after.links]
    assert sum(map(len, values)) == len(set().union(*values))
    assert [one.id for one in after.links] == [one.id for one in before.links]
    assert after.graph.tail == before.graph.tail
    assert after.graph.capacity_bps == before.graph.capacity_bps


@pytest.mark.parametrize(
    "name", ["lab-abilene", "lab-nobel-eu", "lab-unequal", "lab-churn", "geant", "gscale"]
)
def test_paths_stay_those_of_ecmp_first(name: str) -> None:
    before = load_scenario(f"builtin:{name}").topology
    after = distinct_metrics(before)
    check_intact(before, after.topology)
    assert not after.notes
    now = next_arcs(after.topology)
    assert all(now[pair] == arcs[:1] for pair, arcs in next_arcs(before).items())
    for number in range(len(before.links)):
        rest = next_arcs(after.topology, frozenset((2 * number, 2 * number + 1)))
        assert max(map(len, rest.values())) == 1


def test_a_square_of_equal_links() -> None:
    """A-B-D and A-C-D are as long; so are B-A-C and B-D-C. First names win, in each direction by
    the choice of the router that sends: A->B->D, D->B->A, B->A->C, C->A->B."""
    square = network(link("A", "B"), link("A", "C"), link("B", "D"), link("C", "D"))
    routes = IgpRoutes(distinct_metrics(square).topology.graph)
    names = square.graph.names

    def way(a: str, b: str) -> str:
        path = routes.path(square.node(a), square.node(b)) or ()
        return a + "".join(names[square.graph.head[arc]] for arc in path)

    assert [way("A", "D"), way("D", "A"), way("B", "C"), way("C", "B")] == [
        *("ABD", "DBA", "BAC", "CAB"),
    ]


def test_long_links_fit_in_16_bits() -> None:
    """The longest metric is beyond 16 bits, the shortest path is not changed by rounding."""
    long = network(link("A", "B", 900_000), link("B", "C", 900_001), link("A", "C", 1_800_002))
    after = distinct_metrics(long).topology
    check_intact(long, after)
    assert next_arcs(after)[0, 2] == [0]


@given(topologies(max_nodes=7))
def test_any_network(before: Topology) -> None:
    try:
        after = distinct_metrics(before)
    except UsageError as error:
        pytest.fail(str(error))
    check_intact(before, after.topology)
    assert distinct_metrics(before) == after


def test_what_cannot_be_done_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """3 links in 2 values."""
    monkeypatch.setattr(metrics, "MAX_METRIC", 2)
    monkeypatch.setattr(metrics, "TOP_METRIC", 2)
    triangle = network(link("A", "B", 5), link("B", "C", 6), link("A", "C", 7))
    with pytest.raises(UsageError, match="topology test: no metrics of at most 2"):
        distinct_metrics(triangle)
