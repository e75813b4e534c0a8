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

from mcastplan.model.topology import Link, NodeInfo, Topology

KM_PER_POINT = 150.0  # mean spacing of routers; sets the scale of the delays
US_PER_KM = 5.0
CORE_BPS = 100e9
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
                capacity_bps=CORE_BPS,
                capacity_reverse_bps=CORE_BPS,
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


def scenario(nodes: int, clouds: int, seed: int = 0) -> dict[str, Any]:
    """A whole scenario file (`mcastplan.scenario/1`, inline topology): one push to every cloud."""
    topology = wan(nodes, seed)
    origin, pes = places(nodes, clouds, seed)
    random = Random(f"clouds {nodes} {clouds} {seed}")
    return {
        "schema": "mcastplan.scenario/1",
        "name": f"{topology.name}-{clouds}",
        "topology": {
            "schema": "mcastplan.topology/1",
            "name": topology.name,
            "nodes": [{"name": node.name} for node in topology.nodes],
            "links": [
                {"a": link.a, "b": link.b, "delay": f"{link.metric}us", "capacity": "100Gbps"}
                for link in topology.links
            ],
        },
        "clouds": [
            {
                "name": f"cloud{number:04d}",
                "node": topology.nodes[pe].name,
                "ingress": f"{random.choice(INGRESS_GBPS)}Gbps",
                "replicas": random.randint(4, 32),
                "fabric": "400Gbps",
            }
            for number, pe in enumerate(pes)
        ],
        "transfers": [
            {
                "name": "push",
                "size": "689GB",
                "origin": {"node": topology.nodes[origin].name, "egress": "100Gbps"},
                "to": "all",
            }
        ],
        # Above 256 Set Identifiers at BSL 256 nothing changes here; 1,000 clouds need four.
        "schemes": {"bier": {"bsl": 256}},
    }


def write_scenario(folder: Path, nodes: int, clouds: int, seed: int = 0) -> Path:
    path = folder / f"{nodes}-{clouds}.json"
    path.write_text(json.dumps(scenario(nodes, clouds, seed)), encoding="utf-8")
    return path
