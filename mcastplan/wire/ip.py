"""Ethernet (IEEE 802.3), IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768), TCP (RFC 9293), as bytes.

A payload is given by its first bytes and its length: what is not shown is zeros, which change no
checksum. Not built: options, fragments, VLAN tags, the frame check sequence.
"""

from __future__ import annotations

import struct

IPV4, IPV6, MPLS, BIER = 0x0800, 0x86DD, 0x8847, 0xAB37  # EtherTypes; BIER: RFC 8296 section 3
PROTO_IPIP, PROTO_TCP, PROTO_UDP, PROTO_ROUTING, PROTO_PIM = 4, 6, 17, 43, 103
ACK_PSH = 0x18
DONT_FRAGMENT = 0x4000


def checksum(data: bytes) -> int:
    """The Internet checksum: ones' complement of the ones' complement sum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(dst: bytes, src: bytes, ethertype: int) -> bytes:
    return dst + src + struct.pack("!H", ethertype)


def multicast_mac(group: bytes) -> bytes:
    """01:00:5e and the low 23 bits of an IPv4 group (RFC 1112 section 6.4)."""
    return bytes((0x01, 0x00, 0x5E, group[1] & 0x7F, group[2], group[3]))


def ipv4(src: bytes, dst: bytes, proto: int, payload_bytes: int, ttl: int) -> bytes:
    """Twenty bytes; DF set and ID 0, an atomic datagram (RFC 6864)."""
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + payload_bytes, 0, DONT_FRAGMENT, ttl, proto, 0, src, dst
    )
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:]


def ipv6(
    src: bytes, dst: bytes, next_header: int, payload_bytes: int, hop_limit: int, flow_label: int
) -> bytes:
    first = 6 << 28 | flow_label & 0xFFFFF
    return struct.pack("!IHBB16s16s", first, payload_bytes, next_header, hop_limit, src, dst)


def udp(src: bytes, dst: bytes, ports: tuple[int, int], shown: bytes, payload_bytes: int) -> bytes:
    """Eight bytes; the checksum is over the IPv4 pseudo-header too, and 0 is sent as all ones."""
    length = 8 + payload_bytes
    head = struct.pack("!HHHH", *ports, length, 0)
    total = checksum(_pseudo(src, dst, PROTO_UDP, length) + head + shown)
    return head[:6] + struct.pack("!H", total or 0xFFFF)


def udp_unchecked(ports: tuple[int, int], payload_bytes: int) -> bytes:
    """Checksum 0: none, as a VXLAN tunnel sends it (RFC 7348 section 5)."""
    return struct.pack("!HHHH", *ports, 8 + payload_bytes, 0)


def tcp(src: bytes, dst: bytes, ports: tuple[int, int], shown: bytes, payload_bytes: int) -> bytes:
    """Twenty bytes of a data segment: sequence and acknowledgement number 1, window 65,535."""
    head = struct.pack("!HHIIBBHHH", *ports, 1, 1, 5 << 4, ACK_PSH, 0xFFFF, 0, 0)
    total = checksum(_pseudo(src, dst, PROTO_TCP, 20 + payload_bytes) + head + shown)
    return head[:16] + struct.pack("!H", total) + head[18:]


def _pseudo(src: bytes, dst: bytes, proto: int, length: int) -> bytes:
    return struct.pack("!4s4sBBH", src, dst, 0, proto, length)
