"""`compare` against the small model on networks drawn at random, from a scenario file on."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.errors import ScenarioError
from mcastplan.report.json import render
from mcastplan.scenario import load_scenario
from mcastplan.study.compare import compare
from tests.small_model.answer import differences
from tests.small_model.drawn import files
from tests.small_model.globe import faster_than_light


@given(file=files(), bsl=st.sampled_from([2, 3, 64, 256]))
@settings(max_examples=200)
def test_no_number_differs(file: dict[str, Any], bsl: int) -> None:
    """A file cannot ask for 2 or 3 bits; here they make several set identifiers of few PEs."""
    scenario = load_scenario(file)
    bier = msgspec.structs.replace(scenario.schemes.bier, bsl=bsl)
    schemes = msgspec.structs.replace(scenario.schemes, bier=bier)
    scenario = msgspec.structs.replace(scenario, schemes=schemes)
    result = json.loads(render(compare(scenario)))
    assert list(differences(scenario, result)) == []


@given(file=files())
@settings(max_examples=80)
def test_parallel_links_are_numbered_widest_first(file: dict[str, Any]) -> None:
    """By falling capacity, then metric, then delay; so of equal metrics the widest is taken. Where
    a link is wider one way and narrower the other, the contract does not say which counts."""
    topology = load_scenario(file).topology
    pairs: dict[tuple[str, str], list[Any]] = {}
    for link in topology.links:
        pairs.setdefault((link.a, link.b), []).append(link)
    for (a, b), links in pairs.items():
        if len(links) == 1:
            assert links[0].id == f"{min(a, b)}--{max(a, b)}"
            continue
        assert {link.id for link in links} == {f"{a}--{b}#{i + 1}" for i in range(len(links))}
        links.sort(key=lambda link: int(link.id.partition("#")[2]))
        if all(link.capacity_bps == link.capacity_reverse_bps for link in links):
            order = [(-link.capacity_bps, link.metric, link.metric_reverse) for link in links]
            assert order == sorted(order)
            rest = [(*key, link.delay_s) for key, link in zip(order, links, strict=True)]
            assert rest == sorted(rest)


@given(file=files())
@settings(max_examples=100)
def test_what_is_not_known_is_no_short_cut(file: dict[str, Any]) -> None:
    """No stated delay is shorter than light takes, and links between places get theirs from
    kilometres: then no pair of placed nodes may be joined faster, over whatever else."""
    file["topology"]["links"] = [
        {key: value for key, value in link.items() if not key.startswith("metric")}
        for link in file["topology"]["links"]
    ]
    file["underlay"]["metric"] = "delay"
    assert list(faster_than_light(load_scenario(file).topology)) == []


@given(file=files())
@settings(max_examples=40)
def test_without_a_rule_metrics_in_the_file_are_taken(file: dict[str, Any]) -> None:
    """`explicit` where every link has a metric, an error that names one without where some have,
    else `delay`."""
    stated = ["metric" in link for link in file["topology"]["links"]]
    rule = "explicit" if stated and all(stated) else "delay"
    by_rule = load_scenario(file | {"underlay": {"metric": rule}})
    assert load_scenario(file | {"underlay": {}}).topology == by_rule.topology


def test_a_metric_on_some_links_alone_is_refused() -> None:
    file = {
        "schema": "mcastplan.scenario/1",
        "name": "half",
        "topology": {
            "nodes": [{"name": name} for name in "abc"],
            "links": [{"a": "a", "b": "b", "metric": 7}, {"a": "b", "b": "c"}],
        },
        "clouds": [{"name": "x", "node": "b", "ingress": "1Gbps"}],
        "transfers": [{"name": "t", "size": "1GB", "origin": {"node": "a"}, "to": "all"}],
    }
    with pytest.raises(ScenarioError, match="b to c has no metric"):
        load_scenario(file)
