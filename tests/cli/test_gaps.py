"""What a source has and nobody read stands before the answer; an answer that is none says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcastplan.cli import app

NET = (
    '<graphml><key id="w" for="edge" attr.name="bandwidth"/><graph edgedefault="undirected">'
    '<node id="a"/><node id="b"/><node id="c"/>'
    '<edge source="a" target="b"><data key="w">1</data></edge>'
    '<edge source="b" target="c"/></graph></graphml>'
)
SCENARIO = """
schema: mcastplan.scenario/1
name: gaps
topology: net.graphml
clouds: [{name: x, node: b, ingress: 1Gbps}, {name: y, node: c, ingress: 1Gbps}]
transfers: [{name: p, size: 1GB, origin: {node: a}, to: all}]
"""
COMMANDS = (
    ("compare",),
    ("plan", "--scheme", "bier"),
    ("fail", "--link", "a,b"),
    ("sweep", "--failures", "single-link"),
    ("campaign", "--pushes", "2"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_gaps_come_first(
    command: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.graphml").write_text(NET)
    Path("s.yaml").write_text(SCENARIO)
    assert app.run([command[0], "s.yaml", *command[1:]]) == 0
    out = capfd.readouterr().out
    assert out.startswith("! Attributes of edges that are not read: 'bandwidth' (1 of 2);")
    assert "\n! Capacity 100 Gb/s assumed for 2 of 2 links, of which none is read.\n" in out


def test_a_failure_that_no_scheme_was_followed_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Transitions of PIM ASM are not modelled: nobody knows who misses packets."""
    monkeypatch.chdir(tmp_path)
    Path("net.graphml").write_text(NET)
    asm = "schemes: {only: [pim-sm], pim-sm: {mode: asm, rp: b}}\n"
    Path("s.yaml").write_text(SCENARIO + asm)
    assert app.run(["fail", "s.yaml", "--link", "a,b"]) == 0
    out = capfd.readouterr().out
    assert "No scheme was followed: who misses packets is not known." in out
    assert "No receiver misses a packet" not in out
    assert app.run(["sweep", "s.yaml", "--failures", "single-node", "--transient"]) == 0
