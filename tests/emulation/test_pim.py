"""PIM by pimd: trees against the planner's, what replicas get, and what is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from mcastlab.schemes import Lab
from mcastlab.schemes.pim_sm import PimSm
from mcastplan.errors import InfeasibleError
from mcastplan.lab.build import build
from mcastplan.scenario import load_scenario
from tests.emulation.frr_jobs import star
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


def test_a_router_with_too_many_ports_is_refused_by_name() -> None:
    spec = build(load_scenario(star(31)), schemes=["ingress-replication"])
    nothing = cast(Any, None)  # neither network nor daemons are asked
    with pytest.raises(InfeasibleError) as refused:
        PimSm(Lab(spec, nothing, nothing, Path("/run")))
    assert str(refused.value) == (
        "pim-sm: hub has 32 interfaces, and Linux routes multicast over 31; leave out pim-sm"
    )
