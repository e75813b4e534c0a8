"""Every outage on a chain, a ring and a diamond, from topology, delays and timers alone.

Each scheme, each preset, loss of carrier and silent failures, failure and repair. The presets'
constants in ms, written out here once more:

|              | silent D | flood F | SPF waits | SPF runs | adjacency A | after a first SPF       |
|--------------|----------|---------|-----------|----------|-------------|-------------------------|
| tuned        | 150      | 5       | 50        | 5        | 1,000       |                         |
| frr-defaults | 900      | 5       | 0         | 5        | 10,000      | the next 50 after it    |
| no-bfd       | 40,000   | 5       | 0         | 5        | 10,000      | the next 50 after it    |
| lab          | 300      | 1       | 50        | 1        | 1,200       |                         |

All alike: loss of carrier is noticed after 10; a route (an mroute, a BIFT row) is written in 0.15;
a PIM router handles a Join in 10; the SR-P2MP controller, at the root, computes in 500, a node is
programmed in 50, and so is the root's switch.

The throttle on a failure: one LSA that changes anything reaches each router: SPF after W. On a
repair two are needed, for a link counts when both ends advertise it. tuned and lab wait for 50 from
the first, and have the second by then. FRR's defaults run an SPF at the first, which finds nothing
new; the second comes while that runs, or in the hold time of 50 after it: 5 + 50 after the first.

Stages are the receiver's: it sees what happens where its packets are lost later by so much as they
would have taken from there (a link that fails loses them at its far end: there they would be by
then). The outage begins as the event shows, each stage lasts for it what it lasts in the network,
and `propagation` is the rest: the way from who ended it, less the way from the loss that was there
before.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import pytest

from mcastplan.converge.episode import play
from mcastplan.converge.igp import LinkState
from mcastplan.converge.outages import Gap, gaps
from mcastplan.dataplane.flight import Flight
from mcastplan.evaluate.scheme import install
from mcastplan.model.change import Cause
from mcastplan.model.failure import Failure
from mcastplan.model.timers import PRESETS, Preset, Timers
from mcastplan.model.topology import Topology
from mcastplan.schemes import SCHEMES
from mcastplan.study.compare import context_of
from tests.networks import link, network, push

MS = 1e-3
FAIL_S, REPAIR_S = 10.0, 200.0

Kind = Literal["carrier", "silent"]
# By the stage, [ms].
Stages = dict[str, float]


class T(NamedTuple):
    """One preset's constants [ms]."""

    silent: float
    flood: float
    wait: float
    run: float
    adjacency: float
    frr: bool

    def detect(self, kind: Kind) -> float:
        return 10 if kind == "carrier" else self.silent

    def second(self, first: float, second: float) -> float:
        """When the SPF starts that has both LSAs, which come at ``first`` and ``second``."""
        if not self.frr:
            assert second < first + self.wait
            return first + self.wait
        assert second < first + self.run + 50
        return first + self.run + 50


TIMES: dict[Preset, T] = {
    "tuned": T(150, 5, 50, 5, 1_000, frr=False),
    "frr-defaults": T(900, 5, 0, 5, 10_000, frr=True),
    "no-bfd": T(40_000, 5, 0, 5, 10_000, frr=True),
    "lab": T(300, 1, 50, 1, 1_200, frr=False),
}
WRITE, JOIN, COMPUTE, PROGRAM = 0.15, 10.0, 500.0, 50.0

presets = pytest.mark.parametrize("preset", PRESETS)
kinds = pytest.mark.parametrize("kind", ["carrier", "silent"])


class Out(NamedTuple):
    """One outage [ms]: its begin after the failure (or after the full adjacency), and its stages
    in order, which sum to its length; none: it does not end."""

    begin: float
    stages: Stages


def outages(
    topology: Topology, receivers: tuple[str, ...], failure: Failure, preset: Preset, since_s: float
) -> dict[str, dict[str, list[Out]]]:
    """By scheme and receiving node; s sends."""
    scenario = push(topology, "s", receivers, timers=Timers.of(preset))
    context = context_of(scenario)
    igp = LinkState(scenario, context.routes, [failure])
    found: dict[str, dict[str, list[Out]]] = {}
    for kind in SCHEMES:
        installed = install(context, kind)
        (carried,) = play(context, installed.scheme, igp, installed.plans).transfers
        found[kind.name] = {
            cloud.partition("-")[2]: [
                told(gap, since_s) for gap in gaps if gap.from_s > since_s - 0.5 * MS
            ]
            for cloud, gaps in carried.gaps().items()
        }
    return found


def told(gap: Gap, since_s: float) -> Out:
    if gap.to_s < math.inf:
        assert sum(gap.stages.values()) == pytest.approx(gap.to_s - gap.from_s, abs=1e-9)
    return Out((gap.from_s - since_s) / MS, {name: each / MS for name, each in gap.stages.items()})


def same(found: list[Out], *expected: Out) -> None:
    """To 1e-9 s, stage by stage in order; a stage of no time is not there."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        wanted = {name: each for name, each in other.stages.items() if each}
        assert list(one.stages) == list(wanted)
        assert one.stages == pytest.approx(wanted, abs=1e-6)
        assert one.begin == pytest.approx(other.begin, abs=1e-6)


FIB_SCHEMES = ("unicast", "ingress-replication")


#   s --- a --- r      1 ms each
CHAIN = network(link("s", "a", delay_s=1 * MS), link("a", "r", delay_s=1 * MS))


@presets
@kinds
def test_chain_without_another_way(preset: Preset, kind: Kind) -> None:
    """a--r fails for good. A packet that enters it 1 before comes to r at 0: the next is missed,
    and nothing ends that, whatever the scheme."""
    failure = Failure(FAIL_S, ("a--r",), kind=kind)
    for name, found in outages(CHAIN, ("r",), failure, preset, FAIL_S).items():
        assert found == {"r": [Out(pytest.approx(0, abs=1e-6), {})]}, name


@presets
@kinds
def test_chain_repaired(preset: Preset, kind: Kind) -> None:
    """a--r is up again at 200 s, its adjacency A later: call that 0.

    LSAs that say "up" leave a and r at F. r's is at a at F + 1 + F. What r said when the link
    failed crosses only at 0: so a and r hold the link for down until the other's new LSA is there.
    At s: r's old one at 1 + F, a's new one at F + 1 + F, r's new one at (F + 1 + F) + 1 + F; then
    the link counts. s is last: one route, r.

    - unicast, ingress replication: s flips, 2 of way.
    - BIER: one BIFT row more.
    - PIM: r flips first, its first LSA is its own view at 0 and the second a's at F + 1 + F. It
      sends a Join to a, which sends one to s: 1 + 10 each. s's route to r is not asked.
    - SR-P2MP: the controller hears at s what makes the link count, and that r is there again: to
      compute, 1 + 1 + 50 to program r, 2 back, 50 for the root. s has flipped by then.
    """
    t = TIMES[preset]
    failure = Failure(FAIL_S, ("a--r",), kind=kind, up_at_s=REPAIR_S)
    found = outages(CHAIN, ("r",), failure, preset, FAIL_S)
    before = {"down": (REPAIR_S - FAIL_S) / MS, "adjacency": t.adjacency}
    news = 2 * t.flood + 1
    heard = news + 1 + t.flood
    spf = t.second(1 + t.flood, heard)
    flipped = {"flooding": heard, "throttle": spf - heard, "spf": t.run, "fib": WRITE}
    for name in FIB_SCHEMES:
        same(found[name]["r"], Out(0, {**before, **flipped, "propagation": 2}))
    same(found["bier"]["r"], Out(0, {**before, **flipped, "bift": WRITE, "propagation": 2}))
    spf = t.second(0, news)
    joined = {"flooding": news, "throttle": spf - news, "spf": t.run, "fib": WRITE, "join": 2 * 11}
    same(found["pim-sm"]["r"], Out(0, {**before, **joined, "propagation": 2}))
    moved = {"flooding": heard, "compute": COMPUTE, "program": PROGRAM + 2 * 2, "switch": PROGRAM}
    same(found["sr-p2mp"]["r"], Out(0, {**before, **moved, "propagation": 2}))


#   s --- a        s--a and a--r: 2 ms; s--b and b--r: 3 ms; metric 1 each: s reaches r over a, the
#   |     |        first of two equal ways
#   b --- r
RING = network(
    link("s", "a", delay_s=2 * MS),
    link("a", "r", delay_s=2 * MS),
    link("s", "b", delay_s=3 * MS),
    link("b", "r", delay_s=3 * MS),
)


@presets
@kinds
def test_ring_with_a_micro_loop(preset: Preset, kind: Kind) -> None:
    """a--r fails: r misses what is due at 0. a notices after D and flips D + W + R + 0.15 after the
    failure, r is then over s. s has a's LSA F + 2 + F later than a, and flips as much later: until
    then it sends packets back to a.

    - unicast, ingress replication, SR-P2MP (a SID, one branch from s to r): the first packet that
      is not lost is at a as a flips. It is back at s 2 later, at s again each 4 later, and leaves
      the loop when s has flipped: 12 after a with F = 5, so after 14; 4 with F = 1, so after 6.
      Then 6 over b. Nobody waits for s: what ends the outage is a's FIB.
    - BIER: the same, one row later at both.
    - PIM: r has seen it itself, and flips when a does; its Join takes 3 + 10 to b and 3 + 10 to s.
      The first packet then takes 6. s--r over b has never been in a loop.
    """
    t = TIMES[preset]
    failure = Failure(FAIL_S, ("a--r",), kind=kind)
    found = outages(RING, ("r",), failure, preset, FAIL_S)
    own = {"detection": t.detect(kind), "throttle": t.wait, "spf": t.run, "fib": WRITE}
    looped = 14 if t.flood == 5 else 6
    for name in (*FIB_SCHEMES, "sr-p2mp"):
        same(found[name]["r"], Out(0, {**own, "propagation": looped + 6}))
    same(found["bier"]["r"], Out(0, {**own, "bift": WRITE, "propagation": looped + 6}))
    same(found["pim-sm"]["r"], Out(0, {**own, "join": 2 * (3 + JOIN), "propagation": 6}))


@presets
@kinds
def test_ring_without_a_micro_loop(preset: Preset, kind: Kind) -> None:
    """s--a fails: s sees it itself, and b's way to r is the link between them. A packet that enters
    s--a 2 before the failure would be at a at 0, and 2 later at r: r misses what is due then, and
    what happens at t shows there at t + 2.

    - unicast, ingress replication, SR-P2MP: s flips D + W + R + 0.15 after the failure; 6 of
      way are 4 more than the 2 from a.
    - BIER: one row later.
    - PIM: r has a's LSA at F + 2 + F after D; its Join takes 3 + 10 to b, 3 + 10 to s, from where
      the way is 6.
    """
    t = TIMES[preset]
    failure = Failure(FAIL_S, ("a--s",), kind=kind)
    found = outages(RING, ("r",), failure, preset, FAIL_S)
    own = {"detection": t.detect(kind), "throttle": t.wait, "spf": t.run, "fib": WRITE}
    longer = 6 - 2
    for name in (*FIB_SCHEMES, "sr-p2mp"):
        same(found[name]["r"], Out(2, {**own, "propagation": longer}))
    same(found["bier"]["r"], Out(2, {**own, "bift": WRITE, "propagation": longer}))
    joined = {
        "detection": t.detect(kind),
        "flooding": 2 * t.flood + 2,
        "throttle": t.wait,
        "spf": t.run,
        "fib": WRITE,
        "join": 2 * (3 + JOIN),
    }
    same(found["pim-sm"]["r"], Out(2, {**joined, "propagation": longer}))


@presets
@pytest.mark.parametrize("failed", ["a--r", "a--s"])
def test_ring_repaired(preset: Preset, failed: str) -> None:
    """Up at 200 s, the adjacency A later. Nobody loses anything where s alone decides: packets
    still on the way over b arrive, b sends them to r all the time, and a's way to r is the link
    between them before s can have heard.

    PIM alone: r's IIF moves to a as r flips, and r misses what is due then. Its Join: 2 + 10 to a,
    2 + 10 to s; the first packet over a takes 4. With a--s repaired a sends its Join to s at once,
    for it has flipped before r.
    """
    failure = Failure(FAIL_S, (failed,), up_at_s=REPAIR_S)
    t = TIMES[preset]
    full_s = REPAIR_S + t.adjacency * MS
    found = outages(RING, ("r",), failure, preset, full_s)
    for name in (*FIB_SCHEMES, "sr-p2mp", "bier"):
        assert found[name] == {"r": []}, name
    # a--r: r's own view at 0, a's LSA at F + 2 + F.  a--s: a's LSA at F + 2 + F, s's over a or b:
    # (F + 2 + F) + 2 + F or F + 3 + F + 3 + F, the first.
    news = 2 * t.flood + 2
    first, second = (0.0, news) if failed == "a--r" else (news, news + 2 + t.flood)
    flip = t.second(first, second) + t.run + WRITE
    same(found["pim-sm"]["r"], Out(flip, {"join": 2 * (2 + JOIN), "propagation": 4}))


#       b          s-b: metric 1, 1 ms; b-d: metric 1, 2 ms
#     /   \   e
#   s       d      d-e and d-f: metric 1, 1 ms
#     \   /   f
#       c          s-c: metric 2, 2 ms; c-d: metric 2, 3 ms
DIAMOND = network(
    link("s", "b", delay_s=1 * MS),
    link("b", "d", delay_s=2 * MS),
    link("s", "c", 2, delay_s=2 * MS),
    link("c", "d", 2, delay_s=3 * MS),
    link("d", "e", delay_s=1 * MS),
    link("d", "f", delay_s=1 * MS),
)


@presets
@kinds
def test_diamond_link(preset: Preset, kind: Kind) -> None:
    """s--b fails; e and f receive over d. A packet that enters s--b 1 before the failure would be
    at b at 0, and at e and f at 3: they miss what is due then, and see all that happens 3 later.

    - unicast, ingress replication: s sees it itself and writes two routes, e and f. The way over c
      is 6, 3 more than from b.
    - SR-P2MP: s's branch goes to the SID of d, which heals with s's routes; the controller's new
      tree has the same segments, and nothing else happens.
    - BIER: two rows later.
    - PIM: d has b's LSA at F + 2 + F after D and writes one route, s. Its Join: 3 + 10 to c, and
      2 + 10 to s, from where the way is 6.
    """
    t = TIMES[preset]
    failure = Failure(FAIL_S, ("b--s",), kind=kind)
    found = outages(DIAMOND, ("e", "f"), failure, preset, FAIL_S)
    seen = {"detection": t.detect(kind)}
    own = {**seen, "throttle": t.wait, "spf": t.run, "fib": 2 * WRITE}
    joined = {
        **seen,
        "flooding": 2 * t.flood + 2,
        "throttle": t.wait,
        "spf": t.run,
        "fib": WRITE,
        "join": 5 + 2 * JOIN,
    }
    longer = 6 - 3
    for receiver in "ef":
        for name in (*FIB_SCHEMES, "sr-p2mp"):
            same(found[name][receiver], Out(3, {**own, "propagation": longer}))
        same(found["bier"][receiver], Out(3, {**own, "bift": 2 * WRITE, "propagation": longer}))
        same(found["pim-sm"][receiver], Out(3, {**joined, "propagation": longer}))


@presets
def test_diamond_link_repaired(preset: Preset) -> None:
    """s--b is up again: only PIM stops for it. d has b's LSA at F + 2 + F, and s's over b at
    (F + 1 + F) + 2 + F. As it flips, its IIF leaves c, and e, 1 away, misses what is due 1 later.
    The Join is handled at b 2 + 10 after the flip (b has flipped: its LSAs were there 2 + F before
    d's), and at s 1 + 10 after that; from s the way is 4, 3 more than from d, where packets were
    lost."""
    t = TIMES[preset]
    failure = Failure(FAIL_S, ("b--s",), up_at_s=REPAIR_S)
    found = outages(DIAMOND, ("e", "f"), failure, preset, REPAIR_S + t.adjacency * MS)
    flip = t.second(2 * t.flood + 2, 3 * t.flood + 3) + t.run + WRITE
    for receiver in "ef":
        for name in (*FIB_SCHEMES, "sr-p2mp", "bier"):
            assert found[name][receiver] == []
        joined = {"join": 3 + 2 * JOIN, "propagation": 4 - 1}
        same(found["pim-sm"][receiver], Out(flip + 1, joined))


@presets
@kinds
def test_diamond_replication_node(preset: Preset, kind: Kind) -> None:
    """b receives too, so it is a bud of the SR-P2MP tree: s sends to the SID of b, and b to that of
    d. b fails; d misses what is due at 0, for the link to it is down too.

    - unicast, ingress replication: s flips D + W + R + 0.15 x 2 after the failure (its routes to b
      and to d). The way to b over c and d is what d's routes still say: not d's concern. 5 over c.
    - BIER: two rows later.
    - PIM: d sees it itself; it writes two routes, s and b. Its Join: 3 + 10 to c, 2 + 10 to s.
    - SR-P2MP: no SID heals a node. The controller begins as s sees s--b go. It knows of nothing
      else, so that its tree goes to b over d, where nobody acknowledges. d's LSA, at s after
      F + 3 + F + 2 + F, waits for that to end. The second computation leaves b out: 500, then d is
      programmed at 5 + 50, its acknowledgement takes 5, the root's switch 50.
    """
    t = TIMES[preset]
    failure = Failure(FAIL_S, nodes=("b",), kind=kind)
    found = outages(DIAMOND, ("b", "d"), failure, preset, FAIL_S)
    own = {"detection": t.detect(kind), "throttle": t.wait, "spf": t.run, "fib": 2 * WRITE}
    for name in FIB_SCHEMES:
        same(found[name]["d"], Out(0, {**own, "propagation": 5}))
    same(found["bier"]["d"], Out(0, {**own, "bift": 2 * WRITE, "propagation": 5}))
    same(found["pim-sm"]["d"], Out(0, {**own, "join": 5 + 2 * JOIN, "propagation": 5}))
    heard = 3 * t.flood + 5
    waited = {
        "detection": t.detect(kind),
        "flooding": heard,
        "compute": 2 * COMPUTE - heard,
        "program": PROGRAM + 2 * 5,
        "switch": PROGRAM,
    }
    same(found["sr-p2mp"]["d"], Out(0, {**waited, "propagation": 5}))
    for name in found:
        # Its own link is down at the same instant: what is on it is lost.
        assert found[name]["b"] == [Out(pytest.approx(0, abs=1e-6), {})], name


#   s --- d --- near     s--d: metric 1, 1 ms; d--near: 1 ms; d--far: 100 ms
#    \   /  \
#      c     far         s--c: metric 2, 2 ms; c--d: metric 2, 3 ms
DISTANCES = network(
    link("s", "d", delay_s=1 * MS),
    link("s", "c", 2, delay_s=2 * MS),
    link("c", "d", 2, delay_s=3 * MS),
    link("d", "near", delay_s=1 * MS),
    link("d", "far", delay_s=100 * MS),
)


@presets
@kinds
def test_the_stages_do_not_depend_on_the_way_behind_the_loss(preset: Preset, kind: Kind) -> None:
    """s--d fails. What was on it would be at d at 0, so near misses what is due at 1 and far what
    is due at 100: with loss of carrier some schemes have healed by then. Both miss the same
    packets, and get the first one afterwards 1 and 100 after it passes d: one outage, 99 apart.

    - unicast, ingress replication, SR-P2MP: s writes two routes; 5 over c to d.
    - BIER: two rows later.
    - PIM: d sees it itself and writes one route; its Join: 3 + 10 to c, 2 + 10 to s.
    """
    t = TIMES[preset]
    failure = Failure(FAIL_S, ("d--s",), kind=kind)
    found = outages(DISTANCES, ("far", "near"), failure, preset, FAIL_S)
    seen = {"detection": t.detect(kind), "throttle": t.wait, "spf": t.run}
    own = {**seen, "fib": 2 * WRITE}
    for receiver, begin in (("near", 1), ("far", 100)):
        for name in (*FIB_SCHEMES, "sr-p2mp"):
            same(found[name][receiver], Out(begin, {**own, "propagation": 5}))
        same(found["bier"][receiver], Out(begin, {**own, "bift": 2 * WRITE, "propagation": 5}))
        joined = {**seen, "fib": WRITE, "join": 5 + 2 * JOIN, "propagation": 5}
        same(found["pim-sm"][receiver], Out(begin, joined))


#   s --- b        s--b: 1 ms, b--r: 40 ms; metric 1 each
#   |     |
#   c --- r        s--c and c--r: 1 ms; metric 2 each
SHORTER = network(
    link("s", "b", delay_s=1 * MS),
    link("b", "r", delay_s=40 * MS),
    link("s", "c", 2, delay_s=1 * MS),
    link("c", "r", 2, delay_s=1 * MS),
)


def test_a_shorter_way_afterwards_takes_from_the_last_stages() -> None:
    """s--b fails, carrier, tuned. What was on it would be at b at 0 and at r at 40. s flips at
    10 + 50 + 5 + 0.15 = 65.15, and over c the first packet is at r 2 later: the outage is
    67.15 - 40 = 27.15. All shows 40 later, so that of the chain only the first 27.15 do:
    detection and 17.15 of the throttle's 50, and no propagation."""
    found = outages(SHORTER, ("r",), Failure(FAIL_S, ("b--s",)), "tuned", FAIL_S)
    for name in (*FIB_SCHEMES, "sr-p2mp"):
        same(found[name]["r"], Out(40, {"detection": 10, "throttle": 17.15}))


def flight(from_s: float, until_s: float, delay_s: float | None) -> Flight:
    """One receiver, 7; what ends it happens there (or, of a lost packet, at the origin)."""
    arrivals = {} if delay_s is None else {7: (1, delay_s)}
    return Flight(from_s, until_s, Cause("fib", until_s + (delay_s or 0)), arrivals, {}, {}, ())


@pytest.mark.parametrize("end_s", [3, 3.5, math.inf])
def test_outages_of_one_receiver_do_not_overlap(end_s: float) -> None:
    """The way is 1 s, for a while 5 s. Packets of [0, 1) are lost: 1 is due and missed, and what
    leaves at 1 takes the detour and comes at 6. What leaves in [2, end) is lost again: it was due
    at 3, when the receiver still waits for the detour's first. That ends at 6; what leaves at 3 or
    3.5 comes before, so that the second outage takes no time. Without an end it lasts from 6 on."""
    course = [flight(-math.inf, 0, 1), flight(0, 1, None), flight(1, 1.5, 5), flight(1.5, 2, 1)]
    course.append(flight(2, end_s, None))
    if end_s < math.inf:
        course.append(flight(end_s, math.inf, 1))
    second = (6, 6) if end_s < math.inf else (6, math.inf)
    assert [(gap.from_s, gap.to_s) for gap in gaps(course, 7)] == [(1, 6), second]


@presets
def test_the_stages_of_who_waits_longest(preset: Preset) -> None:
    """The claim that BIER converges faster than SR-P2MP, as this model has it: for a link they are
    two BIFT rows apart, for a replication node over a second."""
    link_cut = outages(DIAMOND, ("e", "f"), Failure(FAIL_S, ("b--s",)), preset, FAIL_S)
    length = {name: sum(each["e"][0].stages.values()) for name, each in link_cut.items()}
    assert length["bier"] - length["sr-p2mp"] == pytest.approx(2 * WRITE)
    node_cut = outages(DIAMOND, ("b", "d"), Failure(FAIL_S, nodes=("b",)), preset, FAIL_S)
    length = {name: sum(each["d"][0].stages.values()) for name, each in node_cut.items()}
    t = TIMES[preset]
    fib = t.wait + t.run + 4 * WRITE
    assert length["sr-p2mp"] - length["bier"] == pytest.approx(2 * COMPUTE + 2 * PROGRAM + 10 - fib)
