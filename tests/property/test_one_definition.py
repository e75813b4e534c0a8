"""walk(tables) = walk(plan) = fold(plan), for every scheme, on anything that can be drawn."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from mcastplan.dataplane.fold import fold
from mcastplan.dataplane.walk import faults, walk_plan, walk_tables
from mcastplan.errors import InfeasibleError
from mcastplan.model.scenario import Scenario
from mcastplan.schemes import SCHEMES
from mcastplan.schemes.base import Scheme, demand
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import scenarios

ONE_COPY = ("pim-sm", "sr-p2mp")


def hold_together(scenario: Scenario, kind: type[Scheme]) -> None:
    routes = IgpRoutes(scenario.topology.graph, scenario.ecmp)
    demands = [demand(scenario, routes, transfer) for transfer in scenario.transfers]
    try:
        scheme = kind(scenario, routes)
        every_phase = [scheme.phases(routes, each) for each in demands]
    except InfeasibleError:
        return  # an RP in another part of the network
    steps = max(len(phases) for phases in every_phase)
    for step in range(steps):
        plans = [
            (each, phases[min(step, len(phases) - 1)].plan)
            for each, phases in zip(demands, every_phase, strict=True)
        ]
        final = step == steps - 1
        if final:
            assert plans == [(each, scheme.install(routes, each)) for each in demands]
        for each, plan in plans:
            folded = fold(plan, routes) if routes.ecmp == "first" else None
            assert sorted({pe for flow in plan.flows for pe in flow.receivers}) == list(each.pes)
            for place, flow in enumerate(plan.flows):
                walked = walk_plan(plan, routes, flow)
                assert not faults(routes.graph, flow, walked, plan.spares)
                tables = {
                    node: scheme.table(routes, plans, node) for node in range(routes.graph.size)
                }
                by_tables = walk_tables(routes.graph, tables.__getitem__, each.origin, flow)
                assert by_tables == walked
                if folded is None:
                    continue
                load = {arc: (n, walked.headers[arc]) for arc, n in walked.copies.items()}
                assert folded[place] == load
                if final and kind.name in ONE_COPY:
                    assert set(walked.copies.values()) <= {1}
                if kind.name == "bier":
                    assert all(n <= len(plan.impose) for n in walked.copies.values())


@pytest.mark.parametrize("kind", SCHEMES, ids=lambda kind: kind.name)
@given(scenario=scenarios())
@settings(max_examples=150)
def test_three_ways_to_forward_agree(kind: type[Scheme], scenario: Scenario) -> None:
    hold_together(scenario, kind)
