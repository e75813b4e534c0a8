"""A topology's own traffic matrix as background."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcastplan.scenario import load_scenario, read_topology
from mcastplan.scenario.topohub import topohub_names
from tests.topohub_graphs import stored_demands


def scenario(key: str, **changes: Any) -> dict[str, Any]:
    names = [node.name for node in read_topology(f"topohub:{key}").topology.nodes]
    return {
        "schema": "mcastplan.scenario/1",
        "name": "case",
        "topology": f"topohub:{key}",
        "clouds": [{"name": "east", "node": names[0], "ingress": "1Gbps"}],
        "transfers": [{"name": "push", "size": "1GB", "origin": {"node": names[1]}, "to": "all"}],
        **changes,
    }


@pytest.mark.parametrize("key", topohub_names("sndlib"))
def test_totals_are_those_of_the_file(key: str) -> None:
    """Each demand once, in its direction; twice where the matrix is undirected."""
    rows = stored_demands(key)
    total = sum(value for row in rows.values() for value in row.values())
    pairs = {(a, b) for a, row in rows.items() for b in row}
    both = 1 if any((b, a) in pairs for a, b in pairs) else 2
    found = read_topology(f"topohub:{key}").demands
    assert len(found) == len(pairs) * both
    assert sum(value for _, _, value in found) == pytest.approx(total * both, rel=1e-12)


def test_known_totals() -> None:
    """SNDlib: GEANT's demands are Mbit/s that sum to 3 Tbit/s (geant-readme.txt), directed;
    nobel-eu's 378 undirected ones are 1,898 units."""
    geant = read_topology("topohub:sndlib/geant").demands
    assert len(geant) == 462
    assert sum(value for _, _, value in geant) == pytest.approx(3e6, rel=1e-5)
    nobel = read_topology("topohub:sndlib/nobel-eu").demands
    assert len(nobel) == 756
    assert sum(value for _, _, value in nobel) == 2 * 1898


def test_unit_makes_rates_beside_the_listed_ones() -> None:
    listed = {"from": "Gdansk", "to": "Lodz", "rate": "3Mbps"}
    loaded = load_scenario(
        scenario("sndlib/polska", background=[listed], background_demands={"unit": "2Mbps"})
    )
    demands = read_topology("topohub:sndlib/polska").demands
    rates = {(row.source, row.target, row.rate_bps) for row in loaded.background[1:]}
    assert rates == {(a, b, value * 2e6) for a, b, value in demands}
    assert loaded.background[0].rate_bps == 3e6
    said = "Background: the topology's 132 demands, 2 Mb/s for each of their units, together"
    assert any(note.startswith(said) for note in loaded.assumptions)


def test_no_demands_unless_asked_for() -> None:
    assert load_scenario(scenario("sndlib/polska")).background == ()


def test_index_of_a_model(tmp_path: Path) -> None:
    """Three tensors in two files of 141,107,412,992 bytes."""
    index = {
        "metadata": {"total_size": 141_107_412_992},
        "weight_map": {"a": "x-1.safetensors", "b": "x-1.safetensors", "c": "x-2.safetensors"},
    }
    (tmp_path / "Our Model.safetensors.index.json").write_text(json.dumps(index))
    value = scenario("sndlib/polska")
    transfer = value["transfers"][0]
    del transfer["size"]
    transfer["model"] = "Our Model.safetensors.index.json"
    path = tmp_path / "push.json"
    path.write_text(json.dumps(value))
    (loaded,) = load_scenario(path).transfers
    assert (loaded.size_bytes, loaded.shards, loaded.model) == (141_107_412_992, 2, "Our-Model")
