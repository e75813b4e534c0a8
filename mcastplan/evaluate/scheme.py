"""One scheme, whole: installed for every transfer, run, and written down as a result row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from mcastplan.dataplane.walk import faults, walk_plan, walk_tables
from mcastplan.errors import InfeasibleError
from mcastplan.evaluate.arcs import ArcSpace
from mcastplan.evaluate.arrival import Arrival
from mcastplan.evaluate.cold_start import replica_groups
from mcastplan.evaluate.push import Planned, Push, flow_loads, run
from mcastplan.evaluate.wire import payload_bytes
from mcastplan.fluid import Fluid
from mcastplan.model.plan import Demand, ReplicationPlan, Table
from mcastplan.model.results import (
    ArcEnds,
    CloudResult,
    LinkLoad,
    NodeState,
    ReplicaGroup,
    SchemeResult,
    Totals,
    TransferBound,
    TransferResult,
)
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Arc, Node
from mcastplan.model.transfer import Transfer
from mcastplan.schemes.base import Scheme, loads
from mcastplan.underlay.routes import IgpRoutes
from mcastplan.units import BITS_PER_BYTE, show_rate

BYTES_PER_GB = 10**9


class Context(msgspec.Struct, frozen=True):
    """What all schemes of one comparison share; tuples are in the order of the transfers.

    ``reached``: the clouds each bound covers, those to which some way is not full of background.
    """

    scenario: Scenario
    routes: IgpRoutes
    space: ArcSpace
    demands: tuple[Demand, ...]
    bounds: tuple[TransferBound, ...]
    reached: tuple[frozenset[str], ...]

    def pe(self, cloud: str) -> Node:
        return self.routes.graph.index[self.scenario.cloud[cloud].node]


Plans = Sequence[tuple[Demand, ReplicationPlan]]


class Installed(msgspec.Struct, frozen=True):
    """A scheme with its plan for every transfer, and the entries each node then holds."""

    scheme: Scheme
    plans: Plans
    state: Mapping[Node, int]


def install(context: Context, kind: type[Scheme]) -> Installed:
    """Raises `InfeasibleError` where a limit of the scheme, the MTU or the state limit is met."""
    scheme = kind(context.scenario, context.routes)
    plans = [served(context, scheme, each) for each in context.demands]
    for _, plan in plans:
        payload_bytes(context.scenario.mtu, plan)
    state = scheme.state(context.routes, plans)
    limit = context.scenario.state_limit
    for node, entries in state.items():
        if limit is not None and entries > limit:
            name = context.routes.graph.names[node]
            raise InfeasibleError(f"{name} would hold {entries} entries, over the limit of {limit}")
    return Installed(scheme, plans, state)


def served(context: Context, scheme: Scheme, demand: Demand) -> tuple[Demand, ReplicationPlan]:
    """The plan for those receivers that background leaves a way to; the others become unreachable.

    Without them the scheme plans anew, and its tree may meet another full arc: until none does.
    """
    closed = context.space.full()
    while True:
        plan = scheme.install(context.routes, demand)
        if not closed:
            return demand, plan
        cut_off = {
            cloud
            for flow in plan.flows
            for walked in (walk_plan(plan, context.routes, flow, closed),)
            for cloud in flow.clouds
            if context.pe(cloud) not in walked.delivered
        }
        if not cut_off:
            return demand, plan
        served = {name for name, _, _ in demand.clouds} - cut_off
        demand = msgspec.structs.replace(
            demand.only(served),
            unreachable=tuple(sorted({*demand.unreachable, *cut_off})),
            no_room=tuple(sorted({*demand.no_room, *cut_off})),
        )


def evaluate_scheme(context: Context, kind: type[Scheme], verify: bool) -> SchemeResult:
    """The scheme's row; a limit it meets makes it infeasible with a reason.

    ``verify`` walks a packet of every flow over the plan and over the tables rendered from it.
    Raises `AssertionError` if a walk disagrees: that is a defect of this program.
    """
    try:
        installed = install(context, kind)
    except InfeasibleError as limit:
        return SchemeResult(kind.name, False, str(limit), (), (), (), None, ())
    if verify:
        check(context, installed)
    scheme, plans, state = installed.scheme, installed.plans, installed.state
    planned = [
        planned_push(context, scheme, transfer, demand, plan)
        for transfer, (demand, plan) in zip(context.scenario.transfers, plans, strict=True)
    ]
    pushes, fluid = run(context.space, planned)
    links = _links(context, pushes, fluid)
    return SchemeResult(
        name=kind.name,
        feasible=True,
        reason=None,
        transfers=tuple(
            _transfer_result(context, kind, push, bound, reached)
            for push, bound, reached in zip(pushes, context.bounds, context.reached, strict=True)
        ),
        links=links,
        nodes=tuple(NodeState(context.routes.graph.names[node], n) for node, n in state.items()),
        totals=_totals(context.scenario, plans, links, state),
        notes=tuple(
            dict.fromkeys(
                note
                for demand, plan in plans
                for note in scheme.notes(context.routes, demand, plan)
            )
        ),
    )


def check(context: Context, installed: Installed) -> None:
    """Walk one packet of every flow over plan and tables. Raises `AssertionError`."""
    scheme, plans = installed.scheme, installed.plans
    graph, tables = context.routes.graph, dict[Node, Table]()

    def table(node: Node) -> Table:
        if node not in tables:
            tables[node] = scheme.table(context.routes, plans, node)
        return tables[node]

    for demand, plan in plans:
        summed = loads(plan, context.routes)
        for flow, load in zip(plan.flows, summed, strict=True):
            by_plan = walk_plan(plan, context.routes, flow)
            by_tables = walk_tables(graph, table, demand.origin, flow)
            said = faults(graph, flow, by_plan, plan.spares)
            said = said or faults(graph, flow, by_tables, plan.spares)
            if not said and by_tables != by_plan:
                said = ("the rendered tables forward otherwise than the plan",)
            if not said and load != by_plan.load():
                said = ("the sum of the plan is not what its walk finds",)
            if said:
                raise AssertionError(f"{scheme.name}, {flow.name}: {'; '.join(said)}")


def planned_push(
    context: Context, scheme: Scheme, transfer: Transfer, demand: Demand, plan: ReplicationPlan
) -> Planned:
    """The transfer as it will run: loads, and what precedes the first byte."""
    scenario = context.scenario
    terms = scheme.setup(context.routes, demand, plan) if transfer.receivers == "new" else {}
    return Planned(
        transfer=transfer,
        demand=demand,
        loads=flow_loads(scenario, context.routes, context.space, plan),
        provision_s=max(
            (scenario.cloud[name].provision_s for name, _, _ in demand.clouds), default=0.0
        ),
        setup_terms=terms,
        pace=transfer.load == "streamed"
        or any(
            cloud.fanout == "multicast" and cloud.fabric_bps < math.inf
            for cloud in (scenario.cloud[name] for name, _, _ in demand.clouds)
        ),
    )


def cold_start(
    context: Context,
    kind: type[Scheme],
    planned: Planned,
    name: str,
    pulls: Sequence[Arrival],
) -> tuple[ReplicaGroup, ...]:
    """Replicas of one cloud under one scheme; ``pulls`` as for `replica_groups`."""
    scenario, unicast = context.scenario, kind.name == "unicast"
    cloud = scenario.cloud[name]
    return replica_groups(
        cloud,
        planned.transfer,
        pulls,
        provision_s=planned.provision_s,
        setup_s=sum(planned.setup_terms.values()),
        direct=unicast and scenario.schemes.unicast.per == "replica",
        cached=unicast or cloud.fanout == "cache",
    )


def _transfer_result(
    context: Context, kind: type[Scheme], push: Push, bound: TransferBound, reached: frozenset[str]
) -> TransferResult:
    """``reached``: clouds that the bound covers."""
    planned = push.planned
    demand = planned.demand
    completion = push.completion_s
    setup_s = sum(planned.setup_terms.values())
    clouds = [
        CloudResult(name, push.done_s(name), cold_start(context, kind, planned, name, pulls))
        for name, pulls in push.pulls.items()
    ]
    ratio = None
    # A cloud that background cuts off from this scheme alone is in the bound, not in completion.
    if completion and bound.bound_s and reached == set(push.pulls):
        ratio = completion / bound.bound_s
    return TransferResult(
        name=demand.transfer,
        setup_s=setup_s if clouds else None,
        setup_terms=dict(planned.setup_terms) if clouds else {},
        completion_s=completion,
        rate_bps=demand.size_bytes * BITS_PER_BYTE / completion if completion else None,
        ratio_to_bound=ratio,
        binding=_binding(context, push),
        unreachable=demand.unreachable,
        no_room=demand.no_room,
        clouds=tuple(clouds),
        binding_arc=(
            None
            if push.binding is None
            else ArcEnds(*context.space.ends(push.binding[0], demand.transfer))
        ),
    )


def _binding(context: Context, push: Push) -> str | None:
    """What held the flow that ended last, in words."""
    if push.binding is not None:
        return context.space.words(*push.binding)
    ceiling_bps = min((load.flow.rate_cap_bps for load in push.planned.loads), default=math.inf)
    return None if ceiling_bps == math.inf else f"ceiling {show_rate(ceiling_bps)} of each pull"


def _links(context: Context, pushes: Sequence[Push], fluid: Fluid) -> tuple[LinkLoad, ...]:
    """A row an arc, and of an origin's arc one for each transfer that leaves over it."""
    space = context.space
    copies: dict[tuple[Arc, str], int] = {}
    wire: dict[tuple[Arc, str], float] = {}
    for push in pushes:
        name = push.planned.transfer.name
        for load in push.planned.loads:
            flow = load.flow
            for arc, each in load.copies.items():
                row = arc, name if arc == space.origin[name] else ""
                copies[row] = copies.get(row, 0) + each * flow.count
                carried = flow.count * flow.size_bytes * load.weights[arc]
                wire[row] = wire.get(row, 0.0) + carried
    rows = []
    for (arc, name), count in copies.items():
        source, target, link = space.ends(arc, name)
        rows.append(
            LinkLoad(
                source,
                target,
                link,
                "access" if link is None else "core",
                count,
                wire[arc, name],
                fluid.peak_bps(arc) / space.capacity_bps[arc],
            )
        )
    rows.sort(key=lambda row: (row.kind != "core", row.source, row.target, row.link or ""))
    return tuple(rows)


def _totals(
    scenario: Scenario, plans: Plans, links: Sequence[LinkLoad], state: Mapping[Node, int]
) -> Totals:
    core = [row for row in links if row.kind == "core"]
    usd = None
    if scenario.prices:
        price = {(each.source, each.target): each.usd_per_gb for each in scenario.prices}
        usd = sum(
            row.wire_bytes / BYTES_PER_GB * price.get((row.source, row.target), 0.0) for row in core
        )
    return Totals(
        link_copies=sum(row.copies for row in core),
        wire_bytes=sum(row.wire_bytes for row in core),
        origin_egress_bytes=sum(
            row.wire_bytes for row in links if row.source.startswith("origin:")
        ),
        state_entries=sum(state.values()),
        header_bytes=max((plan.header_bytes for _, plan in plans), default=0) if core else 0,
        egress_usd=usd,
    )
