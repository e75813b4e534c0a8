"""``plan --pcap`` and ``--to``: files, pipes, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcastplan.cli import app
from mcastplan.wire import frames

PLAN = ["plan", "builtin:minimal", "--scheme"]
MAGIC = bytes.fromhex("0a0d0d0a")


def test_a_capture_beside_the_tables(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "a.pcapng"
    assert app.run([*PLAN, "bier", "--pcap", str(target)]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out.startswith("minimal: bier, ")
    assert " ".join(out.split()).endswith(f"{target}: 5 frames of 1 packet on 5 arcs, payloads cut")
    assert target.read_bytes().startswith(MAGIC)
    assert list(tmp_path.iterdir()) == [target]


def test_a_capture_with_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capture, answer = tmp_path / "a.pcapng", tmp_path / "a.json"
    assert app.run([*PLAN, "pim-sm", "--pcap", str(capture), "--json", str(answer)]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == str(answer)
    assert capture.read_bytes().startswith(MAGIC)
    assert json.loads(answer.read_bytes())["schema"] == "mcastplan.plan/1"
    assert app.run([*PLAN, "pim-sm", "--pcap", str(capture), "--json", "-"]) == 0
    assert json.loads(capfd.readouterr().out)["scheme"] == "pim-sm"


def test_a_capture_to_a_pipe_is_nothing_else(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    target, answer = tmp_path / "a.pcapng", tmp_path / "a.json"
    assert app.run([*PLAN, "unicast", "--pcap", "-", "--json", str(answer)]) == 0
    out = capfdbinary.readouterr().out
    assert app.run([*PLAN, "unicast", "--pcap", str(target)]) == 0
    assert out == target.read_bytes()
    assert json.loads(answer.read_bytes())["scheme"] == "unicast"


def test_the_first_pulls_of_many(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "a.pcapng"
    args = ["plan", "builtin:global-inference", "--scheme", "unicast", "--pcap", str(target)]
    assert app.run(args) == 0
    assert "frames of the first 38 of 62 packets on" in " ".join(capfd.readouterr().out.split())


def test_chosen_receivers(capfd: pytest.CaptureFixture[str]) -> None:
    assert app.run([*PLAN, "pim-sm", "--to", "east", "--json", "-"]) == 0
    assert json.loads(capfd.readouterr().out)["transfers"][0]["receivers"] == ["B"]
    assert app.run([*PLAN, "pim-sm", "--to", "west, east", "--json", "-"]) == 0
    assert json.loads(capfd.readouterr().out)["transfers"][0]["receivers"] == ["B", "C"]


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--to", "eest"], "no cloud 'eest' in scenario minimal; did you mean 'west' or 'east'?"),
        (["--to", ""], "no cloud '' in scenario minimal"),
        (["--to", "east,"], "no cloud '' in scenario minimal"),
        (["--pcap", "no/x"], "--pcap no/x: there is no folder no; make it first"),
        (["--pcap", ""], "--pcap '': not a file name"),
        (["--pcap", "x", "--json", "x"], "--pcap and --json both name x; name two files"),
        (["--pcap", "-", "--json", "-"], "--pcap and --json both name -; name two files"),
    ],
)
def test_refusals(
    args: list[str],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert app.run([*PLAN, "bier", *args]) == 2
    assert capfd.readouterr() == ("", f"mcastplan plan: {line}\n")
    assert list(tmp_path.iterdir()) == []


def test_an_infeasible_scheme_writes_no_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scenario = tmp_path / "x.yaml"
    scenario.write_text(
        "schema: mcastplan.scenario/1\nname: x\nlimits: {state_entries: 1}\n"
        "topology: {name: two, nodes: [{name: A}, {name: B}], links: [{a: A, b: B}]}\n"
        "clouds: [{name: c, node: B, ingress: 1Gbps}]\n"
        "transfers: [{name: push, size: 1GB, origin: {node: A}, to: all}]\n"
    )
    target = tmp_path / "a.pcapng"
    args = ["plan", str(scenario), "--scheme", "bier", "--pcap", str(target)]
    assert app.run(args) == 2
    assert "bier cannot serve x" in capfd.readouterr().err
    assert not target.exists()


def test_a_scheme_without_an_encoder_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Ingress replication's packets, made unknown to the encoder as those of a new scheme are."""

    class Unknown:
        __match_args__ = ("dest", "flow")

    monkeypatch.setattr(frames, "Tunnelled", Unknown)
    target = tmp_path / "a.pcapng"
    assert app.run([*PLAN, "ingress-replication", "--pcap", str(target)]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err == (
        "mcastplan plan: ingress-replication has packets whose bytes mcastplan cannot write yet;"
        " leave out --pcap\n"
    )
    assert not target.exists()
