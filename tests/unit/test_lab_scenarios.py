"""The lab's shipped scenarios teach what their headers say."""

from __future__ import annotations

import pytest

from mcastplan.lab.build import build
from mcastplan.model.results import Comparison, SchemeResult
from mcastplan.model.timeline import SchemeTimeline
from mcastplan.scenario import builtin_names, load_scenario
from mcastplan.study.compare import compare
from mcastplan.study.fail import fail


def rows(name: str) -> dict[str, SchemeResult]:
    found: Comparison = compare(load_scenario(f"builtin:{name}"))
    return {row.name: row for row in found.schemes}


def completion(row: SchemeResult) -> float:
    return row.transfers[0].completion_s or 0.0


def test_the_lab_runs_all_of_them() -> None:
    names = [name for name in builtin_names() if name.startswith("lab-")]
    assert len(names) == 6
    for name in names:
        build(load_scenario(f"builtin:{name}"))


def test_diamond() -> None:
    """All four lose D for 50 ms of SPF delay and little more."""
    scenario = load_scenario("builtin:lab-diamond")
    timeline = fail(scenario, scenario.failures)
    for row in timeline.schemes:
        assert row.worst_outage_s == pytest.approx(0.062, abs=0.012), row.name
        assert hit(row) == {"delft"}


def hit(row: SchemeTimeline) -> set[str]:
    return {cloud.name for each in row.transfers for cloud in each.clouds if cloud.outages}


def test_abilene() -> None:
    found = rows("lab-abilene")
    assert completion(found["unicast"]) / completion(found["bier"]) == pytest.approx(3.2, abs=0.05)
    assert found["pim-sm"].transfers[0].binding == "cloud seattle: ingress 20 Gb/s"


def test_nobel_eu() -> None:
    found = rows("lab-nobel-eu")["bier"]
    state = {node.name: node.state_entries for node in found.nodes}
    assert len(state) == 28
    assert state.pop("Frankfurt") == 12
    assert set(state.values()) == {11}
    scenario = load_scenario("builtin:lab-nobel-eu")
    homes = {cloud.node for cloud in scenario.clouds} | {scenario.transfers[0].origin}
    assert len(scenario.topology.nodes) - len(homes) == 17
    timeline = {row.name: row for row in fail(scenario, scenario.failures).schemes}
    assert hit(timeline["bier"]) == {"madrid", "paris"}


def test_unequal() -> None:
    """Pulls: 80, 40, 20, 10 Gb/s; the 20 Gb/s one takes half of delta's time."""
    found = rows("lab-unequal")
    pulls = {cloud.name: cloud.transfer_s for cloud in found["unicast"].transfers[0].clouds}
    assert completion(found["unicast"]) == pytest.approx(completion(found["bier"]), rel=0.02)
    assert max(pulls, key=lambda name: pulls[name]) == "delta"
    assert sorted(pulls.values())[-2] == pytest.approx(pulls["delta"] / 2)
    trees = {cloud.transfer_s for cloud in found["bier"].transfers[0].clouds}
    assert trees == {completion(found["bier"])}


def test_churn() -> None:
    """A new set of receivers: one write for BIER, a controller's round for SR-P2MP."""
    found = rows("lab-churn")
    for number in range(4):
        setup = {name: row.transfers[number].setup_s or 0.0 for name, row in found.items()}
        assert setup["pim-sm"] < setup["bier"] < setup["sr-p2mp"]
        assert setup["bier"] == pytest.approx(setup["ingress-replication"])
