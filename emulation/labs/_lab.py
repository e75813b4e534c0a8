"""What the lab scripts share: the right Python, root, and the command they run."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(script: str, *arguments: str) -> int:
    """``mcastplan lab run`` with these arguments, then those of the script's own command line; its
    exit code. 3, and how to do it, where this Python has no mcastplan."""
    try:
        from mcastplan.cli.app import run as command
    except ImportError:
        python = ROOT / ".venv" / "bin" / "python"
        how = f"sudo {python} {script}" if python.exists() else "make test, then the same with sudo"
        sys.stderr.write(f"{Path(script).name}: this Python has no mcastplan; run {how}\n")
        return 3
    return command(["lab", "run", *arguments, *sys.argv[1:]])
