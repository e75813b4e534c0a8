"""PIM after any failure: once nothing changes any more, routers forward as a fresh tree would."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mcastplan.converge.igp import LinkState
from mcastplan.dataplane.walk import walk_plan
from mcastplan.evaluate.scheme import check as check_installed
from mcastplan.evaluate.scheme import install
from mcastplan.model.failure import Failure
from mcastplan.model.plan import Demand, Entry, Key, ReplicationPlan
from mcastplan.model.scenario import PimOptions, Scenario, SchemeOptions
from mcastplan.model.timers import PRESETS, Timers
from mcastplan.model.topology import Node, Topology
from mcastplan.schemes.base import demand
from mcastplan.schemes.mofrr import alternate
from mcastplan.schemes.mroute import Tree
from mcastplan.schemes.pim_sm import PimSm
from mcastplan.study.compare import context_of
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import push, topologies

Told = dict[tuple[Node, Key], tuple[int | None, frozenset[object], bool]]


def told(entries: dict[tuple[Node, Key], Entry]) -> Told:
    return {at: (each.iif, frozenset(each.out), each.local) for at, each in entries.items()}


@st.composite
def pushes(draw: st.DrawFn) -> Scenario:
    """One or two pushes over links of any delay."""
    topology = draw(topologies())
    delays = st.sampled_from((0.0, 0.0003, 0.002, 0.011))
    links = tuple(msgspec.structs.replace(each, delay_s=draw(delays)) for each in topology.links)
    topology = Topology.make("test", topology.nodes, links)
    node = st.sampled_from([each.name for each in topology.nodes])
    receivers = draw(st.lists(node, min_size=1, max_size=6))
    scenario = push(
        topology,
        draw(node),
        tuple(receivers),
        ecmp=draw(st.sampled_from(("first", "hash"))),
        timers=Timers.of(draw(st.sampled_from(PRESETS))),
        protection=draw(st.sampled_from(("none", "lfa", "ti-lfa"))),
    )
    if draw(st.booleans()):
        second = msgspec.structs.replace(scenario.transfers[0], name="second", origin=draw(node))
        scenario = msgspec.structs.replace(scenario, transfers=(*scenario.transfers, second))
    return scenario


def living(igp: LinkState, wanted: Demand) -> Demand:
    """Without the clouds of routers that are gone for good; nobody is left if the origin's is."""
    dead = {node for node in range(igp.graph.size) if not igp.alive(node, 1e9)}
    clouds = {name for name, pe, _ in wanted.clouds if not {pe, wanted.origin} & dead}
    return wanted.only(clouds)


def ends(scenario: Scenario, *failures: Failure) -> list[tuple[ReplicationPlan, ReplicationPlan]]:
    """(what all routers hold in the end, a fresh plan on what is left) of each push."""
    before = IgpRoutes(scenario.topology.graph, scenario.ecmp)
    scheme = PimSm(scenario, before)
    igp = LinkState(scenario, before, failures)
    demands = [demand(scenario, before, each) for each in scenario.transfers]
    plans = [(each, scheme.install(before, each)) for each in demands]
    after = [living(igp, demand(scenario, igp.after, each)) for each in scenario.transfers]
    found = []
    for (_, plan), then in zip(plans, scheme.transition(igp, plans, after), strict=True):
        entries = dict(plan.entries)
        last_s = 0.0
        for update in then.updates:
            assert update.at_s >= last_s
            last_s = update.at_s
            assert update.entry is not None
            key, entry = update.entry
            assert entries.get((update.node, key)) != entry
            entries.pop((update.node, key), None)
            if entry is not None:
                entries[update.node, key] = entry
        found.append((msgspec.structs.replace(then.after, entries=entries), then.after))
        check(igp.after, *found[-1])
    return found


def check(routes: IgpRoutes, left: ReplicationPlan, fresh: ReplicationPlan) -> None:
    """The fresh entries, all; besides, only receivers' PEs that are out of reach."""
    held = told(dict(left.entries))
    assert {at: held.get(at) for at in fresh.entries} == told(dict(fresh.entries))
    for at in held.keys() - fresh.entries.keys():
        assert held[at] == (-1, frozenset(), True)
    for flow in fresh.flows:
        one, other = (walk_plan(plan, routes, flow) for plan in (left, fresh))
        assert (one.copies, one.delivered) == (other.copies, other.delivered)
        assert sorted(one.drops) == sorted(other.drops)


@given(pushes(), st.sampled_from(("carrier", "silent")))
def test_every_link_failure_ends_in_a_fresh_tree(scenario: Scenario, kind: str) -> None:
    for link in scenario.topology.links:
        ends(scenario, Failure(at_s=10.0, links=(link.id,), kind=kind))  # type: ignore[arg-type]


@given(pushes(), st.sampled_from((10.004, 10.02, 10.08, 10.3, 13.0, 60.0)))
def test_failure_and_repair_end_where_they_began(scenario: Scenario, up_s: float) -> None:
    for link in scenario.topology.links:
        for left, _ in ends(scenario, Failure(at_s=10.0, up_at_s=up_s, links=(link.id,))):
            assert left.flows or not left.entries


@given(pushes(), st.sampled_from((None, 10.02, 12.0)))
def test_every_node_failure_ends_in_a_fresh_tree(scenario: Scenario, up_s: float | None) -> None:
    for node in scenario.topology.nodes:
        ends(scenario, Failure(at_s=10.0, up_at_s=up_s, nodes=(node.name,)))


@given(pushes(), st.data())
def test_failures_that_overlap_end_in_a_fresh_tree(scenario: Scenario, data: st.DataObject) -> None:
    """Up to four links, at any time, some of them repaired."""
    if not scenario.topology.links:
        return
    instants = st.sampled_from((10.0, 10.001, 10.05, 10.09, 10.2, 11.1))
    failures = [
        Failure(
            at_s=data.draw(instants),
            up_at_s=data.draw(st.sampled_from((None, 11.2, 11.3, 15.0))),
            links=(data.draw(st.sampled_from(scenario.topology.links)).id,),
            kind=data.draw(st.sampled_from(("carrier", "silent"))),
        )
        for _ in range(data.draw(st.integers(1, 4)))
    ]
    ends(scenario, *failures)


def with_mofrr(scenario: Scenario, **options: object) -> Scenario:
    """The same pushes with a spare for every router that has one."""
    chosen = SchemeOptions(pim_sm=PimOptions(mofrr=True))
    return msgspec.structs.replace(scenario, schemes=chosen, **options)


@given(pushes(), st.sampled_from((None, 13.0)))
def test_mofrr_ends_in_a_fresh_tree_too(scenario: Scenario, up_s: float | None) -> None:
    scenario = with_mofrr(scenario)
    for link in scenario.topology.links:
        ends(scenario, Failure(at_s=10.0, up_at_s=up_s, links=(link.id,)))


@given(pushes())
def test_mofrr_delivers_once(scenario: Scenario) -> None:
    """In steady state spares change nothing but copies: sum, plan and tables agree."""
    context = context_of(with_mofrr(scenario))
    check_installed(context, install(context, PimSm))


@given(pushes())
def test_mofrr_serves_everybody_before_any_spf(scenario: Scenario) -> None:
    """15.5 ms after the light of one link has gone (10 to see it, 5 to switch), everybody is
    served, except below a router without a spare whose own link it was."""
    scenario = with_mofrr(scenario, timers=Timers())
    before = IgpRoutes(scenario.topology.graph, scenario.ecmp)
    scheme = PimSm(scenario, before)
    wanted = [demand(scenario, before, each) for each in scenario.transfers]
    plans = [(each, scheme.install(before, each)) for each in wanted]
    for number, link in enumerate(scenario.topology.links):
        cut = frozenset((2 * number, 2 * number + 1))
        igp = LinkState(scenario, before, [Failure(at_s=10.0, links=(link.id,))])
        after = [demand(scenario, igp.after, each) for each in scenario.transfers]
        changes = scheme.transition(igp, plans, after)
        for (each, plan), change in zip(plans, changes, strict=True):
            key = plan.impose[0][1] if plan.impose else None
            entries = dict(plan.entries)
            bare = [
                node
                for node, iif in Tree(before, each.origin, key, each.pes).iif.items()
                if iif in cut and alternate(before, node, each.origin, iif ^ 1) is None
            ]
            for update in change.updates:
                if update.at_s < 10.0155:
                    assert update.entry is not None
                    entries.pop((update.node, key), None)
                    if update.entry[1] is not None:
                        entries[update.node, key] = update.entry[1]
            left = msgspec.structs.replace(plan, entries=entries)
            for flow in plan.flows:
                found = walk_plan(left, before, flow, closed=cut)
                assert set(found.delivered.values()) <= {1}
                missing = set(flow.receivers) - set(found.delivered)
                assert not missing or bare
