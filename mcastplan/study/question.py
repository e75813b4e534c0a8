"""The question as the result repeats it: the network, the clouds, the pushes, the options."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from mcastplan.model.question import (
    AskedCloud,
    AskedTransfer,
    Network,
    NetworkLink,
    NetworkNode,
    Question,
)
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Topology


def network_of(topology: Topology) -> Network:
    return Network(
        topology.name,
        topology.source,
        topology.licence,
        tuple(
            NetworkNode(node.name, node.label, node.lon, node.lat, node.kind)
            for node in topology.nodes
        ),
        tuple(
            NetworkLink(
                link.id,
                link.a,
                link.b,
                _limited(link.capacity_bps),
                _limited(link.capacity_reverse_bps),
            )
            for link in topology.links
        ),
    )


def question_of(scenario: Scenario, schemes: Sequence[str]) -> Question:
    """``schemes`` are the names of those compared."""
    transfers = tuple(
        AskedTransfer(
            name=each.name,
            model=each.model,
            size_bytes=each.size_bytes,
            origin=each.origin,
            origin_egress_bps=_limited(each.origin_egress_bps),
            start_s=each.start_s,
            load=each.load,
            receivers=each.receivers,
            clouds=each.clouds,
        )
        for each in scenario.transfers
    )
    clouds = tuple(
        AskedCloud(
            name=each.name,
            node=each.node,
            ingress_bps=_limited(each.ingress_bps),
            replicas=each.replicas,
            fabric_bps=_limited(each.fabric_bps),
            fanout=each.fanout,
            engine=each.engine.name if each.engine else None,
        )
        for each in scenario.clouds
    )
    options = {
        name: _stated(msgspec.structs.asdict(chosen))
        for name in schemes
        if (chosen := getattr(scenario.schemes, name.replace("-", "_"), None)) is not None
    }
    return Question(transfers, clouds, options)


def _stated(options: dict[str, Any]) -> dict[str, Any]:
    """A ceiling that there is not is left out."""
    return {
        key: value for key, value in options.items() if key != "per_pull_bps" or value is not None
    }


def _limited(rate_bps: float) -> float | None:
    return None if math.isinf(rate_bps) else rate_bps
