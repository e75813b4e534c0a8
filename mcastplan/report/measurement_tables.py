"""Tables of a measurement: schemes side by side, every run, links, routers' tables."""

from __future__ import annotations

from mcastplan.model.measurement import Measurement
from mcastplan.report import measurement_read as read
from mcastplan.report import words
from mcastplan.report.markup import Cell, Column, esc, items, section, table
from mcastplan.report.tables import Rows
from mcastplan.study.beside import Row, Summary, binds, show, signed, summaries
from mcastplan.study.beside import tables as checked
from mcastplan.units import counted, show_rate

MAX_WRONG = 40

SUMMARY = (
    Column("scheme", words=True),
    Column("runs", tip="that count; those that do not are in brackets"),
    Column("set-up", tip="from the request until the first packet reached every receiver"),
    Column("sending rate", tip="0.95 of the highest rate without loss, probed before the push"),
    Column("transfer", tip="first byte to last byte at the last replica"),
    Column("all ready", tip="every replica has verified and loaded its copy"),
)
# Where something fails.
HIT = (
    Column("longest outage", tip="of any replica, all its gaps together"),
    Column("sent again", tip="payload that was repaired"),
)
_KINDS, _HIT_KINDS = ("setup", "rate", "transfer", "ready"), ("outage", "repaired")
CLOUDS = (
    Column("cloud", words=True),
    Column("scheme", words=True),
    Column("outage measured"),
    Column("predicted"),
    Column("error"),
)
RUNS = (
    Column("run", words=True),
    Column("set-up"),
    Column("rate without loss"),
    Column("transfer"),
    Column("all ready"),
    Column("longest outage"),
    Column("packets dropped at", words=True, tip="above the highest rate without loss"),
    Column("busiest CPU second"),
    Column("counts", words=True),
)


def summary_columns(result: Measurement) -> tuple[Column, ...]:
    return (*SUMMARY, *HIT) if _fails(result) else SUMMARY


def summary_rows(result: Measurement) -> Rows:
    kinds = (*_KINDS, *_HIT_KINDS) if _fails(result) else _KINDS
    return [
        (f"{each.scheme} {each.transfer}", _summary(result, each, kinds))
        for each in summaries(result)
    ]


def _fails(result: Measurement) -> bool:
    return any(run.failure is not None for run in result.runs)


def _summary(result: Measurement, each: Summary, kinds: tuple[str, ...]) -> list[Cell]:
    runs = f"{len(each.runs)}" + (f" ({len(each.invalid)})" if each.invalid else "")
    note = "" if each.counts else "no run counts"
    cells = [Cell(read.name(result, each), note=note), Cell(runs, len(each.runs))]
    for kind in kinds:
        row = each.row(kind)
        cells.append(Cell(read.value(row), row.measured if row else None, _beside(row)))
    return cells


def _beside(row: Row | None) -> str:
    """``plan 66 ms``, the error under it, and whether that is more than promised."""
    if row is None or row.predicted is None:
        return ""
    lines = [f"plan {show(row, row.predicted)}"]
    if row.error is not None and row.measured:
        lines.append(signed(row.error) + (", too far" if row.within is False else ""))
    return "\n".join(lines)


def summary(result: Measurement) -> str:
    several = any(len(each.runs) > 1 for each in summaries(result))
    medians = " Numbers are medians of the runs that count." if several else ""
    return section(
        "schemes",
        "Measured, and what was predicted",
        "Large: measured in the lab. Small: what the planner said before the run, and how far from"
        " it the measurement is."
        f"{medians} Click a heading to sort.",
        table(summary_columns(result), summary_rows(result), key="summary"),
    )


def cloud_rows(result: Measurement) -> Rows:
    found: Rows = []
    for each in summaries(result):
        for row in each.rows:
            if row.kind == "cloud-outage":
                found.append(
                    (
                        row.what,
                        [
                            Cell(row.what),
                            Cell(read.name(result, each)),
                            _time(row.measured),
                            _time(row.predicted),
                            Cell(signed(row.error), row.error),
                        ],
                    )
                )
    return found


def outages(result: Measurement) -> str:
    rows = cloud_rows(result)
    if not rows:
        return ""
    return section(
        "outages",
        "Who missed packets, and for how long",
        "A probe of 1,000 packets a second goes the same way as the data; an outage is what its"
        " sequence numbers lack at the replica of the cloud that missed most.",
        table(CLOUDS, rows, key="outage-table"),
    )


def _time(seconds: float | None) -> Cell:
    return Cell(read.time(seconds), seconds)


def run_rows(result: Measurement) -> Rows:
    found: Rows = []
    for number, run in enumerate(result.runs, 1):
        seen = run.measured
        said = ", ".join(seen.binding) or read.NONE
        place = ", ".join(run.predicted.overloaded)
        note = {True: "as predicted", False: f"predicted: {place}", None: ""}[binds(run)]
        found.append(
            (
                f"{number}",
                [
                    Cell(f"{number}. {read.name(result, run)}", number),
                    _time(seen.setup_s),
                    Cell(
                        read.NONE if seen.probe_bps is None else show_rate(seen.probe_bps),
                        seen.probe_bps,
                    ),
                    _time(seen.transfer_s),
                    _time(seen.ready_s),
                    _time(seen.worst_outage_s),
                    Cell(said, note=note),
                    Cell(f"{seen.cpu:.0%}", seen.cpu),
                    Cell("no: " + "; ".join(run.invalid) if run.invalid else "yes"),
                ],
            )
        )
    return found


def runs(result: Measurement) -> str:
    return section(
        "runs",
        "Every run",
        "A run in which a BFD session went down by itself, or the machine was busy for more than"
        " 80 % of a second, does not count: it measured the machine.",
        table(RUNS, run_rows(result), key="run-table"),
    )


def wrong_tables(result: Measurement) -> list[str]:
    return [
        f"{words.title(run.scheme)}, {check.node}, {check.what}: found"
        f" {', '.join(check.found) or 'nothing'}; the planner says"
        f" {', '.join(check.expected) or 'nothing'}"
        for run, check in checked(result)
        if not check.same
    ]


def drop_lines(result: Measurement) -> list[str]:
    return [
        f"{words.title(run.scheme)} (run {number}): {counted(count, 'packet')}, {reason}"
        for number, run in enumerate(result.runs, 1)
        for reason, count in sorted(run.measured.drops.items())
        if count
    ]


def tables_line(result: Measurement) -> str:
    checks = checked(result)
    same = sum(check.same for _, check in checks)
    return f"{same:,} of {counted(len(checks), 'table')} hold just what the planner says."


def tables(result: Measurement) -> str:
    checks, drops = checked(result), drop_lines(result)
    if not checks and not drops:
        return ""
    wrong = wrong_tables(result)
    left = len(wrong) - MAX_WRONG
    parts = []
    if checks:
        parts.append(f"<p>{esc(tables_line(result))}</p>")
    if wrong:
        parts.append(f"<div class=warning>{items(wrong[:MAX_WRONG])}</div>")
    if left > 0:
        parts.append(f"<p class=small>and {left:,} more in the JSON result.</p>")
    if drops:
        parts.append(f"<h3>Packets dropped by the forwarding plane</h3>{items(drops)}")
    return section(
        "tables",
        "What the routers held",
        "Multicast routes and eBPF maps were read from every router after set-up and set beside the"
        " tables of the plan.",
        *parts,
    )


def link_row(row: Row) -> str:
    """``31.2 MB (+1.2 %)``."""
    error = "" if row.error is None else f" ({signed(row.error)})"
    return f"{show(row, row.measured)}{error}"
