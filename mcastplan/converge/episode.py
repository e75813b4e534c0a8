"""One scheme through one episode: its updates, then packets in space and time."""

from __future__ import annotations

import math

import msgspec

from mcastplan.converge.moving import Forwarding
from mcastplan.converge.outages import Gap, flights, gaps
from mcastplan.dataplane.flight import Flight
from mcastplan.evaluate.scheme import Context, Plans
from mcastplan.model.change import Transition, Update
from mcastplan.model.plan import Demand, ReplicationPlan
from mcastplan.model.topology import Node
from mcastplan.schemes.base import Igp, Scheme, demand


class Carried(msgspec.Struct, frozen=True):
    """One transfer: ``courses`` are the flights of each flow of ``plan``, in its order."""

    demand: Demand
    plan: ReplicationPlan
    transition: Transition
    courses: tuple[tuple[Flight, ...], ...]

    def gaps(self) -> dict[str, list[Gap]]:
        """Outages by cloud. All flows of a cloud share its PE; of several (hashed pulls) those of
        each are listed, by time."""
        pe = {cloud: node for cloud, node, _ in self.demand.clouds}
        found: dict[str, list[Gap]] = {cloud: [] for cloud in pe}
        known: dict[tuple[int, Node], list[Gap]] = {}
        for number, (flow, course) in enumerate(zip(self.plan.flows, self.courses, strict=True)):
            for cloud in flow.clouds:
                place = number, pe[cloud]
                if place not in known:
                    known[place] = gaps(course, pe[cloud])
                found[cloud] += known[place]
        for each in found.values():
            each.sort(key=lambda gap: (gap.from_s, gap.to_s))
        return found


class Episode(msgspec.Struct, frozen=True):
    """All transfers of one scheme. ``updates`` are those of routers whose forwarding changes."""

    scheme: Scheme
    igp: Igp
    transfers: tuple[Carried, ...]
    updates: tuple[Update, ...]


def play(context: Context, scheme: Scheme, igp: Igp, plans: Plans) -> Episode:
    """From the steady ``plans`` through the failures of ``igp``.

    Raises `InfeasibleError` where the scheme does not model its transitions.
    """
    after = [demand_after(context, igp, each) for each, _ in plans]
    transitions = scheme.transition(igp, plans, after)
    carried = []
    for (each, plan), transition in zip(plans, transitions, strict=True):
        forwarding = Forwarding(scheme, igp, plan, transition.updates)
        courses = tuple(tuple(flights(forwarding, flow)) for flow in plan.flows)
        carried.append(Carried(each, plan, transition, courses))
    updates = [update for node in igp.changing() for update in scheme.forwarding(igp, node)]
    updates += (update for each in transitions for update in each.updates)
    return Episode(scheme, igp, tuple(carried), tuple(updates))


def demand_after(context: Context, igp: Igp, before: Demand) -> Demand:
    """What is left of a demand after the last event; who was unreachable stays so."""
    scenario = context.scenario
    transfer = next(each for each in scenario.transfers if each.name == before.transfer)
    now = demand(scenario, igp.after, transfer)
    served = {name for name, _, _ in before.clouds}
    unreachable = {*before.unreachable, *now.unreachable}
    unreachable |= {name for name, pe, _ in before.clouds if _dead(igp, pe)}
    return msgspec.structs.replace(
        now.only(served - unreachable), unreachable=tuple(sorted(unreachable))
    )


def _dead(igp: Igp, node: Node) -> bool:
    spans = igp.node_down(node)
    return bool(spans) and spans[-1][1] == math.inf
