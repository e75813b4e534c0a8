"""Which scheme to take, with reasons made of numbers only."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mcastplan.model.results import Recommendation, SchemeResult, Totals
from mcastplan.model.scenario import Scenario
from mcastplan.units import counted, show_size, show_time

# Ready times this close count as equal: then cost to the network decides.
CLOSE = 0.01
# What does without multicast.
SIMPLE = ("unicast", "ingress-replication")


def recommend(
    scenario: Scenario, rows: Sequence[SchemeResult], full: str | None = None
) -> Recommendation | None:
    """Fewest unreachable receivers, then ready within 1 % of the best, then least core traffic,
    then least state, then the order of the schemes. None where no scheme reaches anyone."""
    served = [row for row in rows if row.feasible and row.last_ready_s is not None]
    if not served:
        return None
    fewest = min(row.unreachable for row in served)
    served = [row for row in served if row.unreachable == fewest]
    best_s = min(_ready(row) for row in served)
    close = [row for row in served if _ready(row) <= best_s * (1 + CLOSE)]
    pick = min(close, key=lambda row: (_totals(row).wire_bytes, _totals(row).state_entries))
    because = [_speed(scenario, pick)]
    because += _rivals(pick, close, [row for row in served if row.name not in SIMPLE])
    because += _slower(pick, [row for row in served if row not in close])
    because += _network_share(pick)
    because += (f"{row.name} is out: {row.reason}" for row in rows if not row.feasible)
    nobody = _nobody_serves([row for row in rows if row.feasible])
    if nobody:
        why = f": {full}" if full else ""
        because.append(f"{counted(nobody, 'receiver')} cannot be served by any scheme{why}")
    return Recommendation(pick.name, tuple(because))


def _nobody_serves(rows: Sequence[SchemeResult]) -> int:
    """Receivers, over all transfers, that every scheme leaves out."""
    left_out = (
        {(each.name, cloud) for each in row.transfers for cloud in each.unreachable} for row in rows
    )
    return len(set.intersection(*left_out))


def _ready(row: SchemeResult) -> float:
    assert row.last_ready_s is not None
    return row.last_ready_s


def _totals(row: SchemeResult) -> Totals:
    assert row.totals is not None
    return row.totals


def _completion(row: SchemeResult) -> float:
    return max(each.completion_s for each in row.transfers if each.completion_s is not None)


def _speed(scenario: Scenario, pick: SchemeResult) -> str:
    slowest = max(
        (each for each in pick.transfers if each.completion_s is not None),
        key=lambda each: each.completion_s or 0.0,
    )
    names = {cloud.name for each in pick.transfers for cloud in each.clouds}
    replicas = sum(scenario.cloud[name].replicas for name in names)
    ratio = f", {slowest.ratio_to_bound:.2f} x the bound" if slowest.ratio_to_bound else ""
    binds = f"; {slowest.binding} binds" if slowest.binding else ""
    where = f"{counted(replicas, 'replica')} in {counted(len(names), 'cloud')}"
    return (
        f"{pick.name} has {where} ready after"
        f" {show_time(_ready(pick))}; the transfer takes {show_time(_completion(pick))}"
        f"{ratio}{binds}"
    )


def _rivals(
    pick: SchemeResult, close: Sequence[SchemeResult], rivals: Sequence[SchemeResult]
) -> list[str]:
    """Who else is as fast; ``rivals`` are the multicast schemes that serve as many."""
    said: list[str] = []
    mine = _totals(pick)
    for row in close:
        if row is pick:
            continue
        theirs = _totals(row)
        if theirs.wire_bytes > mine.wire_bytes:
            cost = (
                f"puts {show_size(theirs.wire_bytes)} on the core against"
                f" {show_size(mine.wire_bytes)}"
            )
        else:
            entries = counted(theirs.state_entries, "entry", "entries")
            cost = f"holds {entries} against {mine.state_entries:,}"
        if mine.egress_usd is not None and theirs.egress_usd is not None:
            cost += f"; egress costs {theirs.egress_usd:,.2f} against {mine.egress_usd:,.2f} USD"
        if row.name in SIMPLE and theirs.wire_bytes <= mine.wire_bytes * (1 + CLOSE):
            said.insert(
                0,
                f"{row.name} is already optimal here: ready within {CLOSE:.0%} of the best, on"
                f" {show_size(theirs.wire_bytes)} of core traffic against"
                f" {show_size(mine.wire_bytes)}; multicast gains next to nothing",
            )
        elif row.name in SIMPLE:
            said.append(
                f"{row.name} is already as fast here (ready within {CLOSE:.0%}), but {cost}"
            )
        else:
            said.append(f"{row.name} is ready within {CLOSE:.0%} of it and {cost}")
    if pick.name in SIMPLE and rivals:
        sooner = "ready sooner"
        if min(map(_ready, rivals)) < _ready(pick):
            sooner = f"ready more than {CLOSE:.0%} sooner"
        said.insert(0, f"{pick.name} is already optimal here: no multicast scheme is {sooner}")
    return said


def _slower(pick: SchemeResult, rows: Sequence[SchemeResult]) -> list[str]:
    said = []
    for row in rows:
        worst = max(
            (each for each in row.transfers if each.completion_s is not None),
            key=lambda each: each.completion_s or 0.0,
        )
        binds = f": {worst.binding}" if worst.binding else ""
        longer = _ready(row) / _ready(pick)
        times = f"{longer:,.0f}" if longer >= 100 else f"{longer:.3g}"
        if longer < 1.1:  # just over what counts as equal
            times = f"{longer:.3f}"
        said.append(f"{row.name} is ready after {show_time(_ready(row))}, {times} x as long{binds}")
    return said


def _network_share(pick: SchemeResult) -> list[str]:
    groups = (
        group
        for transfer in pick.transfers
        for cloud in transfer.clouds
        for group in cloud.replica_groups
    )
    last = max(groups, key=lambda group: group.ready_s)
    # Not the difference of long times: its rounding would read as picoseconds of work.
    after = msgspec.structs.replace(last.stages, provision=0.0, setup=0.0, transfer=0.0).total()
    if after <= 0 or last.ready_s <= 0:
        return []
    return [
        f"of the slowest replica's {show_time(last.ready_s)}, {show_time(last.stages.transfer)} are"
        f" transfer and {show_time(after)} come after the last byte at its cloud"
    ]
