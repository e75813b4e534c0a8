"""10,000 damaged scenarios through the whole command: an answer or one line, and nothing else."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any, NoReturn

import pytest

from mcastplan.scenario import builtin_names, builtin_path
from mcastplan.scenario.yamlcore import parse_yaml
from tests.fuzz.mutate import damaged, mutated, written
from tests.fuzz.watch import Answer, guarded, install, outside

SCHEMES = ("unicast", "ingress-replication", "pim-sm", "sr-p2mp", "bier")
LARGE = 4_000  # bytes; a scenario larger than this is planned for seconds, and mutated less often
BATCHES, SMALL_CASES = 10, 1_000
LARGE_CASES = 15
OFTEN = ("minimal", "rich")  # four cases in five are of these: they are planned fastest

# Every section and every option, on a network with a tie, a parallel link and a joint.
RICH: dict[str, Any] = {
    "schema": "mcastplan.scenario/1",
    "name": "rich",
    "topology": {
        "schema": "mcastplan.topology/1",
        "name": "diamond",
        "source": "here",
        "licence": "none",
        "nodes": [
            {"name": "A", "label": "Ä", "lon": 4.9, "lat": 52.4, "kind": "city"},
            {"name": "B", "lon": 13.4, "lat": 52.5},
            {"name": "C", "lon": 2.3, "lat": 48.9},
            {"name": "D"},
            {"name": "W", "kind": "waypoint", "lon": 5.0, "lat": 50.0},
        ],
        "links": [
            {"a": "A", "b": "B", "capacity": "10Gbps", "delay": "1ms", "metric": 10},
            {"a": "A", "b": "B", "id": "second", "capacity": "1Gbps", "delay": "1ms", "metric": 10},
            {"a": "A", "b": "C", "capacity": "10Gbps", "capacity_reverse": "1Gbps", "metric": 10},
            {"a": "B", "b": "D", "delay": "2ms", "metric": 10, "metric_reverse": 30},
            {"a": "C", "b": "D", "delay": "1ms", "metric": 10, "srlgs": ["duct"]},
            {"a": "A", "b": "W", "metric": 5},
            {"a": "W", "b": "C", "metric": 5},
        ],
    },
    "underlay": {
        "metric": "delay",
        "capacity": "40Gbps",
        "ecmp": "first",
        "mtu": 9000,
        "waypoints": "merge",
        "route_factor": 1.4,
    },
    "clouds": [
        {
            "name": "one",
            "node": "B",
            "ingress": "8Gbps",
            "egress": "1Gbps",
            "replicas": 5,
            "fabric": "4Gbps",
            "fanout": "cache",
            "engine": "vllm-8xh200",
            "provision": "1min",
        },
        {"name": "two", "node": "C", "ingress": "4Gbps", "replicas": 3, "fabric": "1Gbps"},
        {"name": "three", "node": "D", "ingress": "2Gbps"},
        {"name": "home", "node": "A", "ingress": "40Gbps"},
    ],
    "transfers": [
        {
            "name": "push",
            "size": "70GB",
            "origin": {"node": "A", "egress": "20Gbps"},
            "to": "all",
            "start": "1s",
            "load": "streamed",
            "receivers": "new",
            "ship_compile_cache": True,
        },
        {"name": "delta", "model": "deepseek-v3-fp8", "origin": {"node": "D"}, "to": ["one"]},
    ],
    "schemes": {
        "unicast": {"per": "cloud"},
        "ingress-replication": {},
        "pim-sm": {"mode": "asm", "rp": "C", "spt_switchover": True, "register_limit": "1Mbps"},
        "sr-p2mp": {"dataplane": "mpls", "objective": "min-cost", "update": "in-place"},
        "bier": {"bsl": 64, "bfr_ids": "by-tree", "ecmp": "bfer", "sub_domain": 3},
        "only": ["unicast", "ingress-replication", "pim-sm", "sr-p2mp", "bier"],
    },
    "timers": {"preset": "lab", "announce": "1s", "signal": "2ms"},
    "failures": [{"links": [["A", "B"], "second"], "nodes": ["D"], "srlgs": ["duct"], "at": "1s"}],
    "background": [{"from": "A", "to": "D", "rate": "1Gbps"}],
    "prices": [{"from": "A", "to": "B", "usd_per_gb": 0.02}],
    "limits": {"state_entries": 100},
}


def smaller(value: Any, dice: random.Random) -> None:
    """One scheme and no more, while the scenario still has a place to say so."""
    if isinstance(value, dict) and isinstance(value.setdefault("schemes", {}), dict):
        value["schemes"]["only"] = [dice.choice(SCHEMES)]


def shipped(large: bool) -> dict[str, Any]:
    """Every shipped scenario, as a value, by name."""
    paths = {name: builtin_path(f"builtin:{name}", "scenario") for name in builtin_names()}
    return {
        name: parse_yaml(path.read_text())
        for name, path in paths.items()
        if (path.stat().st_size > LARGE) == large
    }


def not_a_number(text: str) -> NoReturn:
    raise AssertionError(f"{text} in a result")


def sound(result: Any) -> None:
    """Stages sum to the ready time, and nobody beats the bound."""
    for scheme in result["schemes"]:
        for transfer in scheme["transfers"]:
            ratio = transfer["ratio_to_bound"]
            assert ratio is None or ratio >= 1 - 1e-9, scheme["name"]
            for cloud in transfer["clouds"]:
                for group in cloud["replica_groups"]:
                    total = sum(group["stages"].values())
                    assert total == pytest.approx(group["ready_s"], rel=1e-6), scheme["name"]
        for link in scheme["links"]:
            assert link["busiest_utilisation"] is not None
            assert link["busiest_utilisation"] <= 1 + 1e-6 or result["_background"]


def judge(answer: Answer, args: list[str], out: Path) -> None:
    assert outside(answer, out) == []
    assert answer.code in (0, 1, 2), answer.err
    if answer.code == 2:
        assert answer.err.count("\n") == 1, answer.err
        assert answer.err.startswith(f"mcastplan {args[0]}")
        assert len(answer.err) < 1200
        assert answer.err.rstrip("\n").isprintable()
        assert answer.out == ""
        assert "internal" not in answer.err
        assert "Error" not in answer.err, "a class of Python instead of words"
    else:
        assert answer.err == ""
        # In quotes it is a name of the file's own.
        assert not re.search(r"(?<!')\b(nan|inf|infinity|None|Traceback)\b", answer.out)


def fuzz(name: str, value: Any, seed: str, home: Path) -> int:
    """One case; its exit code. The scenario is left in the folder if the case fails."""
    dice = random.Random(seed)
    changed = mutated(value, dice)
    if seed.startswith("large"):
        smaller(changed, dice)
    suffix, data = written(changed, dice)
    if dice.random() < 0.08:
        data = damaged(data, dice)
    path = home / "in" / f"case.{suffix}"
    path.write_bytes(data)
    out = home / "out"
    target = out / "x.json"
    target.unlink(missing_ok=True)
    shape = dice.random()
    if shape < 0.35:
        args = ["plan", str(path), "--scheme", dice.choice(SCHEMES)]
        if shape < 0.05:
            args += ["--node", dice.choice(("A", "C", "Q", ""))]
    else:
        args = ["compare", str(path), *(["--verify"] if shape < 0.45 else [])]
    if dice.random() < 0.96:  # tables take most of the time, and --json FILE prints them too
        args += ["--json", "-"] if dice.random() < 0.9 else ["--json", str(target)]
    answer = guarded(args)
    judge(answer, args, out)
    text = answer.out if args[-1] == "-" else target.read_text() if target.exists() else ""
    if answer.code == 2:
        assert not target.exists()
    elif "--json" in args:
        result = json.loads(text, parse_constant=not_a_number)
        result["_background"] = b"background" in data
        if args[0] == "compare":
            sound(result)
    assert {path.name for path in out.iterdir()} <= {"x.json"}
    return answer.code


def run(sources: dict[str, Any], cases: int, seed: str, home: Path) -> None:
    """``cases`` of the sources in turn; each names itself when it fails."""
    install()
    for folder in ("in", "out"):
        (home / folder).mkdir()
    names = sorted(sources)
    often = [name for name in OFTEN if name in sources] or names
    codes = [0, 0, 0]
    for number in range(cases):
        turn = names if number % 5 == 0 else often
        name = turn[number // 5 % len(turn)]
        case = f"{seed}/{name}/{number}"
        try:
            codes[fuzz(name, sources[name], case, home)] += 1
        except BaseException as error:
            error.add_note(f"case {case}, written to {home / 'in'}")
            raise
        assert not any((home / "cwd").iterdir())
    # A fuzzer that is only refused tests the decoder alone, one that is never refused nothing.
    assert codes[0] > cases / 10, codes
    assert codes[2] > cases / 10, codes


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.delenv("MCASTPLAN_DEBUG", raising=False)
    return tmp_path


@pytest.mark.parametrize("batch", range(BATCHES))
def test_small_scenarios(batch: int, home: Path) -> None:
    sources = {"rich": RICH, **shipped(large=False)}
    run(sources, SMALL_CASES, f"small {batch}", home)


def test_large_scenarios(home: Path) -> None:
    """With one scheme only: what is large is planned slowly."""
    run(shipped(large=True), LARGE_CASES, "large", home)
