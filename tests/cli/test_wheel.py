"""The wheel alone, in a fresh virtual environment, run from an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path


def call(*args: str | Path, cwd: Path) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(arg) for arg in args], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_answers_from_an_empty_folder(root: Path, tmp_path: Path) -> None:
    call(
        *(sys.executable, "-m", "hatchling", "build", "--target", "wheel"),
        *("--directory", tmp_path / "dist"),
        cwd=root,
    )
    (wheel,) = (tmp_path / "dist").glob("mcastplan-*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    empty = tmp_path / "empty"
    empty.mkdir()
    call(
        *(python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"),
        *("-c", root / "constraints.txt", wheel),
        cwd=empty,
    )
    mcastplan = python.with_name("mcastplan")
    text = call(mcastplan, "compare", "builtin:minimal", cwd=empty)
    assert text.startswith("minimal: push")
    result = json.loads(call(mcastplan, "compare", "builtin:minimal", "--json", "-", cwd=empty))
    assert [scheme["name"] for scheme in result["schemes"]] == [
        *("unicast", "ingress-replication", "pim-sm", "sr-p2mp", "bier"),
    ]
    shown = call(mcastplan, "plan", "builtin:minimal", "--scheme", "bier", cwd=empty)
    assert "BIFT" in shown
    page = tmp_path / "out" / "report.html"
    call(mcastplan, "compare", "builtin:abilene", "--report", page.parent, cwd=empty)
    assert "<path class=land" in page.read_text(encoding="utf-8")  # the coastline came along
    assert list(empty.iterdir()) == []
