"""Engines that a scenario states: values, what is left out, and what that does to readiness."""

from __future__ import annotations

import math
from typing import Any

import jsonschema
import pytest

from mcastplan.model.cloud import EngineProfile
from mcastplan.model.scenario import Scenario
from mcastplan.scenario import engines, load_scenario, schemas
from mcastplan.study.compare import compare


def scenario(*engine: object, own: dict[str, Any] | None = None, **transfer: object) -> Scenario:
    """Clouds c0, c1, ... with these engines, one replica each, over 10 Gb/s."""
    clouds = [
        {"name": f"c{i}", "node": "B", "ingress": "10Gbps", "engine": each}
        for i, each in enumerate(engine)
    ]
    push = {"name": "p", "size": "10GB", "origin": {"node": "A"}, "to": "all", **transfer}
    value = {
        "schema": "mcastplan.scenario/1",
        "name": "measured",
        "topology": {"nodes": [{"name": "A"}, {"name": "B"}], "links": [{"a": "A", "b": "B"}]},
        "clouds": clouds,
        "transfers": [push],
        "engines": own or {},
    }
    jsonschema.validate(value, schemas()["mcastplan.scenario/1"])
    return load_scenario(value)


def row(name: str) -> EngineProfile:
    return next(each for each in engines() if each.name == name)


def about(found: Scenario) -> list[str]:
    return [said for said in found.assumptions if "ngine" in said]


def test_like_a_row_but_for_what_was_measured() -> None:
    found = scenario({"like": "vllm-8xh200", "compile": "45s", "warm_up": "20s"})
    engine, known = found.clouds[0].engine, row("vllm-8xh200")
    assert engine is not None
    assert (engine.compile_s, engine.warm_up_s) == (45.0, 20.0)
    assert (engine.verify_bps, engine.load_bps) == (known.verify_bps, known.load_bps)
    assert (engine.graphs_s, engine.compile_cached_s) == (known.graphs_s, known.compile_cached_s)
    assert engine.name == "like vllm-8xh200"
    assert about(found) == [
        "The engine of c0 is vllm-8xh200 with the scenario's own compile 45s, warm_up 20s."
    ]


def test_a_cache_saves_no_more_than_is_stated() -> None:
    """Where compiling took 5 s, a cached compile of 15 s (the row's) takes 5 s; where nothing is
    like it and nothing is stated of a cache, it saves nothing, and that is said."""
    quick = scenario({"like": "vllm-8xh200", "compile": "5s"}).clouds[0].engine
    assert row("vllm-8xh200").compile_cached_s == 15.0
    assert quick is not None and quick.compile_cached_s == 5.0
    found = scenario({"compile": "45s"}, ship_compile_cache=True)
    alone = found.clouds[0].engine
    assert alone is not None and alone.compile_cached_s == 45.0
    assert about(found) == [
        "The engine of c0 states no verify, load, graphs, warm_up: taken as 0 s.",
        "The engine of c0 states no compile_cached: a shipped compile cache saves nothing.",
    ]


def test_a_name_for_several_clouds() -> None:
    own = {"ours": {"load": "16Gbps", "verify": "80Gbps", "compile": "43s", "compile_cached": "5s"}}
    found = scenario("ours", {"like": "ours", "graphs": "7s"}, "none", own=own)
    first, second, third = (cloud.engine for cloud in found.clouds)
    assert third is None
    assert first is not None and second is not None
    assert (first.load_bps, first.compile_s, first.compile_cached_s) == (16e9, 43.0, 5.0)
    assert (second.load_bps, second.graphs_s) == (16e9, 7.0)
    assert about(found) == [
        "Engine ours states no graphs, warm_up: taken as 0 s.",
        "The engine of c1 is ours with the scenario's own graphs 7s.",
    ]


def test_one_that_no_cloud_has_is_named() -> None:
    assert about(scenario(None, own={"ours": {"load": "16Gbps"}})) == [
        "No cloud has the engine ours, which the scenario states."
    ]


def test_provision_of_the_cloud_goes_before_that_of_its_engine() -> None:
    assert scenario({"provision": "60s", "load": "1Gbps"}).clouds[0].provision_s == 60.0


def test_the_stages_are_those_that_were_measured() -> None:
    """10 GB are 80 Gb: verified at 80 Gb/s in 1 s, loaded at 16 Gb/s in 5 s, compiled in 43 s,
    captured in 7 s, warm in 2 s: 58 s after the last byte."""
    engine = {
        **{"verify": "80Gbps", "load": "16Gbps", "compile": "43s", "graphs": "7s"},
        **{"warm_up": "2s", "source": "our log"},
    }
    found = compare(scenario(engine))
    for scheme in found.schemes:
        (group,) = scheme.transfers[0].clouds[0].replica_groups
        stages = group.stages
        after = (stages.verify, stages.load, stages.compile, stages.graphs, stages.warm_up)
        assert after == pytest.approx((1.0, 5.0, 43.0, 7.0, 2.0))
    assert found.question is not None
    assert found.question.clouds[0].engine == "own"


def test_nothing_stated_is_infinitely_fast() -> None:
    engine = scenario({"load": "1Gbps"}).clouds[0].engine
    assert engine is not None
    assert engine.verify_bps == math.inf
    assert engine.source == "stated in the scenario"
