"""A page of text and tables; text from files is shown as it is, less control characters."""

from __future__ import annotations

import io
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

from mcastplan.cli.output import plain

WIDTH = 100
NARROW = 80  # a terminal with fewer columns wraps the lines itself
NARROWEST = 12  # of a column whose words wrap


class Column:
    """One column: its heading (may hold a line break), and whether it may wrap (words do)."""

    __slots__ = ("heading", "wrap")

    def __init__(self, heading: str, wrap: bool = False) -> None:
        self.heading, self.wrap = heading, wrap


class Page:
    """Lines and tables in order, rendered at the end to one string."""

    def __init__(self, width: int | None = None, colour: bool | None = None) -> None:
        from rich.console import Console

        terminal = sys.stdout is not None and sys.stdout.isatty()
        if width is None:
            seen = shutil.get_terminal_size().columns if terminal else WIDTH
            width = max(NARROW, min(WIDTH, seen))
        self.width = width
        self._buffer = io.StringIO()
        self._console = Console(
            file=self._buffer,
            width=width,
            force_terminal=terminal if colour is None else colour,
            color_system="auto" if terminal or colour else None,
            markup=False,
            highlight=False,
            emoji=False,
            legacy_windows=False,
        )

    def gaps(self, sentences: Sequence[str]) -> Page:
        """What was not read, or not known, before the answer that hangs on it."""
        for sentence in sentences:
            self.line(f"! {sentence}", style="yellow")
        return self

    def line(self, text: str = "", style: str = "") -> None:
        """One paragraph, wrapped; continuation lines are indented."""
        self._wrapped(text, "", "  ", style)

    def bullet(self, text: str) -> None:
        self._wrapped(text, "- ", "  ", "")

    def heading(self, text: str) -> None:
        self._wrapped(text, "", "  ", "bold")

    def _wrapped(self, text: str, first: str, later: str, style: str) -> None:
        from rich.text import Text

        lines = textwrap.wrap(
            plain(text),
            self.width,
            initial_indent=first,
            subsequent_indent=later,
            break_on_hyphens=False,
        )
        for line in lines or [""]:
            self._console.print(Text(line, style=style), overflow="fold")

    def table(
        self,
        columns: Sequence[Column],
        rows: Iterable[Sequence[str]],
        strong: int | None = None,
    ) -> None:
        """The first column and those that wrap stand left, the others, numbers, right.

        ``strong`` is the row to be set in bold.
        """
        from rich.table import Table
        from rich.text import Text

        cells = [[plain(cell) for cell in row] for row in rows]
        widths = _widths(columns, cells)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        high = max(column.heading.count("\n") for column in columns)
        for number, (column, width) in enumerate(zip(columns, widths, strict=True)):
            above = "\n" * (high - column.heading.count("\n"))
            table.add_column(
                Text(above + column.heading),
                justify="left" if number == 0 or column.wrap else "right",
                min_width=NARROWEST if column.wrap else width,
                no_wrap=not column.wrap,
                overflow="fold",
            )
        for number, row in enumerate(cells):
            table.add_row(*map(Text, row), style="bold" if number == strong else "")
        # Numbers are never cut: a table that cannot be squeezed runs over.
        narrowest = sum(
            (min(width, NARROWEST) if column.wrap else width) + 2
            for column, width in zip(columns, widths, strict=True)
        )
        self._console.print(table, width=max(self.width, narrowest), crop=False)

    def fits(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> bool:
        """Whether the table needs no wrapping here."""
        return sum(_widths(columns, rows)) + 2 * (len(columns) - 1) <= self.width

    def text(self) -> str:
        """Everything so far, without blanks at the ends of lines."""
        lines = (line.rstrip() for line in self._buffer.getvalue().splitlines())
        return "\n".join(lines) + "\n"


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """Widest line of each column, heading included."""
    return [
        max(map(len, (*column.heading.split("\n"), *(row[number] for row in rows))))
        for number, column in enumerate(columns)
    ]


def aligned(columns: Sequence[str], rows: Iterable[Sequence[str]], indent: str = "") -> list[str]:
    """A table as a router prints one: left-aligned, never wrapped, however wide."""
    cells = [tuple(map(plain, row)) for row in (columns, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        indent
        + "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def some(names: Sequence[str], limit: int = 12) -> str:
    """``a, b, c and 4 more``."""
    if len(names) <= limit:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} and {len(names) - limit} more"
