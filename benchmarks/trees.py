"""Min-cost trees against networkx's Mehlhorn, and the gap that dual ascent proves."""

from __future__ import annotations

from statistics import mean, median

from benchmarks import oracle
from benchmarks.budget import Report, side_by_side, timed
from benchmarks.instances import places, wan
from mcastplan.underlay.steiner import ascend, min_cost_tree, tree_cost

NODES, TERMINALS, INSTANCES = 1_000, 100, 12
LARGE_NODES, LARGE_TERMINALS = 10_000, 1_000


def measure(report: Report) -> None:
    report.section(f"Min-cost trees, {INSTANCES} WANs of {NODES:,} nodes, {TERMINALS} receivers")
    ours_s, theirs_s, bound_s, ratios, gaps, second_gaps = [], [], [], [], [], []
    for seed in range(INSTANCES):
        graph = wan(NODES, seed).graph
        root, terminals = places(NODES, TERMINALS, seed)
        reference = oracle.graphs(graph).undirected
        ours, theirs = side_by_side(
            lambda g=graph, r=root, t=terminals: min_cost_tree(g, r, t),  # type: ignore[misc]
            lambda g=reference, r=root, t=terminals: oracle.steiner_tree(g, r, t),  # type: ignore[misc]
            rounds=3,
        )
        seconds, (bound, left) = timed(lambda g=graph, r=root, t=terminals: ascend(g, r, t), 3)  # type: ignore[misc]
        cost = tree_cost(graph, min_cost_tree(graph, root, terminals))
        second = tree_cost(graph, min_cost_tree(graph, root, terminals, left))
        other = oracle.steiner_tree(reference, root, terminals).size(weight="weight")
        ours_s.append(ours)
        theirs_s.append(theirs)
        bound_s.append(seconds)
        ratios.append(cost / other)
        gaps.append(100 * (cost / bound - 1))
        second_gaps.append(100 * (second / bound - 1))
    report.line("cost / mehlhorn's cost, mean", mean(ratios), 1, "")
    report.line("speed-up over mehlhorn", median(theirs_s) / median(ours_s), 5, "x", "at least")
    report.line("proven gap, mean", mean(gaps), 5, "%")
    report.note(f"proven gap, worst: {max(gaps):.2f} %")
    report.note(
        f"with a second tree on the arcs dual ascent used up: mean {mean(second_gaps):.2f} %,"
        f" worst {max(second_gaps):.2f} %"
    )
    report.note(
        f"tree {median(ours_s) * 1e3:.2f} ms, mehlhorn {median(theirs_s) * 1e3:.1f} ms,"
        f" bound {median(bound_s) * 1e3:.1f} ms"
    )
    graph = wan(LARGE_NODES).graph
    root, terminals = places(LARGE_NODES, LARGE_TERMINALS)
    tree_s, tree = timed(lambda: min_cost_tree(graph, root, terminals), 3)
    dual_s, (bound, _) = timed(lambda: ascend(graph, root, terminals), 3)
    where = f"{LARGE_NODES:,} nodes, {LARGE_TERMINALS:,} receivers"
    report.line(f"{where}: tree", tree_s * 1e3, 300, "ms")
    report.line(f"{where}: bound", dual_s * 1e3, 2500, "ms")
    report.note(f"proven gap there: {100 * (tree_cost(graph, tree) / bound - 1):.2f} %")
