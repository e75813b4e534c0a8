"""The house rules that a linter proves."""

from __future__ import annotations

import re
import subprocess
import sys
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
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.]*", line) for line in lines)
    pinned = [line.partition("==")[0] for line in lines]
    assert pinned == sorted(set(pinned))
    text = (ROOT / "pyproject.toml").read_text()
    extra = re.findall(r'^  "([A-Za-z0-9-]+)[<>=~",]', text, flags=re.MULTILINE)
    wanted = {name.lower() for name in extra}
    assert {"click", "hypothesis", "networkx", "types-pyyaml"} <= wanted
    assert wanted - set(pinned) <= {"bier"}
