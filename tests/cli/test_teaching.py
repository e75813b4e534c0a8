"""Each shipped scenario teaches what its header says: the numbers there are checked here."""

from __future__ import annotations

from functools import cache

import pytest

from mcastplan.model.results import Comparison, SchemeResult, Totals
from mcastplan.scenario import builtin_names, load_scenario
from mcastplan.scenario.sources import builtin_folder
from mcastplan.study.compare import compare
from mcastplan.study.fail import fail


@cache
def answer(name: str) -> Comparison:
    return compare(load_scenario(f"builtin:{name}"))


def rows(name: str) -> dict[str, SchemeResult]:
    return {row.name: row for row in answer(name).schemes}


def seconds(row: SchemeResult) -> list[float]:
    return [each.completion_s or 0.0 for each in row.transfers]


def totals(row: SchemeResult) -> Totals:
    assert row.totals is not None
    return row.totals


def test_every_scenario_says_what_it_teaches() -> None:
    table = (builtin_folder() / "README.md").read_text()
    for name in builtin_names():
        header = (builtin_folder() / f"{name}.yaml").read_text().partition("\nschema:")[0]
        assert "\n# Teaches: " in header, name
        line = next(line for line in table.splitlines() if line.startswith(f"| `{name}.yaml`"))
        assert all(cell.strip() for cell in line.strip("|").split("|")), name


def test_minimal() -> None:
    """240, 200 and 200 s, 4, 3 and 2 copies, less than 1.5 % of headers on top."""
    found = rows("minimal")
    for name, by_hand_s, copies in [
        ("unicast", 240, 4),
        ("ingress-replication", 200, 3),
        ("pim-sm", 200, 2),
        ("sr-p2mp", 200, 2),
        ("bier", 200, 2),
    ]:
        (completion_s,) = seconds(found[name])
        assert by_hand_s < completion_s < by_hand_s * 1.015
        assert totals(found[name]).link_copies == copies
        assert found[name].transfers[0].setup_s is not None
        assert found[name].transfers[0].setup_s <= 1  # type: ignore[operator]


def test_the_failure_of_geant() -> None:
    scenario = load_scenario("builtin:geant")
    hit = {}
    for scheme in fail(scenario, scenario.failures).schemes:
        (push,) = scheme.transfers
        out = [cloud for cloud in push.clouds if cloud.outages]
        assert all(cloud.outage_s is not None and cloud.outage_s < 0.1 for cloud in out)
        hit[scheme.name] = len(out)
        last_s = max(cloud.ready_s or 0.0 for cloud in push.clouds)
        assert last_s <= max(cloud.ready_without_s or 0.0 for cloud in push.clouds) + 1e-6
    assert hit.pop("sr-p2mp") == 9
    assert set(hit.values()) == {3}


def test_gscale() -> None:
    found = rows("gscale")
    copies, tree = found["ingress-replication"], found["pim-sm"]
    assert totals(tree).wire_bytes / totals(copies).wire_bytes == pytest.approx(0.41, abs=0.005)
    assert seconds(copies)[0] / seconds(tree)[0] == pytest.approx(5, abs=0.1)
    assert (totals(found["bier"]).link_copies, totals(tree).link_copies) == (9, 7)


def test_nobel_eu() -> None:
    found = rows("nobel-eu")
    for name in ("pim-sm", "sr-p2mp", "bier"):
        assert seconds(found[name])[0] == pytest.approx(68, abs=0.5)
        binding = found[name].transfers[0].binding
        assert binding == "arc Hamburg->Berlin 100 Gb/s beside 72 Gb/s of background"
    assert seconds(found["ingress-replication"])[0] == pytest.approx(205, abs=0.5)


def test_fat_tree() -> None:
    found = rows("fat-tree-k12")
    assert seconds(found["unicast"])[0] == pytest.approx(100 * 60, abs=60)
    assert seconds(found["pim-sm"])[0] == pytest.approx(14, abs=0.2)
    assert seconds(found["bier"])[0] == pytest.approx(27.9, abs=0.1)
    group = found["pim-sm"].transfers[0].clouds[0].replica_groups[0]
    assert group.stages.compile == pytest.approx(316)
    assert len(found["pim-sm"].transfers[0].clouds) == 432


def test_rl_delta() -> None:
    found = rows("rl-delta")
    for name in ("pim-sm", "sr-p2mp", "bier"):
        ready = [
            max(g.ready_s for cloud in each.clouds for g in cloud.replica_groups)
            for each in found[name].transfers
        ]
        assert ready[0] > ready[1] == pytest.approx(4.45, abs=0.01)
        assert ready[1:] == pytest.approx([ready[1]] * 5)
        assert found[name].transfers[1].setup_s == 0
    assert found["sr-p2mp"].transfers[0].setup_s == pytest.approx(0.8, abs=0.05)
    assert seconds(found["ingress-replication"])[1] / seconds(found["bier"])[1] == pytest.approx(
        2, abs=0.03
    )
    assert min(seconds(found["unicast"])) > 120


def test_two_models() -> None:
    found = rows("two-models")
    for name in ("pim-sm", "sr-p2mp", "bier"):
        assert seconds(found[name]) == pytest.approx([92, 113], abs=1)
    bounds = [bound.bound_s for bound in answer("two-models").transfers]
    assert bounds == pytest.approx([55.12, 76.8])


def test_price() -> None:
    found = rows("price")
    usd = {name: totals(row).egress_usd for name, row in found.items()}
    assert usd == pytest.approx(
        {
            "unicast": 327,
            "ingress-replication": 328,
            "pim-sm": 257,
            "sr-p2mp": 174,
            "bier": 251,
        },
        abs=1,
    )
    longest = [seconds(row)[0] for row in found.values()]
    assert max(longest) / min(longest) < 1.01
    advice = answer("price").recommendation
    assert advice is not None
    assert advice.scheme == "sr-p2mp"
    assert any("egress costs 251.10 against 174.29 USD" in reason for reason in advice.because)


def test_geant_and_abilene() -> None:
    found = rows("geant")
    assert seconds(found["ingress-replication"]) == pytest.approx(
        seconds(found["pim-sm"]), rel=0.01
    )
    ratio = totals(found["ingress-replication"]).wire_bytes / totals(found["pim-sm"]).wire_bytes
    assert ratio == pytest.approx(1.6, abs=0.05)
    found = rows("abilene")
    assert seconds(found["ingress-replication"])[0] == pytest.approx(394, abs=1)
    assert seconds(found["pim-sm"])[0] == pytest.approx(326, abs=1)
    assert seconds(found["unicast"])[0] > 3600
