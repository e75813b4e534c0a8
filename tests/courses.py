"""Hand-made courses: one arc of a known rate, clouds behind it, and when each of them is out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import msgspec

from mcastplan.converge.transport import Course, FlowCourse, Piece
from mcastplan.evaluate.arcs import ArcSpace
from mcastplan.evaluate.push import FlowLoad, Planned
from mcastplan.model.plan import Demand, Flow
from mcastplan.model.transfer import Transfer
from mcastplan.study.compare import context_of
from tests.networks import link, network, push

Out = Mapping[str, Sequence[tuple[float, float]]]


def space(bps: float, slow_bps: float = 1e9) -> ArcSpace:
    """s -> r takes ``bps`` (arc 0), s -> t takes ``slow_bps`` (arc 2)."""
    net = network(link("r", "s", gbps=bps / 1e9), link("s", "t", gbps=slow_bps / 1e9))
    found = context_of(push(net, "s", ("r", "t"))).space
    assert found.capacity_bps[1] == bps and found.capacity_bps[2] == slow_bps
    return found


FAST, SLOW = 1, 2  # arcs s -> r and s -> t


def pieces(
    out: Out,
    weights: Sequence[tuple[float, Mapping[int, float]]] = ((-math.inf, {FAST: 1.0}),),
    extra: Mapping[str, int] = {},
    begin_s: float = 0.0,
) -> tuple[Piece, ...]:
    """``weights`` hold from their instant on."""
    edges = {begin_s, math.inf}
    edges |= {edge for spans in out.values() for span in spans for edge in span}
    edges |= {since for since, _ in weights}
    cut = sorted(edge for edge in edges if edge >= begin_s)
    return tuple(
        Piece(
            low,
            high,
            [held for since, held in weights if since <= low][-1],
            frozenset(c for c, spans in out.items() if any(a <= low < b for a, b in spans)),
            extra,
        )
        for low, high in itertools.pairwise(cut)
    )


def course(
    size_bytes: int,
    clouds: Sequence[str],
    held: tuple[Piece, ...],
    *,
    name: str = "push",
    tcp: bool = False,
    count: int = 1,
    rtt_s: float = 0.0,
    planned_weight: float = 1.0,
) -> Course:
    """A multicast push to ``clouds``; or with ``tcp`` their pulls, all on the same pieces, whose
    weights need not be those planned."""
    start = held[0].from_s
    transfer = Transfer(name, size_bytes, 1, "s", tuple(clouds), start_s=start)
    demand = Demand(name, 0, size_bytes, tuple((cloud, 1, count) for cloud in clouds), (1,))
    flow = Flow(name, (name,), tuple(clouds), (1,), size_bytes, count)
    flows = [flow]
    if tcp:
        flows = [
            msgspec.structs.replace(flow, name=f"{name}/{each}", clouds=(each,)) for each in clouds
        ]
    loads = [FlowLoad(each, {}, {FAST: planned_weight}) for each in flows]
    planned = Planned(transfer, demand, loads, 0.0, {})
    return Course(planned, tuple(FlowCourse(each, held, rtt_s) for each in flows), tcp)
