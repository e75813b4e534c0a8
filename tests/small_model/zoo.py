"""A push over each Topology Zoo graph of topohub, as a scenario file; the same each time."""

from __future__ import annotations

import random
import zlib
from typing import Any

SIZES = ["1500MB", "70GB", "689GB", "1234567891B"]
ENGINES = [None, "vllm-8xh200", "sglang-16xh100"]


def scenario_file(key: str, nodes: list[str]) -> dict[str, Any]:
    """One to three transfers, the second from the first one's origin; clouds on some nodes, in
    large networks on all but the origin, so that BIER needs several set identifiers of 64 bits."""
    pick = random.Random(zlib.crc32(key.encode()))
    large = len(nodes) > 64
    origins = [nodes[0], nodes[-1]] if large else pick.sample(nodes, min(len(nodes), 2))
    homes = pick.sample(nodes, min(len(nodes), pick.randint(3, 9)))
    if large:
        homes = [node for node in nodes if node not in origins]
    clouds = [
        _cloud(pick, f"c{place}-{node}"[:60].rstrip("-._"), node, large)
        for place, node in enumerate([*homes, homes[0]])
    ]  # the last two share a PE
    egress = pick.choice(["10Gbps", "40Gbps", None])
    transfers = []
    for name, origin in [("one", origins[0]), ("two", origins[0]), ("far", origins[-1])]:
        shared = origin == origins[0]
        receivers = pick.sample(clouds, pick.randint(1, len(clouds)))
        transfers.append(
            {
                "name": name,
                "size": pick.choice(SIZES),
                "origin": {"node": origin} | ({"egress": egress} if egress and shared else {}),
                "to": pick.choice(["all", [cloud["name"] for cloud in receivers]]),
                "start": pick.choice(["0s", "7s", "40s", "150ms"]),
                "load": pick.choice(["after", "streamed"]),
                "receivers": pick.choice(["new", "known"]),
                "ship_compile_cache": pick.random() < 0.5,
            }
        )
    background = [
        {"from": a, "to": b, "rate": "500Mbps"}
        for a, b in [pick.sample(nodes, 2) for _ in range(pick.randint(0, 2))]
    ]
    return {
        "schema": "mcastplan.scenario/1",
        "name": key,
        "topology": f"topohub:{key}",
        "underlay": {
            "capacity": pick.choice(["2500Mbps", "10Gbps", "40Gbps"]),
            "mtu": pick.choice([1500, 9000]),
            "metric": pick.choice(["delay", "delay", "hops"]),
        },
        "clouds": clouds,
        "transfers": transfers[: 1 if large else pick.randint(1, 3)],
        "background": background,
        "schemes": {
            "bier": {"bsl": 64 if large else pick.choice([64, 256, 512])},
            "sr-p2mp": {"objective": "shortest", "dataplane": pick.choice(["srv6", "mpls"])},
            "unicast": {"per": "cloud" if large else pick.choice(["replica", "cloud"])},
        },
    }


def _cloud(pick: random.Random, name: str, node: str, large: bool) -> dict[str, Any]:
    cloud = {
        "name": name,
        "node": node,
        "ingress": pick.choice(["1Gbps", "10Gbps"] if large else ["1Gbps", "4Gbps", "10Gbps"]),
        "replicas": pick.choice([1, 2, 5]),
        "fanout": pick.choice(["multicast", "cache"]),
        "engine": pick.choice(ENGINES),
        "fabric": pick.choice([None, "300Mbps", "3Gbps", "100Gbps"]),
        "provision": pick.choice([None, "2s"]),
    }
    return {key: value for key, value in cloud.items() if value is not None}
