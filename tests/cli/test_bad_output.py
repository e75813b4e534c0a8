"""Where the answer cannot be written: one line, exit 2; interrupted: 130, terminated: 143; nothing
half-written."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mcastplan.cli import app

MCASTPLAN = str(Path(sys.executable).with_name("mcastplan"))

Capture = pytest.CaptureFixture[str]

# `compare` that stops where a written file would take its place, says so and waits.
INTERRUPTED = """
import sys, time
from pathlib import Path
from mcastplan.cli import main
def wait(self, target):
    print("half-written", flush=True)
    time.sleep(60)
Path.replace = wait
sys.argv = ["mcastplan", "compare", "builtin:minimal", *sys.argv[1:]]
main()
"""


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("file/x.json", "--json file/x.json: there is no folder file; make it first"),
        ("nowhere/x.json", "--json nowhere/x.json: there is no folder nowhere; make it first"),
        ("/proc/x.json", "--json /proc/x.json: cannot be written: No such file or directory"),
        ("folder", "--json folder: not a file name"),
        (".", "--json .: not a file name"),
        ("folder/" + "x" * 300, "x: File name too long"),
        ("loop", "--json loop: Too many levels of symbolic links"),
    ],
)
@pytest.mark.parametrize("command", ["compare", "plan", "models", "engines", "timers"])
def test_a_place_that_cannot_be_written(
    target: str,
    words: str,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: Capture,
) -> None:
    """Not even by root."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    Path("loop").symlink_to("loop")
    args = {"compare": ["builtin:minimal"], "plan": ["builtin:minimal", "--scheme", "bier"]}
    assert app.run([command, *args.get(command, []), "--json", target]) == 2
    out, err = capfd.readouterr()
    # Nobody knows of /proc before it is tried; what was computed by then is not lost.
    assert bool(out) == target.startswith("/proc")
    assert err.startswith(f"mcastplan {command}: --json ")
    assert err.endswith(f"{words}\n")
    assert err.count("\n") == 1
    assert listed(tmp_path) == ["file", "folder", "loop"]
    assert listed(tmp_path / "folder") == []


def in_a_mount(options: str, folder: Path, *steps: str) -> subprocess.CompletedProcess[str]:
    """Run shell ``steps`` with a small file system on ``folder``, seen by them alone."""
    mount = f"mount -t tmpfs -o {options} none {shlex.quote(str(folder))}"
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    try:
        if subprocess.run(["unshare", "-m", "sh", "-c", mount], check=False).returncode:
            pytest.skip("this machine does not let root mount a file system")
    except FileNotFoundError:
        pytest.skip("there is no unshare command here")
    script = "\n".join((f"{mount} || exit 99", *steps))
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder.parent,
    )


def test_a_full_disk(tmp_path: Path) -> None:
    """16 kB are less than the answer: it is printed, the old file stays, nothing else is left."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = in_a_mount(
        "size=16k",
        folder,
        "echo old > small/x.json",
        f"{shlex.quote(MCASTPLAN)} compare builtin:minimal --json small/x.json > shown",
        "echo $?; ls -A small; cat small/x.json; head -1 shown",
    )
    assert done.stderr == (
        "mcastplan compare: --json small/x.json: cannot be written: No space left on device\n"
    )
    shown = "minimal: push 100 GB from A to 2 clouds, 3 replicas"
    assert done.stdout == f"2\nx.json\nold\n{shown}\n"


def test_one_full_disk_does_not_cost_the_other_files(tmp_path: Path) -> None:
    """The JSON does not fit, the report lies elsewhere: it is there; so is a plan's JSON when the
    capture is too long."""
    folder = tmp_path / "small"
    folder.mkdir()
    program = shlex.quote(MCASTPLAN)
    done = in_a_mount(
        "size=4k",
        folder,
        f"{program} compare builtin:minimal --json small/x.json --report out >/dev/null",
        "echo $?; ls -A small out",
        f"{program} plan builtin:geant --scheme bier --pcap small/x.pcapng --json y.json >tables",
        "echo $?; ls -A small; wc -c < y.json",
    )
    cannot = "cannot be written: No space left on device"
    assert done.stderr == (
        f"mcastplan compare: --json small/x.json: {cannot}\n"
        f"mcastplan plan: --pcap small/x.pcapng: {cannot}\n"
    )
    *listed, length = done.stdout.split("\n")[:-1]
    assert listed == [
        *("2", "out:", "report.html", "report.md", "result.json", "", "small:"),
        "2",
    ]
    assert int(length) > 1000


def test_a_folder_that_vanishes(tmp_path: Path) -> None:
    """While `compare` computes; the tables come all the same."""
    script = """
import shutil, sys
from mcastplan.cli import app
from mcastplan.study import compare as study
compare = study.compare
def vanish(*args, **options):
    shutil.rmtree("there")
    return compare(*args, **options)
study.compare = vanish
sys.exit(app.run(["compare", "builtin:minimal", "--json", "there/x.json"]))
"""
    (tmp_path / "there").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stdout.startswith("minimal: push 100 GB")
    assert done.stderr == (
        "mcastplan compare: --json there/x.json: cannot be written: No such file or directory\n"
    )


def test_a_full_disk_under_a_report(tmp_path: Path) -> None:
    """What is there is whole; the page, which does not fit, is not there."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = in_a_mount(
        "size=48k",
        folder,
        f"{shlex.quote(MCASTPLAN)} compare builtin:minimal --report small/out > tables.txt",
        "echo $?; ls -A small/out",
    )
    assert done.stderr == (
        "mcastplan compare: --report small/out/report.html: cannot be written:"
        " No space left on device\n"
    )
    assert done.stdout == "2\nreport.md\nresult.json\n"


@pytest.mark.parametrize("target", ["file", "file/out", "/proc/out"])
def test_a_report_that_cannot_be_written(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert app.run(["compare", "builtin:minimal", "--report", target]) == 2
    _, err = capfd.readouterr()
    assert err.startswith(f"mcastplan compare: --report {target}: ")
    assert err.count("\n") == 1
    assert listed(tmp_path) == ["file"]


def test_a_read_only_file_system(tmp_path: Path) -> None:
    folder = tmp_path / "frozen"
    folder.mkdir()
    done = in_a_mount(
        "ro",
        folder,
        f"{shlex.quote(MCASTPLAN)} compare builtin:minimal --json frozen/x.json",
        "echo $?; ls -A frozen",
    )
    assert done.stderr == (
        "mcastplan compare: --json frozen/x.json: its folder cannot be written; name another one\n"
    )
    assert done.stdout == "2\n"


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
@pytest.mark.parametrize(("option", "name"), [("--json", "x.json"), ("--report", "result.json")])
def test_ctrl_c_while_a_file_is_written(
    option: str, name: str, number: signal.Signals, code: int, word: str, tmp_path: Path
) -> None:
    """What stood there before still does; no temporary file is left; 130, SIGTERM 143."""
    target = tmp_path / name
    target.write_text("old")
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, option, name if option == "--json" else "."],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        while process.stdout.readline() not in ("half-written\n", ""):
            pass  # the tables come before a report
        assert len(listed(tmp_path)) == 2
        process.send_signal(number)
        assert process.wait() == code
        assert process.stderr.read() == f"mcastplan compare: {word}\n"
    assert listed(tmp_path) == [name]
    assert target.read_text() == "old"
