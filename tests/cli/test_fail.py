"""The command: what it accepts, what it refuses in one line, and what it never calls an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mcastplan.cli import app
from mcastplan.scenario import schemas

SCENARIO = "builtin:gscale"  # 19 links, no SRLGs; dc00 sends to sites at dc01, dc03 ... dc11
Capture = pytest.CaptureFixture[str]

#   S === A --- R      two links S-A: fast and slow; R alone at the end; B without a cloud
#   |     |
#   + - - B
SMALL = """
schema: mcastplan.scenario/1
name: small
topology:
  name: small
  nodes: [{name: S}, {name: A}, {name: B}, {name: R}]
  links:
    - {a: S, b: A, id: fast, metric: 1, delay: 1ms}
    - {a: S, b: A, id: slow, metric: 5, delay: 5ms, srlgs: [duct]}
    - {a: S, b: B, metric: 9, delay: 1ms, srlgs: [duct]}
    - {a: A, b: B, metric: 9, delay: 1ms}
    - {a: A, b: R, metric: 1, delay: 1ms}
underlay: {metric: explicit}
clouds:
  - {name: at-a, node: A, ingress: 10Gbps, replicas: 1}
  - {name: at-r, node: R, ingress: 10Gbps, replicas: 1}
transfers:
  - {name: push, size: 100GB, origin: {node: S}, to: all}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL)
    return tmp_path


def run(capfd: Capture, *args: str, scenario: str = "small.yaml") -> tuple[int, str, str]:
    code = app.run(["fail", scenario, *args])
    out, err = capfd.readouterr()
    return code, out, err


def answer(capfd: Capture, *args: str, scenario: str = "small.yaml") -> dict[str, Any]:
    """The result, which is valid against the published schema; nothing on stderr, exit code 0."""
    code, out, err = run(capfd, *args, "--json", "-", scenario=scenario)
    assert (code, err) == (0, "")
    result: dict[str, Any] = json.loads(out)
    assert result["schema"] == "mcastplan.timeline/1"
    jsonschema.validate(result, schemas()["mcastplan.timeline/1"])
    return result


def refused(capfd: Capture, *args: str, scenario: str = SCENARIO) -> str:
    code, out, err = run(capfd, *args, scenario=scenario)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("mcastplan fail: ")
    return err.removeprefix("mcastplan fail: ").rstrip("\n")


def rows(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By scheme: its one transfer."""
    return {row["name"]: row["transfers"][0] for row in result["schemes"]}


def clouds(result: dict[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """By scheme and cloud."""
    return {
        name: {cloud["name"]: cloud for cloud in transfer["clouds"]}
        for name, transfer in rows(result).items()
    }


NODES = "nodes: dc00, dc01, dc02, dc03, dc04, dc05, dc06, dc07, dc08, dc09, dc10, dc11"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("--link a,b", f"--link: no node has the name or label 'a'; {NODES}"),
        ("--node nowhere", f"--node: no node has the name or label 'nowhere'; {NODES}"),
        ("--srlg duct", "--srlg: no link is in the SRLG 'duct'"),
        ("--link dc00,dc05", "--link: no link joins dc00 and dc05; did you mean 'dc04' or 'dc01'?"),
        (
            "--link dc00",
            "--link: 'dc00' is a node; write A,B for the links between two nodes",
        ),
        (
            "--link dc00,",
            "--link: 'dc00,' is not a link; write A,B for the links between two nodes, or a link"
            " id",
        ),
        (
            "--link dc00,dc01,dc02",
            "--link: 'dc00,dc01,dc02' is not a link; write A,B for the links between two nodes, or"
            " a link id",
        ),
        (
            "--link dc00,dc01 --at 20s --up-at 5s",
            "--up-at: '5s' is not after the failure; repair follows 'at'",
        ),
        (
            "--link dc00,dc01 --up-at 10s",  # it fails at 10 s where nothing is said
            "--up-at: '10s' is not after the failure; repair follows 'at'",
        ),
        (
            "--link dc00,dc01 --at 10",
            "--at: '10' is not a time; write a number and one of ns, us, ms, s, min, h, d, as in"
            " '10ms'",
        ),
        (
            "",
            "nothing fails; name it with --link, --node or --srlg, or list failures in"
            " builtin:gscale",
        ),
        ("--silent", "nothing fails; name it with --link, --node or --srlg"),
        ("--at 5s", "nothing fails; name it with --link, --node or --srlg"),
        ("--up-at 50s", "nothing fails; name it with --link, --node or --srlg"),
        ("--link", "Option '--link' requires an argument."),
    ],
)
def test_bad_input_in_one_line(capfd: Capture, args: str, said: str) -> None:
    assert refused(capfd, *args.split()) == said


def test_an_unknown_link_is_guessed(capfd: Capture) -> None:
    message = refused(capfd, "--link", "dc00--dc1")
    assert message.startswith("--link: no link has the id 'dc00--dc1'; did you mean 'dc00--dc01'")


def test_an_unknown_group_and_node_are_guessed(capfd: Capture) -> None:
    found = refused(capfd, "--srlg", "dukt", scenario="small.yaml")
    assert found == "--srlg: no link is in the SRLG 'dukt'; did you mean 'duct'?"
    found = refused(capfd, "--link", "fast", "--node", "Q", scenario="small.yaml")
    assert found == "--node: no node has the name or label 'Q'; nodes: A, B, R, S"


def test_the_answer(capfd: Capture) -> None:
    code, out, err = run(capfd, "--link", "A,R", "--up-at", "12s")
    assert (code, err) == (0, "")
    assert "A--R" in out
    for name in ("unicast", "ingress-replication", "pim-sm", "sr-p2mp", "bier"):
        assert name in out


def test_parallel_links_by_their_ends_or_by_id(capfd: Capture) -> None:
    """S,A is both links, an id is one; the fast one alone is in use."""
    both = answer(capfd, "--link", "S,A")
    assert both["failures"][0]["links"] == ["fast", "slow"]
    assert answer(capfd, "--link", "A,S") == both
    one = answer(capfd, "--link", "fast")
    assert one["failures"][0]["links"] == ["fast"]
    unused = answer(capfd, "--link", "slow")
    for cloud in ("at-a", "at-r"):
        # Without both, packets go over B: 2 ms to A. Over slow they take 5.
        for name, found in clouds(both).items():
            (outage,) = found[cloud]["outages"]
            assert outage["to_s"] is not None, name
        for name, found in clouds(one).items():
            assert len(found[cloud]["outages"]) == 1, name
        for name, found in clouds(unused).items():
            assert found[cloud]["outages"] == [], name
    assert unused["because"] == ["no receiver stops receiving under any scheme"]
    # The tunnel's last stage: 2 ms over B to A, 5 over slow.
    way = {
        links: clouds(result)["ingress-replication"]["at-a"]["outages"][0]["stages"]["propagation"]
        for links, result in (("both", both), ("fast", one))
    }
    assert way == pytest.approx({"both": 0.002, "fast": 0.005})


def test_a_risk_group_and_several_at_once(capfd: Capture) -> None:
    group = answer(capfd, "--srlg", "duct")
    assert group["failures"] == [
        {
            "at_s": 10.0,
            "up_at_s": None,
            "kind": "carrier",
            "links": ["B--S", "slow"],
            "nodes": [],
            "srlgs": ["duct"],
        }
    ]
    several = answer(capfd, "--srlg", "duct", "--link", "fast", "--node", "B", "--silent")
    (row,) = several["failures"]
    assert (row["links"], row["nodes"], row["kind"]) == (["B--S", "fast", "slow"], ["B"], "silent")
    for transfer in rows(several).values():
        assert transfer["unreachable"] == ["at-a", "at-r"]


def test_the_node_of_the_origin(capfd: Capture) -> None:
    """Nobody gets anything any more; that is the answer, and no error."""
    result = answer(capfd, "--node", "S")
    for name, transfer in rows(result).items():
        assert transfer["unreachable"] == ["at-a", "at-r"], name
        assert transfer["completion_s"] is None
        for cloud in transfer["clouds"]:
            assert cloud["outage_s"] is None
            assert cloud["ready_s"] is None
            assert cloud["ready_without_s"] > 0
            assert [outage["to_s"] for outage in cloud["outages"]] == [None]
    assert result["because"][0] == "2 clouds cannot be reached any more: at-a, at-r"


def test_the_node_of_a_receiver(capfd: Capture) -> None:
    """R goes, and nobody else hears of it: A gets all it would have got, when it would have."""
    result = answer(capfd, "--node", "R")
    for name, transfer in rows(result).items():
        assert transfer["unreachable"] == ["at-r"], name
        assert transfer["evicted"] == []
        found = {cloud["name"]: cloud for cloud in transfer["clouds"]}
        assert found["at-r"]["ready_s"] is None
        assert found["at-a"]["outages"] == []
        assert found["at-a"]["ready_s"] == pytest.approx(found["at-a"]["ready_without_s"])


def test_a_receiver_that_is_cut_off(capfd: Capture) -> None:
    """Its only link fails: unreachable, and the push to the other one ends. Up again later than
    `evict_after` (60 s): reachable, and evicted, but for unicast, which waits."""
    result = answer(capfd, "--link", "A--R")
    for name, transfer in rows(result).items():
        assert (transfer["unreachable"], transfer["evicted"]) == (["at-r"], []), name
        assert transfer["completion_s"] is not None
    back = answer(capfd, "--link", "A--R", "--up-at", "75s")
    for name, transfer in rows(back).items():
        assert transfer["unreachable"] == []
        assert transfer["evicted"] == ([] if name == "unicast" else ["at-r"]), name
    soon = answer(capfd, "--link", "A--R", "--up-at", "40s")
    for name, transfer in rows(soon).items():
        assert transfer["evicted"] == [], name
        assert transfer["lost_bytes"] > 0


def test_after_the_push_has_ended(capfd: Capture) -> None:
    """100 GB at 10 Gb/s are there after 82 s: no byte is lost, nobody is ready later."""
    result = answer(capfd, "--link", "fast", "--at", "1000s")
    for name, transfer in rows(result).items():
        assert transfer["lost_bytes"] == transfer["repaired_bytes"] == 0, name
        assert transfer["completion_s"] == transfer["completion_without_s"]
        for cloud in transfer["clouds"]:
            assert cloud["ready_s"] == cloud["ready_without_s"]
            assert cloud["stages"]["repair"] == 0


def test_failures_that_the_scenario_lists(capfd: Capture) -> None:
    """Asked for nothing, they are followed, in time order; what an option names takes their
    place."""
    Path("listed.yaml").write_text(
        SMALL + "failures:\n  - {links: [slow], at: 20s, up_at: 30s}\n  - {nodes: [B], at: 5s}\n"
    )
    result = answer(capfd, scenario="listed.yaml")
    assert [(row["at_s"], row["links"], row["nodes"]) for row in result["failures"]] == [
        (5.0, [], ["B"]),
        (20.0, ["slow"], []),
    ]
    named = answer(capfd, "--link", "fast", "--at", "7s", scenario="listed.yaml")
    assert [(row["at_s"], row["links"]) for row in named["failures"]] == [(7.0, ["fast"])]
    message = refused(capfd, "--at", "5s", scenario="listed.yaml")
    assert message == "nothing fails; name it with --link, --node or --srlg"


def test_a_file_and_a_report(capfd: Capture) -> None:
    code, out, _ = run(capfd, "--link", "fast", "--json", "result.json", "--report", "out")
    assert code == 0
    assert out.endswith("out/report.html\n")
    saved = json.loads(Path("result.json").read_text())
    assert json.loads(Path("out/result.json").read_text()) == saved
    assert app.run(["report", "result.json", "--out", "again"]) == 0
    assert Path("again/report.html").read_bytes() == Path("out/report.html").read_bytes()


def test_a_scheme_that_does_not_model_its_transitions(capfd: Capture) -> None:
    """PIM ASM: infeasible with a reason; the other schemes answer."""
    Path("asm.yaml").write_text(SMALL + "schemes: {pim-sm: {mode: asm, rp: A}}\n")
    result = answer(capfd, "--link", "fast", scenario="asm.yaml")
    found = {row["name"]: row for row in result["schemes"]}
    assert not found["pim-sm"]["feasible"]
    assert found["pim-sm"]["reason"]
    assert found["pim-sm"]["transfers"] == []
    assert found["bier"]["feasible"]
    code, out, _ = run(capfd, "--link", "fast", scenario="asm.yaml")
    assert code == 0
    assert found["pim-sm"]["reason"].split()[0] in out


def test_the_same_bytes_whatever_the_hash_seed() -> None:
    def output(seed: str) -> bytes:
        return subprocess.run(
            [sys.executable, "-m", "mcastplan", "fail", "builtin:abilene", "--json", "-"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout

    first = output("0")
    assert json.loads(first)["schemes"]
    assert output("1") == output("2") == first
