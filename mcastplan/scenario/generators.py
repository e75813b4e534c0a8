"""Networks made by rule: ``generate:fat-tree/k=12``, ``generate:gabriel/nodes=100,seed=1``, ...

Pure and the same everywhere: positions come from BLAKE2b of (seed, node, axis) and are compared as
integers. No capacities are made: `underlay.capacity` fills them in.

References: fat-tree: Al-Fares, Loukissas, Vahdat, SIGCOMM 2008, doi:10.1145/1402958.1402967 (k pods
of k/2 edge and k/2 aggregation switches, (k/2)^2 cores, k^3/4 hosts, 3 k^3/4 links). Gabriel graph:
Gabriel and Sokal, Systematic Zoology 18 (1969), doi:10.2307/2412323; that it resembles fibre
networks: Cetinkaya et al., doi:10.1016/j.comnet.2014.05.003.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from itertools import pairwise

import msgspec

from mcastplan.errors import ScenarioError
from mcastplan.model.topology import NodeInfo
from mcastplan.scenario.raw import RawLink, RawTopology
from mcastplan.scenario.words import hint, listed, shown

PREFIX = "generate:"
FAT_TREE_DELAY_US = 1  # 200 m of fibre
LINE_DELAY_US = 1000  # 200 km of fibre
# The Gabriel WAN's box, about the size of Europe [micro-degrees].
_WEST, _EAST, _SOUTH, _NORTH = -10_000_000, 30_000_000, 36_000_000, 60_000_000
_COSINE = 669  # [1/1000] of 48 degrees north, the box's middle: a degree of longitude is shorter


class Parameter(msgspec.Struct, frozen=True):
    """A whole number; ``default`` None means it must be given."""

    least: int
    most: int
    default: int | None = None
    even: bool = False


class Generator(msgspec.Struct, frozen=True):
    """``note`` is a sentence on what is made up; ``example`` are parameters that work."""

    name: str
    title: str
    example: str
    parameters: Mapping[str, Parameter]
    make: Callable[[Mapping[str, int]], tuple[list[NodeInfo], list[RawLink]]]
    note: str


def _padded(stem: str, number: int, most: int) -> str:
    """Padded, so that plain string order is the order of the numbers."""
    return f"{stem}{number:0{len(str(most))}}"


def _fat_tree(given: Mapping[str, int]) -> tuple[list[NodeInfo], list[RawLink]]:
    k = given["k"]
    half = k // 2
    nodes, links = [], []

    def link(a: str, b: str) -> None:
        links.append(RawLink(a=a, b=b, delay_us=FAT_TREE_DELAY_US))

    cores = [
        [_padded(f"core-{_padded('', row, half - 1)}-", column, half - 1) for column in range(half)]
        for row in range(half)
    ]
    nodes += [NodeInfo(name, kind="core") for row in cores for name in row]
    for pod in range(k):
        place = _padded("", pod, k - 1)
        for row in range(half):
            upper = _padded(f"agg-{place}-", row, half - 1)
            nodes.append(NodeInfo(upper, kind="aggregation"))
            for core in cores[row]:
                link(upper, core)
        for row in range(half):
            edge = _padded(f"edge-{place}-", row, half - 1)
            nodes.append(NodeInfo(edge, kind="edge"))
            for column in range(half):
                link(edge, _padded(f"agg-{place}-", column, half - 1))
                host = _padded(f"host-{place}-{_padded('', row, half - 1)}-", column, half - 1)
                nodes.append(NodeInfo(host, kind="host"))
                link(edge, host)
    return nodes, links


def _gabriel(given: Mapping[str, int]) -> tuple[list[NodeInfo], list[RawLink]]:
    count, seed = given["nodes"], given["seed"]
    places = [
        (_drawn(seed, i, "lon", _WEST, _EAST), _drawn(seed, i, "lat", _SOUTH, _NORTH))
        for i in range(count)
    ]
    names = [_padded("n", i, count) for i in range(1, count + 1)]
    nodes = [
        NodeInfo(name, lon=lon / 1e6, lat=lat / 1e6, kind="city")
        for name, (lon, lat) in zip(names, places, strict=True)
    ]
    plane = [(lon * _COSINE, lat * 1000) for lon, lat in places]
    links = [RawLink(a=names[i], b=names[j]) for i, j in gabriel_pairs(plane)]
    return nodes, links


def _drawn(seed: int, node: int, axis: str, least: int, most: int) -> int:
    """A whole number in least..most from the hash of all the rest."""
    digest = hashlib.blake2b(f"gabriel {seed} {node} {axis}".encode(), digest_size=8).digest()
    return least + int.from_bytes(digest, "big") % (most - least + 1)


def gabriel_pairs(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs whose circle (the two as its diameter) holds no third place, by rank.

    A third place z is inside when the angle there is obtuse: (i - z) . (j - z) < 0. The places next
    to i are tried first, since one of them nearly always lies inside.
    """
    count = len(places)
    pairs = []
    for i, (xi, yi) in enumerate(places):
        order = sorted(
            (other for other in range(count) if other != i),
            key=lambda other: (places[other][0] - xi) ** 2 + (places[other][1] - yi) ** 2,
        )
        from_i = [(places[z][0] - xi, places[z][1] - yi) for z in order]
        for rank, j in enumerate(order):
            if j < i:
                continue
            dx, dy = from_i[rank]
            # Inside: |z|^2 < z . j, and so nearer to i than j is.
            if not any(x * (x - dx) + y * (y - dy) < 0 for x, y in from_i[:rank]):
                pairs.append((i, j))
    return sorted(pairs)


def _line(names: list[str], ring: bool) -> tuple[list[NodeInfo], list[RawLink]]:
    ends = list(pairwise(names))
    if ring:
        ends.append((names[-1], names[0]))
    links = [RawLink(a=a, b=b, delay_us=LINE_DELAY_US) for a, b in ends]
    return [NodeInfo(name) for name in names], links


def _numbered(count: int) -> list[str]:
    return [_padded("n", i, count) for i in range(1, count + 1)]


def _star(given: Mapping[str, int]) -> tuple[list[NodeInfo], list[RawLink]]:
    leaves = [_padded("leaf-", i, given["leaves"]) for i in range(1, given["leaves"] + 1)]
    links = [RawLink(a="hub", b=leaf, delay_us=LINE_DELAY_US) for leaf in leaves]
    return [NodeInfo("hub"), *map(NodeInfo, leaves)], links


_LINE_NOTE = f"Delay {LINE_DELAY_US} us on each link of the generated network (200 km of fibre)."

GENERATORS: tuple[Generator, ...] = (
    Generator(
        "fat-tree",
        "a three-tier data-centre fabric of k-port switches, with its hosts",
        "k=12",
        {"k": Parameter(2, 32, even=True)},
        _fat_tree,
        f"Delay {FAT_TREE_DELAY_US} us on each link of the generated network (200 m of fibre).",
    ),
    Generator(
        "gabriel",
        "a Gabriel graph of places in a box the size of Europe, as fibre networks look",
        "nodes=100,seed=1",
        {"nodes": Parameter(2, 1000), "seed": Parameter(0, 2**63 - 1, 1)},
        _gabriel,
        "Places of the generated network are drawn from a hash of its seed: nowhere real.",
    ),
    Generator("star", "one hub", "leaves=10", {"leaves": Parameter(1, 20_000)}, _star, _LINE_NOTE),
    Generator(
        "chain",
        "one line",
        "nodes=10",
        {"nodes": Parameter(2, 20_000)},
        lambda given: _line(_numbered(given["nodes"]), ring=False),
        _LINE_NOTE,
    ),
    Generator(
        "ring",
        "one ring",
        "nodes=10",
        {"nodes": Parameter(3, 20_000)},
        lambda given: _line(_numbered(given["nodes"]), ring=True),
        _LINE_NOTE,
    ),
)


def raw_from_generator(key: str, where: str = "topology") -> RawTopology:
    """``NAME/parameter=number,...`` to a raw topology. Raises `ScenarioError`."""
    name, _, rest = key.partition("/")
    generators = {generator.name: generator for generator in GENERATORS}
    if name not in generators:
        advice = hint(name, generators, "generators")
        raise ScenarioError(f"no generator is called {shown(name)}{advice}", where)
    generator = generators[name]
    given = _parameters(generator, rest, where)
    nodes, links = generator.make(given)
    text = ",".join(f"{parameter}={value}" for parameter, value in given.items())
    return RawTopology(
        f"{name}/{text}",
        nodes,
        links,
        f"generated by mcastplan: {generator.title}",
        "none (generated)",
        [generator.note],
    )


def _parameters(generator: Generator, text: str, where: str) -> dict[str, int]:
    """Every parameter, in the generator's order. Raises `ScenarioError`."""
    example = f"write {PREFIX}{generator.name}/{generator.example}"
    given: dict[str, int] = {}
    for part in text.split(",") if text else ():
        match = re.fullmatch(r"([a-z]+)=([0-9]{1,19})", part, re.ASCII)
        if match is None:
            raise ScenarioError(f"{shown(part)} is not parameter=number; {example}", where)
        name, value = match[1], int(match[2])
        if name not in generator.parameters:
            known = listed(generator.parameters)
            what = f"{generator.name} has no parameter {shown(name)}; it has {known}"
            raise ScenarioError(what, where)
        if name in given:
            raise ScenarioError(f"the parameter {name} is repeated; keep one", where)
        rule = generator.parameters[name]
        if not rule.least <= value <= rule.most or (rule.even and value % 2):
            kind = "an even number" if rule.even else "a number"
            what = f"{name}={shown(value)} is out of range; {name} is {kind} from"
            raise ScenarioError(f"{what} {rule.least} to {rule.most}", where)
        given[name] = value
    for name, rule in generator.parameters.items():
        if name not in given:
            if rule.default is None:
                raise ScenarioError(f"the parameter {name} is missing; {example}", where)
            given[name] = rule.default
    return {name: given[name] for name in generator.parameters}
