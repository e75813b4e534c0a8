"""The capture is what the tables forward: the same copies, the same bytes, the same state."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcastplan.dataplane.walk import walk_plan
from mcastplan.errors import InfeasibleError, UsageError
from mcastplan.model.scenario import BierOptions, PimOptions, Scenario, SchemeOptions, SrP2mpOptions
from mcastplan.schemes import SCHEMES
from mcastplan.schemes.bier import Bier
from mcastplan.study.compare import compare
from mcastplan.study.plan import plan, prepare
from mcastplan.wire.bier import BierHeader
from mcastplan.wire.capture import ENOUGH_FRAMES, capture
from mcastplan.wire.frames import SHOWN
from tests.networks import link, network, push, scenarios
from tests.wire.reading import Seen, read

NAMES = [kind.name for kind in SCHEMES]
FCS_PREAMBLE_GAP = 24  # of the 38 B outside the MTU; the other 14 are in a frame

#      s -- a -- b       b, c and d receive; the way to d is s-a-c-d
#           |
#           c -- d
TREE = network(
    link("s", "a", delay_s=0.001),
    link("a", "b", delay_s=0.002),
    link("a", "c", delay_s=0.003),
    link("c", "d", delay_s=0.004),
)


def frames(scenario: Scenario, scheme: str, to: tuple[str, ...] | None = None) -> list[Seen]:
    return read(capture(scenario, scheme, to).data)[1]


def on(seen: list[Seen], arc: str) -> Seen:
    (only,) = [frame for frame in seen if frame.arc == arc]
    return only


def test_bier_bit_by_bit() -> None:
    """PEs b, c, d, s have BFR-ids 1, 2, 3, 4. The packet leaves with 0111; a sends 0001 to b and
    0110 to c; c takes its own bit off and sends 0100 to d. Each router takes one off the TTL."""
    seen = frames(push(TREE, "s", ("b", "c", "d")), "bier")
    assert [frame.arc for frame in seen] == [
        *("origin:push->s", "s->a", "a->b", "a->c"),
        *("b->cloud:c000-b", "c->cloud:c001-c", "c->d", "d->cloud:c002-d"),
    ]
    for arc, bits, ttl in (
        ("s->a", 0b0111, 255),
        ("a->b", 0b0001, 254),
        ("a->c", 0b0110, 254),
        ("c->d", 0b0100, 253),
    ):
        data = on(seen, arc).data
        assert data[12:14] == b"\xab\x37"
        header = BierHeader.decode(data[14:])
        assert (header.bits, header.ttl, header.bfir_id, header.bift_id) == (bits, ttl, 4, 0x30000)
        assert data[14 + 44 + 8] == 254  # the IPv4 TTL inside, which the BFIR decremented
    assert on(seen, "d->cloud:c002-d").data[14 + 8] == 253
    assert [round(frame.at_ns / 1e6) for frame in seen] == [0, 0, 1, 1, 3, 4, 4, 8]


def test_what_is_kept_and_what_was_on_the_wire() -> None:
    seen = frames(push(TREE, "s", ("b",)), "bier")
    frame = on(seen, "a->b")
    assert frame.wire_bytes == 9000 + 14
    assert frame.data.endswith(SHOWN)
    assert len(frame.data) == 14 + 44 + 28 + len(SHOWN)
    assert on(seen, "origin:push->s").wire_bytes == 9000 - 44 + 14
    assert frame.comment == "push, hop 2"


def test_an_mtu_smaller_than_what_is_shown() -> None:
    scenario = push(TREE, "s", ("b",), mtu=44 + 28 + 5)
    assert on(frames(scenario, "bier"), "a->b").data.endswith(SHOWN[:5])


def test_srv6_carries_the_sids_of_the_plan() -> None:
    scenario = push(TREE, "s", ("b", "c", "d"))
    seen = frames(scenario, "sr-p2mp")
    rows = {
        node.name: node.tables[0].rows[0][0]
        for node in plan(scenario, "sr-p2mp").nodes
        if node.name != "s"
    }
    assert rows["d"] == "fcbb:bb00:4:e001::"
    for arc, dest in (("s->a", "a"), ("a->b", "b"), ("a->c", "c"), ("c->d", "d")):
        data = on(seen, arc).data
        groups = [f"{int.from_bytes(data[at : at + 2], 'big'):x}" for at in range(38, 46, 2)]
        assert ":".join(groups) + "::" == rows[dest]
        assert data[22:26] == bytes.fromhex("fcbbbb00")  # the source stays the root's
        assert data[26:28] == (5).to_bytes(2, "big")


#   s 3 b, s 4 c, b 3 c, b 2 a, a 1 c: the tree is s-b and b-c, but b's own way to c is over a,
#   as short and the smaller name. So b pins the adjacency to c.
PINNED = push(
    network(
        link("s", "b", 3),
        link("s", "c", 4),
        link("b", "c", 3),
        link("b", "a", 2),
        link("a", "c", 1),
    ),
    "s",
    ("b", "c"),
)


def test_srv6_pins_an_adjacency_with_an_srh() -> None:
    """End.X of b has used up the segment before the last: none is left, and the list and the
    destination both hold the Replication-SID of c (node 2, so 3 in the locator)."""
    seen = frames(PINNED, "sr-p2mp")
    sid = bytes.fromhex("fcbbbb000003e001") + bytes(8)
    plain, over = on(seen, "s->b"), on(seen, "b->c")
    assert over.wire_bytes == plain.wire_bytes + 24 == 9000 + 14
    assert plain.data[14 + 6] == 4  # next header: IPv4
    assert over.data[14 + 6] == 43  # next header: routing
    assert over.data[14 + 24 : 14 + 40] == sid
    assert over.data[14 + 40 : 14 + 64] == bytes.fromhex("0402040000000000") + sid
    assert over.data[14 + 4 : 14 + 6] == (9000 - 40).to_bytes(2, "big")


def test_mpls_labels() -> None:
    """s has one branch, to a, adjacent; a branches to b and c. With b alone the branch from s goes
    to b, two hops away: its Node-SID on top, whose TTL a decrements, and b's label untouched."""
    options = SchemeOptions(sr_p2mp=SrP2mpOptions(dataplane="mpls"))
    seen = frames(push(TREE, "s", ("b",), schemes=options), "sr-p2mp")
    # Node-SID of b: 16001 = 03e81 (a, b, c, d, s are 0 to 4); tree 1: 500001 = 7a121.
    assert on(seen, "s->a").data[12:22] == bytes.fromhex("8847 03e810ff 7a1211ff")
    assert on(seen, "a->b").data[12:22] == bytes.fromhex("8847 03e810fe 7a1211ff")
    seen = frames(push(TREE, "s", ("b", "c"), schemes=options), "sr-p2mp")
    assert on(seen, "s->a").data[12:18] == bytes.fromhex("8847 7a1211ff")
    assert on(seen, "a->c").data[12:18] == bytes.fromhex("8847 7a1211fe")


def test_pim_is_native_and_counts_down() -> None:
    seen = frames(push(TREE, "s", ("d",)), "pim-sm")
    ttls = [frame.data[14 + 8] for frame in seen]
    assert ttls == [255, 254, 253, 252, 251]
    assert all(frame.data[:6] == bytes.fromhex("01005e010001") for frame in seen)


def test_asm_shows_register_shared_tree_and_source_tree() -> None:
    options = SchemeOptions(pim_sm=PimOptions(mode="asm", rp="c"))
    seen = frames(push(TREE, "s", ("b",), schemes=options), "pim-sm")
    phases = {frame.comment.split(", ")[1] for frame in seen}
    assert phases == {"phase register", "phase rpt", "phase spt"}
    register = [frame for frame in seen if "phase register" in frame.comment]
    assert [frame.arc for frame in register] == [
        *("origin:push->s", "s->a", "a->c", "c->a", "a->b", "b->cloud:c000-b"),
    ]
    tunnelled = register[2].data
    assert tunnelled[14 + 9] == 103
    assert tunnelled[14 + 16 : 14 + 20] == bytes((10, 0, 0, 3))  # c, the RP
    assert tunnelled[34:42] == bytes.fromhex("2100deff00000000")
    assert tunnelled[42 + 8] == 254  # the source's PE took one off before it encapsulated
    assert register[3].data[14 + 8] == 253  # and so did the RP
    assert {frame.at_ns // 10**9 for frame in seen if "spt" in frame.comment} == {2}


def test_ingress_replication_bridges() -> None:
    """Neither TTL nor MAC of the frame inside changes; the origin's own PE needs no tunnel."""
    seen = frames(push(TREE, "s", ("s", "d")), "ingress-replication")
    assert [frame.arc for frame in seen if "->cloud" in frame.arc] == [
        "s->cloud:c000-s",
        "d->cloud:c001-d",
    ]
    inner = on(seen, "c->d").data[14 + 36 :]
    assert inner == on(seen, "d->cloud:c001-d").data == on(seen, "origin:push->s").data
    assert on(seen, "c->d").data[14 + 8] == 253


def test_pulls_are_one_packet_each_and_bounded() -> None:
    scenario = push(TREE, "s", ("b", "d"))
    one = msgspec.structs.replace(scenario.clouds[0], replicas=8)
    scenario = msgspec.structs.replace(scenario, clouds=(one, scenario.clouds[1]))
    made = capture(scenario, "unicast")
    assert (made.packets, made.all_packets) == (2, 2)
    (hop,) = [frame for frame in read(made.data)[1] if frame.arc == "a->b"]
    assert hop.comment == "push/c000-b, one of 8 pulls, hop 2"
    many = capture(push(TREE, "s", ("d",) * 300), "unicast")
    assert (many.packets, many.all_packets) == (ENOUGH_FRAMES // 5, 300)
    assert many.frames == ENOUGH_FRAMES


def test_a_path_longer_than_a_ttl_ends_the_packet() -> None:
    names = [f"r{number:03}" for number in range(300)]
    chain = network(*(link(a, b) for a, b in pairwise(names)))
    made = capture(push(chain, "r000", ("r010", "r299")), "bier")
    assert made.expired == 1
    assert made.frames == 1 + 255 + 1  # origin, TTL 255 down to 1, the near cloud


def test_chosen_receivers_keep_their_bfr_ids() -> None:
    scenario = push(TREE, "s", ("b", "c", "d"))
    seen = frames(scenario, "bier", ("c002-d",))
    assert [frame.arc for frame in seen] == [
        *("origin:push->s", "s->a", "a->c", "c->d", "d->cloud:c002-d"),
    ]
    assert BierHeader.decode(on(seen, "s->a").data[14:]).bits == 0b100
    shown = plan(scenario, "bier", to=("c002-d",))
    assert shown.transfers[0].imposed == ("SI 0 BitString 0x4 (1 BFERs)",)


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (("c002-x",), "no cloud 'c002-x' in scenario test; did you mean 'c002-d'"),
        (("zz",), "no cloud 'zz' in scenario test$"),
        ((), "at least one receiving cloud"),
    ],
)
def test_receivers_that_do_not_exist(to: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        capture(push(TREE, "s", ("b", "c", "d")), "bier", to)


def test_a_cloud_that_receives_nothing_and_a_transfer_to_nobody() -> None:
    scenario = push(TREE, "s", ("b", "c", "d"))
    first = msgspec.structs.replace(scenario.transfers[0], clouds=("c000-b",))
    second = msgspec.structs.replace(first, name="second", clouds=("c001-c",))
    scenario = msgspec.structs.replace(scenario, transfers=(first, second))
    with pytest.raises(UsageError, match="'c002-d' receives no transfer"):
        capture(scenario, "pim-sm", ("c002-d",))
    for scheme in NAMES:
        seen = frames(scenario, scheme, ("c001-c",))
        assert {frame.comment.split(",")[0].split("/")[0] for frame in seen} == {"second"}
        (only,) = plan(scenario, scheme, to=("c001-c",)).transfers
        assert (only.name, only.receivers) == ("second", ("c",))


def encodable(scenario: Scenario) -> Scenario:
    """The same with a BitString length that exists."""
    bier = msgspec.structs.replace(scenario.schemes.bier, bsl=64)
    schemes = msgspec.structs.replace(scenario.schemes, bier=bier)
    return msgspec.structs.replace(scenario, schemes=schemes)


@given(scenarios().map(encodable), st.sampled_from(NAMES))
def test_a_capture_is_the_walk(scenario: Scenario, scheme: str) -> None:
    """Per core arc as many frames as the plan has copies there (in its last phase), each as long as
    the wire bytes say, and one frame on every receiving cloud's access arc per pull shown."""
    try:
        context, installed = prepare(scenario, scheme)
    except InfeasibleError:
        return
    made = capture(scenario, scheme)
    interfaces, seen = read(made.data)
    assert (len(seen), len(interfaces)) == (made.frames, made.arcs)
    assert made.expired == 0
    assert made.packets == made.all_packets
    last = "phase spt" if scenario.schemes.pim_sm.spt_switchover else "phase rpt"
    asm = scheme == "pim-sm" and scenario.schemes.pim_sm.mode == "asm"
    steady = [frame for frame in seen if not asm or last in frame.comment]
    copies: Counter[str] = Counter()
    wire_bytes = 0
    for _, each in installed.plans:
        for flow in each.flows:
            walked = walk_plan(each, context.routes, flow)
            for arc, number in walked.copies.items():
                copies[scenario.topology.arc_name(arc)] += number
            payload = scenario.mtu - each.inner_bytes - each.header_bytes
            bare = payload + each.inner_bytes + 14
            wire_bytes += bare * sum(walked.copies.values()) + sum(walked.headers.values())
    core = [frame for frame in steady if "cloud:" not in frame.arc and "origin:" not in frame.arc]
    assert Counter(frame.arc for frame in core) == copies
    assert sum(frame.wire_bytes for frame in core) == wire_bytes
    received = Counter(
        frame.arc.partition("->cloud:")[2] for frame in steady if ">cloud" in frame.arc
    )
    wanted: Counter[str] = Counter()
    for _, each in installed.plans:
        for flow in each.flows:
            wanted.update(flow.clouds)
    assert received == wanted


@pytest.mark.parametrize("scheme", NAMES)
def test_bytes_are_those_of_the_comparison(scheme: str) -> None:
    """Core wire bytes of the result = frames with their 24 B of FCS, preamble and gap, once for
    every payload of the transfer."""
    options = SchemeOptions(only=(scheme,), bier=BierOptions(bsl=64))
    scenario = push(TREE, "s", ("b", "c", "d"), schemes=options)
    (row,) = compare(scenario).schemes
    assert row.totals is not None
    _, installed = prepare(scenario, scheme)
    ((_, each),) = installed.plans
    payload = scenario.mtu - each.inner_bytes - each.header_bytes
    core = [f for f in frames(scenario, scheme) if ":" not in f.arc]
    on_wire = sum(frame.wire_bytes + FCS_PREAMBLE_GAP for frame in core)
    size = scenario.transfers[0].size_bytes
    assert row.totals.wire_bytes == pytest.approx(size / payload * on_wire, rel=1e-12)


def test_the_same_bytes_every_time() -> None:
    scenario = push(TREE, "s", ("b", "c", "d"))
    for scheme in NAMES:
        assert capture(scenario, scheme).data == capture(scenario, scheme).data


def test_interfaces_are_arcs() -> None:
    parallel = network(link("s", "a", tag="#1"), link("s", "a", tag="#2"), link("a", "b"))
    interfaces, _ = read(capture(push(parallel, "s", ("b",), ingress_gbps=10), "bier").data)
    assert [each[2].decode() for each in interfaces] == [
        *("origin:push->s", "s->a (a--s#1)", "a->b", "b->cloud:c000-b"),
    ]
    assert [each[3].decode() for each in interfaces] == [
        *("access arc", "core arc, link a--s#1", "core arc, link a--b", "access arc"),
    ]
    speeds = [int.from_bytes(each.get(8, b""), "little") for each in interfaces]
    assert speeds == [0, 100 * 10**9, 100 * 10**9, 10 * 10**9]  # the origin's is unlimited
    assert {each[9] for each in interfaces} == {b"\x09"}


def test_several_set_identifiers_are_several_packets() -> None:
    """70 BFERs behind one arc at BSL 64: two packets there, SI 0 and 1."""
    names = tuple(f"r{number:02}" for number in range(70))
    net = network(link("s", "hub"), *(link("hub", name) for name in names))
    scenario = push(net, "s", names, schemes=SchemeOptions(bier=BierOptions(bsl=64)))
    headers = [
        BierHeader.decode(frame.data[14:])
        for frame in frames(scenario, "bier")
        if frame.arc == "s->hub"
    ]
    assert [header.bift_id for header in headers] == [0x10000, 0x10001]
    assert [header.bits.bit_count() for header in headers] == [64, 6]
    scheme = Bier(scenario, prepare(scenario, "bier")[0].routes)
    assert scheme.bfr_id[net.node("s")] == 71
    assert {header.bfir_id for header in headers} == {71}
