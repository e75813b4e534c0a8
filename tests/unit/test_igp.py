"""The IGP through failures: each instant derived by hand.

Every link of 1 ms. The presets' constants, written out here once more:

|              | carrier | silent | flood | SPF after an event          | SPF  | write   |
|--------------|---------|--------|-------|-----------------------------|------|---------|
| tuned        | 10 ms   | 150 ms | 5 ms  | 50 ms (RFC 8405, QUIET)     | 5 ms | 0.15 ms |
| frr-defaults | 10 ms   | 900 ms | 5 ms  | 0 (then 50 ms hold)         | 5 ms | 0.15 ms |
| no-bfd       | 10 ms   | 40 s   | 5 ms  | 0 (then 50 ms hold)         | 5 ms | 0.15 ms |
| lab          | 10 ms   | 300 ms | 1 ms  | 50 ms (then 200 ms hold)    | 1 ms | 0.15 ms |
"""

from __future__ import annotations

import math
from typing import Any, Literal

import pytest

from mcastplan.converge.igp import LinkState
from mcastplan.model.change import Cause, Update
from mcastplan.model.failure import Failure
from mcastplan.model.timers import PRESETS, Preset, Timers
from mcastplan.model.topology import Link
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import link, network, push

MS = 0.001
FLOOD = {"tuned": 5 * MS, "frr-defaults": 5 * MS, "no-bfd": 5 * MS, "lab": 1 * MS}
WAIT = {"tuned": 50 * MS, "frr-defaults": 0.0, "no-bfd": 0.0, "lab": 50 * MS}
RUN = {"tuned": 5 * MS, "frr-defaults": 5 * MS, "no-bfd": 5 * MS, "lab": 1 * MS}
SILENT = {"tuned": 150 * MS, "frr-defaults": 900 * MS, "no-bfd": 40.0, "lab": 300 * MS}
ADJACENCY = {"tuned": 1.0, "frr-defaults": 10.0, "no-bfd": 10.0, "lab": 1.2}
WRITE = 0.15 * MS


def line(a: str, b: str, metric: int = 1) -> Link:
    return link(a, b, metric, delay_s=1 * MS)


CHAIN = (line("a", "b"), line("b", "c"), line("c", "d"))
RING = (line("a", "b"), line("b", "c"), line("c", "d"), line("a", "d"))
DIAMOND = (line("s", "u"), line("s", "v"), line("t", "u"), line("t", "v", 2))
STAR = (line("h", "x"), line("h", "y"), line("h", "z"))


class Seen:
    """An episode by node names. Every node has a cloud, the first one the origin."""

    def __init__(
        self,
        links: tuple[Link, ...],
        *failures: Failure,
        preset: Preset = "tuned",
        protection: Literal["none", "lfa", "ti-lfa"] = "none",
        **overrides: Any,
    ) -> None:
        topology = network(*links)
        names = [node.name for node in topology.nodes]
        scenario = push(
            topology,
            names[0],
            tuple(names[1:]),
            timers=Timers.of(preset, **overrides),
            protection=protection,
        )
        self.graph = topology.graph
        self.ids = [each.id for each in topology.links]
        self.igp = LinkState(scenario, IgpRoutes(topology.graph), failures)

    def flips(self, name: str, stage: str = "fib") -> list[float]:
        return [each.at_s for each in self.updates(name) if each.cause.stage == stage]

    def updates(self, name: str) -> list[Update]:
        return list(self.igp.flips(self.graph.index[name]))

    def chain(self, name: str, place: int = -1) -> list[tuple[str, float]]:
        cause: Cause | None = self.updates(name)[place].cause
        found = []
        while cause is not None:
            found.append((cause.stage, cause.until_s))
            cause = cause.before
        return found[::-1]

    def heard(self, name: str) -> list[tuple[Any, set[str]]]:
        """(when, ids of the links that are down)."""
        return [
            (each.at_s, {self.ids[arc >> 1] for arc in each.down})
            for each in self.igp.heard(self.graph.index[name])
        ]

    def own(self, name: str) -> list[tuple[Any, set[str]]]:
        return [
            (each.at_s, {self.ids[arc >> 1] for arc in each.down})
            for each in self.igp.own(self.graph.index[name])
        ]

    def way(self, name: str, dest: str, place: int = -1) -> str | None:
        """Next hop after an update."""
        routes = self.updates(name)[place].routes
        assert routes is not None
        arc = routes.next_arc(self.graph.index[name], self.graph.index[dest])
        return None if arc is None else self.graph.names[self.graph.head[arc]]


def times(found: list[tuple[Any, set[str]]]) -> list[Any]:
    return [at_s for at_s, _ in found]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("kind", ["carrier", "silent"])
def test_chain(preset: Preset, kind: Literal["carrier", "silent"]) -> None:
    """a - b - c - d, and c--d fails at 10 s.

    c and d see it D later, run their SPF after the throttle's wait W for R, and write: c the route
    to d, 1 route; d those to a, b, c, 3 routes. b has c's LSA after origination F, 1 ms of link and
    handling F; a another 1 ms + F later. Each writes 1 route.
    """
    seen = Seen(CHAIN, Failure(10.0, links=("c--d",), kind=kind), preset=preset)
    d = 10.0 + (10 * MS if kind == "carrier" else SILENT[preset])
    f, spf = FLOOD[preset], WAIT[preset] + RUN[preset]
    assert seen.flips("c", "detection") == seen.flips("d", "detection") == pytest.approx([d])
    assert seen.flips("c") == pytest.approx([d + spf + WRITE])
    assert seen.flips("d") == pytest.approx([d + spf + 3 * WRITE])
    b, a = d + f + (1 * MS + f), d + f + 2 * (1 * MS + f)
    assert times(seen.heard("b")) == pytest.approx([b])
    assert times(seen.heard("a")) == pytest.approx([a])
    assert seen.flips("b") == pytest.approx([b + spf + WRITE])
    assert seen.flips("a") == pytest.approx([a + spf + WRITE])
    assert all(seen.way(name, "d") is None for name in "abc")
    assert seen.igp.changing() == [0, 1, 2, 3]


def test_the_causes_of_a_flip() -> None:
    """As above, tuned: each stage and when it ended."""
    seen = Seen(CHAIN, Failure(10.0, links=("c--d",)))
    stages, ended = zip(*seen.chain("a"), strict=True)
    assert stages == ("down", "detection", "flooding", "throttle", "spf", "fib")
    assert ended == pytest.approx((10.0, 10.010, 10.027, 10.077, 10.082, 10.08215))
    stages, ended = zip(*seen.chain("c", 0), strict=True)
    assert stages == ("down", "detection")
    assert ended == pytest.approx((10.0, 10.010))
    assert seen.way("c", "d", 0) is None
    assert seen.way("c", "a", 0) == "b"


@pytest.mark.parametrize("preset", PRESETS)
def test_ring(preset: Preset) -> None:
    """a - b - c - d - a, and a--b fails at 10 s.

    To a, b: 2 routes of a move (to b, and to c, which was a tie that b won by name), 1 of b (to a;
    to d the tie was won by a: 2). c is one hop from b: its tie towards a went by b, 1 route; d is
    one hop from a: towards b by a, 1 route.
    """
    seen = Seen(RING, Failure(10.0, links=("a--b",)), preset=preset)
    d, f, spf = 10.0 + 10 * MS, FLOOD[preset], WAIT[preset] + RUN[preset]
    assert seen.flips("a") == seen.flips("b") == pytest.approx([d + spf + 2 * WRITE])
    there = d + f + 1 * MS + f
    assert seen.flips("c") == seen.flips("d") == pytest.approx([there + spf + WRITE])
    assert seen.way("a", "b") == "d"
    assert seen.way("a", "b", 0) is None  # between detection and SPF


def test_diamond() -> None:
    """s - u - t of 2, s - v - t of 3. s--u fails: s moves u and t to v; t keeps its way to v but
    moves s from u to v (3), and hears of it from u, its neighbour; v's ways to u: by s (2), now by
    t (3)."""
    seen = Seen(DIAMOND, Failure(1.0, links=("s--u",)))
    # u and s: 10 ms, SPF at 60, done at 65. u's routes to s (by t) and v (tie of s 2, t 3: s).
    assert seen.flips("s") == pytest.approx([1.065 + 2 * WRITE])
    assert seen.flips("u") == pytest.approx([1.065 + 2 * WRITE])
    assert (seen.way("s", "t"), seen.way("u", "v"), seen.way("t", "s")) == ("v", "t", "v")
    # t hears u, v hears s: 10 + 5 + 1 + 5 = 21 ms.
    assert seen.flips("t") == seen.flips("v") == pytest.approx([1.076 + WRITE])


def test_repair_on_a_ring() -> None:
    """a--b is up again at 20 s, tuned: the adjacency at 21, both ends originate. a needs b's LSA:
    5 + 1 + 5 ms; its own change at 21 started 50 ms of throttle. c has b's LSA at 21.011 and a's,
    by d or b, at 21.017: only then the link counts; its wait began with the first."""
    seen = Seen(RING, Failure(10.0, links=("a--b",), up_at_s=20.0))
    assert seen.own("a") == [(pytest.approx(10.01), {"a--b"}), (pytest.approx(21.0), set())]
    assert times(seen.heard("a")) == pytest.approx([10.01, 21.011])
    assert times(seen.heard("c")) == pytest.approx([10.021, 21.017])
    assert seen.flips("a")[1:] == pytest.approx([21.055 + 2 * WRITE])
    assert seen.flips("c")[1:] == pytest.approx([21.066 + WRITE])
    stages, ended = zip(*seen.chain("a"), strict=True)
    assert stages == ("down", "adjacency", "flooding", "throttle", "spf", "fib")
    assert ended == pytest.approx((20.0, 21.0, 21.011, 21.05, 21.055, 21.0553))
    assert seen.way("a", "b") == "b"
    assert seen.updates("a")[-1].routes is seen.igp.before


def test_repair_meets_the_hold_time_of_frr() -> None:
    """frr-defaults: at 30 s a's own change sets off an SPF at once, which changes nothing, for b's
    LSA comes at 30.011: 6 ms after that SPF's end, so the hold of 50 ms from 30.005 counts."""
    seen = Seen(RING, Failure(10.0, links=("a--b",), up_at_s=20.0), preset="frr-defaults")
    assert seen.flips("a")[1:] == pytest.approx([30.055 + 5 * MS + 2 * WRITE])


@pytest.mark.parametrize("preset", PRESETS)
def test_adjacency_of_each_preset(preset: Preset) -> None:
    seen = Seen(RING, Failure(10.0, links=("a--b",), up_at_s=100.0), preset=preset)
    assert times(seen.own("a"))[1] == pytest.approx(100.0 + ADJACENCY[preset])


def test_a_flap_shorter_than_detection() -> None:
    """8 ms of darkness is not seen by anybody, but packets were lost; 12 ms is."""
    seen = Seen(RING, Failure(10.0, links=("a--b",), up_at_s=10.008))
    assert not any(seen.updates(name) or seen.heard(name) or seen.own(name) for name in "abcd")
    assert list(seen.igp.changing()) == []
    assert not seen.igp.up(0, 9.9, 10.1)
    assert Seen(RING, Failure(10.0, links=("a--b",), up_at_s=10.012)).flips("a")


def test_a_repair_that_fails_again() -> None:
    """Down at 10, up at 20, down at 20.5, before the adjacency of 21: it forms 1 s after 30."""
    seen = Seen(
        RING,
        Failure(10.0, links=("a--b",), up_at_s=20.0),
        Failure(20.5, links=("a--b",), up_at_s=30.0),
    )
    assert times(seen.own("a")) == pytest.approx([10.01, 31.0])
    assert len(seen.flips("a")) == 2


def test_silent_and_dark() -> None:
    """Silent from 10.0, dark from 10.1: the carrier is missed at 10.11, BFD would at 10.15."""
    silent = Failure(10.0, links=("a--b",), kind="silent")
    dark = Failure(10.1, links=("a--b",))
    assert times(Seen(RING, silent, dark).own("a")) == pytest.approx([10.11])
    assert times(Seen(RING, silent).own("a")) == pytest.approx([10.15])


def test_lsas_of_one_router_keep_their_distance() -> None:
    """h in the middle of x, y, z; frr-defaults (MinLSInterval 5 s). Links of h fail at 10 and 12:
    its second LSA leaves at 10.01 + 5 s, though h itself knows at 12.01. tuned: at once."""
    failures = Failure(10.0, links=("h--x",)), Failure(12.0, links=("h--y",))
    seen = Seen(STAR, *failures, preset="frr-defaults")
    assert times(seen.heard("h")) == pytest.approx([10.01, 12.01])
    assert seen.heard("z") == [
        (pytest.approx(10.021), {"h--x"}),
        (pytest.approx(15.021), {"h--x", "h--y"}),
    ]
    assert times(Seen(STAR, *failures).heard("z")) == pytest.approx([10.021, 12.021])


def test_two_failures_meet_the_throttle() -> None:
    """tuned, links at h fail at 10, 10.3 and 10.8. h's events: 10.01 (INITIAL), 10.31 (SHORT_WAIT:
    200 ms), 10.81 (0.8 s after the first: LONG_WAIT, 5 s)."""
    failures = [Failure(10.0 + at, links=(f"h--{x}",)) for at, x in ((0, "x"), (0.3, "y"))]
    seen = Seen(STAR, *failures, Failure(10.8, links=("h--z",)))
    assert seen.flips("h") == pytest.approx(
        [10.06 + 5 * MS + WRITE, 10.51 + 5 * MS + WRITE, 15.81 + 5 * MS + WRITE]
    )


def test_one_spf_for_what_came_before_it() -> None:
    """The second link fails 20 ms later, within the 50 ms: one SPF sees both, and is put down to
    the first."""
    failures = Failure(10.0, links=("h--x",)), Failure(10.02, links=("h--y",))
    seen = Seen(STAR, *failures)
    assert seen.flips("h") == pytest.approx([10.065 + 2 * WRITE])
    assert seen.chain("h")[1][1] == pytest.approx(10.01)


def test_writes_wait_for_writes() -> None:
    """1 s a route, frr-defaults: x goes at 10, y at 10.5. The first SPF is done at 10.015, written
    at 11.015; the second (no hold left) at 10.515, its write waits: 12.015."""
    failures = Failure(10.0, links=("h--x",)), Failure(10.5, links=("h--y",))
    seen = Seen(STAR, *failures, preset="frr-defaults", write_s=1.0)
    assert seen.flips("h") == pytest.approx([11.015, 12.015])


def test_an_interface_lost_while_the_fib_is_written() -> None:
    """The routes of the first SPF still use h--y when they are there at 11.015; h does not."""
    failures = Failure(10.0, links=("h--x",)), Failure(10.5, links=("h--y",))
    seen = Seen(STAR, *failures, preset="frr-defaults", write_s=1.0)
    stages = [each.cause.stage for each in seen.updates("h")]
    assert stages == ["detection", "detection", "fib", "fib"]
    assert [seen.way("h", "y", place) for place in range(4)] == ["y", None, None, None]
    assert [seen.way("h", "x", place) for place in range(4)] == [None] * 4


def test_an_interface_back_before_any_spf() -> None:
    """spf_initial of 5 s: down at 10, adjacency at 12, SPF at 15.01 on a database that is whole
    again. It brings the interface back, which was out since 10.01."""
    seen = Seen(RING, Failure(10.0, links=("a--b",), up_at_s=11.0), spf_initial_s=5.0)
    assert [each.cause.stage for each in seen.updates("a")] == ["detection", "fib"]
    assert seen.flips("a") == pytest.approx([15.015])
    assert (seen.way("a", "b", 0), seen.way("a", "b")) == (None, "b")
    assert not seen.flips("c")


def test_protection() -> None:
    """On a ring of four only the tunnel of TI-LFA gets from a to b the other way round: nothing
    from detection at 10.01 on, the backup at 10.015, and the SPF's routes as without it."""
    seen = Seen(RING, Failure(10.0, links=("a--b",)), protection="ti-lfa")
    assert [each.cause.stage for each in seen.updates("a")] == ["detection", "protect", "fib"]
    assert [each.at_s for each in seen.updates("a")] == pytest.approx([10.01, 10.015, 10.0653])
    lost, backup, _ = (each.routes for each in seen.updates("a"))
    assert lost is not None
    assert backup is not None
    assert (lost.next_arc(0, 1), lost.detour(0, 1)) == (None, None)
    assert backup.next_arc(0, 1) is not None or backup.detour(0, 1)
    assert [name for name, _ in seen.chain("a", 1)] == ["down", "detection", "protect"]
    assert not seen.flips("c", "protect")


def test_no_backup_once_the_spf_is_through() -> None:
    """protect of 1 s: the FIB of 10.065 is there first."""
    seen = Seen(RING, Failure(10.0, links=("a--b",)), protection="ti-lfa", protect_s=1.0)
    assert [each.cause.stage for each in seen.updates("a")] == ["detection", "fib"]


def test_a_second_interface_holds_up_the_backups() -> None:
    """s--u goes at 10 and s--v at 10.002: no backup at 10.015, as the set it was computed for is no
    longer all; both are patched 5 ms after the second detection."""
    failures = Failure(10.0, links=("s--u",)), Failure(10.002, links=("s--v",))
    seen = Seen(DIAMOND, *failures, protection="ti-lfa")
    assert seen.flips("s", "protect") == pytest.approx([10.017])


def test_an_old_lsa_does_not_displace_a_newer_one() -> None:
    """u - x - w, x - v, u - v. v is cut off at 1 s. x--w fails at 5: x tells u. x--u fails at 6 for
    good. x restarts, 10 to 20, with x--w and v--x: at 21 v has x's new LSA. At 31 u--v is back, and
    u hands v the LSA of 5 s, in which x--w is down."""
    links = (line("u", "x"), line("w", "x"), line("v", "x"), line("u", "v"))
    seen = Seen(
        links,
        Failure(1.0, links=("v--x",), up_at_s=15.0),
        Failure(1.0, links=("u--v",), up_at_s=30.0),
        Failure(5.0, links=("w--x",), up_at_s=15.0),
        Failure(6.0, links=("u--x",)),
        Failure(10.0, nodes=("x",), up_at_s=20.0),
    )
    assert seen.heard("v")[-1][1] == {"u--x"}
    assert not any("w--x" in down for at_s, down in seen.heard("v") if at_s > 21.5)


def test_a_node_fails() -> None:
    """b of the ring, for good, at 10 s. a and c see their links go at 10.01 and tell d, each by its
    own LSA at 10.021; each of a and c hears of the other's at 10.027. b itself does nothing."""
    seen = Seen(RING, Failure(10.0, nodes=("b",)))
    assert seen.heard("a") == [
        (pytest.approx(10.01), {"a--b"}),
        (pytest.approx(10.027), {"a--b", "b--c"}),
    ]
    assert seen.heard("d") == [(pytest.approx(10.021), {"a--b", "b--c"})]
    assert not seen.updates("b")
    # a: the routes to b (gone) and c (tie: was by b). c: to b, a. d: to b.
    assert seen.flips("a") == seen.flips("c") == pytest.approx([10.065 + 2 * WRITE])
    assert seen.flips("d") == pytest.approx([10.076 + WRITE])
    assert (seen.igp.alive(1, 9.9), seen.igp.alive(1, 10.0), seen.igp.alive(0, 10.0)) == (
        True,
        False,
        True,
    )
    assert seen.igp.node_down(1) == ((10.0, math.inf),)


def test_a_node_restarts() -> None:
    """b is back at 20 s without any route; its adjacencies are full at 21 and bring the database,
    in which a and c still lack their links to b. Their new LSAs arrive at 21.011; 50 ms after 21
    b's SPF runs, and it writes its 3 routes."""
    seen = Seen(RING, Failure(10.0, nodes=("b",), up_at_s=20.0))
    first = seen.updates("b")[0]
    assert first.at_s == 20.0
    assert first.cause == Cause("down", 20.0)
    assert all(seen.way("b", name, 0) is None for name in "acd")
    assert times(seen.heard("b")) == pytest.approx([20.0, 21.0, 21.011])
    assert seen.flips("b") == pytest.approx([21.055 + 3 * WRITE])
    # b's first LSA of the episode says both links: d has it by a or c 5 + 6 + 6 ms after 21, but a
    # and c advertised theirs 6 ms sooner, and b's LSA of before the failure was still there.
    assert times(seen.heard("d")) == pytest.approx([10.021, 21.011])
    assert seen.igp.alive(1, 20.0)


def test_a_node_restarts_faster_than_detection() -> None:
    """Gone for 5 ms: its neighbours learn by its Hello at 10.005 that it forgot them."""
    seen = Seen(RING, Failure(10.0, nodes=("b",), up_at_s=10.005))
    assert times(seen.own("a")) == pytest.approx([10.005, 11.005])
    assert times(seen.own("b")) == pytest.approx([10.005, 11.005])


def test_a_node_that_fails_while_it_acts() -> None:
    """a--b fails at 10; a itself at 10.03, before its SPF of 10.06; its LSA is under way."""
    seen = Seen(RING, Failure(10.0, links=("a--b",)), Failure(10.03, nodes=("a",)))
    assert [each.cause.stage for each in seen.updates("a")] == ["detection"]
    assert times(seen.heard("d")) == pytest.approx([10.021, 10.04])


def test_the_parts_of_a_cut_network_meet_again() -> None:
    """a - b - c - d: b--c fails at 10, c--d at 11, b--c is back at 20. While cut, a and b cannot
    hear of c--d; b learns it with the adjacency at 21, a 1 ms + 5 ms later."""
    seen = Seen(CHAIN, Failure(10.0, links=("b--c",), up_at_s=20.0), Failure(11.0, links=("c--d",)))
    assert seen.heard("b") == [
        (pytest.approx(10.01), {"b--c"}),
        (pytest.approx(21.0), {"b--c", "c--d"}),
        (pytest.approx(21.011), {"c--d"}),
    ]
    assert seen.heard("a")[1:] == [
        (pytest.approx(21.006), {"b--c", "c--d"}),
        (pytest.approx(21.017), {"c--d"}),
    ]


def test_an_lsa_on_a_link_that_dies_goes_round() -> None:
    """Ring, all of 1 ms but a--d 30 ms. b--c fails at 10; b's LSA is at a at 10.021 and leaves for
    d over a--d, which fails at 10.03, before it is there at 10.051. But c told d at 10.021."""
    links = (*RING[:3], link("a", "d", delay_s=30 * MS))
    seen = Seen(links, Failure(10.0, links=("b--c",)), Failure(10.03, links=("a--d",)))
    assert seen.heard("d")[0] == (pytest.approx(10.021), {"b--c"})
    # And of a--d's failure: d itself at 10.04; a's part of it never comes to d, which is cut off.
    assert times(seen.heard("d")) == pytest.approx([10.021, 10.04])


def test_up() -> None:
    igp = Seen(RING, Failure(10.0, links=("a--b",), up_at_s=20.0)).igp
    for arc in (0, 1):
        assert igp.up(arc, 9.0, 10.0)
        assert not igp.up(arc, 9.0, 10.1)
        assert not igp.up(arc, 10.0, 10.0)
        assert not igp.up(arc, 15.0, 25.0)
        assert igp.up(arc, 20.0, 21.0)
    assert igp.up(2, 9.0, 10.1)


def test_before_and_after() -> None:
    igp = Seen(RING, Failure(10.0, links=("a--b",)), Failure(1.0, links=("b--c",), up_at_s=2.0)).igp
    assert igp.before.down == frozenset()
    assert igp.after.down == {0, 1}
    assert igp.down == {0: ((10.0, math.inf),), 1: ((10.0, math.inf),), 4: ((1.0, 2.0),)} | {
        5: ((1.0, 2.0),)
    }
