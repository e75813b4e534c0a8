"""Completion on star, chain and shared bottleneck, from the definitions in words."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mcastplan.model.cloud import Cloud
from mcastplan.model.results import Comparison, SchemeResult
from mcastplan.model.scenario import (
    BierOptions,
    Scenario,
    SchemeOptions,
    SrP2mpOptions,
    UnicastOptions,
)
from mcastplan.model.topology import Topology
from mcastplan.model.transfer import Background, Price
from mcastplan.scenario import load_scenario
from mcastplan.study.compare import compare
from tests.networks import link, network, push

NAMES = ("unicast", "ingress-replication", "pim-sm", "sr-p2mp", "bier")

# Header of each scheme at its defaults, and IP with transport under it.
HEADER = {"unicast": 0, "ingress-replication": 50, "pim-sm": 0, "sr-p2mp": 40, "bier": 44}
INNER = {name: 40 if name == "unicast" else 28 for name in NAMES}


def payload(name: str, mtu: int = 9000) -> int:
    return mtu - INNER[name] - HEADER[name]


def factor(name: str, core: bool, mtu: int = 9000) -> float:
    """Wire bytes per payload byte: 38 B of framing, the scheme's header only on core arcs."""
    header = HEADER[name] if core else 0
    return (payload(name, mtu) + INNER[name] + header + 38) / payload(name, mtu)


def row(result: Comparison, name: str) -> SchemeResult:
    return next(scheme for scheme in result.schemes if scheme.name == name)


def completion(result: Comparison, name: str) -> float:
    found = row(result, name).transfers[0].completion_s
    assert found is not None
    return found


def star(leaves: int, gbps: float = 100) -> Topology:
    return network(*(link("hub", f"r{i:02}", gbps=gbps) for i in range(leaves)))


def leaves_of(topology: Topology) -> tuple[str, ...]:
    return tuple(node.name for node in topology.nodes if node.name != "hub")


@pytest.mark.parametrize("name", NAMES)
def test_star_where_the_clouds_are_slow(name: str) -> None:
    """10 GB over a 10 Gb/s ingress is 8 s of payload, whatever the scheme; the access arc carries
    no scheme header, but the payload has made room for it."""
    net = star(4)
    result = compare(push(net, "hub", leaves_of(net)), verify=True)
    assert result.transfers[0].bound_s == 8.0
    assert result.transfers[0].binding == "cloud c000-r00: ingress 10 Gb/s"
    assert math.isclose(completion(result, name), 8 * factor(name, core=False), rel_tol=1e-12)
    assert row(result, name).transfers[0].binding == "cloud c000-r00: ingress 10 Gb/s"


def test_shared_bottleneck_of_twenty_copies() -> None:
    """s -> hub is the only way: 100 Gb/s. Ingress replication puts 20 copies on it, 5 Gb/s of wire
    each; a tree puts one, and the 10 Gb/s clouds bind. Unicast's 20 pulls share it as well."""
    net = network(link("s", "hub"), *(link("hub", f"r{i:02}") for i in range(20)))
    receivers = tuple(f"r{i:02}" for i in range(20))
    result = compare(push(net, "s", receivers), verify=True)
    seconds = 10e9 * 8 / (100e9 / 20)
    for name in ("ingress-replication", "unicast"):
        assert math.isclose(completion(result, name), seconds * factor(name, True), rel_tol=1e-12)
        binding = row(result, name).transfers[0].binding
        assert binding == "arc s->hub 100 Gb/s carries 20 copies"
    for name in ("pim-sm", "sr-p2mp", "bier"):
        assert math.isclose(completion(result, name), 8 * factor(name, False), rel_tol=1e-12)
        ratio = row(result, name).transfers[0].ratio_to_bound
        assert ratio is not None and math.isclose(ratio, factor(name, False), rel_tol=1e-12)
    assert result.recommendation is not None
    assert result.recommendation.scheme == "pim-sm"  # no header: the fewest bytes among equals


def test_chain_whose_middle_link_is_slow() -> None:
    """a -100- b -1- c -100- d: the 1 Gb/s link binds every tree: 80 s of payload."""
    net = network(link("a", "b"), link("b", "c", gbps=1), link("c", "d"))
    result = compare(push(net, "a", ("d", "b")), verify=True)
    assert result.transfers[0].bound_s == 80.0
    assert result.transfers[0].binding == "arc b->c: 1 Gb/s towards cloud c000-d"
    for name in NAMES:
        assert math.isclose(completion(result, name), 80 * factor(name, True), rel_tol=1e-12)
    # Unicast's pull at b is not held up by the slow link: its own 10 Gb/s ingress binds.
    at_b = {cloud.name: cloud.transfer_s for cloud in row(result, "unicast").transfers[0].clouds}
    assert math.isclose(at_b["c001-b"], 8 * factor("unicast", False), rel_tol=1e-12)
    # A multicast push runs at one rate.
    assert len({cloud.transfer_s for cloud in row(result, "bier").transfers[0].clouds}) == 1


def test_a_tree_is_programmed_there_and_acknowledged_back() -> None:
    """From a to c over b, 1 + 1 ms; from c to a over their own link, 40 ms: 42 ms in all."""
    links = (
        link("a", "b", 1, 9, delay_s=0.001),
        link("b", "c", 1, 9, delay_s=0.001),
        link("a", "c", 9, 1, delay_s=0.040),
    )
    found = compare(push(network(*links), "a", ("c",)))
    (transfer,) = row(found, "sr-p2mp").transfers
    assert transfer.setup_terms["program"] == pytest.approx(0.050 + 0.042)
    # A leaf is heard of on its own way.
    assert transfer.setup_terms["discovery"] == pytest.approx(0.100 + 0.040)


def test_background_is_served_first() -> None:
    """60 of 100 Gb/s are taken from s to hub: 40 are left for 20 copies, 2 Gb/s each."""
    net = network(link("s", "hub"), *(link("hub", f"r{i:02}") for i in range(20)))
    receivers = tuple(f"r{i:02}" for i in range(20))
    background = (Background("s", "hub", 60e9),)
    result = compare(push(net, "s", receivers, background=background))
    name = "ingress-replication"
    assert math.isclose(completion(result, name), 40 * factor(name, True), rel_tol=1e-12)
    binding = row(result, name).transfers[0].binding
    assert binding == "arc s->hub 100 Gb/s carries 20 copies beside 60 Gb/s of background"
    busy = {
        (load.source, load.target): load.busiest_utilisation for load in row(result, name).links
    }
    assert math.isclose(busy["s", "hub"], 1.0, rel_tol=1e-9)
    assert (
        "background, 1 row with 60 Gb/s together, is routed as unicast and served first; at most it"
        " takes 60.00% of s->hub"
    ) in result.assumptions


def full_arc() -> Scenario:
    """s has links to a and b; background fills the one to a."""
    net = network(link("s", "a"), link("s", "b"))
    scenario = push(net, "s", ("a", "b"), background=(Background("s", "a", 100e9),))
    a, b = scenario.clouds
    slow = msgspec.structs.replace(a, provision_s=3600.0)
    return msgspec.structs.replace(scenario, clouds=(slow, b))


@pytest.mark.parametrize("name", NAMES)
def test_background_that_fills_an_arc_cuts_off_who_is_behind_it(name: str) -> None:
    """Nobody else is held up: not by the stalled cloud's flow, and not by its provisioning."""
    result = compare(full_arc(), verify=True)
    assert (result.transfers[0].bound_s, result.transfers[0].binding) == (
        8.0,
        "cloud c001-b: ingress 10 Gb/s",
    )
    transfer = row(result, name).transfers[0]
    assert transfer.unreachable == ("c000-a",)
    assert [cloud.name for cloud in transfer.clouds] == ["c001-b"]
    assert transfer.clouds[0].replica_groups[0].stages.provision == 0.0
    assert math.isclose(completion(result, name), 8 * factor(name, False), rel_tol=1e-12)
    assert transfer.ratio_to_bound is not None


def test_a_way_round_a_full_arc_is_in_the_bound_alone() -> None:
    """s reaches a over b as well, at a higher metric: the bound counts that, the IGP does not."""
    net = network(link("s", "a"), link("s", "b"), link("a", "b", 5))
    background = (Background("s", "a", 100e9),)
    result = compare(push(net, "s", ("a", "b"), background=background), verify=True)
    for name in NAMES:
        transfer = row(result, name).transfers[0]
        assert transfer.unreachable == ("c000-a",)
        assert transfer.ratio_to_bound is None


def test_a_slow_link_beside_a_very_fast_one() -> None:
    """The bound is not blind to 900 kb/s because 1000 Pb/s exist elsewhere."""
    net = network(link("a", "b", gbps=0.0009), link("b", "c", gbps=1e9))
    result = compare(push(net, "a", ("c",)), verify=True)
    assert result.transfers[0].bound_s == pytest.approx(10e9 * 8 / 900e3)
    for name in NAMES:
        ratio = row(result, name).transfers[0].ratio_to_bound
        assert ratio == pytest.approx(factor(name, True))


def test_unequal_pulls_under_hashing_are_groups_of_their_own() -> None:
    """Two ways from s to z, over a 10 Gb/s and a 1 Gb/s router; 6 pulls of 1 GB use both."""
    net = network(
        link("s", "m", gbps=10),
        link("m", "z", gbps=10),
        link("s", "n", gbps=1),
        link("n", "z", gbps=1),
    )
    scenario = push(net, "s", ("z",), ingress_gbps=100, size_gb=1, ecmp="hash")
    result = compare(with_replicas(scenario, replicas=6), verify=True)
    found = row(result, "unicast").transfers[0].clouds[0]
    assert len(found.replica_groups) > 1
    spans = [(group.first, group.last) for group in found.replica_groups]
    assert spans[0][0] == 0 and spans[-1][1] == 5
    assert all(before[1] + 1 == after[0] for before, after in itertools.pairwise(spans))
    assert found.transfer_s == max(g.stages.transfer for g in found.replica_groups)
    slow = sum(g.count for g in found.replica_groups if g.stages.transfer == found.transfer_s)
    f = factor("unicast", True)
    assert found.transfer_s == pytest.approx(slow * 8 * f)


def test_copies_of_a_push_that_is_over_do_not_bind_a_later_one() -> None:
    result = compare(two_pushes(3600.0))
    for transfer in row(result, "pim-sm").transfers:
        assert transfer.binding == "arc hub->r00 10 Gb/s"
    for transfer in row(compare(two_pushes(4.0)), "pim-sm").transfers:
        assert transfer.binding == "arc hub->r00 10 Gb/s carries 2 copies"


def test_nobody_is_called_optimal_without_a_rival() -> None:
    net = star(1)
    only = SchemeOptions(only=("unicast",))
    scenario = with_replicas(push(net, "hub", ("r00",), schemes=only), replicas=50)
    result = compare(scenario)
    assert result.recommendation is not None
    assert not any("optimal" in text for text in result.recommendation.because)


def test_a_cloud_on_the_origins_own_pe_uses_no_core_arc() -> None:
    net = star(2)
    result = compare(push(net, "hub", ("hub",)), verify=True)
    for name in NAMES:
        found = row(result, name)
        assert [load.kind for load in found.links] == ["access", "access"]
        assert found.totals is not None
        assert (found.totals.link_copies, found.totals.wire_bytes) == (0, 0)
        assert math.isclose(completion(result, name), 8 * factor(name, False), rel_tol=1e-12)


def test_clouds_on_one_pe_share_its_copy() -> None:
    net = star(1)
    result = compare(push(net, "hub", ("r00", "r00", "r00")), verify=True)
    for name, copies in zip(NAMES, (3, 1, 1, 1, 1), strict=True):
        totals = row(result, name).totals
        assert totals is not None and totals.link_copies == copies


def test_an_unreachable_receiver_is_named_and_the_others_are_planned() -> None:
    net = network(link("s", "a"), extra=("z",))
    result = compare(push(net, "s", ("a", "z")), verify=True)
    for name in NAMES:
        transfer = row(result, name).transfers[0]
        assert row(result, name).feasible
        assert transfer.unreachable == ("c001-z",)
        assert [cloud.name for cloud in transfer.clouds] == ["c000-a"]
    nobody = compare(push(net, "s", ("z",)), verify=True)
    assert nobody.recommendation is None
    assert nobody.transfers[0].bound_s is None
    assert row(nobody, "bier").transfers[0].completion_s is None


def test_wire_bytes_arc_by_arc() -> None:
    """1 GB, s -> a -> b, both receive: BIER sends one copy over both links."""
    net = network(link("s", "a"), link("a", "b"))
    result = compare(push(net, "s", ("a", "b"), size_gb=1))
    carried = {
        (each.source, each.target): (each.copies, each.wire_bytes)
        for each in row(result, "bier").links
    }
    core, access = 1e9 * factor("bier", True), 1e9 * factor("bier", False)
    assert carried == {
        ("s", "a"): (1, pytest.approx(core, rel=1e-12)),
        ("a", "b"): (1, pytest.approx(core, rel=1e-12)),
        ("origin:push", "s"): (1, pytest.approx(access, rel=1e-12)),
        ("a", "cloud:c000-a"): (1, pytest.approx(access, rel=1e-12)),
        ("b", "cloud:c001-b"): (1, pytest.approx(access, rel=1e-12)),
    }


def two_pushes(start_s: float) -> Scenario:
    net = star(1, gbps=10)
    one = push(net, "hub", ("r00", "r00"), ingress_gbps=100, size_gb=10)
    first, second = one.clouds
    a = msgspec.structs.replace(one.transfers[0], name="a", clouds=(first.name,), receivers="known")
    b = msgspec.structs.replace(a, name="b", clouds=(second.name,), start_s=start_s)
    return msgspec.structs.replace(one, transfers=(a, b))


def test_two_transfers_share_a_link_while_they_overlap() -> None:
    """10 GB each over 10 Gb/s, the second 4 s later. Alone a needs 8 s (times the factor f). It
    has 4/f of 8 done when b starts; then each gets half: a ends 2 (8 f - 4) later; b has as much
    done as a did in that time, and the rest to itself."""
    result = compare(two_pushes(4.0), verify=True)
    f = factor("pim-sm", True)
    a_end = 4 + 2 * (8 * f - 4)
    b_left = 8 * f - (a_end - 4) / 2
    done = [each.completion_s for each in row(result, "pim-sm").transfers]
    assert done == [pytest.approx(a_end, rel=1e-12), pytest.approx(a_end + b_left - 4, rel=1e-12)]


def test_setup_is_due_for_new_receivers_only() -> None:
    net = star(2)
    new = compare(push(net, "hub", leaves_of(net)))
    assert all(scheme.transfers[0].setup_s for scheme in new.schemes)
    scenario = push(net, "hub", leaves_of(net))
    known = msgspec.structs.replace(scenario.transfers[0], receivers="known")
    result = compare(msgspec.structs.replace(scenario, transfers=(known,)))
    assert [scheme.transfers[0].setup_s for scheme in result.schemes] == [0.0] * 5


def test_setup_terms_on_a_chain() -> None:
    """Two links of 5 ms to the receiver. PIM: 2 hops of Join processing and 10 ms on the way."""
    net = network(link("s", "a", delay_s=0.005), link("a", "b", delay_s=0.005))
    result = compare(push(net, "s", ("b",)))
    timers = Scenario("x", net, (), ()).timers
    terms = {scheme.name: scheme.transfers[0].setup_terms for scheme in result.schemes}
    assert terms["unicast"] == {"announce": timers.announce_s}
    assert terms["pim-sm"]["join"] == pytest.approx(2 * timers.join_s + 0.010)
    assert terms["bier"]["signal"] == pytest.approx(timers.signal_s + 0.010)
    assert terms["sr-p2mp"]["program"] == pytest.approx(timers.program_s + 0.020)
    for scheme in result.schemes:
        transfer = scheme.transfers[0]
        assert transfer.setup_s == pytest.approx(sum(transfer.setup_terms.values()))


def with_replicas(scenario: Scenario, **changes: Any) -> Scenario:
    clouds = tuple(msgspec.structs.replace(cloud, **changes) for cloud in scenario.clouds)
    return msgspec.structs.replace(scenario, clouds=clouds)


def test_unicast_pulls_of_every_replica_or_of_one_cache() -> None:
    net = star(1)
    scenario = with_replicas(push(net, "hub", ("r00",)), replicas=5, fabric_bps=20e9)
    each = compare(scenario, verify=True)
    f = factor("unicast", False)
    assert completion(each, "unicast") == pytest.approx(5 * 8 * f, rel=1e-12)
    group = row(each, "unicast").transfers[0].clouds[0].replica_groups[0]
    assert (group.count, group.first, group.last, group.stages.fan_out) == (5, 0, 4, 0.0)
    options = SchemeOptions(unicast=UnicastOptions(per="cloud"))
    cached = compare(msgspec.structs.replace(scenario, schemes=options), verify=True)
    assert completion(cached, "unicast") == pytest.approx(8 * f, rel=1e-12)
    # Five copies of 10 GB share 20 Gb/s after the cache has it all: 20 s.
    group = row(cached, "unicast").transfers[0].clouds[0].replica_groups[0]
    assert group.stages.fan_out == pytest.approx(20.0, rel=1e-12)


def test_limits_make_one_scheme_infeasible_not_the_answer() -> None:
    net = star(3)
    scenario = push(net, "hub", leaves_of(net), mtu=600)
    options = SchemeOptions(bier=BierOptions(bsl=4096), sr_p2mp=SrP2mpOptions())
    result = compare(msgspec.structs.replace(scenario, schemes=options, mtu=550))
    bier = row(result, "bier")
    assert not bier.feasible and bier.totals is None and bier.transfers == ()
    assert bier.reason is not None and "MTU of 550 B" in bier.reason
    assert result.recommendation is not None
    few = compare(msgspec.structs.replace(scenario, mtu=9000, state_limit=3))
    assert [s.name for s in few.schemes if not s.feasible] == ["bier"]
    assert row(few, "bier").reason == "hub would hold 5 entries, over the limit of 3"


def test_prices_are_summed_over_core_bytes() -> None:
    """1 GB once over hub -> r00 at 0.02 USD/GB; ingress replication pays for its header too."""
    net = star(2)
    prices = (Price("hub", "r00", 0.02),)
    result = compare(push(net, "hub", ("r00", "r01"), size_gb=1, prices=prices))
    totals = row(result, "pim-sm").totals
    assert totals is not None
    assert totals.egress_usd == pytest.approx(0.02 * factor("pim-sm", True), rel=1e-12)


def test_unicast_is_said_to_be_optimal_where_it_is() -> None:
    """One replica behind one link: nothing to replicate, and TCP/IP alone has 12 B less room than
    UDP but no scheme header: PIM carries fewest bytes, unicast is as fast."""
    net = network(link("s", "a"))
    only = SchemeOptions(only=("unicast", "bier"))
    result = compare(push(net, "s", ("a",), schemes=only))
    assert [scheme.name for scheme in result.schemes] == ["unicast", "bier"]
    assert result.recommendation is not None
    assert result.recommendation.scheme == "unicast"
    assert any("already optimal" in text for text in result.recommendation.because)


def test_provision_of_the_slowest_receiver_delays_all() -> None:
    net = star(2)
    scenario = push(net, "hub", leaves_of(net))
    first, second = scenario.clouds
    slow = Cloud(second.name, second.node, second.ingress_bps, provision_s=90.0)
    result = compare(msgspec.structs.replace(scenario, clouds=(first, slow)))
    for scheme in result.schemes:
        for cloud in scheme.transfers[0].clouds:
            assert cloud.replica_groups[0].stages.provision == 90.0


def test_ingress_replication_is_said_to_be_optimal_where_a_tree_gains_nothing() -> None:
    """A star's links carry one copy each in any scheme; only the header tells them apart."""
    net = star(4)
    result = compare(push(net, "hub", leaves_of(net), size_gb=100))
    assert result.recommendation is not None
    assert result.recommendation.scheme == "pim-sm"
    said = "ingress-replication is already optimal here: ready within 1% of the best"
    assert any(text.startswith(said) for text in result.recommendation.because)


def test_a_spare_stream_that_meets_a_full_arc_ends_there(tmp_path: Path) -> None:
    """A-B-C in a ring, the receiver at B: its spare comes by C, and background fills A->C. The push
    itself takes A->B, where nothing is in its way."""
    file = tmp_path / "mofrr.yaml"
    file.write_text(
        """
schema: mcastplan.scenario/1
name: mofrr
topology:
  name: ring
  nodes: [{name: A}, {name: B}, {name: C}]
  links: [{a: A, b: B}, {a: B, b: C}, {a: A, b: C}]
underlay: {metric: hops, capacity: 100Gbps}
schemes: {pim-sm: {mofrr: true}, only: [pim-sm]}
background: [{from: A, to: C, rate: 100Gbps}]
clouds: [{name: x, node: B, ingress: 1Gbps}]
transfers: [{name: push, size: 1GB, origin: {node: A}, to: all}]
"""
    )
    (row,) = compare(load_scenario(str(file))).schemes
    (transfer,) = row.transfers
    assert transfer.unreachable == ()
    assert transfer.binding == "cloud x: ingress 1 Gb/s"


def test_a_ceiling_of_each_pull() -> None:
    """10 GB to five replicas behind 10 Gb/s, each pull at 1.05 Gb/s at most: 80 / 1.05 s, all five
    side by side, whatever the access is filled to (5 x 1.05 Gb/s and headers). With 3 Gb/s of
    payload each they would fill over 15 Gb/s of an access of 10 Gb/s: that binds, as without."""
    scenario = with_replicas(push(star(1), "hub", ("r00",)), replicas=5)

    def capped(rate_bps: float | None) -> Comparison:
        options = SchemeOptions(unicast=UnicastOptions(per_pull_bps=rate_bps))
        return compare(msgspec.structs.replace(scenario, schemes=options), verify=True)

    slow = capped(1.05e9)
    assert completion(slow, "unicast") == pytest.approx(80 / 1.05, rel=1e-12)
    assert row(slow, "unicast").transfers[0].binding == "ceiling 1.05 Gb/s of each pull"
    assert row(slow, "unicast").transfers[0].binding_arc is None
    free, wide = capped(None), capped(3e9)
    assert completion(wide, "unicast") == pytest.approx(completion(free, "unicast"), rel=1e-12)
    assert row(wide, "unicast").transfers[0].binding == row(free, "unicast").transfers[0].binding
    for name in ("ingress-replication", "pim-sm", "sr-p2mp", "bier"):
        assert row(slow, name) == row(free, name)


def test_a_ceiling_holds_where_nothing_else_does() -> None:
    """A ceiling of 2 Gb/s: it holds the pull of a cloud with 10 Gb/s (80 / 2 s of payload), not
    that of one with 1 Gb/s, whose access carries headers too and ends last: that is what binds."""
    scenario = push(star(2), "hub", ("r00", "r01"))
    clouds = tuple(
        msgspec.structs.replace(cloud, ingress_bps=rate)
        for cloud, rate in zip(scenario.clouds, (10e9, 1e9), strict=True)
    )
    options = SchemeOptions(unicast=UnicastOptions(per_pull_bps=2e9))
    scenario = msgspec.structs.replace(scenario, clouds=clouds, schemes=options)
    found = row(compare(scenario), "unicast").transfers[0]
    lasted = [cloud.transfer_s for cloud in found.clouds]
    assert lasted == pytest.approx([40, 80 * factor("unicast", False)], rel=1e-12)
    assert found.binding == f"cloud {clouds[1].name}: ingress 1 Gb/s"
