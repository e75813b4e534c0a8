"""The command on real scenarios: exit codes, and errors as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcastplan.cli import app
from mcastplan.scenario import builtin_names

ISLANDS = """\
schema: mcastplan.scenario/1
name: islands
topology:
  name: two-islands
  nodes: [{name: A}, {name: B}, {name: X}, {name: Y}]
  links: [{a: A, b: B, delay: 1ms}, {a: X, b: Y, delay: 1ms}]
clouds:
  - {name: near, node: B, ingress: 10Gbps}
  - {name: far, node: Y, ingress: 10Gbps}
transfers: [{name: push, size: 1GB, origin: {node: A}, to: TO}]
"""


@pytest.fixture
def islands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A-B and X-Y, not joined; the origin is A."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "islands.yaml"
    path.write_text(ISLANDS.replace("TO", "all"))
    return path


def test_a_receiver_that_cannot_be_reached(
    islands: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is named, the other one is planned, and the answer is 1."""
    assert app.run(["compare", "islands.yaml"]) == 1
    out, err = capfd.readouterr()
    assert "UNREACHABLE by any scheme: 1 cloud of push: far" in out
    assert err == ""
    assert app.run(["compare", "islands.yaml", "--json", "-"]) == 1
    for scheme in json.loads(capfd.readouterr().out)["schemes"]:
        assert scheme["transfers"][0]["unreachable"] == ["far"]
        assert [cloud["name"] for cloud in scheme["transfers"][0]["clouds"]] == ["near"]


def test_nobody_can_be_reached(islands: Path, capfd: pytest.CaptureFixture[str]) -> None:
    islands.write_text(ISLANDS.replace("TO", "[far]"))
    assert app.run(["compare", "islands.yaml"]) == 1
    out, _ = capfd.readouterr()
    assert "no receiver can be reached" in out
    assert "No scheme can be recommended." in out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["plan", "islands.yaml", "--scheme", "smoke"], "smoke"),
        (["plan", "islands.yaml", "--scheme", "bier", "--node", "Q"], "'Q'"),
        (["compare", "islands.yml"], "islands.yml"),
        (["compare", "builtin:nothing"], "'nothing'"),
        (["compare", "islands.yaml", "--json", "no/where.json"], "no/where.json"),
    ],
)
def test_what_does_not_exist_is_one_line_that_names_it(
    islands: Path, args: list[str], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert app.run(args) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"mcastplan {args[0]}: ")
    assert words in err
    assert err.count("\n") == 1


def test_an_infeasible_scheme(islands: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """At most 2 entries a node: BIER holds 2 rows on A and its own entry. plan refuses, compare
    names the reason and goes on."""
    text = ISLANDS.replace("TO", "[near]") + "limits: {state_entries: 2}\n"
    islands.write_text(text)
    assert app.run(["compare", "islands.yaml"]) == 0
    assert "bier is not feasible here: " in capfd.readouterr().out


@pytest.mark.parametrize("name", sorted({*builtin_names()} - {"global-inference"}))
def test_every_shipped_scenario_is_verified(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Every receiver of it can be reached, and every walk agrees."""
    assert app.run(["compare", f"builtin:{name}", "--verify"]) == 0
    assert "Verified:" in capfd.readouterr().out


@pytest.mark.parametrize("name", ["minimal", "abilene", "geant"])
@pytest.mark.parametrize("scheme", ["unicast", "ingress-replication", "pim-sm", "sr-p2mp", "bier"])
def test_plan_of_every_scheme(name: str, scheme: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert app.run(["plan", f"builtin:{name}", "--scheme", scheme]) == 0
    out = capfd.readouterr().out
    assert f": {scheme}, " in out.splitlines()[0]
    assert "\nrouter " in out


def test_results_do_not_depend_on_where_they_are_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a.json"
    assert app.run(["compare", "builtin:abilene", "--json", str(target)]) == 0
    capfd.readouterr()
    assert app.run(["compare", "builtin:abilene", "--json", "-"]) == 0
    assert capfd.readouterr().out == target.read_text()
