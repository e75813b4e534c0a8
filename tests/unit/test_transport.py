"""Repair of multicast pushes and TCP pulls under failure, from the definitions in words.

Unless said otherwise s -> r carries 8 Gb/s, one wire byte per payload byte: 1 GB a second, and
100 GB take 100 s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest

from mcastplan.converge.pulls import retransmits_s
from mcastplan.converge.repair import Session
from mcastplan.converge.transport import (
    CloudDelivery,
    Course,
    Delivery,
    carried,
    pass_rates,
    transmit,
)
from mcastplan.evaluate.arrival import Arrival
from mcastplan.evaluate.wire import payload_bytes, wire_factor
from mcastplan.model.plan import ReplicationPlan
from mcastplan.model.scenario import Transport
from mcastplan.model.timers import Timers
from tests.courses import FAST, SLOW, Out, course, pieces, space

GB = 10**9
SPACE = space(8e9, slow_bps=4e9)
TIMERS = Timers()  # rto 0.2 s


def sent(*courses: Course, evict_after_s: float = 60.0, uftp: bool = False) -> list[Delivery]:
    transport = Transport("uftp" if uftp else "nack-ideal", evict_after_s)
    return transmit(SPACE, courses, transport, TIMERS)


def multicast(out: Out, clouds: Sequence[str] = ("x", "y"), **options: float) -> Delivery:
    (found,) = sent(course(100 * GB, clouds, pieces(out)), **options)  # type: ignore[arg-type]
    return found


def times(delivery: Delivery) -> dict[str, list[float]]:
    """(end of the first pass, repair after it) by cloud, one pull each."""
    found = {}
    for name, each in delivery.clouds.items():
        assert each.complete
        (pull,) = each.pulls
        found[name] = [pull.transfer_s, pull.repair_s]
    return found


def only(delivery: Delivery) -> CloudDelivery:
    (found,) = delivery.clouds.values()
    return found


def test_without_an_outage_nothing_is_repaired() -> None:
    found = multicast({})
    assert times(found) == {"x": [100.0, 0.0], "y": [100.0, 0.0]}
    assert (found.sent_bytes, found.repaired_bytes) == (100 * GB, 0)


def test_ten_seconds_lost_are_ten_seconds_of_repair() -> None:
    """x misses what is emitted from 20 to 30 s: 10 GB, sent once more from 100 to 110 s."""
    found = multicast({"x": [(20, 30)]})
    assert times(found) == {"x": [100.0, pytest.approx(10)], "y": [100.0, 0.0]}
    x = found.clouds["x"]
    assert (x.lost_bytes, x.delivered_bytes, x.offered_bytes) == (10 * GB, 100 * GB, 110 * GB)
    assert found.clouds["y"].lost_bytes == 0
    assert (found.sent_bytes, found.repaired_bytes) == (110 * GB, 10 * GB)


@pytest.mark.parametrize(
    ("x", "y", "x_repair", "y_repair"),
    [
        ((20, 30), (40, 45), 10, 15),  # one after the other, in order of offset
        ((40, 45), (20, 30), 15, 10),
        ((20, 30), (25, 40), 10, 20),  # the union, once: 20 GB; x's part is its first half
        ((20, 30), (22, 24), 10, 4),  # y's last byte is the fourth GB of the round
    ],
)
def test_a_round_sends_the_union_in_order_of_offset(
    x: tuple[float, float], y: tuple[float, float], x_repair: float, y_repair: float
) -> None:
    found = multicast({"x": [x], "y": [y]})
    assert times(found)["x"] == [100.0, pytest.approx(x_repair)]
    assert times(found)["y"] == [100.0, pytest.approx(y_repair)]
    assert found.repaired_bytes == max(x_repair, y_repair) * GB


def test_what_a_round_loses_the_next_repairs() -> None:
    """The round runs from 100 to 110 s; x is out again from 105 to 107 s. 2 GB more: 112 s."""
    found = multicast({"x": [(20, 30), (105, 107)]})
    assert times(found)["x"] == [100.0, pytest.approx(12)]
    assert found.clouds["x"].lost_bytes == 12 * GB


def test_a_round_waits_for_the_first_that_is_back() -> None:
    """x and y are out as the pass ends. y is back at 120 s, and lacks 90 to 100 GB; x, which lacks
    95 to 100, is back at 128 s, in the middle of its part: 3 GB of it go again."""
    found = multicast({"x": [(95, 128)], "y": [(90, 120)]})
    assert times(found)["y"] == [100.0, pytest.approx(30)]  # 120 + 10
    assert times(found)["x"] == [100.0, pytest.approx(33)]
    assert found.repaired_bytes == 13 * GB


def test_who_is_out_too_long_is_dropped_and_not_repaired() -> None:
    """Evicted 60 s after 20 s; what it lost until then is not sent again."""
    found = multicast({"x": [(20, 81)]})
    x = found.clouds["x"]
    assert (x.evicted, x.complete, x.pulls) == (True, False, ())
    assert (x.lost_bytes, x.delivered_bytes) == (60 * GB, 20 * GB)
    assert found.clouds["y"].pulls == (Arrival(1, 100.0),)
    assert found.repaired_bytes == 0
    stays = multicast({"x": [(20, 80)]})  # 60 s are not more than 60 s
    assert times(stays)["x"] == [100.0, pytest.approx(60)]


def test_two_short_outages_are_no_long_one() -> None:
    found = multicast({"x": [(10, 50), (51, 91)]})
    assert times(found)["x"] == [100.0, pytest.approx(80)]


def test_an_eviction_ends_its_part_of_a_round() -> None:
    """y lacks 10 to 20 and 20.5 to 30 GB, x 30 to 40: one round in this order. y leaves for ever
    at 105 s and is evicted at 115 s (after 10 s): the round stands at 25.5 GB, the rest of y's
    part is dropped, x's 10 GB follow at once."""
    out: Out = {"y": [(10, 20), (20.5, 30), (105, math.inf)], "x": [(30, 40)]}
    found = multicast(out, evict_after_s=10.0)
    assert found.clouds["y"].evicted
    assert times(_without(found, "y"))["x"] == [100.0, pytest.approx(15 + 10)]
    assert found.repaired_bytes == pytest.approx(25 * GB)


def _without(delivery: Delivery, cloud: str) -> Delivery:
    clouds = {name: each for name, each in delivery.clouds.items() if name != cloud}
    return Delivery(delivery.planned, clouds, delivery.repaired_bytes, delivery.sent_bytes)


def test_with_nobody_left_the_sender_stops() -> None:
    found = multicast({"x": [(5, math.inf)], "y": [(10, math.inf)]})
    assert all(each.evicted for each in found.clouds.values())
    assert found.sent_bytes == 70 * GB  # y is evicted at 70 s


def test_never_back_and_never_evicted_is_incomplete() -> None:
    found = multicast({"x": [(50, math.inf)]}, evict_after_s=math.inf)
    x = found.clouds["x"]
    assert (x.evicted, x.complete, x.lost_bytes) == (False, False, 50 * GB)
    assert found.clouds["y"].complete


def test_a_slower_way_from_then_on() -> None:
    """40 s at 1 GB/s, then 4 Gb/s: 60 GB take 120 s; 10 GB lost at 0.5 GB/s take 20 s to lose and
    20 s to repair."""
    held = pieces({"x": [(60, 80)]}, ((-math.inf, {FAST: 1.0}), (40, {SLOW: 1.0})))
    (found,) = sent(course(100 * GB, ("x", "y"), held))
    assert times(found) == {
        "x": [pytest.approx(160), pytest.approx(20)],
        "y": [pytest.approx(160), 0.0],
    }


@pytest.mark.parametrize("cut", [{}, {SLOW: 0.1}])
def test_a_cut_does_not_make_the_sender_faster(cut: Mapping[int, float]) -> None:
    """Between 20 and 30 s packets get nowhere (or onto an arc with room for 5 GB/s): the sender,
    which nobody has told, goes on at 1 GB/s, and 10 GB are lost, not the rest of the model."""
    held = pieces({"x": [(20, 30)]}, ((-math.inf, {FAST: 1.0}), (20, cut), (30, {FAST: 1.0})))
    (found,) = sent(course(100 * GB, ("x",), held))
    assert times(found) == {"x": [100.0, pytest.approx(10)]}
    assert only(found).lost_bytes == 10 * GB


def test_a_cut_before_the_first_byte_leaves_the_planned_rate() -> None:
    held = pieces({"x": [(0, 10)]}, ((-math.inf, {}), (10, {FAST: 1.0})))
    (found,) = sent(course(100 * GB, ("x",), held, planned_weight=2.0))
    assert only(found).lost_bytes == 5 * GB  # 10 s at 4 Gb/s: two bytes a byte
    (found,) = sent(course(100 * GB, ("x",), held))
    assert only(found).lost_bytes == 10 * GB  # 10 s at what its loads get


def test_after_an_eviction_the_others_may_go_faster() -> None:
    """x, behind the 4 Gb/s arc, is cut off at 20 s (10 GB are sent); y has 8 Gb/s to itself once
    x is evicted, at 80 s (40 GB are sent): 60 GB more take 60 s."""
    held = pieces({"x": [(20, math.inf)]}, ((-math.inf, {FAST: 1.0, SLOW: 1.0}), (20, {FAST: 1.0})))
    (found,) = sent(course(100 * GB, ("x", "y"), held))
    assert found.clouds["x"].lost_bytes == 30 * GB
    assert times(_without(found, "x")) == {"y": [pytest.approx(140), 0.0]}


def test_a_repair_shares_arcs_with_another_transfer() -> None:
    """x's push of 10 GB loses 2 GB between 1 and 3 s and repairs from 10 s on. At 10 s another
    push of 10 GB starts: each has 0.5 GB/s, so the repair takes 4 s, and the other, with 8 GB left
    at 14 s, ends at 22 s, 12 s after its start."""
    first = course(10 * GB, ("x",), pieces({"x": [(1, 3)]}))
    second = course(10 * GB, ("z",), pieces({}, begin_s=10.0), name="second")
    one, other = sent(first, second)
    assert times(one) == {"x": [10.0, pytest.approx(4)]}
    assert times(other) == {"z": [pytest.approx(12), 0.0]}


def test_copies_beyond_the_first_are_duplicates() -> None:
    """Every byte of 1 GB reaches x three times."""
    (found,) = sent(course(GB, ("x", "y"), pieces({}, extra={"x": 2})))
    assert [each.duplicate_bytes for each in found.clouds.values()] == [2 * GB, 0]


def test_uftp_sends_at_95_percent_and_asks_before_a_round() -> None:
    """Planned 8 Gb/s, so 0.95 GB/s: 95 GB take 100 s; 10 s lost are 10 s of repair, after 4 GRTT.
    Outages of 60 s are survived with GRTT 60 / 50 s. The second round, of 2 s, comes after another
    4 GRTT."""
    loss = course(95 * GB, ("x", "y"), pieces({"x": [(20, 30)]}))
    (found,) = sent(loss, uftp=True)
    assert times(found) == {
        "x": [pytest.approx(100), pytest.approx(4.8 + 10)],
        "y": [pytest.approx(100), 0.0],
    }
    again = course(95 * GB, ("x", "y"), pieces({"x": [(20, 30), (105, 107)]}))
    (found,) = sent(again, uftp=True)
    assert times(found)["x"][1] == pytest.approx(4.8 + 10 + 4.8 + 2)
    (found,) = sent(loss, uftp=True, evict_after_s=0.5)  # evicted; GRTT is never below 20 ms
    assert [name for name, each in found.clouds.items() if each.evicted] == ["x"]
    short = course(95 * GB, ("x",), pieces({"x": [(20, 20.25)]}))
    (found,) = sent(short, uftp=True, evict_after_s=0.5)
    assert times(found)["x"][1] == pytest.approx(4 * 0.02 + 0.25)
    (found,) = sent(course(95 * GB, ("x",), pieces({})), uftp=True)
    assert times(found) == {"x": [pytest.approx(100), 0.0]}


def test_uftp_puts_52_bytes_above_the_payload() -> None:
    """MTU 1500, BIER header 44: 1404 B of payload, in frames of 1538 B or natively 1494 B."""
    plan = ReplicationPlan("push", (), (), 44, {})
    under = carried(plan, Transport("uftp"))
    payload = payload_bytes(1500, under)
    assert payload == 1404
    assert wire_factor(payload, under.inner_bytes, 1, 44) == 1538 / 1404
    assert wire_factor(payload, under.inner_bytes) == 1494 / 1404
    assert carried(plan, Transport()) == plan


def test_pass_rates_are_those_of_the_plan_alone() -> None:
    one = course(GB, ("x", "y"), pieces({}), tcp=True)
    assert pass_rates(SPACE, one.planned) == {"push/x": 4e9, "push/y": 4e9}


@pytest.mark.parametrize(
    ("lasts_s", "resumes_s"),
    [
        (0.01, 2.2),  # 0.2 s after the loss
        (0.2, 2.2),  # back at this very instant
        (0.21, 2.6),  # + 0.4
        (0.7, 3.4),  # + 0.8
        (2.9, 5.0),  # + 1.6
        (200, 206.6),  # 0.2 + ... + 102.4 = 204.6
        (300, 326.6),  # 204.8 would be next, but the wait is capped at 120 s
    ],
)
@pytest.mark.parametrize("rtt_s", [0.0, 0.1])
def test_a_pull_resumes_at_a_doubling_timeout(
    lasts_s: float, resumes_s: float, rtt_s: float
) -> None:
    """10 GB at 1 GB/s; out at 2 s with 8 GB left. For a round trip the sender goes on in vain."""
    held = pieces({"x": [(2, 2 + lasts_s)]})
    (found,) = sent(course(10 * GB, ("x",), held, tcp=True, rtt_s=rtt_s))
    assert times(found) == {"x": [pytest.approx(resumes_s + 8), 0.0]}
    lost = min(rtt_s, lasts_s) * GB
    assert only(found).lost_bytes == pytest.approx(lost)
    assert found.repaired_bytes == pytest.approx(lost)
    assert found.sent_bytes == pytest.approx(10 * GB + lost)


def test_a_cut_does_not_make_a_pull_faster() -> None:
    """For a round trip of 0.1 s, packets get nowhere: 0.1 GB are lost, not the rest at once."""
    held = pieces({"x": [(2, 3)]}, ((-math.inf, {FAST: 1.0}), (2, {}), (3, {FAST: 1.0})))
    (found,) = sent(course(10 * GB, ("x",), held, tcp=True, rtt_s=0.1))
    assert only(found).lost_bytes == pytest.approx(0.1 * GB)
    assert times(found) == {"x": [pytest.approx(3.4 + 8), 0.0]}


def test_the_timer_runs_on_where_the_way_is_back_too_briefly() -> None:
    """Out 2 to 2.5 and 2.55 to 3 s: the timeout at 2.6 s fails too, the next is at 3.4 s. Once it
    has resumed, a new loss at 6 s starts at 0.2 s again."""
    held = pieces({"x": [(2, 2.5), (2.55, 3), (6, 6.1)]})
    (found,) = sent(course(10 * GB, ("x",), held, tcp=True))
    # 2 s, then 3.4 to 6 s, then from 6.2 s the rest of 10 - 2 - 2.6 = 5.4 GB.
    assert times(found) == {"x": [pytest.approx(11.6), 0.0]}


def test_one_long_outage_may_cost_a_pull_less_than_two() -> None:
    """0.5 GB, 0.5 s. Out to 0.5 s, the pull resumes at 0.6 s and has 0.1 GB left as it is out again
    from 1 to 20.5 s: timeouts at 1 + 0.2 x (2^k - 1) s, after 20.5 s that is 26.4 s. Out all the
    time from 0 s: at 25.4 s."""
    two = pieces({"x": [(0, 0.5), (1, 20.5)]})
    (found,) = sent(course(GB // 2, ("x",), two, tcp=True))
    assert times(found) == {"x": [pytest.approx(26.5), 0.0]}
    (found,) = sent(course(GB // 2, ("x",), pieces({"x": [(0, 20.5)]}), tcp=True))
    assert times(found) == {"x": [pytest.approx(25.9), 0.0]}


def test_what_a_stalled_pull_leaves_others_take() -> None:
    """Two pulls of 4 GB at 0.5 GB/s each. x is out from 2 to 2.15 s and resumes at 2.2 s: y has
    1 GB/s for 0.2 s, so y lacks 2.8 GB then and x 3. y ends at 2.2 + 5.6 s; x, with 0.2 GB left,
    0.2 s later."""
    both = {
        cloud: course(4 * GB, (cloud,), pieces(out), name=cloud, tcp=True)
        for cloud, out in (("x", {"x": [(2, 2.15)]}), ("y", {}))
    }
    x, y = sent(both["x"], both["y"])
    assert times(y) == {"y": [pytest.approx(7.8), 0.0]}
    assert times(x) == {"x": [pytest.approx(8.0), 0.0]}


def test_a_pull_never_restored_is_incomplete_and_not_evicted() -> None:
    """Three pulls of 10 GB share 1 GB/s; at 15 s half of each is there."""
    held = pieces({"x": [(15, math.inf)]})
    (found,) = sent(course(10 * GB, ("x",), held, tcp=True, count=3))
    x = only(found)
    assert (x.complete, x.evicted, x.pulls) == (False, False, ())
    assert x.delivered_bytes == pytest.approx(15 * GB)


def test_a_pull_that_cannot_begin_waits_for_its_timer() -> None:
    (found,) = sent(course(10 * GB, ("x",), pieces({"x": [(0, 0.3)]}), tcp=True, rtt_s=0.1))
    assert times(found) == {"x": [pytest.approx(10.6), 0.0]}
    assert only(found).lost_bytes == 0


def test_instants_of_retransmission() -> None:
    """RFC 6298 section 5.5 doubles: 1, 3, 7, 15, 31, 63 and 127 s after the loss with an RTO of
    1 s; 128 s would be the next wait, but none is longer than 120 s: 247, 367."""
    instants, after_s = [], 0.0
    for _ in range(9):
        after_s = retransmits_s(0.0, 1.0, after_s)
        instants.append(after_s)
        after_s = math.nextafter(after_s, math.inf)
    assert instants == [1, 3, 7, 15, 31, 63, 127, 247, 367]


def test_a_sender_that_stays_at_an_instant_is_a_defect_and_no_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """x is due to be evicted at 70 s; a sender that does not do it would be called at 70 s again
    and again."""
    monkeypatch.setattr(Session, "_evict", lambda self, now_s: False)
    with pytest.raises(AssertionError, match="for ever"):
        multicast({"x": [(60, math.inf)]}, evict_after_s=10.0)
