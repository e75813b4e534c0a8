"""All transfers of a scenario under one scheme: loads, then rates over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from mcastplan.evaluate.arcs import ArcSpace
from mcastplan.evaluate.arrival import Arrival, Bend
from mcastplan.evaluate.wire import payload_bytes, wire_factor
from mcastplan.fluid import Fluid
from mcastplan.model.plan import Demand, Flow, ReplicationPlan
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Arc
from mcastplan.model.transfer import Transfer
from mcastplan.schemes.base import loads
from mcastplan.underlay.routes import IgpRoutes

ROUNDED = 8  # steps of a float: a start is a sum of few terms


class FlowLoad(msgspec.Struct, frozen=True):
    """One flow on every arc it uses, access arcs too: copies, and wire bytes per payload byte.
    Both are of one of its ``count``."""

    flow: Flow
    copies: Mapping[Arc, int]
    weights: Mapping[Arc, float]


def flow_loads(
    scenario: Scenario, routes: IgpRoutes, space: ArcSpace, plan: ReplicationPlan
) -> list[FlowLoad]:
    """Raises `InfeasibleError` where the headers leave no payload.

    A spare stream that meets an arc full of background ends there, and the push goes on.
    """
    payload, inner = payload_bytes(scenario.mtu, plan), plan.inner_bytes
    closed = space.full() if plan.spares else frozenset()
    native = wire_factor(payload, inner)
    result = []
    for flow, carried in zip(plan.flows, loads(plan, routes), strict=True):
        load = {arc: each for arc, each in carried.items() if arc not in closed}
        copies = {arc: each for arc, (each, _) in load.items()}
        weights = {
            arc: wire_factor(payload, inner, each, headers) for arc, (each, headers) in load.items()
        }
        for arc in (space.origin[plan.transfer], *map(space.cloud.__getitem__, flow.clouds)):
            copies[arc] = 1
            weights[arc] = native
        result.append(FlowLoad(flow, copies, weights))
    return result


class Planned(msgspec.Struct, frozen=True):
    """One transfer before it runs; ``provision_s`` and the set-up precede the first byte.

    ``pace``: whether it matters how its bytes come, not only when the last one does.
    """

    transfer: Transfer
    demand: Demand
    loads: Sequence[FlowLoad]
    provision_s: float
    setup_terms: Mapping[str, float]
    pace: bool = False

    @property
    def data_start_s(self) -> float:
        return self.transfer.start_s + self.provision_s + sum(self.setup_terms.values())


class Push(msgspec.Struct, frozen=True):
    """One transfer as it went.

    ``pulls``: by cloud, in their order; a multicast push is one. ``binding``: the arc that bound
    the flow that ended last, and the copies on it while that flow ran, other transfers' included.
    """

    planned: Planned
    pulls: Mapping[str, Sequence[Arrival]]
    binding: tuple[Arc, int] | None

    def done_s(self, cloud: str) -> float:
        """Seconds from data start to the cloud's last byte."""
        return max(pull.transfer_s for pull in self.pulls[cloud])

    @property
    def completion_s(self) -> float | None:
        return max(map(self.done_s, self.pulls), default=None)


def run(space: ArcSpace, planned: Sequence[Planned]) -> tuple[list[Push], Fluid]:
    """Drive every flow of every transfer through one fluid engine."""
    fluid = Fluid(space.capacity_bps, space.background_bps)
    # The engine's clock starts with the first byte: differences of small numbers stay exact.
    zero_s = min((each.data_start_s for each in planned), default=0.0)
    ends: dict[str, float] = {}
    before_s = zero_s
    for each in sorted(planned, key=lambda one: one.data_start_s):
        # Starts that only rounding tells apart are one: nothing is alone for one step of a float.
        if each.data_start_s - before_s > ROUNDED * math.ulp(each.data_start_s):
            before_s = each.data_start_s
        for done in fluid.run_until(before_s - zero_s):
            ends[str(done.flow)] = done.at_s
        for load in each.loads:
            fluid.start(
                load.flow.name,
                load.weights,
                load.flow.size_bytes,
                load.flow.count,
                load.flow.rate_cap_bps,
                each.pace,
            )
    for done in fluid.run_until(math.inf):
        ends[str(done.flow)] = done.at_s
    return [_push(each, planned, ends, fluid, zero_s) for each in planned], fluid


def _push(
    one: Planned,
    everything: Sequence[Planned],
    ends: Mapping[str, float],
    fluid: Fluid,
    zero_s: float,
) -> Push:
    begin = one.data_start_s - zero_s
    pulls: dict[str, list[Arrival]] = {}
    for load in one.loads:
        pull = arrived(fluid, load.flow, begin, ends[load.flow.name])
        for cloud in load.flow.clouds:
            pulls.setdefault(cloud, []).append(pull)
    binding = None
    if one.loads:
        last = max(one.loads, key=lambda load: ends[load.flow.name]).flow.name
        arc = fluid.binding(last)
        if arc is not None:
            binding = arc, _copies_beside(arc, begin, ends[last], everything, ends, zero_s)
    return Push(one, dict(sorted(pulls.items())), binding)


def arrived(fluid: Fluid, flow: Flow, begin_s: float, end_s: float) -> Arrival:
    """A flow that has ended, as it came in."""
    bends = tuple(
        Bend(at_s - begin_s, flow.size_bytes - left) for at_s, left in fluid.bends(flow.name)
    )
    return Arrival(flow.count, end_s - begin_s, bends=bends)


def _copies_beside(
    arc: Arc,
    begin: float,
    end: float,
    everything: Sequence[Planned],
    ends: Mapping[str, float],
    zero_s: float,
) -> int:
    """Copies on an arc of all flows that run at some time between ``begin`` and ``end``."""
    return sum(
        load.copies[arc] * load.flow.count
        for each in everything
        for load in each.loads
        if arc in load.copies and each.data_start_s - zero_s < end and ends[load.flow.name] > begin
    )
