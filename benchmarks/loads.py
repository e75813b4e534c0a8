"""Loads of the four network schemes in process, against networkx; then the whole comparison."""

from __future__ import annotations

from itertools import count

import msgspec

from benchmarks import oracle
from benchmarks.budget import Report, side_by_side, timed
from benchmarks.instances import scenario
from mcastplan.dataplane.fold import Load, fold
from mcastplan.evaluate.wire import payload_bytes, wire_factor
from mcastplan.model.plan import ReplicationPlan
from mcastplan.model.scenario import Scenario, SchemeOptions, SrP2mpOptions
from mcastplan.schemes import SCHEMES
from mcastplan.schemes.base import demand
from mcastplan.study.compare import compare
from mcastplan.underlay.routes import IgpRoutes

NODES, CLOUDS = 1_000, 100
SHORTEST = SchemeOptions(sr_p2mp=SrP2mpOptions(objective="shortest"))


def our_loads(question: Scenario) -> dict[str, tuple[ReplicationPlan, Load]]:
    """From nothing computed yet: routes, plans, copies and headers on every arc."""
    routes = IgpRoutes(question.topology.graph, question.ecmp)
    push = demand(question, routes, question.transfers[0])
    found = {}
    for kind in SCHEMES:
        if kind.name != "unicast":
            plan = kind(question, routes).install(routes, push)
            (load,) = fold(plan, routes)
            found[kind.name] = plan, load
    return found


def our_wire(question: Scenario) -> dict[str, oracle.Wire]:
    """The same as wire bytes per payload byte, by the ends of the arc."""
    graph = question.topology.graph
    found = {}
    for name, (plan, load) in our_loads(question).items():
        payload = payload_bytes(question.mtu, plan)
        found[name] = {
            (graph.tail[arc], graph.head[arc]): wire_factor(payload, plan.inner_bytes, *each)
            for arc, each in load.items()
        }
    return found


def measure(report: Report) -> None:
    report.section(f"In process, {NODES:,} nodes, {CLOUDS} clouds")
    question, networks = _untied()
    index, origin = question.topology.graph.index, question.transfers[0].origin
    pes = sorted(index[cloud.node] for cloud in question.clouds)

    bsl = question.schemes.bier.bsl

    def theirs(min_cost: bool) -> dict[str, oracle.Arcs]:
        return oracle.loads(networks, index[origin], pes, bsl, min_cost)

    ours_s, theirs_s = side_by_side(lambda: our_loads(question), lambda: theirs(True), rounds=15)
    report.line("loads of four schemes: speed-up", theirs_s / ours_s, 3, "x", "at least")
    report.note(f"mcastplan {ours_s * 1e3:.1f} ms, networkx {theirs_s * 1e3:.1f} ms (min-cost)")
    shortest = msgspec.structs.replace(question, schemes=SHORTEST)
    difference = _difference(our_wire(shortest), oracle.wire(theirs(False), bsl, question.mtu))
    report.line("objective shortest: largest difference of loads", difference, 1e-9, "")
    seconds, _ = timed(lambda: compare(question), 7)
    report.line("compare: five schemes, rates, bounds, gap", seconds * 1e3, 150, "ms")


def _untied() -> tuple[Scenario, oracle.Graphs]:
    """The first instance whose shortest paths are unique: networkx breaks ties as it likes."""
    for seed in count():
        question = scenario(NODES, CLOUDS, seed)
        graph = question.topology.graph
        networks = oracle.graphs(graph)
        if not oracle.tied(networks, graph.index[question.transfers[0].origin]):
            return question, networks
    raise AssertionError


def _difference(ours: dict[str, oracle.Wire], theirs: dict[str, oracle.Wire]) -> float:
    return max(
        abs(ours[scheme].get(arc, 0.0) - theirs[scheme].get(arc, 0.0))
        for scheme in ours.keys() | theirs.keys()
        for arc in ours[scheme].keys() | theirs[scheme].keys()
    )
