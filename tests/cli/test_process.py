"""The real command as a process: entry points, pipes, signals, what is imported when."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

MCASTPLAN = str(Path(sys.executable).with_name("mcastplan"))
ENTRIES = pytest.mark.parametrize("entry", [[MCASTPLAN], [sys.executable, "-m", "mcastplan"]])

# A stand-in for a long computation: `timers` that says it is ready and waits.
SLOW = """
import sys, time
from mcastplan.cli import app, main, lists
def wait():
    print("ready", flush=True)
    time.sleep(60)
lists.timers.callback = lambda json_target: wait()
sys.argv = ["mcastplan", "timers"]
main()
"""

LISTED = """
import sys
sys.argv = ["mcastplan", *sys.argv[1:]]
from mcastplan.cli import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def run(args: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(args, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


@ENTRIES
def test_both_entries_are_one_command(entry: list[str]) -> None:
    assert run([*entry, "--help"]).stdout.startswith("Usage: mcastplan [OPTIONS]")
    assert run([*entry, "--version"]).stdout.startswith("mcastplan 0.")
    done = run([*entry, "compare"])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mcastplan compare: Missing argument 'SCENARIO'.\n"


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    done = run([MCASTPLAN, "compare", "no.yaml"], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mcastplan compare: no.yaml")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_leaves_early_is_no_error() -> None:
    for command in ("timers", "timers --json -", "--help"):
        done = run(
            ["bash", "-c", f"set -o pipefail; '{MCASTPLAN}' {command} | true"],
            stdin=subprocess.DEVNULL,
        )
        assert (done.returncode, done.stderr) == (0, ""), command


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [MCASTPLAN, "timers"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == (
        "mcastplan timers: standard output cannot be written: No space left on device\n"
    )


@pytest.mark.parametrize(
    ("ignored", "number", "code", "word"),
    [
        ("", signal.SIGINT, 130, "interrupted"),
        ("INT TERM", signal.SIGINT, 130, "interrupted"),  # a script's `&`
        ("", signal.SIGTERM, 143, "terminated"),
        ("INT TERM", signal.SIGTERM, 143, "terminated"),
    ],
)
def test_a_signal_is_one_line(ignored: str, number: signal.Signals, code: int, word: str) -> None:
    start = f"trap '' {ignored}; exec \"$@\"" if ignored else 'exec "$@"'
    with subprocess.Popen(
        ["sh", "-c", start, "sh", sys.executable, "-c", SLOW],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait() == code
        assert process.stderr.read() == f"mcastplan timers: {word}\n"


def test_a_terminal_gets_colour_and_a_pipe_none() -> None:
    assert "\x1b" not in run([MCASTPLAN, "timers"], env={**os.environ, "FORCE_COLOR": "1"}).stdout
    leader, follower = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    env.pop("NO_COLOR", None)
    try:
        subprocess.run([MCASTPLAN, "timers"], stdout=follower, check=True, env=env)
        assert b"\x1b[" in os.read(leader, 65536)
    finally:
        os.close(leader)
        os.close(follower)


@pytest.mark.parametrize(
    ("args", "absent"),
    [
        (["--help"], {"rich", "networkx", "numpy", "msgspec", "yaml", "mcastplan.study"}),
        (["timers", "--json", "-"], {"rich", "networkx", "numpy", "yaml", "mcastplan.study"}),
        (["timers"], {"networkx", "numpy", "mcastplan.study"}),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(args: list[str], absent: set[str]) -> None:
    done = run([sys.executable, "-c", LISTED, *args])
    assert done.returncode == 0
    assert not absent & set(done.stderr.split())


def test_import_mcastplan_imports_no_other_package() -> None:
    script = "import sys; old = set(sys.modules); import mcastplan; print(*set(sys.modules) - old)"
    modules = run([sys.executable, "-c", script]).stdout.split()
    assert {name.partition(".")[0] for name in modules} & {"click", "msgspec", "networkx"} == set()
    assert [name for name in modules if name.startswith("mcastplan")] == ["mcastplan"]
