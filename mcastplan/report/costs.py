"""Copies, traffic, state and headers: one small bar chart a cost."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mcastplan.model.results import Comparison, SchemeResult, Totals
from mcastplan.report import words
from mcastplan.report.colours import colour
from mcastplan.report.markup import attributes, bar, esc, precise, section
from mcastplan.units import show_size


class Cost(msgspec.Struct, frozen=True):
    key: str
    heading: str
    about: str
    value: Callable[[SchemeResult, Totals], float | None]
    show: Callable[[float], str]


def _count(value: float) -> str:
    return f"{value:,.0f}"


COSTS = (
    Cost(
        "wire_bytes",
        "Traffic on links",
        "bytes on all links between routers together, headers included",
        lambda row, totals: totals.wire_bytes,
        show_size,
    ),
    Cost(
        "link_copies",
        "Copies on links",
        "how often one packet crosses a link, summed over the links",
        lambda row, totals: totals.link_copies,
        _count,
    ),
    Cost(
        "origin_egress_bytes",
        "Out of the origin",
        "bytes that leave the origin; many providers charge for them",
        lambda row, totals: totals.origin_egress_bytes,
        show_size,
    ),
    Cost(
        "state_worst",
        "State, worst router",
        "forwarding entries in the router that holds most",
        lambda row, totals: max((node.state_entries for node in row.nodes), default=0),
        _count,
    ),
    Cost(
        "state_entries",
        "State, all routers",
        "forwarding entries in all routers together; BIER's are there before any push, whatever"
        " is sent",
        lambda row, totals: totals.state_entries,
        _count,
    ),
    Cost(
        "header_bytes",
        "Header",
        "bytes that the scheme adds to each packet, at most",
        lambda row, totals: totals.header_bytes,
        lambda value: f"{value:.0f} B",
    ),
    Cost(
        "egress_usd",
        "Egress money",
        "at the prices stated in the scenario",
        lambda row, totals: totals.egress_usd,
        lambda value: f"{value:,.0f} USD",
    ),
)


def costs(result: Comparison) -> str:
    panels = "".join(_panel(result, cost) for cost in COSTS)
    if not panels:
        return ""
    return section(
        "costs",
        "What the network pays",
        "Shorter is better. Every bar chart has its own scale; the numbers are beside the bars.",
        f"<div class=small-multiples>{panels}</div>",
    )


def _panel(result: Comparison, cost: Cost) -> str:
    found = [
        (number, row, value)
        for number, row in enumerate(result.schemes)
        if row.totals is not None and (value := cost.value(row, row.totals)) is not None
    ]
    if not found:
        return ""
    most = max(value for _, _, value in found)
    bars = "".join(
        f"<div{attributes(data_name=row.name)}><span>{esc(words.title(row.name))}</span>"
        f"<b{attributes(data_v=precise(value))}>{esc(cost.show(value))}</b>"
        f"{bar(colour(row.name, number), value, most)}</div>"
        for number, row, value in found
    )
    return (
        f"<figure{attributes(data_cost=cost.key)}><figcaption><b>{esc(cost.heading)}</b>"
        f" {esc(cost.about)}</figcaption><div class=race>{bars}</div></figure>"
    )
