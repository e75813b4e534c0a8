"""A piece of the world as a flat picture: which part, where a position lies in it, the coastline.

The projection is equirectangular with the true scale at the picture's middle latitude. The window
starts in the largest stretch of longitudes without a router, so that a network around the Pacific
is not torn; a link that crosses the window's edge is drawn towards both edges.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from importlib.resources import files
from itertools import pairwise

import msgspec

Point = tuple[float, float]

WIDTH = 1000.0  # of every picture, in its own units
_SHAPES = (1.6, 2.6)  # narrowest and widest width : height
_LEAST_DEG = 3.0  # of a picture's height
_GAP_DEG = 60.0  # a shorter empty stretch does not move the window off Greenwich's map
_POLE_DEG = 84.0
_MARGIN = 0.07  # of the network's extent, on each side
_TURN = 360.0
_FINE = 5  # tenths of a unit


class View(msgspec.Struct, frozen=True):
    """Longitudes ``west`` .. ``east`` (may pass 180), latitudes ``south`` .. ``north``."""

    west: float
    east: float
    south: float
    north: float

    @property
    def _stretch(self) -> float:
        return 1 / math.cos(math.radians((self.south + self.north) / 2))

    @property
    def height(self) -> float:
        return WIDTH * (self.north - self.south) * self._stretch / (self.east - self.west)

    def turned(self, lon: float) -> float:
        """The same longitude within the window's turn."""
        middle = (self.west + self.east) / 2
        return lon - _TURN * round((lon - middle) / _TURN)

    def place(self, lon: float, lat: float) -> Point:
        scale = WIDTH / (self.east - self.west)
        return (lon - self.west) * scale, (self.north - lat) * scale * self._stretch

    def line(self, a: Point, b: Point) -> str:
        """A link between two positions, the shorter way round, as path data."""
        lon_a, lon_b = self.turned(a[0]), self.turned(b[0])
        if abs(lon_b - lon_a) <= _TURN / 2:
            return _drawn([self.place(lon_a, a[1]), self.place(lon_b, b[1])])
        if lon_a > lon_b:
            a, b, lon_a, lon_b = b, a, lon_b, lon_a
        # Off the left edge towards b, and in from the right edge; the picture cuts both.
        return _drawn([self.place(lon_a, a[1]), self.place(lon_b - _TURN, b[1])]) + _drawn(
            [self.place(lon_a + _TURN, a[1]), self.place(lon_b, b[1])]
        )


def _drawn(points: Iterable[Point]) -> str:
    return "M" + "L".join(f"{x:.5g} {y:.5g}" for x, y in points)


def view_of(positions: Sequence[Point]) -> View:
    """The part of the world that holds all (lon, lat) positions, with a margin."""
    lons = sorted(lon for lon, _ in positions)
    gaps = [(b - a, b) for a, b in pairwise(lons)]
    gap, first = max([(lons[0] + _TURN - lons[-1], lons[0]), *gaps])
    west, east = (-180.0, 180.0) if gap < _GAP_DEG else (first, first + _TURN - gap)
    lats = [lat for _, lat in positions]
    south, north = min(lats), max(lats)
    # A margin on all sides, then the missing height or width, half on each side.
    if gap >= _GAP_DEG:
        aside = _MARGIN * max(east - west, _LEAST_DEG)
        west, east = west - aside, east + aside
    above = _MARGIN * max(north - south, _LEAST_DEG)
    south, north = max(-_POLE_DEG, south - above), min(_POLE_DEG, north + above)
    shrink = math.cos(math.radians((south + north) / 2))
    wide, high = (east - west) * shrink, max(north - south, _LEAST_DEG)
    high = max(high, wide / _SHAPES[1])
    wide = max(wide, high * _SHAPES[0])
    middle_lon, middle_lat = (west + east) / 2, (south + north) / 2
    half = min(wide / shrink, _TURN) / 2
    return View(
        middle_lon - half,
        middle_lon + half,
        max(-90.0, middle_lat - high / 2),
        min(90.0, middle_lat + high / 2),
    )


def coastline(view: View) -> str:
    """Land within the view as path data, ten times as large as `View.place` has it."""
    low, high = view.place(view.west, view.north), view.place(view.east, view.south)
    drawn = []
    for ring in _land():
        for turn in (-_TURN, 0.0, _TURN):
            if not _meets(ring, turn, view):
                continue
            placed = [view.place(lon + turn, lat) for lon, lat in ring]
            inside = _clipped(placed, (low[0] - 5, low[1] - 5), (high[0] + 5, high[1] + 5))
            if outline := _outline(inside):
                drawn.append(outline)
    return "".join(drawn)


def _outline(ring: Sequence[Point]) -> str:
    """A polygon in tenths of a unit as relative path data, without steps too small to be seen."""
    kept: list[tuple[int, int]] = []
    for x, y in ring:
        point = round(10 * x), round(10 * y)
        if not kept or abs(point[0] - kept[-1][0]) + abs(point[1] - kept[-1][1]) >= _FINE:
            kept.append(point)
    if len(kept) < 4:
        return ""
    steps = [f"{b[0] - a[0]} {b[1] - a[1]}".replace(" -", "-") for a, b in pairwise(kept)]
    return f"M{kept[0][0]} {kept[0][1]}l{' '.join(steps)}z"


def _meets(ring: Sequence[Point], turn: float, view: View) -> bool:
    lons = [lon + turn for lon, _ in ring]
    lats = [lat for _, lat in ring]
    return not (
        max(lons) < view.west
        or min(lons) > view.east
        or max(lats) < view.south
        or min(lats) > view.north
    )


def _clipped(ring: Sequence[Point], low: Point, high: Point) -> list[Point]:
    """Sutherland and Hodgman: the part of a polygon within a rectangle."""
    points = list(ring)
    for axis in (0, 1):
        for limit, sign in ((low[axis], 1.0), (high[axis], -1.0)):
            found: list[Point] = []
            for here, there in zip(points, points[1:] + points[:1], strict=True):
                a, b = sign * (here[axis] - limit), sign * (there[axis] - limit)
                if a >= 0:
                    found.append(here)
                if (a >= 0) != (b >= 0):
                    part = a / (a - b)
                    found.append(
                        (
                            here[0] + part * (there[0] - here[0]),
                            here[1] + part * (there[1] - here[1]),
                        )
                    )
            points = found
    return points


def _land() -> list[list[Point]]:
    """Outer rings and holes of Natural Earth's land, from world-atlas' TopoJSON (deltas, shared
    arcs; a negative arc number is that arc backwards)."""
    text = files("mcastplan.report").joinpath("assets/land-50m.json").read_bytes()
    data = json.loads(text)
    (scale_x, scale_y), (x0, y0) = data["transform"]["scale"], data["transform"]["translate"]
    arcs = []
    for arc in data["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * scale_x + x0, y * scale_y + y0))
        arcs.append(points)
    rings = []
    for shape in data["objects"]["land"]["geometries"]:
        for polygon in shape["arcs"]:
            for ring in polygon:
                points = []
                for number in ring:
                    arc = arcs[number] if number >= 0 else arcs[~number][::-1]
                    points += arc[1:] if points else arc
                rings.append(_unrolled(points))
    return rings


def _unrolled(ring: Sequence[Point]) -> list[Point]:
    """A ring without the jump at 180 degrees; one around a pole is led along the pole."""
    points = [ring[0]]
    turn = 0.0
    for (before, _), (lon, lat) in pairwise(ring):
        turn -= _TURN * round((lon - before) / _TURN)
        points.append((lon + turn, lat))
    if turn:
        pole = math.copysign(90.0, points[0][1])
        points += [(points[-1][0], pole), (points[0][0], pole)]
    return points
