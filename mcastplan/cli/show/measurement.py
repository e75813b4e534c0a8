"""What the lab measured, on a terminal: every quantity beside its prediction."""

from __future__ import annotations

import shlex

from mcastplan.cli.show.page import Column, Page, some
from mcastplan.model.measurement import Measurement
from mcastplan.report import measurement_read as read
from mcastplan.study.beside import Row, Summary, not_ready, show, signed
from mcastplan.study.verdict import verdict
from mcastplan.units import counted, show_size, show_time

NONE = "-"
_MAX_LINKS = 10  # the farthest off
_MAX_MISSING = 12


def show_measurement(result: Measurement, source: str, page: Page) -> str:
    """The screen; ``source`` is the scenario as the user named it."""
    lab = result.lab
    page.heading(f"{result.scenario}: measured in the lab, beside the plan")
    page.line(
        f"{counted(lab.routers, 'router')}, {counted(lab.links, 'link')},"
        f" {counted(lab.replicas, 'replica')}; rates x {lab.rate_scale:g},"
        f" {show_size(lab.size_bytes)} in {counted(lab.shards, 'file')}; up and converged after"
        f" {show_time(lab.converged_s)}; shaped rates within {100 * lab.worst_link_error:.2g} %"
    )
    for asked in read.questions(result):
        page.line()
        page.heading(asked.said)
        _question(page, result, asked)
    _links(page, result)
    missing = not_ready(result)
    if missing:
        names = [f"{run.scheme} {one.cloud} {one.index} ({one.status})" for run, one in missing]
        page.line()
        page.line(f"NOT READY: {some(names, _MAX_MISSING)}", style="bold red")
    page.line()
    page.heading("What it says:")
    for sentence in verdict(result):
        page.bullet(sentence)
    page.line()
    told = result.calibration
    page.line(
        f"Predictions: scaled scenario, constants of {told.date} measured on {told.topology}; no"
        " number is taken from the run."
    )
    page.line(
        f"More: --json FILE ({counted(len(result.runs), 'run')}, every replica, link and table);"
        f" --report DIR (a page); mcastplan compare {shlex.quote(source)}"
    )
    return page.text()


def _question(page: Page, result: Measurement, asked: read.Question) -> None:
    # Set-up and transfer of a push that fails are in the report: numbers are never cut.
    kinds = [("setup", "set-up"), ("transfer", "transfer"), ("ready", "all\nready")]
    if asked.kind == "outage":
        kinds = [("outage", "longest\noutage"), ("ready", "all\nready")]
    columns = [Column("scheme"), Column("runs")]
    for _, heading in kinds:
        columns += [Column(heading), Column("plan"), Column("error")]
    rows = [_cells(each, [kind for kind, _ in kinds]) for each in asked.rows]
    page.table(columns, rows)
    far = [
        f"{each.scheme} {row.what} {signed(row.error)}"
        for each in asked.rows
        for row in each.rows
        if row.kind != "link" and row.within is False
    ]
    if far:
        page.line(f"Farther off than promised: {', '.join(far)}")


def _cells(each: Summary, kinds: list[str]) -> list[str]:
    runs = f"{len(each.runs)}" + (f"+{len(each.invalid)} invalid" if each.invalid else "")
    cells = [each.scheme, runs]
    for kind in kinds:
        row = each.row(kind)
        if row is None:
            cells += [NONE] * 3
        else:
            cells += [show(row, row.measured), show(row, row.predicted), signed(row.error)]
    return cells


def _links(page: Page, result: Measurement) -> None:
    """The arcs that are farthest from the plan."""
    rows: list[tuple[str, Row]] = []
    for asked in read.questions(result):
        for each in asked.rows:
            wrong = [row for row in each.links if row.within is False or row.error is None]
            rows += [(read.name(result, each), row) for row in wrong]
    if not rows:
        return
    left = len(rows) - _MAX_LINKS
    rows = sorted(rows, key=lambda row: -abs(row[1].error or 0.0))[:_MAX_LINKS]
    page.line()
    page.heading("Links whose bytes are farther from the plan than promised")
    columns = [Column("scheme"), Column("arc", wrap=True), Column("measured"), Column("plan")]
    page.table([*columns, Column("error")], [_link(*row) for row in rows])
    if left > 0:
        page.line(f"and {counted(left, 'more arc')}")


def _link(name: str, row: Row) -> list[str]:
    return [
        name,
        row.what,
        show(row, row.measured),
        show(row, row.predicted),
        signed(row.error),
    ]
