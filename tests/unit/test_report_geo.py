"""Where things stand on the map, and what is drawn across the 180th meridian."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files

import pytest

from mcastplan.model.question import Network, NetworkLink, NetworkNode
from mcastplan.report.axis import tick_text, time_axis
from mcastplan.report.geo import WIDTH, View, coastline, view_of
from mcastplan.report.layout import MOST_BY_HOPS, layout_of

WORLD = View(-180.0, 180.0, -60.0, 75.0)


def moves(line: str) -> list[list[tuple[float, ...]]]:
    """Path data as pieces of points."""
    return [
        [tuple(map(float, point.split())) for point in piece.split("L")]
        for piece in line.split("M")[1:]
    ]


def test_corners() -> None:
    assert WORLD.place(-180.0, 75.0) == (0.0, 0.0)
    assert WORLD.place(180.0, -60.0) == pytest.approx((WIDTH, WORLD.height))


def test_a_link_is_one_line() -> None:
    (piece,) = moves(WORLD.line((-70.0, 40.0), (0.0, 50.0)))
    assert len(piece) == 2


def test_a_link_over_the_180th_meridian_leaves_left_and_comes_in_right() -> None:
    """Auckland 175 E and Papeete 150 W are 35 degrees apart: half of it off either edge."""
    left, right = moves(WORLD.line((175.0, -37.0), (-150.0, -17.0)))
    degree = WIDTH / 360
    assert left[0][0] == pytest.approx(30 * degree, rel=1e-3)
    assert left[1][0] == pytest.approx(-5 * degree, rel=1e-3)
    assert right[0][0] == pytest.approx(WIDTH + 30 * degree, rel=1e-3)
    assert right[1][0] == pytest.approx(WIDTH - 5 * degree, rel=1e-3)


def test_a_network_around_the_pacific_is_not_torn() -> None:
    view = view_of([(140.0, 35.0), (175.0, -37.0), (-122.0, 38.0)])
    assert view.west < 140 < 175 < 360 - 122 < view.east
    assert view.east - view.west < 180
    (piece,) = moves(view.line((140.0, 35.0), (-122.0, 38.0)))
    assert all(0 <= x <= WIDTH for x, _ in piece)


@pytest.mark.parametrize(
    "places",
    [
        [(0.0, 0.0), (0.0, 0.0)],
        [(13.4, 52.5), (13.4, 52.6)],
        [(-180.0, -90.0), (180.0, 90.0)],
        [(179.9, 0.0), (-179.9, 0.0)],
        [(10.0, 60.0), (11.0, -30.0)],
    ],
)
def test_every_place_is_inside_its_view(places: list[tuple[float, float]]) -> None:
    view = view_of(places)
    assert view.height > 0 and -90 <= view.south < view.north <= 90
    for lon, lat in places:
        if abs(lat) < 84:
            x, y = view.place(view.turned(lon), lat)
            assert 0 <= x <= WIDTH and 0 <= y <= view.height


def test_the_coast_stays_inside_the_picture() -> None:
    """Path data in tenths of a unit: the first point of each piece, and all steps from it."""
    view = view_of([(-9.0, 38.0), (30.0, 60.0)])
    land = coastline(view)
    assert land
    for piece in land.split("M")[1:]:
        start, _, steps = piece.rstrip("z").partition("l")
        x, y = map(int, start.split())
        numbers = list(map(int, steps.replace("-", " -").split()))
        for dx, dy in zip(numbers[::2], numbers[1::2], strict=True):
            x, y = x + dx, y + dy
            assert -60 <= x <= 10 * WIDTH + 60
            assert -60 <= y <= 10 * view.height + 60


def test_no_stripe_runs_around_the_world() -> None:
    """Rings over the 180th meridian and around the pole are unrolled: no step is half a turn."""
    for piece in coastline(WORLD).split("M")[1:]:
        steps = piece.rstrip("z").partition("l")[2].replace("-", " -").split()
        far = [abs(int(dx)) for dx, dy in zip(steps[::2], steps[1::2], strict=True) if dy != "0"]
        assert max(far, default=0) < 10 * WIDTH / 4


def test_foreign_files_are_what_the_list_says() -> None:
    assets = files("mcastplan.report").joinpath("assets")
    for package in json.loads(assets.joinpath("vendored.json").read_bytes())["packages"]:
        for file in package["files"]:
            data = assets.joinpath(file["to"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == file["sha256"]


def network(*links: tuple[str, str], lonely: int = 0) -> Network:
    names = sorted({name for link in links for name in link}) + [f"x{n}" for n in range(lonely)]
    return Network(
        "n",
        "",
        "",
        tuple(NetworkNode(name, "", None, None, "") for name in names),
        tuple(NetworkLink(f"{a}--{b}", a, b, None, None) for a, b in links),
    )


def test_without_positions_columns_are_hops_from_the_origin() -> None:
    layout = layout_of(network(("a", "b"), ("b", "c"), ("a", "d"), lonely=1), ["a"])
    assert layout is not None and layout.view is None
    across = {name: place[0] for name, place in layout.places.items()}
    assert across["a"] < across["b"] == across["d"] < across["c"] < across["x0"]
    assert layout.line("a", "b").startswith("M") and layout.line("a", "nobody") == ""


def test_too_many_routers_without_positions_are_not_drawn() -> None:
    assert layout_of(network(("a", "b"), lonely=MOST_BY_HOPS), ["a"]) is None


def test_a_time_axis_is_logarithmic_only_where_times_are_far_apart() -> None:
    """12 min and 13 h lie 65 times apart; 100 s and 240 s do not."""
    far = time_axis(747.0, 46_700.0)
    assert far.logarithmic and far.low_s == 600.0
    assert 0 < far.place(747.0) < far.place(1080.0) < far.place(46_700.0) < 1
    near = time_axis(100.0, 240.0)
    assert not near.logarithmic and near.low_s == 0.0
    assert near.ticks == (0.0, 60.0, 120.0, 180.0, 240.0)
    assert time_axis(0.0, 0.0).place(0.0) == 0.0


def test_ticks_are_round() -> None:
    assert [tick_text(t) for t in (0.0, 0.5, 30.0, 60.0, 900.0, 7200.0, 172800.0)] == [
        *("0 s", "500 ms", "30 s", "1 min", "15 min", "2 h", "48 h"),
    ]
