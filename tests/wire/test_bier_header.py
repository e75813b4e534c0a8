"""RFC 8296 by hand.

The first four octets are BIFT-id (20 bits), TC 000 and S 1 (one hex digit: 1), TTL. The next four
are Nibble 0, Ver 0, the BSL code, Entropy. Then OAM 00, Rsv 00, DSCP, Proto, and the BFIR-id.
The BIFT-id is the BSL code (one hex digit), the sub-domain (two), the SI (two).
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcastplan.schemes.bift import bift_id, bitstring, set_identifier
from mcastplan.wire.bier import BierHeader

# Sub-domain 0, SI 0, TTL 255, Entropy 0x12345, BFIR-id 7, first and last bit set. DSCP 46 is 101110
# and Proto 4 is 000100, so the third word begins 0000 1011 1000 0100.
VECTORS = {
    64: ("100001ff 00112345 0b840007", "80 000000000000 01"),
    128: ("200001ff 00212345 0b840007", "80 0000000000000000000000000000 01"),
    256: (
        "300001ff 00312345 0b840007",
        "80 0000000000000000000000000000000000000000000000000000000000 00 01",
    ),
    512: ("400001ff 00412345 0b840007", "80" + "00" * 62 + "01"),
    1024: ("500001ff 00512345 0b840007", "80" + "00" * 126 + "01"),
    2048: ("600001ff 00612345 0b840007", "80" + "00" * 254 + "01"),
    4096: ("700001ff 00712345 0b840007", "80" + "00" * 510 + "01"),
}
# 12 + BSL/8 octets.
OCTETS = {64: 20, 128: 28, 256: 44, 512: 76, 1024: 140, 2048: 268, 4096: 524}


def header(bsl: int, **fields: int) -> BierHeader:
    given = {"bift_id": bift_id(bsl, 0, 0), "bits": 1, "bfir_id": 7, "ttl": 255} | fields
    return BierHeader(bsl=bsl, **given)


@pytest.mark.parametrize("bsl", VECTORS)
def test_every_bitstring_length(bsl: int) -> None:
    fixed, bits = VECTORS[bsl]
    expected = bytes.fromhex(fixed + bits)
    made = header(bsl, bits=bitstring((1, bsl)), entropy=0x12345, dscp=46)
    assert made.encode() == expected
    assert len(expected) == OCTETS[bsl]
    assert BierHeader.decode(expected + b"payload") == made


def test_bit_by_bit() -> None:
    """Bit 9 is the lowest bit of the last octet but one."""
    assert header(64, bits=1 << 8).encode()[12:] == bytes.fromhex("0000000000000100")
    assert header(64, bits=0b11).encode()[12:] == bytes.fromhex("0000000000000003")


def test_the_example_of_rfc_8279_in_sub_domain_3() -> None:
    """BFERs 27, 235 and 497 at BSL 256 are SI 0 bits 27 and 235, and SI 1 bit 241: two packets.

    Bit 27 is bit 2 of octet 3 from the right (26 = 3 * 8 + 2), bit 235 bit 2 of octet 29
    (234 = 29 * 8 + 2), bit 241 bit 0 of octet 30 (240 = 30 * 8).
    """
    assert [set_identifier(number, 256) for number in (27, 235, 497)] == [
        (0, 27),
        (0, 235),
        (1, 241),
    ]
    first = header(256, bift_id=bift_id(256, 3, 0), bits=bitstring((27, 235)), ttl=1)
    assert first.encode() == bytes.fromhex(
        "30300101 00300000 00040007 0000 04" + "00" * 25 + "04 000000"
    )
    second = header(256, bift_id=bift_id(256, 3, 1), bits=bitstring((241,)))
    assert second.encode() == bytes.fromhex("303011ff 00300000 00040007 00 01" + "00" * 30)


def test_every_field_at_its_limit() -> None:
    """OAM 11, Rsv 00, DSCP 111111, Proto 111111: cfff. TC 111 and S 0: e. Nibble 5, Ver 15: 5f."""
    full = header(
        64,
        tc=7,
        s=0,
        nibble=5,
        ver=15,
        entropy=0xFFFFF,
        oam=3,
        dscp=63,
        proto=63,
        bfir_id=65535,
        ttl=0,
    )
    assert full.encode()[:12] == bytes.fromhex("10000e00 5f1fffff cfffffff")
    assert BierHeader.decode(full.encode()) == full


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"bits": 0}, "cannot hold 0x0"),
        ({"bits": 1 << 64}, "BitString of 64 bits"),
        ({"bfir_id": 0}, "1 to 65535"),
        ({"bfir_id": 65536}, "bfir_id 65536"),
        ({"entropy": 1 << 20}, "20 bits"),
        ({"ttl": -1}, "ttl -1"),
        ({"proto": 64}, "6 bits"),
    ],
)
def test_what_does_not_fit_is_not_sent(fields: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        header(64, **fields).encode()


@pytest.mark.parametrize("bsl", [0, 1, 32, 63, 65, 8192, 1 << 20])
def test_no_reserved_code_is_sent(bsl: int) -> None:
    with pytest.raises(ValueError, match="no BSL code"):
        header(bsl).encode()


@pytest.mark.parametrize("code", [0, *range(8, 16)])
def test_a_reserved_code_is_dropped(code: int) -> None:
    data = bytearray(header(64).encode())
    data[5] = code << 4
    with pytest.raises(ValueError, match=f"BSL code {code} is reserved"):
        BierHeader.decode(bytes(data))


def test_the_length_is_that_of_the_bift_id() -> None:
    """The BSL field says 4096, the BIFT-id 64: the payload begins after 20 octets."""
    data = bytearray(header(64, bits=5).encode())
    data[5] = 7 << 4
    decoded = BierHeader.decode(bytes(data) + bytes(600))
    assert (decoded.bsl, decoded.bits) == (64, 5)
    data[0] = 0x80
    with pytest.raises(ValueError, match="names no BitString length"):
        BierHeader.decode(bytes(data))


@given(st.data())
def test_decoding_undoes_encoding(data: st.DataObject) -> None:
    bsl = data.draw(st.sampled_from(sorted(VECTORS)))
    made = header(
        bsl,
        bift_id=bift_id(bsl, data.draw(st.integers(0, 255)), data.draw(st.integers(0, 255))),
        bits=data.draw(st.integers(1, (1 << bsl) - 1)),
        bfir_id=data.draw(st.integers(1, 65535)),
        ttl=data.draw(st.integers(0, 255)),
        entropy=data.draw(st.integers(0, 0xFFFFF)),
        dscp=data.draw(st.integers(0, 63)),
        proto=data.draw(st.sampled_from((4, 6))),
    )
    encoded = made.encode()
    assert BierHeader.decode(encoded) == made
    for cut in (0, 11, len(encoded) - 1):
        with pytest.raises(ValueError, match="shorter than"):
            BierHeader.decode(encoded[:cut])
