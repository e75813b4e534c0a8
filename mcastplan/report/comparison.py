"""What `compare` found: the chapters of its page, and the same as Markdown."""

from __future__ import annotations

from collections.abc import Callable

from mcastplan.model.results import Comparison
from mcastplan.report import read, words
from mcastplan.report.answer import answer, headline, question
from mcastplan.report.bits import bits
from mcastplan.report.closing import asked, closing
from mcastplan.report.costs import costs
from mcastplan.report.curves import curves
from mcastplan.report.linkmap import linkmap
from mcastplan.report.markdown_parts import bullets, chapter, table_lines, text
from mcastplan.report.stages import stages
from mcastplan.report.tables import WHEN, cost_columns, cost_rows, tables, when_rows

__all__ = ["CHAPTERS", "headline", "markdown"]

CHAPTERS: tuple[Callable[[Comparison], str], ...] = (
    answer,
    tables,
    curves,
    stages,
    linkmap,
    costs,
    bits,
    asked,
    closing,
)


def markdown(result: Comparison) -> str:
    lines = [f"# {text(question(result))}", "", f"**{text(headline(result))}**", ""]
    if result.recommendation is not None:
        lines += [*bullets(result.recommendation.because), ""]
    missing = read.unreachable(result)
    lines += chapter(
        "Not reached",
        bullets(f"{cloud}: not by {', '.join(schemes)}" for cloud, schemes in missing.items()),
    )
    full = read.no_room(result)
    if full:
        lines += [f"No room for {', '.join(full)}: {result.full_of_background}.", ""]
    lines += ["## When", "", *table_lines(WHEN, when_rows(result)), ""]
    lines += ["## What it costs the network", ""]
    lines += [*table_lines(cost_columns(result), cost_rows(result)), ""]
    refused = [row for row in result.schemes if not row.feasible]
    lines += bullets(f"{words.title(row.name)} is not possible: {row.reason}" for row in refused)
    lines += [""] if refused else []
    lines += ["## What these numbers take for granted", "", *bullets(result.assumptions), ""]
    lines += ["## What is left out", ""]
    lines += bullets(f"{what}: {about}" for what, about in words.NOT_MODELLED)
    return "\n".join(lines) + "\n"
