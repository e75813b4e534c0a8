"""What is left when everything has settled is a fresh plan, on the network as it then is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.instances import scenario as wan_scenario
from mcastplan.converge.episode import Episode, demand_after, play
from mcastplan.converge.igp import LinkState
from mcastplan.converge.outages import gaps
from mcastplan.converge.watch import Watch
from mcastplan.dataplane.flight import Flight
from mcastplan.dataplane.walk import Walk, faults, walk_plan
from mcastplan.errors import InfeasibleError
from mcastplan.evaluate.scheme import Context, Installed, install
from mcastplan.model.failure import Failure
from mcastplan.model.scenario import PimOptions, Scenario
from mcastplan.schemes import SCHEMES
from mcastplan.study.compare import context_of
from tests.networks import scenarios

FAIL_S, REPAIR_S = 100.0, 400.0


def ssm(scenario: Scenario) -> Scenario:
    return msgspec.structs.replace(
        scenario,
        schemes=msgspec.structs.replace(scenario.schemes, pim_sm=PimOptions()),
    )


def _last(flights: Sequence[Flight]) -> tuple[dict[int, int], dict[int, int]]:
    """Copies by arc and deliveries by node once nothing changes any more."""
    last = flights[-1]
    assert last.until_s == math.inf
    return dict(last.copies), {node: copies for node, (copies, _) in last.arrivals.items()}


def _walked(walk: Walk) -> tuple[dict[int, int], dict[int, int]]:
    return dict(walk.copies), dict(walk.delivered)


def _settled(context: Context, episode: Episode) -> None:
    """Flights of the end equal walks of a fresh plan; a min-cost tree may differ, but is sound."""
    scheme = episode.scheme
    for carried in episode.transfers:
        left = demand_after(context, episode.igp, carried.demand)
        fresh = scheme.install(episode.igp.after, left)
        min_cost = (
            scheme.name == "sr-p2mp" and context.scenario.schemes.sr_p2mp.objective == "min-cost"
        )
        if min_cost:
            after = carried.transition.after
            for flow in after.flows:
                assert not faults(
                    context.routes.graph, flow, walk_plan(after, episode.igp.after, flow)
                )
        now = {
            flow.name: _last(course)
            for flow, course in zip(carried.plan.flows, carried.courses, strict=True)
        }
        plan = carried.transition.after if min_cost else fresh
        for flow in plan.flows:
            assert now.pop(flow.name) == _walked(walk_plan(plan, episode.igp.after, flow))
        for _, arrivals in now.values():  # a pull that nobody gets any more
            assert not arrivals


def _episodes(scenario: Scenario, failures: Sequence[Failure]) -> list[tuple[Context, Episode]]:
    context = context_of(scenario)
    igp = LinkState(scenario, context.routes, failures)
    found = []
    for kind in SCHEMES:
        try:
            installed = install(context, kind)
        except InfeasibleError:
            continue
        found.append((context, play(context, installed.scheme, igp, installed.plans)))
    return found


@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(scenarios(max_nodes=9, ecmp="first"), st.data())
def test_after_one_link_forwarding_is_a_fresh_plan(scenario: Scenario, data: st.DataObject) -> None:
    scenario = ssm(scenario)
    links = [link.id for link in scenario.topology.links]
    if not links:
        return
    link = data.draw(st.sampled_from(links))
    kind = data.draw(st.sampled_from(("carrier", "silent")))
    for context, episode in _episodes(scenario, [Failure(FAIL_S, (link,), kind=kind)]):
        _settled(context, episode)


@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(scenarios(max_nodes=9, ecmp="first"), st.data())
def test_fail_and_repair_is_the_original(scenario: Scenario, data: st.DataObject) -> None:
    scenario = ssm(scenario)
    links = [link.id for link in scenario.topology.links]
    if not links:
        return
    failing = data.draw(st.lists(st.sampled_from(links), min_size=1, max_size=2, unique=True))
    failure = Failure(FAIL_S, tuple(sorted(failing)), up_at_s=REPAIR_S)
    for _, episode in _episodes(scenario, [failure]):
        for carried in episode.transfers:
            for course in carried.courses:
                assert _last(course) == (
                    dict(course[0].copies),
                    {node: copies for node, (copies, _) in course[0].arrivals.items()},
                )


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(scenarios(max_nodes=9, ecmp="first"), st.data())
def test_every_instant_of_an_outage_has_a_stage(scenario: Scenario, data: st.DataObject) -> None:
    """Stages of an outage sum to it; nothing is lost before the failure."""
    scenario = ssm(scenario)
    links = [link.id for link in scenario.topology.links]
    nodes = [node.name for node in scenario.topology.nodes]
    failure = Failure(
        FAIL_S,
        tuple(
            data.draw(st.lists(st.sampled_from(links), max_size=2, unique=True)) if links else ()
        ),
        tuple(data.draw(st.lists(st.sampled_from(nodes), max_size=1))),
        up_at_s=data.draw(st.sampled_from((None, FAIL_S + 0.02, FAIL_S + 0.2, REPAIR_S))),
    )
    for _, episode in _episodes(scenario, [failure]):
        for carried in episode.transfers:
            for each in carried.gaps().values():
                for gap in each:
                    assert gap.from_s >= FAIL_S - 1e-9
                    if gap.to_s < math.inf:
                        assert sum(gap.stages.values()) == pytest.approx(gap.to_s - gap.from_s)
                        assert min(gap.stages.values(), default=1.0) > 0


def _agree(context: Context, installed: Installed, igp: LinkState) -> None:
    """`Watch` and `play` find the same outages."""
    found = [
        gap.to_s - gap.from_s
        for carried in play(context, installed.scheme, igp, installed.plans).transfers
        for flow, course in zip(carried.plan.flows, carried.courses, strict=True)
        for node in flow.receivers
        for gap in gaps(course, node)
        if gap.to_s < math.inf
    ]
    longest, total = Watch(context, installed.scheme, installed.plans).outage(igp)
    assert (longest or 0.0) == pytest.approx(max(found, default=0.0), abs=1e-9)
    assert total == pytest.approx(math.fsum(found), abs=1e-9)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(scenarios(max_nodes=9), st.data())
def test_what_a_sweep_watches_is_the_whole_story(scenario: Scenario, data: st.DataObject) -> None:
    """`Watch` follows a few receivers over a few nodes; `play` follows everybody everywhere."""
    scenario = ssm(scenario)
    links = [link.id for link in scenario.topology.links]
    nodes = [node.name for node in scenario.topology.nodes]
    if not links:
        return
    failing = data.draw(st.lists(st.sampled_from(links), min_size=1, max_size=2, unique=True))
    failure = Failure(
        FAIL_S,
        tuple(sorted(failing)),
        tuple(data.draw(st.lists(st.sampled_from(nodes), max_size=1))),
    )
    context = context_of(scenario)
    igp = LinkState(scenario, context.routes, [failure])
    for kind in SCHEMES:
        try:
            installed = install(context, kind)
        except InfeasibleError:
            continue
        _agree(context, installed, igp)


@pytest.mark.parametrize("number", range(6))
def test_what_a_sweep_watches_is_the_whole_story_of_a_wide_network(number: int) -> None:
    """Ways of 20 hops, on which receivers pass routers of others for a while."""
    scenario = wan_scenario(120, 30, number)
    context = context_of(scenario)
    graph = context.routes.graph
    origin = graph.index[scenario.transfers[0].origin]
    near = sorted(
        scenario.topology.links[arc >> 1].id
        for arc in context.routes.parents(origin)
        if arc >= 0 and context.routes.dist_from(origin)[graph.head[arc]] < 12_000
    )
    for link in near[:: max(1, len(near) // 5)]:
        igp = LinkState(scenario, context.routes, [Failure(FAIL_S, (link,))])
        for kind in SCHEMES[1:]:
            installed = install(context, kind)
            _agree(context, installed, igp)
