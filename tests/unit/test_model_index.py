"""An index of a sharded checkpoint: its names, and what the files beside it say of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcastplan.errors import ScenarioError
from mcastplan.model.transfer import Model
from mcastplan.scenario import load_scenario
from mcastplan.scenario.safetensors import read_index

TOTAL = 6_000_000
SHARDS = ("model-1-of-2.safetensors", "model-2-of-2.safetensors")


def index(folder: Path, name: str = "model.safetensors.index.json") -> Path:
    """An index of two files of 6 MB together."""
    weights = {"a": SHARDS[0], "b": SHARDS[1]}
    path = folder / name
    path.write_text(json.dumps({"metadata": {"total_size": TOTAL}, "weight_map": weights}))
    return path


def shard(folder: Path, name: str, size: int) -> None:
    with (folder / name).open("wb") as file:
        file.truncate(size)


def read(path: Path) -> tuple[Model, list[str]]:
    notes: list[str] = []
    return read_index(path, path.name, notes), notes


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors.index.json",
        "pytorch_model.bin.index.json",
        "diffusion_pytorch_model.safetensors.index.json",
        "model.safetensors.index.fp16.json",
    ],
)
def test_a_name_that_all_indexes_have_gives_way_to_the_folders(tmp_path: Path, name: str) -> None:
    (tmp_path / "Llama 3").mkdir()
    model, notes = read(index(tmp_path / "Llama 3", name))
    assert (model.name, model.title, model.shards, notes) == ("Llama-3", "Llama 3", 2, [])


def test_a_name_of_its_own_is_kept(tmp_path: Path) -> None:
    model, _ = read(index(tmp_path, "bloom.bin.index.json"))
    assert (model.name, model.title) == ("bloom", "bloom")


def test_a_scenario_takes_either_index_and_two_models_differ(tmp_path: Path) -> None:
    """The second file is a link, as in a download cache: the link's folder names the model."""
    for folder in ("one", "two", "blobs"):
        (tmp_path / folder).mkdir()
    index(tmp_path / "one", "pytorch_model.bin.index.json")
    index(tmp_path / "blobs", "0123abcd")
    (tmp_path / "two" / "model.safetensors.index.json").symlink_to("../blobs/0123abcd")
    path = tmp_path / "push.yaml"
    path.write_text(
        """schema: mcastplan.scenario/1
name: two
topology: {nodes: [{name: A}, {name: B}], links: [{a: A, b: B, capacity: 1Gbps, delay: 1ms}]}
clouds: [{name: c, node: B, ingress: 1Gbps}]
transfers:
  - {name: p, model: one/pytorch_model.bin.index.json, origin: {node: A}, to: all}
  - {name: q, model: two/model.safetensors.index.json, origin: {node: A}, to: all}
"""
    )
    found = [(each.model, each.size_bytes) for each in load_scenario(path).transfers]
    assert found == [("one", TOTAL), ("two", TOTAL)]


def test_files_of_the_right_size_are_not_worth_a_word(tmp_path: Path) -> None:
    """2 and 4 MB, and 10 kB of headers each: 0.3 % above 6 MB."""
    shard(tmp_path, SHARDS[0], 2_010_000)
    shard(tmp_path, SHARDS[1], 4_010_000)
    shard(tmp_path, "consolidated.safetensors", 6_000_000)  # the same again, in one file
    assert read(index(tmp_path))[1] == []


def test_files_of_another_size_are_named_with_both_numbers(tmp_path: Path) -> None:
    for name in SHARDS:
        shard(tmp_path, name, 1_500_000)
    model, (note,) = read(index(tmp_path))
    assert model.size_bytes == TOTAL
    assert "it says 6 MB in all, but its files beside it hold 3 MB; planned with what it" in note


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The one that is there may be as large as the rest lets it be, and no larger."""
    path = index(tmp_path)
    shard(tmp_path, SHARDS[0], 3_000_000)
    (note,) = read(path)[1]
    assert note == (
        "model.safetensors.index.json: 1 of the 2 files it names are not beside it"
        " ('model-2-of-2.safetensors'); the size of the whole is what it says, 6 MB."
    )
    shard(tmp_path, SHARDS[0], 7_000_000)
    _, second = read(path)[1]
    assert "but the 1 of its files beside it hold 7 MB" in second


def test_a_pointer_stands_for_its_file(tmp_path: Path) -> None:
    """Cloned without Git LFS: 130 bytes each, which tell 2 and 4 MB."""
    for name, size in zip(SHARDS, (2_000_000, 4_000_000), strict=True):
        (tmp_path / name).write_text(
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize {size}\n"
        )
    assert read(index(tmp_path))[1] == []


@pytest.mark.parametrize("other", ["model.safetensors", "pytorch_model-1.bin", "q4.gguf"])
def test_other_weights_in_place_of_all_that_it_names(tmp_path: Path, other: str) -> None:
    path = index(tmp_path)
    shard(tmp_path, other, 2_000_000)
    words = f"names 2 files, none of which lies beside it, while '{other}' \\(2 MB\\) does; give"
    with pytest.raises(ScenarioError, match=words):
        read(path)


@pytest.mark.parametrize("other", ["training_args.bin", "README.md", "tokenizer.json"])
def test_what_holds_no_weights_is_no_evidence(tmp_path: Path, other: str) -> None:
    path = index(tmp_path)
    shard(tmp_path, other, 5_000)
    assert read(path)[1] == []


def test_only_names_beside_the_index_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shard(tmp_path, "secret", 1)
    path = tmp_path / "in" / "model.safetensors.index.json"
    weights = {"a": "../secret", "b": str(tmp_path / "secret"), "c": "nul\0"}
    path.write_text(json.dumps({"metadata": {"total_size": 9}, "weight_map": weights}))
    assert read(path)[1] == []
