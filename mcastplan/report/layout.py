"""Where each router stands in the picture: on the map, or by hops where positions are missing."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mcastplan.model.question import Network
from mcastplan.report.geo import WIDTH, Point, View, view_of

MOST_BY_HOPS = 1500  # routers; more, and a picture without geography says nothing
_LOWEST, _A_ROUTER, _HIGHEST = 140.0, 40.0, 560.0  # of a picture without geography
_MARGIN = 40.0


class Layout(msgspec.Struct, frozen=True):
    """``places`` are picture units by router; ``view`` is None where there is no geography."""

    places: dict[str, Point]
    positions: dict[str, Point]  # (lon, lat)
    view: View | None
    height: float

    def line(self, a: str, b: str) -> str:
        """Path data of a link; empty where an end has no place."""
        if a not in self.places or b not in self.places:
            return ""
        if self.view is not None:
            return self.view.line(self.positions[a], self.positions[b])
        (ax, ay), (bx, by) = self.places[a], self.places[b]
        return f"M{ax:.5g} {ay:.5g}L{bx:.5g} {by:.5g}"


def layout_of(network: Network, origins: Iterable[str]) -> Layout | None:
    """None where the network is too large to be drawn without positions."""
    positions = {
        node.name: (node.lon, node.lat)
        for node in network.nodes
        if node.lon is not None and node.lat is not None and _on_earth(node.lon, node.lat)
    }
    if len(set(positions.values())) > 1 and 2 * len(positions) >= len(network.nodes):
        view = view_of(list(positions.values()))
        places = {name: view.place(view.turned(lon), lat) for name, (lon, lat) in positions.items()}
        return Layout(places, positions, view, view.height)
    if len(network.nodes) > MOST_BY_HOPS:
        return None
    columns = _columns(network, origins)
    high = min(_HIGHEST, _LOWEST + _A_ROUTER * max(map(len, columns), default=0))
    return Layout(_in_columns(columns, high), {}, None, high)


def _on_earth(lon: float, lat: float) -> bool:
    return abs(lon) <= 180 and abs(lat) <= 90


def _columns(network: Network, origins: Iterable[str]) -> list[list[str]]:
    """Routers by hops from the origin, in each column as a search finds them."""
    near: dict[str, list[str]] = {node.name: [] for node in network.nodes}
    for link in network.links:
        near.setdefault(link.source, []).append(link.target)
        near.setdefault(link.target, []).append(link.source)
    starts = [name for name in dict.fromkeys(origins) if name in near] or list(near)[:1]
    columns: list[list[str]] = []
    seen = set(starts)
    while starts:
        columns.append(starts)
        found = dict.fromkeys(b for a in starts for b in sorted(near[a]) if b not in seen)
        seen.update(found)
        starts = list(found)
    rest = [name for name in near if name not in seen]
    if rest:
        columns.append(rest)
    return columns


def _in_columns(columns: list[list[str]], high: float) -> dict[str, Point]:
    wide = (WIDTH - 2 * _MARGIN) / max(1, len(columns) - 1)
    return {
        name: (
            _MARGIN + wide * across if len(columns) > 1 else WIDTH / 2,
            # Neighbouring columns are shifted, or links between rows would lie on each other.
            high * (down + 0.5 + 0.12 * (across % 2)) / (len(column) + 0.12),
        )
        for across, column in enumerate(columns)
        for down, name in enumerate(column)
    }
