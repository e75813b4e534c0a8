"""Transfers from one origin: its egress is one thing, whoever uses it."""

from __future__ import annotations

import math

import msgspec
import pytest

from mcastplan.errors import ScenarioError
from mcastplan.model.cloud import Cloud
from mcastplan.model.results import SchemeResult
from mcastplan.model.scenario import Scenario
from mcastplan.model.transfer import Transfer
from mcastplan.study.compare import compare
from tests.networks import link, network

GB, GBPS = 10**9, 1e9
# 9000 B less 40 of IP and TCP, 38 beside the MTU.
TCP = 9038 / 8960


def two_pulls(*transfers: Transfer, egress_bps: float = 10 * GBPS) -> Scenario:
    """100 Gb/s from s to both clouds; whatever starts at s leaves at 10 Gb/s."""
    clouds = tuple(Cloud(name, "t", 100 * GBPS) for name in ("x", "y"))
    pushes = transfers or (
        Transfer("one", 100 * GB, 1, "s", ("x",), egress_bps),
        Transfer("two", 100 * GB, 1, "s", ("y",), egress_bps),
    )
    net = network(link("s", "t"), link("u", "t"))
    return Scenario("pulls", net, clouds, pushes)


def unicast(scenario: Scenario) -> SchemeResult:
    return compare(scenario).schemes[0]


def test_two_transfers_take_as_long_as_one_to_both() -> None:
    """200 GB leave over 10 Gb/s: 160 s of payload, whether one transfer has two pulls or two have
    one each."""
    both = Transfer("both", 100 * GB, 1, "s", ("x", "y"), 10 * GBPS)
    (whole,) = unicast(two_pulls(both)).transfers
    halves = unicast(two_pulls()).transfers
    assert whole.completion_s == pytest.approx(160 * TCP)
    assert [each.completion_s for each in halves] == pytest.approx([160 * TCP] * 2)
    assert {each.binding for each in halves} == {"origin s: egress 10 Gb/s carries 2 copies"}


def test_every_transfer_has_its_row_of_the_one_arc() -> None:
    """Copies and bytes are each transfer's own; the arc is as full as both make it."""
    result = unicast(two_pulls())
    rows = {row.source: row for row in result.links if row.source.startswith("origin:")}
    assert sorted(rows) == ["origin:one", "origin:two"]
    for row in rows.values():
        assert (row.copies, row.target) == (1, "s")
        assert row.wire_bytes == pytest.approx(100 * GB * TCP)
        assert row.busiest_utilisation == pytest.approx(1)
    assert result.totals is not None
    assert result.totals.origin_egress_bytes == pytest.approx(200 * GB * TCP)


def test_origins_on_other_nodes_do_not_share() -> None:
    one, two = two_pulls().transfers
    other = msgspec.structs.replace(two, origin="u")
    found = unicast(two_pulls(one, other)).transfers
    assert [each.completion_s for each in found] == pytest.approx([80 * TCP] * 2)


def test_one_node_has_one_egress() -> None:
    one, two = two_pulls().transfers
    other = msgspec.structs.replace(two, origin_egress_bps=20 * GBPS)
    with pytest.raises(ScenarioError, match="one and two start at s with different egress rates"):
        compare(two_pulls(one, other))


def test_starts_a_step_of_a_float_apart_are_one() -> None:
    """Four pulls leave s, each to a cloud of its own behind t; alone for one step of a float, the
    first would fill its cloud's access, of which it gets a quarter."""
    clouds = tuple(Cloud(f"c{number}", "t", 100 * GBPS) for number in range(4))
    start_s, pushes = 100.0, []
    for cloud in clouds:
        pushes.append(
            Transfer(cloud.name, GB, 1, "s", (cloud.name,), start_s=start_s, receivers="known")
        )
        start_s = math.nextafter(start_s, math.inf)
    result = unicast(Scenario("steps", network(link("s", "t")), clouds, tuple(pushes)))
    busy = {row.target: row.busiest_utilisation for row in result.links}
    assert busy["cloud:c0"] == pytest.approx(0.25)
    assert busy["t"] == pytest.approx(1)


def test_a_push_of_one_byte_fills_its_arc_too() -> None:
    """However short it is: it has the arc to itself."""
    one = Transfer("one", 1, 1, "s", ("x",))
    net = Scenario("byte", network(link("s", "t")), (Cloud("x", "t", 100 * GBPS),), (one,))
    (core,) = [row for row in unicast(net).links if row.kind == "core"]
    assert core.busiest_utilisation == pytest.approx(1)
