"""A topology as its source gives it: names settled, values in SI or still missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from mcastplan.model.network import Unread
from mcastplan.model.topology import NodeInfo
from mcastplan.scenario.attributes import Attributes

MetricRule = Literal["delay", "hops", "explicit"]
WaypointRule = Literal["merge", "keep"]

# Light in fibre: 299,792 km/s / 1.468 = 204 km/ms; ITU-T Y.1541 reckons 5 us per km.
FIBRE_US_PER_KM = 5
# ITU-T Y.1541: route length = air-route distance x 1.5 below 1,000 km, x 1.25 above 1,200 km.
# One factor for all links keeps delays additive along a cable cut into pieces.
DEFAULT_ROUTE_FACTOR = 1.5
DEFAULT_CAPACITY_BPS = 100e9
EARTH_RADIUS_M = 6_371_008.8  # IUGG mean radius


class Underlay(msgspec.Struct, frozen=True):
    """How missing link values are filled in and metrics made."""

    metric: MetricRule | None = None  # None: explicit where every link has one, else delay
    capacity_bps: float | None = None  # None: the least that is known, else `DEFAULT_CAPACITY_BPS`
    route_factor: float = DEFAULT_ROUTE_FACTOR
    waypoints: WaypointRule = "merge"
    attributes: Attributes = Attributes()


class RawLink(msgspec.Struct):
    """One link; None is missing. ``where`` is its path in the file, for errors."""

    a: str
    b: str
    id: str | None = None
    capacity_bps: float | None = None
    capacity_reverse_bps: float | None = None
    delay_us: float | None = None  # of a thousandth, where the source says so
    distance_m: int | None = None  # air route, known to the source
    metric: int | None = None
    metric_reverse: int | None = None
    srlgs: tuple[str, ...] = ()
    where: str = ""


class RawTopology(msgspec.Struct):
    """``notes`` are sentences on what the source does not say or says oddly.

    ``demands`` are (from, to, units) where the source has a traffic matrix; what one unit is, the
    source rarely says. ``unread`` are attributes that are there and not read.
    """

    name: str
    nodes: list[NodeInfo]
    links: list[RawLink]
    source: str = ""
    licence: str = ""
    notes: list[str] = []
    demands: Sequence[tuple[str, str, float]] = ()
    unread: Sequence[Unread] = ()


def great_circle_m(a: NodeInfo, b: NodeInfo) -> int | None:
    """Haversine distance [whole metres]; None where a position is missing."""
    if a.lon is None or a.lat is None or b.lon is None or b.lat is None:
        return None
    lat_a, lat_b = math.radians(a.lat), math.radians(b.lat)
    half_lat, half_lon = (lat_b - lat_a) / 2, math.radians(b.lon - a.lon) / 2
    h = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return round(2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(h))))


def fibre_delay_us(distance_m: int, route_factor: float) -> int:
    """Propagation delay [whole us] over ``distance_m`` of air route."""
    return round(distance_m * route_factor * FIBRE_US_PER_KM / 1000)
