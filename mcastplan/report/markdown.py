"""The same answer as Markdown: for an issue, a wiki, a mail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcastplan.model.results import Comparison
from mcastplan.report import read, words
from mcastplan.report.answer import headline, question
from mcastplan.report.markup import Column
from mcastplan.report.tables import WHEN, Rows, cost_columns, cost_rows, when_rows

_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>#|~&"})


def text(value: object) -> str:
    """Text on one line that Markdown takes as it is."""
    line = " ".join(str(value).split())
    return "".join(char if char.isprintable() else "\ufffd" for char in line).translate(_SPECIAL)


def render_markdown(result: Comparison) -> str:
    """The page as text."""
    lines = [f"# {text(question(result))}", "", f"**{text(headline(result))}**", ""]
    if result.recommendation is not None:
        lines += [*_bullets(result.recommendation.because), ""]
    missing = read.unreachable(result)
    if missing:
        lines += ["## Not reached", ""]
        lines += _bullets(
            f"{cloud}: not by {', '.join(schemes)}" for cloud, schemes in missing.items()
        )
        lines += [""]
    lines += ["## When", "", *_table(WHEN, when_rows(result)), ""]
    lines += ["## What it costs the network", ""]
    lines += [*_table(cost_columns(result), cost_rows(result)), ""]
    refused = [row for row in result.schemes if not row.feasible]
    lines += _bullets(f"{words.title(row.name)} is not possible: {row.reason}" for row in refused)
    lines += [""] if refused else []
    lines += ["## What these numbers take for granted", "", *_bullets(result.assumptions), ""]
    lines += ["## What is left out", ""]
    lines += _bullets(f"{what}: {about}" for what, about in words.NOT_MODELLED)
    return "\n".join(lines) + "\n"


def _bullets(sentences: Iterable[str]) -> list[str]:
    return [f"- {text(sentence)}" for sentence in sentences]


def _table(columns: Sequence[Column], rows: Rows) -> list[str]:
    lines = [
        _line(text(column.heading) for column in columns),
        _line("---" if column.words else "---:" for column in columns),
    ]
    lines += (_line(text(cell.text) for cell in cells) for _, cells in rows)
    return lines


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
