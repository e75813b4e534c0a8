"""From the last byte to the first answered request, replica by replica.

Stages are seconds on the critical path; what runs behind another stage is in ``overlapped``. Not
modelled: replicas of one site that compete for disk or PCIe, failures to start, autoscalers; which
shards a repair is for (streamed loading takes them to arrive evenly until its end).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mcastplan.model.cloud import Cloud, EngineProfile
from mcastplan.model.results import ReplicaGroup, Stages
from mcastplan.model.transfer import Transfer
from mcastplan.units import BITS_PER_BYTE

NO_ENGINE = EngineProfile("none")


def replica_groups(
    cloud: Cloud,
    transfer: Transfer,
    pulls: Sequence[tuple[int, float] | tuple[int, float, float]],
    *,
    provision_s: float,
    setup_s: float,
    direct: bool,
    cached: bool,
) -> tuple[ReplicaGroup, ...]:
    """Replicas of one cloud, in runs that are ready at the same instant.

    ``pulls`` are (replicas, transfer [s], repair after it [s], if any) in their order where
    ``direct``: every replica pulled its own copy, nothing fans out. Otherwise they hold one pull,
    of the site's one copy; ``cached``, it is stored, then all replicas fetch it at once. Payload
    bytes on the fabric, no headers.
    """
    groups: list[ReplicaGroup] = []
    first = 0
    for pull in pulls:
        count = pull[0] if direct else cloud.replicas
        repair_s = pull[2] if len(pull) == 3 else 0.0
        stages, overlapped = _stages(
            cloud, transfer, provision_s, setup_s, pull[1], repair_s, direct, cached
        )
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
    transfer_s: float,
    repair_s: float,
    direct: bool,
    cached: bool,
) -> tuple[Stages, Stages]:
    """(stages, what they hide) of one replica."""
    bits = transfer.size_bytes * BITS_PER_BYTE
    here_s = transfer_s + repair_s
    if direct:
        fan_out = 0.0
    elif cached:
        fan_out = cloud.replicas * bits / cloud.fabric_bps
    else:
        fan_out = max(0.0, bits / cloud.fabric_bps - here_s)
    engine = cloud.engine or NO_ENGINE
    verify_all, load_all = bits / engine.verify_bps, bits / engine.load_bps
    verify, load = verify_all, load_all
    if transfer.load == "streamed":
        arrival_s = fan_out if cached and not direct else here_s + fan_out
        verify, load = streamed(arrival_s, verify_all, load_all, transfer.shards)
    stages = Stages(
        provision=provision_s,
        setup=setup_s,
        transfer=transfer_s,
        repair=repair_s,
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
