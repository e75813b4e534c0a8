"""What a lab run measured, set beside what was predicted for it: errors, orders, sentences.

A measured number and a predicted one stand in one row and are never mixed. Runs that do not count
(a BFD session flapped, the machine was busy) are left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

import msgspec

from mcastplan.model.measurement import ArcBytes, Measurement, Replica, Run, TableCheck
from mcastplan.model.timeline import FailureRow
from mcastplan.units import show_rate, show_size, show_time

# Counters of less are control traffic for the most part.
LINK_BYTES = 1e6
# How far off a prediction may be: a share of it, and for outages at least so many seconds.
LIMITS = {"transfer": 0.10, "ready": 0.25, "outage": 0.25, "link": 0.03}
OUTAGE_S = 0.010
# Predictions that differ by less say nothing about the order.
ORDER_S = 0.030
STATUS = {
    "ready": "is ready",
    "gave-up": "was given up by the sender",
    "corrupt": "got a shard whose hash is wrong",
    "unfinished": "had not finished when the run ended",
}


class Row(msgspec.Struct, frozen=True):
    """One quantity both ways. ``kind``: setup, rate, transfer, ready, outage, cloud-outage,
    repaired or link; ``unit``: s, B or b/s. ``measured`` is a median where there were several runs.
    """

    kind: str
    what: str
    unit: str
    measured: float | None
    predicted: float | None

    @property
    def error(self) -> float | None:
        """(measured - predicted) / predicted."""
        if self.measured is None or not self.predicted:
            return None
        return (self.measured - self.predicted) / self.predicted

    @property
    def within(self) -> bool | None:
        """Whether it is as near as it should be; None: nothing is promised, or one is missing."""
        limit = LIMITS.get(self.kind)
        if limit is None or self.measured is None or self.predicted is None:
            return None
        allowed = limit * self.predicted
        if self.kind == "outage":
            allowed = max(allowed, OUTAGE_S)
        return abs(self.measured - self.predicted) <= allowed


class Summary(msgspec.Struct, frozen=True):
    """One push under one scheme, its runs together: ``rows`` are of those that count, or of all
    where none does (``counts`` is False then)."""

    scheme: str
    transfer: str
    failure: FailureRow | None
    runs: tuple[Run, ...]
    invalid: tuple[Run, ...]
    rows: tuple[Row, ...]

    @property
    def counts(self) -> bool:
        return bool(self.runs)

    def row(self, kind: str) -> Row | None:
        return next((row for row in self.rows if row.kind == kind), None)

    @property
    def links(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.kind == "link")


class Pair(msgspec.Struct, frozen=True):
    """Two schemes whose predictions differ by more than `ORDER_S`; ``what``: outage or ready."""

    what: str
    transfer: str
    sooner: str
    later: str
    predicted_s: float  # by how much
    measured_s: float

    @property
    def holds(self) -> bool:
        return self.measured_s > 0


def errors(run: Run) -> tuple[Row, ...]:
    """Every quantity that was both measured and predicted, links that carried over 1 MB last."""
    seen, said = run.measured, run.predicted
    rows = [
        Row("setup", "set-up", "s", seen.setup_s, said.setup_s),
        Row("transfer", "transfer", "s", seen.transfer_s, said.transfer_s),
        Row("ready", "last replica ready", "s", seen.ready_s, said.ready_s),
    ]
    if seen.sent_bps is not None or said.rate_bps is not None:
        rows.insert(1, Row("rate", "sending rate", "b/s", seen.sent_bps, said.rate_bps))
    if run.failure is not None:
        rows.append(Row("outage", "longest outage", "s", seen.worst_outage_s, said.worst_outage_s))
        rows += _clouds(run)
        rows.append(Row("repaired", "sent again", "B", seen.repaired_bytes, said.repaired_bytes))
    rows += _links(seen.links, said.links)
    return tuple(rows)


def _clouds(run: Run) -> Iterator[Row]:
    """Outages of clouds that had one, or should have had."""
    seen: dict[str, float] = {}
    for replica in run.measured.replicas:
        if replica.outage_s is not None:
            seen[replica.cloud] = max(replica.outage_s, seen.get(replica.cloud, 0.0))
    for cloud in run.predicted.clouds:
        measured = seen.get(cloud.name)
        if measured or cloud.outage_s:
            yield Row("cloud-outage", cloud.name, "s", measured, cloud.outage_s)


def _links(seen: Sequence[ArcBytes], said: Sequence[ArcBytes]) -> Iterator[Row]:
    measured = {_arc(each): each.wire_bytes for each in seen}
    predicted = {_arc(each): each.wire_bytes for each in said}
    for arc in dict.fromkeys((*predicted, *measured)):
        both = measured.get(arc), predicted.get(arc)
        if max(each or 0.0 for each in both) > LINK_BYTES:
            yield Row("link", arc, "B", *both)


def _arc(each: ArcBytes) -> str:
    """As `Topology.arc_name`, whose parallel links have ``#`` in their ids."""
    text = f"{each.source}->{each.target}"
    return f"{text} ({each.link})" if each.link and "#" in each.link else text


def summaries(result: Measurement) -> tuple[Summary, ...]:
    """By push, failure and scheme, in the order in which they were first run."""
    groups: dict[tuple[object, ...], list[Run]] = {}
    for run in result.runs:
        groups.setdefault((run.transfer, *_same(run.failure), run.scheme), []).append(run)
    found = []
    for runs in groups.values():
        valid = tuple(run for run in runs if not run.invalid)
        rows = _medians([errors(run) for run in valid or runs])
        invalid = tuple(run for run in runs if run.invalid)
        first = runs[0]
        found.append(Summary(first.scheme, first.transfer, first.failure, valid, invalid, rows))
    return tuple(found)


def _same(failure: FailureRow | None) -> tuple[object, ...]:
    """What makes two failures one question: not the instant, which goes with each scheme's pace."""
    if failure is None:
        return (None,)
    return failure.kind, failure.links, failure.nodes, failure.up_at_s is None


def _medians(runs: Sequence[Sequence[Row]]) -> tuple[Row, ...]:
    """Of each quantity; the prediction is the same in all runs, but for links near 1 MB."""
    values: dict[tuple[str, str], list[Row]] = {}
    for rows in runs:
        for row in rows:
            values.setdefault((row.kind, row.what), []).append(row)
    found = []
    for rows in values.values():
        seen = [row.measured for row in rows if row.measured is not None]
        found.append(
            msgspec.structs.replace(rows[0], measured=float(median(seen)) if seen else None)
        )
    return tuple(found)


def orders(result: Measurement) -> tuple[Pair, ...]:
    """Schemes of one push and failure two by two: by outage where something fails, else by when
    the last replica is ready."""
    questions: dict[tuple[object, ...], list[Summary]] = {}
    for each in summaries(result):
        if each.counts:
            key = each.transfer, *_same(each.failure)
            questions.setdefault(key, []).append(each)
    return tuple(pair for rows in questions.values() for pair in _pairs(rows))


def _pairs(rows: Sequence[Summary]) -> Iterator[Pair]:
    kind = "ready" if rows[0].failure is None else "outage"
    known = [
        (row.predicted, row.measured, each.scheme)
        for each in rows
        if (row := each.row(kind)) and row.predicted is not None and row.measured is not None
    ]
    known.sort(key=lambda one: (one[0], one[2]))
    for place, (predicted, measured, scheme) in enumerate(known):
        for later, seen, other in known[place + 1 :]:
            if later - predicted > ORDER_S:
                yield Pair(
                    kind, rows[0].transfer, scheme, other, later - predicted, seen - measured
                )


def binds(run: Run) -> bool | None:
    """Whether packets beyond the highest rate without loss were dropped where the plan says, and
    nowhere else; None where that was not looked for."""
    if not run.measured.binding or not run.predicted.overloaded:
        return None
    return set(run.measured.binding) <= set(run.predicted.overloaded)


def not_ready(result: Measurement) -> tuple[tuple[Run, Replica], ...]:
    """Replicas of runs that count which did not get ready."""
    return tuple(
        (run, replica)
        for run in result.runs
        if not run.invalid
        for replica in run.measured.replicas
        if replica.status != "ready"
    )


def became(replica: Replica) -> str:
    """``replica 1 of delft was given up by the sender: it was silent for 15 s``."""
    why = f": {replica.why}" if replica.why else ""
    return f"replica {replica.index} of {replica.cloud} {STATUS[replica.status]}{why}"


def tables(result: Measurement) -> tuple[tuple[Run, TableCheck], ...]:
    """All tables that were checked."""
    return tuple((run, check) for run in result.runs for check in run.measured.tables)


def show(row: Row, value: float | None) -> str:
    """A quantity for people, in the row's unit."""
    if value is None:
        return "-"
    return {"s": show_time, "B": show_size, "b/s": show_rate}[row.unit](value)


def signed(error: float | None) -> str:
    """``0.052`` -> ``"+5.2 %"``."""
    if error is None:
        return "-"
    digits = 1 if abs(error) < 0.0995 else 0
    return f"{100 * error:+.{digits}f} %"


def failed(failure: FailureRow) -> str:
    """``B--D lost its carrier``."""
    what = ", ".join((*failure.links, *failure.nodes))
    several = len(failure.links) + len(failure.nodes) > 1
    if failure.kind == "silent":
        return f"{what} {'go' if several else 'goes'} silent"
    return f"{what} {'lose their' if several else 'loses its'} carrier"
