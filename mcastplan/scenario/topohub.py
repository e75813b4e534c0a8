"""Topologies of the `topohub` package, read as the JSON files they are.

topohub gives positions and kilometres, no capacities, and labels that are not unique. A `Seacable
Waypoint` is a bend or joint of a sea cable, not a router. Passed over: loads and statistics that
topohub computed (``ecmp_fwd``, ``ecmp_bwd``, ``stats``), and whether an edge is a sea cable
(``type``).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from mcastplan.errors import EnvironmentLacksError, ScenarioError
from mcastplan.model.topology import NodeInfo
from mcastplan.scenario.names import Namer
from mcastplan.scenario.raw import RawLink, RawTopology
from mcastplan.scenario.words import hint, printable, shown

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+", re.ASCII)
_KINDS = {
    "Seacable Waypoint": "waypoint",
    "Seacable Landing Point": "landing point",
    "City": "city",
}
# Where topohub says its data came from (its providers/*.py, version 1.5.1).
_ORIGINS = {
    "backbone": "synthetic backbone by TopoGen, doi:10.1109/ICC.2015.7249292",
    "caida": "CAIDA Ark, midar-iff of 2024-08",
    "gabriel": "synthetic Gabriel graph",
    "sndlib": "SNDlib, doi:10.1002/net.20371",
    "topozoo": "Internet Topology Zoo, doi:10.1109/JSAC.2011.111002",
}


class _Node(msgspec.Struct):
    id: int | str
    name: str | None = None
    pos: tuple[float, float] | None = None
    type: str = ""


class _Edge(msgspec.Struct):
    source: int | str
    target: int | str
    dist: float | None = None  # [km]


class _About(msgspec.Struct):
    demands: dict[str, dict[str, float]] | None = None


class _Graph(msgspec.Struct):
    nodes: list[_Node]
    edges: list[_Edge]
    graph: _About = msgspec.field(default_factory=_About)


class _Counted(msgspec.Struct):
    """Enough of a file to count it, unparsed otherwise: 707 files in 50 ms."""

    nodes: list[msgspec.Raw]
    edges: list[msgspec.Raw]


def _data() -> tuple[Path, str]:
    try:
        package = importlib.import_module("topohub")  # its __init__ imports nothing
    except ImportError:
        raise EnvironmentLacksError(
            "the Python package topohub is not installed; run 'pip install topohub'"
        ) from None
    return Path(next(iter(package.__path__))) / "data", str(package.__version__)


def topohub_names(group: str = "") -> tuple[str, ...]:
    """``GROUP/NAME`` of every topohub topology, sorted; of one group when given."""
    root, _ = _data()
    files = (root / group).rglob("*.json")
    return tuple(sorted(f.relative_to(root).with_suffix("").as_posix() for f in files))


def topohub_sizes(group: str = "") -> tuple[tuple[str, int, int], ...]:
    """(``GROUP/NAME``, nodes, links) as the files have them, sorted; of one group when given."""
    root, _ = _data()
    decoder = msgspec.json.Decoder(_Counted)
    rows = []
    for name in topohub_names(group):
        counted = decoder.decode((root / f"{name}.json").read_bytes())
        rows.append((name, len(counted.nodes), len(counted.edges)))
    return tuple(rows)


def raw_from_topohub(key: str, where: str = "topology") -> RawTopology:
    """Read ``GROUP/NAME``. Raises `ScenarioError` when there is no such topology."""
    root, version = _data()
    path = root / f"{key}.json"
    if not _KEY.fullmatch(key) or ".." in key or not path.is_file():
        advice = hint(key, topohub_names())
        what = f"topohub has no topology {shown(key)}"
        raise ScenarioError(f"{what}{advice or '; write topohub:GROUP/NAME'}", where)
    graph = msgspec.json.decode(path.read_bytes(), type=_Graph)
    group = key.partition("/")[0]
    planar = group == "gabriel" or not _on_earth(graph.nodes)
    namer = Namer()
    names: dict[int | str, str] = {}
    nodes: list[NodeInfo] = []
    for node in graph.nodes:
        label = _clean(node.name or "")
        name = names[node.id] = namer.name(label, node.id)
        lon, lat = (None, None) if planar or node.pos is None else node.pos
        kind = _KINDS.get(node.type, node.type.lower())
        nodes.append(NodeInfo(name, label, lon, lat, kind))
    links = [
        RawLink(
            a=names[edge.source],
            b=names[edge.target],
            distance_m=None if edge.dist is None else round(edge.dist * 1000),
        )
        for edge in graph.edges
    ]
    notes = []
    if planar and group != "gabriel":
        notes.append(
            f"Positions in topohub's {key} are drawing coordinates, not degrees, and the distances"
            " it computed from them are not real: read the delays as an example."
        )
    origin = _ORIGINS.get(group, group)
    source = f"topohub {version} {key} ({origin})"
    demands = _demands(graph.graph.demands or {}, {str(key): name for key, name in names.items()})
    return RawTopology(key, nodes, links, source, "MIT (topohub)", notes, demands)


def _demands(
    rows: Mapping[str, Mapping[str, float]], names: Mapping[str, str]
) -> list[tuple[str, str, float]]:
    """Demands by node names, both ways where the matrix is undirected.

    SNDlib's demand model is a property of the problem, not of the network file. A matrix that never
    names a pair in both directions is read as undirected (nobel-eu: 378 demands, 756 here).
    """
    pairs = {(a, b): value for a, row in rows.items() for b, value in row.items() if value > 0}
    if not any((b, a) in pairs for a, b in pairs):
        pairs |= {(b, a): value for (a, b), value in pairs.items()}
    return sorted((names[a], names[b], value) for (a, b), value in pairs.items() if a != b)


def _on_earth(nodes: Sequence[_Node]) -> bool:
    positions = [node.pos for node in nodes if node.pos is not None]
    return all(-180 <= lon <= 180 and -90 <= lat <= 90 for lon, lat in positions)


def _clean(label: str) -> str:
    return printable(label).strip()
