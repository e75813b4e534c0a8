"""All transfers of a scenario under one scheme: loads, then rates over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from mcastplan.dataplane.fold import Load, fold
from mcastplan.dataplane.walk import walk_plan
from mcastplan.evaluate.arcs import ArcSpace
from mcastplan.evaluate.wire import payload_bytes, wire_factor
from mcastplan.fluid import Fluid
from mcastplan.model.plan import Demand, Flow, ReplicationPlan
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Arc
from mcastplan.underlay.routes import IgpRoutes


def loads(plan: ReplicationPlan, routes: IgpRoutes) -> list[Load]:
    """Per flow: copies of one packet and their header bytes on each core arc.

    Under ``ecmp: first`` the plan is folded; under ``hash`` copies are what the walk finds.
    """
    if routes.ecmp == "first":
        return fold(plan, routes)
    found = []
    for flow in plan.flows:
        walked = walk_plan(plan, routes, flow)
        found.append({arc: (copies, walked.headers[arc]) for arc, copies in walked.copies.items()})
    return found


class FlowLoad(msgspec.Struct, frozen=True):
    """One flow on every arc it uses, access arcs too: copies, and wire bytes per payload byte.
    Both are of one of its ``count``."""

    flow: Flow
    copies: Mapping[Arc, int]
    weights: Mapping[Arc, float]


def flow_loads(
    scenario: Scenario, routes: IgpRoutes, space: ArcSpace, plan: ReplicationPlan
) -> list[FlowLoad]:
    """Raises `InfeasibleError` where the headers leave no payload."""
    payload, inner = payload_bytes(scenario.mtu, plan), plan.inner_bytes
    native = wire_factor(payload, inner)
    result = []
    for flow, load in zip(plan.flows, loads(plan, routes), strict=True):
        copies = {arc: each for arc, (each, _) in load.items()}
        weights = {
            arc: wire_factor(payload, inner, each, headers) for arc, (each, headers) in load.items()
        }
        for arc in (space.origin[plan.transfer], *map(space.cloud.__getitem__, flow.clouds)):
            copies[arc] = 1
            weights[arc] = native
        result.append(FlowLoad(flow, copies, weights))
    return result


class Push(msgspec.Struct, frozen=True):
    """One transfer as it went. ``done_s``: seconds from data start, by cloud; a cloud whose flow
    stalls (an arc full of background) is in ``stalled`` instead. ``binding``: the arc that bound
    the flow that ended last."""

    demand: Demand
    plan: ReplicationPlan
    loads: Sequence[FlowLoad]
    data_start_s: float  # from the transfer's start
    setup_terms: Mapping[str, float]
    done_s: Mapping[str, float]
    stalled: tuple[str, ...]
    binding: Arc | None

    @property
    def completion_s(self) -> float | None:
        return max(self.done_s.values(), default=None)


class Planned(msgspec.Struct, frozen=True):
    """One transfer before it runs; ``provision_s`` and the set-up precede the first byte."""

    demand: Demand
    plan: ReplicationPlan
    loads: Sequence[FlowLoad]
    start_s: float
    provision_s: float
    setup_terms: Mapping[str, float]

    @property
    def lead_s(self) -> float:
        return self.provision_s + sum(self.setup_terms.values())


def run(space: ArcSpace, planned: Sequence[Planned]) -> tuple[list[Push], Fluid]:
    """Drive every flow of every transfer through one fluid engine."""
    fluid = Fluid(space.capacity_bps, space.background_bps)
    finish: dict[str, float] = {}
    for each in sorted(planned, key=lambda one: one.start_s + one.lead_s):
        for done in fluid.run_until(each.start_s + each.lead_s):
            finish[str(done.flow)] = done.at_s
        for load in each.loads:
            fluid.start(
                load.flow.name,
                load.weights,
                load.flow.size_bytes,
                load.flow.count,
                load.flow.rate_cap_bps,
            )
    for done in fluid.run_until(math.inf):
        finish[str(done.flow)] = done.at_s
    return [_push(each, finish, fluid) for each in planned], fluid


def _push(planned: Planned, finish: Mapping[str, float], fluid: Fluid) -> Push:
    data_start = planned.start_s + planned.lead_s
    done: dict[str, float] = {}
    stalled: set[str] = set()
    last: tuple[float, str] | None = None
    for load in planned.loads:
        flow = load.flow
        end = finish.get(flow.name)
        if end is None:
            stalled.update(flow.clouds)
            continue
        for cloud in flow.clouds:
            done[cloud] = max(done.get(cloud, 0.0), end - data_start)
        if last is None or end > last[0]:
            last = end, flow.name
    binding = fluid.binding(last[1]) if last else None
    return Push(
        planned.demand,
        planned.plan,
        planned.loads,
        planned.lead_s,
        planned.setup_terms,
        {cloud: at for cloud, at in sorted(done.items()) if cloud not in stalled},
        tuple(sorted(stalled)),
        binding,
    )
