"""A row of the sweep is what a whole evaluation of the failed network says, scheme by scheme.

The failed network is a topology without the links, made here; `evaluate_scheme` has never heard of
failures. Numberings stay (dense BFR-ids: their order is that of names). A min-cost tree may differ
from a fresh one by the controller's rule; there the loads of its own plan are walked and counted.
"""

from __future__ import annotations

import math
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.dataplane.walk import faults, walk_plan
from mcastplan.evaluate.arcs import ArcSpace
from mcastplan.evaluate.scheme import Context, evaluate_scheme
from mcastplan.model.cloud import Cloud
from mcastplan.model.failure import Failure
from mcastplan.model.results import SchemeResult, TransferBound
from mcastplan.model.scenario import Scenario, SchemeOptions, SrP2mpOptions
from mcastplan.model.sweep import Case, SchemeRow
from mcastplan.model.topology import Topology
from mcastplan.model.transfer import Background, Transfer
from mcastplan.schemes import SCHEMES
from mcastplan.schemes.base import demand
from mcastplan.schemes.sr_p2mp import SrP2mp
from mcastplan.study.fail import fail
from mcastplan.study.failures import Places, cases_of
from mcastplan.study.sweep import Base, one, prepare
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import GBPS, scenarios
from tests.topohub_graphs import keys_by_size, stored

# Sums of the same numbers in another order.
CLOSE = 1e-9


def without(topology: Topology, links: set[str]) -> Topology:
    left = tuple(link for link in topology.links if link.id not in links)
    return Topology.make(topology.name, topology.nodes, left)


def gone(topology: Topology, case: Case) -> set[str]:
    """Links that are down, by the words of the case."""
    return {
        link.id
        for link in topology.links
        if link.id in case.links
        or link.a in case.nodes
        or link.b in case.nodes
        or set(link.srlgs) & set(case.srlgs)
    }


def evaluated(scenario: Scenario, case: Case) -> list[SchemeResult]:
    """Without bounds, which cost more than all the rest and are not compared."""
    topology = without(scenario.topology, gone(scenario.topology, case))
    scenario = msgspec.structs.replace(scenario, topology=topology)
    routes = IgpRoutes(topology.graph, scenario.ecmp)
    demands = tuple(demand(scenario, routes, each) for each in scenario.transfers)
    bounds = tuple(
        TransferBound(each.name, each.size_bytes, None, None) for each in scenario.transfers
    )
    reached = tuple(frozenset[str]() for _ in scenario.transfers)
    context = Context(scenario, routes, ArcSpace(scenario, routes), demands, bounds, reached)
    return [evaluate_scheme(context, kind, False) for kind in SCHEMES]


def lost(result: SchemeResult, several: bool) -> set[str]:
    return {
        f"{each.name}/{name}" if several else name
        for each in result.transfers
        for name in each.unreachable
    }


def agrees(scenario: Scenario, row: SchemeRow, was: SchemeResult, now: SchemeResult) -> None:
    several = len(scenario.transfers) > 1
    if not now.feasible:
        assert row.completion_s is None
        served = {
            f"{each.name}/{cloud.name}" if several else cloud.name
            for each in was.transfers
            for cloud in each.clouds
        }
        assert set(row.unreachable) == served
        return
    assert set(row.unreachable) == lost(now, several) - lost(was, several)
    assert list(row.unreachable) == sorted(row.unreachable)
    ends = [each.completion_s for each in now.transfers if each.completion_s is not None]
    if not ends:
        assert row.completion_s is None
        assert row.wire_bytes is None
        return
    assert row.completion_s == pytest.approx(max(ends), rel=CLOSE)
    assert now.totals is not None
    assert row.wire_bytes == pytest.approx(now.totals.wire_bytes, rel=CLOSE)
    before = [each.completion_s for each in was.transfers if each.completion_s is not None]
    if not row.touched:
        assert was.totals is not None
        assert row.completion_s == pytest.approx(max(before), rel=CLOSE)
        assert row.wire_bytes == pytest.approx(was.totals.wire_bytes, rel=CLOSE)
        assert row.unreachable == ()


def plain(scenario: Scenario) -> Scenario:
    """Dense BFR-ids, shortest SR-P2MP trees: numbers that follow from the failed network alone.

    SRv6 under hashing: where a tree lost nothing its segments stay, label stacks too, though a
    fresh plan may do with one label where an equal-cost way is gone."""
    options = scenario.schemes
    dataplane = "srv6" if scenario.ecmp == "hash" else options.sr_p2mp.dataplane
    options = msgspec.structs.replace(
        options,
        bier=msgspec.structs.replace(options.bier, bfr_ids="dense"),
        sr_p2mp=msgspec.structs.replace(options.sr_p2mp, objective="shortest", dataplane=dataplane),
    )
    return msgspec.structs.replace(scenario, schemes=options)


@st.composite
def questions(draw: st.DrawFn) -> Scenario:
    """Often one transfer alone; now and then background, which may fill a link."""
    scenario = draw(scenarios(max_nodes=9))
    if draw(st.integers(0, 2)):
        scenario = msgspec.structs.replace(scenario, transfers=scenario.transfers[:1])
    if not draw(st.integers(0, 3)):
        node = st.sampled_from([each.name for each in scenario.topology.nodes])
        ends = [(draw(node), draw(node)) for _ in range(draw(st.integers(1, 2)))]
        rows = tuple(
            Background(a, b, draw(st.sampled_from((1.0, 60.0, 100.0))) * GBPS)
            for a, b in ends
            if a != b
        )
        scenario = msgspec.structs.replace(scenario, background=rows)
    return plain(scenario)


@settings(max_examples=250)
@given(questions(), st.sampled_from(("single-link", "single-node")))
def test_a_row_is_the_evaluation_of_the_failed_network(scenario: Scenario, kind: str) -> None:
    base = prepare(scenario)
    origins = {transfer.origin for transfer in scenario.transfers}
    whole = evaluated(scenario, Case("nothing"))
    if not scenario.topology.links:
        return
    _, cases = cases_of(scenario.topology, kind)  # type: ignore[arg-type]
    for case in cases:
        if origins & set(case.nodes):
            continue  # no topology says that a node is dead: see the test below
        rows = {row.name: row for row in one(base, case).schemes}
        for was, now in zip(whole, evaluated(scenario, case), strict=True):
            assert (was.name in rows) == was.feasible
            if was.feasible:
                agrees(scenario, rows[was.name], was, now)


@settings(max_examples=60)
@given(questions())
def test_without_its_origin_a_push_serves_nobody(scenario: Scenario) -> None:
    scenario = msgspec.structs.replace(scenario, transfers=scenario.transfers[:1])
    base = prepare(scenario)
    (push,) = scenario.transfers
    row = one(base, Case(push.origin, nodes=(push.origin,)))
    whole = {each.name: each for each in evaluated(scenario, Case("nothing"))}
    for each in row.schemes:
        served = [cloud.name for one in whole[each.name].transfers for cloud in one.clouds]
        assert list(each.unreachable) == sorted(served)
        assert each.completion_s is None
        assert each.wire_bytes is None


@settings(max_examples=150)
@given(questions(), st.sampled_from(("single-link", "single-node")), st.booleans(), st.booleans())
def test_outages_are_those_of_fail(
    scenario: Scenario, kind: str, limited: bool, mofrr: bool
) -> None:
    """The longest outage of a row is that of `fail` on the same failure, whatever options there
    are; a scheme that nothing touches has none."""
    options = scenario.schemes
    if options.pim_sm.mode == "ssm":
        pim_sm = msgspec.structs.replace(options.pim_sm, mofrr=mofrr)
        options = msgspec.structs.replace(options, pim_sm=pim_sm)
    limit = 10**6 if limited else None
    scenario = msgspec.structs.replace(scenario, schemes=options, state_limit=limit)
    if kind == "single-link" and not scenario.topology.links:
        return
    base = prepare(scenario, transient=True)
    for case in cases_of(scenario.topology, kind)[1]:  # type: ignore[arg-type]
        failure = Failure(0.0, case.links, case.nodes, case.srlgs)
        found = {row.name: row for row in fail(scenario, [failure]).schemes}
        for row in one(base, case).schemes:
            whole = found[row.name]
            if not whole.feasible:
                assert row.outage_s is None or not row.touched
                continue
            assert row.outage_s == pytest.approx(whole.worst_outage_s or 0.0, abs=3e-9), row.name


def counted(base: Base, scenario: Scenario, case: Case) -> tuple[set[str], float | None, float]:
    """A min-cost push after a failure: what its own plan's walk finds.

    One flow alone lasts size x 8 / least of capacity / weight; a copy weighs the wire bytes of a
    packet by its payload."""
    (push,) = scenario.transfers
    places = Places(scenario.topology)
    routes = base.context.routes.without(places.down(case))
    now = demand(scenario, routes, push)
    standing = base.standing["sr-p2mp"]
    assert isinstance(standing.scheme, SrP2mp)
    if not now.pes:
        return set(now.unreachable), None, 0.0
    plan, _ = standing.scheme.replan(routes, now, standing.plans[0][1], False)
    (flow,) = plan.flows
    found = walk_plan(plan, routes, flow)
    assert faults(routes.graph, flow, found) == ()
    payload = scenario.mtu - plan.header_bytes - 28
    space = ArcSpace(scenario, routes)
    weight = Counter[int]()
    for arc, copies in found.copies.items():
        weight[arc] = (copies * (payload + 28 + 38) + found.headers[arc]) / payload  # type: ignore[assignment]
    core = sum(weight.values())
    for arc in (space.origin[push.name], *(space.cloud[name] for name, _, _ in now.clouds)):
        weight[arc] = (payload + 28 + 38) / payload  # type: ignore[assignment]
    rate = min(space.capacity_bps[arc] / each for arc, each in weight.items())
    assert not math.isinf(rate)
    return set(now.unreachable), push.size_bytes * 8 / rate, push.size_bytes * core


@settings(max_examples=150)
@given(scenarios(max_nodes=10, ecmp="first"))
def test_a_repaired_tree_is_walked(scenario: Scenario) -> None:
    options = SchemeOptions(
        sr_p2mp=SrP2mpOptions(dataplane=scenario.schemes.sr_p2mp.dataplane), only=("sr-p2mp",)
    )
    scenario = msgspec.structs.replace(scenario, transfers=scenario.transfers[:1], schemes=options)
    base = prepare(scenario)
    never = set(base.context.demands[0].unreachable)
    for case in cases_of(scenario.topology, "single-link")[1] if scenario.topology.links else ():
        (row,) = one(base, case).schemes
        left_out, completion_s, wire_bytes = counted(base, scenario, case)
        assert set(row.unreachable) == left_out - never
        if completion_s is None:
            assert row.completion_s is None
        else:
            assert row.completion_s == pytest.approx(completion_s, rel=CLOSE)
            assert row.wire_bytes == pytest.approx(wire_bytes, rel=CLOSE)


REAL = [key for key in keys_by_size() if key.startswith("topozoo/")][20:170:3]


def real(key: str) -> Scenario:
    """A push from the first node to ten others, spread evenly over the file's order."""
    topology = stored(key).topology(hops=False)
    names = [node.name for node in topology.nodes]
    others = names[1:]
    chosen = sorted({others[place * len(others) // 10] for place in range(10)})
    clouds = tuple(
        Cloud(f"c-{name}", name, ingress_bps=1e8 * (place + 1), replicas=place + 1)
        for place, name in enumerate(chosen)
    )
    push = Transfer("push", 10**9, 1, names[0], tuple(cloud.name for cloud in clouds))
    return plain(Scenario(key, topology, clouds, (push,)))


@pytest.mark.parametrize("key", REAL)
def test_real_networks(key: str) -> None:
    """Every single link of fifty real networks, every scheme."""
    scenario = real(key)
    base = prepare(scenario)
    whole = evaluated(scenario, Case("nothing"))
    for case in cases_of(scenario.topology, "single-link")[1]:
        row = one(base, case)
        for each, was, now in zip(row.schemes, whole, evaluated(scenario, case), strict=True):
            agrees(scenario, each, was, now)
