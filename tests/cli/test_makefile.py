"""The Makefile: help by default, and one line for a Python that does not fit."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def make(root: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *args],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_is_the_default_and_names_the_targets(root: Path) -> None:
    done = make(root)
    assert done.returncode == 0
    for target in ("demo", "test", "check", "fresh", "fix", "bench", "bench-lab", "docs"):
        assert f"make {target} " in done.stdout


@pytest.mark.parametrize(
    ("version", "line"),
    [
        ("Python 3.10.4", "is Python 3.10.4"),
        ("Python 2.7.18", "is Python 2.7.18"),
        ("", "is not to be found"),
    ],
)
def test_another_python_is_one_line_and_code_3(
    root: Path, tmp_path: Path, version: str, line: str
) -> None:
    """A stand-in that prints a version and fails the question whether it is in range."""
    python = tmp_path / "python-other"
    if version:
        python.write_text(f"#!/bin/sh\n[ \"$1\" = -V ] && echo '{version}'\n")
        python.chmod(0o755)
    done = make(root, "demo", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}")
    first, second = done.stderr.splitlines()
    assert first == (
        f"mcastplan needs Python 3.11 or newer; {python} {line}"
        " (name another one: make PYTHON=python3.12)"
    )
    assert second.endswith("Error 3")  # make's own words; its exit code is always 2
    assert not (tmp_path / "venv").exists()


def test_it_says_that_it_installs_and_then_no_more(root: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    said = make(root, "run-soon", f"VENV={venv}").stdout
    assert said == f"installing into {venv}: about half a minute\n"
    venv.mkdir()
    (venv / ".run").touch()  # newer than what it is made from
    assert make(root, "run-soon", f"VENV={venv}").stdout == ""


@pytest.mark.parametrize(
    ("args", "code", "out", "err"),
    [
        ([], 3, "", "make fresh: it takes root\n"),
        (
            ["--or-here", "sh", "-c", "pwd; exit 7"],
            7,
            "{root}\n",
            "no bare root: it takes root; running in place\n",
        ),
    ],
)
def test_without_a_bare_root(
    args: list[str], code: int, out: str, err: str, root: Path, tmp_path: Path
) -> None:
    """As for a user: `make fresh` refuses; CI says so, runs in place and keeps the exit code."""
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    done = subprocess.run(
        ["sh", root / "scripts" / "fresh.sh", *args],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, out.format(root=root), err)
