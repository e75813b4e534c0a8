"""State, headers and roles of each scheme on networks small enough to count by hand."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mcastplan.dataplane.walk import faults, walk_plan
from mcastplan.errors import InfeasibleError
from mcastplan.model.plan import Demand, ReplicationPlan, Steer
from mcastplan.model.scenario import BierOptions, PimOptions, Scenario, SchemeOptions, SrP2mpOptions
from mcastplan.model.topology import Arc, Topology
from mcastplan.schemes import SCHEMES
from mcastplan.schemes.base import Scheme, demand
from mcastplan.schemes.bier import Bier
from mcastplan.schemes.sr_p2mp import SrP2mp
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import link, network, push

#  s --- a --- b --- r1
#              |
#              c --- r2          r1 and r2 receive; b is the branch
TREE = network(link("s", "a"), link("a", "b"), link("b", "r1"), link("b", "c"), link("c", "r2"))


def planned(name: str, scenario: Scenario) -> tuple[Scheme, IgpRoutes, Demand, ReplicationPlan]:
    kind = next(kind for kind in SCHEMES if kind.name == name)
    routes = IgpRoutes(scenario.topology.graph, scenario.ecmp)
    each = demand(scenario, routes, scenario.transfers[0])
    scheme = kind(scenario, routes)
    return scheme, routes, each, scheme.install(routes, each)


def state(name: str, scenario: Scenario) -> dict[str, int]:
    scheme, routes, each, plan = planned(name, scenario)
    found = scheme.state(routes, [(each, plan)])
    return {scenario.topology.nodes[node].name: count for node, count in found.items()}


def roles(scenario: Scenario) -> dict[str, str]:
    _, _, _, plan = planned("sr-p2mp", scenario)
    names = scenario.topology.graph.names
    return {names[node]: entry.role for (node, _), entry in plan.entries.items()}


def test_state_of_a_two_receiver_tree() -> None:
    scenario = push(TREE, "s", ("r1", "r2"))
    assert state("unicast", scenario) == {}
    assert state("ingress-replication", scenario) == {"s": 2}  # a tunnel each
    every = dict.fromkeys(("s", "a", "b", "c", "r1", "r2"), 1)
    assert state("pim-sm", scenario) == every  # (S,G) at every on-tree router
    # Segments at root, branch and two leaves, none in transit a and c; the policy at the root.
    assert state("sr-p2mp", scenario) == {"s": 2, "b": 1, "r1": 1, "r2": 1}
    # BFR-ids for s, r1, r2: three rows on all six routers, one entry for the transfer at s.
    assert state("bier", scenario) == {**dict.fromkeys(every, 3), "s": 4}


def test_state_where_the_only_receiver_sits_on_the_origin() -> None:
    scenario = push(TREE, "s", ("s",))
    assert state("ingress-replication", scenario) == {}
    assert state("pim-sm", scenario) == {"s": 1}
    assert state("sr-p2mp", scenario) == {"s": 2}
    assert roles(scenario) == {"s": "root and bud"}
    for kind in SCHEMES:
        plan = planned(kind.name, scenario)[3]
        walked = walk_plan(plan, IgpRoutes(TREE.graph), plan.flows[0])
        assert walked.copies == {}
        assert walked.delivered == {TREE.node("s"): 1}


def test_roles_of_replication_segments() -> None:
    """b receives too, so it is a bud; c only passes packets on."""
    scenario = push(TREE, "s", ("r1", "b", "r2"))
    assert roles(scenario) == {"s": "root", "b": "bud", "r1": "leaf", "r2": "leaf"}


def headers(topology: Topology, receivers: tuple[str, ...], **options: Any) -> list[int]:
    scenario = push(
        topology, "s", receivers, schemes=SchemeOptions(sr_p2mp=SrP2mpOptions(**options))
    )
    _, _, _, plan = planned("sr-p2mp", scenario)
    return [
        branch.header_bytes
        for _, entry in sorted(plan.entries.items())
        for branch in entry.out
        if isinstance(branch, Steer)
    ]


def test_mpls_carries_a_node_sid_to_a_downstream_node_that_is_not_adjacent() -> None:
    """b -> r1 is one hop: 4 B. b -> r2 passes c, s -> b passes a: 8 B each."""
    assert sorted(headers(TREE, ("r1", "r2"), dataplane="mpls")) == [4, 8, 8]
    assert headers(TREE, ("r1", "r2"), dataplane="srv6") == [40, 40, 40]


class DirectTree(SrP2mp):
    """A controller that insists on the direct link s-z."""

    def tree(self, routes: IgpRoutes, demand: Demand) -> list[Arc]:
        graph = routes.graph
        wanted = {("s", "z"), ("z", "y")}
        return [
            arc
            for arc in range(len(graph.head))
            if (graph.names[graph.tail[arc]], graph.names[graph.head[arc]]) in wanted
        ]


@pytest.mark.parametrize(("dataplane", "pinned", "plain"), [("srv6", 64, 40), ("mpls", 4, 4)])
def test_a_link_the_igp_would_not_take_is_pinned(dataplane: Any, pinned: int, plain: int) -> None:
    """s-z costs as much as s-a-z, and the IGP breaks that tie for neighbour a. A tree over s-z
    needs its adjacency SID (24 B of SRH in SRv6), and z, no receiver, becomes a waypoint."""
    tie = network(link("s", "a", 1), link("a", "z", 1), link("s", "z", 2), link("z", "y", 1))
    options = SchemeOptions(sr_p2mp=SrP2mpOptions(dataplane=dataplane))
    scenario = push(tie, "s", ("y",), schemes=options)
    routes = IgpRoutes(tie.graph)
    each = demand(scenario, routes, scenario.transfers[0])
    plan = DirectTree(scenario, routes).install(routes, each)
    graph = tie.graph
    branches = {
        graph.names[node]: [
            (graph.names[b.dests[0]], b.via is not None, b.header_bytes)
            for b in entry.out
            if isinstance(b, Steer)
        ]
        for (node, _), entry in plan.entries.items()
    }
    assert branches == {"s": [("z", True, pinned)], "z": [("y", False, plain)], "y": []}
    assert [e.role for _, e in sorted(plan.entries.items())] == ["root", "leaf", "waypoint"]
    assert plan.header_bytes == max(pinned, plain)
    walked = walk_plan(plan, routes, plan.flows[0])
    assert faults(graph, plan.flows[0], walked) == ()
    assert set(walked.copies) == set(DirectTree(scenario, routes).tree(routes, each))


def scheme_tree(scenario: Scenario) -> set[str]:
    scheme, routes, each, _ = planned("sr-p2mp", scenario)
    return {scenario.topology.arc_name(arc) for arc in scheme.tree(routes, each)}  # type: ignore[attr-defined]


# A ring in which the receivers' shared tree and source tree part:
#        s --- x --- rp       r's way to the source is x, its way to the RP is y
#        |           |
#        +---- r --- y
RING = network(link("s", "x"), link("x", "rp"), link("rp", "y"), link("y", "r"), link("r", "s", 2))


def asm(switchover: bool) -> Scenario:
    options = SchemeOptions(pim_sm=PimOptions(mode="asm", rp="rp", spt_switchover=switchover))
    return push(RING, "s", ("r",), schemes=options)


def mroutes(scenario: Scenario, phase: int) -> set[tuple[str, str, tuple[str, ...]]]:
    scheme, routes, each, _ = planned("pim-sm", scenario)
    graph = routes.graph
    plan = scheme.phases(routes, each)[phase].plan
    return {
        (
            entry.role,
            graph.names[node],
            tuple(
                "register" if isinstance(out, Steer) else graph.names[graph.head[out]]
                for out in entry.out
            ),
        )
        for (node, _), entry in plan.entries.items()
    }


def test_asm_register_phase_tunnels_to_the_rp() -> None:
    assert mroutes(asm(True), 0) == {
        ("(S,G)", "s", ("register",)),
        ("(*,G)", "rp", ("y",)),
        ("(*,G)", "y", ("r",)),
        ("(*,G)", "r", ()),
    }


def test_asm_rp_joins_the_source() -> None:
    assert mroutes(asm(True), 1) == {
        ("(S,G)", "s", ("x",)),
        ("(S,G)", "x", ("rp",)),
        ("(S,G)", "rp", ("y",)),
        ("(*,G)", "rp", ("y",)),
        ("(*,G)", "y", ("r",)),
        ("(*,G)", "r", ()),
    }


def test_asm_switchover_prunes_the_shared_tree() -> None:
    """r joins the source over r-s (2, as far as y-rp-x-s is 4) and prunes y; y, left without
    OIFs, prunes the RP, whose (S,G) towards x is then empty, as is x's: both linger."""
    assert mroutes(asm(True), 2) == {
        ("(S,G)", "s", ("r",)),
        ("(S,G)", "x", ()),
        ("(S,G)", "rp", ()),
        ("(S,G)", "r", ()),
        ("(*,G)", "rp", ("y",)),
        ("(*,G)", "y", ("r",)),
        ("(*,G)", "r", ()),
        ("(S,G,rpt)", "y", ()),
        ("(S,G,rpt)", "rp", ()),
    }


def test_asm_without_switchover_ends_on_the_shared_tree() -> None:
    scheme, routes, each, _ = planned("pim-sm", asm(False))
    assert [phase.name for phase in scheme.phases(routes, each)] == ["register", "rpt"]
    assert state("pim-sm", asm(False)) == {"s": 1, "x": 1, "rp": 2, "y": 1, "r": 1}


def test_asm_with_an_rp_in_another_part_is_infeasible() -> None:
    apart = network(link("s", "r"), link("rp", "z"))
    options = SchemeOptions(pim_sm=PimOptions(mode="asm", rp="rp"))
    with pytest.raises(InfeasibleError, match="the RP rp cannot be reached from s"):
        planned("pim-sm", push(apart, "s", ("r",), schemes=options))


def test_pim_follows_the_receivers_route_to_the_source() -> None:
    """s -> r is cheap over a, r -> s is cheap over b: PIM's tree is over b, BIER's over a."""
    skew = network(
        link("s", "a", 1, 9), link("a", "r", 1, 9), link("s", "b", 9, 1), link("b", "r", 9, 1)
    )
    scenario = push(skew, "s", ("r",))
    assert set(state("pim-sm", scenario)) == {"s", "b", "r"}
    assert set(state("sr-p2mp", scenario)) == {"s", "r"}
    assert scheme_tree(scenario) == {"s->a", "a->r"}


def chain(length: int) -> Topology:
    return network(*(link(f"n{i:04}", f"n{i + 1:04}") for i in range(length - 1)))


def bier_options(**options: Any) -> SchemeOptions:
    return SchemeOptions(bier=BierOptions(**options))


def test_bier_needs_a_packet_per_set_identifier() -> None:
    """130 PEs on a chain at BSL 64: BFR-ids 1..130, set identifiers 0, 1, 2."""
    line = chain(130)
    names = tuple(node.name for node in line.nodes)
    scenario = push(line, names[0], names[1:], schemes=bier_options(bsl=64))
    _, _, _, plan = planned("bier", scenario)
    assert len(plan.impose) == 3
    assert plan.header_bytes == 12 + 8


def test_more_bfers_than_256_set_identifiers_hold() -> None:
    """BSL 64 has room for 64 x 256 = 16,384 BFERs."""
    star = network(*(link("hub", f"n{i:05}") for i in range(16_384)))
    names = tuple(node.name for node in star.nodes)
    with pytest.raises(InfeasibleError, match="16385 BFERs"):
        planned("bier", push(star, "hub", names[1:], schemes=bier_options(bsl=64)))


def two_arms(hub: str, first: str, second: str) -> Topology:
    """Two chains from the hub; names decide which BFR-ids share a set identifier."""
    links = []
    for arm in (first, second):
        before = hub
        for each in arm.split():
            links.append(link(before, each))
            before = each
    return network(*links)


def numbered(arms: Topology, hub: str, bsl: int, numbering: str) -> tuple[int, str]:
    """Core copies of a push from the hub to p1..p4, and what is said of the numbering."""
    options = bier_options(bsl=bsl, bfr_ids=numbering)
    _, routes, _, plan = planned("bier", push(arms, hub, ("p1", "p2", "p3", "p4"), schemes=options))
    scenario = push(arms, hub, ("p1", "p2", "p3", "p4"), schemes=options)
    copies = sum(sum(walk_plan(plan, routes, flow).copies.values()) for flow in plan.flows)
    return copies, Bier(scenario, routes).assignment


def test_by_tree_numbering_keeps_an_arm_in_one_set() -> None:
    """Arms p1-p3 and p2-p4 of hub h, two bits a set; h only sends and comes last. Dense p1 p2 |
    p3 p4: one set crosses 2 links, the other both arms, 4: 6 copies. Preorder p1 p3 | p2 p4: one
    arm each, 2 + 2."""
    arms = two_arms("h", "p1 p3", "p2 p4")
    assert numbered(arms, "h", 2, "dense") == (6, "")
    said = "BFR-ids by tree: 4 core copies against 6 dense"
    assert numbered(arms, "h", 2, "by-tree") == (4, said)


def test_by_tree_numbering_stays_dense_where_that_is_better() -> None:
    """Arms p1-p3-p4 and p2. Dense p1 p2 | p3 p4: 1 + 1 links, then 3 along one arm: 5. Preorder
    p1 p3 | p4 p2: 2, then 3 + 1: 6."""
    arms = two_arms("h", "p1 p3 p4", "p2")
    said = "BFR-ids stay dense: 5 core copies against 6 numbered by tree"
    assert numbered(arms, "h", 2, "by-tree") == (5, said)


@pytest.mark.parametrize("origin", ["a", "z"])
@pytest.mark.parametrize("numbering", ["dense", "by-tree"])
def test_a_pe_that_only_sends_takes_no_receivers_bit(origin: str, numbering: str) -> None:
    """256 receivers behind one router fit into 256 bits, whatever the origin is called: one packet,
    one copy on each of 257 links. The origin is BFR-id 257."""
    leaves = [f"p{number:03}" for number in range(256)]
    star = network(link(origin, "hub"), *(link("hub", leaf) for leaf in leaves))
    scenario = push(star, origin, leaves, schemes=bier_options(bsl=256, bfr_ids=numbering))
    scheme, routes, _, plan = planned("bier", scenario)
    assert isinstance(scheme, Bier)
    assert scheme.bfr_id[routes.graph.index[origin]] == 257
    copies = [sum(walk_plan(plan, routes, flow).copies.values()) for flow in plan.flows]
    assert copies == [257]


def test_joins_meet_the_tree_where_another_has_passed() -> None:
    """A chain a-b-c-d without delays, receivers at b, c and d: all send their Joins at once, and
    each is one hop from a router that is on the tree already. With d alone its Join goes 3 hops."""
    line = network(link("a", "b"), link("b", "c"), link("c", "d"))
    for receivers, hops in ((("b", "c", "d"), 1), (("d",), 3), (("b", "d"), 2)):
        scheme, routes, each, plan = planned("pim-sm", push(line, "a", receivers))
        join = scheme.setup(routes, each, plan)["join"]
        assert join == pytest.approx(hops * Scenario("t", line, (), ()).timers.join_s)


def hashed(topology: Topology, receivers: tuple[str, ...], transfers: int) -> list[int]:
    """Copies of BIER under hashing, for transfers that differ in their entropy."""
    found = []
    for number in range(transfers):
        scenario = push(topology, "a", receivers, ecmp="hash")
        one = msgspec.structs.replace(scenario.transfers[0], name=f"p{number}")
        scenario = msgspec.structs.replace(scenario, transfers=(one,))
        _, routes, _, plan = planned("bier", scenario)
        found.append(sum(walk_plan(plan, routes, plan.flows[0]).copies.values()))
    return found


def test_bfers_with_different_equal_cost_sets_share_a_neighbour_where_they_can() -> None:
    """a reaches x over c or d, y over d or e. Where d ranks first of the three (a third of the
    entropies) one copy a-d serves both: 3 copies, otherwise 4."""
    net = network(
        *(link("a", via) for via in "cde"),
        link("c", "x"),
        link("d", "x"),
        link("d", "y"),
        link("e", "y"),
    )
    found = hashed(net, ("x", "y"), 200)
    assert set(found) == {3, 4}
    assert 40 <= found.count(3) <= 95


def test_one_copy_to_a_neighbour_over_one_of_two_links() -> None:
    """F-BM is an OR over the BFERs of one BFR-NBR (RFC 8279 section 6.4), not of one link."""
    net = network(
        link("a", "n", tag="#1"), link("a", "n", tag="#2"), link("n", "x"), link("n", "y")
    )
    assert set(hashed(net, ("x", "y"), 50)) == {3}


def test_mpls_under_hashing_names_a_node_that_another_router_may_stand_before() -> None:
    """a-b is 2, as far as a-c-b: the hash may go either way, so the Node-SID of b is needed."""
    net = network(link("a", "b", 2), link("a", "c"), link("c", "b"), link("b", "d"))
    options = SchemeOptions(sr_p2mp=SrP2mpOptions(dataplane="mpls"))
    scenario = push(net, "a", ("b", "d"), ecmp="hash", schemes=options)
    _, _, _, plan = planned("sr-p2mp", scenario)
    names = net.graph.names
    sizes = {
        names[node]: [b.header_bytes for b in entry.out if isinstance(b, Steer)]
        for (node, _), entry in plan.entries.items()
    }
    assert sizes == {"a": [8], "b": [4], "d": []}
