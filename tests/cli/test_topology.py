"""`mcastplan topology list|show|lint` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mcastplan.cli import app
from mcastplan.scenario import schemas


def checked(out: str) -> dict[str, Any]:
    """The JSON answer, which fits the schema it names."""
    value: dict[str, Any] = json.loads(out)
    jsonschema.Draft202012Validator(schemas()[value["schema"]]).validate(value)
    return value


def test_list(capfd: pytest.CaptureFixture[str]) -> None:
    assert app.run(["topology", "list", "--group", "generate"]) == 0
    out, _ = capfd.readouterr()
    assert "generate:fat-tree/k=12               612  1,296" in out
    assert "topohub:" not in out
    assert app.run(["topology", "list", "--json", "-"]) == 0
    rows = checked(capfd.readouterr().out)["topologies"]
    assert {"reference": "topohub:sndlib/polska", "group": "sndlib", "nodes": 12, "links": 18} in (
        rows
    )


def test_show(capfd: pytest.CaptureFixture[str]) -> None:
    assert app.run(["topology", "show", "topohub:sndlib/nobel-eu"]) == 0
    out, _ = capfd.readouterr()
    for words in (
        "nobel-eu: 28 nodes, 41 links",
        "licence: MIT (topohub)",
        "in one piece; 0 bridges, 0 cut nodes",
        "capacity: 100 Gb/s",
        "demands: 756, 3,796 units together",
        "longitude -6.15 to 23.42",
    ):
        assert words in out
    assert app.run(["topology", "show", "builtin:minimal", "--json", "-"]) == 0
    assert checked(capfd.readouterr().out)["delay_s"] == {"least": 0.001, "most": 0.005}


def test_lint_answers_no_for_two_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text("nodes: [{name: A}, {name: B}, {name: C}]\nlinks: [{a: A, b: B}]\n")
    assert app.run(["topology", "lint", "net.yaml"]) == 1
    out, err = capfd.readouterr()
    assert "net: 3 nodes, 1 link; in parts" in out
    assert "error: disconnected, 1: not joined to the largest of 2 parts" in out
    assert err == ""
    assert app.run(["topology", "lint", "net.yaml", "--json", "-"]) == 1
    result = checked(capfd.readouterr().out)
    assert result["connected"] is False
    assert [finding["rule"] for finding in result["findings"]][:2] == ["disconnected", "bridge"]


def test_lint_warns_and_says_yes(capfd: pytest.CaptureFixture[str]) -> None:
    assert app.run(["topology", "lint", "generate:star/leaves=12"]) == 0
    out, _ = capfd.readouterr()
    assert "warning: bridge, 12: the only way between two sides" in out
    assert "hub--leaf-08 and 4 more" in out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["show", "topohub:sndlib/polskaa"], "did you mean 'sndlib/polska'"),
        (["show", "nowhere.graphml"], "there is no file 'nowhere.graphml'"),
        (["lint", "generate:ring/nodes=2"], "nodes is a number from 3 to 20000"),
        (["list", "--group", "x"], "groups: backbone, builtin, caida"),
        (["lint"], "Missing argument 'REF'"),
        (["shew"], "No such command 'shew'"),
    ],
)
def test_errors_are_one_line(
    args: list[str], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["topology", *args]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("mcastplan topology")
    assert err.count("\n") == 1
    assert words in err


def test_models_of_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "model.safetensors.index.json"
    path.write_text('{"metadata": {"total_size": 5e11}, "weight_map": {"a": "x", "b": "y"}}')
    assert app.run(["models", str(path)]) == 0
    out, _ = capfd.readouterr()
    assert out.splitlines()[1].split()[:4] == ["mine", "500", "GB", "2"]
    with (path.parent / "x").open("wb") as file:
        file.truncate(7_000)
    assert app.run(["models", str(path), "--json", "-"]) == 0
    (note,) = json.loads(capfd.readouterr().out)["assumptions"]
    assert note.startswith(f"{path}: 1 of the 2 files it names are not beside it ('y')")
    assert app.run(["models", str(tmp_path / "none.safetensors.index.json")]) == 2
    assert "no such file" in capfd.readouterr().err
