"""Where a replica's time goes: when they are ready, and the stages of the slowest clouds."""

from __future__ import annotations

from collections.abc import Iterator

from mcastplan.cli.show.page import Column, Page
from mcastplan.model.results import STAGES, ReplicaGroup, SchemeResult
from mcastplan.units import show_time

_SLOWEST = 3
_MATTERS = 0.01  # of the slowest replica's time: smaller stages are summed as "other"


def _groups(scheme: SchemeResult) -> Iterator[tuple[str, ReplicaGroup]]:
    several = len(scheme.transfers) > 1
    for transfer in scheme.transfers:
        for cloud in transfer.clouds:
            label = f"{cloud.name} ({transfer.name})" if several else cloud.name
            for group in cloud.replica_groups:
                yield label, group


def ready_line(scheme: SchemeResult) -> str:
    """``ready after: half 3 min 2 s, 90 % 8 min 1 s, all 9 min 30 s``."""
    groups = sorted((group.ready_s, group.count) for _, group in _groups(scheme))
    total = sum(count for _, count in groups)
    after: dict[str, str] = {}  # time -> the largest share that is ready then
    for share, words in ((0.5, "half"), (0.9, "90 %"), (1.0, "all")):
        seen = 0
        for ready_s, count in groups:
            seen += count
            if seen >= share * total:
                after[show_time(ready_s)] = words
                break
    return "ready after: " + ", ".join(f"{words} {time}" for time, words in after.items())


def stage_table(page: Page, scheme: SchemeResult) -> None:
    """Stages of the last replica of the slowest clouds, and of the fastest cloud."""
    last: dict[str, ReplicaGroup] = {}
    for label, group in _groups(scheme):
        if label not in last or group.ready_s > last[label].ready_s:
            last[label] = group
    ranked = sorted(last.items(), key=lambda item: (-item[1].ready_s, item[0]))
    picked = ranked[:_SLOWEST]
    words = ["slowest"] + ["next"] * (len(picked) - 1)
    if len(ranked) > _SLOWEST:
        picked.append(ranked[-1])
        words.append("fastest")
    labels = [f"{label}, {word}" for (label, _), word in zip(picked, words, strict=True)]
    groups = [group for _, group in picked]
    for most in range(len(STAGES), 0, -1):
        columns, rows = _cells(labels, groups, most)
        if page.fits(columns, rows):
            break
    page.table(columns, rows)
    hidden = picked[0][1].overlapped
    parts = [
        f"{stage.replace('_', '-')} {show_time(getattr(hidden, stage))}"
        for stage in STAGES
        if getattr(hidden, stage) > 0
    ]
    if parts:
        page.line(f"Hidden behind these in {picked[0][0]}: {', '.join(parts)}")


def _cells(
    labels: list[str], groups: list[ReplicaGroup], most: int
) -> tuple[list[Column], list[tuple[str, ...]]]:
    """Columns and rows with at most ``most`` stages, in pipeline order, the rest as "other"."""
    largest = {stage: max(getattr(group.stages, stage) for group in groups) for stage in STAGES}
    whole = max(group.ready_s for group in groups)
    worth = sorted((s for s in STAGES if largest[s] > _MATTERS * whole), key=lambda s: -largest[s])
    kept = [stage for stage in STAGES if stage in worth[:most]]
    left = [stage for stage in STAGES if stage not in kept]
    other = any(largest[stage] > 0 for stage in left)
    columns = [Column("cloud"), *(Column(stage.replace("_", "-")) for stage in kept)]
    columns += [*((Column("other"),) if other else ()), Column("= ready")]
    rows = []
    for label, group in zip(labels, groups, strict=True):
        rest = sum(getattr(group.stages, stage) for stage in left)
        cells = [show_time(getattr(group.stages, stage)) for stage in kept]
        cells += [*((show_time(rest),) if other else ()), show_time(group.ready_s)]
        rows.append((label, *cells))
    return columns, rows
