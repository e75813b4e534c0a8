"""Goodput in per cent of the line, first layer included, for each encapsulation.

The table was worked out by hand from header sizes: of each packet MTU - 28 - header bytes are
payload (IPv4 20, UDP 8), and 38 bytes of Ethernet and gaps go on the wire beside the MTU.
"""

from __future__ import annotations

import pytest

from mcastplan.errors import InfeasibleError
from mcastplan.evaluate.arcs import ArcSpace
from mcastplan.evaluate.push import flow_loads
from mcastplan.evaluate.wire import payload_bytes, wire_factor
from mcastplan.model.plan import ReplicationPlan
from mcastplan.model.scenario import BierOptions, SchemeOptions, SrP2mpOptions
from mcastplan.schemes import SCHEMES
from mcastplan.schemes.base import demand
from mcastplan.underlay.routes import IgpRoutes
from tests.networks import link, network, push

# Header bytes: an MPLS label 4; BIER 12 + BSL / 8; IPv6 40, an SRH with one segment 8 + 16;
# VXLAN outer Ethernet 14, IPv4 20, UDP 8, VXLAN 8.
NATIVE, MPLS, BIER_256, SRV6 = 0, 4, 12 + 256 // 8, 40
VXLAN, SRV6_SID = 14 + 20 + 8 + 8, 40 + 8 + 16
BIER_1024, BIER_4096 = 12 + 1024 // 8, 12 + 4096 // 8

TABLE = {
    NATIVE: (95.71, 99.27),
    MPLS: (95.45, 99.23),
    BIER_256: (92.85, 98.78),
    SRV6: (93.11, 98.83),
    VXLAN: (92.46, 98.72),
    SRV6_SID: (91.55, 98.56),
    BIER_1024: (86.61, 97.72),
    BIER_4096: (61.64, 93.47),
}
MTUS = (1500, 9000)


def plan(header: int) -> ReplicationPlan:
    return ReplicationPlan("push", (), (), header, {})


@pytest.mark.parametrize("header", TABLE)
@pytest.mark.parametrize("column", (0, 1), ids=("1500", "9000"))
def test_goodput_of_each_encapsulation(header: int, column: int) -> None:
    mtu = MTUS[column]
    payload = payload_bytes(mtu, plan(header))
    assert payload == mtu - 28 - header
    factor = wire_factor(payload, 28, 1, header)
    assert factor == (mtu + 38) / payload  # the arc with the largest header fills the MTU
    assert round(100 / factor, 2) == TABLE[header][column]


def test_a_native_arc_beside_a_large_header_sends_small_packets() -> None:
    # One payload size end to end: 1500 - 28 - 44 = 1428 of payload under BIER; on an access arc
    # the packet is 1428 + 28 = 1456, and 1494 bytes on the wire.
    assert wire_factor(payload_bytes(1500, plan(BIER_256)), 28) == 1494 / 1428


def test_copies_add_up_with_their_own_headers() -> None:
    # Two copies, one with a label and one without: 2 x (1468 + 28 + 38) + 4.
    assert wire_factor(1468, 28, 2, 4) == (2 * 1534 + 4) / 1468


def test_headers_that_fill_the_packet_are_refused() -> None:
    assert payload_bytes(553, plan(BIER_4096)) == 1
    with pytest.raises(InfeasibleError, match="552 B leaves no payload under 524 B"):
        payload_bytes(552, plan(BIER_4096))


@pytest.mark.parametrize(
    ("name", "options", "header"),
    [
        ("ingress-replication", SchemeOptions(), VXLAN),
        ("pim-sm", SchemeOptions(), NATIVE),
        ("sr-p2mp", SchemeOptions(), SRV6),
        ("sr-p2mp", SchemeOptions(sr_p2mp=SrP2mpOptions(dataplane="mpls")), MPLS),
        ("bier", SchemeOptions(), BIER_256),
        ("bier", SchemeOptions(bier=BierOptions(bsl=1024)), BIER_1024),
        ("bier", SchemeOptions(bier=BierOptions(bsl=4096)), BIER_4096),
    ],
)
@pytest.mark.parametrize("column", (0, 1), ids=("1500", "9000"))
def test_a_scheme_on_one_link_pays_what_the_table_says(
    name: str, options: SchemeOptions, header: int, column: int
) -> None:
    scenario = push(network(link("s", "r")), "s", ("r",), mtu=MTUS[column], schemes=options)
    routes = IgpRoutes(scenario.topology.graph)
    wanted = demand(scenario, routes, scenario.transfers[0])
    scheme = next(kind for kind in SCHEMES if kind.name == name)(scenario, routes)
    space = ArcSpace(scenario, routes)
    (load,) = flow_loads(scenario, routes, space, scheme.install(routes, wanted))
    (core,) = (arc for arc in load.weights if arc < space.core)
    assert round(100 / load.weights[core], 2) == TABLE[header][column]
    payload = MTUS[column] - 28 - header
    for access in (space.origin["push"], space.cloud["c000-r"]):
        assert load.weights[access] == (payload + 28 + 38) / payload


@pytest.mark.parametrize("column", (0, 1), ids=("1500", "9000"))
def test_a_pull_pays_for_tcp(column: int) -> None:
    # IPv4 20 and TCP 20 without options: 1460 of 1538, 8960 of 9038.
    scenario = push(network(link("s", "r")), "s", ("r",), mtu=MTUS[column])
    routes = IgpRoutes(scenario.topology.graph)
    wanted = demand(scenario, routes, scenario.transfers[0])
    scheme = SCHEMES[0](scenario, routes)
    assert scheme.name == "unicast"
    (load,) = flow_loads(
        scenario, routes, ArcSpace(scenario, routes), scheme.install(routes, wanted)
    )
    assert set(load.weights.values()) == {(1538 / 1460, 9038 / 8960)[column]}
