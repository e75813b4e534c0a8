"""PIM under the real IGP, preset ``tuned``: instants and gaps summed up in words.

Numbers that recur [ms]: carrier loss is seen after 10. The router's own LSA sets off its SPF 50
later (rfc8405 in QUIET), which runs for 5; its FIB then takes 0.15 for each route to a PE that it
changes. An LSA leaves a router 5 after it arises, and costs delay + 5 a hop. An adjacency takes
1,000 after the link is up. A Join or Prune: the link's delay, then 10 (`join`).
"""

from __future__ import annotations

import math

import msgspec
import pytest

from mcastplan.converge.episode import Episode, play
from mcastplan.converge.igp import LinkState
from mcastplan.dataplane.fold import fold
from mcastplan.dataplane.walk import faults, walk_plan
from mcastplan.errors import InfeasibleError
from mcastplan.evaluate.scheme import check, install
from mcastplan.model.failure import Failure
from mcastplan.model.scenario import PimOptions, Scenario, SchemeOptions
from mcastplan.model.timers import Timers
from mcastplan.schemes.mroute import NO_RPF
from mcastplan.schemes.pim_sm import PimSm
from mcastplan.study.compare import context_of
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import link, network, push

MS = 1e-3
MOFRR = SchemeOptions(pim_sm=PimOptions(mofrr=True))

#       b          s-b and b-d: metric 1, delay 1 ms
#     /   \
#   s       d - r  d-r: metric 1, delay 1 ms
#     \   /
#       c          s-c and c-d: metric 2, delay 2 ms
DIAMOND = network(
    link("s", "b", delay_s=1 * MS),
    link("b", "d", delay_s=1 * MS),
    link("s", "c", 2, delay_s=2 * MS),
    link("c", "d", 2, delay_s=2 * MS),
    link("d", "r", delay_s=1 * MS),
)
TO_R = push(DIAMOND, "s", ("r",))

#   s - a - b      a ring of 1 ms links, metric 1: s reaches b over a
#   |       |
#   e - - - c
RING = network(
    link("s", "a", delay_s=1 * MS),
    link("a", "b", delay_s=1 * MS),
    link("b", "c", delay_s=1 * MS),
    link("c", "e", delay_s=1 * MS),
    link("e", "s", delay_s=1 * MS),
)


def played(scenario: Scenario, *failures: Failure) -> Episode:
    context = context_of(scenario)
    plans = install(context, PimSm).plans
    igp = LinkState(scenario, context.routes, failures)
    return play(context, PimSm(scenario, context.routes), igp, plans)


Row = tuple[float, str, str | None, str | None]


def told(episode: Episode, since_s: float = 10.0) -> list[Row]:
    """(instant [ms], node, IIF from, OIFs to) of every update from ``since_s`` on, in order."""
    graph = episode.igp.graph
    rows: list[Row] = []
    for each in episode.transfers[0].transition.updates:
        assert each.entry is not None
        entry, iif, oifs = each.entry[1], None, None
        if entry is not None:
            iif = {None: "source", NO_RPF: "none"}.get(entry.iif)
            iif = iif or graph.names[graph.tail[entry.iif or 0]]
            heads = [graph.names[graph.head[arc]] for arc in entry.out if isinstance(arc, int)]
            oifs = "".join(sorted(heads))
        if each.at_s >= since_s:
            rows.append((round((each.at_s - since_s) / MS, 6), graph.names[each.node], iif, oifs))
    return sorted(rows, key=lambda row: (row[0], row[1]))


def outages(episode: Episode) -> list[tuple[float, float]]:
    """(begin [ms after 10 s], length [ms]) at the receiver."""
    (found,) = episode.transfers[0].gaps().values()
    return [
        (round((gap.from_s - 10) / MS, 6), round((gap.to_s - gap.from_s) / MS, 6)) for gap in found
    ]


def test_diamond_cut() -> None:
    """d has one route that changes, to s: its FIB is written at 10 + 50 + 5 + 0.15 = 65.15, where
    its IIF moves. c handles its Join at 65.15 + 2 + 10 = 77.15, s c's at 89.15. b takes its OIF out
    at 10 and prunes s: 10 + 1 + 10 = 21.
    r: the last packet entered b--d at 9 (1 ms before the cut), the next due would be at r at
    9 + 1 + 1 = 11 - 10 = 1 after the cut; the first over c leaves s at 89.15 and takes
    2 + 2 + 1 = 5. A gap of 94.15 - 1 = 93.15."""
    episode = played(TO_R, Failure(10.0, ("b--d",)))
    assert told(episode) == [
        (10, "b", None, None),
        (21, "s", None, None),
        (65.15, "d", "c", "r"),
        (77.15, "c", "s", "d"),
        (89.15, "s", "source", "c"),
    ]
    assert outages(episode) == [(1, 93.15)]


def test_diamond_repaired() -> None:
    """Up at 20 s, adjacency at 21 s (the hold-down of rfc8405 has long put d back to QUIET): d's
    FIB flips at 21 s + 55.15, and its IIF leaves c. b handles the Join at 55.15 + 1 + 10 = 66.15,
    s b's at 77.15. c handles the Prune at 55.15 + 2 + 10, s c's at 79.15.
    r: the last packet over c passes d at 55.15, the first over b leaves s at 77.15 and passes d 2
    later: a gap of 24, though every link is up: the IIF moves before its Join has been answered.
    What happens at d shows at r 1 later: of the 24, 22 are the Join's from d's flip to s, and the 3
    from s to r are 2 more than the 1 from d."""
    episode = played(TO_R, Failure(10.0, ("b--d",), up_at_s=20.0))
    assert told(episode, 21.0) == [
        (55.15, "d", "b", "r"),
        (66.15, "b", "s", "d"),
        (67.15, "c", None, None),
        (77.15, "s", "source", "bc"),
        (79.15, "s", "source", "b"),
    ]
    assert outages(episode)[1] == (11056.15, 24)
    stages = episode.transfers[0].gaps()["c000-r"][1].stages
    assert {stage: round(each / MS, 6) for stage, each in stages.items()} == {
        "join": 2 * (1 + 10),
        "propagation": 3 - 1,
    }


def test_silent_diamond_waits_for_bfd() -> None:
    """Silent: noticed after 150 instead of 10, all else as before."""
    assert outages(played(TO_R, Failure(10.0, ("b--d",), kind="silent"))) == [(1, 93.15 + 140)]


def test_chain_has_no_other_way() -> None:
    """r is cut off for good: its entry accepts from nowhere once its FIB is without s, and the note
    names it."""
    chain = network(link("s", "a", delay_s=1 * MS), link("a", "r", delay_s=1 * MS))
    scenario = push(chain, "s", ("r",))
    episode = played(scenario, Failure(10.0, ("a--r",)))
    assert told(episode) == [
        (10, "a", None, None),
        (21, "s", None, None),
        (65.15, "r", "none", ""),
    ]
    assert outages(episode) == [(0, math.inf)]
    assert episode.transfers[0].transition.notes == (
        "push: after convergence 1 router keeps an (S,G) entry off the tree: r",
    )
    repaired = played(scenario, Failure(10.0, ("a--r",), up_at_s=20.0))
    # r's FIB at 21 s + 55.15; a 1 + 10 later, s again: 77.15. The way takes 2.
    assert told(repaired, 21.0) == [
        (55.15, "r", "a", ""),
        (66.15, "a", "s", "r"),
        (77.15, "s", "source", "a"),
    ]
    assert outages(repaired) == [(0, 11077.15 + 2)]


def test_joins_chase_rpf_around_a_ring() -> None:
    """s--a is cut, b receives; `join` is 4 here, so that a's Join is quicker than the LSA.
    a: own FIB 65.15 (route to s): RPF' is b, which is the OIF: nothing may go out. Its Join at b:
    65.15 + 1 + 4 = 70.15, where RPF' is still a: b's branch to a equals its IIF and stays closed.
    b hears a's LSA at 10 + 5 + 1 + 5 = 21, FIB 21 + 50 + 5 + 0.15 = 76.15: IIF from c, and now the
    branch to a opens. Join to c: 81.15, c's to e 86.15, e's to s 91.15. The Prune to a: 81.15, a
    has nobody left and prunes b: 86.15. s took its OIF out at 10.
    b: the last packet that got past s--a entered it at 9 and was at b at 11; the next would have
    come right then. The first one the other way leaves s at 91.15 and takes 3."""
    timers = Timers(join_s=4 * MS)
    episode = played(push(RING, "s", ("b",), timers=timers), Failure(10.0, ("a--s",)))
    assert told(episode) == [
        (10, "s", None, None),
        (65.15, "a", "b", ""),
        (76.15, "b", "c", "a"),
        (81.15, "a", None, None),
        (81.15, "c", "e", "b"),
        (86.15, "b", "c", ""),
        (86.15, "e", "s", "c"),
        (91.15, "s", "source", "e"),
    ]
    assert outages(episode) == [(1, 91.15 + 3 - 1)]


def test_mofrr_switches_without_a_join() -> None:
    """d's spare comes over c all the time. At 10 d sees the cut, and accepts from c 5 later
    (`protect`); its FIB flip at 65.15 finds RPF' joined already. b and s forget b's branch.
    r: the copies over c are 2 + 2 under way to d, so those sent from 11 on are accepted. Those sent
    before 9 - 1 = 8 came over b. Due at r at 8 + 3 = 11: 1 after the cut; there at 11 + 5 = 16."""
    scenario = msgspec.structs.replace(TO_R, schemes=MOFRR)
    episode = played(scenario, Failure(10.0, ("b--d",)))
    assert told(episode) == [
        (10, "b", None, None),
        (15, "d", "c", "r"),
        (21, "s", "source", "c"),
    ]
    assert outages(episode) == [(1, 15)]


def test_mofrr_does_not_help_on_repair() -> None:
    """d's FIB flips back to b, whose Join is due: the IIF moves at once, as without MoFRR. Only the
    branch over c stays, as the spare: d tells c so, which handles that at 55.15 + 2 + 10 = 67.15.
    c has known since 67 (d's LSA after 5 + 2 + 5, SPF 50 + 5, no route of it changes) that d could
    be a spare of its own, and takes that Join back 0.15 later."""
    scenario = msgspec.structs.replace(TO_R, schemes=MOFRR)
    episode = played(scenario, Failure(10.0, ("b--d",), up_at_s=20.0))
    assert told(episode, 21.0) == [
        (55.15, "d", "b", "r"),
        (66.15, "b", "s", "d"),
        (77.15, "s", "source", "bc"),
        (79, "d", "b", "cr"),
        (79.15, "d", "b", "r"),
    ]
    assert outages(episode)[1] == (11056.15, 24)


def test_mofrr_costs_copies_and_state_and_delivers_once() -> None:
    """d is the only router with another way to s (b's and r's other neighbours come back over b and
    d): the spare takes s->c->d, 2 copies beside s->b->d->r, and c's entry. d drops the second."""
    scenario = msgspec.structs.replace(TO_R, schemes=MOFRR)
    context = context_of(scenario)
    installed = install(context, PimSm)
    check(context, installed)  # sum, plan and tables agree; nobody gets two
    ((each, plan),) = installed.plans
    (load,) = fold(plan, context.routes)
    graph = context.routes.graph
    assert sorted(
        f"{graph.names[graph.tail[arc]]}{graph.names[graph.head[arc]]}" for arc in load
    ) == [
        "bd",
        "cd",
        "dr",
        "sb",
        "sc",
    ]
    assert installed.state == {graph.index[name]: 1 for name in "sbcdr"}
    assert PimSm(scenario, context.routes).notes(context.routes, each, plan)[:1] == (
        "push: 2 of 3 routers below the source have no second upstream neighbour (b, r)",
    )
    # The same walk is at fault where no spare is on purpose.
    walked = walk_plan(plan, context.routes, plan.flows[0])
    assert faults(graph, plan.flows[0], walked) == ("dropped at d: RPF check: wrong interface",)
    # Without its RPF check d would take both.
    unchecked = {at: msgspec.structs.replace(entry, iif=None) for at, entry in plan.entries.items()}
    open_plan = msgspec.structs.replace(plan, entries=unchecked)
    assert walk_plan(open_plan, context.routes, plan.flows[0]).delivered == {graph.index["r"]: 2}


def test_mofrr_does_not_cover_where_both_streams_meet() -> None:
    """v has two links to u: the second one is its spare, and u's failure takes both."""
    net = network(link("s", "u"), link("u", "v", tag="#1"), link("u", "v", tag="#2"))
    scenario = push(net, "s", ("v",), schemes=MOFRR)
    context = context_of(scenario)
    ((each, plan),) = install(context, PimSm).plans
    assert PimSm(scenario, context.routes).notes(context.routes, each, plan)[:1] == (
        "push: 1 of 2 routers below the source have no second upstream neighbour (u)"
        " and the spare stream of v passes the router it is to do without",
    )


def test_mofrr_of_a_shared_tree_is_refused() -> None:
    options = SchemeOptions(pim_sm=PimOptions(mode="asm", rp="b", mofrr=True))
    with pytest.raises(InfeasibleError, match="source trees alone"):
        PimSm(push(DIAMOND, "s", ("r",), schemes=options), IgpRoutes(DIAMOND.graph))
