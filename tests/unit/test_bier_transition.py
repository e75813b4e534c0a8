"""BIER through failures: the BIFT follows the FIB row by row, or BIER-FRR steps in.

Write 150 us a row, protect 5 ms; the event is at 10 s. FIB flips are written down by hand.
"""

from __future__ import annotations

import math

import pytest

from mcastplan.converge.igp import LinkState
from mcastplan.converge.moving import Forwarding
from mcastplan.converge.outages import Gap, flights, gaps
from mcastplan.dataplane.flight import Flight
from mcastplan.model.change import Cause, Transition, Update
from mcastplan.model.failure import Failure
from mcastplan.model.plan import Demand
from mcastplan.model.scenario import BierOptions, SchemeOptions
from mcastplan.model.topology import Arc, Node, Topology
from mcastplan.schemes.base import Igp, demand
from mcastplan.schemes.bier import Bier
from mcastplan.underlay.routes import IgpRoutes
from tests.hand_igp import HandIgp, both
from tests.networks import link, network, push

MS = 1e-3
FOREVER = ((10.0, math.inf),)


def flip(at_s: float, node: Node, routes: IgpRoutes) -> Update:
    cause = Cause("down", 10.0).then("flooding", at_s - 0.001).then("fib", at_s)
    return Update(at_s, node, cause, routes)


class Case:
    def __init__(self, topology: Topology, origin: str, *receivers: str, frr: str = "none") -> None:
        options = SchemeOptions(bier=BierOptions(frr=frr))  # type: ignore[arg-type]
        self.topology = topology
        self.scenario = push(topology, origin, receivers, schemes=options)
        self.routes = IgpRoutes(topology.graph)
        self.scheme = Bier(self.scenario, self.routes)
        self.demand = self.wanted(self.routes)
        self.plan = self.scheme.install(self.routes, self.demand)

    def wanted(self, routes: IgpRoutes) -> Demand:
        return demand(self.scenario, routes, self.scenario.transfers[0])

    def moved(self, igp: Igp) -> Transition:
        (found,) = self.scheme.transition(igp, [(self.demand, self.plan)], [self.wanted(igp.after)])
        return found

    def course(self, igp: Igp) -> list[Flight]:
        return flights(Forwarding(self.scheme, igp, self.plan, ()), self.plan.flows[0])

    def gap(self, igp: Igp, name: str) -> Gap:
        (found,) = gaps(self.course(igp), self.topology.node(name))
        return found


def ms(a: str, b: str, metric: int = 1):  # type: ignore[no-untyped-def]
    return link(a, b, metric, delay_s=metric * MS)


def told(updates: list[Update]) -> list[tuple[float, str]]:
    return [(round((each.at_s - 10) / MS, 6), each.cause.stage) for each in updates]


def down(*arcs: Arc) -> dict[Arc, tuple[tuple[float, float], ...]]:
    return dict.fromkeys(arcs, FOREVER)


# s - a - t, 1 ms each, and s - b - t, 2 ms each.
DIAMOND = network(ms("s", "a"), ms("a", "t"), ms("s", "b", 2), ms("b", "t", 2))
S, A, B, T = (DIAMOND.node(name) for name in "sabt")


def test_rows_are_written_after_the_fib() -> None:
    """FIB at 100 ms, 4 rows x 150 us: BIFT at 100.6 ms; the chain of causes goes on."""
    case = Case(DIAMOND, "s", "t")
    after = case.routes.without(both(DIAMOND, "at"))
    igp = HandIgp(case.routes, {}, flips={S: [flip(10.100, S, after)]}, rows=4)
    (update,) = case.scheme.forwarding(igp, S)
    assert update.at_s == pytest.approx(10.1006)
    assert update.routes is after
    assert update.cause.before is igp.flips(S)[0].cause


def test_a_flip_waits_for_the_rows_of_the_one_before() -> None:
    """Flips at 100 and 100.2 ms, 4 rows each: written at 100.6 and, one after the other, 101.2."""
    case = Case(DIAMOND, "s", "t")
    first = case.routes.without(both(DIAMOND, "at"))
    second = case.routes.without(both(DIAMOND, "at", "sb"))
    igp = HandIgp(
        case.routes, {}, flips={S: [flip(10.100, S, first), flip(10.1002, S, second)]}, rows=4
    )
    assert told(list(case.scheme.forwarding(igp, S))) == [(100.6, "bift"), (101.2, "bift")]


def test_the_interface_is_out_of_the_bift_at_detection() -> None:
    """s notices at 10 ms that s-a is down and drops from then on; the FIB comes at 70 ms, 2 rows
    make 0.3 ms. t, 2 ms away over a and 4 ms over b, misses what s sent from 9.999 s (1 ms before
    the failure: it was on the link) to 70.3 ms."""
    case = Case(DIAMOND, "s", "t")
    cut = both(DIAMOND, "sa")
    after = case.routes.without(cut)
    igp = HandIgp(
        case.routes,
        down(*cut),
        own={S: [(10.010, cut)]},
        flips={S: [flip(10.070, S, after)]},
        rows=2,
    )
    assert told(list(case.scheme.forwarding(igp, S))) == [(10, "detection"), (70.3, "bift")]
    gap = case.gap(igp, "t")
    assert (gap.sent_from_s, gap.sent_to_s) == (pytest.approx(9.999), pytest.approx(10.0703))
    assert [drop.reason for each in gap.flights for drop in each.drops] == [
        "lost on a link that is down",
        "no route",
    ]


def protected(case: Case, *cut: str, plr: Node = S, dead: str | None = None) -> HandIgp:
    """The PLR notices at 10 ms; its IGP, and everybody's, is ready at 70 ms with 2 rows."""
    arcs = both(case.topology, *cut)
    graph = case.topology.graph
    own = frozenset(arc for arc in arcs if plr in (graph.tail[arc], graph.head[arc]))
    after = case.routes.without(arcs)
    return HandIgp(
        case.routes,
        down(*arcs),
        own={plr: [(10.010, own)]},
        flips={node: [flip(10.070, node, after)] for node in range(graph.size)},
        rows=2,
        dead={case.topology.node(dead): FOREVER} if dead else None,
    )


def test_a_tunnel_to_the_same_neighbour() -> None:
    """s-a goes. From 10 + 5 ms on s sends packets for a in a tunnel over b and t, who do not look
    into it, and a sends t's back to t: t gets them after 2 + 2 + 1 + 1 = 6 ms. At 70.3 ms s's own
    BIFT leads t's over b. The tunnel costs 80 B on its three arcs."""
    case = Case(DIAMOND, "s", "a", "t", frr="tunnel")
    igp = protected(case, "sa")
    assert told(list(case.scheme.forwarding(igp, S))) == [
        (10, "detection"),
        (15, "protect"),
        (70.3, "bift"),
    ]
    gap = case.gap(igp, "t")
    assert (gap.sent_from_s, gap.sent_to_s) == (pytest.approx(9.999), pytest.approx(10.015))
    assert gap.stages["protect"] == pytest.approx(0.005)
    (during,) = [each for each in case.course(igp) if each.from_s == pytest.approx(10.015)]
    assert during.arrivals == {A: (1, pytest.approx(0.005)), T: (1, pytest.approx(0.006))}
    names = {DIAMOND.arc_name(arc): copies for arc, copies in during.copies.items()}
    assert names == {"s->b": 1, "b->t": 1, "t->a": 1, "a->t": 1}
    headers = {DIAMOND.arc_name(arc): size for arc, size in during.headers.items()}
    assert headers == {"s->b": 124, "b->t": 124, "t->a": 124, "a->t": 44}
    assert case.moved(igp).notes == (
        "push: BIER-FRR (tunnel) covers 2 of 2 BFERs behind the failure",
    )


def test_a_backup_waits_for_a_second_interface_that_goes_meanwhile() -> None:
    """s loses s-a, noticed at 10 ms, and s-b at 12 ms, 2 ms into the 5 that a backup takes: what
    comes at 17 ms is computed without both, and there is nothing at 15 ms."""
    case = Case(DIAMOND, "s", "t", frr="lfa")
    first, second = both(DIAMOND, "sa"), both(DIAMOND, "sa", "sb")
    igp = HandIgp(case.routes, down(*second), own={S: [(10.010, first), (10.012, second)]})
    assert told(list(case.scheme.forwarding(igp, S))) == [
        (10, "detection"),
        (12, "detection"),
        (17, "protect"),
    ]


def test_the_underlay_protects_nothing_in_the_bift() -> None:
    """Whatever backups the FIB has meanwhile, without BIER-FRR the BIFT has none."""
    case = Case(DIAMOND, "s", "t")
    igp = protected(case, "sa")
    backup = Update(10.015, S, Cause("down", 10.0).then("protect", 10.015), igp.after)
    fib = HandIgp(
        case.routes,
        igp.down,
        own={S: [(10.010, both(DIAMOND, "sa"))]},
        flips={S: [backup, *igp.flips(S)]},
    )
    assert case.gap(fib, "t").sent_to_s == pytest.approx(10.070)


def test_lfa_where_there_is_one() -> None:
    """a and t receive, s-a goes. b is loop-free towards t: 2 < 2 + 2 (its way back to s, then s's);
    towards a: from b to a it is 3 over t or 3 over s, not less than 2 + 1. So t is covered, at
    15 ms, and a waits for the BIFT at 70.3 ms."""
    case = Case(DIAMOND, "s", "a", "t", frr="lfa")
    igp = protected(case, "sa")
    assert case.gap(igp, "t").sent_to_s == pytest.approx(10.015)
    assert case.gap(igp, "a").sent_to_s == pytest.approx(10.0703)
    assert case.moved(igp).notes == (
        "push: BIER-FRR (lfa) covers 1 of 2 BFERs behind the failure; not a (no LFA at s)",
    )


def test_a_tunnel_does_not_cover_the_neighbour_itself_but_an_lfa_may() -> None:
    """a dies, a and t receive. The tunnel ends at a: t waits for the BIFT. As an LFA towards t, b
    does not pass a. Nothing covers a, which is a BFER that failed itself."""
    case = Case(DIAMOND, "s", "a", "t", frr="tunnel")
    igp = protected(case, "sa", "at", dead="a")
    assert case.gap(igp, "t").sent_to_s == pytest.approx(10.0703)
    assert case.moved(igp).notes == (
        "push: BIER-FRR (tunnel) covers 0 of 2 BFERs behind the failure; not a (it failed itself),"
        " t (the BFR-NBR a failed)",
    )
    case = Case(DIAMOND, "s", "a", "t", frr="lfa")
    assert case.gap(protected(case, "sa", "at", dead="a"), "t").sent_to_s == pytest.approx(10.015)
    assert case.moved(igp).notes == (
        "push: BIER-FRR (lfa) covers 1 of 2 BFERs behind the failure; not a (it failed itself)",
    )


def test_a_second_link_to_the_neighbour_needs_no_tunnel() -> None:
    """s and t are joined by two links, 1 and 5 ms. When the first goes, packets for t take the
    other one as they are: 12 + 256/8 = 44 B."""
    pair = network(
        link("s", "t", 1, delay_s=MS, tag="#1"), link("s", "t", 5, delay_s=5 * MS, tag="#2")
    )
    case = Case(pair, "s", "t", frr="tunnel")
    fast = frozenset(arc for arc in both(pair, "st") if pair.links[arc >> 1].id.endswith("#1"))
    s, t = pair.node("s"), pair.node("t")
    igp = HandIgp(case.routes, down(*fast), own={s: [(10.010, fast)]})
    gap = case.gap(igp, "t")
    assert gap.sent_to_s == pytest.approx(10.015)
    last = case.course(igp)[-1]
    assert last.arrivals == {t: (1, pytest.approx(0.005))}
    assert set(last.headers.values()) == {44}


def test_no_other_way() -> None:
    """s - a - b in a row: nothing leads around a-b."""
    row = network(ms("s", "a"), ms("a", "b"))
    case = Case(row, "s", "a", "b", frr="tunnel")
    igp = protected(case, "ab", plr=row.node("a"))
    assert case.moved(igp).notes == (
        "push: BIER-FRR (tunnel) covers 0 of 1 BFERs behind the failure; not b (no other way)",
    )
    assert gaps(case.course(igp), row.node("a")) == []


def test_after_the_last_instant_a_bfr_forwards_by_the_routes_after() -> None:
    for frr in ("none", "tunnel", "lfa"):
        case = Case(DIAMOND, "s", "a", "t", frr=frr)
        igp = protected(case, "sa")
        for node in (S, A, B, T):
            assert case.scheme.forwarding(igp, node)[-1].routes is igp.flips(node)[-1].routes
        assert case.moved(igp).updates == ()


def test_one_write_after_the_igp() -> None:
    """The real IGP, carrier: s notices at 10 ms, SPF from 60 to 65 ms, one route (to t; a is no PE)
    in the FIB at 65.15 ms and one row in the BIFT at 65.30 ms. t is 4 ms away over b."""
    case = Case(DIAMOND, "s", "t")
    link_id = DIAMOND.links[next(iter(both(DIAMOND, "sa"))) >> 1].id
    igp = LinkState(case.scenario, case.routes, [Failure(10.0, (link_id,))])
    assert told(list(case.scheme.forwarding(igp, S))) == [(10, "detection"), (65.3, "bift")]
    gap = case.gap(igp, "t")
    assert gap.sent_to_s == pytest.approx(10.0653)
    assert gap.to_s == pytest.approx(10.0693)
    assert gap.stages["fib"] == pytest.approx(0.00015)
    assert gap.stages["bift"] == pytest.approx(0.00015)


def test_a_bfr_that_starts_again_knows_nothing_at_first() -> None:
    """a dies at 10 s and is back at 20 s, its adjacencies at 21 s. Its BIFT is empty from 20 s on;
    SPF from 21.050 to 21.055, two routes (s, t): FIB at 55.3 ms, BIFT at 55.6 ms after 21 s."""
    case = Case(DIAMOND, "s", "t")
    igp = LinkState(case.scenario, case.routes, [Failure(10.0, nodes=("a",), up_at_s=20.0)])
    found = case.scheme.forwarding(igp, A)
    first, last = found[0], found[-1]
    assert first.at_s == 20.0 and first.routes is not None
    assert first.routes.next_arc(A, T) is None
    assert last.routes is not None and last.routes.next_arc(A, T) is not None
    assert (last.at_s, last.cause.stage) == (pytest.approx(21.0556), "bift")
