"""Micro-loops on one ring: whether there is one hangs on who writes its FIB first, and what becomes
of the packets in it on how long a lap is.

    s --- a      a--r fails at 10 s. a, next to it, sends what is for r back to s; until s has
    |     |      changed its own mind, s sends it to a. So they loop while a has flipped and s has
    b --- r      not, and they must not where s flips first.

Preset tuned [ms]: a sees the cut after 10, its SPF starts 50 later and runs for 5, each route takes
0.15. s has a's LSA after 5 + the delay of s--a + 5.
"""

from __future__ import annotations

import math

import pytest

from mcastplan.converge.episode import Carried, play
from mcastplan.converge.igp import LinkState
from mcastplan.converge.watch import Watch
from mcastplan.dataplane.flight import Flight
from mcastplan.evaluate.scheme import install
from mcastplan.model.failure import Failure
from mcastplan.model.scenario import Scenario
from mcastplan.model.timeline import SchemeTimeline
from mcastplan.model.timers import Timers
from mcastplan.model.topology import Topology
from mcastplan.schemes import SCHEMES
from mcastplan.study.compare import context_of
from mcastplan.study.fail import fail
from tests.networks import link, network, push

MS = 1e-3
FAILURE = Failure(10.0, ("a--r",))
# a's FIB, one route: ms after the failure.
FLIP_A = 10 + 50 + 5 + 0.15


def ring(delay_ms: float) -> Topology:
    """All links alike, metric 1: s reaches r over a, the first of two equal ways."""
    return network(*(link(x, y, delay_s=delay_ms * MS) for x, y in ("sa", "ar", "sb", "br")))


def carried(scenario: Scenario, name: str) -> Carried:
    context = context_of(scenario)
    igp = LinkState(scenario, context.routes, [FAILURE])
    (kind,) = (each for each in SCHEMES if each.name == name)
    installed = install(context, kind)
    return play(context, installed.scheme, igp, installed.plans).transfers[0]


def course(scenario: Scenario, name: str = "unicast") -> tuple[Flight, ...]:
    """Of the first flow: the one to r."""
    return carried(scenario, name).courses[0]


def looping(topology: Topology, flights: tuple[Flight, ...]) -> list[tuple[float, float]]:
    """Emission times [ms after the failure] of packets that go from s to a and back again."""
    graph = topology.graph
    s, a = graph.index["s"], graph.index["a"]
    there = {arc for arc in range(len(graph.head)) if {graph.tail[arc], graph.head[arc]} == {s, a}}
    spans: list[tuple[float, float]] = []
    for each in flights:
        if there <= set(each.copies):
            from_ms, to_ms = ((at - 10.0) / MS for at in (each.from_s, each.until_s))
            if spans and spans[-1][1] == pytest.approx(from_ms):
                from_ms = spans.pop()[0]
            spans.append((from_ms, to_ms))
    return spans


def test_packets_loop_and_get_out_late() -> None:
    """Links of 2 ms: s flips 5 + 2 + 5 = 12 after a. A packet sent t before s flips is at s again
    every 4, and leaves the loop the first time that s has flipped; then 4 over b. The first one
    that meets a after its flip was sent 2 before that, so 14 before s's: it is at s 4, 8 and 12
    later, too early, and out after 16. Those sent within 12 need three laps, within 8 two, within
    4 one. No packet is lost in the loop: it has no end that somebody misses, only late packets, the
    later ones overtaking the earlier."""
    net = ring(2)
    flights = course(push(net, "s", ("r",)))
    r = net.graph.index["r"]
    flip_s = FLIP_A + 12
    found = [
        ((each.from_s - 10.0) / MS, each.arrivals[r][1] / MS) for each in flights if each.arrivals
    ]
    before, *after = found
    assert before == (-math.inf, pytest.approx(4))
    assert after == [
        (pytest.approx(flip_s - 14), pytest.approx(16 + 4)),
        (pytest.approx(flip_s - 12), pytest.approx(12 + 4)),
        (pytest.approx(flip_s - 8), pytest.approx(8 + 4)),
        (pytest.approx(flip_s - 4), pytest.approx(4 + 4)),
        (pytest.approx(flip_s), pytest.approx(4)),
    ]
    assert looping(net, flights) == [(pytest.approx(FLIP_A - 2), pytest.approx(flip_s))]
    result = fail(push(net, "s", ("r",)), [FAILURE])
    for row in result.schemes:
        assert {loss.reason for loss in row.losses}.isdisjoint({"TTL expired"}), row.name


def test_packets_loop_until_their_ttl_ends() -> None:
    """Links of 0.01 ms: s flips 10.01 after a, a lap takes 0.02. A TTL of 255 lasts for 255 links:
    126 laps, 252 links, and 2 more over b to r. So what is sent over 252 x 0.01 = 2.52 before s
    flips is lost, from a's flip (less 0.01 of way) on: its TTL ends at s, an even number of links
    away, or, where the 127th lap got it out, at r itself. What comes after that gets out as s
    flips, all at once, and is at r 0.02 later. The outage of r now ends with s's FIB, not a's: a's
    LSA had to come to s first."""
    net = ring(0.01)
    scenario = push(net, "s", ("r",))
    flip_s = FLIP_A + 10.01
    lost_from, last_lap, lost_to = FLIP_A - 0.01, flip_s - 2.54, flip_s - 2.52

    def expired(row: SchemeTimeline) -> list[tuple[str, object, object]]:
        """(place, from, to [ms after the failure]) of packets whose TTL ends."""
        losses = [each for each in row.losses if each.reason == "TTL expired"]
        assert {each.clouds for each in losses} == {("c000-r",)}
        return [
            (each.place, (each.from_s - 10) / MS, ((each.to_s or math.inf) - 10) / MS)
            for each in losses
        ]

    assert looping(net, course(scenario)) == [(pytest.approx(lost_from), pytest.approx(flip_s))]

    result = fail(scenario, [FAILURE])
    for name in ("unicast", "ingress-replication", "sr-p2mp"):
        (row,) = (each for each in result.schemes if each.name == name)
        assert expired(row) == [
            ("s", pytest.approx(lost_from), pytest.approx(last_lap)),
            ("r", pytest.approx(last_lap), pytest.approx(lost_to)),
        ]
        (outage,) = row.transfers[0].clouds[0].outages
        assert "loop at s" in outage.where
        assert outage.where.startswith("a->r: lost on a link that is down")
        assert {stage: each / MS for stage, each in outage.stages.items()} == pytest.approx(
            {
                "detection": 10,
                "flooding": 10.01,
                "throttle": 50,
                "spf": 5,
                "fib": 0.15,
                "propagation": 0.02,
            }
        )
    (row,) = (each for each in result.schemes if each.name == "bier")
    assert expired(row) == [  # a and s write one BIFT row more
        ("s", pytest.approx(lost_from + 0.15), pytest.approx(last_lap + 0.15)),
        ("r", pytest.approx(last_lap + 0.15), pytest.approx(lost_to + 0.15)),
    ]
    (row,) = (each for each in result.schemes if each.name == "pim-sm")
    # a has no way but back to where packets come from; r joins b itself.
    assert {"TTL expired"}.isdisjoint(loss.reason for loss in row.losses)


@pytest.mark.parametrize("delay_ms", [0.01, 0.03, 0.5, 1, 2])
def test_a_sweep_sees_the_same_loops(delay_ms: float) -> None:
    scenario = push(ring(delay_ms), "s", ("r",))
    context = context_of(scenario)
    igp = LinkState(scenario, context.routes, [FAILURE])
    for kind in SCHEMES:
        ((gap,),) = carried(scenario, kind.name).gaps().values()
        installed = install(context, kind)
        longest, _ = Watch(context, installed.scheme, installed.plans).outage(igp)
        assert longest == pytest.approx(gap.to_s - gap.from_s, abs=1e-9), kind.name


#   s --- a      s--a 0.05 ms, the others 1 ms; s--b has metric 2, so a reaches b over r too, and
#   |     |      writes two routes, r and b, where s writes one
#   b --- r
TWO_ROUTES = network(
    link("s", "a", delay_s=0.05 * MS),
    link("a", "r", delay_s=1 * MS),
    link("s", "b", 2, delay_s=1 * MS),
    link("b", "r", delay_s=1 * MS),
)


@pytest.mark.parametrize(("flood_ms", "loops"), [(5, True), (0, False)])
def test_who_writes_first_decides(flood_ms: float, loops: bool) -> None:
    """After the SPFs a needs 2 x 0.15, s 0.15. With flooding of 5 a hop s begins 10.05 after a, and
    is 9.90 too late. With 0 it begins 0.05 after a and has flipped 0.10 before it: what is then on
    its way to a finds a without a route, and nothing ever comes back to s."""
    timers = Timers(flood_s=flood_ms * MS)
    scenario = push(TWO_ROUTES, "s", ("r", "b"), timers=timers)
    flights = course(scenario)
    flip_a = 10 + 50 + 5 + 0.30
    flip_s = 10 + 2 * flood_ms + 0.05 + 50 + 5 + 0.15
    spans = looping(TWO_ROUTES, flights)
    if loops:
        assert spans == [(pytest.approx(flip_a - 0.05), pytest.approx(flip_s))]
    else:
        assert flip_s < flip_a
        assert spans == []
        r = TWO_ROUTES.graph.index["r"]
        first = next(each for each in flights[1:] if r in each.arrivals)
        assert (first.from_s - 10) / MS == pytest.approx(flip_s)
        assert first.arrivals[r][1] / MS == pytest.approx(2)


@pytest.mark.parametrize("name", ["unicast", "ingress-replication", "sr-p2mp", "bier"])
def test_the_way_round_must_not_lead_back(name: str) -> None:
    """Other metrics on the same ring: with 5 on s--a and on a--r, s reaches r over b. a alone is
    next to the cut, and its packets are none of s's: nobody loops, and r misses nothing."""
    net = network(
        link("s", "a", 5, delay_s=2 * MS),
        link("a", "r", 5, delay_s=2 * MS),
        link("s", "b", delay_s=2 * MS),
        link("b", "r", delay_s=2 * MS),
    )
    found = carried(push(net, "s", ("r",)), name)
    assert looping(net, found.courses[0]) == []
    assert found.gaps() == {"c000-r": []}
