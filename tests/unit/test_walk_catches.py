"""Tables made wrong by hand: what the walk says of each."""

from __future__ import annotations

from collections.abc import Hashable

from mcastplan.dataplane.walk import EXPIRED, MAX_TTL, Walk, faults, walk_plan, walk_tables
from mcastplan.model.plan import Entry, Flow, Hop, Key, Native, ReplicationPlan, Steer, Table
from mcastplan.model.topology import Arc, Node, Topology
from mcastplan.schemes.bift import BierPacket, BiftRow, forward_bits
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import link, network

# s - a - b     a triangle below the source, and a receiver r behind b
#      \ / \
#       c   r
NET = network(link("s", "a"), link("a", "b"), link("a", "c"), link("b", "c"), link("b", "r"))
S, A, B, C, R = (NET.node(name) for name in "sabcr")
SG: Key = ("S,G", "push")


def arc(topology: Topology, tail: str, head: str) -> Arc:
    graph = topology.graph
    u, v = topology.node(tail), topology.node(head)
    return next(
        each for each in range(len(graph.head)) if (graph.tail[each], graph.head[each]) == (u, v)
    )


SA, AB, AC, CB, BC, BR, CA = (
    arc(NET, *ends) for ends in ("sa", "ab", "ac", "cb", "bc", "br", "ca")
)


def flow(*receivers: Node) -> Flow:
    return Flow("push", (SG,), ("cloud",), tuple(sorted(receivers)), 1)


def mroutes(entries: dict[Node, Entry], *receivers: Node) -> tuple[Walk, tuple[str, ...]]:
    plan = ReplicationPlan(
        "push",
        ((S, SG),),
        (flow(*receivers),),
        0,
        {(at, SG): entry for at, entry in entries.items()},
    )
    found = walk_plan(plan, IgpRoutes(NET.graph), plan.flows[0])
    return found, faults(NET.graph, plan.flows[0], found)


GOOD = {
    S: Entry((SA,)),
    A: Entry((AB,), SA),
    B: Entry((BR,), AB),
    R: Entry((), BR, local=True),
}


def test_the_right_tables_have_no_fault() -> None:
    assert mroutes(GOOD, R)[1] == ()


def test_black_hole_without_state() -> None:
    missing = {node: entry for node, entry in GOOD.items() if node != B}
    assert mroutes(missing, R)[1] == ("r receives nothing", "dropped at b: no state")


def test_duplicate_when_nobody_checks_the_interface() -> None:
    """a sends to b directly and through c; without an RPF check b forwards both copies."""
    wrong = GOOD | {A: Entry((AB, AC), SA), C: Entry((CB,), AC), B: Entry((BR,), None)}
    assert mroutes(wrong, R)[1] == ("r receives 2 copies",)


def test_the_rpf_check_stops_that_duplicate() -> None:
    checked = GOOD | {A: Entry((AB, AC), SA), C: Entry((CB,), AC)}
    assert mroutes(checked, R)[1] == ("dropped at b: RPF check: wrong interface",)


def test_loop_ends_at_the_ttl_and_floods_its_receivers() -> None:
    """a -> b -> c -> a without RPF checks: every third hop b sends another copy to r."""
    loop = GOOD | {A: Entry((AB,)), B: Entry((BR, BC)), C: Entry((CA,))}
    found, said = mroutes(loop, R)
    # b is reached over the 2nd, 5th, 8th ... of MAX_TTL arcs; r is one arc further.
    assert found.delivered[R] == len(range(2, MAX_TTL, 3))
    assert f"r receives {found.delivered[R]} copies" in said
    assert any(EXPIRED in each for each in said)


def test_somebody_who_is_no_receiver() -> None:
    wrong = GOOD | {A: Entry((AB, AC), SA), C: Entry((), AC, local=True)}
    assert mroutes(wrong, R)[1] == ("c receives and is no receiver",)


def test_no_route_to_a_steered_destination() -> None:
    apart = network(link("s", "a"), extra=("z",))
    z, s = apart.node("z"), apart.node("s")
    key: Key = ("pull", "z")
    plan = ReplicationPlan(
        "push", ((s, Steer(key, (z,))),), (Flow("z", (key,), ("cloud",), (z,), 1),), 0, {}
    )
    found = walk_plan(plan, IgpRoutes(apart.graph), plan.flows[0])
    assert faults(apart.graph, plan.flows[0], found) == (
        "z receives nothing",
        "dropped at s: no route",
    )


class HandMade:
    """A BIFT as written; imposes all bits of ``bits`` at the source."""

    def __init__(self, node: Node, rows: dict[int, BiftRow], bits: int) -> None:
        self._node, self._rows, self._bits = node, rows, bits

    def forward(self, arrived: Arc | None, packet: Hashable) -> Hop:
        if isinstance(packet, Native):
            packet = BierPacket(0, self._bits, None, 0)
        assert isinstance(packet, BierPacket)
        return forward_bits(self._rows, packet)

    def sections(self) -> tuple[()]:
        return ()


def bier(f_bm_at_a: int) -> tuple[str, ...]:
    """Bits 1 = b, 2 = r. Both lie behind b, so a's F-BM for either must be 0b11."""
    tables: dict[Node, Table] = {
        S: HandMade(S, {1: BiftRow(B, 0b11, SA), 2: BiftRow(R, 0b11, SA)}, 0b11),
        A: HandMade(A, {1: BiftRow(B, f_bm_at_a, AB), 2: BiftRow(R, 0b11, AB)}, 0),
        B: HandMade(B, {1: BiftRow(B, 0b01, None), 2: BiftRow(R, 0b10, BR)}, 0),
        R: HandMade(R, {2: BiftRow(R, 0b10, None)}, 0),
    }
    wanted = flow(B, R)
    return faults(NET.graph, wanted, walk_tables(NET.graph, tables.__getitem__, S, wanted))


def test_right_f_bm() -> None:
    assert bier(0b11) == ()


def test_f_bm_that_does_not_clear_makes_a_duplicate() -> None:
    """a's row for b clears only its own bit and copies only it; but its row for r still copies
    both bits, of which b's is gone: harmless. Copying both and clearing one is not."""
    assert bier(0b01) == ()

    class NotCleared(HandMade):
        def forward(self, arrived: Arc | None, packet: Hashable) -> Hop:
            assert isinstance(packet, BierPacket)
            copies = tuple(
                (AB, BierPacket(0, packet.bits & row.f_bm, None, 0)) for row in self._rows.values()
            )
            return Hop(copies)

    rows = {1: BiftRow(B, 0b11, AB), 2: BiftRow(R, 0b11, AB)}
    tables: dict[Node, Table] = {
        S: HandMade(S, {1: BiftRow(B, 0b11, SA), 2: BiftRow(R, 0b11, SA)}, 0b11),
        A: NotCleared(A, rows, 0),
        B: HandMade(B, {1: BiftRow(B, 0b01, None), 2: BiftRow(R, 0b10, BR)}, 0),
        R: HandMade(R, {2: BiftRow(R, 0b10, None)}, 0),
    }
    wanted = flow(B, R)
    said = faults(NET.graph, wanted, walk_tables(NET.graph, tables.__getitem__, S, wanted))
    assert said == ("b receives 2 copies", "r receives 2 copies")


def test_bit_that_no_row_knows() -> None:
    hop = forward_bits({}, BierPacket(0, 0b100, None, 0))
    assert hop.drops == ("bit without a BIFT entry",)
