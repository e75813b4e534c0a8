"""One episode of failures: who stops receiving under each scheme, for how long, and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from mcastplan.converge.failures import failure_rows
from mcastplan.converge.igp import LinkState
from mcastplan.converge.timeline import scheme_timeline
from mcastplan.evaluate.scheme import Context
from mcastplan.model.failure import Failure
from mcastplan.model.scenario import Scenario
from mcastplan.model.timeline import SchemeTimeline, Timeline
from mcastplan.study.compare import assumptions, chosen_schemes, context_of
from mcastplan.study.question import network_of
from mcastplan.units import counted, show_size, show_time

SCHEMA = "mcastplan.timeline/1"
# Shorter than any delay that is the network's: what is left of rounding.
SAME_S = 1e-6


def fail(
    scenario: Scenario,
    failures: Sequence[Failure],
    *,
    progress: Callable[[str, float], None] | None = None,
) -> Timeline:
    """Follow ``failures`` through every scheme of the scenario, from its steady state.

    The network is intact and every scheme settled before the first failure. Not modelled: see
    docs/not-modelled.md.
    """
    tell = progress or (lambda what, share: None)
    tell("routes", 0.0)
    context = context_of(scenario)
    igp = LinkState(scenario, context.routes, failures)
    chosen = chosen_schemes(scenario)
    rows = []
    for done, kind in enumerate(chosen):
        tell(kind.name, (done + 1) / (len(chosen) + 1))
        rows.append(scheme_timeline(context, kind, igp))
    tell("done", 1.0)
    return Timeline(
        schema=SCHEMA,
        scenario=scenario.name,
        assumptions=(
            *assumptions(context, lossless=False),
            *_assumptions(scenario),
            *_hellos(scenario, failures, rows),
        ),
        failures=failure_rows(scenario, failures),
        preset=scenario.timers.preset,
        profile=scenario.transport.profile,
        schemes=tuple(rows),
        because=(*_too_late(rows, failures), *_because(rows), *_full(context, rows)),
        full_of_background=context.space.filled(),
        network=network_of(scenario.topology),
    )


def _assumptions(scenario: Scenario) -> list[str]:
    return [
        f"convergence by the {scenario.timers.preset} timers, SPF throttle {scenario.timers.spf};"
        " one flooding area, no LSA is lost",
        f"bytes lost are repaired as {scenario.transport.profile} does; a receiver out for over"
        f" {show_time(scenario.transport.evict_after_s)} is dropped; pulls are TCP",
    ]


def _hellos(
    scenario: Scenario, failures: Sequence[Failure], rows: Sequence[SchemeTimeline]
) -> list[str]:
    """What a repair takes for granted under PIM-SM."""
    repaired = any(failure.up_at_s is not None for failure in failures)
    if not repaired or not any(row.name == "pim-sm" and row.feasible for row in rows):
        return []
    after = show_time(scenario.timers.pim_hello_s)
    return [
        f"PIM-SM: Hellos over a repaired link are heard {after} after it is up, and no Join is sent"
        " before (timers.pim_hello; RFC 7761 allows 5 s)"
    ]


def _full(context: Context, rows: Sequence[SchemeTimeline]) -> list[str]:
    """Arcs full of background, and clouds that have a way again, but over one of them."""
    filled = context.space.filled()
    if filled is None:
        return []
    said = [f"{filled}, before the failure already: no push has room there"]
    stalled: dict[str, list[str]] = {}
    for row in rows:
        for each in row.transfers:
            gone = {*each.unreachable, *each.evicted}
            for cloud in each.clouds:
                was_ready = cloud.ready_without_s is not None and cloud.name not in gone
                if was_ready and cloud.ready_s is None:
                    stalled.setdefault(cloud.name, []).append(row.name)
    said += (
        f"{cloud} is never ready under {', '.join(schemes)}: its way after the failure is full of"
        " background"
        for cloud, schemes in sorted(stalled.items())
    )
    return said


def _too_late(rows: Sequence[SchemeTimeline], failures: Sequence[Failure]) -> list[str]:
    """Schemes whose pushes are all over before anything fails: their outages cost nothing."""
    first_s = min(failure.at_s for failure in failures)
    done = [
        row.name
        for row in rows
        if any(each.data_start_s is not None for each in row.transfers)
        and all(
            each.data_start_s + each.completion_without_s <= first_s
            for each in row.transfers
            if each.data_start_s is not None and each.completion_without_s is not None
        )
    ]
    if not done:
        return []
    return [
        f"at {show_time(first_s)} the push is over under {', '.join(done)}: outages are those of"
        " the network, no byte is lost; fail something sooner with --at"
    ]


def _because(rows: Sequence[SchemeTimeline]) -> list[str]:
    """The answer, scheme against scheme, in numbers."""
    alive = [row for row in rows if row.feasible]
    said = []
    transfers = [each for row in alive for each in row.transfers]
    cut_off = {name for each in transfers for name in each.unreachable}
    if cut_off:
        said.append(_cannot_be_reached(cut_off, "any more"))
    never = {name for each in transfers for name in each.never}
    if never:
        said.append(_cannot_be_reached(never, "even without the failure"))
    hit = [row for row in alive if row.worst_outage_s is not None]
    calm = [row.name for row in alive if row.worst_outage_s is None]
    if hit:
        order = sorted(hit, key=lambda row: row.worst_outage_s or 0.0)
        said.append(
            "longest outage that ends: "
            + ", ".join(f"{row.name} {show_time(row.worst_outage_s or 0.0)}" for row in order)
        )
        worst = order[-1]
        stages = _stages(worst)
        if stages:
            said.append(
                f"{worst.name} waits longest for {stages[0][0]} ({show_time(stages[0][1])} of"
                f" {show_time(worst.worst_outage_s or 0.0)})"
            )
    if hit and calm:
        said.append(f"nobody stops receiving for a time under {', '.join(calm)}")
    if alive and not hit and not cut_off:
        said.append("no receiver stops receiving under any scheme")
    for row in alive:
        late = _delay_s(row)
        lost, gone = _lost_bytes(row)
        delayed = _most_delayed(row)
        if late is not None and (lost > 0 or delayed):
            missed = f"miss {show_size(lost)} at first" if lost > 0 else "lose no byte"
            way = "later" if late > 0 else "sooner"
            then = f"ready {show_time(abs(late))} {way}" if abs(late) > SAME_S else "ready as soon"
            more = f"; {show_size(gone)} more never arrive, where clouds are lost" if gone else ""
            said.append(
                f"{row.name}: receivers {missed}, and the last replica is {then}{delayed}{more}"
            )
    return said


def _cannot_be_reached(clouds: Collection[str], since: str) -> str:
    names = sorted(clouds)
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return f"{counted(len(names), 'cloud')} cannot be reached {since}: {shown}"


def _most_delayed(row: SchemeTimeline) -> str:
    """The cloud that waits longest for the failure, which need not be the last one ready."""
    several = len(row.transfers) > 1
    delays = [
        (
            cloud.ready_s - cloud.ready_without_s,
            f"{cloud.name} ({each.name})" if several else cloud.name,
        )
        for each in row.transfers
        for cloud in each.clouds
        if cloud.ready_s is not None and cloud.ready_without_s is not None
    ]
    delay_s, name = min(delays, key=lambda each: (-each[0], each[1]), default=(0.0, ""))
    return f"; most delayed: {name} +{show_time(delay_s)}" if delay_s > SAME_S else ""


def _lost_bytes(row: SchemeTimeline) -> tuple[float, float]:
    """Missed by clouds that get all in the end, and by those that never do."""
    clouds = [cloud for each in row.transfers for cloud in each.clouds]
    gone = sum(cloud.lost_bytes for cloud in clouds if cloud.transfer_s is None)
    return sum(cloud.lost_bytes for cloud in clouds) - gone, gone


def _stages(row: SchemeTimeline) -> list[tuple[str, float]]:
    """Stages of the row's longest outage, longest first."""
    longest = max(
        (
            outage
            for each in row.transfers
            for cloud in each.clouds
            for outage in cloud.outages
            if outage.to_s is not None
        ),
        key=lambda outage: (outage.to_s or 0.0) - outage.from_s,
    )
    return sorted(longest.stages.items(), key=lambda stage: -stage[1])


def _delay_s(row: SchemeTimeline) -> float | None:
    """How much later the last replica that gets ready both ways is ready [s]."""
    both = [
        (cloud.ready_s, cloud.ready_without_s)
        for each in row.transfers
        for cloud in each.clouds
        if cloud.ready_s is not None and cloud.ready_without_s is not None
    ]
    if not both:
        return None
    return max(ready for ready, _ in both) - max(without for _, without in both)
