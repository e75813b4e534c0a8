"""Every other header by hand: hex from the field tables of the RFCs."""

from __future__ import annotations

import pytest

from mcastplan.wire import addresses as at
from mcastplan.wire import ip, tunnels

A, B = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


def test_checksum_of_rfc_1071() -> None:
    """Section 3: 0001 + f203 + f4f5 + f6f7 = 2ddf0, folded ddf2, and its complement 220d."""
    assert ip.checksum(hexed("0001f203f4f5f6f7")) == 0x220D
    assert ip.checksum(b"\xff") == ip.checksum(b"\xff\0") == 0x00FF
    assert ip.checksum(b"") == 0xFFFF


def test_ipv4() -> None:
    """A much-printed header: 115 bytes of UDP, TTL 64, 192.168.0.1 to 192.168.0.199, sum b861."""
    made = ip.ipv4(bytes((192, 168, 0, 1)), bytes((192, 168, 0, 199)), ip.PROTO_UDP, 95, 64)
    assert made == hexed("45000073000040004011b861c0a80001c0a800c7")
    assert ip.checksum(made) == 0


def test_udp() -> None:
    """Pseudo-header 0a00 + 0001 + 0a00 + 0002 + 0011 + 000a, header 0001 + 0002 + 000a, data 4142:
    together 556d, complement aa92. Zeros behind the data change the lengths alone."""
    assert ip.udp(A, B, (1, 2), b"AB", 2) == hexed("00010002000aaa92")
    # Two more bytes: both lengths 000c, so four less in the complement.
    assert ip.udp(A, B, (1, 2), b"AB", 4) == hexed("00010002000caa8e")


def test_a_udp_checksum_of_zero_is_sent_as_ones() -> None:
    """Without data: a source port that makes the sum ffff, and its complement 0."""
    rest = 0x0A00 + 1 + 0x0A00 + 2 + 0x11 + 8 + 8
    made = ip.udp(A, B, (0xFFFF - rest, 0), b"", 0)
    assert made[6:] == b"\xff\xff"


def test_tcp() -> None:
    """Pseudo-header 0a00 + 0001 + 0a00 + 0002 + 0006 + 0016 = 141f; ports, sequence number 1,
    acknowledgement number 1, flags and window 0050 + c000 + 0001 + 0001 + 5018 + ffff = 21069; data
    4142. Together 265ca, folded 65cc, complement 9a33."""
    made = ip.tcp(A, B, (80, 0xC000), b"AB", 2)
    assert made == hexed("0050c000 00000001 00000001 5018ffff 9a330000")


def test_ipv6() -> None:
    """Version 6, class 0, label 12345; length 20; next header 43; hop limit 255."""
    source, dest = bytes(15) + b"\1", hexed("fcbbbb00 0002 e001") + bytes(8)
    assert ip.ipv6(source, dest, ip.PROTO_ROUTING, 20, 255, 0x12345) == (
        hexed("60012345 0014 2b ff") + source + dest
    )


def test_srh_of_one_segment() -> None:
    """Next header 4, length 2 (16 octets beyond the first 8), type 4, segments left 0, last entry
    0, flags 0, tag 0: 8 + 16 octets."""
    sid = hexed("fcbbbb000002e001") + bytes(8)
    assert tunnels.srh([sid], 0, ip.PROTO_IPIP) == hexed("04 02 04 00 00 00 0000") + sid


def test_srh_of_three_segments() -> None:
    """Length 6 (48 octets), two left, last entry 2; the last segment of the path comes first."""
    sids = [bytes((number,)) * 16 for number in (3, 2, 1)]
    made = tunnels.srh(sids, 2, ip.PROTO_IPIP)
    assert made == hexed("04 06 04 02 02 00 0000" + "03" * 16 + "02" * 16 + "01" * 16)
    assert len(made) == 8 + 16 * 3
    for left in (-1, 4):
        with pytest.raises(ValueError, match="segments left"):
            tunnels.srh(sids, left, ip.PROTO_IPIP)


def test_label_stack() -> None:
    """16004 is 03e84 and 500001 is 7a121; the digit behind is TC and S; S is set at the bottom."""
    assert tunnels.label_stack([(500_001, 255)]) == hexed("7a1211ff")
    assert tunnels.label_stack([(16_004, 253), (500_001, 255)]) == hexed("03e840fd 7a1211ff")


def test_vxlan() -> None:
    assert tunnels.vxlan(0x123456) == hexed("08000000 12345600")
    assert ip.udp_unchecked((0xC000, 4789), 58) == hexed("c000 12b5 0042 0000")


def test_pim_register() -> None:
    """Version 2, type 1: 2100, complement deff; the data packet is not in the sum."""
    assert tunnels.pim_register() == hexed("2100deff 00000000")


def test_ethernet() -> None:
    group = bytes((232, 129, 0, 7))
    assert ip.multicast_mac(group) == hexed("01005e010007")  # the top bit of 129 is left out
    assert ip.ethernet(ip.multicast_mac(group), at.mac(at.ROUTER, 2), ip.BIER) == hexed(
        "01005e010007 020000000003 ab37"
    )


def test_addresses() -> None:
    assert at.loopback(0) == bytes((10, 0, 0, 1))
    assert at.loopback(65_533) == bytes((10, 0, 255, 254))
    assert at.cloud_address(0) == bytes((198, 18, 0, 1))
    assert at.source(1) == bytes((198, 51, 100, 1))
    assert at.source(255) == bytes((198, 51, 100, 1))
    assert at.group(1, any_source=False) == bytes((232, 1, 0, 1))
    assert at.group(254, any_source=True) == bytes((233, 252, 0, 254))
    assert {at.mac(kind, 0)[0] & 3 for kind in (at.ROUTER, at.ORIGIN, at.CLOUD)} == {2}
