"""Campaigns: what a changing receiver set costs, against counts made by hand on a drawn tree.

        10 ms      10 ms
    S --------- M --------- A        origin at S, one cloud each at A, B, C, D
                |
                | 10 ms     10 ms
                +---------- N -------- B
                            |  10 ms
                            +--------- C
    S --------- D  10 ms

Every link has metric 1. Timers: announce 60 ms, IGMP 10 ms, Join 10 ms a hop, discovery 100 ms,
compute 500 ms, program 50 ms, signal 100 ms, write 0.15 ms.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mcastplan.errors import UsageError
from mcastplan.model.campaign import Campaign, ChurnPoint, Crossing, ReceiverChange
from mcastplan.model.scenario import PimOptions, Scenario, SchemeOptions, SrP2mpOptions
from mcastplan.model.transfer import Background
from mcastplan.report.json import render
from mcastplan.schemes import SCHEMES
from mcastplan.study.campaign import campaign
from mcastplan.study.churn import effective, receiver_sets
from mcastplan.study.compare import compare, context_of
from mcastplan.study.crossing_search import WITHIN, search_grid
from mcastplan.study.crossings import crossings, verdict
from tests.networks import link, network, push, topologies

MS = 1e-3
LINKS = tuple(
    link(a, b, delay_s=10 * MS)
    for a, b in (("S", "M"), ("M", "A"), ("M", "N"), ("N", "B"), ("N", "C"), ("S", "D"))
)
TREE = push(network(*LINKS), "S", ("A", "B", "C", "D"))
KINDS = {kind.name: kind for kind in SCHEMES}
TREES_AND_BITS = ("pim-sm", "sr-p2mp", "bier", "ingress-replication")


def change(scheme: str, before: str, after: str, scenario: Scenario = TREE) -> ReceiverChange:
    """From the PEs in ``before`` to those in ``after``; "" is nobody."""
    context = context_of(scenario)
    (demand,) = context.demands
    built = KINDS[scheme](scenario, context.routes)
    pairs = []
    for pes in (before, after):
        part = demand.only({name for name, _, _ in demand.clouds if name[-1] in pes})
        pairs.append((part, built.install(context.routes, part)))
    return built.change(context.routes, pairs[0], pairs[1])


def terms(change: ReceiverChange) -> dict[str, Any]:
    return {name: pytest.approx(seconds) for name, seconds in change.setup_terms.items()}


def test_pim_joins_the_tree_that_is_there() -> None:
    """A to B. A's branch: M has state, so only A's own entry goes: 1 Prune, A to M. B's branch: B
    and N are new: 2 Joins, B to N and N to M, which has state and sends none on. Reports: A leaves,
    B joins. 3 + 2 = 5 messages. Entries: B, N written, A removed, M's OIF moves from A to N; S is
    as it was: 4 writes. The last Join is at M after 2 x (10 ms + 10 ms)."""
    found = change("pim-sm", "A", "B")
    assert found.messages == 5
    assert found.writes == 4
    assert terms(found) == {"announce": 60 * MS, "igmp": 10 * MS, "join": 40 * MS}
    node = network(*LINKS).graph.index
    assert found.held == {node["A"]: 1}


def test_pim_beside_a_branch_that_stays() -> None:
    """B to B and C: N has state. 1 Join, 1 report; C written, N gains an OIF."""
    found = change("pim-sm", "B", "BC")
    assert (found.messages, found.writes) == (2, 2)
    assert terms(found)["join"] == 20 * MS
    assert not found.held


def test_pim_waits_for_no_prune() -> None:
    """B and C to B: 1 Prune, 1 report; C removed, N loses an OIF. Nobody new, nothing to wait for
    but the announcement."""
    found = change("pim-sm", "BC", "B")
    assert (found.messages, found.writes) == (2, 2)
    assert terms(found) == {"announce": 60 * MS}


def test_sr_p2mp_makes_a_new_instance() -> None:
    """A and B to A and C. Old instance: root S, branch M, leaves A and B; N is transit. New: S, M,
    A, C: 4 nodes each. Leaves B and C changed: 2 + 2 x 4 + 4 = 14 messages; 4 + 4 + the policy = 9
    writes. C, the new leaf, is 30 ms away, the farthest of the new tree too."""
    found = change("sr-p2mp", "AB", "AC")
    assert (found.messages, found.writes) == (14, 9)
    assert terms(found) == {
        "announce": 60 * MS,
        "discovery": 130 * MS,
        "compute": 500 * MS,
        "program": 110 * MS,
        "root": 50 * MS,
    }
    node = network(*LINKS).graph.index
    assert found.held == {node[name]: 1 for name in "SMAB"}


def test_sr_p2mp_in_place_touches_what_differs() -> None:
    """The same change: M's branch to B becomes one to C, C gets a segment, B loses its own; S and A
    stay. 2 leaves + 2 x 2 + 1 = 7 messages, 3 writes."""
    options = SchemeOptions(sr_p2mp=SrP2mpOptions(update="in-place"))
    found = change("sr-p2mp", "AB", "AC", msgspec.structs.replace(TREE, schemes=options))
    assert (found.messages, found.writes) == (7, 3)
    node = network(*LINKS).graph.index
    assert found.held == {node["B"]: 1}


@pytest.mark.parametrize(("scheme", "writes"), [("bier", 1), ("ingress-replication", 4)])
def test_overlay(scheme: str, writes: int) -> None:
    """A and B to C and D: four egresses signal; the farthest new one, C, is 30 ms away. BIER writes
    the one bitstring, ingress replication four tunnels."""
    found = change(scheme, "AB", "CD")
    assert (found.messages, found.writes) == (4, writes)
    assert terms(found) == {"announce": 60 * MS, "signal": 130 * MS, "write": 0.15 * MS}


@pytest.mark.parametrize("scheme", ["bier", "ingress-replication", "pim-sm"])
def test_the_origins_own_router_signals_to_nobody(scheme: str) -> None:
    """A cloud at S itself: no overlay update, no Join; PIM's report is its only message."""
    scenario = push(network(*LINKS), "S", ("A", "S"))
    assert change(scheme, "A", "AS", scenario).messages == (scheme == "pim-sm")


def test_unicast_announces() -> None:
    found = change("unicast", "AB", "CD")
    assert (dict(found.setup_terms), found.messages, found.writes) == ({"announce": 0.06}, 0, 0)


MODES = (
    SchemeOptions(),
    SchemeOptions(pim_sm=PimOptions("asm", "n00"), sr_p2mp=SrP2mpOptions(objective="shortest")),
    SchemeOptions(pim_sm=PimOptions("asm", "n01", spt_switchover=False)),
)


@st.composite
def changes(draw: st.DrawFn) -> tuple[Scenario, frozenset[str], frozenset[str]]:
    """A network in one part, every node with a cloud, and two receiver sets of one size."""
    topology = draw(topologies(9))
    names = tuple(node.name for node in topology.nodes)
    ecmp = draw(st.sampled_from(("first", "hash")))
    options = draw(st.sampled_from(MODES))
    scenario = push(topology, names[0], names, schemes=options, ecmp=ecmp)
    (demand,) = context_of(scenario).demands
    assume(not demand.unreachable)
    clouds = sorted(name for name, _, _ in demand.clouds)
    size = draw(st.integers(1, len(clouds)))
    pick = st.lists(st.sampled_from(clouds), min_size=size, max_size=size, unique=True)
    return scenario, frozenset(draw(pick)), frozenset(draw(pick))


@given(changes())
def test_against_a_set_up_from_nothing(
    case: tuple[Scenario, frozenset[str], frozenset[str]],
) -> None:
    """From nobody, a change is the scheme's own set-up. From another set PIM sends no more than
    all Prunes of the old tree and all Joins of the new, and waits no longer than for a new set; an
    equal set costs no message and no write."""
    scenario, first, second = case
    context = context_of(scenario)
    (demand,) = context.demands
    for kind in SCHEMES:
        scheme = kind(scenario, context.routes)
        nobody, old, new = (
            (part, scheme.install(context.routes, part))
            for part in map(demand.only, (frozenset[str](), first, second))
        )
        fresh = scheme.change(context.routes, nobody, new)
        assert terms(fresh) == scheme.setup(context.routes, *new)
        moved = scheme.change(context.routes, old, new)
        if kind.name == "pim-sm":
            prunes = scheme.change(context.routes, old, nobody).messages
            assert moved.messages <= prunes + fresh.messages
            assert sum(moved.setup_terms.values()) <= sum(fresh.setup_terms.values()) + 1e-9
        same = scheme.change(context.routes, new, new)
        assert (same.messages, same.writes, dict(same.held)) == (0, 0, {})


@given(
    st.integers(2, 30), st.integers(1, 30), st.integers(2, 40), st.integers(0, 20), st.integers(0)
)
def test_receiver_sets(pool: int, receivers: int, pushes: int, part: int, seed: int) -> None:
    """Every set has its size and lies in the pool. With room enough, what was replaced so far is
    churn x receivers x pushes but for a part of one receiver."""
    assume(receivers < pool)
    churn = part / 20
    names = [f"c{number}" for number in range(pool)]
    sets = receiver_sets(names, receivers, pushes, churn, seed)
    assert len(sets) == pushes
    assert all(len(each) == receivers and each <= set(names) for each in sets)
    if receivers * 2 <= pool:
        moved = effective(sets) * receivers * (pushes - 1)
        assert abs(moved - churn * receivers * (pushes - 1)) < 1


def run(scenario: Scenario = TREE, **options: Any) -> Campaign:
    given: dict[str, Any] = {"pushes": 9, "churns": [0.0, 0.5, 1.0], **options}
    return campaign(scenario, **given)


def point(result: Campaign, scheme: str, number: int) -> ChurnPoint:
    return next(row.points[number] for row in result.schemes if row.name == scheme)


def test_receivers_that_stay_cost_nothing() -> None:
    for row in run().schemes:
        still = row.points[0]
        assert (still.setup_s, still.messages, still.writes, still.effective) == (0, 0, 0, 0)


def test_all_receivers_are_replaced() -> None:
    """Two of four clouds a push: at full churn always the other two, so BIER and ingress
    replication hear of four egresses each time, and SR-P2MP has both instances at once."""
    result = run()
    assert all(row.points[2].effective == 1 for row in result.schemes)
    assert point(result, "bier", 2).messages == 4
    assert point(result, "bier", 2).writes == 1
    assert point(result, "ingress-replication", 2).writes == 4
    # Root S holds its policy and a segment of each instance.
    assert point(result, "sr-p2mp", 2).state_peak == 3
    # Five BFR-ids (A to D and S) on seven routers, and the transfer's entry at S.
    assert point(result, "bier", 2).state_sum == 5 * 7 + 1


def test_a_small_pool_limits_the_churn() -> None:
    """Three of four clouds a push: one can be replaced, a third."""
    result = run(share=0.75)
    assert all(row.points[2].effective == pytest.approx(1 / 3) for row in result.schemes)
    assert {row.points[2].churn for row in result.schemes} == {1.0}


@pytest.mark.parametrize("scheme", KINDS)
def test_times_are_those_of_compare(scheme: str) -> None:
    """The first push is what compare makes of the very clouds; later ones differ in set-up only
    where sets are equal. A slow link and background leave unequal shares."""
    links = (*LINKS[:3], link("N", "B", gbps=4, delay_s=10 * MS), *LINKS[4:])
    background = (Background("S", "M", 95e9),)
    scenario = push(network(*links), "S", ("A", "B", "C", "D"), background=background)
    result = run(scenario, churns=[0.0])
    clouds = [each.name for each in scenario.clouds]
    (names,) = set(receiver_sets(clouds, 2, 9, 0.0, 0))
    (transfer,) = scenario.transfers
    only = msgspec.structs.replace(transfer, clouds=tuple(sorted(names)))
    alone = compare(msgspec.structs.replace(scenario, transfers=(only,)))
    wanted = next(row for row in alone.schemes if row.name == scheme)
    row = next(row for row in result.schemes if row.name == scheme)
    assert row.first is not None
    assert row.first.ready_s == pytest.approx(wanted.last_ready_s)
    assert row.first.setup_s == pytest.approx(wanted.transfers[0].setup_s)
    assert row.points[0].transfer_s == pytest.approx(wanted.transfers[0].completion_s)
    assert row.points[0].ready_s == pytest.approx(row.first.ready_s - row.first.setup_s)


def test_an_arc_full_of_background_rules_a_scheme_out() -> None:
    scenario = push(network(*LINKS), "S", ("A", "D"), background=(Background("S", "M", 100e9),))
    result = run(scenario)
    assert {row.feasible for row in result.schemes} == {False}
    assert "background" in (result.schemes[0].reason or "")
    assert result.crossings == ()


def test_a_state_limit_counts_both_instances() -> None:
    """Limit 2: the root's policy and one segment fit, a second instance beside them does not."""
    rows = {row.name: row for row in run(msgspec.structs.replace(TREE, state_limit=2)).schemes}
    assert rows["pim-sm"].feasible
    assert not rows["sr-p2mp"].feasible


Curve = Callable[[float], float]


def crossing_of(
    trees: Curve, bits: Curve, churns: tuple[float, ...] = (0.0, 1.0), receivers: int = 1000
) -> Crossing:
    """That of two schemes whose set-up takes these times; all else is 1."""
    both = {"pim-sm": trees, "bier": bits}

    def at(name: str, churn: float) -> ChurnPoint:
        return ChurnPoint(churn, churn, both[name](churn), 1, 1, 1, 1, 1, 1, 1)

    grid = search_grid(churns, receivers)
    found = crossings(("pim-sm", "bier"), grid, receivers, 100, at)
    return next(each for each in found if each.measure == "setup_s")


def flat(churn: float) -> float:
    return 1.0


@pytest.mark.parametrize(
    ("trees", "churn", "below", "always", "most"),
    [
        (lambda churn: churn**2 * 4, 0.5, "pim-sm", None, 3),  # 1 at a half
        (lambda churn: 2 - 2 * churn, 0.5, "bier", None, 1),  # equal right there
        (lambda churn: 2 * math.sqrt(churn), 0.25, "pim-sm", None, 1),
        (lambda churn: 1 + churn, None, None, "bier", 1),  # equal at first, never better
        (lambda churn: 0.5, None, None, "pim-sm", 0.5),
        (flat, None, None, None, 0),
    ],
)
def test_crossing(
    trees: Curve, churn: float | None, below: str | None, always: str | None, most: float
) -> None:
    found = crossing_of(trees, flat)
    assert (found.below, found.always, found.at_once) == (below, always, False)
    assert found.churn == (None if churn is None else pytest.approx(churn, abs=WITHIN))
    assert found.most == pytest.approx(most)
    if churn is None:
        assert verdict(found) == (always or "equal")


@given(st.floats(0.002, 0.998), st.floats(0, 0.9), st.floats(0.01, 1))
def test_a_crossing_is_found_in_any_range_around_it(where: float, low: float, wide: float) -> None:
    """A parabola through 1 at ``where``: what is found lies as near as is promised."""
    high = min(1.0, low + wide)
    found = crossing_of(lambda churn: (churn / where) ** 2, flat, (low, high))
    if low + WITHIN < where < high - WITHIN:
        assert found.churn == pytest.approx(where, abs=WITHIN)
    elif not low <= where <= high:
        assert found.always == ("pim-sm" if where > high else "bier")


def bend(churn: float) -> float:
    """Four receivers: up to one a push a straight line to 1, flat from there."""
    return min(1.0, 4 * churn)


@pytest.mark.parametrize("churns", [(0.0, 1.0), (0.0, 0.5), (0.0, 0.1)])
def test_below_one_receiver_a_push(churns: tuple[float, ...]) -> None:
    """0.6 is passed at 0.6 of the way to one receiver of four, whatever the range; nothing is tried
    between none and one."""
    seen = set()

    def trees(churn: float) -> float:
        seen.add(churn)
        return bend(churn)

    found = crossing_of(trees, lambda churn: 0.6, churns, receivers=4)
    assert sorted(seen)[:2] == [0, 0.25]
    assert found.churn == pytest.approx(0.15)
    assert found.at_once
    assert verdict(found) == "bier as soon as receivers change, else pim-sm"
    assert "%" not in found.sentence.split(";")[0]


def test_curves_that_cross_again() -> None:
    """(c - 0.23) (c - 0.61) (c - 0.87): three times."""
    found = crossing_of(lambda c: 1 + (c - 0.23) * (c - 0.61) * (c - 0.87), flat)
    assert (found.churn, *found.again) == pytest.approx((0.23, 0.61, 0.87), abs=WITHIN)
    assert verdict(found) == (
        "pim-sm below 23 %, bier above, pim-sm again from 61 %, bier again from 87 %"
    )


def near_and_far() -> Scenario:
    """A hub S with twelve clouds one hop away and four at the ends of 20 hops. Joins of 10 ms a hop
    take longer than BIER's signal only where one of the four is new: the more receivers change, the
    more often."""
    links = [link("S", f"N{number}") for number in range(12)]
    for far in "ABCD":
        chain = ["S", *(f"{far}{hop:02}" for hop in range(20))]
        links += [link(a, b) for a, b in pairwise(chain)]
    ends = (*(f"N{number}" for number in range(12)), *(f"{far}19" for far in "ABCD"))
    return push(network(*links), "S", ends)


def test_the_steps_do_not_matter() -> None:
    """Points on the search's own churns or beside them: every crossing is the very same."""
    scenario = near_and_far()
    one, two, three = (
        run(scenario, pushes=40, churns=[step / last for step in range(last + 1)])
        for last in (2, 7, 10)
    )
    assert one.crossings == two.crossings == three.crossings
    assert one.searched == two.searched == three.searched
    (setup,) = (
        each for each in one.crossings if (each.measure, each.fixed) == ("setup_s", "pim-sm")
    )
    assert setup.below == "pim-sm"
    assert setup.churn is not None
    assert not setup.at_once


def test_one_churn_promises_nothing_beyond_it() -> None:
    result = run(churns=[0.5])
    assert result.searched == (0.5,)
    said = " ".join(each.sentence for each in result.crossings)
    assert "at the one churn tried" in said
    assert "every churn" not in said


def test_what_cannot_be_asked() -> None:
    with pytest.raises(UsageError, match="no transfer 'x'"):
        run(transfer="x")
    with pytest.raises(UsageError, match="nobody to replace them by"):
        run(share=1.0)


def test_hash_seeds_do_not_matter() -> None:
    code = (
        "import sys; from tests.unit.test_campaign import run; from mcastplan.report.json import"
        " render; sys.stdout.buffer.write(render(run()))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "42")
    }
    assert outputs == {render(run())}
