"""What a comparison says, picked out for a reader: nothing here computes a result."""

from __future__ import annotations

from collections.abc import Sequence

from mcastplan.model.results import Comparison, ReplicaGroup, SchemeResult, TransferResult
from mcastplan.units import counted, show_rate, show_size, show_time

NONE = "-"

SHARES = ((0.5, "half"), (0.9, "90 %"))


def time(seconds: float | None) -> str:
    return NONE if seconds is None else show_time(seconds)


def rate(bps: float | None) -> str:
    """A rate of the question, where None is no limit."""
    return "unlimited" if bps is None else show_rate(bps)


def chosen(result: Comparison) -> SchemeResult | None:
    """The recommended scheme."""
    wanted = result.recommendation.scheme if result.recommendation else None
    return next((row for row in result.schemes if row.name == wanted), None)


def served(result: Comparison) -> list[SchemeResult]:
    """Schemes that make at least one replica ready, in the order of the result."""
    return [row for row in result.schemes if row.last_ready_s is not None]


def groups(transfers: Sequence[TransferResult]) -> list[ReplicaGroup]:
    """Replica groups of all clouds, soonest first."""
    found = [g for each in transfers for cloud in each.clouds for g in cloud.replica_groups]
    return sorted(found, key=lambda group: group.ready_s)


def ready_after(transfers: Sequence[TransferResult], share: float) -> float | None:
    """When this share of all replicas is ready [s]."""
    ordered = groups(transfers)
    total = sum(group.count for group in ordered)
    seen = 0
    for group in ordered:
        seen += group.count
        if seen >= share * total:
            return group.ready_s
    return None


def last_ready(scheme: SchemeResult) -> tuple[TransferResult, ReplicaGroup]:
    """The replicas that are ready last, and the transfer they waited for."""
    return max(
        (
            (each, group)
            for each in scheme.transfers
            for cloud in each.clouds
            for group in cloud.replica_groups
        ),
        key=lambda found: found[1].ready_s,
    )


def slowest(scheme: SchemeResult) -> TransferResult | None:
    """The transfer that takes longest."""
    ended = [each for each in scheme.transfers if each.completion_s is not None]
    return max(ended, key=lambda each: each.completion_s or 0.0, default=None)


def busiest(scheme: SchemeResult) -> float | None:
    """Largest utilisation of a link between routers."""
    core = [row.busiest_utilisation for row in scheme.links if row.kind == "core"]
    return max(core, default=None)


def unreachable(result: Comparison) -> dict[str, list[str]]:
    """Cloud (with its transfer, where there are several) -> schemes that cannot serve it."""
    missing: dict[str, list[str]] = {}
    for scheme in result.schemes:
        for each in scheme.transfers:
            for cloud in each.unreachable:
                label = named(result, cloud, each.name)
                missing.setdefault(label, []).append(scheme.name)
    return dict(sorted(missing.items()))


def no_room(result: Comparison) -> dict[str, list[str]]:
    """As `unreachable`, those only whose way background fills."""
    full = {
        (row.name, named(result, cloud, each.name))
        for row in result.schemes
        for each in row.transfers
        for cloud in each.no_room
    }
    kept = {
        label: [name for name in schemes if (name, label) in full]
        for label, schemes in unreachable(result).items()
    }
    return {label: schemes for label, schemes in kept.items() if schemes}


def nobody(scheme: SchemeResult) -> str:
    """Why a scheme that is feasible serves nobody."""
    full = any(each.no_room for each in scheme.transfers)
    return "background leaves no room" if full else "nobody can be reached"


def named(result: Comparison, cloud: str, transfer: str) -> str:
    """A cloud, with its transfer where there are several."""
    return f"{cloud} ({transfer})" if len(result.transfers) > 1 else cloud


def labels(result: Comparison) -> dict[str, str]:
    """Router -> its label, where that says more than its name."""
    nodes = result.network.nodes if result.network else ()
    return {node.name: node.label for node in nodes if node.label and node.label != node.name}


def receivers(result: Comparison) -> str:
    """``1,656 replicas in 62 clouds``."""
    if result.question is not None:
        wanted = {name for each in result.question.transfers for name in each.clouds}
        replicas = {c.name: c.replicas for c in result.question.clouds if c.name in wanted}
    else:
        replicas = {}
        for row in result.schemes:
            for each in row.transfers:
                for cloud in each.clouds:
                    replicas[cloud.name] = sum(g.count for g in cloud.replica_groups)
    where = counted(len(replicas), "GPU cloud")
    return f"{counted(sum(replicas.values()), 'replica')} in {where}"


def what(result: Comparison) -> str:
    """``deepseek-v3-fp8 (689 GB) from Arlington``, or how many pushes."""
    sizes = [each.size_bytes for each in result.transfers]
    if len(sizes) != 1:
        origins = {each.origin for each in result.question.transfers} if result.question else set()
        place = f" from {origins.pop()}" if len(origins) == 1 else ""
        return f"{counted(len(sizes), 'push', 'pushes')} ({show_size(sum(sizes))} together){place}"
    asked = result.question.transfers[0] if result.question and result.question.transfers else None
    if asked is None:
        return show_size(sizes[0])
    size = show_size(asked.size_bytes)
    return f"{f'{asked.model} ({size})' if asked.model else size} from {asked.origin}"
