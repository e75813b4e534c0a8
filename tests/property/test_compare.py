"""What must hold of any comparison: bounds, bytes, order, and independence of accidents."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import msgspec
import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.model.results import Comparison
from mcastplan.model.scenario import Scenario
from mcastplan.report.json import render
from mcastplan.study.compare import compare
from tests.networks import scenarios

EVEN = 1e-9


def served(scenario: Scenario) -> dict[str, set[str]]:
    """Receivers that networkx connects to the origin, by transfer."""
    peer = nx.Graph()
    peer.add_nodes_from(node.name for node in scenario.topology.nodes)
    peer.add_edges_from((each.a, each.b) for each in scenario.topology.links)
    return {
        transfer.name: {
            name
            for name in transfer.clouds
            if nx.has_path(peer, transfer.origin, scenario.cloud[name].node)
        }
        for transfer in scenario.transfers
    }


def check_rows(scenario: Scenario, result: Comparison) -> None:
    reachable = served(scenario)
    receivers = {each.name: set(each.clouds) for each in scenario.transfers}
    for scheme in result.schemes:
        if not scheme.feasible:
            assert scheme.reason and scheme.totals is None and not scheme.transfers
            continue
        assert scheme.totals is not None
        for transfer in scheme.transfers:
            got = {cloud.name for cloud in transfer.clouds}
            assert got == reachable[transfer.name]
            assert set(transfer.unreachable) == receivers[transfer.name] - got
            if not got:
                assert transfer.completion_s is None
                continue
            assert transfer.completion_s == max(cloud.transfer_s for cloud in transfer.clouds)
            assert transfer.ratio_to_bound is not None
            assert transfer.ratio_to_bound >= 1 - EVEN  # no scheme beats the bound
            assert transfer.binding
            for cloud in transfer.clouds:
                replicas = scenario.cloud[cloud.name].replicas
                indices = [
                    index for g in cloud.replica_groups for index in range(g.first, g.last + 1)
                ]
                assert indices == list(range(replicas))
                for group in cloud.replica_groups:
                    assert math.isclose(group.stages.total(), group.ready_s, abs_tol=1e-6)
        for load in scheme.links:
            assert load.copies > 0
            assert 0 <= load.busiest_utilisation <= 1 + EVEN
        assert scheme.totals.state_entries == sum(node.state_entries for node in scheme.nodes)


def check_conservation(scenario: Scenario, result: Comparison) -> None:
    """Payload in over the origins' access arcs, out over the clouds': each cloud gets its size
    once (unicast: once per pull), on arcs without any scheme header."""
    reachable = served(scenario)
    pulls = {cloud.name: cloud.replicas for cloud in scenario.clouds}
    for scheme in result.schemes:
        if not scheme.feasible or scheme.totals is None:
            continue
        unicast = scheme.name == "unicast"
        copies = {(load.source, load.target): load.copies for load in scheme.links}
        for transfer in scenario.transfers:
            reached = reachable[transfer.name]
            out = sum(pulls[name] for name in reached) if unicast else bool(reached)
            assert copies.get((f"origin:{transfer.name}", transfer.origin), 0) == out
        for cloud in scenario.clouds:
            times = sum(cloud.name in reachable[each.name] for each in scenario.transfers)
            wanted = times * (cloud.replicas if unicast else 1)
            assert copies.get((cloud.node, f"cloud:{cloud.name}"), 0) == wanted


@given(scenario=scenarios())
@settings(max_examples=200)
def test_any_comparison(scenario: Scenario) -> None:
    result = compare(scenario, verify=True)
    check_rows(scenario, result)
    check_conservation(scenario, result)
    if result.recommendation is not None:
        rows = {row.name: row for row in result.schemes if row.feasible}
        pick = rows[result.recommendation.scheme]
        assert pick.unreachable == min(
            row.unreachable for row in rows.values() if row.last_ready_s is not None
        )


@given(scenario=scenarios(), data=st.data())
@settings(max_examples=60)
def test_order_of_clouds_and_links_changes_nothing(scenario: Scenario, data: st.DataObject) -> None:
    """Nouns sort themselves in `Topology.make`; clouds and transfers arrive sorted from the
    decoder, so here only links and nodes are shuffled (the decoder's own test does the rest)."""
    topology = scenario.topology
    shuffled = type(topology).make(
        topology.name,
        tuple(data.draw(st.permutations(topology.nodes))),
        tuple(data.draw(st.permutations(topology.links))),
    )
    again = msgspec.structs.replace(scenario, topology=shuffled)
    assert render(compare(again)) == render(compare(scenario))


def test_hash_seed_changes_nothing() -> None:
    outputs = set()
    for seed in ("0", "1", "77"):
        done = subprocess.run(
            [sys.executable, "-m", "mcastplan", "compare", "builtin:geant", "--json", "-"],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1
