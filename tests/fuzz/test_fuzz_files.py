"""The other files that the command reads, damaged: results, topologies, GraphML, model indexes."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.mutate import HOSTILE, damaged, mutated, places, written
from tests.fuzz.test_fuzz_scenarios import RICH, judge
from tests.fuzz.watch import guarded, install

CASES = 400
PAGES = 60  # of the report, which takes longest
HOSTILE_TEXT = [text for text in HOSTILE if isinstance(text, str) and text.isprintable()]

GRAPHML = """<?xml version="1.0" encoding="utf-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key attr.name="label" attr.type="string" for="node" id="d1" />
  <key attr.name="Latitude" attr.type="double" for="node" id="d2" />
  <key attr.name="Longitude" attr.type="double" for="node" id="d3" />
  <key attr.name="LinkSpeedRaw" attr.type="double" for="edge" id="d4" />
  <graph edgedefault="undirected">
    <node id="0"><data key="d1">A</data><data key="d2">52.4</data><data key="d3">4.9</data></node>
    <node id="1"><data key="d1">B</data><data key="d2">48.9</data><data key="d3">2.3</data></node>
    <node id="2"><data key="d1">C</data></node>
    <edge source="0" target="1"><data key="d4">10000000000.0</data></edge>
    <edge source="0" target="2" />
    <edge source="1" target="2" />
  </graph>
</graphml>
"""
INDEX = {
    "metadata": {"total_size": 141_107_412_992},
    "weight_map": {
        f"model.layers.{i}.weight": f"model-{i % 3 + 1}-of-3.safetensors" for i in range(9)
    },
}

Make = Callable[[random.Random], tuple[str, bytes]]


def attack(
    make: Make,
    args: Callable[[Path, Path], list[str]],
    home: Path,
    seed: str,
    cases: int = CASES,
) -> list[int]:
    """``cases`` files through one command; how often each exit code came."""
    install()
    out = home / "out"
    out.mkdir()
    codes = [0, 0, 0]
    for number in range(cases):
        dice = random.Random(f"{seed}/{number}")
        name, data = make(dice)
        path = home / name
        path.write_bytes(damaged(data, dice) if dice.random() < 0.2 else data)
        words = args(path, out)
        try:
            answer = guarded(words)
            judge(answer, words, out)
            for page in out.rglob("*.html"):
                svg = re.sub(r"<script.*?</script>", "", page.read_text("utf-8"), flags=re.DOTALL)
                assert not re.search(r'="[^"]*\b(nan|inf)\b|\b(nan|inf) ?(%|B|s|TB)\b', svg)
                page.unlink()
        except BaseException as error:
            error.add_note(f"case {seed}/{number}, written to {path}")
            raise
        codes[answer.code] += 1
    return codes


def as_file(value: Any, stem: str) -> Make:
    def make(dice: random.Random) -> tuple[str, bytes]:
        suffix, data = written(mutated(value, dice), dice)
        return f"{stem}.{suffix}", data

    return make


@pytest.mark.parametrize("command", ["show", "lint"])
def test_topologies(command: str, tmp_path: Path) -> None:
    topology = RICH["topology"] | {"schema": "mcastplan.topology/1"}
    codes = attack(
        as_file(topology, "net"),
        lambda path, out: ["topology", command, str(path), "--json", "-"],
        tmp_path,
        f"topology {command}",
    )
    assert min(codes[0], codes[2]) > CASES / 20, codes


def graphml(dice: random.Random) -> tuple[str, bytes]:
    """One to three values or tags replaced."""
    text = GRAPHML
    for _ in range(dice.randrange(1, 4)):
        spot = dice.choice(list(re.finditer(r'(?<=")[^"]*(?=")|(?<=>)[^<>\n]+(?=<)|</?\w+', text)))
        new = str(dice.choice(HOSTILE)) if dice.random() < 0.8 else dice.choice(("<node", "<x", ""))
        text = text[: spot.start()] + new + text[spot.end() :]
    return "net.graphml", text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("command", ["show", "lint"])
def test_graphml(command: str, tmp_path: Path) -> None:
    codes = attack(
        graphml,
        lambda path, out: ["topology", command, str(path)],
        tmp_path,
        f"graphml {command}",
    )
    assert min(codes[0] + codes[1], codes[2]) > CASES / 20, codes


def test_model_indexes(tmp_path: Path) -> None:
    def make(dice: random.Random) -> tuple[str, bytes]:
        text = json.dumps(mutated(INDEX, dice), ensure_ascii=False)
        return "model.safetensors.index.json", text.encode("utf-8", "surrogatepass")

    codes = attack(make, lambda path, out: ["models", str(path)], tmp_path, "models")
    assert codes[2] > CASES / 20, codes


def test_saved_results(tmp_path: Path) -> None:
    """Numbers nobody computed and names that are markup; a page is written whole or not at all."""
    scenario = tmp_path / "rich.json"
    scenario.write_text(json.dumps(RICH))
    answer = guarded(["compare", str(scenario), "--json", "-"])
    assert answer.code == 0
    result = json.loads(answer.out)

    def make(dice: random.Random) -> tuple[str, bytes]:
        changed = copy.deepcopy(result) if dice.random() < 0.8 else mutated(result, dice)
        spots = list(places(changed)) if changed else []
        for box, key in dice.sample(spots, min(len(spots), dice.choice((1, 5, 50)))):
            if isinstance(box[key], str):
                box[key] = dice.choice(HOSTILE_TEXT)
            elif isinstance(box[key], int | float) and not isinstance(box[key], bool):
                box[key] = dice.choice((0, -1, 1, 1e300, -1e300, 5e-324, 2**63 - 1, 1e-9, 1e15))
            elif isinstance(box[key], list):
                box[key] = []
        text = json.dumps(changed, ensure_ascii=False)
        return "result.json", text.encode("utf-8", "surrogatepass")

    codes = attack(
        make,
        lambda path, out: ["report", str(path), "--out", str(out / "page")],
        tmp_path,
        "report",
        PAGES,
    )
    assert min(codes[0], codes[2]) > PAGES / 20, codes
