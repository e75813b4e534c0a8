"""What `topology list`, `show` and `lint` answer: the structure of their JSON, key by key."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["error", "warning", "note"]


class NetworkRow(msgspec.Struct, frozen=True):
    """A network one can refer to; of a generator, an example."""

    reference: str
    group: str
    nodes: int
    links: int


class NetworkList(msgspec.Struct, frozen=True):
    schema: str
    topologies: tuple[NetworkRow, ...]


class Range(msgspec.Struct, frozen=True):
    least: float
    most: float


class Degrees(msgspec.Struct, frozen=True):
    """Links at a node."""

    least: int
    mean: float
    most: int


class Extent(msgspec.Struct, frozen=True):
    """Of the nodes with a position [degrees]."""

    west: float
    east: float
    south: float
    north: float
    nodes: int


class Demands(msgspec.Struct, frozen=True):
    """The source's traffic matrix, directed; what one unit is, the source rarely says."""

    count: int
    units: float


class NetworkFacts(msgspec.Struct, frozen=True):
    """One network as it is planned on: waypoints merged, gaps filled as ``assumptions`` say.

    ``parts`` are the sizes of the connected parts [nodes], largest first. Ranges are over arcs,
    None without links.
    """

    schema: str
    name: str
    source: str
    licence: str
    nodes: int
    links: int
    kinds: dict[str, int]
    parts: tuple[int, ...]
    bridges: int
    cut_nodes: int
    degree: Degrees
    capacity_bps: Range | None
    delay_s: Range | None
    metric: Range | None
    extent: Extent | None
    demands: Demands | None
    assumptions: tuple[str, ...]


class Finding(msgspec.Struct, frozen=True):
    """``count`` of what the rule names; ``what`` names them, where they have names."""

    rule: str
    level: Level
    count: int
    meaning: str
    what: tuple[str, ...]


ElementKind = Literal["edge", "node", "graph"]


class Unread(msgspec.Struct, frozen=True):
    """An attribute of a graph that is not read, and how many of its elements carry it."""

    kind: ElementKind
    name: str
    count: int
    of: int

    def text(self) -> str:
        """``'delay' (3 of 5)``; a graph is only one."""
        name = repr(self.name)
        return name if self.kind == "graph" else f"{name} ({self.count:,} of {self.of:,})"


class LintResult(msgspec.Struct, frozen=True):
    """``connected`` is the answer: whether every node can be reached from every other."""

    schema: str
    name: str
    nodes: int
    links: int
    connected: bool
    findings: tuple[Finding, ...]
