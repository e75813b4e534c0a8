"""PIM by pimd: trees against the planner's, what replicas get, and what is left."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulation.sandboxed import in_sandbox

SSM = {"mode": "ssm"}
# KSCYng lies off the shortest paths of most receivers; WASHng is the source's own PE.
ASM = {"mode": "asm", "rp": "KSCYng"}


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("abilene", SSM),
        ("7", SSM),
        ("abilene", ASM),
        ("abilene", {**ASM, "spt_switchover": False}),
        ("abilene", {**ASM, "rp": "WASHng"}),
    ],
    ids=["ssm", "ssm-asymmetric", "asm", "asm-shared", "asm-rp-at-source"],
)
def test_trees_are_the_planners(what: str, options: dict[str, Any]) -> None:
    out = in_sandbox("frr_jobs:pim", what, options)
    for each in out["rounds"]:
        assert len(each["rows"]) > 5
        for row in each["rows"]:
            assert row["expected"] == row["found"], row["node"]
        # 50 packets to each of the two groups, one copy to everyone.
        assert set(each["got"].values()) == {100}
        assert each["routed"] == 0
    assert out["before"] == out["after"]
    assert out["flaps"] == 0


def test_a_tree_that_differs_is_told() -> None:
    assert in_sandbox("frr_jobs:one_missing") == {"A": True, "B": False, "D": False}


def test_joins_follow_the_routes_there_and_back() -> None:
    out = in_sandbox("frr_jobs:rerouted")
    assert out["ways"] == [["B"]]
    assert out["got"] == [100, 100, 100, 100]
