"""The fuzzer's own guard: it sees what it is there to see."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mcastplan.cli import lists
from tests.fuzz import watch
from tests.fuzz.test_fuzz_scenarios import judge


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], int]], watch.Answer]:
    """Runs ``mcastplan timers`` with another body."""
    watch.install()

    def run(body: Callable[[], int]) -> watch.Answer:
        monkeypatch.setattr(lists.timers, "callback", lambda json_target: body())
        return watch.guarded(["timers"])

    return run


def test_a_defect_is_seen(timers: Callable[[Callable[[], int]], watch.Answer]) -> None:
    answer = timers(lambda: 1 // 0)
    assert answer.code == 70
    with pytest.raises(AssertionError):
        judge(answer, ["timers"], Path())


def test_endless_work_is_ended(
    timers: Callable[[Callable[[], int]], watch.Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "HANG_S", 1)

    def forever() -> int:
        while True:
            pass

    with pytest.raises(watch.Hang):
        timers(forever)


def test_files_elsewhere_are_seen(
    timers: Callable[[Callable[[], int]], watch.Answer], tmp_path: Path
) -> None:
    """Written, made, renamed or removed; reading is nobody's business."""
    inside, beyond = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    beyond.mkdir()
    (beyond / "read").touch()

    def touch(folder: Path) -> int:
        (beyond / "read").read_bytes()
        (folder / "a").write_bytes(b"x")
        (folder / "a").rename(folder / "b")
        (folder / "c").mkdir()
        (folder / "b").unlink()
        return 0

    assert watch.outside(timers(lambda: touch(inside)), inside) == []
    seen = watch.outside(timers(lambda: touch(beyond)), inside)
    assert {event for event, _ in seen} == {"open", "os.rename", "os.mkdir", "os.remove"}


def test_other_programs_are_seen(timers: Callable[[Callable[[], int]], watch.Answer]) -> None:
    answer = timers(lambda: os.system("true"))
    assert ("os.system", "") in watch.outside(answer, Path())
