"""RFC 8279, figures 1 to 6 and the example of section 3: our oracle for BIER forwarding."""

from __future__ import annotations

import pytest

from mcastplan.dataplane.walk import walk_tables
from mcastplan.model.plan import Native
from mcastplan.model.scenario import BierOptions, Scenario, SchemeOptions
from mcastplan.schemes.base import demand
from mcastplan.schemes.bier import Bier
from mcastplan.schemes.bift import BierPacket, BierTable, bitstring, set_identifier
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import link, network, push

# Figure 1:   ( A ) ----- ( B ) ----- ( C ) ----- ( D )
#             4 (0:1000)    \           \         1 (0:0001)
#                          ( E )       ( F )
#                        3 (0:0100)   2 (0:0010)
BFR_IDS = {"D": 1, "F": 2, "E": 3, "A": 4}
FIGURE_1 = network(link("A", "B"), link("B", "C"), link("C", "D"), link("B", "E"), link("C", "F"))

# Figures 2 to 5: BIFTs of A, B and C as (BFR-id, F-BM, BFR-NBR).
BIFTS = {
    "A": {1: ("0111", "B"), 2: ("0111", "B"), 3: ("0111", "B"), 4: ("1000", None)},
    "B": {1: ("0011", "C"), 2: ("0011", "C"), 3: ("0100", "E"), 4: ("1000", "A")},
    "C": {1: ("0001", "D"), 2: ("0010", "F"), 3: ("1100", "B"), 4: ("1100", "B")},
}


def figure(receivers: str = "DEF") -> tuple[Scenario, IgpRoutes, Bier]:
    options = SchemeOptions(bier=BierOptions(bsl=4))  # type: ignore[arg-type]
    scenario = push(FIGURE_1, "A", tuple(receivers), schemes=options)
    routes = IgpRoutes(FIGURE_1.graph)
    bier = Bier(scenario, routes)
    bier.bfr_id = {FIGURE_1.node(name): number for name, number in BFR_IDS.items()}
    return scenario, routes, bier


def table_at(name: str, receivers: str = "DEF") -> BierTable:
    scenario, routes, bier = figure(receivers)
    each = demand(scenario, routes, scenario.transfers[0])
    table = bier.table(routes, [(each, bier.install(routes, each))], FIGURE_1.node(name))
    assert isinstance(table, BierTable)
    return table


@pytest.mark.parametrize("name", BIFTS)
def test_bift_rows_are_the_figures(name: str) -> None:
    section = table_at(name).sections()[-1]
    rows = {int(row[0]): (f"{int(row[3], 16):04b}", row[4]) for row in section.rows}
    assert rows == {
        bfr_id: (f_bm, "self" if neighbour is None else neighbour)
        for bfr_id, (f_bm, neighbour) in BIFTS[name].items()
    }


def copies(name: str, bits: int) -> dict[str, str]:
    """BitStrings that one BFR sends, by neighbour."""
    packet = BierPacket(0, bits, None, 0)
    hop = table_at(name).forward(0, packet)
    graph = FIGURE_1.graph
    return {graph.names[graph.head[arc]]: f"{sent.bits:04b}" for arc, sent in hop.out}  # type: ignore[union-attr]


def test_section_6_6_example_a_sends_to_d_and_e() -> None:
    """A sends 0101 to B; B splits it into 0001 towards C and 0100 towards E."""
    assert copies("A", 0b0101) == {"B": "0101"}
    assert copies("B", 0b0101) == {"C": "0001", "E": "0100"}
    assert copies("C", 0b0001) == {"D": "0001"}


def test_section_6_6_example_a_sends_to_d_and_f() -> None:
    """One copy as far as C, which holds the branch."""
    assert copies("A", 0b0011) == {"B": "0011"}
    assert copies("B", 0b0011) == {"C": "0011"}
    assert copies("C", 0b0011) == {"D": "0001", "F": "0010"}


def test_the_bfir_imposes_and_every_receiver_gets_one() -> None:
    scenario, routes, bier = figure("DE")
    each = demand(scenario, routes, scenario.transfers[0])
    plans = [(each, bier.install(routes, each))]
    found = walk_tables(
        routes.graph,
        lambda node: bier.table(routes, plans, node),
        each.origin,
        plans[0][1].flows[0],
    )
    index = FIGURE_1.node
    assert found.delivered == {index("D"): 1, index("E"): 1}
    assert sum(found.copies.values()) == 4  # A-B, B-C, C-D, B-E
    hop = table_at("A", "DE").forward(None, Native("push"))
    assert [f"{sent.bits:04b}" for _, sent in hop.out] == ["0101"]  # type: ignore[union-attr]


def test_section_3_three_bfers_of_bsl_256() -> None:
    """{27, 235, 497}: bits 27 and 235 of SI 0, bit 241 of SI 1; two packets."""
    assert [set_identifier(number, 256) for number in (27, 235, 497)] == [
        (0, 27),
        (0, 235),
        (1, 241),
    ]
    assert bitstring((27, 235)) == 1 << 26 | 1 << 234


@pytest.mark.parametrize("bsl", [64, 128, 256, 512, 1024, 2048, 4096])
def test_bfr_id_is_si_times_bsl_plus_bit(bsl: int) -> None:
    for number in (1, bsl - 1, bsl, bsl + 1, 2 * bsl, 65_535):
        si, bit = set_identifier(number, bsl)
        assert 1 <= bit <= bsl
        assert si * bsl + bit == number
