"""Many pushes of one transfer to receiver sets that stay or change: what each change costs.

Not modelled: pushes that overlap in time, lost signalling, a control plane that is busy with the
push before. State the schemes hold whatever the pushes (BIFT rows) counts as in ``compare``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise

import msgspec

from mcastplan.errors import InfeasibleError, UsageError
from mcastplan.evaluate.arrival import Arrival
from mcastplan.evaluate.cold_start import replica_groups
from mcastplan.evaluate.push import FlowLoad, arrived, flow_loads
from mcastplan.evaluate.scheme import Context
from mcastplan.fluid import Fluid, left
from mcastplan.model.campaign import (
    Campaign,
    ChurnPoint,
    FirstPush,
    ReceiverChange,
    SchemeCampaign,
)
from mcastplan.model.plan import Demand, ReplicationPlan
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Node
from mcastplan.model.transfer import Transfer
from mcastplan.schemes.base import Scheme
from mcastplan.study.churn import effective, receiver_sets
from mcastplan.study.compare import assumptions, chosen_schemes, context_of
from mcastplan.study.crossing_search import WITHIN, search_grid
from mcastplan.study.crossings import COMPARED, crossings, percent, reasons
from mcastplan.units import BITS_PER_BYTE, counted, show_time

SCHEMA = "mcastplan.campaign/1"
KEPT = 64  # a plan on a large network takes some memory

Sets = Sequence[frozenset[str]]


class _Served(msgspec.Struct, frozen=True):
    """One push to one receiver set, set-up left out: what it installs, and how long it takes."""

    demand: Demand
    plan: ReplicationPlan
    state: Mapping[Node, int]
    transfer_s: float
    ready_s: float


class _Cost(msgspec.Struct, frozen=True):
    setup_s: float
    messages: int
    writes: int
    state_sum: int
    state_peak: int
    transfer_s: float
    ready_s: float


def campaign(
    scenario: Scenario,
    *,
    pushes: int,
    churns: Sequence[float],
    share: float = 0.5,
    seed: int = 0,
    transfer: str | None = None,
    limits: Mapping[str, int] | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Campaign:
    """``pushes`` of one transfer (the first, or by name) at each churn (0 to 1), each to ``share``
    of its clouds. ``limits`` are hardware sizes the result repeats.

    Raises `UsageError` for a transfer that does not exist or a pool that leaves no choice.
    """
    tell = progress or (lambda what, done: None)
    context = context_of(scenario)
    place = _place(scenario, transfer)
    demand = context.demands[place]
    pool = [name for name, _, _ in demand.clouds]
    receivers = min(max(1, round(share * len(pool))), len(pool))
    if len(pool) <= receivers:
        raise UsageError(
            f"{demand.transfer} reaches {counted(len(pool), 'cloud')}, each push to {receivers}:"
            " there is nobody to replace them by; take a smaller share or another transfer"
        )
    sets = cache(lambda churn: receiver_sets(pool, receivers, pushes, churn, seed))
    grid = search_grid(churns, receivers)
    chosen = chosen_schemes(scenario)
    parts = len(chosen) + 1  # the last one narrows crossings down
    rows, runners = [], {}
    for done, kind in enumerate(chosen):
        tell(kind.name, done / parts)
        try:
            runner = _Runner(context, kind(scenario, context.routes), place)
            first, points = runner.first(sets(churns[0])[0]), {}
            wanted = {*churns, *grid} if kind.name in COMPARED else set(churns)
            for number, churn in enumerate(sorted(wanted)):
                tell(kind.name, (done + number / len(wanted)) / parts)
                points[churn] = runner.point(churn, sets(churn))
        except InfeasibleError as limit:
            rows.append(SchemeCampaign(kind.name, False, str(limit)))
            continue
        shown = tuple(points[churn] for churn in churns)
        rows.append(SchemeCampaign(kind.name, True, None, first, shown))
        runners[kind.name] = runner, points

    def at(name: str, churn: float) -> ChurnPoint:
        runner, points = runners[name]
        if churn not in points:
            points[churn] = runner.point(churn, sets(churn))
        return points[churn]

    tell("crossings", 1 - 1 / parts)
    found = crossings(tuple(runners), grid, receivers, pushes, at)
    tell("done", 1.0)
    return Campaign(
        schema=SCHEMA,
        scenario=scenario.name,
        transfer=demand.transfer,
        assumptions=(*assumptions(context), *_assumptions(scenario, demand)),
        pushes=pushes,
        receivers=receivers,
        pool=len(pool),
        seed=seed,
        size_bytes=demand.size_bytes,
        unreachable=demand.unreachable,
        limits=dict(limits or {}),
        schemes=tuple(rows),
        searched=tuple(sorted({effective(sets(churn)) for churn in grid})),
        crossings=found,
        because=reasons(rows, found),
        full_of_background=context.space.filled(),
    )


def _place(scenario: Scenario, transfer: str | None) -> int:
    names = [each.name for each in scenario.transfers]
    if transfer is None:
        return 0
    if transfer not in names:
        raise UsageError(
            f"no transfer {transfer!r} in scenario {scenario.name}; there are {', '.join(names)}"
        )
    return names.index(transfer)


def _assumptions(scenario: Scenario, demand: Demand) -> tuple[str, ...]:
    timers = scenario.timers
    said = [
        "means are over the pushes after the first one, whose receivers are all new; a set that"
        " stays as it was needs no set-up in any scheme",
        "a push finds the forwarding state that the push before has left, and the network at rest",
        "the announcement of a push is no signalling message: it is the same in every scheme",
        f"crossings are narrowed to {percent(WITHIN)} churn from fixed churns, between which one is"
        " seen at most; other pushes or another seed may move them by some points",
        f"who sets up sooner hangs on stated guesses: a Join takes {show_time(timers.join_s)} a"
        f" hop, an overlay signal {show_time(timers.signal_s)}, leaf discovery"
        f" {show_time(timers.discovery_s)}, computing a tree {show_time(timers.compute_s)}",
    ]
    if len(scenario.transfers) > 1:
        said.append(
            f"only {demand.transfer} is pushed; the scenario's other transfers are left out"
        )
    return tuple(said)


class _Runner:
    """One scheme; what the last `KEPT` receiver sets cost is kept, for sets come back."""

    def __init__(self, context: Context, scheme: Scheme, place: int) -> None:
        self._context, self._scheme = context, scheme
        self._demand = context.demands[place]
        self._transfer: Transfer = context.scenario.transfers[place]
        background = context.space.background_bps
        self._room = [
            left(capacity, background.get(arc, 0.0))
            for arc, capacity in enumerate(context.space.capacity_bps)
        ]
        self._known: dict[frozenset[str], _Served] = {}

    def first(self, names: frozenset[str]) -> FirstPush:
        nobody = self._demand.only(())
        before = nobody, self._scheme.install(self._context.routes, nobody)
        cost = self._cost(before, self._served(names))
        return FirstPush(cost.setup_s, cost.messages, cost.writes, cost.ready_s)

    def point(self, churn: float, sets: Sets) -> ChurnPoint:
        costs = []
        for was, now in pairwise(sets):
            before = self._served(was)
            costs.append(self._cost((before.demand, before.plan), self._served(now)))
        count = len(costs)
        return ChurnPoint(
            churn=churn,
            effective=effective(sets),
            setup_s=math.fsum(each.setup_s for each in costs) / count,
            setup_worst_s=max(each.setup_s for each in costs),
            messages=sum(each.messages for each in costs) / count,
            writes=sum(each.writes for each in costs) / count,
            state_sum=sum(each.state_sum for each in costs) / count,
            state_peak=max(each.state_peak for each in costs),
            transfer_s=math.fsum(each.transfer_s for each in costs) / count,
            ready_s=math.fsum(each.ready_s for each in costs) / count,
        )

    def _cost(self, before: tuple[Demand, ReplicationPlan], served: _Served) -> _Cost:
        """A set that stays is known: nobody is told anything."""
        change = ReceiverChange({})
        if before[0].clouds != served.demand.clouds:
            after = served.demand, served.plan
            change = self._scheme.change(self._context.routes, before, after)
        state, held = served.state, change.held
        peak = max(state.values(), default=0)
        peak = max([peak, *(entries + state.get(node, 0) for node, entries in held.items())])
        limit = self._context.scenario.state_limit
        if limit is not None and peak > limit:
            raise InfeasibleError(f"a node would hold {peak} entries, over the limit of {limit}")
        setup_s = sum(change.setup_terms.values())
        return _Cost(
            setup_s=setup_s,
            messages=change.messages,
            writes=change.writes,
            state_sum=sum(state.values()) + sum(held.values()),
            state_peak=peak,
            transfer_s=served.transfer_s,
            ready_s=setup_s + served.ready_s,
        )

    def _served(self, names: frozenset[str]) -> _Served:
        known = self._known.get(names)
        if known is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            context, demand = self._context, self._demand.only(names)
            plan = self._scheme.install(context.routes, demand)
            loads = flow_loads(context.scenario, context.routes, context.space, plan)
            pulls = self._pulls(loads)
            known = self._known[names] = _Served(
                demand,
                plan,
                self._scheme.state(context.routes, [(demand, plan)]),
                max(pull.transfer_s for each in pulls.values() for pull in each),
                self._ready_s(demand, pulls),
            )
        return known

    def _pulls(self, loads: Sequence[FlowLoad]) -> dict[str, list[Arrival]]:
        """By cloud, in their order."""
        ended = self._ended(loads)
        pulls: dict[str, list[Arrival]] = {}
        for load in loads:
            flow = load.flow
            if flow.name not in ended:
                raise InfeasibleError(f"background leaves {flow.name} nothing on some arc")
            for cloud in flow.clouds:
                pulls.setdefault(cloud, []).append(ended[flow.name])
        return pulls

    def _ended(self, loads: Sequence[FlowLoad]) -> dict[str, Arrival]:
        """Each flow by name; those that never end are left out."""
        if len(loads) == 1 and loads[0].flow.count == 1:
            # Alone, a flow takes what the narrowest arc leaves it: no rates to share out.
            (load,) = loads
            rates = (self._room[arc] / weight for arc, weight in load.weights.items())
            rate_bps = min(min(rates), load.flow.rate_cap_bps)
            size = load.flow.size_bytes * BITS_PER_BYTE
            return {load.flow.name: Arrival(1, size / rate_bps)} if rate_bps > 0 else {}
        used = sorted({arc for load in loads for arc in load.weights})
        number = {arc: rank for rank, arc in enumerate(used)}
        fluid = Fluid([self._room[arc] for arc in used])
        for load in loads:
            weights = {number[arc]: weight for arc, weight in load.weights.items()}
            flow = load.flow
            fluid.start(flow.name, weights, flow.size_bytes, flow.count, flow.rate_cap_bps, True)
        flows = {load.flow.name: load.flow for load in loads}
        return {
            str(done.flow): arrived(fluid, flows[str(done.flow)], 0.0, done.at_s)
            for done in fluid.run_until(math.inf)
        }

    def _ready_s(self, demand: Demand, pulls: Mapping[str, Sequence[Arrival]]) -> float:
        """When the last replica is ready [s], had set-up taken no time."""
        scenario = self._context.scenario
        clouds = [scenario.cloud[name] for name, _, _ in demand.clouds]
        provision_s = max(cloud.provision_s for cloud in clouds)
        unicast = self._scheme.name == "unicast"
        return max(
            group.ready_s
            for cloud in clouds
            for group in replica_groups(
                cloud,
                self._transfer,
                pulls[cloud.name],
                provision_s=provision_s,
                setup_s=0.0,
                direct=unicast and scenario.schemes.unicast.per == "replica",
                cached=unicast or cloud.fanout == "cache",
            )
        )
