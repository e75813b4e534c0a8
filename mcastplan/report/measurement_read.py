"""What a measurement says, picked out for a reader: nothing here computes a result."""

from __future__ import annotations

import msgspec

from mcastplan.model.measurement import Measurement, Run
from mcastplan.report import words
from mcastplan.study.beside import Row, Summary, failed, show, signed, summaries
from mcastplan.units import show_time

NONE = "-"


class Question(msgspec.Struct, frozen=True):
    """One push, and what fails during it if anything does; a row for each scheme."""

    said: str
    kind: str  # of the row that answers it: outage or ready
    rows: tuple[Summary, ...]


def questions(result: Measurement) -> list[Question]:
    """In the order in which they were first run."""
    groups: dict[tuple[str, str | None, bool], list[Summary]] = {}
    for each in summaries(result):
        what = None if each.failure is None else failed(each.failure)
        back = each.failure is not None and each.failure.up_at_s is not None
        groups.setdefault((each.transfer, what, back), []).append(each)
    several = len({transfer for transfer, _, _ in groups}) > 1
    found = []
    for (transfer, what, back), rows in groups.items():
        push = f" ({transfer})" if several else ""
        if what is None:
            found.append(Question(f"Until the last replica is ready{push}", "ready", tuple(rows)))
            continue
        later = " and comes back" if back else ""
        found.append(Question(f"Outage when {what}{later}{push}", "outage", tuple(rows)))
    return found


def several_pushes(result: Measurement) -> bool:
    return len({run.transfer for run in result.runs}) > 1


def name(result: Measurement, each: Summary | Run) -> str:
    """The scheme; with the push, where there are several."""
    title = words.title(each.scheme)
    return f"{title}, {each.transfer}" if several_pushes(result) else title


def shown(each: Summary) -> Run:
    """The run that is drawn: the median one of those that count by when it was ready."""
    runs = each.runs or each.invalid
    ordered = sorted(runs, key=lambda run: (run.measured.ready_s is None, run.measured.ready_s))
    return ordered[(len(ordered) - 1) // 2]


def value(row: Row | None) -> str:
    return NONE if row is None else show(row, row.measured)


def plan(row: Row | None) -> str:
    """``predicted 66 ms (+5.2 %)``."""
    if row is None or row.predicted is None:
        return ""
    error = "" if row.error is None or not row.measured else f" ({signed(row.error)})"
    far = ", farther off than it should be" if row.within is False else ""
    return f"predicted {show(row, row.predicted)}{error}{far}"


def time(seconds: float | None) -> str:
    return NONE if seconds is None else show_time(seconds)
