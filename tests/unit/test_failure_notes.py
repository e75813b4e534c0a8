"""What `fail` says beside its numbers: whom protection covers, what is lost, what is kept.

Preset tuned [ms]: carrier seen after 10, backups in place 15 after that (protect), SPF 50 after its
first news. So somebody covered is back long before 50 ms, and nobody else is.
"""

from __future__ import annotations

import re

import msgspec
import pytest

from mcastplan.converge.coverage import coverage_notes
from mcastplan.converge.igp import LinkState
from mcastplan.evaluate.scheme import install
from mcastplan.model.failure import Failure
from mcastplan.model.scenario import PimOptions, Scenario, SchemeOptions, SrP2mpOptions
from mcastplan.model.timeline import SchemeTimeline, Timeline
from mcastplan.model.timers import Timers
from mcastplan.scenario import load_scenario
from mcastplan.schemes import SCHEMES
from mcastplan.study.compare import context_of
from mcastplan.study.fail import fail
from mcastplan.units import show_size
from tests.networks import link, network, push

MS = 1e-3
FIB = ("unicast", "ingress-replication", "sr-p2mp")


def row(result: Timeline, name: str) -> SchemeTimeline:
    return next(each for each in result.schemes if each.name == name)


def quick(found: SchemeTimeline) -> set[str]:
    """Clouds that missed something and had it back before any SPF could start."""
    return {
        cloud.name
        for each in found.transfers
        for cloud in each.clouds
        if cloud.outage_s is not None and 0 < cloud.outage_s < 50 * MS
    }


#   a --- b     metric 1 each, 1 ms; a pushes to b, c and d. Towards c all take the way over b.
#   |     |
#   d --- c
RING = network(*(link(x, y, delay_s=1 * MS) for x, y in ("ab", "bc", "cd", "da")))
SHORTEST = SchemeOptions(sr_p2mp=SrP2mpOptions(objective="shortest"))


def ring(protection: str, schemes: SchemeOptions = SHORTEST) -> Scenario:
    return push(RING, "a", ("b", "c", "d"), protection=protection, schemes=schemes)


@pytest.mark.parametrize("name", ["unicast", "ingress-replication"])
def test_an_lfa_for_the_far_corner_alone(name: str) -> None:
    """a--b fails. d is a loop-free alternate towards c (1 < 1 + 2), and none towards b (2 < 1 + 1
    is false): RFC 5286's ring. TI-LFA tunnels round it for both."""
    failure = [Failure(1.0, ("a--b",))]
    lfa = row(fail(ring("lfa"), failure), name)
    said = "push: LFA at a covers 1 of 2 receivers behind the failure; not c000-b (no LFA at a)"
    assert lfa.notes == (said,)
    assert quick(lfa) == {"c001-c"}
    tunnels = row(fail(ring("ti-lfa"), failure), name)
    assert tunnels.notes == ("push: TI-LFA at a covers 2 of 2 receivers behind the failure",)
    assert quick(tunnels) == {"c000-b", "c001-c"}


def test_behind_a_replication_segment_its_fate_is_shared() -> None:
    """The SR-P2MP tree is a, b, c: c is behind b's segment, to which there is no LFA."""
    found = row(fail(ring("lfa"), [Failure(1.0, ("a--b",))]), "sr-p2mp")
    said = "push: LFA at a covers 0 of 2 receivers behind the failure"
    assert f"{said}; not c000-b, c001-c (no LFA at a)" in found.notes
    assert quick(found) == set()
    found = row(fail(ring("ti-lfa"), [Failure(1.0, ("a--b",))]), "sr-p2mp")
    assert "push: TI-LFA at a covers 2 of 2 receivers behind the failure" in found.notes
    assert quick(found) == {"c000-b", "c001-c"}


def test_a_failed_receiver_and_a_backup_that_meets_the_failure() -> None:
    """b itself fails: nothing helps it. Towards c the backup over d is alive. With d--c down too,
    it is not: d sends what comes back to a, and a's tunnel ends where d's first hop would."""
    both = [Failure(1.0, nodes=("b",)), Failure(1.0, ("c--d",))]
    alone = row(fail(ring("ti-lfa"), both[:1]), "unicast")
    assert alone.notes == (
        "push: TI-LFA at a covers 1 of 2 receivers behind the failure; not c000-b (b"
        " itself failed)",
    )
    assert quick(alone) == {"c001-c"}
    doubled = row(fail(ring("ti-lfa"), both), "unicast")
    assert doubled.notes == (
        "push: TI-LFA at a covers 0 of 2 receivers behind the failure; not c000-b (b itself"
        " failed), c001-c (its backup meets the failure too)",
    )
    assert quick(doubled) == set()


def test_pim_and_bier_are_told_that_they_are_not_covered() -> None:
    """Neither forwards by the FIB; without protection nobody says anything."""
    failure = [Failure(1.0, ("a--b",))]
    result = fail(ring("ti-lfa"), failure)
    said = "the underlay's TI-LFA does not cover its packets: they do not go by the FIB"
    assert {each.name for each in result.schemes if said in each.notes} == {"pim-sm", "bier"}
    assert not any(quick(row(result, name)) for name in ("pim-sm", "bier"))
    for each in fail(ring("none"), failure).schemes:
        assert not any("cover" in note for note in each.notes)


def test_nobody_behind_the_failure_no_word() -> None:
    """Nothing goes over c--d: c's copies come over b."""
    result = fail(ring("lfa"), [Failure(1.0, ("c--d",))])
    for name in ("unicast", "ingress-replication"):
        assert row(result, name).notes == ()


@pytest.mark.parametrize("protection", ["lfa", "ti-lfa"])
def test_the_notes_agree_with_the_packets(protection: str) -> None:
    """Every link and every router but the origin's, of GEANT: who is said to be covered is back
    before an SPF could start, and nobody else is."""
    calm = load_scenario("builtin:geant")
    options = msgspec.structs.replace(calm.schemes, pim_sm=PimOptions(mofrr=True))
    scenario = msgspec.structs.replace(calm, protection=protection, schemes=options)
    cases = [Failure(10.0, (each.id,)) for each in scenario.topology.links]
    nodes = [each.name for each in scenario.topology.nodes if each.name != "DE"]
    cases += [Failure(10.0, nodes=(name,)) for name in nodes]
    said = 0
    for failure in cases:
        result = fail(scenario, [failure])
        for name in (*FIB, "pim-sm"):
            found = row(result, name)
            covers = [n for note in found.notes for n in re.findall(r"covers (\d+) of (\d+)", note)]
            covered, behind = map(int, covers[0]) if covers else (0, 0)
            (push,) = found.transfers
            hit = {cloud.name for cloud in push.clouds if cloud.outages}
            assert len(hit - quick(found)) == behind - covered, (failure, name, found.notes)
            said += behind
    assert said > 100


#   s - b - d - e     d's primary way is over b, the smaller name; c offers it another as short
#    \  c  /
DIAMOND = network(
    *(link(x, y, delay_s=1 * MS) for x, y in (("s", "b"), ("b", "d"), ("s", "c"), ("c", "d"))),
    link("d", "e", delay_s=1 * MS),
)


@pytest.mark.parametrize(
    ("failed", "said", "saved"),
    [
        # d sees it go, and takes its spare stream from c: e gets that, too.
        ("b--d", "MoFRR covers 2 of 2 receiving PEs behind the failure", {"c001-d", "c002-e"}),
        # b sees it go and has nobody else to ask (d's way may come back over b); d sees nothing.
        (
            "b--s",
            "MoFRR covers 0 of 3 receiving PEs behind the failure; not b (no second upstream"
            " neighbour at b), d (no second upstream neighbour at b), e (no second upstream"
            " neighbour at b)",
            set(),
        ),
        (
            "d--e",
            "MoFRR covers 0 of 1 receiving PE behind the failure; not e (no second upstream"
            " neighbour at e)",
            set(),
        ),
        ("c--s", "", set()),
        # d's spare comes over c, which has lost its own upstream and has no other; b is served.
        (
            "b--d c--s",
            "MoFRR covers 0 of 2 receiving PEs behind the failure; not d (no second upstream"
            " neighbour at c), e (no second upstream neighbour at c)",
            set(),
        ),
        # Here the spare's way is whole: that b gets nothing is no matter to d.
        (
            "b--d b--s",
            "MoFRR covers 2 of 3 receiving PEs behind the failure; not b (no second upstream"
            " neighbour at b)",
            {"c001-d", "c002-e"},
        ),
    ],
)
def test_mofrr_saves_whom_a_router_beside_the_failure_can(
    failed: str, said: str, saved: set[str]
) -> None:
    options = SchemeOptions(pim_sm=PimOptions(mofrr=True))
    scenario = push(DIAMOND, "s", ("b", "d", "e"), schemes=options)
    found = row(fail(scenario, [Failure(1.0, tuple(failed.split()))]), "pim-sm")
    covers = [note for note in found.notes if "MoFRR" in note]
    assert covers == ([f"push: {said}"] if said else [])
    assert quick(found) == saved


def test_a_spare_that_fails_with_its_primary() -> None:
    """Both ways into d are cut at once."""
    options = SchemeOptions(pim_sm=PimOptions(mofrr=True))
    scenario = push(DIAMOND, "s", ("d",), schemes=options)
    found = row(fail(scenario, [Failure(1.0, ("b--d", "c--d"))]), "pim-sm")
    said = "push: MoFRR covers 0 of 1 receiving PE behind the failure; not d (the spare stream of d"
    assert f"{said} fails too)" in found.notes


def test_segments_outlive_a_restart_and_the_note_says_so() -> None:
    """b restarts after 5 s; d, that fails for good, is not named, nor c, that does not fail."""
    scenario = ring("none")
    failures = [Failure(1.0, nodes=("b",), up_at_s=6.0), Failure(2.0, nodes=("d",))]
    found = row(fail(scenario, failures), "sr-p2mp")
    kept = [note for note in found.notes if "restart" in note]
    assert kept == ["push: b keeps its segments over a restart (PIM and BIFT state does not last)"]
    gone = row(fail(scenario, [Failure(1.0, nodes=("b",))]), "sr-p2mp")
    assert not any("restart" in note for note in gone.notes)


#   a --- b     a pushes to b, c and x; x hangs on b alone
#   |     |
#   d --- c     b --- x
TAIL = network(*RING.links, link("b", "x", delay_s=1 * MS))


def test_bytes_of_a_cloud_cut_off_are_not_missed_at_first() -> None:
    """b--x fails for good: x never gets its bytes; nobody else misses any. With a--b down as well
    b and c miss some at first: what the sentence counts is theirs alone."""
    scenario = push(TAIL, "a", ("b", "c", "x"), schemes=SHORTEST)
    alone = fail(scenario, [Failure(1.0, ("b--x",))])
    assert not any("at first" in said for said in alone.because)
    result = fail(scenario, [Failure(1.0, ("b--x",)), Failure(1.5, ("a--b",))])
    (said,) = (s for s in result.because if s.startswith("ingress-replication: receivers miss"))
    clouds = row(result, "ingress-replication").transfers[0].clouds
    theirs = sum(c.lost_bytes for c in clouds if c.name != "c002-x")
    never = sum(c.lost_bytes for c in clouds if c.name == "c002-x")
    assert theirs > 0
    assert never > 20 * theirs
    assert f"receivers miss {show_size(theirs)} at first" in said
    assert f"; {show_size(never)} more never arrive" in said


def test_a_hashed_pull_is_behind_the_way_that_it_takes() -> None:
    """One pull of c's. Under hashing a has both ways to c installed, and keeps the other one when
    its own fails."""
    said = set()
    for failed in ("a--b", "a--d"):
        scenario = push(RING, "a", ("c",), protection="lfa", ecmp="hash")
        context = context_of(scenario)
        igp = LinkState(scenario, context.routes, [Failure(1.0, (failed,))])
        (kind,) = (each for each in SCHEMES if each.name == "unicast")
        found = install(context, kind)
        said.add(coverage_notes(igp, found.scheme, found.plans, "lfa"))
    assert said == {(), ("push: LFA at a covers 1 of 1 receiver behind the failure",)}


@pytest.mark.parametrize("hello_s", [0.0, 5.0])
def test_a_repair_says_when_hellos_are_heard(hello_s: float) -> None:
    """And they are the difference: the adjacency takes 1 s, so r waits for Hellos after 5 s."""
    topology = network(
        link("s", "b", delay_s=1e-3),
        link("b", "d", delay_s=1e-3),
        link("s", "c", 2, delay_s=2e-3),
        link("c", "d", 2, delay_s=2e-3),
        link("d", "r", delay_s=1e-3),
    )
    scenario = push(topology, "s", ("r",), size_gb=1000)
    timers = Timers(pim_hello_s=hello_s)
    scenario = msgspec.structs.replace(scenario, timers=timers)
    found = fail(scenario, [Failure(10.0, ("b--d",), up_at_s=20.0)])
    heard = "5 s" if hello_s else "0 s"
    said = [each for each in found.assumptions if "Hello" in each]
    assert said == [
        f"PIM-SM: Hellos over a repaired link are heard {heard} after it is up, and no Join is sent"
        " before (timers.pim_hello; RFC 7761 allows 5 s)"
    ]
    _, repair = row(found, "pim-sm").transfers[0].clouds[0].outages
    # Until s has handled a Join: from d's flip, or from the Hello at 25 s; 11 ms a hop, 2 of way.
    lasted_s = (repair.to_s or 0.0) - repair.from_s
    waited_s = repair.stages.get("hello", 0.0)
    assert lasted_s - waited_s == pytest.approx(0.024, abs=1e-6)
    # The FIB flips 55.15 ms after the adjacency (1 s): the table in docs/schemes/pim-sm.md.
    assert waited_s == pytest.approx(max(0.0, hello_s - 1.05515), abs=1e-6)
