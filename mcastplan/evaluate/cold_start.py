"""From the last byte to the first answered request, replica by replica.

Stages are seconds on the critical path; what runs behind another stage is in ``overlapped``. Not
modelled: replicas of one site that compete for disk or PCIe, failures to start, autoscalers.
"""

from __future__ import annotations

import math

from mcastplan.model.cloud import Cloud, EngineProfile
from mcastplan.model.results import ReplicaGroup, Stages
from mcastplan.model.transfer import Transfer
from mcastplan.units import BITS_PER_BYTE

NO_ENGINE = EngineProfile("none")


def replica_groups(
    cloud: Cloud,
    transfer: Transfer,
    *,
    provision_s: float,
    setup_s: float,
    transfer_s: float,
    direct: bool,
    cached: bool,
) -> tuple[ReplicaGroup, ...]:
    """All replicas of one cloud; they share every rate, so they are ready together.

    ``direct``: every replica pulled its own copy, nothing fans out. ``cached``: the copy is stored
    at the site, then all replicas fetch it at once. Payload bytes on the fabric, no headers.
    """
    bits = transfer.size_bytes * BITS_PER_BYTE
    if direct:
        fan_out = 0.0
    elif cached:
        fan_out = cloud.replicas * bits / cloud.fabric_bps
    else:
        fan_out = max(0.0, bits / cloud.fabric_bps - transfer_s)
    engine = cloud.engine or NO_ENGINE
    verify_all, load_all = bits / engine.verify_bps, bits / engine.load_bps
    verify, load = verify_all, load_all
    if transfer.load == "streamed":
        arrival_s = fan_out if cached and not direct else transfer_s + fan_out
        verify, load = streamed(arrival_s, verify_all, load_all, transfer.shards)
    shipped = transfer.ship_compile_cache
    stages = Stages(
        provision=provision_s,
        setup=setup_s,
        transfer=transfer_s,
        fan_out=fan_out,
        verify=verify,
        load=load,
        compile=engine.compile_cached_s if shipped else engine.compile_s,
        graphs=engine.graphs_s,
        warm_up=engine.warm_up_s,
    )
    overlapped = Stages(verify=verify_all - verify, load=load_all - load)
    ready_s = stages.total()
    assert math.isfinite(ready_s)
    return (ReplicaGroup(cloud.replicas, 0, cloud.replicas - 1, ready_s, stages, overlapped),)


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
