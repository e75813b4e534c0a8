"""How the cost of one comparison grows: in nodes and clouds together, and in each alone."""

from __future__ import annotations

import math

from benchmarks.budget import Report, timed
from benchmarks.instances import scenario
from mcastplan.study.compare import compare

NODES = (100, 316, 1_000, 3_162, 10_000)
CLOUDS = (10, 32, 100, 316, 1_000)
# Seconds grow as size ** exponent; Dijkstra alone gives about 1.1 over these sizes.
EXPONENT = 1.25


def measure(report: Report) -> None:
    report.section("Growth of compare, in process")
    _curve(report, "nodes, a tenth of them clouds", [(n, n // 10) for n in NODES])
    _curve(report, "nodes, 50 clouds", [(n, 50) for n in NODES])
    _curve(report, "clouds, 3,162 nodes", [(3_162, c) for c in CLOUDS])


def _curve(report: Report, what: str, sizes: list[tuple[int, int]]) -> None:
    report.note(f"in {what}:")
    report.note(f"  {'nodes':>6} {'links':>6} {'clouds':>6} {'seconds':>9}  exponent since")
    by_clouds = sizes[0][0] == sizes[-1][0]
    points: list[tuple[float, float]] = []
    for nodes, clouds in sizes:
        question = scenario(nodes, clouds)
        seconds, _ = timed(lambda q=question: compare(q), 3 if nodes < 5_000 else 1)  # type: ignore[misc]
        points.append((math.log(clouds if by_clouds else nodes), math.log(seconds)))
        since = f"{_slope(points[-2:]):.2f}" if len(points) > 1 else ""
        links = len(question.topology.links)
        report.note(f"  {nodes:>6} {links:>6} {clouds:>6} {seconds:>9.4f}  {since}")
    report.line(f"exponent in {what}", _slope(points), EXPONENT, "")


def _slope(points: list[tuple[float, float]]) -> float:
    """Least squares, of log seconds over log size."""
    x, y = (sum(values) / len(points) for values in zip(*points, strict=True))
    above: float = sum((px - x) * (py - y) for px, py in points)
    below: float = sum((px - x) ** 2 for px, _ in points)
    return above / below
