"""SR-P2MP after the last instant: what is forwarded then, on anything that can be drawn."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcastplan.converge.igp import LinkState
from mcastplan.dataplane.walk import faults, walk_plan
from mcastplan.model.change import Transition
from mcastplan.model.failure import Failure
from mcastplan.model.plan import Demand, Entry, Key, ReplicationPlan
from mcastplan.model.scenario import Scenario, SchemeOptions, SrP2mpOptions
from mcastplan.model.timers import PRESETS, Timers
from mcastplan.model.topology import Node
from mcastplan.schemes.base import demand
from mcastplan.schemes.sr_p2mp import SrP2mp
from mcastplan.underlay.routes import IgpRoutes
from mcastplan.underlay.steiner import tree_cost
from tests.networks import push, topologies


@st.composite
def questions(draw: st.DrawFn) -> Scenario:
    topology = draw(topologies())
    names = [node.name for node in topology.nodes]
    receivers = draw(st.lists(st.sampled_from(names), min_size=1, max_size=6, unique=True))
    options = SrP2mpOptions(
        dataplane=draw(st.sampled_from(("srv6", "mpls"))),
        objective=draw(st.sampled_from(("min-cost", "shortest"))),
        update=draw(st.sampled_from(("make-before-break", "in-place"))),
        protected_adjacencies=draw(st.booleans()),
    )
    assume(topology.links)
    return push(
        topology,
        draw(st.sampled_from(names)),
        tuple(receivers),
        schemes=SchemeOptions(sr_p2mp=options),
        ecmp=draw(st.sampled_from(("first", "hash"))),
        timers=Timers.of(draw(st.sampled_from(PRESETS))),
    )


@st.composite
def failures(draw: st.DrawFn, scenario: Scenario, up: bool) -> list[Failure]:
    """One or two, of a link or a node; all repaired if ``up``."""
    found = []
    for number in range(draw(st.integers(1, 2))):
        at_s = 10.0 + number * draw(st.sampled_from((0.0, 0.02, 0.3, 3.0)))
        links, nodes = (), ()
        if draw(st.booleans()):
            nodes = (draw(st.sampled_from(scenario.topology.nodes)).name,)
        else:
            links = (draw(st.sampled_from(scenario.topology.links)).id,)
        up_at_s = at_s + draw(st.sampled_from((0.5, 20.0, 100.0))) if up else None
        kind = draw(st.sampled_from(("carrier", "silent")))
        found.append(Failure(at_s, links, nodes, kind=kind, up_at_s=up_at_s))
    return found


class Played:
    """The scheme through the failures."""

    def __init__(self, scenario: Scenario, cut: list[Failure]) -> None:
        self.scenario = scenario
        self.routes = IgpRoutes(scenario.topology.graph, scenario.ecmp)
        self.scheme = SrP2mp(scenario, self.routes)
        self.demand = self.wanted(self.routes)
        self.plan = self.scheme.install(self.routes, self.demand)
        self.igp = LinkState(scenario, self.routes, cut)
        left = self.wanted(self.igp.after)
        (self.found,) = self.scheme.transition(self.igp, [(self.demand, self.plan)], [left])

    def wanted(self, routes: IgpRoutes) -> Demand:
        return demand(self.scenario, routes, self.scenario.transfers[0])

    @property
    def live(self) -> bool:
        """The root, and with it the controller, is there in the end, and somebody to send to."""
        return self.igp.alive(self.demand.origin, 1e6) and bool(self.found.demand.pes)


def replayed(plan: ReplicationPlan, found: Transition) -> dict[tuple[Node, Key], Entry]:
    entries = dict(plan.entries)
    assert [each.at_s for each in found.updates] == sorted(each.at_s for each in found.updates)
    for update in found.updates:
        if update.entry is not None:
            key, entry = update.entry
            if entry is None:
                entries.pop((update.node, key))
            else:
                entries[update.node, key] = entry
    return entries


@given(data=st.data(), scenario=questions())
@settings(max_examples=200)
def test_after_failures(data: st.DataObject, scenario: Scenario) -> None:
    """The entries that are there are those of the plan in the end; it is walked and valid; the
    shortest-path tree is the fresh one, the other at most 5 % dearer than a fresh one."""
    played = Played(scenario, data.draw(failures(scenario, up=False)))
    if not played.live:
        return
    after, routes = played.found.after, played.igp.after
    assert replayed(played.plan, played.found) == after.entries
    (flow,) = after.flows
    assert (flow.receivers, flow.clouds) == (
        played.found.demand.pes,
        tuple(name for name, _, _ in played.found.demand.clouds),
    )
    walked = walk_plan(after, routes, flow)
    assert faults(routes.graph, flow, walked) == ()
    fresh = played.scheme.install(routes, played.found.demand)
    if scenario.schemes.sr_p2mp.objective == "shortest":
        assert walked == walk_plan(fresh, routes, fresh.flows[0])
    else:
        cost, best = (tree_cost(routes.graph, plan.tree) for plan in (after, fresh))
        assert cost * 100 <= best * 105
        if scenario.ecmp == "first":
            assert set(walked.copies) == set(after.tree)
            assert set(walked.copies.values()) <= {1}


@given(data=st.data(), scenario=questions())
@settings(max_examples=200)
def test_after_failures_and_repairs_it_is_as_before(
    data: st.DataObject, scenario: Scenario
) -> None:
    played = Played(scenario, data.draw(failures(scenario, up=True)))
    if not played.plan.flows:
        return
    after = played.found.after
    assert replayed(played.plan, played.found) == after.entries
    assert after.tree == played.plan.tree
    assert walk_plan(after, played.routes, after.flows[0]) == walk_plan(
        played.plan, played.routes, played.plan.flows[0]
    )


@given(data=st.data(), scenario=questions())
@settings(max_examples=200)
def test_what_the_sweep_plans_is_where_the_timeline_ends(
    data: st.DataObject, scenario: Scenario
) -> None:
    """However many computations it took the controller, the tree hangs on what is down alone."""
    played = Played(scenario, data.draw(failures(scenario, up=False)))
    if not played.live:
        return
    swept, _ = played.scheme.replan(
        played.igp.after, played.found.demand, played.plan, came_up=False
    )
    assert swept.tree == played.found.after.tree
