"""What a result repeats of the scenario, so that a saved one can be read on its own.

A rate without a limit is None. ``options`` are those of the schemes compared, by scheme.
"""

from __future__ import annotations

import msgspec


class NetworkNode(msgspec.Struct, frozen=True):
    """One router. ``label`` is free text and is escaped wherever it is shown."""

    name: str
    label: str
    lon: float | None  # [degrees]
    lat: float | None  # [degrees]
    kind: str


class NetworkLink(msgspec.Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """One bidirectional link; ``capacity_reverse_bps`` is that of to -> from."""

    link: str
    source: str
    target: str
    capacity_bps: float | None
    capacity_reverse_bps: float | None


class Network(msgspec.Struct, frozen=True):
    name: str
    source: str
    licence: str
    nodes: tuple[NetworkNode, ...]
    links: tuple[NetworkLink, ...]


class AskedTransfer(msgspec.Struct, frozen=True):
    """``receivers`` is new or known; ``clouds`` are the names of those that shall receive."""

    name: str
    model: str | None
    size_bytes: int
    origin: str
    origin_egress_bps: float | None
    start_s: float
    load: str
    receivers: str
    clouds: tuple[str, ...]


class AskedCloud(msgspec.Struct, frozen=True):
    name: str
    node: str
    ingress_bps: float | None
    replicas: int
    fabric_bps: float | None
    fanout: str
    engine: str | None


class Question(msgspec.Struct, frozen=True):
    transfers: tuple[AskedTransfer, ...]
    clouds: tuple[AskedCloud, ...]
    options: dict[str, dict[str, str | int | float | bool | None]]
