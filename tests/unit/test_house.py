"""The house rules that a linter proves."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_imports_run_downwards() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_constraints_pin_every_dependency() -> None:
    """Each name in pyproject.toml has exactly one pin, and no line says where to get it."""
    lines = [
        line
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.]*(dev[0-9]+)?", line) for line in lines)
    pinned = [line.partition("==")[0] for line in lines]
    assert pinned == sorted(set(pinned))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["dev"], *extras["lab"]]
    names = {re.split(r"[<>=~;\[ ]", line)[0].lower() for line in asked}
    assert names - {"mcastplan"} <= set(pinned)  # "dev" asks for "mcastplan[lab]"
