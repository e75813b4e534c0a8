"""The model and engine catalogues in ``data/``: numbers with their source, as JSON."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from mcastplan.errors import ScenarioError
from mcastplan.model.cloud import EngineProfile
from mcastplan.model.transfer import Model
from mcastplan.scenario.words import hint, shown

_DATA = Path(__file__).parent / "data"

# huggingface_hub 0.23 `split_torch_state_dict_into_shards(max_shard_size=5_000_000_000)`, the
# default of transformers 4 `save_pretrained` ("5GB"), decimal.
SHARD_BYTES = 5_000_000_000


def shards_of(size_bytes: int) -> int:
    """Files a checkpoint of ``size_bytes`` has at the default shard size."""
    return -(-size_bytes // SHARD_BYTES)


@cache
def models() -> tuple[Model, ...]:
    """The model catalogue, by name."""
    rows = msgspec.json.decode((_DATA / "models.json").read_bytes(), type=tuple[Model, ...])
    return tuple(sorted(rows, key=lambda row: row.name))


@cache
def engines() -> tuple[EngineProfile, ...]:
    """The engine catalogue, by name."""
    data = (_DATA / "engines.json").read_bytes()
    rows = msgspec.json.decode(data, type=tuple[EngineProfile, ...])
    return tuple(sorted(rows, key=lambda row: row.name))


class MrouteLimit(msgspec.Struct, frozen=True):
    """Multicast routes one class of routers holds in hardware, from the least of its models."""

    name: str
    entries_low: int
    entries: int
    source: str


@cache
def mroute_limits() -> tuple[MrouteLimit, ...]:
    """Hardware limits of multicast state, the smallest table first."""
    data = (_DATA / "mroute_limits.json").read_bytes()
    rows = msgspec.json.decode(data, type=tuple[MrouteLimit, ...])
    return tuple(sorted(rows, key=lambda row: (row.entries_low, row.name)))


def find_model(name: str, where: str) -> Model:
    """The row of that name. Raises `ScenarioError`."""
    for row in models():
        if row.name == name:
            return row
    advice = hint(name, (row.name for row in models()))
    raise ScenarioError(f"no model is called {shown(name)}{advice}", where)
