"""The main question: when is every replica ready under each scheme, at what cost, and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from mcastplan.evaluate.arcs import ArcSpace
from mcastplan.evaluate.bounds import transfer_bound
from mcastplan.evaluate.scheme import Context, evaluate_scheme
from mcastplan.model.results import Comparison, TransferBound
from mcastplan.model.scenario import Scenario
from mcastplan.schemes import SCHEMES
from mcastplan.schemes.base import Scheme, demand
from mcastplan.study.bier_choice import bier_choice
from mcastplan.study.question import network_of, question_of
from mcastplan.study.recommend import recommend
from mcastplan.underlay.max_flow import widest
from mcastplan.underlay.routes import IgpRoutes
from mcastplan.units import counted, show_rate

# What is being done, and the share done so far (0 to 1).
Progress = Callable[[str, float], None]

SCHEMA = "mcastplan.compare/1"


def compare(
    scenario: Scenario, *, verify: bool = False, progress: Progress | None = None
) -> Comparison:
    """Plan and evaluate every scheme on the scenario, without failures.

    ``verify`` also walks every flow over plan and rendered tables, and raises `AssertionError`
    where they disagree. Not modelled: see docs/not-modelled.md.
    """
    tell = progress or (lambda what, share: None)
    tell("routes and bounds", 0.0)
    context = context_of(scenario)
    chosen = chosen_schemes(scenario)
    rows = []
    for done, kind in enumerate(chosen):
        tell(kind.name, (done + 1) / (len(chosen) + 1))
        rows.append(evaluate_scheme(context, kind, verify))
    tell("done", 1.0)
    return Comparison(
        schema=SCHEMA,
        scenario=scenario.name,
        assumptions=assumptions(context),
        transfers=context.bounds,
        schemes=tuple(rows),
        recommendation=recommend(scenario, rows, context.space.filled()),
        network=network_of(scenario.topology),
        question=question_of(scenario, [kind.name for kind in chosen]),
        bier_choice=bier_choice(context),
        full_of_background=context.space.filled(),
    )


def chosen_schemes(scenario: Scenario) -> list[type[Scheme]]:
    """Schemes of the result, in its order."""
    only = scenario.schemes.only
    return [kind for kind in SCHEMES if only is None or kind.name in only]


def context_of(scenario: Scenario) -> Context:
    """Routes, demands and bounds: what all schemes share."""
    routes = IgpRoutes(scenario.topology.graph, scenario.ecmp)
    space = ArcSpace(scenario, routes)
    demands = tuple(demand(scenario, routes, transfer) for transfer in scenario.transfers)
    residual, full = space.residual_bps(), space.full()
    bounds, reached = [], []
    for transfer, each in zip(scenario.transfers, demands, strict=True):
        width = widest(scenario.topology.graph, residual, each.origin) if full else None
        covered = [one for one in each.clouds if width is None or width[one[1]] > 0]
        bound_s, binding = transfer_bound(
            scenario.topology,
            residual,
            each.origin,
            transfer.origin_egress_bps,
            transfer.size_bytes,
            [(name, pe, scenario.cloud[name].ingress_bps) for name, pe, _ in covered],
        )
        bounds.append(TransferBound(transfer.name, transfer.size_bytes, bound_s, binding))
        reached.append(frozenset(name for name, _, _ in covered))
    return Context(scenario, routes, space, demands, tuple(bounds), tuple(reached))


def assumptions(context: Context, *, lossless: bool = True) -> tuple[str, ...]:
    """What the numbers take for granted, in sentences; not ``lossless`` where failures cost packets
    that are sent again."""
    scenario = context.scenario
    said = list(scenario.assumptions)
    said.append(
        f"MTU {scenario.mtu} B end to end; 38 B of Ethernet framing, preamble and gap a packet"
        + ("; no loss, no retransmission" if lossless else "")
    )
    said.append(
        "every flow gets its max-min fair share at once; a multicast push is one flow at one rate,"
        " a unicast pull one flow each"
    )
    if scenario.ecmp == "first":
        said.append(
            "one path among equal-cost ones: smallest neighbour name, then smallest link id"
        )
    else:
        said.append("equal-cost paths are picked by a stable hash of flow and node")
    if any(transfer.receivers == "new" for transfer in scenario.transfers):
        said.append(
            f"set-up from the {scenario.timers.preset} timers; controller and compute times are"
            " stated guesses"
        )
    arriving = Counter(name for transfer in scenario.transfers for name in transfer.clouds)
    several = sum(
        arriving[cloud.name] > 1 and (cloud.fabric_bps < math.inf or cloud.engine is not None)
        for cloud in scenario.clouds
    )
    if several:
        said.append(
            f"{counted(several, 'cloud')} with more than one transfer: they share its ingress, but"
            " each has its fabric and its engine to itself, also where they overlap"
        )
    if scenario.background:
        said.append(
            f"background, {counted(len(scenario.background), 'row')} with"
            f" {show_rate(sum(row.rate_bps for row in scenario.background))} together, is routed as"
            f" unicast and served first; {context.space.filled() or context.space.fullest()}"
        )
    said += (
        f"background from {row} has no route and is left out" for row in context.space.unrouted
    )
    return tuple(said)
