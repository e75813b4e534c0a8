"""How busy the machine is, second by second: a run on a busy machine measures the machine."""

from __future__ import annotations

import time
from pathlib import Path

WINDOW_S = 1.0
_IDLE = (3, 4)  # of /proc/stat's first line: idle, iowait


class Cpu:
    """The busiest window since it was made, as a share of all cores; `look` often."""

    def __init__(self) -> None:
        self.busiest = 0.0
        self._at_s, self._was = time.monotonic(), _ticks()

    def look(self) -> None:
        if time.monotonic() - self._at_s >= WINDOW_S:
            self._note()

    def end(self) -> None:
        """What was shorter than one window counts as a whole."""
        if self.busiest == 0.0:
            self._note()

    def _note(self) -> None:
        now = _ticks()
        total, idle = now[0] - self._was[0], now[1] - self._was[1]
        if total:
            self.busiest = max(self.busiest, 1 - idle / total)
        self._at_s, self._was = time.monotonic(), now


def _ticks() -> tuple[int, int]:
    """(all, idle) ticks since boot."""
    with Path("/proc/stat").open() as stat:
        ticks = [int(field) for field in stat.readline().split()[1:9]]
    return sum(ticks), sum(ticks[place] for place in _IDLE)
