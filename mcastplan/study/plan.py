"""One scheme's forwarding state, as routers would show it, walked before it is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mcastplan.dataplane.walk import Walk, walk_plan
from mcastplan.errors import InfeasibleError, UsageError
from mcastplan.evaluate.scheme import Context, Installed, check, install
from mcastplan.model.plan import Demand, ReplicationPlan
from mcastplan.model.results import PlanNode, PlanPhase, PlanResult, PlanTransfer
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Node, Topology
from mcastplan.schemes import SCHEMES
from mcastplan.schemes.base import Phase, Scheme
from mcastplan.study.compare import assumptions, context_of
from mcastplan.study.receivers import restrict
from mcastplan.underlay.routes import IgpRoutes

SCHEMA = "mcastplan.plan/1"


def plan(
    scenario: Scenario,
    scheme: str,
    node: str | None = None,
    progress: Callable[[str, float], None] | None = None,
    to: Sequence[str] | None = None,
) -> PlanResult:
    """Tables of ``node``, or of every router that a packet meets; ``to`` names the receiving clouds
    where not all are meant.

    Raises `UsageError` for a scheme, node or cloud that does not exist, `InfeasibleError` where a
    limit of the scheme rules it out.
    """
    tell = progress or (lambda what, share: None)
    _known(scheme)
    index = scenario.topology.graph.index
    if node is not None and node not in index:
        raise UsageError(f"no node {node!r} in topology {scenario.topology.name}")
    tell("routes", 0.0)
    context, installed = prepare(scenario, scheme, to)
    routes = context.routes
    tell("walking the tables", 0.3)
    check(context, installed)
    built, plans, state = installed.scheme, installed.plans, installed.state
    transfers, met = [], set[Node]()
    for demand, each in plans:
        if to is not None and not (demand.clouds or demand.unreachable):
            continue
        shown = [_phase(scenario.topology, routes, phase) for phase in built.phases(routes, demand)]
        transfers.append(_transfer(routes, built, demand, each, tuple(phase for phase, _ in shown)))
        met.add(demand.origin)
        met.update(where for _, nodes in shown for where in nodes)
    wanted = sorted(met) if node is None else [index[node]]
    nodes = []
    for done, each_node in enumerate(wanted):
        tell("rendering tables", 0.5 + done / len(wanted) / 2)
        tables = built.table(routes, plans, each_node).sections()
        nodes.append(PlanNode(routes.graph.names[each_node], state.get(each_node, 0), tables))
    tell("done", 1.0)
    return PlanResult(
        schema=SCHEMA,
        scenario=scenario.name,
        scheme=scheme,
        assumptions=assumptions(context),
        transfers=tuple(transfers),
        nodes=tuple(nodes),
        state_entries=sum(state.values()),
        full_of_background=context.space.filled(),
    )


def prepare(
    scenario: Scenario, scheme: str, to: Sequence[str] | None = None
) -> tuple[Context, Installed]:
    """One scheme installed for every transfer, to all receivers or to the clouds in ``to``.

    Raises as `plan` does.
    """
    kind = _known(scheme)
    context = context_of(scenario)
    if to is not None:
        context = restrict(context, to)
    try:
        return context, install(context, kind)
    except InfeasibleError as limit:
        raise InfeasibleError(f"{scheme} cannot serve {scenario.name}: {limit}") from None


def _known(scheme: str) -> type[Scheme]:
    kinds = {kind.name: kind for kind in SCHEMES}
    if scheme not in kinds:
        raise UsageError(f"no scheme {scheme!r}; there are {', '.join(kinds)}")
    return kinds[scheme]


def _phase(topology: Topology, routes: IgpRoutes, phase: Phase) -> tuple[PlanPhase, set[Node]]:
    """The phase as walked, and the nodes its packets meet."""
    walks: list[tuple[int, Walk]] = [
        (flow.count, walk_plan(phase.plan, routes, flow)) for flow in phase.plan.flows
    ]
    graph = routes.graph
    copies: dict[int, int] = {}
    delivered: set[Node] = set()
    for count, walked in walks:
        for arc, each in walked.copies.items():
            copies[arc] = copies.get(arc, 0) + each * count
        delivered.update(walked.delivered)
    met = {graph.head[arc] for arc in copies} | {graph.tail[arc] for arc in copies} | delivered
    rows = tuple((topology.arc_name(arc), count) for arc, count in copies.items())
    names = tuple(graph.names[node] for node in sorted(delivered))
    return PlanPhase(phase.name, phase.meaning, rows, names), met


def _transfer(
    routes: IgpRoutes,
    scheme: Scheme,
    demand: Demand,
    plan: ReplicationPlan,
    phases: tuple[PlanPhase, ...],
) -> PlanTransfer:
    names = routes.graph.names
    return PlanTransfer(
        name=demand.transfer,
        origin=names[demand.origin],
        receivers=tuple(names[pe] for pe in demand.pes),
        unreachable=demand.unreachable,
        no_room=demand.no_room,
        imposed=scheme.imposed(demand, plan),
        header_bytes=plan.header_bytes,
        phases=phases,
        notes=scheme.notes(routes, demand, plan),
    )
