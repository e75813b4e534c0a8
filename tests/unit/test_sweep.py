"""A sweep on networks small enough to say by hand what every failure does."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from math import comb

import msgspec
import pytest

from mcastplan.errors import UsageError
from mcastplan.model.cloud import Cloud
from mcastplan.model.scenario import PimOptions, Scenario, SchemeOptions
from mcastplan.model.sweep import Case, Row, Sweep
from mcastplan.model.topology import Link, NodeInfo, Topology
from mcastplan.model.transfer import Background
from mcastplan.report.json import render
from mcastplan.study.failures import cases_of
from mcastplan.study.harm import distribution
from mcastplan.study.sweep import one, prepare, sweep
from mcastplan.study.sweep_words import because
from mcastplan.units import show_time
from tests.networks import GBPS, link, network, push

# 10 GB at 10 Gb/s of ingress: 8 s of payload; PIM puts 28 + 38 B around 8972 B of it.
PIM_S = 8 * (8972 + 28 + 38) / 8972

SQUARE = network(link("A", "B"), link("B", "C"), link("C", "D"), link("A", "D"))
"""::

    A --- B
    |     |
    D --- C     all metrics 1; ties go to the smaller name
"""

TAIL = network(link("A", "B"), link("B", "C"), link("A", "C"), link("C", "E"))
"""::

    A --- B
     \\   /
       C --- E    E hangs on one link
"""


def by_name(result: Sweep) -> dict[str, object]:
    return {each.name: each for each in result.schemes}


def rows_of(scenario: Scenario, kind: str = "single-link") -> dict[str, Row]:
    base = prepare(scenario)
    cases = cases_of(scenario.topology, kind)[1]  # type: ignore[arg-type]
    return {case.name: one(base, case) for case in cases}


def test_a_square_with_one_receiver_across() -> None:
    """A pushes to C. Forward A-B-C (B before D); PIM joins from C towards A over B as well. If
    A--B or B--C fails everything goes A-D-C, two arcs as before: as long, as many bytes. A--D and
    C--D carry nothing. No failure hurts."""
    scenario = push(SQUARE, "A", ("C",))
    for name, row in rows_of(scenario).items():
        for each in row.schemes:
            assert each.touched == (name in ("A--B", "B--C")), (name, each)
            assert each.unreachable == ()
            if each.name == "pim-sm":
                assert each.completion_s == pytest.approx(PIM_S)
                assert each.wire_bytes == pytest.approx(2 * 1e10 * 9038 / 8972)
    result = sweep(scenario, "single-link")
    assert result.total == result.chosen == result.evaluated == 4
    assert result.worst == ()
    assert result.remedy is None
    for scheme in result.schemes:
        assert (scheme.touched, scheme.harmless) == (2, 4)
    assert "none of 4 link failures cuts a receiver off, in any scheme" in result.because


def test_both_links_of_a_way_and_one_of_each() -> None:
    """Six pairs of the square's links: A to C is lost where both ways are cut, that is one of
    A--B, B--C with one of A--D, C--D: 4 pairs."""
    rows = rows_of(push(SQUARE, "A", ("C",)), "double-link")
    assert len(rows) == comb(4, 2)
    cut = {name for name, row in rows.items() if row.schemes[0].unreachable}
    assert cut == {"A--B + A--D", "A--B + C--D", "A--D + B--C", "B--C + C--D"}


def test_nodes_fail_with_their_links_and_the_origin_takes_all() -> None:
    """A pushes to A (its own cloud), C. B's failure moves the push to D; C's takes C's cloud away
    and leaves A's; A's leaves nobody; D's touches nothing."""
    rows = rows_of(push(SQUARE, "A", ("A", "C")), "single-node")
    for each in rows["A"].schemes:
        assert each.unreachable == ("c000-A", "c001-C")
        assert (each.completion_s, each.wire_bytes) == (None, None)
    for each in rows["C"].schemes:
        assert each.unreachable == ("c001-C",)
        assert each.wire_bytes == 0
        assert each.completion_s is not None
    assert all(each.touched and not each.unreachable for each in rows["B"].schemes)
    assert not any(each.touched for each in rows["D"].schemes)


def test_a_link_that_must_never_fail_and_its_remedy() -> None:
    """E hangs on C--E. Its failure cuts off E's cloud in every scheme, and nothing else does. A
    twin of it, or a link from E to its nearest node that is no neighbour yet (two hops away: A, B),
    leaves no failure that cuts E off; on equal harm the first that was tried is named, the twin."""
    scenario = push(TAIL, "A", ("B", "E"))
    result = sweep(scenario, "single-link")
    (worst,) = result.worst
    assert worst.failure == "C--E"
    assert worst.links == ("C--E",)
    assert worst.cut_off == ("c001-E",)
    assert worst.replicas_cut_off == 1
    remedy = result.remedy
    assert remedy is not None
    assert (remedy.kind, remedy.a, remedy.b) == ("doubled", "C", "E")
    assert (remedy.replicas_before, remedy.replicas_after, remedy.tried) == (1, 0, 2)
    assert result.because[0] == (
        "1 link of 4 must never fail, for no scheme has a way round: C--E (1 cloud, 1 replica)"
    )
    assert "would have saved nobody" in " ".join(result.because)


def test_a_new_link_goes_to_the_nearest_place_on_the_globe() -> None:
    """Node E (0 E) is cut off by C--E or by C itself. Not neighbours: A (10 E) and B (20 E). As
    nodes fail, a twin would not help; the shortest new link is A--E."""
    places = {"A": 10.0, "B": 20.0, "C": 1.0, "E": 0.0}
    nodes = tuple(NodeInfo(name, lon=lon, lat=0.0) for name, lon in places.items())
    topology = Topology.make("test", nodes, TAIL.links)
    result = sweep(push(topology, "A", ("B", "E")), "single-node")
    assert {each.failure for each in result.worst} == {"A", "B", "C", "E"}
    remedy = result.remedy
    assert remedy is not None
    assert (remedy.kind, remedy.a, remedy.b) == ("added", "A", "E")
    # A cuts off both; B and E themselves; C cuts off E, unless A--E is there.
    assert (remedy.replicas_before, remedy.replicas_after) == (5, 4)


def test_delay_where_copies_meet() -> None:
    """::

        A ===== B      A--B 10 Gb/s, metric 1; A--C 100 Gb/s; B--C 10 Gb/s
         \\     /
            C          clouds at B and C, ingress 10 Gb/s

    If A--C fails, C is fed through B. Ingress replication then sends two copies over A--B: at
    10 Gb/s each gets half, 9088 B of packet with 8922 B of payload. One multicast copy still runs
    at the ingress rate."""
    topology = network(link("A", "B", gbps=10), link("A", "C"), link("B", "C", gbps=10))
    scenario = push(topology, "A", ("B", "C"))
    result = sweep(scenario, "single-link")
    rows = {each.name: each for each in rows_of(scenario)["A--C"].schemes}
    packet, payload = 8922 + 28 + 50 + 38, 8922
    assert rows["ingress-replication"].completion_s == pytest.approx(16 * packet / payload)
    assert rows["pim-sm"].completion_s == pytest.approx(PIM_S)
    scheme = {each.name: each for each in result.schemes}
    assert scheme["pim-sm"].harmless == 3
    assert scheme["ingress-replication"].harmless < 3
    assert result.worst[0].replicas_cut_off == 0
    found = scheme["ingress-replication"].completion_s
    assert found is not None and found.base is not None
    late_s = sum(each - found.base for each in found.values)
    (summed,) = [each for each in result.because if "summed over all failures: unicast" in each]
    assert f"ingress-replication {show_time(late_s)}, " in summed
    assert summed.endswith("bier none")
    # Nobody is cut off, with or without the link.
    assert not any("replicas cut off" in each for each in result.because)


def test_background_that_moves_fills_another_link() -> None:
    """A pushes to B over A--B (metric 1). Background C to D runs C-D; if that link fails it runs
    C-A-B-D, and takes 95 of the 100 Gb/s of A--B: 5 are left for the push."""
    topology = network(link("A", "B"), link("A", "C"), link("B", "D"), link("C", "D"))
    scenario = push(topology, "A", ("B",), background=(Background("C", "D", 95 * GBPS),))
    rows = {each.name: each for each in rows_of(scenario)["C--D"].schemes}
    assert rows["pim-sm"].touched
    assert rows["pim-sm"].completion_s == pytest.approx(2 * PIM_S)


def test_a_scheme_whose_rendezvous_point_is_cut_off_serves_nobody() -> None:
    """PIM-SM's RP sits on E, behind C--E; A pushes to B. Without the RP no receiver can join."""
    options = SchemeOptions(pim_sm=PimOptions(mode="asm", rp="E"))
    scenario = push(TAIL, "A", ("B",), schemes=options)
    rows = {each.name: each for each in rows_of(scenario)["C--E"].schemes}
    assert rows["pim-sm"].unreachable == ("c000-B",)
    assert rows["pim-sm"].completion_s is None
    assert rows["bier"].unreachable == ()
    result = sweep(scenario, "single-link")
    assert result.worst[0].failure == "C--E"
    assert result.worst[0].cut_off == ()


def test_outages_of_pim_with_a_rendezvous_point_are_unknown_not_zero() -> None:
    """A pushes to B, and the failure of A--B is followed under no ASM."""
    options = SchemeOptions(pim_sm=PimOptions(mode="asm", rp="B"))
    scenario = push(TAIL, "A", ("B",), schemes=options)
    found = {each.name: each for each in sweep(scenario, "single-link", transient=True).schemes}
    assert found["pim-sm"].feasible
    assert found["pim-sm"].outage_s is None
    bier = found["bier"].outage_s
    assert bier is not None
    assert bier.worst


def shared(links: Sequence[Link], group: str) -> Topology:
    return network(*(msgspec.structs.replace(each, srlgs=(group,)) for each in links))


def test_shared_risk_groups_go_down_together() -> None:
    topology = shared(SQUARE.links[:2], "duct")
    assert [each.id for each in topology.links] == ["A--B", "A--D"]
    (row,) = rows_of(push(topology, "A", ("B",)), "srlg").values()
    assert row.failure == "duct"
    assert row.schemes[0].unreachable == ("c000-B",)


def test_there_must_be_something_to_fail() -> None:
    with pytest.raises(UsageError, match="has no SRLGs"):
        cases_of(SQUARE, "srlg")
    with pytest.raises(UsageError, match="too few links"):
        cases_of(network(link("A", "B")), "double-link")


def test_too_many_failures_need_a_sample() -> None:
    """A star of 700 links has 244,650 pairs."""
    star = network(*(link("hub", f"n{place:03}") for place in range(700)))
    with pytest.raises(UsageError, match="244,650 failures are more than 200,000"):
        cases_of(star, "double-link")
    assert cases_of(star, "double-link", 5)[0] == comb(700, 2)


def test_a_sample_is_the_smallest_hashes_in_order() -> None:
    star = network(*(link("hub", f"n{place:03}") for place in range(50)))
    names = [each.id for each in star.links]

    def rank(name: str) -> bytes:
        return blake2b(f"7|{name}".encode(), digest_size=16).digest()

    wanted = sorted(sorted(names, key=rank)[:9])
    total, cases = cases_of(star, "single-link", 9, 7)
    assert (total, [case.name for case in cases]) == (50, wanted)
    larger = {case.name for case in cases_of(star, "single-link", 20, 7)[1]}
    assert larger > set(wanted)
    assert [case.name for case in cases_of(star, "single-link", 9, 8)[1]] != wanted
    assert len(cases_of(star, "single-link", 80, 8)[1]) == 50


def test_quantiles_by_nearest_rank() -> None:
    """Of 1 to 100 the median by nearest rank is 50, the 90th percentile 90. Nobody left to serve
    is worse than any number."""
    found = distribution(1.0, [float(each) for each in range(100, 0, -1)])
    assert (found.p50, found.p90, found.p99, found.worst) == (50, 90, 99, 100)
    assert found.count == 100
    assert found.values == tuple(float(each) for each in range(2, 101))
    lost = distribution(2.0, [2.0, None, 3.0])
    assert (lost.p50, lost.worst, lost.values, lost.count) == (3.0, None, (3.0,), 3)
    nothing = distribution(None, [])
    assert (nothing.p50, nothing.worst, nothing.count) == (None, None, 0)


def shuffled(function: Callable[[Case], Row], cases: Sequence[Case]) -> Iterator[Row]:
    """A map that runs in another process would: the function pickled, rows in any order."""
    function = pickle.loads(pickle.dumps(function))
    mixed = list(cases)
    random.Random(3).shuffle(mixed)
    yield from map(function, mixed)


@pytest.mark.parametrize("kind", ["single-link", "single-node", "double-link"])
def test_the_result_does_not_depend_on_the_map(kind: str) -> None:
    scenario = push(TAIL, "A", ("B", "E", "E"))
    usual = sweep(scenario, kind)  # type: ignore[arg-type]
    other = sweep(scenario, kind, map=shuffled)  # type: ignore[arg-type]
    assert render(usual) == render(other)


def test_rows_already_known_are_not_evaluated_again() -> None:
    scenario = push(TAIL, "A", ("B", "E"))
    done = rows_of(scenario)
    asked: list[str] = []

    def watched(function: Callable[[Case], Row], cases: Sequence[Case]) -> Iterator[Row]:
        asked.extend(case.name for case in cases)
        yield from map(function, cases)

    left = {name: row for name, row in done.items() if name != "C--E"}
    result = sweep(scenario, "single-link", map=watched, done=left)
    assert asked == ["C--E"]
    assert render(result) == render(sweep(scenario, "single-link"))


def test_a_map_that_ends_early() -> None:
    """Two of four: their numbers, no remedy, and how much that is."""
    scenario = push(TAIL, "A", ("B", "E"))

    def early(function: Callable[[Case], Row], cases: Sequence[Case]) -> Iterator[Row]:
        yield from map(function, cases[:2])

    result = sweep(scenario, "single-link", map=early)
    assert (result.total, result.chosen, result.evaluated) == (4, 4, 2)
    assert not result.complete
    assert result.remedy is None
    assert "interrupted after 2 of 4 failures" in result.because
    assert all(each.completion_s and each.completion_s.count == 2 for each in result.schemes)


def test_an_infeasible_scheme_has_its_reason() -> None:
    """An RP that cannot be reached without any failure."""
    topology = network(link("A", "B"), extra=("Z",))
    options = SchemeOptions(pim_sm=PimOptions(mode="asm", rp="Z"))
    result = sweep(push(topology, "A", ("B",), schemes=options), "single-link")
    pim = {each.name: each for each in result.schemes}["pim-sm"]
    assert not pim.feasible
    assert pim.reason == "the RP Z cannot be reached from A"
    assert [each.name for each in result.worst[0].schemes] == [
        each.name for each in result.schemes if each.feasible
    ]


def test_one_cloud_out_of_reach_from_the_start_is_no_harm() -> None:
    topology = network(link("A", "B"), link("A", "C"), extra=("Z",))
    scenario = push(topology, "A", ("B", "Z"))
    result = sweep(scenario, "single-link")
    assert [each.failure for each in result.worst] == ["A--B"]
    assert result.worst[0].cut_off == ("c000-B",)


def test_a_cloud_out_of_reach_from_the_start_is_named_first() -> None:
    """On the square no failure cuts C off; Z has no link at all."""
    links = (link("A", "B"), link("B", "C"), link("C", "D"), link("A", "D"))
    result = sweep(push(network(*links, extra=("Z",)), "A", ("C", "Z")), "single-link")
    assert result.unreachable == ("c001-Z",)
    assert result.because[:2] == (
        "1 cloud cannot be reached even without a failure: c001-Z",
        "none of 4 link failures cuts another receiver off, in any scheme",
    )


NOBODY = "would have saved nobody"


@pytest.mark.parametrize(
    ("unicast", "bier", "said"),
    [
        (2.0, 1.0, "BIER would have saved unicast in 1 "),
        (2.0, 1.005, "BIER would have saved unicast in 1 "),
        (2.0, 1.09, "BIER would have saved unicast in 1 "),
        (2.0, 1.11, NOBODY),
        (1.005, 1.005, "no failure hurts any scheme"),
        (1.0, 1.5, "it alone is hurt by 1"),
    ],
)
def test_bier_saves_where_its_delay_is_under_a_tenth(
    unicast: float, bier: float, said: str
) -> None:
    """One failure after which two schemes take so many times as long; the others as long."""
    result = sweep(push(SQUARE, "A", ("C",)), "single-link")
    base = {each.name: each.completion_s for each in result.schemes}
    times = {"unicast": unicast, "bier": bier}
    schemes = []
    for each in next(iter(rows_of(push(SQUARE, "A", ("C",))).values())).schemes:
        found = base[each.name]
        assert found is not None and found.base is not None
        late = found.base * times.get(each.name, 1.0)
        schemes.append(msgspec.structs.replace(each, completion_s=late))
    told = because(result, [Row("x", tuple(schemes))])
    assert any(said in sentence for sentence in told), told


def test_what_another_scheme_loses_bier_saves_whatever_its_delay() -> None:
    """PIM-SM's RP is behind C--E, as below: B is lost to it alone."""
    options = SchemeOptions(pim_sm=PimOptions(mode="asm", rp="E"))
    said = sweep(push(TAIL, "A", ("B",), schemes=options), "single-link").because
    assert any("BIER would have saved pim-sm in 1 (" in each for each in said), said


def test_names_of_several_transfers() -> None:
    scenario = push(TAIL, "A", ("E",))
    (first,) = scenario.transfers
    second = msgspec.structs.replace(first, name="second", origin="B")
    scenario = msgspec.structs.replace(scenario, transfers=(first, second))
    for each in rows_of(scenario)["C--E"].schemes:
        assert each.unreachable == ("push/c000-E", "second/c000-E")
    # One cloud with one replica, whatever the number of transfers that do not reach it.
    assert sweep(scenario, "single-link").worst[0].replicas_cut_off == 1


def test_a_cloud_with_many_replicas_weighs_more() -> None:
    """Two leaves on a hub: 8 replicas behind one link, 1 behind the other."""
    topology = network(link("H", "X"), link("H", "Y"))
    scenario = push(topology, "H", ("X", "Y"))
    heavy = Cloud("c001-Y", "Y", ingress_bps=10 * GBPS, replicas=8)
    scenario = msgspec.structs.replace(scenario, clouds=(scenario.clouds[0], heavy))
    result = sweep(scenario, "single-link")
    assert [each.failure for each in result.worst] == ["H--Y", "H--X"]
    remedy = result.remedy
    assert remedy is not None
    # X--Y, tried last, leaves nobody cut off; each twin only one of the two.
    assert (remedy.kind, remedy.a, remedy.b) == ("added", "X", "Y")
    assert (remedy.replicas_before, remedy.replicas_after) == (9, 0)
