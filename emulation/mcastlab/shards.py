"""The model that is pushed: real safetensors shards of exactly as many bytes as the push has.

What is in them cannot be compressed and is the same in every run of the same push (a seeded
generator), so that a hash can be compared across schemes. The index beside them names every tensor,
as model hubs do; it is part of the manifest that a replica is given, and is not pushed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from mcastlab.errors import LabError
from mcastplan.lab.spec import LabPush

INDEX = "model.safetensors.index.json"
TENSORS = 4  # float16, in each shard; what is left of its bytes is a fifth, of uint8
LEAST_BYTES = 4096  # of a shard: the header and a few bytes in each tensor
ALIGNMENT_BYTES = 64  # of the tensors that are cut to equal sizes


class Shard(msgspec.Struct, frozen=True):
    """One file of the model."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a replica must end up with. ``weight_map``: which shard each tensor is in."""

    shards: tuple[Shard, ...]
    weight_map: dict[str, str]

    @property
    def size_bytes(self) -> int:
        return sum(shard.size_bytes for shard in self.shards)


def make(folder: Path, push: LabPush) -> Manifest:
    """Write the push's shards and their index into the folder, and describe them.

    Sizes differ by at most a byte and sum to ``push.size_bytes``. Raises `LabError` if the push is
    too small to be cut into so many shards.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sizes = _sizes(push)
    shards = []
    weight_map: dict[str, str] = {}
    for number, size_bytes in enumerate(sizes):
        name = f"model-{number + 1:05d}-of-{push.shards:05d}.safetensors"
        tensors = _tensors(push, number, size_bytes)
        content = save(tensors)
        if len(content) != size_bytes:
            raise AssertionError(f"{name} has {len(content)} B, not {size_bytes}")
        (folder / name).write_bytes(content)
        shards.append(Shard(name, size_bytes, hashlib.sha256(content).hexdigest()))
        weight_map.update(dict.fromkeys(sorted(tensors), name))
    index = {"metadata": {"total_size": push.size_bytes}, "weight_map": weight_map}
    (folder / INDEX).write_text(json.dumps(index, indent=2))
    return Manifest(tuple(shards), weight_map)


def sha256(path: Path) -> str:
    """The file's hash, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sizes(push: LabPush) -> list[int]:
    each, longer = divmod(push.size_bytes, push.shards)
    if each < LEAST_BYTES:
        raise LabError(
            f"transfer {push.transfer}: {push.size_bytes} B in {push.shards} shards leave less than"
            f" {LEAST_BYTES} B each; push more bytes (--seconds) or fewer shards"
        )
    return [each + (number < longer) for number in range(push.shards)]


def _tensors(push: LabPush, shard: int, size_bytes: int) -> dict[str, NDArray[np.generic]]:
    """Tensors that make a file of exactly this size: the header's length depends on the digits of
    the offsets in it, so that the last tensor is cut until the sum is right."""
    seed = (push.tree_id, push.size_bytes, push.shards, shard)
    content = np.random.default_rng(seed).integers(0, 256, size_bytes, np.uint8)
    # Room for the header, which is far shorter.
    each = (size_bytes - LEAST_BYTES // 2) // TENSORS // ALIGNMENT_BYTES * ALIGNMENT_BYTES
    tensors: dict[str, NDArray[np.generic]] = {
        f"model.layers.{shard * TENSORS + number}.mlp.weight": content[
            number * each : (number + 1) * each
        ].view(np.float16)
        for number in range(TENSORS)
    }
    last = f"model.layers.{shard * TENSORS}.mlp.scales"
    start, rest = TENSORS * each, size_bytes - TENSORS * each
    # The header is padded to 8 B, so that one more byte of tensor is one more byte of file but
    # where the header itself grows: three steps are enough.
    room = rest
    for _ in range(3):
        tensors[last] = content[start : start + room]
        room -= len(save(tensors)) - size_bytes
        if len(tensors[last]) == room:
            break
    return tensors
