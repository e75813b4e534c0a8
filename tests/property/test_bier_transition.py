"""The BIFT over time, on anything that can be drawn."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.converge.igp import LinkState
from mcastplan.model.failure import Failure
from mcastplan.model.scenario import BierOptions, Scenario, SchemeOptions
from mcastplan.model.timers import PRESETS, Timers
from mcastplan.schemes.base import demand
from mcastplan.schemes.bier import Bier, homes
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import push, topologies


@st.composite
def questions(draw: st.DrawFn) -> tuple[Scenario, list[Failure]]:
    topology = draw(topologies().filter(lambda each: each.links))
    names = [node.name for node in topology.nodes]
    receivers = draw(st.lists(st.sampled_from(names), min_size=1, max_size=6, unique=True))
    options = BierOptions(
        frr=draw(st.sampled_from(("none", "tunnel", "lfa"))),
        ecmp=draw(st.sampled_from(("node", "bfer"))),
    )
    cut = []
    for number in range(draw(st.integers(1, 2))):
        at_s = 10.0 + number * draw(st.sampled_from((0.0, 0.05, 3.0)))
        up_at_s = draw(st.sampled_from((None, at_s + 0.5, at_s + 20.0)))
        if draw(st.booleans()):
            node = draw(st.sampled_from(names))
            cut.append(Failure(at_s, nodes=(node,), up_at_s=up_at_s))
        else:
            link = draw(st.sampled_from(topology.links)).id
            cut.append(Failure(at_s, links=(link,), up_at_s=up_at_s))
    scenario = push(
        topology,
        draw(st.sampled_from(names)),
        tuple(receivers),
        schemes=SchemeOptions(bier=options),
        ecmp=draw(st.sampled_from(("first", "hash"))),
        protection=draw(st.sampled_from(("none", "lfa", "ti-lfa"))),
        timers=Timers.of(draw(st.sampled_from(PRESETS))),
    )
    return scenario, cut


@given(question=questions())
@settings(max_examples=300)
def test_the_bift_ends_where_the_fib_does(question: tuple[Scenario, list[Failure]]) -> None:
    """With and without BIER-FRR, whatever the underlay's own protection: each BFR that is up sends
    each BFER's packets where the routes after say, and no BIFT row is written before the FIB."""
    scenario, cut = question
    routes = IgpRoutes(scenario.topology.graph, scenario.ecmp)
    scheme = Bier(scenario, routes)
    igp = LinkState(scenario, routes, cut)
    pes = sorted(routes.graph.index[name] for name in homes(scenario))
    for node in range(routes.graph.size):
        updates = scheme.forwarding(igp, node)
        assert [each.at_s for each in updates] == sorted(each.at_s for each in updates)
        for each in updates:
            if each.cause.stage == "bift":
                assert each.cause.before is not None
                assert each.cause.before.stage == "fib"
                assert each.at_s >= each.cause.before.until_s
        if not igp.alive(node, 1e6):
            continue
        last = updates[-1].routes if updates else routes
        assert last is not None
        for pe in pes:
            if pe == node or not igp.after.next_arcs(node, pe):
                continue  # a router does not hear what happens in another part of the network
            assert last.next_arc(node, pe, "flow") == igp.after.next_arc(node, pe, "flow")
            assert last.detour(node, pe) is None


@given(question=questions())
@settings(max_examples=150)
def test_without_frr_and_rows_to_write_the_bift_is_the_fib(
    question: tuple[Scenario, list[Failure]],
) -> None:
    """Rows that take no time, no protection anywhere: the same routes at the same instants."""
    scenario, cut = question
    scenario = msgspec.structs.replace(
        scenario,
        schemes=SchemeOptions(),
        protection="none",
        timers=msgspec.structs.replace(scenario.timers, write_s=0.0),
    )
    routes = IgpRoutes(scenario.topology.graph, scenario.ecmp)
    scheme = Bier(scenario, routes)
    igp = LinkState(scenario, routes, cut)
    pes = sorted(routes.graph.index[name] for name in homes(scenario))
    for node in range(routes.graph.size):
        bift, fib = scheme.forwarding(igp, node), igp.flips(node)
        assert [each.at_s for each in bift] == [each.at_s for each in fib]
        for ours, theirs in zip(bift, fib, strict=True):
            assert ours.routes is not None and theirs.routes is not None
            for pe in pes:
                assert ours.routes.next_arc(node, pe, "f") == theirs.routes.next_arc(node, pe, "f")


@given(question=questions())
@settings(max_examples=150)
def test_what_frr_covers_is_counted(question: tuple[Scenario, list[Failure]]) -> None:
    """The two numbers of the note, from the paths themselves."""
    scenario, cut = question
    routes = IgpRoutes(scenario.topology.graph, scenario.ecmp)
    scheme = Bier(scenario, routes)
    igp = LinkState(scenario, routes, cut)
    wanted = demand(scenario, routes, scenario.transfers[0])
    plan = scheme.install(routes, wanted)
    left = demand(scenario, igp.after, scenario.transfers[0])
    (found,) = scheme.transition(igp, [(wanted, plan)], [left])
    if scenario.schemes.bier.frr == "none":
        assert found.notes == ()
        return
    (note,) = found.notes
    covered, behind = (int(word) for word in note.split() if word.isdigit())
    key = ("bier", "push", 0)
    hit = [pe for pe in wanted.pes if set(routes.path(wanted.origin, pe, key)) & set(igp.down)]
    assert behind == len(hit)
    assert covered <= sum(not igp.node_down(pe) for pe in hit)
