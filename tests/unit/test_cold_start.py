"""Stages of one replica, and the pipeline of streamed loading against a simulation of it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcastplan.evaluate.arrival import Arrival
from mcastplan.evaluate.cold_start import replica_groups, streamed
from mcastplan.model.cloud import Cloud, EngineProfile
from mcastplan.model.results import ReplicaGroup
from mcastplan.model.transfer import Transfer

ENGINE = EngineProfile(
    "test",
    verify_bps=80e9,
    load_bps=40e9,
    compile_s=70,
    compile_cached_s=5,
    graphs_s=60,
    warm_up_s=30,
)


def group(
    load: str = "after", shards: int = 1, ship: bool = False, **changes: object
) -> ReplicaGroup:
    """100 GB = 8e11 bit over 20 s; verify takes 10 s and load 20 s in all."""
    cloud = Cloud("c", "n", 40e9, replicas=4, engine=ENGINE, **changes)  # type: ignore[arg-type]
    transfer = Transfer(
        "push",
        100 * 10**9,
        shards,
        "o",
        ("c",),
        load=load,
        ship_compile_cache=ship,  # type: ignore[arg-type]
    )
    cached = cloud.fanout == "cache"
    (only,) = replica_groups(
        cloud, transfer, [Arrival(1, 20)], provision_s=7, setup_s=1, direct=False, cached=cached
    )
    return only


def test_stages_after_the_last_byte() -> None:
    found = group()
    stages = found.stages
    assert (stages.provision, stages.setup, stages.transfer, stages.fan_out) == (7, 1, 20, 0)
    assert (stages.verify, stages.load) == (10, 20)
    assert (stages.compile, stages.graphs, stages.warm_up) == (70, 60, 30)
    assert found.ready_s == 7 + 1 + 20 + 10 + 20 + 70 + 60 + 30
    assert (found.count, found.first, found.last) == (4, 0, 3)


def test_a_shipped_compile_cache() -> None:
    assert group(ship=True).stages.compile == 5


def test_a_fabric_slower_than_the_uplink() -> None:
    """8e11 bit at 10 Gb/s is 80 s, 60 s after the last byte has come to the cloud."""
    assert group(fabric_bps=10e9).stages.fan_out == 60
    assert group(fabric_bps=400e9).stages.fan_out == 0


def test_a_cache_serves_all_replicas_at_once() -> None:
    """4 x 8e11 bit over 400 Gb/s: 8 s."""
    assert group(fabric_bps=400e9, fanout="cache").stages.fan_out == 8


def test_streamed_loading_hides_behind_the_transfer() -> None:
    """Ten shards: 1 s to verify and 2 s to load each; the arrival of 20 s is the slowest stage, or
    as slow as the slowest, so only the last shard's 3 s are left."""
    found = group(load="streamed", shards=10)
    assert (found.stages.verify, found.stages.load) == (1, 2)
    assert (found.overlapped.verify, found.overlapped.load) == (9, 18)


def test_one_shard_cannot_be_streamed() -> None:
    found = group(load="streamed", shards=1)
    assert (found.stages.verify, found.stages.load) == (10, 20)


seconds = st.floats(0.0, 1000.0)


@given(arrival=seconds, verify=seconds, load=seconds, shards=st.integers(1, 60))
def test_pipeline_against_its_simulation(
    arrival: float, verify: float, load: float, shards: int
) -> None:
    verified = loaded = 0.0
    for shard in range(1, shards + 1):
        here = arrival * shard / shards
        verified = max(here, verified) + verify / shards
        loaded = max(verified, loaded) + load / shards
    found = streamed(arrival, verify, load, shards)
    assert min(found) >= -1e-9
    assert found[0] <= verify + 1e-9 and found[1] <= load + 1e-9
    assert math.isclose(arrival + sum(found), loaded, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("engine", [None, ENGINE])
def test_stages_sum_to_ready(engine: EngineProfile | None) -> None:
    cloud = Cloud("c", "n", 1e9, engine=engine)
    transfer = Transfer("push", 10**9, 3, "o", ("c",), load="streamed")
    (found,) = replica_groups(
        cloud, transfer, [Arrival(1, 8.1)], provision_s=0, setup_s=0, direct=True, cached=True
    )
    assert math.isclose(found.stages.total(), found.ready_s, abs_tol=1e-9)


def test_replicas_whose_own_pulls_end_at_different_times() -> None:
    """Pulls 0-1 end at 5 s, 2 at 5 s, 3 at 9 s: two groups."""
    cloud = Cloud("c", "n", 1e9, replicas=4)
    transfer = Transfer("push", 10**9, 1, "o", ("c",))
    pulls = [Arrival(2, 5.0), Arrival(1, 5.0), Arrival(1, 9.0)]
    groups = replica_groups(
        cloud, transfer, pulls, provision_s=0, setup_s=0, direct=True, cached=True
    )
    assert [(g.count, g.first, g.last, g.ready_s) for g in groups] == [
        (3, 0, 2, 5.0),
        (1, 3, 3, 9.0),
    ]


def pulled(pull: Arrival, load: str = "after", shards: int = 1, **changes: object) -> ReplicaGroup:
    cloud = Cloud("c", "n", 40e9, replicas=4, engine=ENGINE, **changes)  # type: ignore[arg-type]
    transfer = Transfer("push", 10**11, shards, "o", ("c",), load=load)  # type: ignore[arg-type]
    cached = cloud.fanout == "cache"
    (only,) = replica_groups(
        cloud, transfer, [pull], provision_s=7, setup_s=1, direct=False, cached=cached
    )
    assert math.isclose(only.stages.total(), only.ready_s, abs_tol=1e-9)
    return only


@pytest.mark.parametrize("load", ["after", "streamed"])
@pytest.mark.parametrize("fanout", ["multicast", "cache"])
@pytest.mark.parametrize("fabric_bps", [10e9, 20e9, math.inf])
def test_a_repair_of_nothing_changes_nothing(load: str, fanout: str, fabric_bps: float) -> None:
    how = {"fanout": fanout, "fabric_bps": fabric_bps}
    assert pulled(Arrival(1, 21.3, 0.0), load, 7, **how) == pulled(Arrival(1, 21.3), load, 7, **how)


def repaired(load: str = "after", shards: int = 1, **changes: object) -> ReplicaGroup:
    """As `group`, and 10 s of repair after the 20 s of the transfer."""
    return pulled(Arrival(1, 20.0, 10.0), load, shards, **changes)


def test_a_repair_is_a_stage_of_its_own() -> None:
    found = repaired()
    assert (found.stages.transfer, found.stages.repair, found.stages.fan_out) == (20, 10, 0)
    assert found.ready_s == group().ready_s + 10


def test_a_slow_fabric_hides_behind_the_repair() -> None:
    """100 GB at 20 Gb/s are 40 s from the first byte on: 10 s after the last, at 30 s."""
    assert repaired(fabric_bps=20e9).stages.fan_out == 10
    # A cache is filled first: 4 x 40 s after the last byte, repaired or not.
    assert repaired(fabric_bps=20e9, fanout="cache").stages.fan_out == 160


def test_streamed_loading_sees_arrival_until_the_repair_ends() -> None:
    """10 shards over 30 s: verifying (10 s in all) and loading (20 s) both hide behind them, but
    for the last shard's 1 s and 2 s."""
    found = repaired(load="streamed", shards=10)
    assert (found.stages.verify, found.stages.load) == (1, 2)
    assert (found.overlapped.verify, found.overlapped.load) == (9, 18)


def test_pulls_with_repairs_of_their_own() -> None:
    """Two pulls end at 5 s, one at 4 s and is repaired for 1 s, one for 3 s: ready at 5 and 7 s."""
    cloud = Cloud("c", "n", 1e9, replicas=4)
    transfer = Transfer("push", 10**9, 1, "o", ("c",))
    pulls = [Arrival(2, 5.0, 0.0), Arrival(1, 4.0, 1.0), Arrival(1, 4.0, 3.0)]
    groups = replica_groups(
        cloud, transfer, pulls, provision_s=0, setup_s=0, direct=True, cached=True
    )
    assert [(g.first, g.last, g.ready_s) for g in groups] == [(0, 2, 5.0), (3, 3, 7.0)]
