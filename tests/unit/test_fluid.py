"""The fluid engine against closed forms. Arcs carry a few bit/s, so 10 bytes are 80 bits."""

from __future__ import annotations

import math

import pytest

from mcastplan.fluid import Finished, Fluid, engine, max_min

INF = math.inf


def rates(fluid: Fluid, *flows: str) -> list[float]:
    return [fluid.rate_bps(flow) for flow in flows]


def ends(done: list[Finished]) -> dict[object, float]:
    return {each.flow: each.at_s for each in done}


def test_one_flow_takes_the_narrowest_arc_of_its_chain() -> None:
    #  0: 100 bit/s, 1: 20 bit/s, 2: 50 bit/s.  80 bits at 20 bit/s are 4 s.
    fluid = Fluid([100, 20, 50])
    fluid.start("f", {0: 1, 1: 1, 2: 1}, 10)
    assert fluid.rate_bps("f") == 20
    assert fluid.next_finish_s() == 4
    assert fluid.run_until(INF) == [Finished("f", 4.0)]
    assert fluid.binding("f") == 1
    assert [fluid.peak_bps(arc) for arc in range(3)] == [20, 20, 20]
    assert fluid.now_s == 4


def test_a_star_is_shared_equally_and_then_by_what_its_rays_leave() -> None:
    # Hub arc 0 of 90 bit/s, rays of 10, 40 and 100. An equal share is 30; the first can take only
    # 10, so the other two share the remaining 80: 40 each, which is also all ray 2 can take.
    fluid = Fluid([90, 10, 40, 100])
    for name, ray in (("a", 1), ("b", 2), ("c", 3)):
        fluid.start(name, {0: 1, ray: 1}, 10)
    assert rates(fluid, "a", "b", "c") == pytest.approx([10, 40, 40])
    assert [fluid.binding(name) for name in "abc"] == [1, 0, 0]  # 0 and 2 fill together: 0 is said


def test_the_parking_lot() -> None:
    # The classic chain: one long flow over three arcs of 30 bit/s, one short flow on each; arc 1
    # has two. Arc 1 is full at 30/3 = 10, which holds the long flow; the others get 30 - 10 = 20.
    fluid = Fluid([30, 30, 30])
    fluid.start("long", {0: 1, 1: 1, 2: 1}, 10)
    fluid.start("a", {0: 1}, 10)
    fluid.start("b1", {1: 1}, 10)
    fluid.start("b2", {1: 1}, 10)
    fluid.start("c", {2: 1}, 10)
    assert rates(fluid, "long", "a", "b1", "b2", "c") == pytest.approx([10, 20, 10, 10, 20])


def test_a_finish_frees_capacity() -> None:
    # Two flows share 20 bit/s: 10 each. The small one (5 bytes, 40 bits) ends after 4 s; the other
    # has sent 40 of its 120 bits by then, and does the other 80 at 20 bit/s: 4 s more.
    fluid = Fluid([20])
    fluid.start("small", {0: 1}, 5)
    fluid.start("large", {0: 1}, 15)
    assert fluid.run_until(4.0) == [Finished("small", 4.0)]
    assert fluid.remaining_bytes("large") == pytest.approx(10)
    assert fluid.rate_bps("large") == pytest.approx(20)
    assert fluid.rate_bps("small") == 0
    assert fluid.remaining_bytes("small") == 0
    assert ends(fluid.run_until(INF)) == {"large": pytest.approx(8)}


def test_a_late_start_takes_its_share_from_then_on() -> None:
    # Alone at 20 bit/s for 3 s the first sends 60 of 160 bits. Then both run at 10: the second's 40
    # bits take 4 s (t = 7), the first has 60 left and does them at 20 bit/s: t = 10.
    fluid = Fluid([20])
    fluid.start("first", {0: 1}, 20)
    assert fluid.run_until(3.0) == []
    fluid.start("second", {0: 1}, 5)
    assert rates(fluid, "first", "second") == [10, 10]
    assert ends(fluid.run_until(INF)) == {"second": pytest.approx(7), "first": pytest.approx(10)}
    assert fluid.peak_bps(0) == 20


def test_background_is_served_first() -> None:
    # 100 bit/s less 60 of background leaves 40: 80 bits take 2 s. Background counts in the peak,
    # also on an arc without a flow.
    fluid = Fluid([100, 100], {0: 60, 1: 30})
    fluid.start("f", {0: 1}, 10)
    assert ends(fluid.run_until(INF)) == {"f": 2}
    assert fluid.peak_bps(0) == 100
    assert fluid.peak_bps(1) == 30


def test_a_rate_cap_leaves_the_rest_to_others() -> None:
    # 30 bit/s: one flow is capped at 5, the other takes 25.
    fluid = Fluid([30])
    fluid.start("capped", {0: 1}, 10, rate_cap_bps=5)
    fluid.start("free", {0: 1}, 10)
    assert rates(fluid, "capped", "free") == [5, 25]
    assert fluid.binding("capped") is None
    assert fluid.binding("free") == 0


def test_a_count_is_that_many_flows() -> None:
    # Three pulls and one more share 40 bit/s: 10 each. All are of 10 bytes: 8 s.
    fluid = Fluid([40])
    fluid.start("three", {0: 1}, 10, count=3)
    fluid.start("one", {0: 1}, 10)
    assert rates(fluid, "three", "one") == [10, 10]
    assert fluid.run_until(INF) == [Finished("three", 8.0), Finished("one", 8.0)]
    assert fluid.peak_bps(0) == 40


def test_copies_weigh_on_an_arc_but_not_in_the_sharing() -> None:
    # Ingress replication puts 3 copies on arc 0, a pull puts 1; rates stay equal: r x (3 + 1) = 40,
    # so 10 each. Arc 1 carries one copy of the first: 10 bit/s of its 50.
    fluid = Fluid([40, 50])
    fluid.start("copies", {0: 3, 1: 1}, 10)
    fluid.start("pull", {0: 1}, 10)
    assert rates(fluid, "copies", "pull") == [10, 10]
    fluid.run_until(INF)
    assert fluid.peak_bps(0) == 40
    assert fluid.peak_bps(1) == 10


def test_a_weight_of_wire_bytes_slows_the_payload() -> None:
    # 1.25 wire bytes for a payload byte: 100 bit/s carry 80 of payload. 10 bytes take 1 s.
    fluid = Fluid([100])
    fluid.start("f", {0: 1.25}, 10)
    assert ends(fluid.run_until(INF)) == {"f": 1}
    assert fluid.peak_bps(0) == 100


def test_unlimited_arcs_hold_nobody() -> None:
    # Nothing holds the first flow, so it takes no time; the second is held by arc 1 alone.
    fluid = Fluid([INF, 20])
    fluid.start("free", {0: 1}, 10)
    fluid.start("held", {0: 1, 1: 1}, 10)
    assert rates(fluid, "free", "held") == [INF, 20]
    assert fluid.run_until(0.0) == [Finished("free", 0.0)]
    assert fluid.binding("free") is None
    assert ends(fluid.run_until(INF)) == {"held": 4}
    assert fluid.peak_bps(0) == 20  # what lasted no time is no peak


def test_a_capped_flow_on_unlimited_arcs() -> None:
    fluid = Fluid([INF])
    fluid.start("f", {0: 2}, 10, rate_cap_bps=20)
    assert ends(fluid.run_until(INF)) == {"f": 4}
    assert fluid.peak_bps(0) == 40


@pytest.mark.parametrize("background", [100.0, 250.0, 100 * (1 - 1e-13)])
def test_a_flow_over_a_full_arc_stalls(background: float) -> None:
    # Arc 0 is full of background (or so nearly that only rounding is left): the flow on it never
    # ends, and takes nothing from the other, whose 80 bits take 2 s at 40 bit/s.
    fluid = Fluid([100, 40], {0: background})
    fluid.start("stalled", {0: 1, 1: 1}, 10)
    fluid.start("runs", {1: 1}, 10)
    assert rates(fluid, "stalled", "runs") == [0, 40]
    assert fluid.run_until(INF) == [Finished("runs", 2.0)]
    assert fluid.now_s == 2
    assert fluid.next_finish_s() == INF
    assert fluid.run_until(1e9) == []
    assert fluid.remaining_bytes("stalled") == 10
    assert fluid.binding("stalled") == 0
    assert fluid.peak_bps(0) == background


def test_a_reroute_keeps_what_is_done() -> None:
    # 20 bit/s for 2 s: 40 of 80 bits. Then the way round, at 10 bit/s: 4 s more. Each arc bound it
    # for some time, the second for longer.
    fluid = Fluid([20, 10])
    fluid.start("f", {0: 1}, 10)
    fluid.run_until(2.0)
    fluid.reroute("f", {1: 1})
    assert fluid.remaining_bytes("f") == pytest.approx(5)
    assert fluid.binding("f") == 0
    assert ends(fluid.run_until(INF)) == {"f": 6}
    assert fluid.binding("f") == 1
    assert fluid.peak_bps(0) == 20
    assert fluid.peak_bps(1) == 10


def test_a_reroute_away_from_a_failure_and_back() -> None:
    # 2 s at 20, 3 s of nothing (arc 1 has no room), then 40 bits at 20 again: 2 s. It was stalled
    # for 3 s and ran for 4.
    fluid = Fluid([20, 20], {1: 20})
    fluid.start("f", {0: 1}, 10)
    fluid.run_until(2.0)
    fluid.reroute("f", {1: 1})
    assert fluid.run_until(5.0) == []
    fluid.reroute("f", {0: 1})
    assert ends(fluid.run_until(INF)) == {"f": 7}
    assert fluid.binding("f") == 0


def test_a_reroute_gives_back_what_it_took() -> None:
    # Two share arc 0 at 10 bit/s each; when one moves to arc 1, each has 20.
    fluid = Fluid([20, 20])
    fluid.start("stays", {0: 1}, 10)
    fluid.start("moves", {0: 1}, 10)
    fluid.run_until(1.0)
    fluid.reroute("moves", {1: 1})
    assert rates(fluid, "stays", "moves") == [20, 20]


def test_a_stop_frees_capacity_and_keeps_the_books() -> None:
    # Both at 10 bit/s for 2 s: 20 of 80 bits each. Then one alone does its 60 bits at 20: 3 s.
    fluid = Fluid([20])
    fluid.start("stopped", {0: 1}, 10)
    fluid.start("goes on", {0: 1}, 10)
    fluid.run_until(2.0)
    fluid.stop("stopped")
    assert fluid.remaining_bytes("stopped") == pytest.approx(7.5)
    assert fluid.rate_bps("stopped") == 0
    assert ends(fluid.run_until(INF)) == {"goes on": pytest.approx(5)}
    assert fluid.binding("stopped") == 0
    fluid.start("stopped", {0: 1}, 7.5)  # a stopped flow may come back
    assert ends(fluid.run_until(INF)) == {"stopped": pytest.approx(8)}


def test_the_binding_arc_is_the_one_that_bound_longest() -> None:
    # Its own ray (40) holds the flow while it is alone on arc 0 (60): 1 s. Then five more come and
    # arc 0 holds it at 10 bit/s for the 40 bits it still has: 4 s.
    fluid = Fluid([60, 40])
    fluid.start("f", {0: 1, 1: 1}, 10)
    fluid.run_until(1.0)
    assert fluid.binding("f") == 1
    fluid.start("crowd", {0: 1}, 1000, count=5)
    fluid.run_until(1.5)
    assert fluid.binding("f") == 1
    assert ends(fluid.run_until(5.0)) == {"f": pytest.approx(5)}
    assert fluid.binding("f") == 0


def test_no_bytes_take_no_time() -> None:
    fluid = Fluid([10], {0: 10})
    fluid.start("empty", {0: 1}, 0)
    assert fluid.run_until(0.0) == [Finished("empty", 0.0)]


def test_equal_flows_finish_together_whatever_their_order() -> None:
    # 0.1 + 0.2 is not 0.3 in floats: seven flows in a ring of arcs still end in one instant.
    fluid = Fluid([0.7] * 7)
    for i in range(7):
        fluid.start(i, {i: 1.1, (i + 1) % 7: 2.3, (i + 2) % 7: 0.7}, 1e9)
    done = fluid.run_until(INF)
    assert [each.flow for each in done] == list(range(7))
    assert len({each.at_s for each in done}) == 1


def test_flows_of_different_rates_that_end_together_free_all_they_held() -> None:
    # Arc 0 gives the slow flow and its neighbour 10 bit/s each, arc 1 gives the fast one 30. 80 and
    # 240 bits both end after 8 s; the neighbour has 80 of its 160 bits left, and 20 bit/s: 4 s.
    fluid = Fluid([20, 30])
    fluid.start("slow", {0: 1}, 10)
    fluid.start("neighbour", {0: 1}, 20)
    fluid.start("fast", {1: 1}, 30)
    assert fluid.run_until(8.0) == [Finished("slow", 8.0), Finished("fast", 8.0)]
    assert ends(fluid.run_until(INF)) == {"neighbour": 12}


def test_a_heavy_flow_does_not_round_the_light_ones_away() -> None:
    # A flow of weight 1e16, capped at 1e-16 bit/s, takes 1 of 3 bit/s; three light ones share the
    # other 2. A float sum cannot tell the weight of three light flows beside it from that of four.
    assert 1 + 1 + 1 + 1e16 - 1e16 == 4
    fluid = Fluid([3])
    for name in "abc":
        fluid.start(name, {0: 1}, 1)
    fluid.start("heavy", {0: 1e16}, 1, rate_cap_bps=1e-16)
    assert rates(fluid, "a", "b", "c") == pytest.approx([2 / 3] * 3)


def test_the_last_bits_of_a_float_do_not_choose_the_binding_arc() -> None:
    # Arc 0 of 0.1 bit/s holds one flow, arc 1 of 0.3 three: both fill at 0.1, though 0.3 / 3 is a
    # little less in floats. The smaller number is said.
    assert 0.3 / 3 < 0.1
    fluid = Fluid([0.1, 0.3])
    fluid.start("f", {0: 1, 1: 1}, 10)
    fluid.start("others", {1: 1}, 10, count=2)
    assert fluid.binding("f") == 0
    assert len({each.at_s for each in fluid.run_until(INF)}) == 1


def test_a_short_late_flow_is_not_taken_for_one_that_ends_with_a_long_one() -> None:
    # After a million seconds a relative 1e-9 is a millisecond; a flow of 0.4 ms must still get all
    # of its bytes. The long one: 1e7 bits at 10 bit/s end at 1e6 s.
    fluid = Fluid([10, 1e5])
    fluid.start("long", {0: 1}, 1e7 / 8)
    fluid.run_until(1e6 - 1e-3)
    fluid.start("short", {1: 1}, 140 / 8)  # 1.4 ms: 0.4 ms after the long one
    fluid.run_until(1e6)
    assert fluid.remaining_bytes("short") == pytest.approx(40 / 8, rel=1e-4)


def test_wrong_use_is_refused() -> None:
    fluid = Fluid([10])
    fluid.start("f", {0: 1}, 10)
    with pytest.raises(ValueError, match="is running"):
        fluid.start("f", {0: 1}, 10)
    with pytest.raises(ValueError, match="weight"):
        fluid.start("g", {0: 0}, 10)
    with pytest.raises(ValueError, match="out of range"):
        fluid.start("g", {0: 1}, -1)
    with pytest.raises(ValueError, match="weight"):
        fluid.reroute("f", {0: -1})
    with pytest.raises(KeyError):
        fluid.rate_bps("g")
    fluid.run_until(1.0)
    with pytest.raises(ValueError, match="run back"):
        fluid.run_until(0.5)
    assert fluid.rate_bps("f") == 10


def test_a_push_of_unequal_pulls_costs_about_one_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    # Clouds of 1,000 different speeds behind one wide arc end at 1,000 instants. Were every flow
    # rated at every end, that would be 500,000 ratings; the fastest goes first and leaves nothing.
    rated = 0

    def counting(weights, caps, room, used):  # type: ignore[no-untyped-def]
        nonlocal rated
        rated += len(weights)
        return max_min(weights, caps, room, used)

    monkeypatch.setattr(engine, "max_min", counting)
    clouds = 1000
    fluid = Fluid([2e12, *(1e6 * (clouds + i) for i in range(clouds))])
    for i in range(clouds):
        fluid.start(i, {0: 1, 1 + i: 1}, 1e9)
    done = fluid.run_until(INF)
    assert len({each.at_s for each in done}) == clouds
    assert [each.flow for each in done] == list(range(clouds - 1, -1, -1))
    assert rated <= 2 * clouds


def test_endless_flows_hold_their_share() -> None:
    # Serving traffic without an end beside a push: 10 of 20 bit/s each, 80 bits in 8 s.
    fluid = Fluid([20])
    fluid.start("serving", {0: 1}, INF)
    fluid.start("push", {0: 1}, 10)
    assert fluid.run_until(INF) == [Finished("push", 8.0)]
    assert fluid.rate_bps("serving") == 20
