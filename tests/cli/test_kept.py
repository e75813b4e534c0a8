"""What a sweep has done is kept, and kept whole: two of them on one file, signals, a full disk."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcastplan.cli import app
from mcastplan.cli.rows import RowsFile, header_of
from mcastplan.cli.workers import parallel_map
from mcastplan.errors import EnvironmentLacksError
from mcastplan.model.sweep import Case, Row
from mcastplan.scenario import load_scenario
from mcastplan.study import sweep as study

MCASTPLAN = str(Path(sys.executable).with_name("mcastplan"))
SCENARIO = "builtin:gscale"  # 19 links
ARGS = ["sweep", SCENARIO, "--failures", "single-link", "--rows", "rows.jsonl"]
LONG = [
    *(MCASTPLAN, "sweep", "builtin:global-inference", "--failures", "double-link"),
    *("--sample", "100000", "--workers", "2", "--rows", "rows.jsonl", "--json", "-"),
]
PATIENCE_S = 120  # only to end a test that hangs
ROWS = Path("rows.jsonl")

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def long() -> Iterator[subprocess.Popen[bytes]]:
    """A sweep over two workers that has written at least two rows."""
    with subprocess.Popen(
        LONG, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            while process.poll() is None and (
                not ROWS.exists() or ROWS.read_bytes().count(b"\n") < 3
            ):
                pass
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def workers(pid: int) -> list[int]:
    """Those of the children that work, without the one that minds shared memory."""
    return [
        child
        for child in children(pid)
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for_the_end_of(pids: list[int]) -> None:
    while any(alive(pid) for pid in pids):
        pass


def test_a_second_sweep_on_one_file_is_refused(capfd: Capture) -> None:
    """By name, whatever its sample; the first one's file is not touched. When the first has ended,
    another sample goes on from its rows: they do not depend on the sample."""
    header = header_of(load_scenario(SCENARIO), "single-link", False)
    first = RowsFile("rows.jsonl", header)
    written = ROWS.read_bytes()
    assert app.run([*ARGS, "--sample", "3", "--seed", "1"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err == (
        "mcastplan sweep: --rows rows.jsonl: another sweep is writing this file; wait for its end,"
        " or name another one\n"
    )
    assert ROWS.read_bytes() == written
    first.close()
    assert app.run([*ARGS, "--sample", "3", "--seed", "1"]) == 0
    assert app.run([*ARGS, "--json", "again.json"]) == 0
    assert ROWS.read_bytes().count(b"\n") == 20
    assert "3 rows of 19 came from rows.jsonl" in capfd.readouterr().err


def test_two_sweeps_that_race_leave_whole_lines() -> None:
    """Started together with two seeds: one at least ends well, every line is a row, and the next
    run goes on. Without the lock both wrote at offsets of their own."""
    args = [MCASTPLAN, "sweep", "builtin:geant", "--failures", "double-link", "--sample", "100"]
    both = [
        subprocess.Popen(
            [*args, "--seed", seed, "--rows", "rows.jsonl"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for seed in ("0", "1")
    ]
    said = [process.communicate(timeout=PATIENCE_S)[1].decode() for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 2], [0, 0])  # both: the one had ended before the other began
    if codes == [0, 2]:
        assert sum("another sweep is writing this file" in each for each in said) == 1
    for line in ROWS.read_bytes().splitlines():
        json.loads(line)


def test_a_file_system_without_locks_is_named(
    capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert app.run(ARGS) == 2
    assert capfd.readouterr().err == (
        "mcastplan sweep: --rows rows.jsonl: cannot be locked here (Operation not supported); name"
        " a file on another file system\n"
    )


def test_a_full_disk_costs_rows_and_not_the_answer(
    capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk takes the header, two rows and a half: two rows stay, all 19 are in the answer, the
    file is named; the next run goes on with the third."""
    assert app.run([*ARGS, "--json", "-"]) == 0
    whole, _ = capfd.readouterr()
    lines = ROWS.read_bytes().splitlines(keepends=True)
    ROWS.unlink()
    room = len(b"".join(lines[:3])) + 50

    opened = RowsFile.__init__

    def small(self: RowsFile, *args: object) -> None:
        opened(self, *args)  # type: ignore[arg-type]
        real = self._stream

        class Small:
            def write(self, data: memoryview) -> int:
                free = room - os.fstat(real.fileno()).st_size
                if free <= 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return real.write(data[:free]) or 0

            def __getattr__(self, name: str) -> object:
                return getattr(real, name)

        monkeypatch.setattr(self, "_stream", Small())

    with monkeypatch.context() as patch:
        patch.setattr(RowsFile, "__init__", small)
        assert app.run([*ARGS, "--json", "-"]) == 2
    out, err = capfd.readouterr()
    assert out == whole
    assert err == (
        "mcastplan sweep: --rows rows.jsonl: No space left on device; not all rows are in it, the"
        " answer above is whole\n"
    )
    assert ROWS.read_bytes() == b"".join(lines[:3])
    assert app.run([*ARGS, "--json", "-"]) == 0
    assert capfd.readouterr().err == "mcastplan sweep: 2 rows of 19 came from rows.jsonl\n"


def test_a_rows_file_that_vanishes_is_named(
    capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = study.one

    def removed(base: study.Base, case: Case) -> Row:
        ROWS.unlink(missing_ok=True)
        return one(base, case)

    monkeypatch.setattr(study, "one", removed)
    assert app.run(ARGS) == 2
    out, err = capfd.readouterr()
    assert "none of 19 link failures cuts a receiver off" in out
    assert err.startswith("mcastplan sweep: --rows rows.jsonl: No such file or directory; not all")


def test_rows_and_json_are_two_files_however_they_are_spelled(capfd: Capture) -> None:
    assert app.run([*ARGS, "--json", "./rows.jsonl"]) == 2
    assert "name a file of its own" in capfd.readouterr().err
    args = ["plan", "builtin:minimal", "--scheme", "bier", "--pcap", "x", "--json", "./x"]
    assert app.run(args) == 2
    assert "name two files" in capfd.readouterr().err


def test_sigterm_keeps_what_is_done(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-C does: SIGTERM while the fifth of 19 failures is evaluated; exit code 143."""
    one = study.one
    calls = 0

    def ended(base: study.Base, case: Case) -> Row:
        nonlocal calls
        calls += 1
        if calls == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return one(base, case)

    monkeypatch.setattr(study, "one", ended)
    assert app.run([*ARGS, "--json", "-"]) == 143
    out, err = capfd.readouterr()
    assert err == (
        "mcastplan sweep: terminated after 5 of 19 failures; their rows are in rows.jsonl, run the"
        " same command again to go on\n"
    )
    assert json.loads(out)["evaluated"] == 5
    assert ROWS.read_bytes().count(b"\n") == 6


def test_ctrl_c_while_the_remedy_is_looked_for(
    capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every failure is evaluated by then: all of it is told, but for the link that helps."""
    looked = study.remedy

    def pressed(*args: object) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        return looked(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(study, "remedy", pressed)
    args = ["sweep", "builtin:geant", "--failures", "single-node", "--json", "-"]
    assert app.run(args) == 130
    out, err = capfd.readouterr()
    result = json.loads(out)
    done = result["chosen"]
    assert (result["evaluated"], result["complete"], result["remedy"]) == (done, False, None)
    words = (
        f"interrupted after {done} of {done} failures, while looking for the link that helps most"
    )
    assert err == f"mcastplan sweep: {words}\n"
    assert words in result["because"]


def test_sigterm_to_the_whole_group(long: subprocess.Popen[bytes]) -> None:
    """As systemd and container runtimes send it: no worker says a word, none is left."""
    busy = workers(long.pid)
    assert len(busy) == 2
    os.killpg(long.pid, signal.SIGTERM)
    out, err = long.communicate(timeout=PATIENCE_S)
    assert long.returncode == 143
    done = json.loads(out)["evaluated"]
    assert err.decode() == (
        f"mcastplan sweep: terminated after {done:,} of 100,000 failures; their rows are in"
        " rows.jsonl, run the same command again to go on\n"
    )
    assert ROWS.read_bytes().count(b"\n") == done + 1
    assert not any(alive(each) for each in busy)


def test_kill_9_leaves_no_worker_and_no_lock(long: subprocess.Popen[bytes]) -> None:
    busy = workers(long.pid)
    assert len(busy) == 2
    long.kill()
    long.wait(PATIENCE_S)
    wait_for_the_end_of(busy)
    with ROWS.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_worker_that_is_killed_is_named(long: subprocess.Popen[bytes]) -> None:
    """Its results will never come: what is done is told, then why there is no more; the command
    does not wait for ever."""
    os.kill(workers(long.pid)[0], signal.SIGKILL)
    out, err = long.communicate(timeout=PATIENCE_S)
    done = json.loads(out)["evaluated"]
    assert long.returncode == 3
    assert err.decode() == (
        "mcastplan sweep: a worker process was killed, for want of memory perhaps; take fewer"
        f" --workers; it ended after {done:,} of 100,000 failures; their rows are in rows.jsonl,"
        " run the same command again to go on\n"
    )
    assert ROWS.read_bytes().count(b"\n") == done + 1


def double(number: int) -> int:
    if number == 77:
        raise EnvironmentLacksError("seventy-seven")
    return 2 * number


def test_workers_keep_order_and_raise() -> None:
    assert list(parallel_map(3)(double, range(70))) == [2 * each for each in range(70)]
    with pytest.raises(EnvironmentLacksError, match="seventy-seven"):
        list(parallel_map(2)(double, range(100)))
