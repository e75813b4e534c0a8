"""`lab doctor` on one screen: what is here, what is not and what that costs, and what mends it."""

from __future__ import annotations

from typing import Any

from mcastplan.cli.show.page import Column, Page

COLUMNS = (
    Column("what"),
    Column("found", wrap=True),
    Column("without it", wrap=True),
)


def show_doctor(examined: Any, page: Page) -> str:
    """The screen; ``examined`` is `mcastlab.doctor.Examined`, which the planner does not import."""
    page.heading("This machine can run the lab" if examined.fit else "This machine lacks something")
    page.line()
    page.table(COLUMNS, [_row(each) for each in examined.findings])
    if examined.mend:
        page.line()
        page.line("To mend what is missing:")
        page.line(f"  {examined.mend}")
    return page.text()


def _row(finding: Any) -> tuple[str, str, str]:
    if finding.found:
        return finding.what, finding.value or "yes", ""
    kind = "" if finding.needed == "required" else " (optional)"
    return finding.what, f"no{kind}: {finding.value}".rstrip(": "), finding.costs
