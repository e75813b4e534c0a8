"""GPU sites and what their inference engines do after the last byte."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

Fanout = Literal["multicast", "cache"]


class EngineProfile(msgspec.Struct, frozen=True):
    """Stages of one replica between the last byte and the first answered request.

    A rate of infinity means the stage takes no time. Not modelled: contention between replicas
    of one site for disk or PCIe, restarts, autoscaler queues.
    """

    name: str
    hardware: str = ""
    verify_bps: float = math.inf  # hashing what arrived, one replica [bit/s]
    load_bps: float = math.inf  # into GPU memory, all GPUs of one replica together [bit/s]
    compile_s: float = 0.0
    compile_cached_s: float = 0.0  # where a compile cache is shipped with the weights
    graphs_s: float = 0.0  # CUDA graph capture
    warm_up_s: float = 0.0  # until the first request is answered
    provision_s: float = 0.0  # from the request for a machine to a machine that can receive
    source: str = ""


class Cloud(msgspec.Struct, frozen=True):
    """A GPU site behind one PE. Every replica needs a full copy."""

    name: str
    node: str  # its PE
    ingress_bps: float
    egress_bps: float = math.inf
    replicas: int = 1
    fabric_bps: float = math.inf  # from the site's edge to its GPU servers
    fanout: Fanout = "multicast"
    engine: EngineProfile | None = None
    provision_s: float = 0.0
