"""The Join/Prune machines under an IGP written by hand: every instant is derived in words.

The timers are the defaults: 10 ms for a Join or Prune (`join`), 0.15 ms a written entry (`write`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec
import pytest

from mcastplan.dataplane.step import WRONG_INTERFACE
from mcastplan.dataplane.walk import Walk, walk_plan
from mcastplan.errors import InfeasibleError
from mcastplan.model.change import Cause, Transition, Update
from mcastplan.model.plan import Demand, Entry, ReplicationPlan
from mcastplan.model.scenario import PimOptions, Scenario, SchemeOptions
from mcastplan.model.timers import Timers
from mcastplan.model.topology import Arc
from mcastplan.schemes.base import demand
from mcastplan.schemes.mroute import NO_RPF
from mcastplan.schemes.pim_sm import PimSm
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import link, network, push
from tests.scripted_igp import Script

MS = 1e-3


class Run:
    """The machine's answer about the (first) push, by names."""

    def __init__(self, scenario: Scenario, igp: Script) -> None:
        self.topology = scenario.topology
        scheme = PimSm(scenario, igp.before)
        transfers = scenario.transfers
        before = [demand(scenario, igp.before, each) for each in transfers]
        self.plans: list[tuple[Demand, ReplicationPlan]] = [
            (each, scheme.install(igp.before, each)) for each in before
        ]
        after = [demand(scenario, igp.after, each) for each in transfers]
        self.all: Sequence[Transition] = scheme.transition(igp, self.plans, after)
        self.igp = igp

    def arc(self, tail: str, head: str) -> Arc:
        graph = self.topology.graph
        return next(arc for v, _, arc in graph.out[graph.index[tail]] if v == graph.index[head])

    def told(self, place: int = 0) -> list[tuple[float, str, str | None, str | None]]:
        """(instant [ms after 10 s], node, IIF from, OIFs to) of every update; None: removed."""
        names, tail, head = (
            self.topology.graph.names,
            self.topology.graph.tail,
            self.topology.graph.head,
        )
        rows = []
        for each in self.all[place].updates:
            assert each.entry is not None
            entry = each.entry[1]
            iif: str | None = None
            oifs: str | None = None
            if entry is not None:
                iif = {None: "source", NO_RPF: "none"}.get(entry.iif)
                iif = iif or names[tail[entry.iif or 0]]
                oifs = "".join(
                    sorted(names[head[arc]] for arc in entry.out if isinstance(arc, int))
                )
            rows.append((round((each.at_s - 10) / MS, 6), names[each.node], iif, oifs))
        return rows

    def plan_at(self, at_s: float, place: int = 0) -> ReplicationPlan:
        """Entries of all routers at one instant."""
        plan = self.plans[place][1]
        entries = dict(plan.entries)
        for each in self.all[place].updates:
            if each.at_s <= at_s:
                assert each.entry is not None
                key, entry = each.entry
                entries.pop((each.node, key), None)
                if entry is not None:
                    entries[each.node, key] = entry
        return msgspec.structs.replace(plan, entries=entries)

    def walk_at(self, ms: float, routes: IgpRoutes) -> Walk:
        plan = self.plan_at(10 + ms * MS)
        return walk_plan(plan, routes, plan.flows[0])

    def got(self, ms: float, routes: IgpRoutes | None = None) -> str:
        """Who is served by the tables of one instant, ``ms`` after 10 s."""
        found = self.walk_at(ms, routes or self.igp.before)
        return "".join(self.topology.graph.names[node] for node in sorted(found.delivered))


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


def failed_diamond(**more: object) -> Script:
    """b--d is cut at 10 s; both ends see it after 10 ms, d's FIB has flipped after 80 ms."""
    return Script(
        DIAMOND,
        {"b--d": (10.0, math.inf)},
        {"d": [(10.080, ["b--d"])]},
        {"b": [(10.010, ["b--d"])], "d": [(10.010, ["b--d"])]},
        after=["b--d"],
        **more,  # type: ignore[arg-type]
    )


def test_failure_on_a_diamond() -> None:
    """10: b takes its OIF out; nobody is left below, so it deletes its entry and prunes s, which
    hears of it after 1 ms and handles it in 10: 21.
    80: d's IIF moves; its Join is at c after 2 ms, handled in 10: 92. c had no state, so its own
    Join leaves for s in that instant and opens s's OIF at 92 + 2 + 10 = 104. A Prune from d to b
    has no link to go over."""
    run = Run(push(DIAMOND, "s", ("r",)), failed_diamond())
    assert run.told() == [
        (10, "b", None, None),
        (21, "s", None, None),
        (80, "d", "c", "r"),
        (92, "c", "s", "d"),
        (104, "s", "source", "c"),
    ]
    assert run.got(103.9) == ""
    assert run.got(104.1) == "r"
    assert run.all[0].notes == ()


def test_every_update_tells_what_it_waited_for() -> None:
    """s's last OIF: the cut, d's FIB, d's Join until c handled it, c's Join until s did."""
    run = Run(push(DIAMOND, "s", ("r",)), failed_diamond())
    cause: Cause | None = run.all[0].updates[-1].cause
    chain = []
    while cause is not None:
        chain.append((cause.stage, round(cause.until_s, 6)))
        cause = cause.before
    assert chain == [("join", 10.104), ("join", 10.092), ("fib", 10.080), ("down", 10.0)]


def test_failure_and_repair_on_a_diamond() -> None:
    """After the repair d's FIB flips back at 11,080. d's IIF moves at once, although c still sends
    what s gives it: that is dropped, and it does not help that both ways are sound. The Join is at
    b after 1 ms, handled in 10: 11,091; b's Join at s: 11,092 + 10 = 11,102. The Prune to c is
    handled at 11,080 + 2 + 10 = 11,092, where c has nobody left; c's own at s at 11,104."""
    igp = Script(
        DIAMOND,
        {"b--d": (10.0, 20.0)},
        {"d": [(10.080, ["b--d"]), (21.080, [])]},
        {
            "b": [(10.010, ["b--d"]), (20.0, [])],
            "d": [(10.010, ["b--d"]), (20.0, [])],
        },
    )
    run = Run(push(DIAMOND, "s", ("r",)), igp)
    assert run.told()[5:] == [
        (11080, "d", "b", "r"),
        (11091, "b", "s", "d"),
        (11092, "c", None, None),
        (11102, "s", "source", "bc"),
        (11104, "s", "source", "b"),
    ]
    # The gap of 22 ms exists because the IIF moves before a Join has opened the new branch: had it
    # stayed, the branch over c would have served r all that time.
    assert (run.got(11079), run.got(11081), run.got(11101), run.got(11102.1)) == ("r", "", "", "r")
    d = DIAMOND.node("d")
    assert run.walk_at(11081, igp.before).drops == ((d, WRONG_INTERFACE),)
    assert {key: set(e.out) for key, e in run.plan_at(math.inf).entries.items()} == {
        key: set(e.out) for key, e in run.plans[0][1].entries.items()
    }


def test_no_join_before_a_hello() -> None:
    """The same repair, but Hellos over b--d are heard only 5 s after it is up at 20 s: at 15,000.
    d's IIF moves at 11,080 all the same, and c is pruned (11,092; s: 11,104): r gets nothing until
    d's Join, sent at 15,000, is handled by b at 15,011 and b's by s, 11 ms later. Over s--b, which
    never failed, nobody waits."""
    igp = Script(
        DIAMOND,
        {"b--d": (10.0, 20.0)},
        {"d": [(10.080, ["b--d"]), (21.080, [])]},
        {
            "b": [(10.010, ["b--d"]), (21.0, [])],
            "d": [(10.010, ["b--d"]), (21.0, [])],
        },
    )
    igp.timers = Timers(pim_hello_s=5.0)
    run = Run(push(DIAMOND, "s", ("r",)), igp)
    assert run.told()[5:] == [
        (11080, "d", "b", "r"),
        (11092, "c", None, None),
        (11104, "s", None, None),
        (15011, "b", "s", "d"),
        (15022, "s", "source", "b"),
    ]
    cause: Cause | None = run.all[0].updates[-1].cause
    chain = []
    while cause is not None:
        chain.append((cause.stage, round(cause.until_s, 6)))
        cause = cause.before
    assert chain[:4] == [("join", 25.022), ("join", 25.011), ("hello", 25.0), ("fib", 21.080)]


def test_a_hello_before_the_adjacency_delays_nothing() -> None:
    """Heard 1 s after the link is up, when the adjacency is full: as if there were none."""
    steps = {each: [(10.010, ["b--d"]), (21.0, [])] for each in "bd"}
    flips = {"d": [(10.080, ["b--d"]), (21.080, [])]}
    told = []
    for hello_s in (0.0, 1.0, 1.08):
        igp = Script(DIAMOND, {"b--d": (10.0, 20.0)}, flips, steps)
        igp.timers = Timers(pim_hello_s=hello_s)
        told.append(Run(push(DIAMOND, "s", ("r",)), igp).told())
    assert told[0] == told[1] == told[2]


def test_rpf_follows_the_rib_alone() -> None:
    """A local backup (LFA) and the removal of an interface change what d forwards unicast by, not
    its RPF neighbour."""
    node = DIAMOND.node("d")
    bare = Run(push(DIAMOND, "s", ("r",)), failed_diamond()).told()
    away = IgpRoutes(DIAMOND.graph).without(frozenset(range(2)))
    down = Cause("down", 10.0)
    backups = [
        Update(10.010, node, down.then("detection", 10.010), routes=away),
        Update(10.015, node, down.then("protect", 10.015), routes=away),
    ]
    assert Run(push(DIAMOND, "s", ("r",)), failed_diamond(others={"d": backups})).told() == bare


def test_mroutes_are_written_one_after_the_other() -> None:
    """Three pushes share the tree. Their Joins are handled by c in the same instant, 92; each waits
    for the 0.15 ms writes before it. The Joins to s leave at 92, when handled, not when written;
    s's own queue makes the same steps from 104 on."""
    one = push(DIAMOND, "s", ("r",)).transfers[0]
    scenario = msgspec.structs.replace(
        push(DIAMOND, "s", ("r",)),
        transfers=tuple(msgspec.structs.replace(one, name=name) for name in "xyz"),
    )
    run = Run(scenario, failed_diamond())
    for place, wait in enumerate((0, 0.15, 0.3)):
        rows = {(node, oifs): at for at, node, _, oifs in run.told(place)}
        assert rows["d", "r"] == 80
        assert rows["c", "d"] == pytest.approx(92 + wait)
        assert rows["s", "c"] == pytest.approx(104 + wait)


# s - a - r   a chain: 1 ms a link
CHAIN = network(link("s", "a", delay_s=1 * MS), link("a", "r", delay_s=1 * MS))


def test_chain_cut_for_good_and_repaired() -> None:
    """Cut for good: a's branch goes when a sees it (10), s hears of it at 10 + 1 + 10 = 21. r's IIF
    stays until its FIB says that there is no way (80); then nothing may enter. The entry stays,
    because the receiver does.
    Repaired: r's FIB flips back at 11,080, and its Join rebuilds the tree hop by hop: a at
    11,080 + 1 + 10, s 11 ms later."""
    own = {"a": [(10.010, ["a--r"])], "r": [(10.010, ["a--r"])]}
    igp = Script(CHAIN, {"a--r": (10, math.inf)}, {"r": [(10.080, ["a--r"])]}, own, after=["a--r"])
    run = Run(push(CHAIN, "s", ("r",)), igp)
    lost = [(10, "a", None, None), (21, "s", None, None), (80, "r", "none", "")]
    assert run.told() == lost
    assert run.all[0].notes == (
        "push: after convergence 1 router keeps an (S,G) entry off the tree: r",
    )
    igp = Script(
        CHAIN,
        {"a--r": (10, 20)},
        {"r": [(10.080, ["a--r"]), (21.080, [])]},
        {each: [*steps, (20.0, [])] for each, steps in own.items()},
    )
    run = Run(push(CHAIN, "s", ("r",)), igp)
    assert run.told() == [
        *lost,
        (11080, "r", "a", ""),
        (11091, "a", "s", "r"),
        (11102, "s", "source", "a"),
    ]
    assert run.all[0].notes == ()


def test_a_blink_without_a_flip() -> None:
    """The link is back before any SPF runs: RPF' never moves. Yet a took the branch out at 10 (and
    pruned s: 21), so r joins again as soon as its interface is back at 30: a 41, s 52."""
    steps: list[tuple[float, Iterable[str]]] = [(10.010, ["a--r"]), (10.030, [])]
    igp = Script(CHAIN, {"a--r": (10, 10.03)}, {}, {"a": steps, "r": steps})
    run = Run(push(CHAIN, "s", ("r",)), igp)
    assert run.told() == [
        (10, "a", None, None),
        (21, "s", None, None),
        (41, "a", "s", "r"),
        (52, "s", "source", "a"),
    ]


def test_a_lost_join_is_repeated_after_60_s() -> None:
    """d's Join leaves for c at 80 while c--d, too, is dead, silently, until 200: it is sent again
    at 60,080 and handled by c at 60,092, by s at 60,104."""
    igp = failed_diamond()
    for arc in igp.arcs(["c--d"]):
        igp.down[arc] = [(10.050, 10.200)]
    run = Run(push(DIAMOND, "s", ("r",)), igp)
    assert run.told()[2:] == [
        (80, "d", "c", "r"),
        (60092, "c", "s", "d"),
        (60104, "s", "source", "c"),
    ]


def test_a_lost_prune_costs_a_holdtime() -> None:
    """d moves to c for another reason while b--d is dead, silently and briefly (noticed by
    nobody): b goes on sending for 210 s."""
    igp = Script(
        DIAMOND, {"b--d": (10.070, 10.090)}, {"d": [(10.080, ["b--d"])]}, {}, after=["b--d"]
    )
    run = Run(push(DIAMOND, "s", ("r",)), igp)
    assert run.told() == [
        (80, "d", "c", "r"),
        (92, "c", "s", "d"),
        (104, "s", "source", "bc"),
        (210080, "b", None, None),
        (210091, "s", "source", "c"),
    ]


def test_a_join_chases_the_rpf_neighbour_of_a_router_without_state() -> None:
    """c's FIB still points at d when d's Join is handled (92): c sends its Join back to d, where
    the branch to c equals the IIF and stays closed. c's FIB flips at 100: IIF from s at once,
    Join to s handled at 112, Prune to d at 112."""
    # c prefers d: s-c is dear. After b--d is gone, d goes to c, and c to s.
    net = network(
        link("s", "b", delay_s=1 * MS),
        link("b", "d", delay_s=1 * MS),
        link("s", "c", 9, delay_s=2 * MS),
        link("c", "d", 2, delay_s=2 * MS),
        link("d", "r", delay_s=1 * MS),
    )
    igp = Script(
        net,
        {"b--d": (10.0, math.inf)},
        {"d": [(10.080, ["b--d"])], "c": [(10.100, ["b--d"])]},
        {"b": [(10.010, ["b--d"])], "d": [(10.010, ["b--d"])]},
        after=["b--d"],
    )
    run = Run(push(net, "s", ("r",)), igp)
    assert run.told()[2:] == [
        (80, "d", "c", "r"),
        (92, "c", "d", ""),  # OIF to d, which is its IIF
        (100, "c", "s", "d"),
        (112, "s", "source", "c"),
    ]
    assert run.got(112) == "r"


def test_a_branch_with_another_receiver_stays() -> None:
    """b has a receiver of its own: d's cut takes one OIF, prunes nothing."""
    run = Run(push(DIAMOND, "s", ("b", "r")), failed_diamond())
    assert run.told() == [
        (10, "b", "s", ""),
        (80, "d", "c", "r"),
        (92, "c", "s", "d"),
        (104, "s", "source", "bc"),
    ]


def test_a_router_that_fails_comes_back_empty() -> None:
    """b dies at 10 and has rebooted at 20. s sees it at 10 (branch gone, nobody left: entry gone),
    d's FIB flips at 80, and back at 11,080 when b, whose own FIB was ready at 11,000, has no state:
    d's Join makes it, at 11,091, and b's Join reaches s at 11,102."""
    names = ["b--d", "b--s"]
    igp = Script(
        DIAMOND,
        {},
        {"d": [(10.080, names), (21.080, [])], "b": [(21.0, [])]},
        {"s": [(10.010, ["b--s"]), (20.0, [])], "d": [(10.010, ["b--d"]), (20.0, [])]},
        nodes={"b": (10.0, 20.0)},
    )
    run = Run(push(DIAMOND, "s", ("r",)), igp)
    assert run.told() == [
        (0, "b", None, None),
        (10, "s", None, None),
        (80, "d", "c", "r"),
        (92, "c", "s", "d"),
        (104, "s", "source", "c"),
        (11080, "d", "b", "r"),
        (11091, "b", "s", "d"),
        (11092, "c", None, None),
        (11102, "s", "source", "bc"),
        (11104, "s", "source", "b"),
    ]


def test_a_receivers_pe_that_reboots_is_joined_again() -> None:
    """r dies and returns at 20; its receivers report 10 ms later (`igmp`), before it has a route:
    an entry that accepts from nowhere. Its FIB is ready at 11,000: a handles its Join at 11,011, s
    11 ms later."""
    igp = Script(
        CHAIN,
        {},
        {"r": [(21.0, [])]},
        {"a": [(10.010, ["a--r"]), (20.0, [])]},
        nodes={"r": (10.0, 20.0)},
    )
    run = Run(push(CHAIN, "s", ("r",)), igp)
    assert run.told() == [
        (0, "r", None, None),
        (10, "a", None, None),
        (21, "s", None, None),
        (10010, "r", "none", ""),
        (11000, "r", "a", ""),
        (11011, "a", "s", "r"),
        (11022, "s", "source", "a"),
    ]


def test_nothing_happens_where_no_route_changes() -> None:
    """The failure of a link off the tree writes nothing."""
    igp = Script(
        DIAMOND,
        {"c--s": (10.0, math.inf)},
        {"c": [(10.080, ["c--s"])]},
        {"c": [(10.010, ["c--s"])], "s": [(10.010, ["c--s"])]},
        after=["c--s"],
    )
    run = Run(push(DIAMOND, "s", ("r",)), igp)
    assert run.told() == []
    assert run.all[0].after.entries == run.plans[0][1].entries


def test_asm_transitions_are_refused() -> None:
    options = SchemeOptions(pim_sm=PimOptions(mode="asm", rp="b"))
    with pytest.raises(InfeasibleError, match="PIM ASM are not modelled; use mode: ssm"):
        Run(push(DIAMOND, "s", ("r",), schemes=options), failed_diamond())


def test_an_entry_is_what_install_makes() -> None:
    run = Run(push(DIAMOND, "s", ("r",)), failed_diamond())
    entries = run.plan_at(math.inf).entries
    fresh = run.all[0].after.entries
    assert entries == fresh
    assert all(isinstance(entry, Entry) and entry.role == "(S,G)" for entry in fresh.values())
