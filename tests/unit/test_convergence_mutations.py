"""What each rule of convergence is good for: without it, a number that is derived here changes.

Every test plays an episode with the code as it is, turns one rule off, and plays it again.
Preset tuned [ms]: carrier seen after 10, SPF 50 later, which runs for 5; 0.15 a route; LSAs 5 to
originate and 5 a hop beside the delay; a Join 10 a hop; compute 500, program 50.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

import mcastplan.dataplane.step as stepping
import mcastplan.schemes.bift as bifts
from mcastplan.converge.episode import Carried, play
from mcastplan.converge.igp import LinkState
from mcastplan.dataplane.walk import walk_plan, walk_tables
from mcastplan.evaluate.scheme import install
from mcastplan.model.change import Cause, Update
from mcastplan.model.failure import Failure
from mcastplan.model.plan import Hop
from mcastplan.model.scenario import PimOptions, Scenario, SchemeOptions
from mcastplan.model.topology import Node, Topology
from mcastplan.schemes import SCHEMES
from mcastplan.schemes.pim_state import Mroutes
from mcastplan.schemes.sr_controller import Controller
from mcastplan.study.compare import context_of
from tests.networks import link, network, push

MS = 1e-3
Patch = pytest.MonkeyPatch

#       b          s-b and b-d: metric 1, 1 ms
#     /   \
#   s       d - r  d-r: metric 1, 1 ms
#     \   /
#       c          s-c and c-d: metric 2, 2 ms
DIAMOND = network(
    link("s", "b", delay_s=1 * MS),
    link("b", "d", delay_s=1 * MS),
    link("s", "c", 2, delay_s=2 * MS),
    link("c", "d", 2, delay_s=2 * MS),
    link("d", "r", delay_s=1 * MS),
)


def carried(scenario: Scenario, name: str, failure: Failure) -> Carried:
    context = context_of(scenario)
    igp = LinkState(scenario, context.routes, [failure])
    (kind,) = (each for each in SCHEMES if each.name == name)
    installed = install(context, kind)
    return play(context, installed.scheme, igp, installed.plans).transfers[0]


def lengths(found: Carried) -> dict[str, list[float]]:
    """Lengths of each receiver's outages in the order of time [ms]."""
    return {
        cloud.partition("-")[2]: [round((gap.to_s - gap.from_s) / MS, 6) for gap in gaps]
        for cloud, gaps in found.gaps().items()
    }


def repaired_pim() -> list[float]:
    """b--d fails and is up 10 s later; outages of r under PIM."""
    failure = Failure(10.0, ("b--d",), up_at_s=20.0)
    return lengths(carried(push(DIAMOND, "s", ("r",)), "pim-sm", failure))["r"]


def no_rpf_check(patch: Patch) -> None:
    look_up = stepping._look_up

    def anywhere(plan: Any, routes: Any, node: Node, arrived: Any, key: Any) -> Hop:
        return look_up(plan, routes, node, None, key)

    patch.setattr(stepping, "_look_up", anywhere)


def test_rpf_check_on_repair(monkeypatch: Patch) -> None:
    """d's IIF leaves c as d flips, and b's branch opens 1 + 10 and 1 + 10 later, at s: 22, and 2 of
    way to d. In between d drops what still comes over c: 24 without packets.
    Without the check d takes that, until c has handled d's Prune, 2 + 10 after the flip. s sent the
    last of it 2 before, so it has gone for 22 - 10 = 12 when b's branch opens, and the new way is 2
    shorter: 10."""
    assert repaired_pim()[1] == pytest.approx(24)
    no_rpf_check(monkeypatch)
    assert repaired_pim()[1] == pytest.approx(10)


def test_rpf_check_of_a_spare(monkeypatch: Patch) -> None:
    """MoFRR: d gets every packet over b and over c all the time, and takes one."""
    scenario = push(DIAMOND, "s", ("r",), schemes=SchemeOptions(pim_sm=PimOptions(mofrr=True)))

    def most() -> int:
        (course,) = carried(scenario, "pim-sm", Failure(10.0, ("b--d",))).courses
        r = DIAMOND.node("r")
        return max(
            copies for each in course for node, (copies, _) in each.arrivals.items() if node == r
        )

    assert most() == 1
    no_rpf_check(monkeypatch)
    assert most() == 2


def test_iif_first(monkeypatch: Patch) -> None:
    """The IIF moves at once, its Join is answered 22 later at s, the first packet is at d after 24.
    Were it to move only then, d would take what comes over c till c has been pruned (as above)."""
    assert repaired_pim()[1] == pytest.approx(24)
    show = Mroutes.show

    def late(self: Mroutes, node: Node, place: int, cause: Cause, at_s: float) -> None:
        if cause.stage == "fib":
            at_s += 24 * MS
        show(self, node, place, cause, at_s)

    monkeypatch.setattr(Mroutes, "show", late)
    assert repaired_pim()[1] == pytest.approx(10)


#   s - a - b - x      all links alike
#           |
#           y
COMB = network(link("s", "a"), link("a", "b"), link("b", "x"), link("b", "y"))


def test_f_bm_is_cleared(monkeypatch: Patch) -> None:
    """RFC 8279 section 6.5: the copy for x carries y's bit too, and both are then taken out of the
    packet. Were only x's bit taken out, s would send a a copy for each of two bits, and a two of
    each of these to b: x and y get four."""
    scenario = push(COMB, "s", ("x", "y"))
    context = context_of(scenario)
    (kind,) = (each for each in SCHEMES if each.name == "bier")
    installed = install(context, kind)
    scheme, plans = installed.scheme, installed.plans

    def delivered() -> dict[str, int]:
        tables = {node: scheme.table(context.routes, plans, node) for node in range(5)}
        ((each, plan),) = plans
        found = walk_tables(COMB.graph, tables.__getitem__, each.origin, plan.flows[0])
        return {COMB.graph.names[node]: copies for node, copies in found.delivered.items()}

    assert delivered() == {"x": 1, "y": 1}

    def one_bit(rows: Mapping[int, bifts.BiftRow], packet: bifts.BierPacket) -> Hop:
        out, here = [], 0
        for bit, row in rows.items():
            if packet.bits & 1 << (bit - 1):
                if row.arc is None:
                    here += 1
                else:
                    kept = msgspec.structs.replace(packet, bits=packet.bits & row.f_bm)
                    out.append((row.arc, kept))
        return Hop(tuple(out), here, ())

    monkeypatch.setattr(bifts, "forward_bits", one_bit)
    assert delivered() == {"x": 4, "y": 4}


def test_a_copy_carries_only_its_own_receivers(monkeypatch: Patch) -> None:
    """The same rule on the plan (packet & F-BM): b's copy to x must not name y, or x would send y
    another one."""
    scenario = push(COMB, "s", ("x", "y"))
    context = context_of(scenario)
    (kind,) = (each for each in SCHEMES if each.name == "bier")
    ((_, plan),) = install(context, kind).plans
    x, y = COMB.node("x"), COMB.node("y")
    assert walk_plan(plan, context.routes, plan.flows[0]).delivered == {x: 1, y: 1}
    monkeypatch.setattr(stepping, "_part", lambda packet, dests: packet)
    found = walk_plan(plan, context.routes, plan.flows[0]).delivered
    assert found[x] > 1
    assert found[y] > 1


#      2       2       2
#  s ----- x ----- y ----- z      s - y: 3, s - z: 7; metric = ms
#
# The tree of least cost is s-x-y-z; all three receive. y--z fails: y's copies for z go back over s
# (4 + 3 + 7 = 14 under way) until the controller has moved to s-x-y and s-z.
CORD = network(
    *(
        link(a, b, metric, delay_s=metric * MS)
        for a, b, metric in (
            ("s", "x", 2),
            ("x", "y", 2),
            ("y", "z", 2),
            ("s", "y", 3),
            ("s", "z", 7),
        )
    )
)


def lost_in_the_move() -> dict[str, list[float]]:
    """ms of packets, by emission time, that each receiver lost after the IGP had healed the cut."""
    found = carried(push(CORD, "s", ("x", "y", "z")), "sr-p2mp", Failure(10.0, ("y--z",)))
    return {
        cloud.partition("-")[2]: [
            round((gap.sent_to_s - gap.sent_from_s) / MS, 6)
            for gap in gaps
            if gap.sent_from_s > 10.4
        ]
        for cloud, gaps in found.gaps().items()
    }


def test_the_old_tree_is_kept(monkeypatch: Patch) -> None:
    """Without the hold, what is on its way when the root switches finds no state: x is 2 away, y 4,
    z 14."""
    assert lost_in_the_move() == {"x": [], "y": [], "z": []}
    remove = Controller._remove

    def at_once(self: Controller, cause: Cause, key: Any, nodes: Any) -> None:
        if cause.stage == "hold":
            assert cause.before is not None
            cause = cause.before
        remove(self, cause, key, nodes)

    monkeypatch.setattr(Controller, "_remove", at_once)
    assert lost_in_the_move() == {"x": [2], "y": [4], "z": [14]}


def test_the_new_tree_is_made_first(monkeypatch: Patch) -> None:
    """Were the root to switch the moment the tree is computed, its own segment of the new instance
    would still be 50 away, those of x and y as much later as packets take to them (what is sent by
    then passes), and z's too: everybody loses 50."""
    assert lost_in_the_move() == {"x": [], "y": [], "z": []}
    placed = Controller._placed

    def unasked(
        self: Controller, done: Any, nodes: Sequence[Node]
    ) -> tuple[dict[Node, float], float]:
        return placed(self, done, nodes)[0], done.end_s - self._timers.program_s

    monkeypatch.setattr(Controller, "_placed", unasked)
    assert lost_in_the_move() == {"x": [50], "y": [50], "z": [50]}


#   s --- a      2 ms each, metric 1: s reaches r over a; a--r fails
#   |     |
#   b --- r
RING = network(*(link(x, y, delay_s=2 * MS) for x, y in ("sa", "ar", "sb", "br")))
CUT = Failure(10.0, ("a--r",))


def looping(topology: Topology, name: str) -> list[tuple[float, float]]:
    """Emission times [ms after the failure] of packets that go from s to a and back."""
    graph, spans = topology.graph, list[tuple[float, float]]()
    ends = {graph.index["s"], graph.index["a"]}
    there = {arc for arc in range(len(graph.head)) if {graph.tail[arc], graph.head[arc]} == ends}
    for each in carried(push(topology, "s", ("r",)), name, CUT).courses[0]:
        if there <= set(each.copies):
            spans.append(((each.from_s - 10) / MS, (each.until_s - 10) / MS))
    return [(spans[0][0], spans[-1][1])] if spans else []


@pytest.mark.parametrize("a_ms", [80.0, 90.0])
def test_routers_flip_in_the_order_of_their_news(monkeypatch: Patch, a_ms: float) -> None:
    """a flips at 10 + 50 + 5 + 0.15 = 65.15, s 5 + 2 + 5 = 12 later: a loop for what s sends from 2
    before a's flip to its own. If all flipped at one instant (80) only what is on its way to a then
    would turn back, once: the last 2; if s flipped before a (80, 90), nothing."""
    assert looping(RING, "unicast") == [(pytest.approx(63.15), pytest.approx(77.15))]
    flips = LinkState.flips

    def otherwise(self: LinkState, node: Node) -> list[Update]:
        at_ms = a_ms if self.graph.names[node] == "a" else 80.0
        return [
            msgspec.structs.replace(each, at_s=10 + at_ms * MS)
            if each.cause.stage == "fib"
            else each
            for each in flips(self, node)
        ]

    monkeypatch.setattr(LinkState, "flips", otherwise)
    turned = [(pytest.approx(78), pytest.approx(80))] if a_ms == 80 else []
    assert looping(RING, "unicast") == turned


def test_the_bift_is_written_after_the_fib(monkeypatch: Patch) -> None:
    """b--d fails with r and d receiving: b writes two routes, then two BIFT rows. What is at b as
    it flips gets back to s, and over c when s has flipped; s--b and b--d are 1 ms, so that the
    loop of BIER is that of tunnels, 0.30 later. Without rows to write they are the same."""
    scenario = push(DIAMOND, "s", ("r", "d"))
    cut = Failure(10.0, ("b--d",))

    def difference() -> float:
        tunnels = lengths(carried(scenario, "ingress-replication", cut))
        bier = lengths(carried(scenario, "bier", cut))
        assert len(bier["r"]) == len(tunnels["r"]) == 1
        return bier["r"][0] - tunnels["r"][0]

    assert difference() == pytest.approx(0.30)
    monkeypatch.setattr(LinkState, "rewritten", lambda *_: 0)
    assert difference() == pytest.approx(0)


def test_one_spf_s_routes_are_written_after_the_other_s(monkeypatch: Patch) -> None:
    """The stages of an outage end in order: detection, throttle, SPF, FIB. If routes were in the
    FIB as the SPF begins, 5 for its run and 0.15 a route would be missing at a."""
    assert lengths(carried(push(RING, "s", ("r",)), "unicast", CUT))["r"][0] == pytest.approx(
        65.15 + 14 + 4
    )
    from mcastplan.converge.fib import Fib, Spf

    def unwritten(self: Fib, routes: Any, spfs: Sequence[Spf]) -> list[Any]:
        return [(spf.start_s, 2, spf, spf.cause) for spf in spfs]

    monkeypatch.setattr(Fib, "_written", unwritten)
    found = lengths(carried(push(RING, "s", ("r",)), "unicast", CUT))["r"][0]
    assert found == pytest.approx(60 + 14 + 4)
    assert math.isfinite(found)
