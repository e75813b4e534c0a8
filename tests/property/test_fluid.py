"""The fluid engine against textbook water-filling in exact fractions."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.fluid import Fluid, max_min

INF = math.inf


class Case(NamedTuple):
    """A flow as the tests draw it."""

    weights: dict[int, int]
    size_bytes: int
    count: int
    cap_bps: float


class Net(NamedTuple):
    capacity_bps: list[float]
    background_bps: dict[int, float]

    def room(self) -> list[float]:
        return [
            max(0.0, capacity - self.background_bps.get(arc, 0.0))
            for arc, capacity in enumerate(self.capacity_bps)
        ]


@st.composite
def nets(draw: st.DrawFn) -> Net:
    """Few capacities, so that arcs often fill together; some are unlimited, some full."""
    capacity = draw(
        st.lists(st.sampled_from((10.0, 20.0, 30.0, 60.0, 70.0, INF)), min_size=1, max_size=6)
    )
    arcs = st.integers(0, len(capacity) - 1)
    background = draw(st.dictionaries(arcs, st.sampled_from((5.0, 10.0, 30.0)), max_size=2))
    return Net(capacity, background)


@st.composite
def cases(draw: st.DrawFn, net: Net, max_flows: int = 8) -> list[Case]:
    arcs = st.integers(0, len(net.capacity_bps) - 1)
    return draw(
        st.lists(
            st.builds(
                Case,
                st.dictionaries(arcs, st.integers(1, 3), min_size=1, max_size=4),
                st.integers(1, 40),
                st.sampled_from((1, 1, 2, 5)),
                st.sampled_from((INF, INF, INF, 1.0, 4.0, 15.0)),
            ),
            min_size=1,
            max_size=max_flows,
        )
    )


@st.composite
def problems(draw: st.DrawFn) -> tuple[Net, list[Case]]:
    net = draw(nets())
    return net, draw(cases(net))


def counted(flows: Sequence[Case]) -> list[dict[int, float]]:
    return [{arc: float(w * f.count) for arc, w in f.weights.items()} for f in flows]


def water_filling(net: Net, flows: Mapping[int, Case]) -> dict[int, Fraction | None]:
    """The textbook: raise all open flows to the lowest level at which an arc is full or a cap is
    reached, close those concerned, repeat. None: nothing holds the flow."""
    left = {arc: Fraction(room) for arc, room in enumerate(net.room()) if room < INF}
    rate: dict[int, Fraction | None] = {}
    todo = dict(flows)
    while todo:
        weight = {arc: sum(f.weights.get(arc, 0) * f.count for f in todo.values()) for arc in left}
        levels = [left[arc] / weight[arc] for arc in left if weight[arc]]
        levels += [Fraction(f.cap_bps) for f in todo.values() if f.cap_bps < INF]
        if not levels:
            return rate | dict.fromkeys(todo)
        level = min(levels)
        full = {arc for arc in left if weight[arc] and left[arc] / weight[arc] == level}
        for name, f in list(todo.items()):
            if f.cap_bps == level or full & f.weights.keys():
                rate[name] = level
                del todo[name]
                for arc in f.weights.keys() & left.keys():
                    left[arc] -= f.weights[arc] * f.count * level
    return rate


def close(rate: float, exact: Fraction | None) -> bool:
    return rate == INF if exact is None else rate == pytest.approx(float(exact), rel=1e-8)


def exact_ends(net: Net, flows: Mapping[int, Case]) -> dict[int, Fraction]:
    """When each flow that ends does, all started at 0, solved from nothing at every end."""
    left = {name: Fraction(8 * f.size_bytes) for name, f in flows.items()}
    now, ends = Fraction(0), {}
    while True:
        rate = water_filling(net, {name: flows[name] for name in left})
        for name in [name for name in left if rate[name] is None]:
            ends[name] = now
            del left[name]
        steps = [left[name] / each for name in left if (each := rate[name])]
        if not steps:
            return ends
        step = min(steps)
        now += step
        for name in list(left):
            left[name] -= step * (rate[name] or 0)
            if left[name] == 0:
                ends[name] = now
                del left[name]


@given(problems())
def test_rates_are_those_of_the_textbook(problem: tuple[Net, list[Case]]) -> None:
    net, flows = problem
    rates, _ = max_min(
        counted(flows), [f.cap_bps for f in flows], net.room(), [0.0] * len(net.capacity_bps)
    )
    exact = water_filling(net, dict(enumerate(flows)))
    assert all(close(rate, exact[i]) for i, rate in enumerate(rates))


@pytest.mark.parametrize("seed", range(3))
def test_a_long_life_wears_nothing(seed: int) -> None:
    """Sums kept by thousands of additions and subtractions are as good as new ones."""
    draw = random.Random(seed)
    capacity = [draw.choice((1e9, 1e10, 1e11)) for _ in range(40)]
    fluid = Fluid(capacity)
    weights: dict[object, dict[int, float]] = {}
    for step in range(150):
        weights[step] = {arc: draw.choice((1.0127, 7.1)) for arc in draw.sample(range(40), 6)}
        fluid.start(step, weights[step], draw.choice((1e9, 1e10, 1e11)))
    for step in range(150):
        if step % 3:
            for done in fluid.run_until(fluid.next_finish_s()):
                del weights[done.flow]
        elif weights:
            fluid.stop(gone := draw.choice(list(weights)))
            del weights[gone]
        fresh, _ = max_min(list(weights.values()), [INF] * len(weights), capacity, [0.0] * 40)
        assert [fluid.rate_bps(flow) for flow in weights] == pytest.approx(fresh, rel=1e-9)
        due = [
            fluid.now_s + 8 * fluid.remaining_bytes(flow) / fluid.rate_bps(flow) for flow in weights
        ]
        assert fluid.next_finish_s() == pytest.approx(min(due, default=INF), rel=1e-9)


def assert_max_min(
    weights: Sequence[Mapping[int, float]],
    caps: Sequence[float],
    room: Sequence[float],
    rates: Sequence[float],
    holds: Sequence[int | None],
) -> None:
    """No arc carries more than it can, and what is said to hold a flow does: its cap, or a full
    arc on which no other flow is faster. This and nothing else is max-min fairness."""
    used = [0.0] * len(room)
    fastest = [0.0] * len(room)
    for row, rate in zip(weights, rates, strict=True):
        for arc, weight in row.items():
            used[arc] += weight * rate
            fastest[arc] = max(fastest[arc], rate)
    for arc, limit in enumerate(room):
        assert used[arc] <= limit * (1 + 1e-9)
    for row, cap, rate, hold in zip(weights, caps, rates, holds, strict=True):
        assert 0 <= rate <= cap
        if hold is None:
            assert rate >= cap * (1 - 1e-8)
        else:
            assert hold in row
            assert used[hold] >= room[hold] * (1 - 1e-8)
            assert rate >= fastest[hold] * (1 - 1e-8)


weighty = st.floats(0.01, 1000, allow_subnormal=False)
wide = st.one_of(st.just(INF), st.just(0.0), st.floats(1e3, 1e12), st.just(1e9))


@given(
    st.lists(wide, min_size=1, max_size=6).flatmap(
        lambda room: st.tuples(
            st.just(room),
            st.lists(
                st.tuples(
                    st.dictionaries(st.integers(0, len(room) - 1), weighty, max_size=4),
                    st.one_of(st.just(INF), st.floats(1, 1e12)),
                ),
                max_size=10,
            ),
        )
    )
)
def test_every_flow_is_at_its_cap_or_fastest_on_a_full_arc(
    problem: tuple[list[float], list[tuple[dict[int, float], float]]],
) -> None:
    room, flows = problem
    weights, caps = [row for row, _ in flows], [cap for _, cap in flows]
    rates, holds = max_min(weights, caps, room, [0.0] * len(room))
    assert_max_min(weights, caps, room, rates, holds)


@pytest.mark.parametrize("seed", range(3))
def test_thousands_of_flows_are_max_min_too(seed: int) -> None:
    draw = random.Random(seed)
    room = [draw.choice((1e10, 4e10, 1e11, 4e11)) for _ in range(300)]
    weights = [
        {
            arc: draw.choice((1, 1, 1, 40, 1000)) * draw.choice((1.0127, 1.0123))
            for arc in draw.sample(range(300), draw.randint(1, 12))
        }
        for _ in range(2000)
    ]
    caps = [draw.choice((INF, INF, 1e7)) for _ in weights]
    rates, holds = max_min(weights, caps, room, [0.0] * 300)
    assert_max_min(weights, caps, room, rates, holds)


@given(problems(), st.randoms(use_true_random=False))
def test_names_and_order_change_nothing(
    problem: tuple[Net, list[Case]], draw: random.Random
) -> None:
    net, flows = problem
    size = len(net.capacity_bps)
    rename = list(range(size))
    draw.shuffle(rename)
    order = list(range(len(flows)))
    draw.shuffle(order)
    room = net.room()
    renamed_room = [0.0] * size
    for arc, limit in enumerate(room):
        renamed_room[rename[arc]] = limit
    weights, caps = counted(flows), [f.cap_bps for f in flows]
    rates, holds = max_min(weights, caps, room, [0.0] * size)
    mixed, mixed_holds = max_min(
        [weights[i] for i in order], [caps[i] for i in order], room, [0.0] * size
    )
    renamed, _ = max_min(
        [{rename[arc]: w for arc, w in row.items()} for row in weights],
        caps,
        renamed_room,
        [0.0] * size,
    )
    assert mixed == pytest.approx([rates[i] for i in order], rel=1e-12)
    assert mixed_holds == [holds[i] for i in order]
    assert renamed == pytest.approx(rates, rel=1e-12)


@given(problems())
def test_ends_are_those_of_exact_arithmetic(problem: tuple[Net, list[Case]]) -> None:
    net, flows = problem
    fluid = Fluid(net.capacity_bps, net.background_bps)
    for name, f in enumerate(flows):
        fluid.start(name, f.weights, f.size_bytes, f.count, f.cap_bps)
    done = {each.flow: each.at_s for each in fluid.run_until(INF)}
    exact = {name: float(at) for name, at in exact_ends(net, dict(enumerate(flows))).items()}
    assert done == pytest.approx(exact, rel=1e-7)


@settings(max_examples=200)
@given(st.data())
def test_whatever_happens_rates_are_as_if_solved_from_nothing(data: st.DataObject) -> None:
    """Flows start, move, stop and end at any time; after each event the engine, which solves only
    what the event can reach, agrees with the textbook, and bytes add up."""
    net = data.draw(nets())
    fluid = Fluid(net.capacity_bps, net.background_bps)
    running: dict[int, Case] = {}
    sent: dict[int, float] = {}  # bytes, by rate x time
    peak = [net.background_bps.get(arc, 0.0) for arc in range(len(net.capacity_bps))]
    name = 0

    def pass_time(until_s: float) -> None:
        """Step from end to end, adding up what is sent."""
        while fluid.now_s < until_s or fluid.next_finish_s() <= until_s:
            next_s = fluid.next_finish_s()
            to = min(until_s, next_s)
            if to == INF:
                return
            step = to - fluid.now_s
            rate = {each: fluid.rate_bps(each) for each in running}
            if step > 0:
                for each in running:
                    sent[each] += rate[each] * step / 8
                for arc, background in enumerate(
                    net.background_bps.get(a, 0.0) for a in range(len(peak))
                ):
                    use = sum(
                        rate[each] * f.weights.get(arc, 0) * f.count for each, f in running.items()
                    )
                    peak[arc] = max(peak[arc], background + use)
            finished = fluid.run_until(to)
            assert bool(finished) == (to == next_s)
            for done in finished:
                f = running.pop(done.flow)  # type: ignore[arg-type]
                assert done.at_s == to
                if rate[done.flow] < INF:  # type: ignore[index]
                    assert sent[done.flow] == pytest.approx(f.size_bytes, rel=1e-7)  # type: ignore[index]
                assert fluid.remaining_bytes(done.flow) == 0
            check()

    def check() -> None:
        exact = water_filling(net, running)
        for each, f in running.items():
            assert close(fluid.rate_bps(each), exact[each])
            left = fluid.remaining_bytes(each)
            assert left == pytest.approx(f.size_bytes - sent[each], rel=1e-7, abs=1e-7)

    for _ in range(data.draw(st.integers(1, 8))):
        event = data.draw(
            st.sampled_from(("start", "start", "start", "move", "stop", "time", "end"))
        )
        if event == "start":
            for f in data.draw(cases(net, max_flows=4)):
                fluid.start(name, f.weights, f.size_bytes, f.count, f.cap_bps)
                running[name] = f
                sent[name] = 0.0
                name += 1
        elif event == "move" and running:
            chosen = data.draw(st.sampled_from(sorted(running)))
            weights = data.draw(cases(net, max_flows=1))[0].weights
            fluid.reroute(chosen, weights)
            running[chosen] = running[chosen]._replace(weights=weights)
        elif event == "stop" and running:
            some = st.lists(st.sampled_from(sorted(running)), min_size=1, max_size=3, unique=True)
            for chosen in data.draw(some):
                fluid.stop(chosen)
                del running[chosen]
        elif event == "time":
            pass_time(fluid.now_s + data.draw(st.sampled_from((0.0, 0.5, 3.0))))
        elif event == "end" and fluid.next_finish_s() < INF:
            pass_time(fluid.next_finish_s())
        check()
    pass_time(INF)
    assert all(fluid.rate_bps(each) == 0 for each in running)
    assert [fluid.peak_bps(arc) for arc in range(len(peak))] == pytest.approx(peak, rel=1e-8)


@given(problems(), st.lists(st.floats(0, 50), max_size=5))
def test_stopping_to_look_changes_nothing(
    problem: tuple[Net, list[Case]], looks: list[float]
) -> None:
    net, flows = problem
    straight, stepped = (Fluid(net.capacity_bps, net.background_bps) for _ in range(2))
    for name, f in enumerate(flows):
        for fluid in (straight, stepped):
            fluid.start(name, f.weights, f.size_bytes, f.count, f.cap_bps)
    done = []
    for look in sorted(looks):
        done += stepped.run_until(look)
        assert stepped.now_s == look
    done += stepped.run_until(INF)
    assert [(each.flow, each.at_s) for each in done] == [
        (each.flow, each.at_s) for each in straight.run_until(INF)
    ]
