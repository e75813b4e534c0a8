"""Two different "no": no way to a cloud, and no room on it beside the background."""

from __future__ import annotations

import pytest

from mcastplan.cli.show.compare import show_compare
from mcastplan.cli.show.page import Page
from mcastplan.model.failure import Failure
from mcastplan.model.results import Comparison
from mcastplan.model.scenario import Scenario
from mcastplan.model.transfer import Background
from mcastplan.report.answer import answer
from mcastplan.report.comparison import markdown
from mcastplan.study.compare import compare
from mcastplan.study.fail import fail
from mcastplan.study.plan import plan
from mcastplan.study.sweep import sweep
from tests.networks import link, network, push

GBPS = 1e9
FILLED = "background fills 1 of 6 arcs, the worst s->b to 150%"


def scenario() -> Scenario:
    """s to a is free, s to b is full (150 of 100 Gb/s), and nothing leads to d."""
    net = network(link("s", "a"), link("s", "b"), link("d", "e"))
    background = (Background("s", "b", 90 * GBPS), Background("s", "b", 60 * GBPS))
    return push(net, "s", ("a", "b", "d"), background=background)


def test_full_and_cut_off_are_told_apart() -> None:
    result = compare(scenario())
    assert result.full_of_background == FILLED
    for row in result.schemes:
        (transfer,) = row.transfers
        assert (transfer.unreachable, transfer.no_room) == (("c001-b", "c002-d"), ("c001-b",))
        assert [cloud.name for cloud in transfer.clouds] == ["c000-a"]
    said = f"is routed as unicast and served first; {FILLED}"
    assert any(said in each for each in result.assumptions)


def view(result: Comparison) -> str:
    text = show_compare(result, scenario(), "x.yaml", page=Page(140, False))
    return " ".join(text.split())


def test_every_medium_says_why() -> None:
    result = compare(scenario())
    text = view(result)
    assert "UNREACHABLE by any scheme: 1 cloud of push: c002-d" in text
    assert f"NO ROOM under any scheme: 1 cloud of push: c001-b; {FILLED}" in text
    page = answer(result)
    assert "c001-b: not reached by any scheme, for want of room beside the background" in page
    assert "2 receivers cannot be served: background fills" in page
    assert f"No room for c001-b: {FILLED}." in markdown(result)


def test_the_plan_says_why() -> None:
    result = plan(scenario(), "bier")
    assert result.full_of_background == FILLED
    assert result.transfers[0].no_room == ("c001-b",)


def test_a_way_that_is_left_but_full() -> None:
    """Two ways from s to b, the second one full: after the failure of the first there is a way, and
    no byte ever comes; after all has converged `sweep` counts the cloud as cut off."""
    net = network(link("s", "b", 1), link("s", "m", 5), link("m", "b", 5))
    full = push(net, "s", ("b",), background=(Background("s", "m", 100 * GBPS),))
    result = fail(full, [Failure(1.0, ("b--s",))])
    never = (
        "c000-b is never ready under unicast, ingress-replication, pim-sm, sr-p2mp, bier: its way"
        " after the failure is full of background"
    )
    assert never in result.because
    swept = sweep(full, "single-link")
    assert swept.full_of_background == "background fills 1 of 6 arcs, the worst s->m to 100%"
    (row,) = [each for each in swept.worst if each.failure == "b--s"]
    assert row.cut_off == ("c000-b",)


@pytest.mark.parametrize("gbps", [99.0, 60.0])
def test_what_is_not_full_is_said_with_its_share(gbps: float) -> None:
    net = network(link("s", "b"))
    result = compare(push(net, "s", ("b",), background=(Background("s", "b", gbps * GBPS),)))
    assert result.full_of_background is None
    assert any(f"at most it takes {gbps:.2f}% of s->b" in each for each in result.assumptions)
