"""A hand-made scenario and comparison: 48 clouds, five schemes, invented but plausible numbers.

They say how a result is shown, not what is right; nothing here comes from the planner.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from mcastplan.model.cloud import Cloud
from mcastplan.model.plan import Section
from mcastplan.model.results import (
    CloudResult,
    Comparison,
    LinkLoad,
    NodeState,
    PlanNode,
    PlanPhase,
    PlanResult,
    PlanTransfer,
    Recommendation,
    ReplicaGroup,
    SchemeResult,
    Stages,
    Totals,
    TransferBound,
    TransferResult,
)
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Link, NodeInfo, Topology
from mcastplan.model.transfer import Transfer

ROOT = Path(__file__).parents[2]
SIZE = 689_000_000_000
# scheme: transfer of the slowest cloud [s], link copies, worst node's state, all state, header
NUMBERS = {
    "unicast": (33072.0, 9312, 0, 0, 0),
    "ingress-replication": (2645.76, 388, 47, 47, 50),
    "pim-sm": (551.2, 71, 1, 72, 0),
    "sr-p2mp": (551.2, 66, 2, 60, 40),
    "bier": (551.2, 71, 50, 8_540, 44),
}


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT


def _scenario(clouds: int, transfers: tuple[str, ...]) -> Scenario:
    nodes = tuple(NodeInfo(f"P{i:02}") for i in range(3))
    links = tuple(
        Link(f"P0{i}--P0{i + 1}", f"P0{i}", f"P0{i + 1}", 1e11, 1e11, 1e-3, 1, 1) for i in (0, 1)
    )
    names = tuple(f"c{i:02}" for i in range(clouds))
    return Scenario(
        name="hand-made",
        topology=Topology.make("three", nodes, links),
        clouds=tuple(Cloud(name, "P01", 4e10, replicas=4 + i) for i, name in enumerate(names)),
        transfers=tuple(
            Transfer(name, SIZE, 163, "P00", names, 1e11, model="deepseek-v3-fp8")
            for name in transfers
        ),
    )


def _transfer(name: str, slowest_s: float, clouds: int) -> TransferResult:
    rows = []
    for i in range(clouds):
        transfer_s = slowest_s * (i + 12) / (clouds + 11)
        stages = Stages(setup=0.66, transfer=transfer_s, load=10.4, compile=70.0, graphs=60.0)
        ready_s = stages.total()
        group = ReplicaGroup(4 + i, 0, 3 + i, ready_s, stages, Stages(load=4.2))
        rows.append(CloudResult(f"c{i:02}", transfer_s, (group,)))
    return TransferResult(
        name=name,
        setup_s=0.66,
        setup_terms={"announce": 0.06, "signal": 0.6},
        completion_s=slowest_s,
        rate_bps=SIZE * 8 / slowest_s,
        ratio_to_bound=slowest_s / 551.2,
        binding="cloud c47: ingress 10 Gb/s"
        if slowest_s < 600
        else "arc P00->P01 100 Gb/s is full",
        unreachable=(),
        clouds=tuple(rows),
    )


def _scheme(name: str, clouds: int, transfers: tuple[str, ...]) -> SchemeResult:
    slowest_s, copies, worst, state, header = NUMBERS[name]
    wire = copies * SIZE * 1.0123
    return SchemeResult(
        name=name,
        feasible=True,
        reason=None,
        transfers=tuple(_transfer(transfer, slowest_s, clouds) for transfer in transfers),
        links=(LinkLoad("P00", "P01", "P00--P01", "core", copies, wire, 0.412),),
        nodes=(NodeState("P00", worst),) if worst else (),
        totals=Totals(copies, wire, SIZE * 1.01, state, header),
        notes=(),
    )


def make_comparison(
    clouds: int = 48, transfers: tuple[str, ...] = ("push",)
) -> tuple[Comparison, Scenario]:
    comparison = Comparison(
        schema="mcastplan.compare/1",
        scenario="hand-made",
        assumptions=("Route factor 1.4.", "Invented numbers."),
        transfers=tuple(
            TransferBound(name, SIZE, 551.2, "cloud c47: ingress 10 Gb/s") for name in transfers
        ),
        schemes=tuple(_scheme(name, clouds, transfers) for name in NUMBERS),
        recommendation=Recommendation(
            "sr-p2mp",
            (
                "Its last replica is ready after 11 min 32 s; pim-sm and bier are as fast (1 %).",
                "It moves 46 TB over the core, the least of the three: bier 49.5 TB (8 % more),"
                " pim-sm 49.5 TB.",
                "Ingress replication would end 35 min 1 s later and move 5.9 times the bytes.",
            ),
        ),
    )
    return comparison, _scenario(clouds, transfers)


@pytest.fixture
def comparison() -> Comparison:
    return make_comparison()[0]


@pytest.fixture
def scenario() -> Scenario:
    return make_comparison()[1]


@pytest.fixture
def awkward() -> tuple[Comparison, Scenario]:
    """Two transfers, one scheme ruled out, two clouds cut off, free text with markup in it."""
    comparison, scenario = make_comparison(3, ("delta", "push"))
    unicast, ingress, pim, sr, _bier = comparison.schemes

    def cut(scheme: SchemeResult) -> SchemeResult:
        transfers = tuple(
            msgspec.structs.replace(t, unreachable=("c00", "c01"), clouds=t.clouds[2:])
            for t in scheme.transfers
        )
        return msgspec.structs.replace(scheme, transfers=transfers)

    refused = SchemeResult(
        "bier", False, "300 Set Identifiers, a BIFT has 256; raise bsl", (), (), (), None, ()
    )
    schemes = (cut(unicast), cut(ingress), cut(pim), cut(sr), refused)
    return (
        msgspec.structs.replace(
            comparison,
            schemes=schemes,
            recommendation=Recommendation("pim-sm", ("[bold]Not markup[/bold] \x1b[31mnor red.",)),
        ),
        scenario,
    )


@pytest.fixture
def plan_result() -> PlanResult:
    """One transfer under BIER on three routers, in one phase; R is the ingress."""
    bift = Section(
        "BIFT 1, SI 0, BSL 64",
        ("bit", "f_bm", "bfr_nbr"),
        (("1", "0x6", "B"), ("2", "0x6", "B"), ("3", "0x1", "self")),
    )
    return PlanResult(
        schema="mcastplan.plan/1",
        scenario="hand-made",
        scheme="bier",
        assumptions=(),
        transfers=(
            PlanTransfer(
                name="push",
                origin="R",
                receivers=("A", "B"),
                unreachable=("far",),
                imposed=("SI 0 bitstring 0x6",),
                header_bytes=20,
                phases=(PlanPhase("steady", "", (("R->B", 2), ("B->A", 1)), ("A", "B")),),
                notes=("3 BFR-ids",),
            ),
        ),
        nodes=(
            PlanNode("A", 3, (bift,)),
            PlanNode("B", 3, (bift,)),
            PlanNode("R", 4, (bift,)),
        ),
        state_entries=10,
    )
