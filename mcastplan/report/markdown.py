"""The same answer as Markdown: for an issue, a wiki, a mail."""

from __future__ import annotations

from mcastplan.report.saved import Result, kind_of


def render_markdown(result: Result) -> str:
    """The page as text."""
    return kind_of(result).markdown(result)
