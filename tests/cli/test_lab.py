"""`mcastplan lab` where it cannot do what was asked: one line, the documented exit code. Nothing
here needs root or a program of the lab: what was asked is checked before the machine is."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import yaml

from mcastlab import ask, calibrate, doctor, job, record
from mcastplan.cli import app
from tests.measurements import CALIBRATION

Capture = pytest.CaptureFixture[str]
MCASTPLAN = str(Path(sys.executable).with_name("mcastplan"))
ROOT = Path(__file__).parents[2]
DIAMOND = "builtin:lab-diamond"


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gets as far as the machine has not refused what it should."""

    def reached(*args: object, **options: object) -> None:
        raise AssertionError("the machine was examined first")

    monkeypatch.setattr(doctor, "examine", reached)
    monkeypatch.setattr(ask, "run_job", reached)
    monkeypatch.setattr(calibrate, "run_job", reached)


def refused(args: list[str], capsys: Capture, code: int = 2) -> str:
    """What the one line on stderr says after the command's name."""
    assert app.run(["lab", *args]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    name, said = err.split(": ", 1)
    assert name == " ".join(["mcastplan lab", *args[:1]])
    return said.rstrip("\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            "--scheme mpls",
            "no scheme 'mpls'; there are unicast, ingress-replication, pim-sm, sr-p2mp, bier",
        ),
        ("--fail A,Z", "--fail: no node has the name or label 'Z'; nodes: A, B, C, D"),
        ("--fail A,D", "--fail: no link joins A and D; A is joined to: B, C"),
        ("--fail B--Z", "--fail: no link has the id 'B--Z'; did you mean 'B--D'?"),
        ("--fail A,B,C", "--fail: 'A,B,C' is not a link; write A,B for the links between two"),
        ("--fail A,Z@5s --up 9s", "--fail: no node has the name or label 'Z'"),
        ("--fail @5s", "--fail @5s: no link; write A,B@5s, A,B@40% or a link's id"),
        (
            "--fail A,B@140%",
            "--fail A,B@140%: '140%' is no share of the transfer; write 0% to 100%",
        ),
        ("--fail A,B@-1%", "--fail A,B@-1%: '-1%' is no share of the transfer"),
        ("--fail A,B@nan%", "--fail A,B@nan%: 'nan%' is no share of the transfer"),
        ("--fail A,B@%", "--fail A,B@%: '%' is no share of the transfer"),
        ("--fail A,B@5", "--fail A,B@5: '5' is not a time; write a number and one of ns, us, ms"),
        ("--fail A,B@", "--fail A,B@: '' is not a time"),
        ("--fail A,B@-1s", "--fail A,B@-1s: '-1s' is not a time"),
        (
            "--fail A,B@5s --fail B,D@6s",
            "--fail: all links fail at one instant; give each the same, or none",
        ),
        (
            "--fail A,B --fail B,D@6s",
            "--fail: all links fail at one instant; give each the same, or none",
        ),
        ("--fail A,B@5s --up 3s", "--up 3s: the link fails only 5 s after the start"),
        ("--fail A,B@5s --up 5s", "--up 5s: the link fails only 5 s after the start"),
        ("--fail A,B@5s --up soon", "--up soon: 'soon' is not a time"),
        ("--up 3s", "nothing fails; name a link with --fail"),
        ("--silent", "nothing fails; name a link with --fail"),
        ("--seconds 0", "--seconds 0: write a time of more than 0"),
        ("--seconds -3", "--seconds -3: write a time of more than 0"),
        ("--seconds nan", "--seconds nan: write a time of more than 0"),
        ("--seconds inf", "--seconds inf: write a time of more than 0"),
        ("--seconds 9e9", "--seconds 9e+09: the model and its copies would take 494.2 GB of the"),
        ("--seconds soon", "Invalid value for '--seconds': 'soon' is not a valid float."),
        ("--rate-scale 0", "--rate-scale 0: write more than 0 and at most 1"),
        ("--rate-scale -1", "--rate-scale -1: write more than 0 and at most 1"),
        ("--rate-scale 5", "--rate-scale 5: write more than 0 and at most 1"),
        ("--rate-scale nan", "--rate-scale nan: write more than 0 and at most 1"),
        (
            "--rate-scale 1",
            "link A--B: capacity 100 Gb/s would be 100 Gb/s in the lab, which shapes up to 1 Gb/s;"
            " use a rate scale of 0.01 or less",
        ),
        (
            "--rate-scale 1e-9",
            "link A--B: 100 b/s is under 246.1 kb/s, the least that can be shaped beside routing;"
            " raise --rate-scale",
        ),
        ("--repeat 0", "Invalid value for '--repeat': 0 is not in the range 1<=x<=100."),
        ("--json nowhere/x.json", "--json nowhere/x.json: there is no folder nowhere; make it"),
        ("--report /dev/null", "--report /dev/null: not a folder; name another one"),
        ("--pcap /dev/null", "--pcap /dev/null: not a folder; name another one"),
    ],
)
def test_bad_options(options: str, words: str, capsys: Capture) -> None:
    assert refused(["run", DIAMOND, *options.split()], capsys).startswith(words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"timers": "tuned"},
            "scenario lab-diamond: the lab runs FRR, whose SPF throttle is not that of the `tuned`"
            " timers (RFC 8405); use `timers: lab`, frr-defaults or no-bfd",
        ),
        (
            {"schemes": {"pim-sm": {"mofrr": True}}},
            "scenario lab-diamond: the lab has no MoFRR: pimd does not know it; leave out `pim-sm:"
            " {mofrr: true}`",
        ),
        (
            {"schemes": {"sr-p2mp": {"dataplane": "mpls"}}},
            "scenario lab-diamond: the lab has no `sr-p2mp: {dataplane: mpls}`, only srv6",
        ),
        (
            {"schemes": {"bier": {"bsl": 4096}}},
            "scenario lab-diamond: the lab forwards BitStrings of up to 1024 bits, not `bier: {bsl:"
            " 4096}`",
        ),
        (
            {"background": [{"from": "A", "to": "D", "rate": "1Gbps"}]},
            "scenario lab-diamond: the lab has no background traffic; leave out `background` and"
            " `background_demands`",
        ),
    ],
)
def test_what_the_lab_has_no_part_for_is_refused_by_name(
    change: dict[str, object], words: str, tmp_path: Path, capsys: Capture
) -> None:
    assert refused(["run", scenario(tmp_path, change)], capsys) == words


def test_site_caches_are_refused_by_name(tmp_path: Path, capsys: Capture) -> None:
    clouds = [{"name": "delft", "node": "D", "ingress": "25Gbps", "replicas": 2, "fanout": "cache"}]
    file = scenario(tmp_path, {"clouds": clouds})
    assert refused(["run", file], capsys) == (
        "scenario lab-diamond: the lab has no site caches; use `fanout: multicast` for cloud delft"
    )


def scenario(folder: Path, change: dict[str, object]) -> str:
    """The diamond with some of its keys replaced, in a file."""
    data = yaml.safe_load((ROOT / "topologies" / "lab-diamond.yaml").read_text())
    file = folder / "lab.yaml"
    file.write_text(yaml.safe_dump({**data, **change}))
    return str(file)


def test_a_missing_file(capsys: Capture) -> None:
    assert refused(["run", "no.yaml"], capsys) == (
        "no.yaml: no such file; give a path, or builtin:NAME for a shipped scenario"
    )


@pytest.mark.parametrize("command", ["run", "doctor", "clean"])
def test_a_package_that_is_not_installed(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """`pip install mcastplan` alone brings the planner."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "mcastlab"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcastlab", None)
    args = [command, DIAMOND] if command == "run" else [command]
    assert refused(args, capsys, code=3) == (
        "the lab needs the Python package mcastlab: pip install 'mcastplan[lab]'"
    )


def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def test_without_root(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    as_user(monkeypatch)
    said = refused(["run", DIAMOND], capsys, code=3)
    assert said.startswith("this machine lacks ")
    assert "root (user id 1000)" in said
    assert said.endswith("`mcastplan lab doctor` says what each is for")


@pytest.mark.parametrize("name", ["mininet", "numpy"])
def test_doctor_names_a_missing_package(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    import importlib.metadata

    as_user(monkeypatch)
    version = importlib.metadata.version

    def lacking(package: str) -> str:
        if package == name:
            raise importlib.metadata.PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(importlib.metadata, "version", lacking)
    assert app.run(["lab", "doctor", "--json", "-"]) == 3
    out, err = capsys.readouterr()
    examined = msgspec.json.decode(out, type=doctor.Examined)
    assert err == ""
    assert not examined.fit
    (row,) = (each for each in examined.findings if each.what == f"Python package {name}")
    assert (row.found, row.value, row.needed) == (False, "not installed", "required")
    call = f"{shlex.quote(sys.executable)} -m pip install "
    (asked,) = shlex.split(examined.mend.rpartition(call)[2])
    assert re.match(rf"{name}[<>=]", asked)  # in the versions of the lab's extra
    assert f"Python package {name} (not installed)" in refused(["run", DIAMOND], capsys, code=3)


def test_doctor_in_words_and_as_json(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    as_user(monkeypatch)
    assert app.run(["lab", "doctor"]) == 3
    words = capsys.readouterr().out
    assert app.run(["lab", "doctor", "--json", "-"]) == 3
    data = json.loads(capsys.readouterr().out)
    assert set(data) == {"fit", "netem", "packets_per_s", "findings", "mend"}
    for each in data["findings"]:
        assert set(each) == {"what", "found", "value", "needed", "costs", "mend"}
        assert each["what"] in words


def test_clean_with_nothing_to_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(record, "FOLDER", tmp_path / "records")
    assert app.run(["lab", "clean"]) == 0
    assert capsys.readouterr() == ("nothing to remove\n", "")
    assert app.run(["lab", "clean", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == {"removed": [], "running": []}


def test_ctrl_c_before_the_network_stands(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    """Nothing was measured, so nothing is written."""

    def examine() -> doctor.Examined:
        return doctor.Examined(True, False, None, (), "")

    def run_job(function: str, whole: job.Job) -> None:
        raise KeyboardInterrupt

    known: Callable[..., object] = lambda watch, anew: CALIBRATION  # noqa: E731
    monkeypatch.setattr(doctor, "examine", examine)
    monkeypatch.setattr(calibrate, "calibrated", known)
    monkeypatch.setattr(ask, "run_job", run_job)
    file = tmp_path / "x.json"
    assert app.run(["lab", "run", DIAMOND, "--json", str(file)]) == 130
    out, err = capsys.readouterr()
    assert (out, err) == ("", "mcastplan lab run: interrupted\n")
    assert not file.exists()


def test_the_planner_does_not_import_the_lab() -> None:
    """Also `lab --help` works without its packages."""
    script = (
        "import sys\n"
        "sys.modules['mcastlab'] = None\n"
        "sys.argv = ['mcastplan', 'lab', 'run', '--help']\n"
        "from mcastplan.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--rate-scale" in done.stdout
