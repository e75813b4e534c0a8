"""Reading: a large YAML topology, every network's size, and the shipped scenarios as a whole."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.budget import Report, timed
from benchmarks.process import python
from mcastplan.scenario import builtin_names, load_scenario
from mcastplan.scenario.generators import raw_from_generator

NODES = 10_000
LOAD_S = 2.0
LIST_S = 1.0
SCENARIO_S = 2.0
LARGE = "global-inference"  # has a budget of its own


def measure(report: Report) -> None:
    report.section("Files")
    with tempfile.TemporaryDirectory() as folder:
        path = _large_scenario(Path(folder))
        seconds, _ = timed(lambda: load_scenario(path), rounds=3)
    report.line(f"load a scenario with a YAML topology of {NODES:,} nodes", seconds, LOAD_S, "s")
    for what, budget_s, args in [
        ("mcastplan topology list", LIST_S, ["topology", "list"]),
        *(
            (
                f"compare builtin:{name} --verify",
                SCENARIO_S,
                ["compare", f"builtin:{name}", "--verify"],
            )
            for name in builtin_names()
            if name != LARGE
        ),
    ]:
        run = python("-m", "mcastplan", *args, rounds=3)
        if run.exit_code:
            report.failed(what, run.said)
        else:
            report.line(f"{what} (whole process)", run.wall_s, budget_s, "s")


def _large_scenario(folder: Path) -> Path:
    """A ring with as many chords, positions and quantities written out."""
    ring = raw_from_generator(f"ring/nodes={NODES}")
    names = [node.name for node in ring.nodes]
    ends = [(link.a, link.b) for link in ring.links]
    ends += [(names[i], names[(i * 7919 + 13) % NODES]) for i in range(NODES)]
    lines = ["schema: mcastplan.topology/1", "nodes:"]
    lines += [
        f"  - {{name: {name}, lon: {i % 359 - 179}.5, lat: {i % 179 - 89}.25}}"
        for i, name in enumerate(names)
    ]
    lines.append("links:")
    lines += [
        f"  - {{a: {a}, b: {b}, capacity: 100Gbps, delay: {i}us}}"
        for i, (a, b) in enumerate(ends)
        if a != b
    ]
    (folder / "large.yaml").write_text("\n".join(lines))
    path = folder / "push.yaml"
    path.write_text(
        f"""schema: mcastplan.scenario/1
name: large
topology: large.yaml
clouds: [{{name: east, node: {names[1]}, ingress: 10Gbps}}]
transfers: [{{name: push, size: 1GB, origin: {{node: {names[0]}}}, to: all}}]
"""
    )
    return path
