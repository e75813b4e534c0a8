"""The IGP on random networks and failures, against networkx and against itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcastplan.converge.igp import LinkState
from mcastplan.model.change import Cause
from mcastplan.model.failure import Failure
from mcastplan.model.scenario import Scenario
from mcastplan.model.timers import PRESETS, Timers
from mcastplan.model.topology import Arc, Graph, Node, Topology
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import push, topologies

LATE_S = 1e9  # after everything


@st.composite
def failures(draw: st.DrawFn, topology: Topology, repaired: bool | None = None) -> list[Failure]:
    """One to four, near each other in time or far; links or nodes; with or without repair."""
    ids = [each.id for each in topology.links]
    names = [node.name for node in topology.nodes]
    some = []
    for _ in range(draw(st.integers(1, 4))):
        at_s = draw(st.sampled_from((0.0, 0.004, 0.05, 0.3, 1.01, 7.0, 30.0)))
        length_s = draw(st.sampled_from((0.003, 0.02, 0.7, 1.5, 12.0, 60.0)))
        node = not ids or draw(st.integers(0, 3)) == 0
        back = repaired or (repaired is None and draw(st.booleans()))
        some.append(
            Failure(
                at_s,
                links=() if node else (draw(st.sampled_from(ids)),),
                nodes=(draw(st.sampled_from(names)),) if node else (),
                kind=draw(st.sampled_from(("carrier", "silent"))),
                up_at_s=at_s + length_s if back else None,
            )
        )
    return some


@st.composite
def episodes(draw: st.DrawFn, repaired: bool | None = None) -> tuple[Scenario, LinkState]:
    topology = draw(topologies(8))
    scenario = scenario_on(
        topology,
        timers=Timers.of(draw(st.sampled_from(PRESETS))),
        ecmp=draw(st.sampled_from(("first", "hash"))),
        protection=draw(st.sampled_from(("none", "ti-lfa"))),
    )
    routes = IgpRoutes(topology.graph, scenario.ecmp)
    return scenario, LinkState(scenario, routes, draw(failures(topology, repaired)))


def scenario_on(topology: Topology, **options: Any) -> Scenario:
    """Clouds on every other node, the origin on the first."""
    names = [node.name for node in topology.nodes]
    return push(topology, names[0], tuple(names[::2]), **options)


def reach(graph: Graph, down: frozenset[Arc]) -> Any:
    found: Any = nx.MultiDiGraph()
    found.add_nodes_from(range(graph.size))
    for arc, metric in enumerate(graph.metric):
        if arc not in down:
            found.add_edge(graph.tail[arc], graph.head[arc], arc, weight=metric)
    return found


def hops(graph: Graph, down: frozenset[Arc], dest: Node, ecmp: str) -> list[tuple[Any, ...]]:
    """(metric, next arcs) of every node to ``dest``, from networkx's distances."""
    network = reach(graph, down)
    dist = nx.single_source_dijkstra_path_length(network.reverse(), dest)
    found = []
    for node in range(graph.size):
        arcs = [
            arc
            for head, metric, arc in graph.out[node]
            if arc not in down
            and head in dist
            and node in dist
            and metric + dist[head] == dist[node]
        ]
        found.append((dist.get(node), tuple(arcs if ecmp == "hash" else arcs[:1])))
    return found


def ways(routes: Any, node: Node) -> Any:
    return [routes.next_arcs(node, dest) for dest in range(routes.graph.size)]


def chain(cause: Cause | None) -> Iterator[Cause]:
    while cause is not None:
        yield cause
        cause = cause.before


@given(episodes())
def test_in_the_end_everybody_knows(episode: tuple[Scenario, LinkState]) -> None:
    """Each live router's database agrees with the network about every link that it can reach an end
    of, and its FIB is a fresh one."""
    _, igp = episode
    graph = igp.graph
    parts = reach(graph, igp.after.down)
    for node in range(graph.size):
        if not igp.alive(node, LATE_S):
            continue
        heard = igp.heard(node)
        believed = heard[-1].down if heard else frozenset()
        near = nx.descendants(parts, node) | {node}
        for arc in range(len(graph.head)):
            if graph.tail[arc] in near or graph.head[arc] in near:
                assert (arc in believed) == (arc in igp.after.down)
        flips = igp.flips(node)
        routes = flips[-1].routes if flips else igp.before
        assert routes is not None
        for dest in range(graph.size):
            if igp.alive(dest, LATE_S):
                assert routes.next_arcs(node, dest) == igp.after.next_arcs(node, dest)


@given(episodes(repaired=True))
def test_after_all_repairs_it_is_as_before(episode: tuple[Scenario, LinkState]) -> None:
    """Where nothing is cut off for good. (A restarted router never learns of a part of the network
    that it has no way to.)"""
    _, igp = episode
    graph = igp.graph
    assert igp.after is igp.before
    parts = reach(graph, frozenset())
    for node in range(graph.size):
        heard, own, flips = igp.heard(node), igp.own(node), igp.flips(node)
        near = nx.descendants(parts, node) | {node}
        assert not heard or all(graph.tail[arc] not in near for arc in heard[-1].down)
        assert not own or not own[-1].down
        routes = flips[-1].routes if flips else igp.before
        assert routes is not None
        for dest in range(graph.size):
            assert routes.next_arcs(node, dest) == igp.before.next_arcs(node, dest)
        if len(near) == graph.size:
            assert routes is igp.before


@given(episodes())
def test_causes_and_updates_are_in_order(episode: tuple[Scenario, LinkState]) -> None:
    _, igp = episode
    for node in range(igp.graph.size):
        for found in (igp.flips(node), igp.heard(node), igp.own(node)):
            at_s = [each.at_s for each in found]
            assert at_s == sorted(at_s)
            for each in found:
                stages = list(chain(each.cause))
                ended = [cause.until_s for cause in stages]
                assert each.at_s == ended[0]
                assert ended == sorted(ended, reverse=True)
                assert stages[-1].stage == "down"
                assert all(cause.stage != "down" for cause in stages[:-1])
                assert igp.alive(node, each.at_s)


@given(episodes())
def test_who_does_not_change_does_not_change(episode: tuple[Scenario, LinkState]) -> None:
    scenario, igp = episode
    homes = {igp.graph.index[cloud.node] for cloud in scenario.clouds}
    changing = igp.changing()
    assert list(changing) == sorted(set(changing))
    for node in set(range(igp.graph.size)) - set(changing):
        assert not igp.own(node)
        for update in igp.flips(node):
            assert update.routes is not None
            for dest in homes:
                now, then = (each.next_arcs(node, dest) for each in (update.routes, igp.before))
                some = None if igp.before.ecmp == "hash" else 1
                assert now[:some] == then[:some]


@given(st.data(), topologies(8), st.sampled_from(("first", "hash")))
def test_rewritten_routes(data: st.DataObject, topology: Topology, ecmp: Any) -> None:
    """Against networkx, between any two states of the network."""
    scenario = scenario_on(topology, ecmp=ecmp)
    graph = topology.graph
    links = st.sets(st.integers(0, max(0, len(topology.links) - 1)), max_size=3)
    states = []
    for _ in range(2):
        chosen = data.draw(links) if topology.links else set()
        states.append(frozenset(arc for each in chosen for arc in (2 * each, 2 * each + 1)))
    intact = IgpRoutes(graph, ecmp)
    igp = LinkState(scenario, intact, [])
    before, after = (intact.without(down) for down in states)
    wanted = [0] * graph.size
    for dest in {graph.index[cloud.node] for cloud in scenario.clouds} | {0}:
        old, new = (hops(graph, down, dest, ecmp) for down in states)
        for node in range(graph.size):
            wanted[node] += old[node] != new[node]
    assert [igp.rewritten(node, before, after) for node in range(graph.size)] == wanted


@given(st.data(), topologies(10).filter(lambda topology: bool(topology.links)))
def test_flooding_takes_the_shortest_way(data: st.DataObject, topology: Topology) -> None:
    """One link fails: every router hears of it from the nearer end, by networkx's shortest way on
    what is left; the ends know at once."""
    timers = Timers()
    gone = data.draw(st.integers(0, len(topology.links) - 1))
    scenario = scenario_on(topology)
    failure = Failure(1.0, links=(topology.links[gone].id,))
    graph = topology.graph
    igp = LinkState(scenario, IgpRoutes(graph), [failure])
    left = reach(graph, frozenset((2 * gone, 2 * gone + 1)))
    for _, _, arc, attributes in left.edges(keys=True, data=True):
        attributes["weight"] = graph.delay_s[arc] + timers.flood_s
    ends = {graph.tail[2 * gone], graph.head[2 * gone]}
    away = nx.multi_source_dijkstra_path_length(left, ends)
    for node in range(graph.size):
        at_s = [heard.at_s for heard in igp.heard(node)]
        if node in ends:
            assert at_s == [1.0 + timers.carrier_s]
        elif node in away:
            known_s = 1.0 + timers.carrier_s + timers.flood_s + away[node]
            assert at_s == pytest.approx([known_s])
        else:
            assert at_s == []


@given(st.data(), topologies(8).filter(lambda topology: bool(topology.links)))
def test_one_piece_of_news_is_as_good_as_two(data: st.DataObject, topology: Topology) -> None:
    """The shortcut for one link that fails for good changes no flip."""
    gone = data.draw(st.sampled_from(topology.links))
    scenario = scenario_on(topology, timers=Timers.of(data.draw(st.sampled_from(PRESETS))))
    routes = IgpRoutes(topology.graph)
    short = LinkState(scenario, routes, [Failure(1.0, links=(gone.id,))])
    assert short._one_step
    # A flap that nobody notices takes the shortcut away, and changes nothing.
    flap = Failure(1e6, links=(data.draw(st.sampled_from(topology.links)).id,), up_at_s=1e6 + 0.001)
    whole = LinkState(scenario, routes, [Failure(1.0, links=(gone.id,)), flap])
    if flap.links != (gone.id,):
        assert not whole._one_step
    for node in range(topology.graph.size):
        found = [
            [(each.at_s, each.cause, ways(each.routes, node)) for each in igp.flips(node)]
            for igp in (short, whole)
        ]
        assert found[0] == found[1]
        assert [each.down for each in short.heard(node)] == [
            each.down for each in whole.heard(node)
        ]
