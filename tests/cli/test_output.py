"""Files appear complete or not at all, and refusals come before the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcastplan.cli.output import check_target, plain, write_file
from mcastplan.errors import UsageError


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_bytes(b"old and longer")
    target.chmod(0o640)
    write_file(str(target), b"new")
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_new_file_gets_the_usual_mode(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    write_file(str(tmp_path / "b"), b"x")
    assert (tmp_path / "b").stat().st_mode == usual.stat().st_mode


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_file(str(tmp_path / "link"), b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_device_is_written_not_replaced() -> None:
    before = Path("/dev/null").stat()
    check_target("/dev/null")
    write_file("/dev/null", b"gone")
    assert Path("/dev/null").stat().st_ino == before.st_ino


def test_nothing_is_left_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.json"
    target.write_bytes(b"old")

    def full(self: Path, other: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UsageError, match="cannot be written: No space left on device"):
        write_file(str(target), b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no/such/a.json", "there is no folder no/such; make it first"),
        ("folder", "not a file name"),
        ("", "--json '': not a file name"),
        ("scenario.yaml", "this is the file that is read; name another one"),
        ("./folder/../scenario.yaml", "this is the file that is read"),
        ("scenario.yaml/a.json", "there is no folder"),
        ("x\0y", "null byte|null character"),
    ],
)
def test_a_bad_target_is_refused_before_the_work(
    target: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "scenario.yaml").touch()
    with pytest.raises(UsageError, match=message):
        check_target(target, "scenario.yaml")


def test_good_targets(tmp_path: Path) -> None:
    check_target(None, "builtin:minimal")
    check_target("-", "builtin:minimal")
    check_target(str(tmp_path / "new.json"), "builtin:minimal")


def test_plain() -> None:
    assert plain("São Paulo\ta\nb") == "São Paulo a b"
    assert plain("\x1b[31m\u202e\x00") == "\\x1b[31m\\x202e\\x00"
