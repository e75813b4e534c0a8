"""FRR in the lab: kernel routes against networkx, timers, failures, what a stop leaves."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest

from mcastlab.frr_config import FrrTimers, frr_timers
from mcastplan.errors import ScenarioError
from mcastplan.model.timers import Timers
from tests.emulation.sandboxed import in_sandbox


def next_hops(described: dict[str, Any]) -> dict[str, dict[str, str]]:
    """By router and prefix, from networkx: no path has an equal."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_weighted_edges_from(described["edges"])
    found: dict[str, dict[str, str]] = {name: {} for name in graph}
    for name, prefixes in described["prefixes"].items():
        # Predecessors towards a destination are next hops in the reversed graph.
        paths = nx.single_source_dijkstra_path(graph.reverse(), name)
        for node, path in paths.items():
            if node != name:
                found[node].update(dict.fromkeys(prefixes, path[-2]))
    return found


@pytest.mark.parametrize("what", ["abilene", "7"])
def test_every_route_is_the_shortest_path(what: str) -> None:
    out = in_sandbox("frr_jobs:igp", what)
    wanted = next_hops(out)
    for node, routes in wanted.items():
        assert routes.items() <= out["routes"][node].items(), node
    assert out["memory_bytes"] < 2.5e9
    assert out["left"] == []


def test_a_link_that_fails_silently_and_comes_back() -> None:
    out = in_sandbox("frr_jobs:outage")
    assert out == {"same": True, "flaps": 0}


def test_flaps_are_counted_but_not_those_on_purpose() -> None:
    assert in_sandbox("frr_jobs:flaps") == {"before": 0, "all": 2, "others": 0}


@pytest.mark.parametrize(
    ("preset", "wanted"),
    [
        (
            "lab",
            {
                "spf": [50, 200, 5000],
                "lsa_ms": [0, 0],
                "hello_ms": 1000,
                "dead_s": 4,
                "bfd": [["up", 100]],
            },
        ),
        (
            "no-bfd",
            {
                "spf": [0, 50, 5000],
                "lsa_ms": [5000, 1000],
                "hello_ms": 10000,
                "dead_s": 40,
                "bfd": [],
            },
        ),
    ],
)
def test_presets_reach_the_daemons(preset: str, wanted: dict[str, Any]) -> None:
    assert in_sandbox("frr_jobs:timers", preset) == wanted


@pytest.mark.parametrize(("daemon", "converged"), [("ospfd", False), ("zebra", True)])
def test_a_daemon_that_dies_is_named(daemon: str, converged: bool) -> None:
    """Neighbours notice an ospfd that is gone, and nobody a zebra: its routes stay."""
    said = in_sandbox("frr_jobs:dead_daemon", daemon, converged)
    assert said.startswith(f"r2: {daemon} ended with status -9")


def test_frr_defaults() -> None:
    wanted = FrrTimers(hello_s=10, dead_s=40, bfd_ms=300, spf_ms=(0, 50, 5000), lsa_ms=5000)
    assert frr_timers(Timers.of("frr-defaults")) == wanted


def test_timers_frr_does_not_have_are_refused_by_name() -> None:
    with pytest.raises(ScenarioError) as refused:
        frr_timers(Timers.of("tuned"))
    assert str(refused.value) == (
        "timers: the lab's routers run FRR, which has no rfc8405 back-off (timers: tuned);"
        " use timers: lab, frr-defaults or no-bfd"
    )


def test_a_silent_time_bfd_cannot_keep_is_refused() -> None:
    with pytest.raises(ScenarioError) as refused:
        frr_timers(Timers.of("lab", silent_s=0.012))
    assert str(refused.value) == (
        "timers.silent: the lab notices a silent failure by BFD, 3 x 10 ms to 3 x 60 s;"
        " 0.012 s is outside"
    )
