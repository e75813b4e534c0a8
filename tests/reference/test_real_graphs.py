"""Every scheme on real networks: the three ways to forward agree, and networkx agrees with them."""

from __future__ import annotations

import zlib

import msgspec
import networkx as nx
import pytest

from mcastplan.dataplane.fold import fold
from mcastplan.model.scenario import (
    BierOptions,
    PimOptions,
    Scenario,
    SchemeOptions,
    SrP2mpOptions,
)
from mcastplan.model.topology import Topology
from mcastplan.scenario import load_topology, topohub_names
from mcastplan.schemes import SCHEMES
from mcastplan.schemes.base import demand
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import push
from tests.property.test_one_definition import hold_together

# Every fourth Topology Zoo graph, all of SNDlib, some synthetic and CAIDA ones.
ZOO = [name for name in topohub_names() if name.startswith("topozoo/")][::4]
SNDLIB = [name for name in topohub_names() if name.startswith("sndlib/")]
OTHERS = ["gabriel/100/0", "gabriel/50/1", "backbone/africa_nosc", "caida/2024-08/1103"]
GRAPHS = [*ZOO, *SNDLIB, *OTHERS]


def drawn(name: str, topology: Topology) -> Scenario:
    """A push to about a quarter of the nodes, picked by a hash of their names, and options that
    differ from graph to graph."""
    nodes = sorted(
        (node.name for node in topology.nodes), key=lambda n: (zlib.crc32(f"{name}{n}".encode()), n)
    )
    receivers = tuple(nodes[1 : 2 + len(nodes) // 4])
    pick = zlib.crc32(name.encode())
    options = SchemeOptions(
        pim_sm=PimOptions(
            mode="asm" if pick & 1 else "ssm",
            rp=nodes[-1] if pick & 1 else None,
            spt_switchover=bool(pick & 2),
        ),
        sr_p2mp=SrP2mpOptions(
            objective="shortest" if pick & 4 else "min-cost",
            dataplane="mpls" if pick & 8 else "srv6",
        ),
        # Four bits, so that a handful of receivers already needs several set identifiers.
        bier=BierOptions(bsl=4 if pick & 16 else 64, bfr_ids="by-tree" if pick & 32 else "dense"),  # type: ignore[arg-type]
    )
    return push(topology, nodes[0], receivers, schemes=options)


def test_there_are_enough_graphs() -> None:
    assert len(GRAPHS) >= 50
    assert len(set(GRAPHS)) == len(GRAPHS)


@pytest.mark.parametrize("name", GRAPHS)
def test_schemes_hold_together(name: str) -> None:
    scenario = drawn(name, load_topology(f"topohub:{name}"))
    for kind in SCHEMES:
        hold_together(scenario, kind)
    hashed = msgspec.structs.replace(
        scenario, ecmp="hash", topology=load_topology(f"topohub:{name}", metric="hops")
    )
    for kind in SCHEMES:
        hold_together(hashed, kind)


@pytest.mark.parametrize("name", GRAPHS)
def test_copies_are_those_of_networkx(name: str) -> None:
    """Distances by networkx; every arc of a shortest-path scheme lies on a shortest path from the
    origin, and the copies of ingress replication sum to the receivers' distances in hops only if
    each took a shortest path, arc by arc."""
    topology = load_topology(f"topohub:{name}")
    scenario = drawn(name, topology)
    graph = topology.graph
    peer = nx.MultiDiGraph()
    peer.add_nodes_from(range(graph.size))
    for arc, (u, v, w) in enumerate(zip(graph.tail, graph.head, graph.metric, strict=True)):
        peer.add_edge(u, v, key=arc, weight=w)
    routes = IgpRoutes(graph)
    each = demand(scenario, routes, scenario.transfers[0])
    distance = nx.single_source_dijkstra_path_length(peer, each.origin)
    assert set(each.pes) <= set(distance)
    loads = {}
    for kind in SCHEMES:
        plan = kind(scenario, routes).install(routes, each)
        loads[kind.name] = [{arc: n for arc, (n, _) in load.items()} for load in fold(plan, routes)]
    (tunnels,) = loads["ingress-replication"]
    cost = sum(graph.metric[arc] * copies for arc, copies in tunnels.items())
    assert cost == sum(distance[pe] for pe in each.pes)
    for arc in tunnels:
        tight = distance[graph.tail[arc]] + graph.metric[arc]
        assert tight == distance[graph.head[arc]]
    # Symmetric metrics: PIM's reverse paths are as short. Its tree reaches every receiver at its
    # distance, each router over one arc.
    (tree,) = loads["pim-sm"]
    if scenario.schemes.pim_sm.mode == "ssm":
        reached = {graph.head[arc] for arc in tree}
        assert len(reached) == len(tree)
        assert set(each.pes) - {each.origin} <= reached
        for arc in tree:
            assert distance[graph.tail[arc]] + graph.metric[arc] == distance[graph.head[arc]]
    # A min-cost tree costs no more than the union of shortest paths, which BIER copies over.
    (segments,) = loads["sr-p2mp"]
    union = set(tunnels)
    assert sum(graph.metric[arc] for arc in segments) <= sum(graph.metric[arc] for arc in union)
    if len(each.pes) <= 4 and scenario.schemes.bier.bsl == 64:
        assert set(loads["bier"][0]) == union
