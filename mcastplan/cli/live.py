"""The running lab on a terminal: what it does, and where every replica of the push is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mcastplan.cli.output import plain
from mcastplan.units import show_time

if TYPE_CHECKING:
    from rich.table import Table

Watch = Callable[[Any], None]
ROWS = 24  # replicas shown at once
BAR = 24  # characters
# Stages in the order in which a replica goes through them.
COLOURS = {
    "waiting": "dim",
    "receiving": "cyan",
    "verifying": "yellow",
    "loading": "magenta",
    "ready": "green",
}


@contextmanager
def live() -> Iterator[Watch]:
    """Yields what to call with the lab's events; it draws on a terminal's stderr and nowhere
    else, and leaves nothing there."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda event: None
        return
    from rich.console import Console
    from rich.live import Live

    screen = _Screen()
    console = Console(stderr=True, markup=False, highlight=False)
    with Live(console=console, transient=True, refresh_per_second=8) as drawn:

        def watch(event: Any) -> None:
            screen.take(event)
            drawn.update(screen.table())

        yield watch


class _Screen:
    """The last thing heard of each kind; which kinds there are: `mcastlab.job.Event`."""

    def __init__(self) -> None:
        self._doing = "starting"
        self._progress: Any = None
        self._done: list[str] = []

    def take(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "Doing":
            self._doing, self._progress = event.what, None
        elif kind == "Progress":
            self._progress = event
        elif kind == "Up":
            self._done.append(
                f"network up and converged after {show_time(event.built_s + event.converged_s)}"
            )
        elif kind == "Ran":
            ready_s, outage_s = event.measured.ready_s, event.measured.worst_outage_s
            end = f"ready after {show_time(ready_s)}" if ready_s is not None else "not all ready"
            if outage_s:
                end = f"packets back after {show_time(outage_s)}, {end}"
            why = f"  (does not count: {'; '.join(event.invalid)})" if event.invalid else ""
            self._done.append(f"{event.push.scheme} {event.push.transfer}: {end}{why}")
            self._progress = None

    def table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        for line in self._done[-8:]:
            table.add_row(Text(plain(line), style="dim"))
        table.add_row(Text(plain(self._doing), style="bold"))
        if self._progress is not None:
            table.add_row(self._replicas())
        return table

    def _replicas(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        now = self._progress
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for heading in (f"{now.scheme}, {now.elapsed_s:.1f} s", "replica", "received", "stage"):
            table.add_column(plain(heading))
        for cloud, index, stage, share in now.replicas[:ROWS]:
            full = round(BAR * min(max(share, 0.0), 1.0))
            bar = Text("█" * full, style=COLOURS.get(stage, ""))
            bar.append("·" * (BAR - full), style="dim")
            bar.append(f" {share:4.0%}")
            table.add_row(
                Text(plain(cloud)), str(index), bar, Text(stage, style=COLOURS.get(stage, ""))
            )
        if len(now.replicas) > ROWS:
            table.add_row(Text(f"and {len(now.replicas) - ROWS} more", style="dim"))
        return table
