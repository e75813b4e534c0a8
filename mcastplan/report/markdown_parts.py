"""Markdown in pieces. `text` is the only way from text to Markdown, and every helper uses it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcastplan.report.markup import Cell, Column

_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>#|~&"})


def text(value: object) -> str:
    """Text on one line that Markdown takes as it is."""
    line = " ".join(str(value).split())
    return "".join(char if char.isprintable() else "\ufffd" for char in line).translate(_SPECIAL)


def bullets(sentences: Iterable[str]) -> list[str]:
    return [f"- {text(sentence)}" for sentence in sentences]


def chapter(heading: str, lines: Sequence[str]) -> list[str]:
    """A heading over lines; nothing where there are none."""
    return [f"## {text(heading)}", "", *lines, ""] if lines else []


def table_lines(columns: Sequence[Column], rows: Iterable[tuple[str, Sequence[Cell]]]) -> list[str]:
    """The rows of `markup.table`, notes in brackets behind the text."""
    lines = [
        _line(text(column.heading) for column in columns),
        _line("---" if column.words else "---:" for column in columns),
    ]
    lines += (_line(map(_cell, cells)) for _, cells in rows)
    return lines


def _cell(cell: Cell) -> str:
    return text(f"{cell.text} ({cell.note})" if cell.note else cell.text)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
