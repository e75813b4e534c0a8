"""Forwarding bit masks, at every node and set identifier of random networks (RFC 8279 section 6.4).

Bits that share a neighbour share one F-BM; different F-BMs have no bit in common, and together they
are all the bits that can be reached: so section 6.5 copies each bit once and drops none.
"""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mcastplan.model.scenario import Scenario
from mcastplan.schemes.bier import Bier
from mcastplan.schemes.bift import BierPacket, bift, bitstring, forward_bits, set_identifier
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import scenarios


@given(scenarios(), st.data())
def test_f_bms_partition_the_reachable_bits(scenario: Scenario, data: st.DataObject) -> None:
    routes = IgpRoutes(scenario.topology.graph, scenario.ecmp)
    bier = Bier(scenario, routes)
    graph = routes.graph
    sets: dict[int, dict[int, int]] = {}
    for node, bfr_id in bier.bfr_id.items():
        si, bit = set_identifier(bfr_id, bier.bsl)
        sets.setdefault(si, {})[bit] = node
    spread = scenario.schemes.bier.ecmp == "bfer"
    for si, bfers in sets.items():
        entropy = data.draw(st.integers(0, 3))
        for node in range(graph.size):
            rows = bift(routes, node, bfers, entropy, spread)
            dist = routes.dist_from(node)
            reachable = {bit for bit, bfer in bfers.items() if dist[bfer] >= 0}
            assert set(rows) == reachable
            by_neighbour: dict[int | None, set[int]] = {}
            for bit, row in rows.items():
                assert row.bfer == bfers[bit]
                assert row.f_bm >> (bit - 1) & 1
                assert (row.arc is None) == (bfers[bit] == node)
                assert row.arc is None or graph.tail[row.arc] == node
                by_neighbour.setdefault(row.arc, set()).add(row.f_bm)
            masks = [mask for (mask,) in by_neighbour.values()]  # one F-BM a neighbour
            assert sum(masks) == bitstring(reachable)  # no carry: disjoint, and complete
            if reachable:
                bits = bitstring(data.draw(st.sets(st.sampled_from(sorted(reachable)), min_size=1)))
                hop = forward_bits(rows, BierPacket(si, bits, entropy, 0))
                copies = [packet.bits for _, packet in hop.out if isinstance(packet, BierPacket)]
                own = bits & sum(row.f_bm for row in {*rows.values()} if row.arc is None)
                assert sum(copies) + own == bits
                assert hop.delivered == (own != 0)
                assert hop.drops == ()


@given(scenarios())
def test_numbering_has_no_gaps(scenario: Scenario) -> None:
    """BFR-ids are 1 to the number of PEs, each once, under either numbering."""
    routes = IgpRoutes(scenario.topology.graph, scenario.ecmp)
    for numbering in ("dense", "by-tree"):
        options = msgspec.structs.replace(scenario.schemes.bier, bfr_ids=numbering)
        schemes = msgspec.structs.replace(scenario.schemes, bier=options)
        bier = Bier(msgspec.structs.replace(scenario, schemes=schemes), routes)
        assert sorted(bier.bfr_id.values()) == list(range(1, len(bier.bfr_id) + 1))
