"""Waiting for a state of the daemons, which tell nobody when it comes."""

from __future__ import annotations

import time
from collections.abc import Callable

from mcastlab.errors import LabError

POLL_S = 0.02  # between two looks


def until(
    missing: Callable[[], str | None],
    deadline_s: float,
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Returns once ``missing`` finds nothing. Raises `LabError` with what it still finds at
    ``deadline_s`` (monotonic), or what ``alive`` raises meanwhile."""
    while (lack := missing()) is not None:
        alive()
        if time.monotonic() > deadline_s:
            raise LabError(f"not in time: {lack}")
        time.sleep(POLL_S)
