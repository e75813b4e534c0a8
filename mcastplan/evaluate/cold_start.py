"""From the last byte to the first answered request, replica by replica.

Stages are seconds on the critical path; what runs behind another stage is in ``overlapped``. Not
modelled: replicas of one site that compete for disk or PCIe, failures to start, autoscalers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mcastplan.evaluate.arrival import Arrival, queue_s, streamed_s
from mcastplan.model.cloud import Cloud, EngineProfile
from mcastplan.model.results import ReplicaGroup, Stages
from mcastplan.model.transfer import Transfer
from mcastplan.units import BITS_PER_BYTE

NO_ENGINE = EngineProfile("none")


def replica_groups(
    cloud: Cloud,
    transfer: Transfer,
    pulls: Sequence[Arrival],
    *,
    provision_s: float,
    setup_s: float,
    direct: bool,
    cached: bool,
) -> tuple[ReplicaGroup, ...]:
    """Replicas of one cloud, in runs that are ready at the same instant.

    ``pulls`` are in their order where ``direct``: every replica pulled its own copy, nothing fans
    out. Otherwise they hold one pull, of the site's one copy; ``cached``, it is stored, then all
    replicas fetch it at once. Payload bytes on the fabric, no headers.
    """
    groups: list[ReplicaGroup] = []
    first = 0
    for pull in pulls:
        count = pull.count if direct else cloud.replicas
        stages, overlapped = _stages(cloud, transfer, provision_s, setup_s, pull, direct, cached)
        ready_s = stages.total()
        assert math.isfinite(ready_s)
        begin = first
        if groups and groups[-1].ready_s == ready_s:
            begin = groups.pop().first
        last = first + count - 1
        groups.append(ReplicaGroup(last - begin + 1, begin, last, ready_s, stages, overlapped))
        first += count
    return tuple(groups)


def _stages(
    cloud: Cloud,
    transfer: Transfer,
    provision_s: float,
    setup_s: float,
    pull: Arrival,
    direct: bool,
    cached: bool,
) -> tuple[Stages, Stages]:
    """(stages, what they hide) of one replica."""
    bits = transfer.size_bytes * BITS_PER_BYTE
    if direct:
        fan_out = 0.0
    elif cached:
        fan_out = cloud.replicas * bits / cloud.fabric_bps
    else:
        fan_out = queue_s(pull, transfer.size_bytes, cloud.fabric_bps)
    engine = cloud.engine or NO_ENGINE
    verify_all, load_all = bits / engine.verify_bps, bits / engine.load_bps
    verify, load = verify_all, load_all
    if transfer.load == "streamed" and cached and not direct:
        # Out of the store the files come evenly, whatever the way into it.
        verify, load = streamed(fan_out, verify_all, load_all, transfer.shards)
    elif transfer.load == "streamed" and not pull.bends:
        verify, load = streamed(pull.here_s + fan_out, verify_all, load_all, transfer.shards)
    elif transfer.load == "streamed":
        fabric_bps = math.inf if direct else cloud.fabric_bps
        verify, load = streamed_unevenly(pull, transfer, fabric_bps, verify_all, load_all)
    stages = Stages(
        provision=provision_s,
        setup=setup_s,
        transfer=pull.transfer_s,
        repair=pull.repair_s,
        fan_out=fan_out,
        verify=verify,
        load=load,
        compile=engine.compile_cached_s if transfer.ship_compile_cache else engine.compile_s,
        graphs=engine.graphs_s,
        warm_up=engine.warm_up_s,
    )
    return stages, Stages(verify=verify_all - verify, load=load_all - load)


def streamed(arrival_s: float, verify_s: float, load_s: float, shards: int) -> tuple[float, float]:
    """(verify, load) seconds left after the last byte when each shard is verified and loaded as it
    arrives: a pipeline of three stages and ``shards`` equal jobs, whose makespan is one job through
    all stages plus the other jobs through the slowest one.
    """
    rest = 1 - 1 / shards
    slowest = max(arrival_s, verify_s, load_s)
    if slowest == arrival_s:
        return verify_s / shards, load_s / shards
    if slowest == load_s:
        return verify_s / shards, load_s - rest * arrival_s
    return verify_s - rest * arrival_s, load_s / shards


def streamed_unevenly(
    pull: Arrival, transfer: Transfer, fabric_bps: float, verify_s: float, load_s: float
) -> tuple[float, float]:
    """As `streamed`, of a copy that came by bends; the slower stage is said to take what waits."""
    verify_one_s, load_one_s = verify_s / transfer.shards, load_s / transfer.shards
    left_s = streamed_s(
        pull, transfer.size_bytes, fabric_bps, transfer.shards, verify_one_s, load_one_s
    )
    if load_s > verify_s:
        return verify_one_s, left_s - verify_one_s
    return left_s - load_one_s, load_one_s
