"""One scheme after one failure, once everything has converged: receivers lost, completion, bytes.

Per failure only what it touches is worked out. Under ``ecmp: first`` a route that loses no arc
stays: it is still the lexicographically smallest of the shortest paths, of which there are fewer.
So a scheme none of whose arcs is down keeps its numbers (a min-cost tree that lost nothing stays
by the controller's rule). Where a plan for many receivers is the plans for each of them laid over
one another, `Branches` plans again for those that are cut off, and nobody else. Everything else -
``hash``, background that moves or fills arcs, several transfers, PIM-SM with an RP - is planned
anew as a whole, by the same functions as `compare`.

Not modelled: what happens until then (`mcastplan.converge`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from mcastplan.errors import InfeasibleError
from mcastplan.evaluate.arcs import ArcSpace
from mcastplan.evaluate.push import Planned, run
from mcastplan.evaluate.scheme import Context, Plans, planned_push, served
from mcastplan.evaluate.wire import payload_bytes
from mcastplan.model.plan import Demand, ReplicationPlan
from mcastplan.model.sweep import Case
from mcastplan.model.topology import Arc
from mcastplan.schemes.base import Scheme, demand
from mcastplan.schemes.sr_p2mp import SrP2mp
from mcastplan.study.branches import Branches, OneFlow, Segments, Sums
from mcastplan.study.failures import Places
from mcastplan.underlay.routes import IgpRoutes


class Outcome(NamedTuple):
    """``unreachable`` as the row names them, beyond those that never were reachable; ``fresh``: the
    controller took a new min-cost tree, for the repaired one was too dear."""

    touched: bool
    completion_s: float | None
    wire_bytes: float | None
    unreachable: tuple[str, ...] = ()
    fresh: bool = False


class Failed:
    """The network after one failure, as all schemes see it; each part made when first asked for."""

    def __init__(self, before: Context, places: Places, case: Case) -> None:
        self.before = before
        self.down = places.down(case)
        self._dead = places.nodes(case)

    @cached_property
    def routes(self) -> IgpRoutes:
        return self.before.routes.without(self.down)

    @cached_property
    def origins_up(self) -> bool:
        """A cloud on its origin's own node needs no arc, but the node."""
        return self._dead.isdisjoint(each.origin for each in self.before.demands)

    @cached_property
    def background_moves(self) -> bool:
        return not self.down.isdisjoint(self.before.space.background_bps)

    @cached_property
    def demands(self) -> tuple[Demand, ...]:
        scenario = self.before.scenario
        return tuple(
            self._nobody(was)
            if was.origin in self._dead
            else demand(scenario, self.routes, transfer)
            for transfer, was in zip(scenario.transfers, self.before.demands, strict=True)
        )

    @cached_property
    def context(self) -> Context:
        scenario = self.before.scenario
        space = ArcSpace(scenario, self.routes) if self.background_moves else self.before.space
        return Context(scenario, self.routes, space, self.demands, (), ())

    def _nobody(self, was: Demand) -> Demand:
        """The origin's own node is down."""
        names = (*was.unreachable, *(name for name, _, _ in was.clouds))
        return Demand(was.transfer, was.origin, was.size_bytes, (), (), tuple(sorted(names)))


class Standing:
    """A scheme in its steady state without failure, and what of it a failure can touch."""

    def __init__(self, context: Context, scheme: Scheme, plans: Plans) -> None:
        self.scheme = scheme
        self.plans = plans
        self._several = len(plans) > 1
        self._min_cost = context.scenario.schemes.sr_p2mp.objective == "min-cost"
        self._left_out = tuple(frozenset(each.unreachable) for each, _ in plans)
        planned = _planned(context, scheme, plans)
        completion_s, wire_bytes = _run(context, planned)
        self.before = Outcome(False, completion_s, wire_bytes)
        # Routes choose by hash, clouds are left out for a full arc, or entries are counted: then
        # anything may matter.
        limited = context.scenario.state_limit is not None
        loose = context.routes.ecmp != "first" or limited or bool(context.space.full())
        # A spare depends on the neighbours' own distances, over arcs that no plan names.
        loose = loose or (scheme.name == "pim-sm" and context.scenario.schemes.pim_sm.mofrr)
        # Signalling runs towards the origin: on other links than the data, it shifts its start.
        loose = loose or (self._several and not context.routes.graph.symmetric)
        self._loose = loose
        self._relied = _relied(context, planned, plans)
        self._forwarding = _forwarding(planned, plans)
        self._branches: Branches | None = None
        self._tree: Segments | None = None
        if not loose and not self._several and len(plans[0][1].flows) == 1:
            flow = OneFlow(context, *plans[0])
            if _laid_over(context, scheme):
                self._branches = Branches(scheme, flow)
            elif isinstance(scheme, SrP2mp):
                self._tree = Segments(flow)

    def after(self, failed: Failed) -> Outcome:
        """Nobody is served where a limit of the scheme (its RP cannot be reached, no room for its
        header or its entries) rules it out after the failure."""
        elsewhere = failed.origins_up and not failed.background_moves
        if not self._loose and elsewhere and self._relied.isdisjoint(failed.down):
            return self.before
        try:
            if failed.background_moves:
                return self._whole(failed)
            if self._branches is not None:
                return self._cut_off(self._branches, failed)
            if self._tree is not None:
                return self._replanned(self._tree, failed)
            return self._whole(failed)
        except InfeasibleError:
            everyone = [[name for name, _, _ in each.clouds] for each, _ in self.plans]
            return Outcome(True, None, None, self._names(everyone))

    def _cut_off(self, branches: Branches, failed: Failed) -> Outcome:
        (now,) = failed.demands
        sums = branches.after(failed.routes, now, failed.down)
        return self._outcome(branches.flow, sums, now)

    def _replanned(self, tree: Segments, failed: Failed) -> Outcome:
        (now,) = failed.demands
        if not now.pes:
            return self._outcome(tree.flow, None, now)
        plan, fresh = self._replan(failed.routes, now, self.plans[0][1])
        sums = tree.after(plan, failed.routes, failed.down)
        return self._outcome(tree.flow, sums, now, fresh)

    def _outcome(
        self, flow: OneFlow, sums: Sums | None, now: Demand, fresh: bool = False
    ) -> Outcome:
        lost = self._names([now.unreachable])
        if sums is None:
            return Outcome(True, None, None, lost, fresh)
        return Outcome(True, *flow.numbers(sums, now), lost, fresh)

    def _whole(self, failed: Failed) -> Outcome:
        context = failed.context
        plans, fresh = [], False
        for (_, old), now in zip(self.plans, failed.demands, strict=True):
            if isinstance(self.scheme, SrP2mp) and now.pes and not context.space.full():
                plan, new = self._replan(failed.routes, now, old)
                fresh = fresh or new
                plans.append((now, plan))
            else:
                plans.append(served(context, self.scheme, now))
        self._check_limit(context, plans)
        planned = _planned(context, self.scheme, plans)
        completion_s, wire_bytes = _run(context, planned)
        names = self._names([each.unreachable for each, _ in plans])
        before = self.before
        same = (completion_s, wire_bytes, names) == (before.completion_s, before.wire_bytes, ())
        # Equal numbers are no proof: the way round a diamond's other side costs the same.
        same = same and _forwarding(planned, plans) == self._forwarding
        hit = not self._relied.isdisjoint(failed.down)
        return Outcome(hit or not same, completion_s, wire_bytes, names, fresh)

    def _replan(
        self, routes: IgpRoutes, now: Demand, old: ReplicationPlan
    ) -> tuple[ReplicationPlan, bool]:
        """(the controller's plan, whether its tree is a new one)."""
        assert isinstance(self.scheme, SrP2mp)
        plan, kind = self.scheme.replan(routes, now, old, came_up=False)
        return plan, kind == "fresh" and self._min_cost

    def _check_limit(self, context: Context, plans: Plans) -> None:
        limit = context.scenario.state_limit
        if limit is not None:
            entries = self.scheme.state(context.routes, plans).values()
            if max(entries, default=0) > limit:
                raise InfeasibleError(f"over the limit of {limit} entries")

    def _names(self, unreachable: Sequence[Sequence[str]]) -> tuple[str, ...]:
        names: list[str] = []
        for (was, _), never, lost in zip(self.plans, self._left_out, unreachable, strict=True):
            prefix = f"{was.transfer}/" if self._several else ""
            names += (f"{prefix}{name}" for name in lost if name not in never)
        return tuple(sorted(names))


def _laid_over(context: Context, scheme: Scheme) -> bool:
    """Whether the plan for many receivers is those for each laid over one another: by key one copy
    per arc. A tunnel or a pull has one receiver, a bit follows its own path, and a Join its own
    RPF neighbours until it meets the tree. Not so a controller's tree, nor where (S,G,rpt) prunes
    depend on who else has joined."""
    if scheme.name == "pim-sm":
        return context.scenario.schemes.pim_sm.mode == "ssm"
    return scheme.name in ("ingress-replication", "bier")


def _planned(context: Context, scheme: Scheme, plans: Plans) -> list[Planned]:
    return [
        planned_push(context, scheme, transfer, each, plan)
        for transfer, (each, plan) in zip(context.scenario.transfers, plans, strict=True)
    ]


def _run(context: Context, planned: Sequence[Planned]) -> tuple[float | None, float | None]:
    """(last completion [s], core wire bytes); None where nobody is left to serve."""
    pushes, _ = run(context.space, planned)
    ends = [each.completion_s for each in pushes if each.completion_s is not None]
    if not ends:
        return None, None
    core = context.space.core
    wire_bytes = sum(
        load.flow.count * load.flow.size_bytes * weight
        for each in planned
        for load in each.loads
        for arc, weight in load.weights.items()
        if arc < core
    )
    return max(ends), wire_bytes


def _forwarding(planned: Sequence[Planned], plans: Plans) -> list[object]:
    """What equal plans have equal: packets imposed, entries, and copies by arc."""
    return [
        (plan.impose, plan.entries, [(load.flow, load.copies, load.weights) for load in each.loads])
        for each, (_, plan) in zip(planned, plans, strict=True)
    ]


def _relied(context: Context, planned: Sequence[Planned], plans: Plans) -> frozenset[Arc]:
    """Core arcs that the plans load, and those their entries name (a pruned branch's among them:
    who prunes it depends on where it runs)."""
    core = context.space.core
    arcs = {arc for each in planned for load in each.loads for arc in load.weights if arc < core}
    for _, plan in plans:
        payload_bytes(context.scenario.mtu, plan)
        for entry in plan.entries.values():
            arcs.update(branch for branch in entry.out if isinstance(branch, int))
            if entry.iif is not None:
                arcs.add(entry.iif)
    return frozenset(arcs)
