"""Lines of the report, and how times are taken."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from statistics import median
from typing import Literal, TypeVar

T = TypeVar("T")


class Report:
    """Prints each budget as it is measured and counts the missed ones.

    ``ratio`` is measured / budget: at most 1 for an upper limit, at least 1 for a lower one.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.missed: list[str] = []

    def section(self, title: str, columns: bool = True) -> None:
        print(f"\n{title}")
        if columns:
            print(f"  {'':<4}  {'':<50} {'measured':>10}    {'budget':>10}  {'ratio':>5}")

    def line(
        self,
        what: str,
        measured: float,
        budget: float,
        unit: str,
        kind: Literal["at most", "at least"] = "at most",
    ) -> None:
        within = measured <= budget if kind == "at most" else measured >= budget
        self.lines += 1
        if not within:
            self.missed.append(what)
        sign = "<=" if kind == "at most" else ">="
        print(
            f"  {'PASS' if within else 'MISS'}  {what:<50} {measured:>6.4g} {unit:<3} {sign}"
            f" {budget:>6.4g} {unit:<3}  {measured / budget:>5.2f}",
            flush=True,
        )

    def failed(self, what: str, why: str) -> None:
        self.lines += 1
        self.missed.append(what)
        print(f"  MISS  {what:<50} {why}", flush=True)

    def note(self, text: str) -> None:
        print(f"        {text}", flush=True)


def timed(call: Callable[[], T], rounds: int = 5) -> tuple[float, T]:
    """(median seconds, last result). The collector waits, as in `timeit`: how often it runs depends
    on whatever else this process holds."""
    times = []
    for _ in range(rounds):
        gc.collect()
        gc.disable()
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
        gc.enable()
    return median(times), result


def side_by_side(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int = 7
) -> tuple[float, float]:
    """(median seconds of one, of the other), taken in turns so that both see the same machine."""
    pairs = [(timed(ours, 1)[0], timed(theirs, 1)[0]) for _ in range(rounds)]
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
