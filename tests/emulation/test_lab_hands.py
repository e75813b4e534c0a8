"""`lab run` leaves the host as it was: killed at any moment, interrupted, or beside another one."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import random
import secrets
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcastlab import record
from tests.emulation.host import GONE_BUDGET_S, MARK, host, marked, wait_until
from tests.emulation.lab_command import (
    MCASTPLAN,
    RUN_BUDGET_S,
    SEVERAL_RUNS_S,
    counted,
    environment,
    not_ready,
    read,
    wrong_tables,
)

pytestmark = [pytest.mark.usefixtures("lab"), pytest.mark.timeout(SEVERAL_RUNS_S)]

KILLS = 20
EARLIEST_S, LATEST_S = 0.2, 8.0  # the network stands after some 4 s; then come the pushes
TERMINAL = struct.pack("HHHH", 40, 160, 0, 0)  # rows, columns


class Command:
    """A `lab run` on the diamond, told from others by a mark in its environment."""

    def __init__(
        self, folder: Path, *options: str | Path, stderr: int = subprocess.DEVNULL
    ) -> None:
        self.mark = secrets.token_hex(8)
        self.file = folder / f"{self.mark}.json"
        self.begun_s = time.monotonic()
        self.process = subprocess.Popen(
            (MCASTPLAN, "lab", "run", "builtin:lab-diamond", *options, "--json", str(self.file)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={**environment(folder), MARK: self.mark},
            start_new_session=True,
        )

    def gone(self) -> None:
        """Fails unless nothing that the command started is left soon after its end."""
        self.process.wait(GONE_BUDGET_S)
        wait_until(lambda: not marked(self.mark), "processes are left")

    @property
    def records(self) -> list[str]:
        return [each.id for each in record.records() if each.owner.pid == self.process.pid]


@contextlib.contextmanager
def running(
    folder: Path, *options: str | Path, stderr: int = subprocess.DEVNULL
) -> Iterator[Command]:
    made = Command(folder, *options, stderr=stderr)
    try:
        yield made
    finally:
        made.process.kill()
        made.gone()


def clean() -> dict[str, list[str]]:
    done = subprocess.run(
        (MCASTPLAN, "lab", "clean", "--json", "-"), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    answer: dict[str, list[str]] = json.loads(done.stdout)
    return answer


def bpf(kind: str) -> set[int]:
    """What the kernel holds, pinned or not, in any namespace."""
    said = subprocess.run(("bpftool", "-j", kind, "show"), capture_output=True, check=True).stdout
    return {each["id"] for each in json.loads(said)}


def test_kill_9_at_random_moments_and_clean(tmp_path: Path) -> None:
    """Two labs at a time, so that each is also cleaned away beside one that runs."""
    chance = random.Random(5)
    slice_s = (LATEST_S - EARLIEST_S) / KILLS
    moments = [EARLIEST_S + slice_s * (number + chance.random()) for number in range(KILLS)]
    before = host()
    for sooner_s, later_s in zip(moments[::2], moments[1::2], strict=True):
        maps = bpf("map")
        options = ("--scheme", "bier", "--seconds", "2")
        with running(tmp_path, *options) as one, running(tmp_path, *options) as other:
            kill(one, sooner_s)
            abandoned = one.records
            removed = "\n".join(clean()["removed"])
            assert all(each in removed for each in abandoned)
            assert other.process.poll() is None
            assert not any(each in removed for each in other.records)
            kill(other, later_s)
            clean()
            assert one.records == other.records == []
            assert not one.file.exists() and not other.file.exists()
        assert host() == before
        if not record.live():  # or else they may be those of somebody else's lab
            wait_until(lambda known=maps: bpf("map") <= known, "a BPF map is left")  # type: ignore[misc]


def kill(command: Command, at_s: float) -> None:
    time.sleep(max(0.0, command.begun_s + at_s - time.monotonic()))  # the moment, no wait for any
    assert command.process.poll() is None
    command.process.kill()
    command.gone()


def test_two_labs_at_once(tmp_path: Path) -> None:
    """The same names, addresses and ports, side by side."""
    before = host()
    with (
        running(tmp_path, "--scheme", "bier", "--seconds", "2") as one,
        running(tmp_path, "--scheme", "sr-p2mp", "--seconds", "2") as other,
    ):
        for each, scheme in ((one, "bier"), (other, "sr-p2mp")):
            assert each.process.wait(RUN_BUDGET_S) == 0
            result = read(each.file)
            assert result is not None
            assert list(counted(result)) == [scheme]
            assert not_ready(result) == []
            assert wrong_tables(result) == []
            each.gone()
            assert each.records == []
    assert host() == before


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    """On a terminal, which shows where the replicas are until then."""
    before = host()
    with terminal() as (screen, slave):
        folder = tmp_path / "pcap"
        options = ("--scheme", "unicast", "--seconds", "1", "--repeat", "100", "--pcap", folder)
        with running(tmp_path, *options, stderr=slave) as lab:
            shown = until(screen, b"unicast push: ready after")
            for each in (b"building 4 routers", b"network up and converged", b"delft"):
                assert each in shown
            lab.process.send_signal(signal.SIGINT)
            assert lab.process.wait(RUN_BUDGET_S) == 130
            lab.gone()
            assert lab.records == []
            result = read(lab.file)
            assert list(folder.iterdir()) == []  # no capture is whole
    assert result is not None
    assert result.interrupted
    assert 1 <= len(result.runs) < 100
    assert not_ready(result) == []
    assert host() == before


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """What a terminal shows can be read from the first."""
    screen, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, TERMINAL)
    try:
        yield screen, slave
    finally:
        os.close(screen)
        os.close(slave)


def until(screen: int, words: bytes, budget_s: float = 120.0) -> bytes:
    """Everything shown up to these words and a little more."""
    shown, end_s = b"", time.monotonic() + budget_s
    while words not in shown:
        left_s = end_s - time.monotonic()
        assert left_s > 0, shown[-2000:]
        if select.select((screen,), (), (), left_s)[0]:
            shown += os.read(screen, 1 << 16)
    return shown
