"""What is pushed: a model or a number of bytes, from one origin to named clouds."""

from __future__ import annotations

import math
from typing import Literal

import msgspec


class Model(msgspec.Struct, frozen=True):
    """One row of the model catalogue."""

    name: str
    title: str
    size_bytes: int
    shards: int
    precision: str
    source: str


class Transfer(msgspec.Struct, frozen=True):
    """One push. ``clouds`` are names, sorted. An origin is a node, never a cloud."""

    name: str
    size_bytes: int
    shards: int  # files of equal size; what streamed loading overlaps
    origin: str  # node name
    clouds: tuple[str, ...]
    origin_egress_bps: float = math.inf
    start_s: float = 0.0
    load: Literal["after", "streamed"] = "after"
    receivers: Literal["new", "known"] = "new"
    ship_compile_cache: bool = False
    model: str | None = None


class Background(msgspec.Struct, frozen=True):
    """Other traffic, routed as unicast, in that direction only; ``rate_bps`` is a wire rate."""

    source: str
    target: str
    rate_bps: float


class Price(msgspec.Struct, frozen=True):
    """Money for bytes that leave ``source`` on a link to ``target`` [USD per decimal GB]."""

    source: str
    target: str
    usd_per_gb: float
