"""What a recommendation says of the time after the last byte: what is there, never rounding."""

from __future__ import annotations

import pytest

from mcastplan.model.cloud import Cloud
from mcastplan.model.scenario import Scenario
from mcastplan.model.transfer import Transfer
from mcastplan.study.compare import compare
from tests.networks import link, network


@pytest.mark.parametrize("gbps", [0.1 * step for step in range(1, 41)])
def test_nothing_behind_the_ingress_takes_no_time(gbps: float) -> None:
    """Provision, set-up and transfer are all there is, however their sum is rounded."""
    cloud = Cloud("x", "b", gbps * 1e9, provision_s=20.0)
    push = Transfer("t", 10**9, 1, "a", ("x",))
    result = compare(Scenario("test", network(link("a", "b", delay_s=0.001668)), (cloud,), (push,)))
    assert result.recommendation is not None
    assert not any("after the last byte" in said for said in result.recommendation.because)
