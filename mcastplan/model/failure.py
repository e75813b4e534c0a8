"""What can break. `compare` ignores failures; they are read and checked with the scenario."""

from __future__ import annotations

from typing import Literal

import msgspec


class Failure(msgspec.Struct, frozen=True):
    """Links (by id), nodes and shared-risk groups that go down together.

    ``carrier``: both ends see the light go out; ``silent``: only timers notice.
    """

    at_s: float
    links: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    srlgs: tuple[str, ...] = ()
    kind: Literal["carrier", "silent"] = "carrier"
    up_at_s: float | None = None
