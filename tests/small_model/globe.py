"""Distances on the globe, and whether a network is faster than light in straight fibre."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from tests.small_model.net import Net

RADIUS_KM = 6371.0
US_PER_KM = 5  # light in fibre, ITU-T Y.1541
ROUNDED_US = 1  # a link's delay is in whole microseconds


def km(a: Any, b: Any) -> float:
    """Great circle between two nodes, by the angle between their places as vectors."""
    (x, y, z), (u, v, w) = _place(a), _place(b)
    across = math.hypot(y * w - z * v, z * u - x * w, x * v - y * u)
    return RADIUS_KM * math.atan2(across, x * u + y * v + z * w)


def _place(node: Any) -> tuple[float, float, float]:
    lon, lat = math.radians(node.lon), math.radians(node.lat)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def faster_than_light(topology: Any) -> Iterator[str]:
    """Pairs of placed nodes whose route takes less than straight fibre between them would."""
    net = Net(topology)
    node = {each.name: each for each in topology.nodes if each.lon is not None}
    for dest, there in node.items():
        distance, own = net.towards(dest)
        took_us, hops = {dest: 0.0}, {dest: 0}
        for name in sorted(distance, key=lambda each: distance[each])[1:]:
            arc = own[name]
            took_us[name] = took_us[arc.head] + float(net.delay[arc]) * 1e6
            hops[name] = hops[arc.head] + 1
        for name in node.keys() & took_us.keys():
            least_us = km(node[name], there) * US_PER_KM
            if took_us[name] < least_us - ROUNDED_US * hops[name]:
                yield f"{name} to {dest}: {took_us[name]:.0f} us, light takes {least_us:.0f} us"
