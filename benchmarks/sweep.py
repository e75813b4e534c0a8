"""Every failure, after convergence (against networkx, against ngraph, and how the cost grows) and
until then.

ngraph (AGPL-3.0) is a dependency of this benchmark alone (``pip install '.[bench]'``); the product
never imports it.
"""

from __future__ import annotations

import importlib
import math
import sys
from itertools import count
from typing import Any

import msgspec
import networkx as nx

from benchmarks import oracle
from benchmarks.budget import Report, timed
from benchmarks.instances import CORE_GBPS, GBPS, scenario
from benchmarks.process import run
from mcastplan.model.cloud import Cloud
from mcastplan.model.scenario import Scenario, SchemeOptions
from mcastplan.model.sweep import Row
from mcastplan.model.transfer import Transfer
from mcastplan.scenario import load_topology, topohub_names
from mcastplan.study.failures import cases_of
from mcastplan.study.sweep import Base, one, prepare

NODES, CLOUDS = 1_000, 100
LARGE = 10_000
FOUR = ("ingress-replication", "pim-sm", "sr-p2mp", "bier")
SAMPLED = 24  # failures that networkx evaluates
NGRAPH_SAMPLED = 100
MB = 1e6
CURVE = (100, 316, 1_000, 3_162, 10_000)
ZOO_RECEIVERS = 10


def network_schemes(question: Scenario) -> Scenario:
    return msgspec.structs.replace(question, schemes=SchemeOptions(only=FOUR))


def every_link(question: Scenario) -> tuple[Base, list[Row]]:
    """The baseline and a row for each link, in process."""
    base = prepare(question)
    return base, [one(base, case) for case in cases_of(question.topology, "single-link")[1]]


def every_outage(question: Scenario) -> list[Row]:
    """The same with what happens until all has converged."""
    base = prepare(question, transient=True)
    return [one(base, case) for case in cases_of(question.topology, "single-link")[1]]


def touching(rows: list[Row]) -> list[str]:
    return [row.failure for row in rows if any(each.touched for each in row.schemes)]


def measure(report: Report) -> None:
    report.section(f"Sweep: every single link, {NODES:,} nodes, {CLOUDS} clouds, four schemes")
    question = _untied()
    ours_s, (_, rows) = timed(lambda: every_link(question), 5)
    touched = touching(rows)
    report.line(f"{len(rows):,} failures with completion", ours_s, 1, "s")
    report.note(f"{len(touched)} touch some scheme: {1e3 * ours_s / len(touched):.2f} ms each")
    transient_s, outages = timed(lambda: every_outage(question), 1)
    report.line("transients of all those failures and schemes", transient_s, 8, "s")
    receivers = sum(bool(each.outage_sum_s) for row in outages for each in row.schemes)
    report.note(
        f"{receivers:,} times a scheme leaves somebody without packets for a while, after one"
        f" of {len(touched)} failures; completion afterwards is in this time too"
    )
    each_s, difference = _networkx(question, rows, touched)
    theirs_s, skipping_s = each_s * (len(rows) + 1), each_s * (len(touched) + 1)
    report.line("speed-up over networkx", theirs_s / ours_s, 25, "x", "at least")
    report.note(
        f"networkx {theirs_s:.1f} s: {SAMPLED} failures evaluated, {each_s * 1e3:.1f} ms each, the"
        f" rest taken to cost as much; if it left out what touches nothing, as we do,"
        f" {skipping_s:.1f} s: {skipping_s / ours_s:.1f} x"
    )
    report.line("largest relative difference from networkx", difference, 1e-9, "")
    _ngraph(report, question, ours_s, len(rows))
    _large(report)
    _zoo(report)
    _curve(report)


def _untied() -> Scenario:
    """The first instance whose shortest paths are unique: neither of the others breaks ties by
    name."""
    for seed in count():
        question = network_schemes(scenario(NODES, CLOUDS, seed))
        graph = question.topology.graph
        index = graph.index[question.transfers[0].origin]
        if not oracle.tied(oracle.graphs(graph), index):
            return question
    raise AssertionError


def _networkx(question: Scenario, rows: list[Row], touched: list[str]) -> tuple[float, float]:
    """(seconds a failure, largest relative difference of completion and wire bytes of the
    schemes whose trees networkx finds too)."""
    topology, graph = question.topology, question.topology.graph
    networks = oracle.graphs(graph)
    index = graph.index
    origin = index[question.transfers[0].origin]
    bsl, mtu, size = question.schemes.bier.bsl, question.mtu, question.transfers[0].size_bytes
    place = {link.id: link for link in topology.links}
    found = {row.failure: row for row in rows}

    def evaluate() -> dict[str, tuple[float, float]]:
        reached = nx.node_connected_component(networks.undirected, origin)
        clouds = [each for each in question.clouds if index[each.node] in reached]
        pes = sorted({index[each.node] for each in clouds})
        # BFR-ids stay: a set identifier must not change when a receiver is lost.
        loads = oracle.loads(networks, origin, pes, bsl, True)
        result = {}
        for name, wire in oracle.wire(loads, bsl, mtu).items():
            payload = (
                mtu
                - 28
                - {"ingress-replication": 50, "sr-p2mp": 40, "bier": 12 + bsl // 8}.get(name, 0)
            )
            native = (payload + 28 + 38) / payload
            access = min(CORE_GBPS * GBPS, *(each.ingress_bps for each in clouds)) / native
            rate = min(access, *(CORE_GBPS * GBPS / each for each in wire.values()))
            result[name] = size * 8 / rate, size * math.fsum(wire.values())
        return result

    step = max(1, len(touched) // SAMPLED)
    spent, worst = 0.0, 0.0
    sample = touched[::step][:SAMPLED]
    for name in sample:
        link = place[name]
        a, b, w = index[link.a], index[link.b], link.metric
        edges: list[tuple[Any, int, int]] = [
            (each, u, v)
            for each in (networks.forward, networks.backward)
            for u, v in ((a, b), (b, a))
        ]
        edges.append((networks.undirected, a, b))
        for each, u, v in edges:
            each.remove_edge(u, v)
        seconds, theirs = timed(evaluate, 1)
        for each, u, v in edges:
            each.add_edge(u, v, weight=w)
        spent += seconds
        for row in found[name].schemes:
            if row.name in ("ingress-replication", "pim-sm") or (
                row.name == "bier" and not row.unreachable
            ):
                completion_s, wire_bytes = theirs[row.name]
                worst = max(worst, abs((row.completion_s or 0.0) / completion_s - 1))
                worst = max(worst, abs((row.wire_bytes or 0.0) / wire_bytes - 1))
    return spent / len(sample), worst


def _ngraph(report: Report, question: Scenario, ours_s: float, failures: int) -> None:
    what = "speed-up over ngraph's unicast part"
    try:
        ngraph: Any = importlib.import_module("ngraph")
        functions: Any = importlib.import_module("ngraph.analysis.functions")
    except ImportError:
        report.failed(what, "ngraph is not installed: pip install '.[bench]'")
        return
    network = ngraph.Network()
    for node in question.topology.nodes:
        network.add_node(ngraph.Node(node.name))
    links = []
    for each in question.topology.links:
        link = ngraph.Link(each.a, each.b, capacity=each.capacity_bps / GBPS, cost=each.metric)
        network.add_link(link)
        links.append(link.id)
    origin = question.transfers[0].origin
    demands = [
        {"id": each.name, "source": f"^{origin}$", "target": f"^{each.node}$", "volume": 1.0}
        | {"mode": "pairwise"}
        for each in question.clouds
    ]
    context, expansion, ids = functions.build_demand_placement_inputs(network, demands)

    def place(arcs: bool) -> None:
        for link in links[:: max(1, len(links) // NGRAPH_SAMPLED)][:NGRAPH_SAMPLED]:
            functions.demand_placement_analysis(
                *(network, set(), {link}, demands),
                include_used_edges=arcs,
                context=context,
                expansion=expansion,
                resolved_ids=ids,
            )

    share = failures / NGRAPH_SAMPLED
    whole_s = timed(lambda: place(True), 3)[0] * share
    bare_s = timed(lambda: place(False), 3)[0] * share
    tunnels = msgspec.structs.replace(question, schemes=SchemeOptions(only=FOUR[:1]))
    alone_s = timed(lambda: every_link(tunnels), 3)[0]
    report.line(what, whole_s / alone_s, 5, "x", "at least")
    report.note(
        f"ngraph {whole_s:.1f} s: {CLOUDS} demands placed, and the links each of them uses, after"
        f" each of {failures:,} failures ({NGRAPH_SAMPLED} evaluated); {bare_s:.1f} s"
        f" ({bare_s / alone_s:.1f} x) without those links, from which no load can be told"
    )
    report.note(
        f"ours {alone_s:.2f} s: {FOUR[0]} alone, a path to each PE, loads and completion, after"
        f" each of them; ngraph against all four schemes of ours: {whole_s / ours_s:.1f} x"
    )


def large() -> None:
    """Run in a process of its own; the last line on stderr is the seconds it took."""
    question = network_schemes(scenario(LARGE, CLOUDS))
    seconds, _ = timed(lambda: every_link(question), 1)
    sys.stderr.write(f"{seconds}\n")


def _large(report: Report) -> None:
    what = f"{LARGE:,} nodes, {CLOUDS} clouds, every single link"
    found = run(sys.executable, "-c", "from benchmarks.sweep import large; large()")
    if found.exit_code:
        report.failed(what, found.said)
        return
    report.line(f"{what}: time", float(found.said), 20, "s")
    report.line(f"{what}: peak", found.peak_bytes / MB, 1000, "MB")


def zoo() -> list[Scenario]:
    """A push from the first router of each of the 203 networks of the Topology Zoo to ten others,
    spread evenly over its routers in name order."""
    found = []
    for name in topohub_names():
        if not name.startswith("topozoo/"):
            continue
        topology = load_topology(f"topohub:{name}")
        origin, *others = [node.name for node in topology.nodes]
        chosen = sorted({others[k * len(others) // ZOO_RECEIVERS] for k in range(ZOO_RECEIVERS)})
        clouds = tuple(Cloud(f"c-{node}", node, 10 * GBPS) for node in chosen)
        push = Transfer("push", 10**11, 1, origin, tuple(each.name for each in clouds))
        found.append(network_schemes(Scenario(name, topology, clouds, (push,))))
    return found


def _zoo(report: Report) -> None:
    questions = zoo()
    seconds, rows = timed(lambda: sum(len(every_link(each)[1]) for each in questions), 3)
    report.line(f"{len(questions)} Topology Zoo networks, {rows:,} links", seconds, 4, "s")


def _curve(report: Report) -> None:
    report.note(f"after convergence (no transients), {CLOUDS // 2} clouds:")
    report.note(
        f"  {'nodes':>6} {'links':>6} {'touch':>6} {'seconds':>8}  ms a failure that touches"
    )
    points = []
    for nodes in CURVE:
        question = network_schemes(scenario(nodes, CLOUDS // 2))
        seconds, (_, rows) = timed(lambda q=question: every_link(q), 3 if nodes < 5_000 else 1)  # type: ignore[misc]
        touched = len(touching(rows))
        points.append((math.log(nodes * len(rows)), math.log(seconds)))
        report.note(
            f"  {nodes:>6} {len(rows):>6} {touched:>6} {seconds:>8.3f}"
            f"  {1e3 * seconds / touched:.2f}"
        )
    (x, y), (last_x, last_y) = points[0], points[-1]
    exponent = (last_y - y) / (last_x - x)
    # 1 would be a whole computation of the network for each of its links.
    report.line("exponent of the time in links x nodes", exponent, 0.75, "")
