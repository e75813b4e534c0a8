"""`compare --report` and `report`: three files, the same from either, and one line when not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcastplan.cli import app, folder
from mcastplan.errors import UsageError

FILES = {"report.html", "report.md", "result.json"}


@pytest.fixture
def saved(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """The folder of a report on builtin:minimal."""
    out = tmp_path / "new" / "out"
    assert app.run(["compare", "builtin:minimal", "--report", str(out)]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("minimal: push")
    assert lines[-1] == str(out / "report.html")
    return out


def test_compare_writes_three_files_into_a_new_folder(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == FILES
    assert json.loads((saved / "result.json").read_bytes())["schema"] == "mcastplan.compare/1"
    assert (saved / "report.html").read_text().startswith("<!doctype html>")
    assert (saved / "report.md").read_text().startswith("# What is the best way to copy ")


def test_a_saved_result_gives_the_same_files(
    saved: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again"
    assert app.run(["report", str(saved / "result.json"), "--out", str(again)]) == 0
    assert capfd.readouterr().out == f"{again / 'report.html'}\n"
    for name in FILES:
        assert (again / name).read_bytes() == (saved / name).read_bytes()


def test_a_report_beside_its_result_leaves_the_result(
    saved: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Keys that this version does not know stay in the file."""
    result = saved / "result.json"
    result.write_text(json.dumps({**json.loads(result.read_bytes()), "later": 1}))
    before = result.read_bytes()
    assert app.run(["report", str(result), "--out", str(saved)]) == 0
    assert result.read_bytes() == before
    assert {path.name for path in saved.iterdir()} == FILES


def test_json_says_where_the_files_are(saved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    args = ["report", str(saved / "result.json"), "--out", str(saved), "--json", "-"]
    assert app.run(args) == 0
    assert json.loads(capfd.readouterr().out) == {
        "html": str(saved / "report.html"),
        "markdown": str(saved / "report.md"),
        "json": str(saved / "result.json"),
        "schema": "mcastplan.report/1",
    }


def test_json_on_stdout_stays_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    args = ["compare", "builtin:minimal", "--json", "-", "--report", str(tmp_path / "out")]
    assert app.run(args) == 0
    assert json.loads(capfd.readouterr().out)["scenario"] == "minimal"
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"\x00\xff\xfe", "bad.json: not JSON: "),
        (b"", "bad.json: not JSON: "),
        (b"{}", "bad.json: no schema; a report is made of mcastplan.compare/1 (compare --json)"),
        (
            b'{"schema": "mcastplan.plan/1"}',
            "bad.json: schema 'mcastplan.plan/1'; a report is made of mcastplan.compare/1",
        ),
        (b'{"schema": 3}', "bad.json: not a result as compare --json writes it: "),
        (
            b'{"schema": "mcastplan.compare/1"}',
            "bad.json: not a result as compare --json writes it: Object missing required field",
        ),
        (b"[" * 100_000, "bad.json: not "),
    ],
)
def test_a_bad_file_is_one_line_and_exit_2(
    content: bytes,
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.json").write_bytes(content)
    assert app.run(["report", "bad.json", "--out", "out"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"mcastplan report: {line}")
    assert err.count("\n") == 1
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["report", "none.json", "--out", "out"], "report: none.json: No such file or directory"),
        (["report", "folder", "--out", "out"], "report: folder: not a file"),
        (["report", "/dev/zero", "--out", "out"], "report: /dev/zero: not a file"),
        (["report", "a\0b", "--out", "out"], "report: a\\x00b: "),
        (["report", "x.json"], "report: Missing option '--out'."),
        (
            ["compare", "builtin:minimal", "--report", "file"],
            "compare: --report file: not a folder; name another one",
        ),
        (
            ["compare", "builtin:minimal", "--report", "file/below"],
            "compare: --report file/below: file cannot be written; name another folder",
        ),
        (["compare", "builtin:minimal", "--report", ""], "compare: --report '': not a folder name"),
        (
            ["compare", "folder/report.md", "--report", "folder"],
            "compare: --report folder: report.md in it is folder/report.md; name another one",
        ),
        (
            ["compare", "builtin:minimal", "--report", "taken"],
            "compare: --report taken: report.html in it is a folder; name another one",
        ),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(
    args: list[str],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    Path("folder/report.md").touch()
    Path("taken/report.html").mkdir(parents=True)
    assert app.run(args) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"mcastplan {line}")
    assert err.count("\n") == 1


def test_a_full_disk_leaves_what_was_there(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    data = before["result.json"]

    def full(self: Path, other: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UsageError, match="No space left on device"):
        folder.write_report(data, str(saved), "--out", "")
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
