"""What the assumptions say where several transfers arrive at one site."""

from __future__ import annotations

import math

import pytest

from mcastplan.model.cloud import Cloud, EngineProfile
from mcastplan.model.scenario import Scenario
from mcastplan.model.transfer import Transfer
from mcastplan.study.compare import compare
from tests.networks import link, network

SAID = "1 cloud with more than one transfer: they share its ingress, but each has its fabric and"


def told(*receivers: tuple[str, ...], fabric_bps: float = math.inf, engine: bool = False) -> bool:
    """A transfer to each of ``receivers``; cloud x has the fabric and the engine, y has neither."""
    profile = EngineProfile("own") if engine else None
    clouds = (Cloud("x", "b", 1e9, fabric_bps=fabric_bps, engine=profile), Cloud("y", "b", 1e9))
    pushes = tuple(
        Transfer(f"t{place}", 10**9, 1, "a", names) for place, names in enumerate(receivers)
    )
    result = compare(Scenario("test", network(link("a", "b")), clouds, pushes))
    return any(line.startswith(SAID) for line in result.assumptions)


@pytest.mark.parametrize("site", [{"fabric_bps": 1e9}, {"engine": True}])
def test_it_is_said_where_two_meet_at_a_fabric_or_an_engine(site: dict[str, float]) -> None:
    assert told(("x", "y"), ("x", "y"), **site)  # type: ignore[arg-type]
    assert not told(("x",), ("y",), **site)  # type: ignore[arg-type]
    assert not told(("x", "y"), **site)  # type: ignore[arg-type]


def test_it_is_not_said_where_there_is_nothing_to_share() -> None:
    assert not told(("x", "y"), ("x", "y"))
