"""When one router runs its SPF: the two throttles as pure machines over the events it meets.

``rfc8405``: RFC 8405 section 5. ``frr-throttle``: FRR ospfd's ``timers throttle spf DELAY HOLD
MAX`` as ospfd/ospf_spf.c does it (ospf_spf_calculate_schedule): the hold time grows by the initial
hold, it is not doubled. An event is any change of the router's link-state database.

Not modelled: vendors' own exponential back-offs, partial or incremental SPF, ospfd's rounding of
times down to whole milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from mcastplan.model.timers import Timers

State = Literal["QUIET", "SHORT_WAIT", "LONG_WAIT"]


def spf_runs(events_s: Iterable[float], timers: Timers) -> list[float]:
    """Instants at which an SPF starts [s]. Each runs for ``timers.spf_run_s``, one at a time.

    ``events_s`` ascend. An SPF sees the event of the very instant at which it starts.
    """
    machine: Rfc8405 | FrrThrottle
    machine = Rfc8405(timers) if timers.spf == "rfc8405" else FrrThrottle(timers)
    for at_s in events_s:
        machine.event(at_s)
    return machine.runs()


class Rfc8405:
    """RFC 8405 section 5.1; the numbers in comments are its transitions."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self.state: State = "QUIET"
        self._spf_s = math.inf  # SPF_TIMER expires; infinite while it is not running
        self._learn_s = math.inf  # LEARN_TIMER
        self._holddown_s = math.inf  # HOLDDOWN_TIMER
        self._runs: list[float] = []

    def event(self, at_s: float) -> None:
        """An IGP event; never earlier than the one before."""
        self.expire(at_s)
        timers = self._timers
        delay_s = {
            "QUIET": timers.spf_initial_s,
            "SHORT_WAIT": timers.spf_short_s,
            "LONG_WAIT": timers.spf_long_s,
        }[self.state]
        if self._spf_s == math.inf:
            self._spf_s = at_s + delay_s
        self._holddown_s = at_s + timers.spf_holddown_s
        if self.state == "QUIET":  # 1; 2 and 4 stay where they are
            self._learn_s = at_s + timers.spf_learn_s
            self.state = "SHORT_WAIT"

    def expire(self, at_s: float) -> None:
        """Let time pass up to ``at_s``."""
        if self._spf_s < at_s:
            self._run()
        if self._learn_s <= min(at_s, self._holddown_s):  # 3
            self.state = "LONG_WAIT"
            self._learn_s = math.inf
        if self._holddown_s <= at_s:  # 5, or 6, which also stops LEARN_TIMER
            self.state = "QUIET"
            self._learn_s = self._holddown_s = math.inf

    def runs(self) -> list[float]:
        """All starts, the pending one too."""
        if self._spf_s < math.inf:
            self._run()
        return self._runs

    def _run(self) -> None:
        free_s = self._runs[-1] + self._timers.spf_run_s if self._runs else -math.inf
        self._runs.append(max(self._spf_s, free_s))
        self._spf_s = math.inf


class FrrThrottle:
    """ospfd is one thread: what arrives while an SPF runs is handled at its end, from which the
    hold time also counts."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._spf_s = math.inf  # the scheduled SPF
        self._ended_s = -math.inf
        self._multiplier = 1
        self._runs: list[float] = []

    def event(self, at_s: float) -> None:
        """The database changes; never earlier than the one before."""
        timers = self._timers
        if self._spf_s < at_s:
            self._run()
        if self._spf_s < math.inf:
            return
        at_s = max(at_s, self._ended_s)
        elapsed_s = at_s - self._ended_s
        hold_s = min(timers.spf_hold_s * self._multiplier, timers.spf_max_hold_s)
        delay_s = timers.spf_delay_s
        if elapsed_s < hold_s:
            if hold_s < timers.spf_max_hold_s:
                self._multiplier += 1
            delay_s = max(delay_s, hold_s - elapsed_s)
        else:
            self._multiplier = 1
        self._spf_s = at_s + delay_s

    def runs(self) -> list[float]:
        """All starts, the pending one too."""
        if self._spf_s < math.inf:
            self._run()
        return self._runs

    def _run(self) -> None:
        self._runs.append(self._spf_s)
        self._ended_s = self._spf_s + self._timers.spf_run_s
        self._spf_s = math.inf
