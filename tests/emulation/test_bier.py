"""BIER in eBPF against RFC 8279, RFC 8296, bytes made by hand, and the planner's decoder."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulation.bier_node import INNER_PACKETS, checksum, ipv4
from tests.emulation.sandboxed import in_sandbox

# IPv4 from 198.18.1.2 to 232.1.0.1, UDP 4000 to 1044 without checksum, payload "hello". TTL and
# header checksum as they leave the origin (64), the BFIR and a BFER.
_INNER = {
    64: "450000210007000040 11 cbae c6120102 e8010001 0fa00414000d0000 68656c6c6f",
    63: "45000021000700003f 11 ccae c6120102 e8010001 0fa00414000d0000 68656c6c6f",
}
INNER = {ttl: text.replace(" ", "") for ttl, text in _INNER.items()}
ID_64 = "10000"  # BIFT-id: BSL code 1, sub-domain 0, SI 0


def header(bits: str, ttl: int = 9, number: str = ID_64, code: int = 1) -> str:
    """RFC 8296: BIFT-id, TC 0, S 1, TTL; Nibble 0, Ver 0, BSL, entropy 12345; Proto 4; BFIR 4."""
    return f"{number}1{ttl:02x}00{code}123450004 0004".replace(" ", "") + bits


def frame(neighbour: int, rest: str) -> str:
    """To the neighbour's MAC, from the port's own, ethertype AB37."""
    return f"02000000080{neighbour} 02000000000{neighbour} ab37".replace(" ", "") + rest


def site(number: int, inner: str) -> str:
    return f"01005e010001 02000000010{number - 1} 0800".replace(" ", "") + inner


def transit(
    packets: list[str], bsl: int = 64, rows: dict[int, int] | None = None
) -> dict[str, Any]:
    rows = {1: 1, 2: 1, 3: 2, 4: -1, 5: 3} if rows is None else rows
    code = bsl.bit_length() - 6
    out: dict[str, Any] = in_sandbox("bier_jobs:transit", packets, bsl, rows, code << 16)
    return out


def test_copies_carry_the_neighbours_bits_and_the_bfer_unwraps_its_own(lab: None) -> None:
    out = transit([header("000000000000001f") + INNER[64]])
    assert out == {
        "heard": {
            "we1": [frame(1, header("0000000000000003", 8) + INNER[64])],
            "we2": [frame(2, header("0000000000000004", 8) + INNER[64])],
            "we3": [frame(3, header("0000000000000010", 8) + INNER[64])],
            "wc1": [site(1, INNER[63])],
            "wc2": [site(2, INNER[63])],
        },
        "drops": {},
    }


def test_bits_that_nobody_owns_are_counted_and_hold_nobody_up(lab: None) -> None:
    """Bits 64 and 9 have no row, bit 3 has."""
    out = transit([header("8000000000000104") + INNER[64]])
    assert out["heard"] == {"we2": [frame(2, header("0000000000000004", 8) + INNER[64])]}
    assert out["drops"] == {"bit without a BIFT entry": 1}


def test_what_the_bift_sends_back_goes_back(lab: None) -> None:
    """RFC 8279 has no split horizon."""
    out = transit([header("0000000000000001") + INNER[64]], rows={1: 0})
    assert out["heard"] == {"we0": [frame(0, header("0000000000000001", 8) + INNER[64])]}


@pytest.mark.parametrize("bsl", [64, 128, 256, 512, 1024])
def test_every_bit_string_length(lab: None, bsl: int) -> None:
    """The lowest, the highest and a middle bit, each with a neighbour of its own; the length is
    the BIFT's."""
    octets, code = bsl // 8, bsl.bit_length() - 6
    number = f"{code}0000"
    middle = "01" + "00" * (octets // 2 - 1)  # bit bsl/2 - 7
    low, high = "01".rjust(2 * octets, "0"), "80".ljust(2 * octets, "0")
    all_three = "80" + "00" * (octets // 2 - 1) + middle[:-2] + "01"
    rows = {1: 1, bsl // 2 - 7: 2, bsl: 3}
    out = transit([header(all_three, 9, number, code) + INNER[64]], bsl, rows)
    expected = {1: low, 2: middle.rjust(2 * octets, "0"), 3: high}
    assert out["heard"] == {
        f"we{port}": [frame(port, header(bits, 8, number, code) + INNER[64])]
        for port, bits in expected.items()
    }
    assert out["drops"] == {}


@pytest.mark.parametrize("bsl", [64, 256, 1024])
def test_a_random_bift_forwards_as_the_planners(lab: None, bsl: int) -> None:
    out = in_sandbox("bier_jobs:as_planned", bsl, bsl)
    assert out["heard"] == out["planned"]
    assert len(out["heard"]) == 5
    assert out["drops"] == {"bit without a BIFT entry": out["dropped"]}


@pytest.mark.parametrize(
    ("ttl", "bits", "ports", "drops"),
    [
        (0, "0000000000000008", set(), {"TTL expired": 1}),
        (0, "0000000000000001", set(), {"TTL expired": 1}),
        (1, "0000000000000001", set(), {"TTL expired": 1}),
        (1, "0000000000000008", {"wc1", "wc2"}, {}),
        (1, "0000000000000009", {"wc1", "wc2"}, {"TTL expired": 1}),
        (2, "0000000000000009", {"we1", "wc1", "wc2"}, {}),
        (255, "0000000000000001", {"we1"}, {}),
    ],
)
def test_ttl(lab: None, ttl: int, bits: str, ports: set[str], drops: dict[str, int]) -> None:
    """RFC 8296 section 2.1.1: one less at each BFR; 1 is delivered and not forwarded."""
    out = transit([header(bits, ttl) + INNER[64]])
    assert set(out["heard"]) == ports
    assert out["drops"] == drops
    if "we1" in ports:
        assert out["heard"]["we1"][0][34:36] == f"{ttl - 1:02x}"


def test_fields_that_a_transit_bfr_ignores_travel_unchanged(lab: None) -> None:
    """Nibble 5, TC 7, OAM 3, Rsv 2, DSCP 63, Proto 63 and BFIR-id 0, RFC 8296 section 2.1.2."""
    odd = "10000f09" + "50112345" + "efff0000" + "0000000000000001"
    out = transit([odd + INNER[64]])
    assert out["heard"] == {"we1": [frame(1, odd.replace("0f09", "0f08", 1) + INNER[64])]}


def test_a_bfir_makes_one_packet_for_each_set_identifier(lab: None) -> None:
    """RFC 8279 section 3: BFR-ids 27, 235 and 497 with BSL 256 are SI 0 {27, 235}, SI 1 {241}."""
    si_0, si_1 = 0x30000, 0x30001
    bits = (1 << 26) | (1 << 234)
    out = in_sandbox(
        "bier_jobs:impose",
        256,
        77,
        [[si_0, bits], [si_1, 1 << 240]],
        [[si_0, {27: 1, 235: 1}], [si_1, {241: 1}]],
    )
    assert set(out["heard"]) == {"we1"}
    first, second = out["headers"]["we1"]
    assert (first["bift_id"], first["bits"]) == (si_0, bits)
    assert (second["bift_id"], second["bits"]) == (si_1, 1 << 240)
    assert first["entropy"] == second["entropy"]
    common = {"bsl": 256, "bfir_id": 77, "ttl": 255, "proto": 4, "tc": 0, "s": 1, "nibble": 0}
    common |= {"ver": 0, "oam": 0, "dscp": 0}
    for each in (first, second):
        assert common.items() <= each.items()
    # The inner packet behind 14 + 44 octets: one IP hop less, the checksum right.
    inner = bytes.fromhex(out["heard"]["we1"][0])[58:]
    assert (inner[8], inner[-4:]) == (63, b"push")
    words = [int.from_bytes(inner[at : at + 2], "big") for at in range(0, 20, 2)]
    total = sum(words)
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF
    assert out["drops"] == {"inner TTL expired": 1}


def test_a_bfir_that_is_a_bfer_too(lab: None) -> None:
    """Its own bit is delivered at once, one IP hop on; the others leave as BIER."""
    out = in_sandbox("bier_jobs:impose", 64, 1, [[0x10000, 0b101]], [[0x10000, {1: -1, 3: 2}]])
    assert set(out["heard"]) == {"wc2", "we2"}
    native = bytes.fromhex(out["heard"]["wc2"][0])
    assert native[:14].hex() == "01005e010001" + "020000000101" + "0800"
    assert (native[14 + 8], native[-4:]) == (63, b"push")
    assert out["headers"]["we2"][0]["bits"] == 0b100


def test_entropy_is_the_flows(lab: None) -> None:
    pairs = in_sandbox("bier_jobs:entropies", 64)
    assert len(pairs) == 64
    assert all(first == second for first, second in pairs)
    assert len({first for first, _ in pairs}) > 60


def test_the_length_is_the_bifts_whatever_the_bsl_field_says(lab: None) -> None:
    """RFC 8296 section 2.1.2: a BFR must not take it from the BSL field, which travels on as it
    came."""
    out = in_sandbox("bier_jobs:odd_lengths")
    assert [frame[36:40] for frame in out["heard"]["we1"]] == [f"00{n}1" for n in range(2, 8)]
    assert all(frame[52:68] == "0000000000000001" for frame in out["heard"]["we1"])
    assert out["drops"] == {}
    assert out["oddities"] == {"BSL code is not the BIFT's": 6}


@pytest.mark.parametrize("name", INNER_PACKETS)
def test_any_ipv4_packet_is_carried(lab: None, name: str) -> None:
    """Options, fragments too short for ports, no payload, more than 1,500 octets."""
    out = in_sandbox("bier_jobs:native", name)
    packet = ipv4(**INNER_PACKETS[name])
    (onward,), delivered = out["heard"]["we1"], out["heard"]["wc1"]
    assert out["drops"] == {}
    inner = bytes.fromhex(onward)[14 + 20 :]
    own, other = (bytes.fromhex(frame)[14:] for frame in delivered)
    for each in (inner, own, other):
        head = (each[0] & 15) * 4
        assert (each[8], checksum(each[:head])) == (63, 0)
        assert each[:8] + each[12:] == packet[:8] + packet[12:]
    assert out["bad"]["heard"] == {}
    if packet[0] > 0x45:
        assert out["bad"]["drops"] == {"malformed inner packet": 2}


def test_what_is_not_bier_for_this_bfr(lab: None) -> None:
    """IPv4 and other people's VLANs go on to the kernel, which has no use for them here."""
    out = in_sandbox("bier_jobs:other_frames")
    assert out == {"heard": {}, "drops": {"VLAN tag": 1, "frame for another station": 2}}


def test_a_changing_bift_loses_and_doubles_nothing(lab: None) -> None:
    """Bit 2 never moves and is never lost; bit 1 takes one way or the other, and one only."""
    out = in_sandbox("bier_jobs:changing", 20_000)
    bits = out["bits"]
    assert bits["we3"] == {"0000000000000002": 20_000}
    assert set(bits["we1"]) == set(bits["we2"]) == {"0000000000000001"}
    assert sum(bits["we1"].values()) + sum(bits["we2"].values()) == 20_000
    assert out["drops"] == {}


def test_malformed_packets_are_counted_by_reason_and_harm_nothing(lab: None) -> None:
    out = in_sandbox("bier_jobs:malformed", 5)
    assert out["heard"] == {}
    assert out["counted"] == out["expected"]
    assert sum(out["counted"].values()) == 100_000
    assert len(out["counted"]) == 12
    assert out["after"] == {"we1": 1, "we2": 1, "wc1": 1}


def test_figure_1_of_rfc_8279(lab: None) -> None:
    """::

    A --- B --- C --- D      BFR-ids: A 4, D 1, E 3, F 2; a packet from A for D, E and F
          |     |
          E     F
    """
    out = in_sandbox("bier_network_jobs:figure_1")
    assert out["bifts"] == {
        "A": ["1 0111 B", "2 0111 B", "3 0111 B", "4 1000 self"],
        "B": ["1 0011 C", "2 0011 C", "3 0100 E", "4 1000 A"],
        "C": ["1 0001 D", "2 0010 F", "3 1100 B", "4 1100 B"],
    }
    assert out["links"] == {  # two groups, so two packets
        "AB": ["0111"] * 2,
        "BC": ["0011"] * 2,
        "BE": ["0100"] * 2,
        "CD": ["0001"] * 2,
        "CF": ["0010"] * 2,
    }
    assert out["delivered"] == ["figure 1"] * 3


def test_a_push_end_to_end(lab: None) -> None:
    out = in_sandbox("bier_network_jobs:end_to_end")
    assert out["before_open"] == [0]
    assert out["different"] == []
    assert out["heard"] == [["both", "both"]] * 3
    assert all(not found for found in out["closed"])
    assert out["drops"] == {}
    assert set(out["left"].values()) == {0}
    assert out["pins"] == []


def test_the_bift_follows_the_kernels_routes(lab: None) -> None:
    """Replaced, deleted, a worse one beside a better one, a dead port, a next-hop object gone: the
    kernel says nothing of the routes that the last two take away."""
    out = in_sandbox("bier_network_jobs:following")
    assert out["rows"] == {
        "at first": "B",
        "replaced": "C",
        "deleted": "nobody",
        "added": "B",
        "worse added": "B",
        "better deleted": "C",
        "port down": "nobody",
        "port up": "nobody",
        "next-hop object": "B",
        "object replaced": "C",
        "object gone": "nobody",
    }
    assert out["order"]
    assert out["again"] == 0


def test_lost_netlink_messages_are_made_up_for(lab: None) -> None:
    """The kernel had more to say than the agent's socket holds (ENOBUFS): everything is asked for
    anew."""
    out = in_sandbox("bier_network_jobs:overrun")
    assert out["asked"] > 1, "the socket did hold them all: this test tests nothing"
    assert out["row"] == out["route"] == "B"


def test_a_bitstring_is_no_control_traffic(lab: None) -> None:
    """In sub-domain 12 the header's second octet is what CS6 is in IPv4 (`mcastlab.shaping`)."""
    sent = in_sandbox("bier_network_jobs:unmarked", 12)
    assert sent["data"] >= 50
    assert sent["control"] == 0


def test_a_loop_ends_with_the_ttl(lab: None) -> None:
    """Each BFR takes one off (RFC 8296 section 2.1.1); who has got the packet gets it once."""
    out = in_sandbox("bier_network_jobs:looped")
    # From 255 at the BFIR down to 1, at whose receiver it ends; of two groups.
    assert out["ttls"] == sorted(2 * [*range(255, 0, -2)])
    assert out["more"] == {"a": 15}, "A's own site has its packet; nobody has two, C none"
    assert out["drops"] == {"TTL expired": 2}


def test_two_pushes_of_one_origin_at_once(lab: None) -> None:
    out = in_sandbox("bier_network_jobs:two_pushes")
    assert out["different"] == [[], [], []]
    assert out["heard"] == [["b", "c"], ["c"], [], ["c"]]
    assert out["drops"] == {}


def test_a_dead_agent_is_named(lab: None) -> None:
    out = in_sandbox("bier_network_jobs:killed")
    assert out["said"] == ["route follower ended without a word"] * 2
    assert out["left"] == {"pins": [], "clsact": 0}


def test_a_row_is_written_at_once(lab: None) -> None:
    """A bound 100 times what it takes: without the agent's own write it would be seconds."""
    out = in_sandbox("bier_network_jobs:latency", 50)
    assert out["written_s"] < 1
    assert out["pulled_s"] < 1
