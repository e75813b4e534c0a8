"""A progress bar on stderr, for people only: a terminal, and after one second of waiting."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Report = Callable[[str, float], None]
PATIENCE_S = 1.0


@contextmanager
def progress(patience_s: float = PATIENCE_S) -> Iterator[Report | None]:
    """Yields what to call with (what is being done, fraction done 0..1); None off a terminal.

    The bar vanishes when the work ends, however it ends.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    bar = _Bar()
    timer = threading.Timer(patience_s, bar.show)
    timer.daemon = True
    timer.start()
    try:
        yield bar.update
    finally:
        timer.cancel()
        bar.close()


class _Bar:
    """The last thing reported; drawn once `show` was called."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = ("reading", 0.0)
        self._drawn: tuple[Progress, TaskID] | None = None
        self._closed = False

    def update(self, what: str, fraction: float) -> None:
        self._state = (what, fraction)
        if self._drawn is not None:
            bar, task = self._drawn
            bar.update(task, description=what, completed=fraction)

    def show(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        with self._lock:
            if self._closed:
                return
            bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TimeElapsedColumn(),
                TextColumn("left:"),
                TimeRemainingColumn(),
                console=Console(stderr=True, markup=False, highlight=False),
                transient=True,
            )
            what, fraction = self._state
            task = bar.add_task(what, total=1.0)
            bar.update(task, completed=fraction)
            bar.start()
            self._drawn = (bar, task)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._drawn is not None:
                self._drawn[0].stop()
