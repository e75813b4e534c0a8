"""The command: rows that resume, workers that change nothing, Ctrl-C that keeps what is done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from mcastplan.cli import app
from mcastplan.cli.workers import until_interrupted
from mcastplan.model.sweep import Case, Row
from mcastplan.scenario import schemas
from mcastplan.study import sweep as study

MCASTPLAN = str(Path(sys.executable).with_name("mcastplan"))
SCENARIO = "builtin:gscale"  # 19 links

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capfd: Capture, *args: str) -> tuple[int, str, str]:
    code = app.run(["sweep", SCENARIO, "--failures", "single-link", *args])
    out, err = capfd.readouterr()
    return code, out, err


def refused(capfd: Capture, *args: str) -> str:
    code, out, err = run(capfd, *args)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("mcastplan sweep: ")
    return err.removeprefix("mcastplan sweep: ").rstrip("\n")


def test_the_answer(capfd: Capture) -> None:
    code, out, err = run(capfd)
    assert (code, err) == (0, "")
    assert "none of 19 link failures cuts a receiver off, in any scheme" in out


def test_json(capfd: Capture) -> None:
    code, out, _ = run(capfd, "--json", "-")
    result = json.loads(out)
    assert code == 0
    assert result["schema"] == "mcastplan.sweep/1"
    assert (result["total"], result["evaluated"], result["complete"]) == (19, 19, True)
    jsonschema.validate(result, schemas()["mcastplan.sweep/1"])


def test_a_report(capfd: Capture) -> None:
    code, out, _ = run(capfd, "--report", "out")
    assert code == 0
    assert out.endswith("out/report.html\n")
    assert json.loads(Path("out/result.json").read_text())["schema"] == "mcastplan.sweep/1"


def test_any_number_of_workers_gives_the_same_bytes(capfd: Capture) -> None:
    _, alone, _ = run(capfd, "--json", "-")
    _, two, _ = run(capfd, "--json", "-", "--workers", "2")
    assert two == alone


def test_rows_are_written_and_read_again(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run evaluates nothing and says the same; with half of the file gone, and a line
    torn in the middle, it evaluates the rest."""
    _, first, _ = run(capfd, "--json", "-", "--rows", "rows.jsonl")
    written = Path("rows.jsonl").read_bytes()
    lines = written.splitlines(keepends=True)
    assert len(lines) == 20
    assert json.loads(lines[0])["schema"] == "mcastplan.sweep-rows/1"

    evaluated: list[str] = []
    one = study.one

    def watched(base: study.Base, case: Case) -> Row:
        evaluated.append(case.name)
        return one(base, case)

    monkeypatch.setattr(study, "one", watched)
    monkeypatch.setattr(study, "remedy", lambda *_: None)
    _, again, _ = run(capfd, "--json", "-", "--rows", "rows.jsonl")
    assert evaluated == []
    assert json.loads(again)["schemes"] == json.loads(first)["schemes"]
    assert Path("rows.jsonl").read_bytes() == written

    Path("rows.jsonl").write_bytes(b"".join(lines[:11]) + lines[11][:30])
    _, again, _ = run(capfd, "--json", "-", "--rows", "rows.jsonl")
    assert len(evaluated) == 9
    assert json.loads(again)["schemes"] == json.loads(first)["schemes"]
    assert sorted(Path("rows.jsonl").read_bytes().splitlines()) == sorted(written.splitlines())


def test_a_header_torn_off_is_written_again(capfd: Capture) -> None:
    run(capfd, "--rows", "rows.jsonl", "--sample", "1")
    header = Path("rows.jsonl").read_bytes().splitlines()[0]
    Path("rows.jsonl").write_bytes(header[:20])
    code, _, _ = run(capfd, "--rows", "rows.jsonl", "--sample", "1")
    assert code == 0
    assert Path("rows.jsonl").read_bytes().splitlines()[0] == header


def test_a_sample_grows_in_one_file(capfd: Capture) -> None:
    run(capfd, "--rows", "rows.jsonl", "--sample", "5")
    _, out, _ = run(capfd, "--rows", "rows.jsonl", "--sample", "8", "--json", "-")
    assert len(Path("rows.jsonl").read_bytes().splitlines()) == 9
    _, fresh, _ = run(capfd, "--sample", "8", "--json", "-")
    assert out == fresh
    assert json.loads(out)["seed"] == 0


def test_rows_of_something_else_are_refused(capfd: Capture) -> None:
    run(capfd, "--rows", "rows.jsonl", "--sample", "1")
    written = Path("rows.jsonl").read_bytes()
    other = app.run(["sweep", "builtin:geant", "--failures", "single-link", "--rows", "rows.jsonl"])
    assert other == 2
    assert capfd.readouterr().err == (
        "mcastplan sweep: --rows rows.jsonl: holds rows of another scenario, or of another version"
        " of mcastplan; name another one\n"
    )
    app.run(["sweep", SCENARIO, "--failures", "single-node", "--rows", "rows.jsonl"])
    assert "holds 'single-link' failures, not 'single-node' ones" in capfd.readouterr().err
    assert "holds rows without --transient" in refused(capfd, "--rows", "rows.jsonl", "--transient")
    assert Path("rows.jsonl").read_bytes() == written


@pytest.mark.parametrize(
    "content", [b"hello\n", b"{}\n", b"\xff\xfe\n", b"half a word", b'{"schema": "x"}\n']
)
def test_a_file_that_is_no_rows_file_is_left_alone(capfd: Capture, content: bytes) -> None:
    Path("notes.txt").write_bytes(content)
    message = refused(capfd, "--rows", "notes.txt")
    assert message == "--rows notes.txt: not a rows file of a sweep; name another one"
    assert Path("notes.txt").read_bytes() == content


def test_a_broken_row_is_named(capfd: Capture) -> None:
    run(capfd, "--rows", "rows.jsonl", "--sample", "2")
    with Path("rows.jsonl").open("ab") as file:
        file.write(b'{"failure": 3}\n')
    message = refused(capfd, "--rows", "rows.jsonl")
    assert message == "--rows rows.jsonl: line 4 is not a row; name another file"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--sample", "0"], "'--sample': 0 is not in the range x>=1"),
        (["--sample", "many"], "'--sample': 'many' is not a valid integer"),
        (["--workers", "0"], "'--workers': 0 is not in the range 1<=x<=1024"),
        (["--seed", "3"], "--seed picks a sample; give --sample as well"),
        (["--failures", "srlg"], "has no SRLGs; give links 'srlgs', or sweep single-link"),
        (["--failures", "meteor"], "'meteor' is not one of"),
        (["--rows", "-"], "--rows -: name a file of its own"),
        (["--rows", "nowhere/rows.jsonl"], "there is no folder nowhere"),
        (["--rows", "."], "--rows .: not a file name"),
        (["--rows", "x.json", "--json", "x.json"], "--rows x.json: name a file of its own"),
    ],
)
def test_bad_input_in_one_line(capfd: Capture, args: list[str], said: str) -> None:
    assert said in refused(capfd, *args)
    assert not list(Path().iterdir())


def test_failures_must_be_named(capfd: Capture) -> None:
    assert app.run(["sweep", SCENARIO]) == 2
    assert "Missing option '--failures'" in capfd.readouterr().err


def test_ctrl_c_keeps_what_is_done(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGINT while the fifth of 19 failures is evaluated: five rows are kept, printed and written;
    the next run goes on with the sixth."""
    one = study.one
    calls = 0

    def pressed(base: study.Base, case: Case) -> Row:
        nonlocal calls
        calls += 1
        if calls == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return one(base, case)

    monkeypatch.setattr(study, "one", pressed)
    code, out, err = run(capfd, "--rows", "rows.jsonl", "--json", "-")
    assert code == 130
    assert err == (
        "mcastplan sweep: interrupted after 5 of 19 failures; their rows are in rows.jsonl, run the"
        " same command again to go on\n"
    )
    result = json.loads(out)
    assert (result["evaluated"], result["complete"], result["remedy"]) == (5, False, None)
    assert len(Path("rows.jsonl").read_bytes().splitlines()) == 6
    code, out, err = run(capfd, "--rows", "rows.jsonl", "--json", "-")
    assert (code, json.loads(out)["evaluated"]) == (0, 19)
    assert err == "mcastplan sweep: 5 rows of 19 came from rows.jsonl\n"


def test_a_second_ctrl_c_does_not_wait() -> None:
    with pytest.raises(KeyboardInterrupt), until_interrupted() as asked:
        os.kill(os.getpid(), signal.SIGINT)
        assert asked()
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_with_workers() -> None:
    """The terminal sends SIGINT to the whole group; the parent ends it, no worker says a word."""
    process = subprocess.Popen(
        [
            *(MCASTPLAN, "sweep", "builtin:global-inference", "--failures", "double-link"),
            *("--sample", "100000", "--workers", "2", "--rows", "rows.jsonl", "--json", "-"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    rows = Path("rows.jsonl")
    try:
        while process.poll() is None and (
            not rows.exists() or len(rows.read_bytes().splitlines()) < 3
        ):
            pass
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
    finally:
        if process.poll() is None:
            process.kill()
    result = json.loads(out)
    assert process.returncode == 130
    assert not result["complete"]
    done = result["evaluated"]
    assert err.decode() == (
        f"mcastplan sweep: interrupted after {done:,} of 100,000 failures; their rows are in"
        " rows.jsonl, run the same command again to go on\n"
    )
    assert len(rows.read_bytes().splitlines()) == done + 1
