"""The wheel brings the lab along: modules, eBPF sources, templates."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_file_of_the_lab_is_in_the_wheel(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    lab = ROOT / "emulation" / "mcastlab"
    files = {
        f"mcastlab/{path.relative_to(lab)}"
        for path in lab.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if name.startswith("mcastlab/")}
    assert shipped == files
    assert {Path(name).suffix for name in files} >= {".py", ".c", ".j2"}
