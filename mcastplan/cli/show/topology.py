"""Networks on a terminal: the list, one network, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from mcastplan.cli.show.page import Column, Page, some
from mcastplan.model.network import LintResult, NetworkFacts, NetworkList, Range
from mcastplan.units import counted, show_rate, show_time

_NAMED = 8  # of a finding's names, before "and 12 more"


def show_list(result: NetworkList) -> str:
    """One line a network, the groups in the result's order."""
    page = Page()
    rows = [(row.reference, f"{row.nodes:,}", f"{row.links:,}") for row in result.topologies]
    page.table([Column("topology"), Column("nodes"), Column("links")], rows)
    groups = [
        f"{name} {len(list(rows))}"
        for name, rows in groupby(result.topologies, key=lambda row: row.group)
    ]
    page.line()
    page.line(f"{counted(len(rows), 'topology', 'topologies')}: {', '.join(groups)}")
    return page.text()


def show_facts(facts: NetworkFacts) -> str:
    """A few lines of facts, then the assumptions."""
    page = Page()
    kinds = "".join(f", {count:,} {kind}" for kind, count in facts.kinds.items())
    page.heading(
        f"{facts.name}: {counted(facts.nodes, 'node')}, {counted(facts.links, 'link')}{kinds}"
    )
    page.line(f"source: {facts.source or 'not said'}; licence: {facts.licence or 'not said'}")
    page.line(f"connectivity: {_connectivity(facts)}")
    degree = facts.degree
    page.line(f"links at a node: {degree.least} to {degree.most}, {degree.mean:.3g} on average")
    if facts.capacity_bps and facts.delay_s and facts.metric:
        page.line(f"capacity: {_range(facts.capacity_bps, show_rate)}")
        page.line(f"delay: {_range(facts.delay_s, show_time)}")
        page.line(f"metric: {_range(facts.metric, lambda value: f'{value:,.0f}')}")
    if facts.extent:
        extent = facts.extent
        page.line(
            f"extent: longitude {extent.west:.6g} to {extent.east:.6g}, latitude"
            f" {extent.south:.6g} to {extent.north:.6g} ({counted(extent.nodes, 'node')} placed)"
        )
    if facts.demands:
        page.line(
            f"demands: {facts.demands.count:,}, {facts.demands.units:,.6g} units together"
            " (background_demands makes them background)"
        )
    if facts.assumptions:
        page.line()
        for sentence in facts.assumptions:
            page.bullet(sentence)
    return page.text()


def _connectivity(facts: NetworkFacts) -> str:
    cut = f"{counted(facts.bridges, 'bridge')}, {counted(facts.cut_nodes, 'cut node')}"
    if len(facts.parts) == 1:
        return f"in one piece; {cut}"
    sizes = some([f"{size:,}" for size in facts.parts], _NAMED)
    return f"in {len(facts.parts)} parts of {sizes} nodes; {cut}"


def _range(values: Range, show: Callable[[float], str]) -> str:
    least, most = show(values.least), show(values.most)
    return least if least == most else f"{least} to {most}"


def show_lint(result: LintResult) -> str:
    """Findings, errors first; each with what it means and what it is about."""
    page = Page()
    size = f"{counted(result.nodes, 'node')}, {counted(result.links, 'link')}"
    page.heading(f"{result.name}: {size}; {'in one piece' if result.connected else 'in parts'}")
    if not result.findings:
        page.line("nothing found")
    for finding in result.findings:
        page.line()
        style = {"error": "bold red", "warning": "bold"}.get(finding.level, "")
        head = f"{finding.level}: {finding.rule}, {finding.count:,}"
        page.line(f"{head}: {finding.meaning}", style=style)
        if finding.what:
            page.bullet(some(list(finding.what), _NAMED))
    return page.text()
