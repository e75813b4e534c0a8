"""Own what you create, destroy only what you own: records, `clean`, and a foreign neighbour."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mcastlab import record
from mcastlab.errors import LabError
from tests.emulation.host import host, marked, outer, wait_until

KILLS = 20


# --- records alone: no root needed ----------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(record, "FOLDER", tmp_path / "records")
    return tmp_path / "records"


@pytest.fixture
def sleeper() -> Iterator[record.Process]:
    """A process of this test's own."""
    child = subprocess.Popen(["sleep", "1000"])
    try:
        found = record.process(child.pid)
        assert found is not None
        yield found
    finally:
        child.kill()
        child.wait()


def gone() -> record.Process:
    """A process that has ended."""
    child = subprocess.Popen(["true"])
    found = record.process(child.pid) or record.Process(child.pid, 1)
    child.wait()
    return found


def abandoned(*processes: record.Process, **changes: object) -> record.Record:
    """Written by a command that is gone."""
    made = msgspec.structs.replace(record.new("test"), owner=gone(), processes=processes, **changes)
    record.write(made)
    return made


def test_a_record_lives_as_long_as_its_command(folder: Path) -> None:
    made = record.new("diamond, bier")
    assert record.live() == (made,)
    assert [path.name for path in folder.iterdir()] == [f"{made.id}.json"]
    assert json.loads((folder / f"{made.id}.json").read_bytes())["what"] == "diamond, bier"
    assert record.clean() == record.Cleaned(
        (), (f"lab {made.id} (diamond, bier), process {os.getpid()}",)
    )
    record.remove(made)
    assert not folder.exists()
    record.remove(made)  # again: no error
    assert record.live() == ()
    assert record.clean() == record.Cleaned((), ())


def test_two_records_of_one_process(folder: Path) -> None:
    one, other = record.new("one"), record.new("other")
    assert record.live() == (one, other)
    record.remove(one)
    assert record.live() == (other,)
    record.remove(other)


def test_labs_that_come_and_go_share_the_folder(folder: Path) -> None:
    """One makes the folder while the other takes it away."""
    script = (
        "import sys; from pathlib import Path; from mcastlab import record\n"
        "record.FOLDER = Path(sys.argv[1])\n"
        "for _ in range(1000): record.remove(record.new('test'))\n"
    )
    other = subprocess.Popen([sys.executable, "-c", script, folder])
    while other.poll() is None:
        record.remove(record.new("test"))
    assert other.returncode == 0
    assert not folder.exists()


def test_clean_kills_what_an_abandoned_record_names(folder: Path, sleeper: record.Process) -> None:
    made = abandoned(sleeper, gone())
    assert record.live() == ()
    assert record.clean().removed == (
        f"process {sleeper.pid} of lab {made.id}",
        f"record of lab {made.id} (test)",
    )
    assert not sleeper.alive()
    assert not folder.exists()


def test_a_process_with_the_same_id_is_not_the_same(folder: Path, sleeper: record.Process) -> None:
    """Ids come again; start times do not."""
    made = abandoned(record.Process(sleeper.pid, sleeper.start_ticks - 1))
    assert record.clean().removed == (f"record of lab {made.id} (test)",)
    assert sleeper.alive()


def test_a_record_from_before_the_boot_names_nobody(folder: Path, sleeper: record.Process) -> None:
    abandoned(sleeper, boot_id="00000000-0000-0000-0000-000000000000")
    assert len(record.clean().removed) == 1
    assert sleeper.alive()


def test_files_that_are_no_records_stay(folder: Path, sleeper: record.Process) -> None:
    folder.mkdir()
    texts = {
        "note.json": "{}",
        "list.json": "[1, 2]",
        "bytes.json": "\xff\xfe",
        "other.txt": "x",
        "mine.new": "a draft of somebody else",
        # Another name than its id: copied, and so not what a lab wrote.
        "copy.json": msgspec.json.encode(
            record.Record(record.SCHEMA, "1-1-1", "boot", "copy", gone(), (sleeper,))
        ).decode(),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    assert record.clean() == record.Cleaned((), ())
    assert {path.name: path.read_text() for path in folder.iterdir()} == texts
    assert sleeper.alive()


def test_an_unfinished_record_of_a_dead_command_goes(folder: Path) -> None:
    mine, dead = record.new("test"), gone()
    (folder / f"{dead.pid}-{dead.start_ticks}-1.new").write_text("{")
    (folder / f"{mine.owner.pid}-{mine.owner.start_ticks}-9.new").write_text("{")
    assert len(record.clean().removed) == 1
    assert (folder / f"{mine.owner.pid}-{mine.owner.start_ticks}-9.new").exists()


def test_a_place_that_cannot_be_had_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(record, "FOLDER", tmp_path / "file" / "mcastlab")
    with pytest.raises(LabError, match="Not a directory: the lab must keep its record there"):
        record.new("test")
    assert record.live() == ()
    assert record.clean() == record.Cleaned((), ())
    monkeypatch.setattr(record, "FOLDER", tmp_path / "file")
    with pytest.raises(LabError, match="Not a directory"):
        record.new("test")
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.setattr(record, "FOLDER", tmp_path / "link")
    with pytest.raises(LabError, match="belongs to another user"):
        record.new("test")


# --- labs -----------------------------------------------------------------------------------------


@pytest.fixture
def foreign(lab: None, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Somebody else's namespace, zebra and BPF pin on this host, which must all survive."""
    name = f"foreign{secrets.token_hex(3)}"
    zebra, pins = tmp_path / "zebra", tmp_path / "bpf"
    shutil.copy(shutil.which("sleep") or "", zebra)
    pins.mkdir()
    with contextlib.ExitStack() as undo:
        run("ip", "netns", "add", name)
        undo.callback(run, "ip", "netns", "del", name)
        run("mount", "-t", "bpf", "bpf", str(pins))
        undo.callback(run, "umount", str(pins))
        run("bpftool", *("map", "create", str(pins / "m"), "type", "array", "key", "4"),
            *("value", "8", "entries", "1", "name", name))  # fmt: skip
        daemon = subprocess.Popen([zebra, "1000"], start_new_session=True)
        undo.callback(daemon.wait)
        undo.callback(daemon.kill)
        yield {"namespace": name, "pid": str(daemon.pid), "pin": str(pins / "m")}
        assert name in run("ip", "netns", "list")
        assert Path(f"/proc/{daemon.pid}/comm").read_text() == "zebra\n"
        assert daemon.poll() is None
        assert name in run("bpftool", "map", "show", "pinned", str(pins / "m"))


def run(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def maps_named(name: str) -> bool:
    """Whether the kernel holds a BPF map of this name, pinned or not, in any namespace."""
    return any(each.get("name") == name for each in json.loads(run("bpftool", "-j", "map", "show")))


def test_two_labs_at_once_with_the_same_names(foreign: dict[str, str]) -> None:
    before = host()
    with (
        outer("sandbox_jobs:messy", "same", 3, True) as one,
        outer("sandbox_jobs:messy", "same", 3, True) as other,
    ):
        one.read("ready")
        other.read("ready")
        running = {each.owner.pid for each in record.live()}
        assert {one.process.pid, other.process.pid} <= running
        [dead], [alive] = one.records, other.records
        # The command, unshare, PID 1, the engine, and three daemons once they have their program.
        wait_until(lambda: len(marked(other.mark)) == 7, "processes are missing")
        theirs = marked(other.mark)
        one.process.kill()
        one.gone()
        removed = "\n".join(record.clean().removed)
        assert dead in removed and alive not in removed
        assert marked(other.mark) == theirs
        assert other.records != []
        other.process.send_signal(signal.SIGINT)
        assert other.process.wait(30) == 130
    assert host() == before


def test_kill_9_at_random_moments_and_clean(foreign: dict[str, str]) -> None:
    before = host()
    steps = 8
    begun = time.monotonic()
    with outer("sandbox_jobs:messy", "whole", steps, False) as lab:
        lab.read("end")
    whole_s = time.monotonic() - begun
    chance = random.Random(4)
    for number in range(KILLS):
        name = f"kill{number}x{secrets.token_hex(2)}"
        with outer("sandbox_jobs:messy", name, steps, True) as lab:
            time.sleep(chance.uniform(0, whole_s))  # the moment, not a wait for anything
            lab.process.kill()
            lab.gone()
            record.clean()
            assert lab.records == []
        wait_until(lambda name=name: not maps_named(name), "a BPF map is left")  # type: ignore[misc]
        assert host() == before


def test_clean_ends_what_outlived_its_command(foreign: dict[str, str]) -> None:
    """It cannot happen, as far as the kernel keeps its word; the record is for when it does."""
    before = host()
    with outer("sandbox_jobs:messy", "outlived", 3, True) as lab:
        lab.read("ready")
        [found] = [each for each in record.live() if each.owner.pid == lab.process.pid]
        dead = msgspec.structs.replace(found, owner=gone())
        record.write(dead)
        removed = record.clean().removed
        # `unshare`, the other one, ends with its child and may have been faster.
        assert f"process {lab.pids['init']} of lab {found.id}" in removed
        assert f"record of lab {found.id} (outer sandbox_jobs:messy)" in removed
        assert marked(lab.mark) in ([], [lab.process.pid])
        assert lab.process.wait(30) == 3
    assert host() == before
