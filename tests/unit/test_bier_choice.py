"""BitString length and numbering of BFR-ids: counted by hand, and against the comparison."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from benchmarks.instances import scenario as wan_scenario
from mcastplan.model.results import BierChoice
from mcastplan.model.scenario import BierOptions, Scenario, SchemeOptions
from mcastplan.model.topology import Topology
from mcastplan.schemes.base import demand
from mcastplan.schemes.bier import Bier
from mcastplan.schemes.bift import set_identifier
from mcastplan.study.bier_choice import better_choice, bier_choice
from mcastplan.study.compare import compare, context_of
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import link, network, push, scenarios

AREAS, PER_AREA = 6, 170


def rows_of(scenario: Scenario) -> dict[tuple[int, str], BierChoice]:
    return {(row.bsl, row.numbering): row for row in bier_choice(context_of(scenario))}


def interleaved(branches: int, each: int) -> Topology:
    """A core with ``branches`` area routers, each with ``each`` BFERs; names go round the areas, so
    that BFERs with neighbouring names are in different areas."""
    areas = [f"area{area}" for area in range(branches)]
    links = [link("core", area) for area in areas]
    links += [
        link(area, f"r{i * branches + n:04}") for n, area in enumerate(areas) for i in range(each)
    ]
    return network(*links)


def receivers(topology: Topology) -> tuple[str, ...]:
    return tuple(node.name for node in topology.nodes if node.name.startswith("r"))


def test_two_areas_by_hand() -> None:
    """Two areas of 64 BFERs at BSL 64, the origin in the core: 129 BFR-ids, three SIs.

    The origin only sends, so it takes the last BFR-id, 129, and a set identifier that no packet
    has. Dense: SI 0 has r0 to r63, SI 1 r64 to r127, and both areas are in both: four copies on the
    two core links, and 128 behind. By tree: area 0 is SI 0 and area 1 is SI 1: two copies. At BSL
    256 there is one SI: two copies.
    """
    topology = interleaved(2, 64)
    rows = rows_of(push(topology, "core", receivers(topology)))
    dense, by_tree, long = rows[64, "dense"], rows[64, "by-tree"], rows[256, "dense"]
    assert (dense.set_identifiers, dense.core_copies) == (3, 4 + 128)
    assert (by_tree.core_copies, by_tree.preorder_copies) == (2 + 128, 2 + 128)
    assert (long.set_identifiers, long.core_copies, long.copies_ratio) == (1, 2 + 128, 1.0)
    assert dense.copies_ratio == 132 / 130
    # 10 GB; 9000 B less 28 and 20 of payload, and 38 B beside the MTU.
    assert (dense.header_bytes, dense.payload_bytes) == (20, 8952)
    assert dense.wire_bytes == pytest.approx(132 * 10e9 * 9038 / 8952)
    # As few copies as there are links, under the shortest header: 20 B.
    (best,) = [row for row in rows.values() if row.best]
    assert (best.bsl, best.numbering) == (64, "by-tree")


def test_six_areas_of_170() -> None:
    """RFC 9262 section 5.3.6 discusses the case: 1,020 BFERs at BSL 256, 1,021 BFR-ids with the
    origin's, the last. Dense over areas that names do not follow: 4 SIs, each with BFERs of all six
    areas, so 4 copies into each. One SI an area would be 6 SIs and 1 copy each. By tree has no gaps
    between areas: area 2 spills over BFR-ids 256|257, area 4 over 512|513, area 5 over 768|769 (as
    1..170, 171..340, 341..510, 511..680, 681..850, 851..1020): 4 SIs and 1 + 2 + 1 + 2 + 2 + 1 = 9.
    """
    topology = interleaved(AREAS, PER_AREA)
    scenario = push(topology, "core", receivers(topology))
    rows = rows_of(scenario)
    behind = AREAS * PER_AREA
    dense, by_tree = rows[256, "dense"], rows[256, "by-tree"]
    assert (dense.set_identifiers, by_tree.set_identifiers) == (4, 4)
    assert dense.core_copies == 4 * AREAS + behind
    assert by_tree.core_copies == 9 + behind
    routes = IgpRoutes(topology.graph)
    chosen = msgspec.structs.replace(
        scenario, schemes=SchemeOptions(bier=BierOptions(bfr_ids="by-tree"))
    )
    scheme = Bier(chosen, routes)
    sets: dict[str, set[int]] = {}
    for node, bfr_id in scheme.bfr_id.items():
        name = topology.graph.names[node]
        if name != "core":
            area = f"area{int(name[1:]) % AREAS}"
            sets.setdefault(area, set()).add(set_identifier(bfr_id, 256)[0])
    assert [len(sets[area]) for area in sorted(sets)] == [1, 2, 1, 2, 2, 1]
    # One SI an area, six of them, one copy into each: what alignment would give.
    assert AREAS + behind == topology_links_once(scenario)


def topology_links_once(scenario: Scenario) -> int:
    routes = IgpRoutes(scenario.topology.graph)
    each = demand(scenario, routes, scenario.transfers[0])
    return len(routes.union(each.origin, each.pes))


@pytest.mark.parametrize(("nodes", "bfers"), [(1000, 300), (1000, 999)])
def test_by_tree_saves_copies_on_a_wan(nodes: int, bfers: int) -> None:
    """Dense needs ceil(BFR-ids / BSL) SIs and pays for nearly each one; by-tree needs as many and
    pays little. A BitString that holds everybody makes one copy whatever the numbering."""
    rows = rows_of(wan_scenario(nodes, bfers))
    ids = bfers + 1
    for bsl in (64, 128, 256, 512, 1024, 2048, 4096):
        dense, by_tree = rows[bsl, "dense"], rows[bsl, "by-tree"]
        assert dense.set_identifiers == by_tree.set_identifiers == -(-ids // bsl)
        assert dense.core_copies is not None
        assert by_tree.core_copies is not None
        if bsl >= ids:
            assert dense.copies_ratio == by_tree.copies_ratio == 1.0
        else:
            assert by_tree.core_copies < dense.core_copies
            assert by_tree.copies_ratio is not None
            assert by_tree.copies_ratio < 1.4
    copies = [rows[bsl, "dense"].core_copies or 0 for bsl in (64, 128, 256, 512, 1024)]
    assert all(shorter >= longer for shorter, longer in pairwise(copies))


def test_limits_make_rows_infeasible_with_a_reason() -> None:
    """16,386 BFR-ids: 256 SIs of 64 bits are too few; an MTU of 300 B is too small for BSL 4096."""
    names = tuple(f"r{number:03}" for number in range(3))
    star = network(*(link("hub", name) for name in names))
    rows = rows_of(push(star, "hub", names, mtu=300))
    assert rows[4096, "dense"].reason is not None
    assert "no payload under 524 B of scheme header" in rows[4096, "dense"].reason
    assert not rows[4096, "dense"].feasible
    assert rows[4096, "dense"].wire_bytes is None
    assert rows[1024, "dense"].feasible
    many = tuple(f"r{number:05}" for number in range(16_385))
    crowd = network(*(link("hub", name) for name in many))
    crowded = rows_of(push(crowd, "hub", many[1:]))
    assert "use a longer BSL" in (crowded[64, "dense"].reason or "")
    assert crowded[128, "by-tree"].feasible


def test_no_rows_where_bier_is_out() -> None:
    star = network(link("hub", "a"), link("hub", "b"))
    only = SchemeOptions(only=("pim-sm",))
    assert bier_choice(context_of(push(star, "hub", ("a",), schemes=only))) == ()
    assert bier_choice(context_of(push(star, "hub", ("a",), state_limit=1))) == ()
    assert compare(push(star, "hub", ("a",), schemes=only)).bier_choice == ()


def test_the_sentence() -> None:
    star = network(link("hub", "a"), link("hub", "b"))
    said = better_choice(bier_choice(context_of(push(star, "hub", ("a", "b")))))
    # One copy either way: (9038 / 8952) / (9038 / 8928) = 0.99732.
    assert said == "bier: BSL 64 would carry 0.3% fewer core bytes than BSL 256"
    short = SchemeOptions(bier=BierOptions(bsl=64))
    assert better_choice(bier_choice(context_of(push(star, "hub", ("a",), schemes=short)))) is None
    by_tree = SchemeOptions(bier=BierOptions(bsl=64, bfr_ids="by-tree"))
    rows = bier_choice(context_of(push(star, "hub", ("a",), schemes=by_tree)))
    assert [(row.bsl, row.numbering) for row in rows if row.best] == [(64, "by-tree")]
    topology = interleaved(6, 40)
    dense = push(topology, "core", receivers(topology), mtu=600, schemes=short)
    said = better_choice(bier_choice(context_of(dense)))
    assert said is not None
    assert said.startswith("bier: BSL ")
    assert "fewer core bytes than BSL 64" in said
    tight = push(star, "hub", ("a",), mtu=60, schemes=SchemeOptions(bier=BierOptions(bsl=4096)))
    assert better_choice(bier_choice(context_of(tight))) == (
        "bier: BSL 64, BFR-ids dense would serve this scenario"
    )
    assert better_choice(()) is None


def real(options: Any) -> Any:
    return msgspec.structs.replace(options, bsl=64 if options.bsl < 64 else options.bsl)


@settings(max_examples=60)
@given(scenarios())
def test_the_configured_row_is_the_comparison(scenario: Scenario) -> None:
    """Copies and bytes of the scenario's own choice are those of the result, under `first` and
    `hash`; `by-tree` never makes more copies than `dense`; exactly one row is best."""
    schemes = msgspec.structs.replace(
        scenario.schemes, bier=real(scenario.schemes.bier), only=("bier",)
    )
    scenario = msgspec.structs.replace(scenario, schemes=schemes)
    result = compare(scenario)
    (bier,) = result.schemes
    rows = result.bier_choice
    (ours,) = [row for row in rows if row.configured]
    assert bier.totals is not None
    assert ours.core_copies == bier.totals.link_copies
    assert ours.wire_bytes == pytest.approx(bier.totals.wire_bytes, rel=1e-12)
    if bier.totals.link_copies:
        assert ours.header_bytes == bier.totals.header_bytes
    (best,) = [row for row in rows if row.best]
    assert best.wire_bytes == min(row.wire_bytes for row in rows if row.wire_bytes is not None)
    by_key = {(row.bsl, row.numbering): row for row in rows}
    for bsl, numbering in by_key:
        if numbering == "by-tree":
            dense, by_tree = by_key[bsl, "dense"], by_key[bsl, "by-tree"]
            assert dense.core_copies is not None
            assert by_tree.core_copies is not None
            assert by_tree.core_copies <= dense.core_copies
            assert by_tree.core_copies in (dense.core_copies, by_tree.preorder_copies)
