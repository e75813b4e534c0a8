"""The scenario made small enough for one machine: rates by a factor, bytes by a time, no timer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from mcastplan.errors import InfeasibleError, UsageError
from mcastplan.lab.calm import completion_s, run_calm
from mcastplan.lab.metrics import distinct_metrics
from mcastplan.model.scenario import Scenario, Transport
from mcastplan.model.topology import Link, Topology
from mcastplan.model.transfer import Transfer
from mcastplan.units import counted, show_rate, show_size, show_time

LAB_MTU = 1500  # what veth pairs and every Linux default have
LEAST_BYTES = 1_000_000  # of a push: below, set-up is all that is measured
# UFTP announces each file and waits for its receivers, at some 0.1 s a file: as many as a model has
# would take longer than the scaled bytes.
MOST_SHARDS = 8
# A shard is a real safetensors file with a header of its own.
LEAST_SHARD_BYTES = 65_536
# UFTP's timers follow from how long a receiver may be out: with a minute, a session would begin
# after 1.2 s and each repair round after 4.8 s.
MOST_EVICT_S = 10.0
# HTB on a veth keeps to what it is asked for up to here; Mininet itself shapes nothing above it.
MOST_BPS = 1e9


class Scaled(msgspec.Struct, frozen=True):
    """``scenario`` is the small one; ``size_scale`` is its largest push's bytes over the real."""

    scenario: Scenario
    size_scale: float
    notes: tuple[str, ...]


def scale(
    scenario: Scenario,
    schemes: Sequence[str],
    *,
    rate_scale: float,
    seconds: float,
    netem: bool,
) -> Scaled:
    """Rates times ``rate_scale``, and pushes that the slowest of ``schemes`` ends in ``seconds``.

    Raises `UsageError` where a scaled rate is above what one machine shapes, or the metrics do not
    fit; `InfeasibleError` where one of the schemes cannot serve the scenario.
    """
    if not (0 < rate_scale <= 1 and math.isfinite(seconds) and seconds > 0):
        raise UsageError(
            f"rates are scaled by more than 0 and at most 1, not {rate_scale:g}, and a push lasts"
            f" more than 0 s, not {seconds:g}"
        )
    metrics = distinct_metrics(_links(scenario.topology, rate_scale, netem))
    small = msgspec.structs.replace(
        scenario,
        topology=metrics.topology,
        clouds=tuple(
            msgspec.structs.replace(
                cloud,
                ingress_bps=_rate(cloud.ingress_bps, rate_scale, f"cloud {cloud.name}: ingress"),
                egress_bps=_rate(cloud.egress_bps, rate_scale, f"cloud {cloud.name}: egress"),
                fabric_bps=_rate(cloud.fabric_bps, rate_scale, f"cloud {cloud.name}: fabric"),
                engine=None,
                provision_s=0.0,
            )
            for cloud in scenario.clouds
        ),
        transfers=tuple(
            msgspec.structs.replace(
                each,
                origin_egress_bps=_rate(
                    each.origin_egress_bps, rate_scale, f"transfer {each.name}: origin egress"
                ),
                start_s=0.0,
                ship_compile_cache=False,
            )
            for each in scenario.transfers
        ),
        schemes=msgspec.structs.replace(scenario.schemes, only=tuple(schemes)),
        mtu=LAB_MTU,
        ecmp="first",
        transport=Transport("uftp", min(scenario.transport.evict_after_s, MOST_EVICT_S)),
        prices=(),
        state_limit=None,
    )
    size_scale = _size_scale(small, schemes, seconds)
    transfers = tuple(_sized(each, size_scale) for each in small.transfers)
    said = (*_notes(scenario, rate_scale, netem, schemes, transfers), *metrics.notes)
    small = msgspec.structs.replace(
        small, transfers=transfers, assumptions=(*scenario.assumptions, *said)
    )
    largest = max(scenario.transfers, key=lambda each: each.size_bytes)
    of = next(each for each in transfers if each.name == largest.name)
    return Scaled(small, of.size_bytes / largest.size_bytes, said)


def _links(topology: Topology, rate_scale: float, netem: bool) -> Topology:
    def one(link: Link) -> Link:
        return msgspec.structs.replace(
            link,
            capacity_bps=_rate(link.capacity_bps, rate_scale, f"link {link.id}: capacity"),
            capacity_reverse_bps=_rate(
                link.capacity_reverse_bps, rate_scale, f"link {link.id}: reverse capacity"
            ),
            delay_s=link.delay_s if netem else 0.0,
        )

    return msgspec.structs.replace(topology, links=tuple(map(one, topology.links)))


def _rate(bps: float, rate_scale: float, what: str) -> float:
    """Raises `UsageError` above what is shaped; without a limit stays without."""
    scaled = bps * rate_scale
    if math.isinf(scaled) or scaled <= MOST_BPS:
        return scaled
    raise UsageError(
        f"{what} {show_rate(bps)} would be {show_rate(scaled)} in the lab, which shapes up to"
        f" {show_rate(MOST_BPS)}; use a rate scale of {MOST_BPS / bps:.2g} or less"
    )


def _size_scale(small: Scenario, schemes: Sequence[str], seconds: float) -> float:
    """One factor for all pushes, at most 1: rates do not depend on sizes, so times go with them."""
    factor = 1.0
    for scheme in schemes:
        for transfer in small.transfers:
            try:
                lasts_s = completion_s(run_calm(small, transfer.name, scheme).delivery)
            except InfeasibleError as limit:
                raise InfeasibleError(f"{scheme} in the lab: {limit}") from limit
            if lasts_s is None:
                raise UsageError(
                    f"transfer {transfer.name}: no way to any of its clouds; connect the topology"
                )
            factor = min(factor, seconds / lasts_s)
    return factor


def _sized(transfer: Transfer, size_scale: float) -> Transfer:
    size = min(transfer.size_bytes, max(LEAST_BYTES, int(transfer.size_bytes * size_scale)))
    shards = max(1, min(transfer.shards, MOST_SHARDS, size // LEAST_SHARD_BYTES))
    return msgspec.structs.replace(transfer, size_bytes=size, shards=shards)


def _notes(
    scenario: Scenario,
    rate_scale: float,
    netem: bool,
    schemes: Sequence[str],
    transfers: Sequence[Transfer],
) -> list[str]:
    said = [f"lab: rates are {rate_scale:g} of the scenario's, timers are its own"]
    for was, now in zip(scenario.transfers, transfers, strict=True):
        files = counted(now.shards, "file")
        if now.shards != was.shards:
            files += f" instead of {was.shards}"
        said.append(
            f"lab: {was.name} is {show_size(now.size_bytes)} in {files}, for"
            f" {show_size(was.size_bytes)}"
        )
    if scenario.mtu != LAB_MTU:
        said.append(f"lab: MTU {LAB_MTU} B instead of {scenario.mtu} B, scheme headers inside it")
    if not netem and any(link.delay_s for link in scenario.topology.links):
        slowest = max(link.delay_s for link in scenario.topology.links)
        said.append(f"lab: links without delay (up to {show_time(slowest)} in the scenario)")
    if any(cloud.engine or cloud.provision_s for cloud in scenario.clouds):
        said.append(
            "lab: replicas verify and load real files; provisioning, compilation, graphs and"
            " warm-up of their engines are left out"
        )
    if scenario.ecmp == "hash":
        said.append("lab: metrics leave no equal-cost paths, so `ecmp: hash` has no choice")
    if scenario.state_limit is not None:
        said.append("lab: the limit of forwarding entries a node is not applied")
    if set(schemes) != {"unicast"} and scenario.transport.profile != "uftp":
        said.append("lab: multicast schemes carry UFTP whatever the scenario's transport profile")
    if scenario.transport.evict_after_s > MOST_EVICT_S:
        said.append(
            f"lab: UFTP gives a receiver up after {show_time(MOST_EVICT_S)} without a packet"
        )
    return said
