"""Who has which address in a capture: invented, but the same every time, and no one else's.

=================  =====================================  =========================================
routers            ``10.0.0.0`` + rank + 1                private (RFC 1918)
their SRv6         ``fcbb:bb00:<rank + 1>::1`` and SIDs   unique local (RFC 4193); the plan's SIDs
origins            ``198.51.100.<number>``                TEST-NET-2 (RFC 5737)
clouds             ``198.18.0.0`` + rank + 1              benchmarking (RFC 2544)
groups, SSM        ``232.1.0.0`` + number                 source-specific (RFC 4607)
groups, ASM        ``233.252.0.<number>``                 MCAST-TEST-NET (RFC 6676)
MACs               ``02:<kind>:<rank + 1>``               locally administered
=================  =====================================  =========================================

Ranks are those of sorted names. ``number`` counts transfers from 1, and is their Tree-ID and VNI
too. The last octet of an origin or an ASM group starts again after 254 transfers.
"""

from __future__ import annotations

from mcastplan.model.topology import Node

ROUTER, ORIGIN, CLOUD = 0, 1, 2  # second octet of a MAC


def mac(kind: int, rank: int) -> bytes:
    return bytes((0x02, kind)) + (rank + 1).to_bytes(4, "big")


def loopback(node: Node) -> bytes:
    return (0x0A000000 + node + 1).to_bytes(4, "big")


def cloud_address(rank: int) -> bytes:
    return (0xC6120000 + rank + 1).to_bytes(4, "big")


def source(number: int) -> bytes:
    return bytes((198, 51, 100, _octet(number)))


def group(number: int, any_source: bool) -> bytes:
    if any_source:
        return bytes((233, 252, 0, _octet(number)))
    return (0xE8010000 + number).to_bytes(4, "big")


def _octet(number: int) -> int:
    return (number - 1) % 254 + 1
