"""Generated networks against closed forms, networkx and the definition."""

from __future__ import annotations

import itertools
import subprocess
import sys

import networkx as nx
import pytest

from mcastplan.model.topology import Topology
from mcastplan.scenario import load_topology, to_networkx
from mcastplan.scenario.generators import GENERATORS, gabriel_pairs, raw_from_generator


def simple(topology: Topology) -> nx.Graph[str]:
    return nx.Graph(to_networkx(topology))


@pytest.mark.parametrize("k", [2, 4, 6, 12, 16])
def test_fat_tree(k: int) -> None:
    """Al-Fares: k^3/4 hosts, 5 k^2/4 switches of k ports, 3 k^3/4 links, 6 hops across."""
    topology = load_topology(f"generate:fat-tree/k={k}")
    kinds = {node.name: node.kind for node in topology.nodes}
    hosts = [name for name, kind in kinds.items() if kind == "host"]
    assert len(hosts) == k**3 // 4
    assert len(kinds) - len(hosts) == 5 * k**2 // 4
    assert len(topology.links) == 3 * k**3 // 4
    graph = simple(topology)
    assert {graph.degree(name) for name in kinds if kinds[name] != "host"} == {k}
    assert {graph.degree(name) for name in hosts} == {1}
    if k > 2:
        far = max(nx.single_source_shortest_path_length(graph, hosts[0]).values())
        assert far == 6
        paths = list(nx.all_shortest_paths(graph, hosts[0], hosts[-1]))
        assert len(paths) == (k // 2) ** 2


@pytest.mark.parametrize("size", [3, 10, 101])
def test_star_chain_ring(size: int) -> None:
    for reference, known in [
        (f"star/leaves={size}", nx.star_graph(size)),
        (f"chain/nodes={size}", nx.path_graph(size)),
        (f"ring/nodes={size}", nx.cycle_graph(size)),
    ]:
        topology = load_topology(f"generate:{reference}")
        assert nx.is_isomorphic(simple(topology), known)
        assert {link.delay_s for link in topology.links} == {1e-3}


def test_names_are_in_numeric_order() -> None:
    raw = raw_from_generator("chain/nodes=1200")
    names = [node.name for node in raw.nodes]
    assert names == sorted(names)
    assert (names[0], names[-1]) == ("n0001", "n1200")


@pytest.mark.parametrize("seed", range(1, 6))
def test_gabriel_is_what_its_definition_says(seed: int) -> None:
    """No third place is inside the circle over a link, one is inside over every other pair."""
    raw = raw_from_generator(f"gabriel/nodes=60,seed={seed}")
    places = [(round(node.lon * 1e6) * 669, round(node.lat * 1e6) * 1000) for node in raw.nodes]  # type: ignore[operator]
    names = [node.name for node in raw.nodes]
    linked = {(link.a, link.b) for link in raw.links}
    for (i, a), (j, b) in itertools.combinations(enumerate(places), 2):
        middle2 = (a[0] + b[0], a[1] + b[1])  # twice the middle, so that all stays whole
        reach2 = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2
        inside = any(
            (2 * z[0] - middle2[0]) ** 2 + (2 * z[1] - middle2[1]) ** 2 < reach2
            for k, z in enumerate(places)
            if k not in (i, j)
        )
        assert ((names[i], names[j]) in linked) == (not inside)


def test_gabriel_wan_is_connected_and_planar() -> None:
    """A Gabriel graph holds the Euclidean spanning tree and lies in the Delaunay triangulation."""
    for seed in range(1, 8):
        graph = simple(load_topology(f"generate:gabriel/nodes=120,seed={seed}"))
        assert nx.is_connected(graph)
        assert nx.check_planarity(graph)[0]
        assert 1 <= graph.number_of_edges() / graph.number_of_nodes() <= 2


def test_square_has_its_sides_and_both_diagonals() -> None:
    """Corners lie on the diagonals' circle, not inside it."""
    square = [(0, 0), (0, 2), (2, 0), (2, 2)]
    assert gabriel_pairs(square) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert gabriel_pairs([*square, (1, 1)]) == [
        *((0, 1), (0, 2), (0, 4), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)),
    ]


def test_the_same_in_every_process() -> None:
    code = (
        "from mcastplan.scenario import load_topology;"
        "print(load_topology('generate:gabriel/nodes=40,seed=9').links)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "7")
    }
    assert len(outputs) == 1
    one = load_topology("generate:gabriel/nodes=40,seed=9")
    assert str(one.links) == outputs.pop().strip()
    assert load_topology("generate:gabriel/nodes=40,seed=10").links != one.links


def test_defaults_and_order_of_parameters() -> None:
    """seed defaults to 1; the name says every parameter."""
    by_default = load_topology("generate:gabriel/nodes=30")
    assert by_default == load_topology("generate:gabriel/seed=1,nodes=30")
    assert by_default.name == "gabriel/nodes=30,seed=1"


def test_every_example_works() -> None:
    for generator in GENERATORS:
        raw = raw_from_generator(f"{generator.name}/{generator.example}")
        assert raw.links
        for name, rule in generator.parameters.items():
            assert rule.least <= rule.most, name
