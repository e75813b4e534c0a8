"""Deterministic instances: Gabriel graphs as wide-area networks, and whole scenarios on them.

A Gabriel graph joins two points where the circle over their distance holds no third: about 1.9
links per node, planar, connected, short links only. Real backbones look much like it.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from mcastplan.model.cloud import Cloud
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Link, NodeInfo, Topology
from mcastplan.model.transfer import Transfer

KM_PER_POINT = 150.0  # mean spacing of routers; sets the scale of the delays
US_PER_KM = 5.0
GBPS = 1e9
CORE_GBPS = 100
SIZE_GB = 689
INGRESS_GBPS = (10, 25, 40, 100, 200, 400)


def _gabriel(points: list[tuple[float, float]]) -> list[tuple[int, int]]:
    """Links (u < v) of the Gabriel graph of points in the unit square, O(n) on random points.

    Whatever lies in the circle over uv is nearer to u than v is, so walking u's neighbours outwards
    decides each pair. Pairs more than `reach` cells apart are not looked at: on random points their
    circle holds about 20 others.
    """
    side = max(1, math.isqrt(len(points) // 2))
    cells: dict[tuple[int, int], list[int]] = {}
    for u, (x, y) in enumerate(points):
        cells.setdefault((int(x * side), int(y * side)), []).append(u)
    reach = 4
    links = []
    for u, (x, y) in enumerate(points):
        cx, cy = int(x * side), int(y * side)
        near = []
        for i in range(cx - reach, cx + reach + 1):
            for j in range(cy - reach, cy + reach + 1):
                for v in cells.get((i, j), ()):
                    dx, dy = points[v][0] - x, points[v][1] - y
                    near.append((dx * dx + dy * dy, v, dx, dy))
        near.sort()
        closer: list[tuple[float, float]] = []
        for _, v, dx, dy in near[1:]:
            blocked = any(a * (a - dx) + b * (b - dy) < 0 for a, b in closer)
            if u < v and not blocked:
                links.append((u, v))
            closer.append((dx, dy))
    return links


@lru_cache(maxsize=8)
def wan(nodes: int, seed: int = 0) -> Topology:
    """A connected WAN of ``nodes`` routers, 1.9 links each, metric = delay in microseconds."""
    random = Random(f"wan {nodes} {seed}")
    points = [(random.random(), random.random()) for _ in range(nodes)]
    scale_km = KM_PER_POINT * math.sqrt(nodes)
    names = [f"r{u:05d}" for u in range(nodes)]
    links = []
    for u, v in _gabriel(points):
        delay_us = max(1, round(math.dist(points[u], points[v]) * scale_km * US_PER_KM))
        links.append(
            Link(
                id=f"{names[u]}--{names[v]}",
                a=names[u],
                b=names[v],
                capacity_bps=CORE_GBPS * GBPS,
                capacity_reverse_bps=CORE_GBPS * GBPS,
                delay_s=delay_us / 1e6,
                metric=delay_us,
                metric_reverse=delay_us,
            )
        )
    topology = Topology.make(
        f"gabriel-{nodes}-{seed}", tuple(NodeInfo(name) for name in names), tuple(links)
    )
    if not _connected(topology):
        raise RuntimeError(
            f"{topology.name}: the points left the network in pieces, take another seed"
        )
    return topology


def _connected(topology: Topology) -> bool:
    graph = topology.graph
    seen, stack = {0}, [0]
    while stack:
        for v, _, _ in graph.out[stack.pop()]:
            if v not in seen:
                seen.add(v)
                stack.append(v)
    return len(seen) == graph.size


def places(nodes: int, clouds: int, seed: int = 0) -> tuple[int, list[int]]:
    """(origin, PEs of the clouds), all different."""
    chosen = Random(f"places {nodes} {clouds} {seed}").sample(range(nodes), clouds + 1)
    return chosen[0], chosen[1:]


def scenario(nodes: int, clouds: int, seed: int = 0) -> Scenario:
    """One push of 689 GB to every cloud; ingress and replicas differ from cloud to cloud."""
    topology = wan(nodes, seed)
    origin, pes = places(nodes, clouds, seed)
    random = Random(f"clouds {nodes} {clouds} {seed}")
    sites = tuple(
        Cloud(
            name=f"cloud{number:04d}",
            node=topology.nodes[pe].name,
            ingress_bps=random.choice(INGRESS_GBPS) * GBPS,
            replicas=random.randint(4, 32),
            fabric_bps=400 * GBPS,
        )
        for number, pe in enumerate(pes)
    )
    push = Transfer(
        name="push",
        size_bytes=SIZE_GB * 10**9,
        shards=1,
        origin=topology.nodes[origin].name,
        clouds=tuple(site.name for site in sites),
        origin_egress_bps=CORE_GBPS * GBPS,
    )
    return Scenario(f"{topology.name}-{clouds}", topology, sites, (push,))


def scenario_file(nodes: int, clouds: int, seed: int = 0) -> dict[str, Any]:
    """The same as a file: `mcastplan.scenario/1` with the network inside."""
    question = scenario(nodes, clouds, seed)
    (push,) = question.transfers
    return {
        "schema": "mcastplan.scenario/1",
        "name": question.name,
        "topology": {
            "schema": "mcastplan.topology/1",
            "name": question.topology.name,
            "nodes": [{"name": node.name} for node in question.topology.nodes],
            "links": [
                {
                    "a": link.a,
                    "b": link.b,
                    "delay": f"{link.metric}us",
                    "capacity": f"{CORE_GBPS}Gbps",
                }
                for link in question.topology.links
            ],
        },
        "clouds": [
            {
                "name": cloud.name,
                "node": cloud.node,
                "ingress": f"{cloud.ingress_bps / GBPS:.0f}Gbps",
                "replicas": cloud.replicas,
                "fabric": f"{cloud.fabric_bps / GBPS:.0f}Gbps",
            }
            for cloud in question.clouds
        ],
        "transfers": [
            {
                "name": push.name,
                "size": f"{SIZE_GB}GB",
                "origin": {"node": push.origin, "egress": f"{CORE_GBPS}Gbps"},
                "to": "all",
            }
        ],
    }


def write_scenario(folder: Path, nodes: int, clouds: int, seed: int = 0) -> Path:
    path = folder / f"{nodes}-{clouds}.json"
    path.write_text(json.dumps(scenario_file(nodes, clouds, seed)), encoding="utf-8")
    return path
