"""Transport under failure: against packets sent one by one, against the push without failure, and
what must hold whatever happens."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.converge.transport import (
    UFTP_ROBUST,
    UFTP_ROUND_GRTTS,
    Course,
    Delivery,
    FlowCourse,
    Piece,
    transmit,
)
from mcastplan.errors import InfeasibleError
from mcastplan.evaluate.arrival import Arrival
from mcastplan.evaluate.push import Planned, flow_loads, run
from mcastplan.evaluate.scheme import install
from mcastplan.model.scenario import Scenario, Transport
from mcastplan.model.timers import Timers
from mcastplan.schemes import SCHEMES
from mcastplan.study.compare import context_of
from tests.courses import FAST, SLOW, course, pieces, space
from tests.networks import scenarios

# Rates and times that binary floats hold exactly, so that no event of the model falls a rounding
# before or after the tick of the simulation: 19 x 2^21 bytes in half a second.
TICK_S = 0.5
PACKET = 19 * 2**21
RATE_BPS = PACKET * 8 / TICK_S
EXACT = space(RATE_BPS, slow_bps=RATE_BPS / 2)
CLOUDS = ("a", "b", "c")
EVICT_S = (TICK_S, 3 * TICK_S, 10 * TICK_S, math.inf)
# UFTP's rounds begin 4/50 of this after their pass: 2 ticks, and 4.
UFTP = (Transport("uftp", 25 * TICK_S), Transport("uftp", 50 * TICK_S))
TIMERS = Timers()

Spans = Mapping[str, Sequence[tuple[int, float]]]  # in ticks


@st.composite
def spans(draw: st.DrawFn, end: bool = False) -> dict[str, list[tuple[int, float]]]:
    """Up to three outages a cloud, also one without end."""
    found: dict[str, list[tuple[int, float]]] = {}
    for cloud in CLOUDS:
        edges = sorted(draw(st.lists(st.integers(0, 40), max_size=6, unique=True)))
        ends: list[float] = list(edges[1::2])
        if len(edges) % 2:
            ends.append(41.0 if end else math.inf)
        found[cloud] = list(zip(edges[::2], ends, strict=True))
    return found


def seconds(out: Spans) -> dict[str, list[tuple[float, float]]]:
    return {c: [(a * TICK_S, b * TICK_S) for a, b in each] for c, each in out.items()}


class Simulation:
    """One packet a tick, receivers as sets of packets they lack."""

    def __init__(self, packets: int, out: Spans, wait: float, evict_after: float) -> None:
        self.lacking = {cloud: set(range(packets)) for cloud in CLOUDS}
        self.offered = dict.fromkeys(CLOUDS, 0)
        self.lost = dict.fromkeys(CLOUDS, 0)
        self.done: dict[str, int] = {}
        self.evicted: set[str] = set()
        self.sent = 0
        self.first: int | None = None
        since: dict[str, int] = {}
        queue = list(range(packets))
        due: float | None = None
        for now in range(500):
            waiting = [c for c in CLOUDS if self.lacking[c] and c not in self.evicted]
            gone = {c for c in waiting if any(a <= now < b for a, b in out[c])}
            since = {c: since.get(c, now) for c in gone}
            late = {c for c in gone if now - since[c] >= evict_after}
            self.evicted |= late
            gone -= late
            waiting = [c for c in waiting if c not in late]
            if late:
                queue = [each for each in queue if any(each in self.lacking[c] for c in waiting)]
            if not queue:
                if self.first is None:
                    self.first = now
                if not waiting:
                    return
                due = now + wait if due is None else due
                if now < due or set(waiting) == gone:
                    continue
                queue = sorted(set[int]().union(*(self.lacking[c] for c in waiting)))
                due = None
            packet = queue.pop(0)
            self.sent += 1
            for c in waiting:
                if packet in self.lacking[c]:
                    self.offered[c] += 1
                    if c in gone:
                        self.lost[c] += 1
                    else:
                        self.lacking[c].remove(packet)
                        if not self.lacking[c]:
                            self.done[c] = now + 1


@given(
    packets=st.integers(1, 25),
    out=spans(),
    transport=st.sampled_from([*(Transport(evict_after_s=each) for each in EVICT_S), *UFTP]),
)
@settings(max_examples=400)
def test_packets_sent_one_by_one_agree(packets: int, out: Spans, transport: Transport) -> None:
    """95 % of the planned rate are that of the arc."""
    evict_after = transport.evict_after_s / TICK_S
    wait = UFTP_ROUND_GRTTS * evict_after / UFTP_ROBUST if transport in UFTP else 0
    exact = Simulation(packets, out, wait, evict_after)
    held = pieces(seconds(out))
    one = course(packets * PACKET, CLOUDS, held, planned_weight=0.95)
    (found,) = transmit(EXACT, [one], transport, TIMERS)
    assert found.sent_bytes == exact.sent * PACKET
    for cloud, each in found.clouds.items():
        assert each.offered_bytes == exact.offered[cloud] * PACKET
        assert each.lost_bytes == exact.lost[cloud] * PACKET
        assert each.delivered_bytes == (packets - len(exact.lacking[cloud])) * PACKET
        assert each.evicted == (cloud in exact.evicted)
        assert each.complete == (cloud in exact.done)
        if each.complete:
            assert exact.first is not None
            first = exact.first * TICK_S
            assert each.pulls == (Arrival(1, first, exact.done[cloud] * TICK_S - first),)


def check(found: Delivery, tcp: bool) -> None:
    """Each byte sent towards a receiver while it lacked it came or was lost."""
    for each in found.clouds.values():
        assert each.delivered_bytes + each.lost_bytes == pytest.approx(each.offered_bytes)
        size = found.planned.transfer.size_bytes * sum(c for _, _, c in found.planned.demand.clouds)
        if each.complete:
            own = size / len(found.planned.demand.clouds)
            assert each.delivered_bytes == pytest.approx(own)
            assert all(min(pull.transfer_s, pull.repair_s) >= 0 for pull in each.pulls)
        else:
            assert not each.pulls
        assert not (each.complete and each.evicted)
        assert each.offered_bytes <= found.sent_bytes * (1 + 1e-9)
    if tcp:
        offered = sum(each.offered_bytes for each in found.clouds.values())
        assert found.sent_bytes == pytest.approx(offered)
    assert found.repaired_bytes <= found.sent_bytes


WEIGHTS = st.sampled_from(({FAST: 1.0}, {FAST: 1.3}, {FAST: 1.0, SLOW: 1.0}, {SLOW: 2.0}, {}))


@st.composite
def transfers(draw: st.DrawFn) -> list[Course]:
    """Multicast pushes and pulls, on arcs that change, at several times."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        begin_s = draw(st.sampled_from((0.0, 0.7, 4.0)))
        changes = draw(st.lists(st.tuples(st.floats(0.1, 20), WEIGHTS), max_size=3))
        held = pieces(
            seconds(draw(spans())),
            [(-math.inf, {FAST: 1.0}), *sorted(changes, key=lambda change: change[0])],
            draw(st.sampled_from(({}, {"a": 1}, {"b": 2}))),
            begin_s,
        )
        tcp = draw(st.booleans())
        found.append(
            course(
                draw(st.integers(10**6, 30 * PACKET)),
                CLOUDS,
                held,
                name=f"push{number}",
                tcp=tcp,
                count=draw(st.integers(1, 3)) if tcp else 1,
                rtt_s=draw(st.sampled_from((0.0, 0.05, 1.0))),
            )
        )
    return found


@given(transfers(), st.sampled_from(("nack-ideal", "uftp")), st.sampled_from((0.3, 5.0, math.inf)))
@settings(max_examples=300)
def test_delivered_and_lost_are_what_was_sent(
    courses: list[Course], profile: str, evict_after_s: float
) -> None:
    transport = Transport(profile, evict_after_s)  # type: ignore[arg-type]
    found = transmit(EXACT, courses, transport, TIMERS)
    for one, each in zip(courses, found, strict=True):
        check(each, one.tcp)


def done_s(found: Delivery) -> dict[str, float]:
    return {
        name: max((pull.here_s for pull in each.pulls), default=math.inf)
        for name, each in found.clouds.items()
    }


@given(
    packets=st.integers(1, 25),
    out=spans(end=True),
    more=spans(end=True),
    tcp=st.booleans(),
    rtt_s=st.sampled_from((0.0, 0.3)),
)
@settings(max_examples=300)
def test_more_outage_is_never_faster(
    packets: int, out: Spans, more: Spans, tcp: bool, rtt_s: float
) -> None:
    """Where a receiver is alone, and for a pull where the first loss stays the first and only one.
    Elsewhere it can be: a round may begin with or without a receiver that is out (beside others),
    and two outages that become one give a pull's timer another phase."""
    less = [*out["a"]]
    if tcp:
        less = less[:1]
        more = {"a": [span for span in more["a"] if less and span[0] >= less[0][0]]}
    transport = Transport(evict_after_s=math.inf)
    ended_s = []
    for each in (less, [*less, *more["a"]]):
        held = pieces(seconds({"a": each}))
        one = course(packets * PACKET, ("a",), held, tcp=tcp, rtt_s=rtt_s)
        (found,) = transmit(EXACT, [one], transport, TIMERS)
        ended_s.append(done_s(found)["a"])
    assert ended_s[1] >= ended_s[0] - 1e-9


def calm(one: Planned, tcp: bool, cut_s: Sequence[float]) -> Course:
    """No failure; the course is in pieces all the same."""
    edges = [-math.inf, *cut_s, math.inf]
    flows = tuple(
        FlowCourse(
            load.flow,
            tuple(
                Piece(low, high, dict(load.weights), frozenset(), {})
                for low, high in itertools.pairwise(edges)
            ),
        )
        for load in one.loads
    )
    return Course(one, flows, tcp)


@given(scenarios(), st.lists(st.floats(0, 5), max_size=2, unique=True).map(sorted))
@settings(max_examples=60)
def test_without_a_failure_it_is_the_push(scenario: Scenario, cut_s: list[float]) -> None:
    context = context_of(scenario)
    for kind in SCHEMES:
        try:
            plans = install(context, kind).plans
        except InfeasibleError:
            continue
        planned = [
            Planned(
                transfer,
                demand,
                flow_loads(scenario, context.routes, context.space, plan),
                0.1,
                {"announce": 0.06},
            )
            for transfer, (demand, plan) in zip(scenario.transfers, plans, strict=True)
        ]
        tcp = kind.name == "unicast"
        pushes, _ = run(context.space, planned)
        courses = [calm(each, tcp, cut_s) for each in planned]
        for push, found in zip(
            pushes, transmit(context.space, courses, Transport(), TIMERS), strict=True
        ):
            assert set(found.clouds) == set(push.pulls)
            assert found.repaired_bytes == pytest.approx(0, abs=1e-3)
            for name, pulls in push.pulls.items():
                each = found.clouds[name]
                assert (each.complete, each.lost_bytes) == (True, 0)
                assert [pull.count for pull in each.pulls] == [pull.count for pull in pulls]
                assert [pull.repair_s for pull in each.pulls] == [0.0] * len(pulls)
                assert [pull.transfer_s for pull in each.pulls] == pytest.approx(
                    [pull.transfer_s for pull in pulls], rel=1e-9
                )
