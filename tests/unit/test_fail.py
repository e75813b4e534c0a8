"""`study.fail` and its rows: bytes, repair and readiness in closed form, and what is said of it.

Preset tuned [ms]: carrier seen after 10, LSAs 5 to originate and 5 a hop, SPF 50 after its first
news, run 5, 0.15 a route; an adjacency forms in 1,000; a Join 10 a hop; the controller computes in
500, programs in 50 (the root's switch too).
"""

from __future__ import annotations

import math

import msgspec
import pytest

from mcastplan.converge import timeline
from mcastplan.converge.episode import play
from mcastplan.converge.igp import LinkState
from mcastplan.converge.losses import ended
from mcastplan.converge.transport import transmit
from mcastplan.dataplane.flight import Drop, Flight
from mcastplan.evaluate.scheme import install
from mcastplan.model.change import STAGES
from mcastplan.model.failure import Failure
from mcastplan.model.scenario import PimOptions, Scenario, SchemeOptions, Transport
from mcastplan.model.timeline import SchemeTimeline, Timeline, TransferTimeline
from mcastplan.model.transfer import Transfer
from mcastplan.schemes import SCHEMES
from mcastplan.study.compare import context_of
from mcastplan.study.fail import fail
from mcastplan.units import show_time
from tests.networks import GBPS, link, network, push

MS = 1e-3
SIZE = 40 * 10**9
MULTICAST = ("ingress-replication", "pim-sm", "sr-p2mp", "bier")

#   s --- a --- r      1 ms each, 100 Gb/s; r takes 10 Gb/s
CHAIN = network(link("s", "a", delay_s=1 * MS), link("a", "r", delay_s=1 * MS))
# Up at 13 s, the adjacency at 14 s: the hold-down of RFC 8405, 10 s, is over by then.
BROKEN = Failure(3.0, ("a--r",), up_at_s=13.0)


def to_r(**options: object) -> Scenario:
    return push(CHAIN, "s", ("r",), size_gb=SIZE / 1e9, **options)  # type: ignore[arg-type]


def row(result: Timeline, name: str) -> SchemeTimeline:
    (found,) = (each for each in result.schemes if each.name == name)
    return found


def only(result: Timeline, name: str) -> TransferTimeline:
    (found,) = row(result, name).transfers
    return found


# s sends again when: r's LSA is there 2 x (5 + 1) + 5 = 17 after the adjacency, but the first news
# 6 after it, so that the SPF starts at 56 and the route is in the FIB at 61.15. BIER: a BIFT row
# more. PIM: r's FIB at 50 + 5.15, two Joins of 1 + 10. SR-P2MP: computed 517 after the adjacency,
# programmed (2 there, 2 back) and switched at 517 + 54 + 50.
AGAIN_MS = {"ingress-replication": 61.15, "bier": 61.30, "pim-sm": 77.15, "sr-p2mp": 621.0}
HEADER = {"ingress-replication": 50, "bier": 12 + 256 // 8, "pim-sm": 0, "sr-p2mp": 40}


@pytest.mark.parametrize("name", MULTICAST)
def test_bytes_of_a_push_over_a_chain(name: str) -> None:
    """r's 10 Gb/s bind. A packet of 9000 holds 9000 - 28 - header of payload, and takes 28 + 38
    more than that on r's access. What s sends from 2.998 s on (2 ms of way to the end of a--r) is
    lost until the scheme is back: that long times the rate, a whole byte either way. It is sent
    once more after the first pass, which takes as long again."""
    result = fail(to_r(), [BROKEN])
    payload = 9000 - 28 - HEADER[name]
    rate_bps = 10 * GBPS * payload / (payload + 28 + 38)
    gap_s = 14.0 + AGAIN_MS[name] * MS - 2.998
    lost = gap_s * rate_bps / 8
    found = only(result, name)
    (cloud,) = found.clouds
    assert cloud.lost_bytes == found.lost_bytes == found.repaired_bytes
    assert cloud.lost_bytes == pytest.approx(lost, abs=1.5)
    assert cloud.duplicate_bytes == 0
    assert cloud.transfer_s == pytest.approx(SIZE * 8 / rate_bps)
    assert cloud.repair_s == pytest.approx(gap_s, abs=1e-8)
    assert found.completion_without_s == pytest.approx(SIZE * 8 / rate_bps)
    assert found.completion_s == pytest.approx(SIZE * 8 / rate_bps + gap_s, abs=1e-8)
    # The way is the same before and after: the receiver's gap is the sender's.
    assert cloud.outage_s == pytest.approx(gap_s, abs=1e-9)
    assert cloud.ready_s is not None
    assert cloud.ready_without_s is not None
    assert cloud.ready_s - cloud.ready_without_s == pytest.approx(gap_s, abs=1e-8)
    assert cloud.stages["repair"] == pytest.approx(gap_s, abs=1e-8)
    assert sum(cloud.stages.values()) == pytest.approx(cloud.ready_s)


def test_bytes_of_a_pull_over_a_chain() -> None:
    """TCP: s goes on for a round trip of 4 ms, which is lost. Timeouts come 0.2, 0.6, 1.4, 3.0,
    6.2 and 12.6 s after the first loss at 2.998 s; s has its route again at 14.06115 s, so the last
    one, at 15.598 s, gets through. The pull ends as much later as it stood still or sent what was
    lost: 12.6 s."""
    found = only(fail(to_r(), [BROKEN]), "unicast")
    (cloud,) = found.clouds
    rate_bps = 10 * GBPS * 8960 / (8960 + 40 + 38)
    assert cloud.lost_bytes == pytest.approx(0.004 * rate_bps / 8, abs=1.5)
    assert found.repaired_bytes == pytest.approx(cloud.lost_bytes)
    assert cloud.outage_s == pytest.approx(14.06115 - 2.998, abs=1e-9)
    assert found.completion_without_s == pytest.approx(SIZE * 8 / rate_bps)
    assert found.completion_s == pytest.approx(SIZE * 8 / rate_bps + 12.6, abs=1e-6)
    assert cloud.ready_s is not None
    assert cloud.ready_without_s is not None
    assert cloud.ready_s - cloud.ready_without_s == pytest.approx(12.6, abs=1e-6)
    assert cloud.repair_s == 0


#       b          s-b and b-d: metric 1, 1 ms
#     /   \   e
#   s       d      d-e, d-f: 1 ms
#     \   /   f
#       c          s-c and c-d: metric 2, 2 ms
DIAMOND = network(
    link("s", "b", delay_s=1 * MS),
    link("b", "d", delay_s=1 * MS),
    link("s", "c", 2, delay_s=2 * MS),
    link("c", "d", 2, delay_s=2 * MS),
    link("d", "e", delay_s=1 * MS),
    link("d", "f", delay_s=1 * MS),
)


@pytest.mark.parametrize(
    "failures",
    [
        (Failure(3.0, ("b--s",)),),
        (Failure(3.0, ("d--e",), up_at_s=9.0),),
        (Failure(3.0, ("d--e",)),),
        (Failure(3.0, ("b--s",), kind="silent", up_at_s=5.0), Failure(6.0, nodes=("c",))),
        (Failure(3.0, nodes=("e",), up_at_s=90.0),),
        (Failure(3.0, nodes=("s",)),),
    ],
)
@pytest.mark.parametrize("profile", ["nack-ideal", "uftp"])
def test_what_is_sent_is_delivered_or_lost(failures: tuple[Failure, ...], profile: str) -> None:
    """Per receiver: bytes that it lacked when they were sent are delivered or lost, and it ends
    with all of them, or is evicted or cut off. A byte is sent the first time or again."""
    transport = Transport(profile=profile, evict_after_s=30.0)  # type: ignore[arg-type]
    scenario = push(DIAMOND, "s", ("b", "e", "f", "f"), size_gb=20, transport=transport)
    context = context_of(scenario)
    igp = LinkState(scenario, context.routes, failures)
    for kind in SCHEMES:
        installed = install(context, kind)
        episode = play(context, installed.scheme, igp, installed.plans)
        courses = timeline._courses(context, installed, episode)
        (found,) = transmit(context.space, courses, transport, scenario.timers)
        size = 20 * 10**9
        for name, cloud in found.clouds.items():
            sums = cloud.delivered_bytes + cloud.lost_bytes
            assert sums == pytest.approx(cloud.offered_bytes, abs=1.0), (kind.name, name)
            assert cloud.offered_bytes <= found.sent_bytes + 1.0
            if cloud.complete:
                assert cloud.delivered_bytes == size
            else:
                assert cloud.delivered_bytes < size
                assert cloud.evicted or kind.name == "unicast"
        pulls = len(found.clouds) if kind.name == "unicast" else 1
        first = found.sent_bytes - found.repaired_bytes
        assert first <= size * pulls + 1.0
        if all(cloud.complete for cloud in found.clouds.values()):
            assert first == pytest.approx(size * pulls, abs=1.0)


def test_one_receiver_misses_something_and_the_others_wait_for_nothing() -> None:
    """d--e fails for 6 s: only e lacks bytes, and only e is ready later. f's push takes as long as
    without: the repair round comes after it."""
    result = fail(
        push(DIAMOND, "s", ("e", "f"), size_gb=40), [Failure(3.0, ("d--e",), up_at_s=9.0)]
    )
    for name in MULTICAST:
        found = only(result, name)
        e, f = found.clouds
        assert found.repaired_bytes == e.lost_bytes > 0
        assert (f.lost_bytes, f.outages, f.repair_s) == (0, (), 0)
        assert f.ready_s == pytest.approx(f.ready_without_s, abs=1e-9)
        assert e.ready_s is not None
        assert e.ready_without_s is not None
        assert e.ready_s > e.ready_without_s
    assert "unicast" in {each.name for each in result.schemes}


def test_every_row_adds_up() -> None:
    """Outages are in order and do not overlap, their stages are known and sum to them, spans of a
    router do not overlap, nothing changes after `settled_s`."""
    failures = [Failure(3.0, ("b--s",), up_at_s=20.0), Failure(25.0, nodes=("c",))]
    result = fail(push(DIAMOND, "s", ("b", "e", "f"), size_gb=40), failures)
    assert [each.name for each in result.schemes] == [kind.name for kind in SCHEMES]
    assert [(each.at_s, each.links, each.nodes) for each in result.failures] == [
        (3.0, ("b--s",), ()),
        (25.0, (), ("c",)),
    ]
    for each in result.schemes:
        assert each.feasible
        assert each.settled_s is not None
        ends = []
        for cloud in each.transfers[0].clouds:
            before_s = -math.inf
            for outage in cloud.outages:
                assert outage.to_s is not None
                assert before_s <= outage.from_s <= outage.to_s
                assert outage.stages.keys() <= STAGES.keys()
                assert sum(outage.stages.values()) == pytest.approx(
                    outage.to_s - outage.from_s, abs=1e-9
                )
                assert outage.where
                before_s = outage.to_s
                ends.append(outage.to_s)
        assert each.restored_s == max(ends, default=None)
        for router in each.routers:
            before_s = -math.inf
            for span in router.spans:
                assert before_s <= span.from_s < span.to_s <= each.settled_s
                before_s = span.to_s


#      2       2       2
#  s ----- x ----- y ----- z      s - y: 3, s - z: 7; metric = ms
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


def test_state_and_copies_of_an_sr_p2mp_tree_that_moves() -> None:
    """The tree of least cost, s-x-y-z, has a segment at each node, and the policy: 5 entries, 3
    copies. y--z fails: y's copy goes back over s to z, 4 copies; before s has flipped too, whose
    way to z was over y, it comes back to y once more: 5. s hears of it at 10 + 5 + 3 + 5 =
    23, has s-x-y and s-z at 523; z, 7 away, acknowledges at 587; s switches at 637. The new
    instance is 4 entries more until the old one goes, 10 s later: the last instant."""
    result = fail(push(CORD, "s", ("x", "y", "z"), size_gb=40), [Failure(3.0, ("y--z",))])
    found = row(result, "sr-p2mp")
    assert (found.state_before, found.state_peak, found.state_after) == (5, 9, 5)
    assert (found.copies_before, found.copies_peak, found.copies_after) == (3, 5, 3)
    assert found.settled_s == pytest.approx(3 + 0.637 + 10)
    assert found.notes == ("push: a repaired tree to instance 2 at 3.637 s, 4 entries programmed",)
    bier = row(result, "bier")
    # One row for each of s, x, y, z at every node, and the push at s: no failure changes that.
    assert (bier.state_before, bier.state_peak, bier.state_after) == (17, 17, 17)


def test_the_answer_in_sentences() -> None:
    """a--r fails for good: nobody else receives."""
    result = fail(to_r(), [Failure(3.0, ("a--r",))])
    assert result.because[0] == "1 cloud cannot be reached any more: c000-r"
    assert not any(each.startswith("longest outage") for each in result.because)
    result = fail(push(DIAMOND, "s", ("e",), size_gb=40), [Failure(3.0, ("c--d",))])
    assert result.because == ("no receiver stops receiving under any scheme",)
    result = fail(push(DIAMOND, "s", ("e",), size_gb=40), [Failure(3.0, ("b--s",))])
    # One route: 10 + 50 + 5 + 0.15, and 5 of way; what entered s--b in time was there at 2: 68.15.
    assert result.because[0].startswith("longest outage that ends: unicast 68.2")
    assert any("pim-sm waits longest for throttle (50 ms of " in each for each in result.because)


def test_a_cloud_without_a_way_is_not_blamed_on_the_failure() -> None:
    """x--y is no part of the rest: y is never reached. d--e fails: e alone is cut off by it."""
    links = [link("s", "d"), link("d", "e"), link("d", "f"), link("x", "y")]
    result = fail(
        push(network(*links), "s", ("e", "f", "y"), size_gb=40), [Failure(3.0, ("d--e",))]
    )
    for each in result.schemes:
        (found,) = each.transfers
        assert (found.unreachable, found.never) == (("c000-e",), ("c002-y",)), each.name
    assert result.because[:2] == (
        "1 cloud cannot be reached any more: c000-e",
        "1 cloud cannot be reached even without the failure: c002-y",
    )
    # Settled without the cloud that never had a way, and with nobody blamed for it.
    result = fail(push(network(*links), "s", ("f", "y"), size_gb=40), [Failure(3.0, ("d--e",))])
    assert result.because == (
        "1 cloud cannot be reached even without the failure: c001-y",
        "no receiver stops receiving under any scheme",
    )


def test_the_most_delayed_cloud_is_named_where_the_last_one_is_not_later() -> None:
    """e misses seconds of the push; f, of the other push of six times as much, is ready last and
    in time."""
    scenario = push(DIAMOND, "s", ("e", "f"), size_gb=40)
    first = msgspec.structs.replace(scenario.transfers[0], clouds=("c000-e",))
    second = Transfer("second", 6 * SIZE, 1, "s", ("c001-f",))
    both = msgspec.structs.replace(scenario, transfers=(first, second))
    result = fail(both, [Failure(3.0, ("d--e",), up_at_s=9.0)])
    (e,) = row(result, "pim-sm").transfers[0].clouds
    assert e.ready_s is not None
    assert e.ready_without_s is not None
    (said,) = [each for each in result.because if each.startswith("pim-sm: receivers miss")]
    delay = show_time(e.ready_s - e.ready_without_s)
    assert said.endswith(f"the last replica is ready as soon; most delayed: c000-e (push) +{delay}")


def test_two_pushes_and_a_failure_that_one_of_them_meets() -> None:
    """The push from e is not behind s--b."""
    scenario = push(DIAMOND, "s", ("d", "f"), size_gb=40)
    second = Transfer("second", SIZE, 1, "e", ("c000-d",), start_s=1.0)
    both = msgspec.structs.replace(scenario, transfers=(*scenario.transfers, second))
    result = fail(both, [Failure(3.0, ("b--s",))])
    for each in result.schemes:
        hit, spared = each.transfers
        assert (hit.name, spared.name) == ("push", "second")
        assert all(len(cloud.outages) == 1 for cloud in hit.clouds), each.name
        assert [cloud.outages for cloud in spared.clouds] == [()], each.name
        assert spared.lost_bytes == spared.repaired_bytes == 0


def test_a_receiver_that_is_away_too_long_is_evicted() -> None:
    """Out from 2.998 s for 11.06 s, and dropped after 5 s: lost is what was sent in those."""
    options = Transport(evict_after_s=5.0)
    result = fail(push(CHAIN, "s", ("a", "r"), size_gb=40, transport=options), [BROKEN])
    found = only(result, "pim-sm")
    a, r = found.clouds
    assert found.evicted == ("c001-r",)
    assert found.unreachable == ()
    rate_bps = 10 * GBPS * 8972 / (8972 + 66)
    assert r.lost_bytes == pytest.approx(5.0 * rate_bps / 8, abs=1.5)
    assert found.repaired_bytes == 0
    assert (r.ready_s, r.transfer_s, r.repair_s) == (None, None, None)
    assert a.ready_s == pytest.approx(a.ready_without_s, abs=1e-9)
    assert only(result, "unicast").evicted == ()


def test_a_packet_that_passes_its_receiver_by() -> None:
    """SR-P2MP heals s--d by SIDs: what was for d, a bud, gets there over c; d's copy for c comes
    back. Once d has lost that branch (in-place update), c forwards packets and receives none: not
    an outage without a word."""
    graph = network(link("s", "c"), link("c", "d"), link("d", "s")).graph
    c, d, s = (graph.index[name] for name in "cds")
    arc = {(graph.tail[each], graph.head[each]): each for each in range(len(graph.head))}
    there = {arc[s, c]: 1, arc[c, d]: 1}
    good = Flight(0, 1, None, {c: (1, 0.0), d: (1, 0.0)}, {**there, arc[d, c]: 1}, {}, ())
    lost = Flight(1, 2, None, {d: (1, 0.0)}, there, {}, ())
    assert ended(graph, lost, good, c) == [Drop(c, None, "passes by: no copy is for it")]


def test_what_is_not_modelled_is_a_reason() -> None:
    schemes = SchemeOptions(pim_sm=PimOptions(mode="asm", rp="a"))
    found = row(fail(to_r(schemes=schemes), [BROKEN]), "pim-sm")
    assert not found.feasible
    assert found.reason is not None
    assert found.transfers == ()
    assert found.worst_outage_s is None


def test_nothing_happens_before_the_failure_and_nothing_without_one() -> None:
    """A failure of a link that no scheme uses changes no reading but the routers' own."""
    calm = fail(push(DIAMOND, "s", ("e",), size_gb=40), [Failure(3.0, ("c--d",))])
    for each in calm.schemes:
        (transfer,) = each.transfers
        assert transfer.completion_s == transfer.completion_without_s
        assert transfer.lost_bytes == transfer.repaired_bytes == 0
        assert each.losses == ()
        assert all(span.from_s >= 3.0 for router in each.routers for span in router.spans)


def test_progress_names_each_scheme() -> None:
    told: list[tuple[str, float]] = []
    fail(to_r(), [BROKEN], progress=lambda what, share: told.append((what, share)))
    assert [what for what, _ in told] == ["routes", *(kind.name for kind in SCHEMES), "done"]
    assert [share for _, share in told] == sorted(share for _, share in told)
