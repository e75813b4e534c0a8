"""The order of anything in a file changes nothing, and neither does the way a link is written."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.scenario import load_scenario

UNITS = st.sampled_from(["1Gbps", "10Gbps", "40Gbps"])


@st.composite
def sources(draw: st.DrawFn) -> dict[str, Any]:
    """A scenario as a mapping: inline topology with waypoints, parallel links and ties."""
    size = draw(st.integers(2, 8))
    names = [f"n{i}" for i in range(size)]
    nodes = []
    for i, name in enumerate(names):
        node: dict[str, Any] = {"name": name}
        if i > 1 and draw(st.integers(0, 2)) == 0:
            node["kind"] = "waypoint"
        if draw(st.booleans()):
            node |= {"lon": draw(st.integers(-180, 180)), "lat": draw(st.integers(-90, 90))}
        nodes.append(node)
    links = []
    for i in range(draw(st.integers(1, 14))):
        a, b = draw(st.permutations(names))[:2]
        link: dict[str, Any] = {"a": a, "b": b}
        if draw(st.integers(0, 3)) == 0:
            link["id"] = f"trunk{i}"
        if draw(st.booleans()):
            link |= {"capacity": draw(UNITS), "capacity_reverse": draw(UNITS)}
        if draw(st.booleans()):
            link["delay"] = draw(st.sampled_from(["0ms", "1ms", "2500ns"]))
        link |= {"metric": draw(st.integers(1, 3)), "metric_reverse": draw(st.integers(1, 3))}
        link["srlgs"] = draw(st.lists(st.sampled_from("xyz"), max_size=2))
        links.append(link)
    routers = [node["name"] for node in nodes if "kind" not in node]
    place = st.sampled_from(routers)
    clouds = [
        {"name": f"c{i}", "node": draw(place), "ingress": draw(UNITS)}
        for i in range(draw(st.integers(1, 4)))
    ]
    transfers = [
        {
            "name": f"t{i}",
            "size": "7GB",
            "origin": {"node": draw(place)},
            "to": draw(st.permutations([cloud["name"] for cloud in clouds])),
            "load": draw(st.sampled_from(["after", "streamed"])),
        }
        for i in range(draw(st.integers(1, 3)))
    ]
    failures = [
        {"nodes": draw(st.lists(place, min_size=1, max_size=3)), "at": draw(st.sampled_from(TIMES))}
        for _ in range(draw(st.integers(0, 3)))
    ]
    background = [
        {"from": "n0", "to": "n1", "rate": draw(UNITS)} for _ in range(draw(st.integers(0, 2)))
    ]
    return {
        "schema": "mcastplan.scenario/1",
        "name": "case",
        "topology": {"nodes": nodes, "links": links},
        "underlay": {
            "metric": draw(st.sampled_from(["delay", "hops", "explicit"])),
            "waypoints": draw(st.sampled_from(["merge", "keep"])),
        },
        "clouds": clouds,
        "transfers": transfers,
        "failures": failures,
        "background": background,
    }


TIMES = ["0s", "1s"]


def turned(link: dict[str, Any]) -> dict[str, Any]:
    """The same link, written from its other end."""
    swap = {"a": "b", "capacity": "capacity_reverse", "metric": "metric_reverse"}
    swap |= {value: key for key, value in swap.items()}
    return {swap.get(key, key): value for key, value in reversed(link.items())}


@st.composite
def rewritten(draw: st.DrawFn, value: Any, key: str = "") -> Any:
    """The same scenario with every list shuffled and some links turned."""
    if isinstance(value, dict):
        items = draw(st.permutations(sorted(value.items(), key=lambda item: item[0])))
        return {name: draw(rewritten(inner, name)) for name, inner in items}
    if isinstance(value, list):
        shuffled = draw(st.permutations(value))
        inner = [draw(rewritten(item)) for item in shuffled]
        return [turned(i) if key == "links" and draw(st.booleans()) else i for i in inner]
    return value


@given(st.data())
@settings(max_examples=100)
def test_order_changes_nothing(data: st.DataObject) -> None:
    source = data.draw(sources())
    other = data.draw(rewritten(source))
    assert load_scenario(other) == load_scenario(source)
