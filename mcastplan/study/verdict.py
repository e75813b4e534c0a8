"""What a lab run says, in sentences for an engineer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mcastplan.model.measurement import Measurement
from mcastplan.study.beside import (
    LIMITS,
    LINK_BYTES,
    ORDER_S,
    Row,
    Summary,
    became,
    binds,
    failed,
    not_ready,
    orders,
    signed,
    summaries,
    tables,
)
from mcastplan.units import counted, show_size, show_time

# Sentences of one kind before they are summed up.
MOST_TIMES, MOST_NAMED = 8, 3


def verdict(result: Measurement) -> tuple[str, ...]:
    """What an engineer wants to know of it, in sentences, the most important first."""
    found = summaries(result)
    return (
        *_times(found),
        *_order_words(result),
        *_link_words(found),
        *_binding_words(result),
        *_table_words(result),
        *_status_words(result),
        *_invalid_words(found, result),
    )


def _times(found: Sequence[Summary]) -> Iterator[str]:
    """A sentence for each push and scheme; with many pushes one for each scheme."""
    valid = [each for each in found if each.counts]
    if len(valid) <= MOST_TIMES:
        several = len({each.transfer for each in valid}) > 1
        for each in valid:
            yield from _time(each, f"{each.scheme} ({each.transfer})" if several else each.scheme)
        return
    schemes: dict[tuple[str, str], list[Row]] = {}
    for each in valid:
        kind = "ready" if each.failure is None else "outage"
        row = each.row(kind)
        if row is not None and row.measured is not None:
            schemes.setdefault((each.scheme, kind), []).append(row)
    for (scheme, kind), rows in schemes.items():
        what = "every replica ready after" if kind == "ready" else "back after"
        least, most = (show_time(pick(row.measured or 0.0 for row in rows)) for pick in (min, max))
        span = least if least == most else f"{least} to {most}"
        off = max((row.error for row in rows if row.error is not None), key=abs, default=None)
        yield (
            f"{scheme}: {what} {span} in {counted(len(rows), 'push', 'pushes')}; farthest from the"
            f" prediction: {signed(off)}"
        )


def _time(each: Summary, name: str) -> Iterator[str]:
    if each.failure is not None:
        row, when = each.row("outage"), f"when {failed(each.failure)}"
        yield from _never_again(each, f"{when}, ", name)
        if row is not None and row.measured is not None:
            if row.measured == 0:
                yield f"{when}, nobody missed a packet under {name}{_predicted(row)}"
            else:
                yield f"{when}, {name} was back after {show_time(row.measured)}{_predicted(row)}"
        return
    row = each.row("ready")
    if row is not None and row.measured is not None:
        yield f"{name}: every replica ready after {show_time(row.measured)}{_predicted(row)}"


def _never_again(each: Summary, when: str, name: str) -> Iterator[str]:
    """Clouds that had not been reached again when the lab stopped to look, or should not have."""
    run = each.runs[0]
    seen = {one.cloud for one in run.measured.replicas if one.outages and one.outage_s is None}
    said = {one.name for one in run.predicted.clouds if one.outage_s is None}
    for clouds, tail in (
        (seen & said, ", as predicted"),
        (seen - said, ", which was not predicted"),
    ):
        if clouds:
            yield f"{when}{', '.join(sorted(clouds))} got nothing any more under {name}{tail}"
    if said - seen:
        lost = ", ".join(sorted(said - seen))
        yield f"{when}{lost} should have got nothing any more under {name}, and did"


def _predicted(row: Row) -> str:
    if row.predicted is None:
        return ", which was not predicted"
    if row.predicted == 0:
        return ", as predicted" if row.measured == 0 else ", predicted no outage"
    error = row.error
    tail = "" if error is None or row.measured == 0 else f" ({signed(error)})"
    return f", predicted {show_time(row.predicted)}{tail}"


def _order_words(result: Measurement) -> Iterator[str]:
    pairs = orders(result)
    if not pairs:
        return
    wrong = sorted((pair for pair in pairs if not pair.holds), key=lambda pair: -pair.predicted_s)
    several = len({pair.transfer for pair in pairs}) > 1
    yield (
        f"where predictions differ by more than {show_time(ORDER_S)}, the order of the schemes is"
        f" the predicted one in {len(pairs) - len(wrong):,} of {counted(len(pairs), 'pair')}"
    )
    for pair in wrong[:MOST_NAMED]:
        push = f" ({pair.transfer})" if several else ""
        yield (
            f"{pair.sooner} should be sooner than {pair.later}{push} by"
            f" {show_time(pair.predicted_s)}, and was later by {show_time(-pair.measured_s)}"
        )


def _link_words(found: Iterable[Summary]) -> Iterator[str]:
    rows = [
        (abs(row.error), row, each)
        for each in found
        if each.counts
        for row in each.links
        if row.error is not None
    ]
    if not rows:
        return
    near = sum(1 for _, row, _ in rows if row.within)
    _, worst, each = max(rows, key=lambda one: one[0])
    yield (
        f"bytes on {near:,} of {counted(len(rows), 'arc')} with over {show_size(LINK_BYTES)} are"
        f" within {100 * LIMITS['link']:.0f} % of the plan; farthest off: {worst.what} under"
        f" {each.scheme}, {signed(worst.error)}"
    )


def _binding_words(result: Measurement) -> Iterator[str]:
    told = [(run, ok) for run in result.runs if not run.invalid and (ok := binds(run)) is not None]
    good = sum(ok for _, ok in told)
    if told:
        yield (
            f"above the highest rate without loss, packets were dropped at the predicted place and"
            f" nowhere else in {good:,} of {counted(len(told), 'run')}"
        )
    for run, ok in told:
        if not ok:
            yield (
                f"{run.scheme}: packets were dropped at {', '.join(run.measured.binding)},"
                f" predicted at {', '.join(run.predicted.overloaded)}"
            )


def _table_words(result: Measurement) -> Iterator[str]:
    checks = tables(result)
    if not checks:
        return
    wrong = [(run, check) for run, check in checks if not check.same]
    yield (
        f"{len(checks) - len(wrong):,} of {counted(len(checks), 'table')} in routers are just what"
        " the planner says"
    )
    for run, check in wrong[:MOST_NAMED]:
        yield f"{run.scheme}: {check.what} of {check.node} is not the planner's"


def _status_words(result: Measurement) -> Iterator[str]:
    for run, replica in not_ready(result):
        yield f"{run.scheme}: {became(replica)}"


def _invalid_words(found: Iterable[Summary], result: Measurement) -> Iterator[str]:
    for each in found:
        if each.invalid:
            why = "; ".join(dict.fromkeys(text for run in each.invalid for text in run.invalid))
            left = "" if each.counts else ", and there is none that does"
            yield (
                f"{each.scheme}: {counted(len(each.invalid), 'run')} did not count ({why}){left}"
            )
    if result.interrupted:
        yield "interrupted: what had been measured until then is here"
