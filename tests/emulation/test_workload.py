"""Shards, pulls and what a replica does with what it got: exact, and never ready when it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors import safe_open

from mcastlab import shards
from mcastlab.errors import LabError
from tests.emulation.sandboxed import in_sandbox
from tests.emulation.small_network import push


@pytest.mark.parametrize(("size_bytes", "count"), [(4096, 1), (100_003, 7), (1_000_000, 3)])
def test_shards_have_exactly_the_bytes_of_the_push(
    tmp_path: Path, size_bytes: int, count: int
) -> None:
    made = shards.make(tmp_path, push(size_bytes, count))
    sizes = [(tmp_path / shard.name).stat().st_size for shard in made.shards]
    assert sizes == [shard.size_bytes for shard in made.shards]
    assert sum(sizes) == made.size_bytes == size_bytes
    assert max(sizes) - min(sizes) <= 1
    assert shards.make(tmp_path, push(size_bytes, count)) == made
    assert [shards.sha256(tmp_path / shard.name) for shard in made.shards] == [
        shard.sha256 for shard in made.shards
    ]


def test_shards_are_a_model_that_its_index_describes(tmp_path: Path) -> None:
    made = shards.make(tmp_path, push(50_000, 3))
    index = json.loads((tmp_path / shards.INDEX).read_text())
    assert index == {"metadata": {"total_size": 50_000}, "weight_map": made.weight_map}
    for shard in made.shards:
        with safe_open(tmp_path / shard.name, framework="numpy") as file:
            assert dict.fromkeys(file.keys(), shard.name) == {
                name: place for name, place in made.weight_map.items() if place == shard.name
            }


def test_a_push_too_small_for_its_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="10000 B in 3 shards leave less than 4096 B each"):
        shards.make(tmp_path, push(10_000, 3))


@pytest.mark.parametrize("load", ["after", "streamed"])
def test_every_pull_ends_ready(load: str) -> None:
    out = in_sandbox("workload_jobs:pushed", "http", load, 3_000_001)
    assert [each["status"] for each in out["replicas"]] == ["ready"] * 3
    assert all(each["ordered"] for each in out["replicas"])
    assert out["congestion_control"]
    assert out["left"] == []
    if load == "after":
        assert out["overlapped"] == [False] * 3


@pytest.mark.parametrize("transport", ["http", "uftp"])
def test_a_byte_that_flips_on_the_way_is_named_and_never_ready(transport: str) -> None:
    for each in in_sandbox("workload_jobs:corrupt_at_origin", transport):
        assert (each["status"], each["ready"]) == ("corrupt", False)
        assert each["why"].startswith("model-00002-of-00002.safetensors: SHA-256 ")


def test_a_byte_that_flips_on_disk_is_named_and_never_ready() -> None:
    first, second = in_sandbox("workload_jobs:corrupt_on_disk")
    assert (first["status"], first["ready"]) == ("corrupt", False)
    assert first["why"].startswith("model-00001-of-00002.safetensors: SHA-256 ")
    assert (second["status"], second["why"]) == ("ready", None)


def test_a_broken_connection_is_resumed_by_range() -> None:
    out = in_sandbox("workload_jobs:resumed")
    assert [each["status"] for each in out["replicas"]] == ["ready"]
    # More than half of the first shard of 2 MB had come before.
    assert 2_000_000 < out["sent"] < 3_000_000 + 10_000


def test_a_stalled_connection_is_left_to_tcp() -> None:
    out = in_sandbox("workload_jobs:kept_alive")
    assert [each["status"] for each in out["replicas"]] == ["ready"]
    assert out["connections"] == 1
    assert out["again"] > 0


def test_workers_answer_fail_and_end() -> None:
    out = in_sandbox("workload_jobs:workers")
    assert out["answered"] == 2
    assert out["ports"] == 2  # lo and eth0
    assert out["said"].startswith("fails: ValueError: out of paper (fail, line ")
    assert out["alive"] == []


def test_workers_die_with_the_engine() -> None:
    assert in_sandbox("workload_jobs:orphaned")
