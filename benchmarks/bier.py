"""BitString length and numbering of BFR-ids: how long the choice takes, and what it says.

The table is that of docs/schemes/bier.md.
"""

from __future__ import annotations

from benchmarks.budget import Report, timed
from benchmarks.instances import scenario
from mcastplan import load_scenario
from mcastplan.study.bier_choice import bier_choice
from mcastplan.study.compare import context_of

NODES = 1_000
BFERS = (300, 999)  # and the origin: 301 and 1,000 BFR-ids


def measure(report: Report) -> None:
    report.section("BIER: seven BitString lengths, two numberings")
    demo = context_of(load_scenario("builtin:global-inference"))
    seconds, _ = timed(lambda: bier_choice(demo))
    report.line("demo", seconds * 1e3, 100, "ms")
    for bfers in BFERS:
        context = context_of(scenario(NODES, bfers))
        seconds, rows = timed(lambda c=context: bier_choice(c))  # type: ignore[misc]
        report.line(f"{bfers} BFERs on a WAN of {NODES:,} nodes", seconds * 1e3, 300, "ms")
        best = min(row.wire_bytes or 0.0 for row in rows if row.best)
        cells = {(row.bsl, row.numbering): row for row in rows}
        report.note(
            "BSL    SIs   core copies: dense  by-tree   core bytes over best: dense  by-tree"
        )
        for bsl in sorted({row.bsl for row in rows}):
            dense, tree = cells[bsl, "dense"], cells[bsl, "by-tree"]
            report.note(
                f"{bsl:<5}  {dense.set_identifiers:>3}   {dense.core_copies or 0:>18,}"
                f"  {tree.core_copies or 0:>7,}   {(dense.wire_bytes or 0) / best - 1:>27.1%}"
                f"  {(tree.wire_bytes or 0) / best - 1:>7.1%}"
            )
