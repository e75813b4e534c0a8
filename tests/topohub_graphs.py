"""topohub's graphs as bare integer networks, read without the package's own importer."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from mcastplan.model.topology import Link, NodeInfo, Topology

MICROSECONDS_PER_KM = 5


class Stored(NamedTuple):
    """Node ranks are places in the file, link ``i`` is its edge ``i`` and arc ``2 * i`` runs from
    the edge's source to its target."""

    key: str
    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]

    def topology(self, *, hops: bool) -> Topology:
        """With metric 1 everywhere, or microseconds of fibre (at least 1)."""
        name = {node["id"]: f"{rank:05}" for rank, node in enumerate(self.nodes)}

        def metric(km: float) -> int:
            return 1 if hops else max(1, round(km * MICROSECONDS_PER_KM))

        links = []
        for number, edge in enumerate(self.edges):
            a, b, cost = name[edge["source"]], name[edge["target"]], metric(edge["dist"])
            links.append(Link(f"{number:05}", a, b, 1e9, 1e9, 0.0, cost, cost))
        nodes = tuple(NodeInfo(each) for each in name.values())
        return Topology.make(self.key, nodes, tuple(links))


def keys_by_size() -> list[str]:
    """All keys, fewest nodes first."""
    return [key for _, key in _sizes()]


@cache
def _sizes() -> list[tuple[int, str]]:
    root = _root()
    return sorted(
        (
            len(json.loads(path.read_text())["nodes"]),
            path.relative_to(root).with_suffix("").as_posix(),
        )
        for path in root.rglob("*.json")
    )


def stored(key: str) -> Stored:
    data = json.loads((_root() / f"{key}.json").read_text())
    return Stored(key, data["nodes"], data["edges"])


def _root() -> Path:
    return Path(str(files("topohub"))) / "data"


def stored_demands(key: str) -> dict[str, dict[str, float]]:
    """The traffic matrix as the file has it, by node id."""
    data = json.loads((_root() / f"{key}.json").read_text())
    demands: dict[str, dict[str, float]] = data["graph"]["demands"]
    return demands
