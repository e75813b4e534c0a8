"""Scenario files drawn at random, with what real networks have and small examples lack: parallel
links of unequal capacity, nodes without a position, metrics that differ by direction, background,
several transfers from one origin."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

RATES = ["155Mbps", "1Gbps", "10Gbps", "100Gbps"]
INGRESS = ["400Mbps", "1Gbps", "10Gbps", "40Gbps"]
ENGINES = ["none", "vllm-8xh200", "sglang-16xh100", "vllm-8xb200-file-system"]


@st.composite
def files(draw: st.DrawFn, max_nodes: int = 8) -> dict[str, Any]:
    nodes = draw(_nodes(max_nodes))
    names = [node["name"] for node in nodes]
    metrics = draw(st.booleans())
    clouds = [
        draw(_cloud(f"c{place}", draw(st.sampled_from(names))))
        for place in range(draw(st.integers(1, 6)))
    ]
    return {
        "schema": "mcastplan.scenario/1",
        "name": "drawn",
        "topology": {"nodes": nodes, "links": draw(_links(names, metrics))},
        "underlay": {
            "metric": draw(st.sampled_from(["explicit"] if metrics else ["delay", "hops"])),
            "capacity": draw(st.sampled_from(RATES)),
            "mtu": draw(st.sampled_from([1500, 9000])),
        },
        "clouds": clouds,
        "transfers": draw(transfers(names, [cloud["name"] for cloud in clouds])),
        "background": draw(_background(names)),
        "schemes": {
            "bier": {"bsl": draw(st.sampled_from([64, 256]))},
            "sr-p2mp": {
                "objective": "shortest",
                "dataplane": draw(st.sampled_from(["srv6", "mpls"])),
            },
            "unicast": {"per": draw(st.sampled_from(["replica", "cloud"]))},
        },
    }


@st.composite
def _nodes(draw: st.DrawFn, most: int) -> list[dict[str, Any]]:
    """In any order; now and then without a position."""
    size = draw(st.integers(2, most))
    nodes = []
    for place in draw(st.permutations(range(size))):
        node: dict[str, Any] = {"name": f"n{place}"}
        if draw(st.integers(0, 2)):
            node |= {"lon": draw(st.integers(-60, 60)), "lat": draw(st.integers(-50, 50))}
        nodes.append(node)
    return nodes


@st.composite
def _links(draw: st.DrawFn, names: list[str], metrics: bool) -> list[dict[str, Any]]:
    """Mostly connected; a pair may be joined up to three times."""
    pairs = []
    for place in range(1, len(names)):
        if draw(st.integers(0, 11)):
            pairs.append((names[place], names[draw(st.integers(0, place - 1))]))
    for _ in range(draw(st.integers(0, len(names)))):
        pairs.append(tuple(draw(st.permutations(names))[:2]))
    links = []
    for a, b in pairs:
        for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
            link: dict[str, Any] = {"a": a, "b": b}
            if draw(st.booleans()):
                link["capacity"] = draw(st.sampled_from(RATES))
                if not draw(st.integers(0, 4)):
                    link["capacity_reverse"] = draw(st.sampled_from(RATES))
            if draw(st.booleans()):
                # Light takes 79 ms between the farthest places drawn.
                link["delay"] = draw(st.sampled_from(["80ms", "95ms", "80123us"]))
            if metrics:
                link["metric"] = draw(st.integers(1, 3))
                if draw(st.booleans()):
                    link["metric_reverse"] = draw(st.integers(1, 3))
            links.append(link)
    return links


@st.composite
def _cloud(draw: st.DrawFn, name: str, node: str) -> dict[str, Any]:
    cloud: dict[str, Any] = {
        "name": name,
        "node": node,
        "ingress": draw(st.sampled_from(INGRESS)),
        "replicas": draw(st.integers(1, 3)),
        "fanout": draw(st.sampled_from(["multicast", "multicast", "cache"])),
        "engine": draw(st.sampled_from(ENGINES)),
    }
    if draw(st.booleans()):
        cloud["fabric"] = draw(st.sampled_from(["200Mbps", "900Mbps", "7Gbps", "400Gbps"]))
    if not draw(st.integers(0, 4)):
        cloud["provision"] = draw(st.sampled_from(["3s", "20s"]))
    return cloud


@st.composite
def transfers(
    draw: st.DrawFn, names: list[str], clouds: list[str], **fixed: Any
) -> list[dict[str, Any]]:
    """One to four, from two nodes at most; ``fixed`` keys are the same in all."""
    homes = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2))
    egress = {home: draw(st.sampled_from([None, "1Gbps", "10Gbps"])) for home in homes}
    pushes = []
    for place in range(draw(st.integers(1, 4))):
        home = draw(st.sampled_from(homes))
        stated = egress[home] if draw(st.integers(0, 3)) else None  # or shares what another states
        origin = {"node": home} | ({"egress": stated} if stated else {})
        some = draw(st.lists(st.sampled_from(clouds), min_size=1, unique=True))
        push = {
            "name": f"t{place}",
            "size": draw(st.sampled_from(["1GB", "12GB", "70GB"])),
            "origin": origin,
            "to": draw(st.sampled_from(["all", some])),
            "start": draw(st.sampled_from(["0s", "0s", "500ms", "6s", "90s"])),
            "load": draw(st.sampled_from(["after", "streamed"])),
            "receivers": draw(st.sampled_from(["new", "known"])),
            "ship_compile_cache": draw(st.booleans()),
        }
        pushes.append(push | fixed)
    return pushes


@st.composite
def _background(draw: st.DrawFn, names: list[str]) -> list[dict[str, Any]]:
    """Little mostly; 155 Mb/s fills the narrowest links."""
    rows = []
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        a, b = draw(st.permutations(names))[:2]
        rate = draw(st.sampled_from(["20Mbps", "50Mbps", "155Mbps", "700Mbps"]))
        rows.append({"from": a, "to": b, "rate": rate})
    return rows
