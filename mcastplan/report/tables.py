"""The schemes side by side: when replicas are ready, and what it costs the network."""

from __future__ import annotations

from collections.abc import Sequence

from mcastplan.model.results import Comparison, SchemeResult
from mcastplan.report import read, words
from mcastplan.report.markup import Cell, Column, esc, section, table
from mcastplan.units import show_size

Rows = list[tuple[str, list[Cell]]]

WHEN = (
    Column("scheme", words=True),
    Column("first replica ready"),
    Column("half ready"),
    Column("90 % ready"),
    Column("all ready"),
    Column("transfer", tip="from the first data byte to the last payload byte at the last cloud"),
    Column("x bound", tip="transfer time, as a multiple of what no scheme can beat"),
    Column("what binds", words=True, tip="the bottleneck"),
)
COST = (
    Column("scheme", words=True),
    Column("copies on links", tip="one packet's copies, summed over the links between routers"),
    Column("traffic on links", tip="bytes on links between routers, headers included"),
    Column("out of the origin"),
    Column("busiest link"),
    Column("state, worst router", tip="table entries of the router that holds most"),
    Column("state, all routers"),
    Column("header, bytes a packet"),
)
USD = Column("egress, USD")


def when_rows(result: Comparison) -> Rows:
    rows: Rows = []
    for scheme in result.schemes:
        worst = read.slowest(scheme)
        cells = [_name(scheme)]
        if worst is None:
            why = scheme.reason if not scheme.feasible else read.nobody(scheme)
            blank = [Cell(read.NONE)] * (len(WHEN) - 2)
            rows.append((scheme.name, [*cells, *blank, Cell(why or "")]))
            continue
        ready = read.groups(scheme.transfers)
        first = ready[0].ready_s if ready else None
        cells.append(Cell(read.time(first), first))
        for share, _ in read.SHARES:
            seconds = read.ready_after(scheme.transfers, share)
            cells.append(Cell(read.time(seconds), seconds))
        cells.append(Cell(read.time(scheme.last_ready_s), scheme.last_ready_s))
        cells.append(Cell(read.time(worst.completion_s), worst.completion_s))
        ratio = worst.ratio_to_bound
        cells.append(Cell(read.NONE if ratio is None else f"{ratio:.2f}", ratio))
        binding = worst.binding or read.NONE
        if len(scheme.transfers) > 1:
            binding = f"{worst.name}: {binding}"
        cells.append(Cell(binding))
        rows.append((scheme.name, cells))
    return rows


def cost_columns(result: Comparison) -> Sequence[Column]:
    priced = any(row.totals and row.totals.egress_usd is not None for row in result.schemes)
    return (*COST, USD) if priced else COST


def cost_rows(result: Comparison) -> Rows:
    priced = len(cost_columns(result)) > len(COST)
    rows: Rows = []
    for scheme in result.schemes:
        totals = scheme.totals
        if totals is None:
            blank = [Cell(read.NONE)] * (len(cost_columns(result)) - 1)
            rows.append((scheme.name, [_name(scheme), *blank]))
            continue
        load = read.busiest(scheme)
        worst = max((node.state_entries for node in scheme.nodes), default=0)
        cells = [
            _name(scheme),
            Cell(f"{totals.link_copies:,}", totals.link_copies),
            Cell(show_size(totals.wire_bytes), totals.wire_bytes),
            Cell(show_size(totals.origin_egress_bytes), totals.origin_egress_bytes),
            Cell(read.NONE if load is None else f"{load:.0%}", load),
            Cell(f"{worst:,}", worst),
            Cell(f"{totals.state_entries:,}", totals.state_entries),
            Cell(f"{totals.header_bytes}", totals.header_bytes),
        ]
        if priced:
            usd = totals.egress_usd
            cells.append(Cell(read.NONE if usd is None else f"{usd:,.2f}", usd))
        rows.append((scheme.name, cells))
    return rows


def tables(result: Comparison) -> str:
    strong = result.recommendation.scheme if result.recommendation else None
    return section(
        "schemes",
        "The schemes side by side",
        "Click a heading to sort. The marked row is the recommended scheme.",
        table(WHEN, when_rows(result), strong, "when"),
        "<h3>What it costs the network</h3>",
        table(cost_columns(result), cost_rows(result), strong, "cost"),
        *_what_each_does(result),
    )


def _what_each_does(result: Comparison) -> list[str]:
    known = [row.name for row in result.schemes if words.what_it_does(row.name)]
    if not known:
        return []
    said = "".join(
        f"<dt>{esc(words.title(name))}<dd>{esc(words.what_it_does(name))}" for name in known
    )
    return [f"<h3>What each of them does</h3><dl>{said}</dl>"]


def _name(scheme: SchemeResult) -> Cell:
    return Cell(words.title(scheme.name), note="" if scheme.feasible else "not possible here")
