"""From a scenario to everything the lab builds: scales, names, addresses, refusals."""

from __future__ import annotations

import ipaddress
import math
from typing import Any

import msgspec
import pytest

from mcastplan.errors import InfeasibleError, UsageError
from mcastplan.lab.build import build
from mcastplan.lab.calm import completion_s, run_calm
from mcastplan.lab.scale import LEAST_BYTES, MOST_SHARDS
from mcastplan.lab.spec import LabSpec
from mcastplan.model.cloud import Cloud
from mcastplan.model.scenario import (
    BierOptions,
    PimOptions,
    Scenario,
    SchemeOptions,
    SrP2mpOptions,
    UnicastOptions,
)
from mcastplan.model.timers import Timers
from mcastplan.model.transfer import Background
from mcastplan.scenario import builtin_names, load_scenario
from mcastplan.schemes import SCHEMES
from mcastplan.study.compare import compare
from tests.networks import link, network, push

LABS = [name for name in builtin_names() if name.startswith("lab-")]


def small(**changes: Any) -> Scenario:
    """A-B-C in a line, clouds at B and C, 10 Gb/s in: 10 Mb/s in the lab."""
    line = network(link("A", "B", delay_s=0.003), link("B", "C", delay_s=0.003))
    scenario = push(line, "A", ("B", "C"), timers=Timers.of("lab"))
    return msgspec.structs.replace(scenario, **changes)


@pytest.mark.parametrize("name", LABS)
def test_slowest_scheme_takes_the_time_given(name: str) -> None:
    spec = build(load_scenario(f"builtin:{name}"), seconds=12.0)
    lasting = [
        completion_s(run_calm(spec.scenario, each.transfer, scheme.name).delivery) or 0.0
        for each in spec.pushes
        for scheme in SCHEMES
    ]
    assert max(lasting) == pytest.approx(12.0, rel=1e-3)
    assert all(row.feasible for row in compare(spec.scenario).schemes)


def test_rates_sizes_and_nothing_else_are_scaled() -> None:
    real = small()
    spec = build(real)
    scenario = spec.scenario
    assert [one.capacity_bps for one in scenario.topology.links] == [1e8, 1e8]
    assert [cloud.ingress_bps for cloud in scenario.clouds] == [1e7, 1e7]
    assert all(math.isinf(cloud.egress_bps) for cloud in scenario.clouds)
    assert all(one.delay_s == 0 for one in scenario.topology.links)
    assert scenario.timers == real.timers
    assert (scenario.mtu, scenario.transport.profile) == (1500, "uftp")
    (each,) = scenario.transfers
    assert LEAST_BYTES <= each.size_bytes < real.transfers[0].size_bytes
    assert spec.size_scale == each.size_bytes / real.transfers[0].size_bytes
    assert [one.delay_s for one in build(real, netem=True).scenario.topology.links] == [0.003] * 2
    said = " ".join(spec.notes)
    assert "MTU 1500 B instead of 9000 B" in said
    assert "without delay (up to 3 ms" in said


def test_a_push_is_never_larger_than_real_nor_tiny() -> None:
    (transfer,) = small().transfers
    tiny = small(transfers=(msgspec.structs.replace(transfer, size_bytes=300_000),))
    assert build(tiny, seconds=60.0).pushes[0].size_bytes == 300_000
    assert build(small(), seconds=1e-3).pushes[0].size_bytes == LEAST_BYTES
    many = small(transfers=(msgspec.structs.replace(transfer, shards=163),))
    spec = build(many)
    assert spec.pushes[0].shards == spec.scenario.transfers[0].shards == MOST_SHARDS
    assert "in 8 files instead of 163" in " ".join(spec.notes)


def test_fewer_schemes_leave_time_for_more_bytes() -> None:
    replicas = tuple(msgspec.structs.replace(one, replicas=20) for one in small().clouds)
    scenario = small(clouds=replicas)
    trees, everything = build(scenario, schemes=["bier", "pim-sm"]), build(scenario)
    assert trees.scenario.schemes.only == ("pim-sm", "bier")  # in the order of results
    assert trees.pushes[0].size_bytes > 1.5 * everything.pushes[0].size_bytes


def every_address(spec: LabSpec) -> list[str]:
    found = [port.address for router in spec.routers for port in router.ports]
    found += [router.loopback for router in spec.routers]
    for site in spec.sites:
        found += [site.gateway, *(one.address for one in site.replicas)]
    for origin in spec.origins:
        found += [origin.gateway, origin.address]
    return found


@pytest.mark.parametrize("name", LABS)
def test_names_and_addresses(name: str) -> None:
    """Every address and MAC once, both ends of a link in one /31, names short and our own."""
    spec = build(load_scenario(f"builtin:{name}"))
    addresses = every_address(spec)
    assert len(set(addresses)) == len(addresses)
    ports = [port for router in spec.routers for port in router.ports]
    macs = [port.mac for port in ports]
    macs += [site.port_mac for site in spec.sites]
    macs += [one.mac for site in spec.sites for one in site.replicas]
    macs += [mac for origin in spec.origins for mac in (origin.port_mac, origin.mac)]
    assert len(set(macs)) == len(macs)
    assert all(int(mac[:2], 16) & 3 == 2 for mac in macs)  # local, unicast
    hosts = [router.host for router in spec.routers] + [site.host for site in spec.sites]
    hosts += [one.host for site in spec.sites for one in site.replicas]
    hosts += [origin.host for origin in spec.origins]
    assert len(set(hosts)) == len(hosts)
    graph = spec.scenario.topology.graph
    for router in spec.routers:
        for port in router.ports:
            peer = next(p for p in spec.router[port.peer].ports if p.name == port.peer_port)
            assert (peer.peer, peer.peer_port) == (router.host, port.name)
            assert (peer.mac, peer.address) == (port.peer_mac, port.peer_address)
            assert peer.arc == port.arc ^ 1
            net = ipaddress.ip_interface(f"{port.address}/31").network
            assert ipaddress.ip_address(peer.address) in net
            assert graph.names[graph.tail[port.arc]] == router.name
            assert (port.rate_bps, port.metric) == (
                graph.capacity_bps[port.arc],
                graph.metric[port.arc],
            )
        assert ipaddress.ip_address(router.loopback6) in ipaddress.ip_network(router.locator)
    for site in spec.sites:
        net = ipaddress.ip_network(site.subnet)
        assert all(ipaddress.ip_address(one.address) in net for one in site.replicas)
        assert len(site.replicas) == spec.scenario.cloud[site.cloud].replicas
    assert build(load_scenario(f"builtin:{name}")) == spec


def test_bfr_ids_and_groups() -> None:
    spec = build(load_scenario("builtin:lab-churn"))
    ids = {router.name: router.bfr_id for router in spec.routers}
    # N1 only sends: it comes after those that may receive.
    assert ids == {"N2": 1, "N3": 2, "S1": 3, "S2": 4, "S3": 5, "N1": 6}
    assert [each.group for each in spec.pushes] == [f"232.1.0.{n}" for n in range(1, 5)]
    assert spec.pushes[3].announce == "232.2.0.4"
    assert len(spec.origins) == 1
    asm = small(schemes=SchemeOptions(pim_sm=PimOptions(mode="asm", rp="B")))
    spec = build(asm)
    assert (spec.pushes[0].group, spec.pushes[0].announce) == ("239.1.0.1", "239.2.0.1")


def options(**changes: Any) -> Scenario:
    return small(schemes=SchemeOptions(**changes))


def crowd(count: int, replicas: int = 1) -> tuple[Cloud, ...]:
    return tuple(Cloud(f"c{n:03}", "B", 1e10, replicas=replicas) for n in range(count))


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        (small(timers=Timers()), "tuned"),
        (small(background=(Background("A", "B", 1e9),)), "background"),
        (small(protection="ti-lfa"), "protection: ti-lfa"),
        (small(clouds=(Cloud("c000-B", "B", 1e10, fanout="cache"),)), "cloud c000-B"),
        (options(unicast=UnicastOptions("cloud")), "per: cloud"),
        (options(unicast=UnicastOptions(per_pull_bps=1e9)), "per_pull"),
        (options(sr_p2mp=SrP2mpOptions(dataplane="mpls")), "dataplane: mpls"),
        (options(sr_p2mp=SrP2mpOptions(protected_adjacencies=True)), "protected_adjacencies"),
        (options(bier=BierOptions(frr="lfa")), "frr: lfa"),
        (options(bier=BierOptions(bsl=2048)), "bsl: 2048"),
        (options(pim_sm=PimOptions(mofrr=True)), "MoFRR"),
        (small(clouds=crowd(251)), "250 clouds, not 251"),
        (small(clouds=crowd(2, 126)), "250 replicas, not 252"),
        (small(clouds=crowd(1, 241)), "240 replicas in one cloud, not 241"),
        (small(clouds=crowd(30)), "pim-sm at B: 32 interfaces"),
    ],
)
def test_refused_by_name(scenario: Scenario, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        build(scenario)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_options_of_schemes_that_do_not_run_are_no_matter() -> None:
    scenario = options(bier=BierOptions(frr="lfa"), sr_p2mp=SrP2mpOptions(dataplane="mpls"))
    assert build(scenario, schemes=["pim-sm"]).scenario.schemes.only == ("pim-sm",)


def test_rates_beyond_what_is_shaped() -> None:
    with pytest.raises(UsageError, match=r"link A--B: capacity .* use a rate scale of 0\.01"):
        build(small(), rate_scale=0.02)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"schemes": ["carrier-pigeon"]}, "no scheme 'carrier-pigeon'"),
        ({"schemes": []}, "no scheme to run"),
        ({"rate_scale": 0.0}, "more than 0"),
        ({"rate_scale": math.nan}, "more than 0"),
        ({"seconds": 0.0}, "more than 0 s"),
    ],
)
def test_what_was_asked_for(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build(small(), **asked)


def test_a_limit_of_a_scheme() -> None:
    """MTU 1,500 always leaves room; an unreachable RP does not."""
    lonely = network(link("A", "B"), link("B", "C"), extra=("Z",))
    scenario = push(lonely, "A", ("B", "C"), timers=Timers.of("lab"))
    options = SchemeOptions(pim_sm=PimOptions(mode="asm", rp="Z"))
    scenario = msgspec.structs.replace(scenario, schemes=options)
    with pytest.raises(InfeasibleError, match="pim-sm in the lab"):
        build(scenario)
