"""Carrier loss and silent loss of two links at once, at both ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulation.sandboxed import in_sandbox


@pytest.fixture(params=[False, True], ids=["carrier", "silent"])
def out(request: pytest.FixtureRequest) -> tuple[bool, dict[str, Any]]:
    return request.param, in_sandbox("network_jobs:faults", request.param)


def test_a_cut_link(out: tuple[bool, dict[str, Any]]) -> None:
    silent, found = out
    assert found["told"] == ["no link 'no-such' in this lab", "link A--B is not down"]
    assert found["again"] == "link A--B is down already"
    assert found["ordered"]
    assert found["passed_down"] == [False, False]
    assert found["heard"] == 0, "a packet socket (an IGP) still hears its neighbour"
    assert found["lower_up"] == [silent] * 4, "carrier loss shows at both ends, silent loss at none"
    # Both links, IPv4 and IPv6 link-local.
    assert found["passed_up"] == [True] * 4
    assert found["changed"] == [], "addresses, neighbours, queues and filters are as before"
    assert found["left"] == []
