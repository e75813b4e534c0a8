"""What test_system runs inside: scripts/system.sh with stand-ins for all that it would change."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.emulation.sandboxed import ROOT

_REAL = ("sh", "id", "grep", "rm", "chmod", "cat")
# Says what it was asked, and what a service would be told meanwhile.
_STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >>/run/said
if [ -x /usr/sbin/policy-rc.d ]; then
    /usr/sbin/policy-rc.d x start >/dev/null; echo "policy $?" >>/run/said
else
    echo "no policy" >>/run/said
fi
[ ! -e /run/killing ] || kill -TERM $PPID
"""


def system(foreign: str | None, stale: bool, killed: bool) -> dict[str, Any]:
    """Calls and what policy-rc.d said at each, and what it is afterwards."""
    programs = Path("/run/programs")
    programs.mkdir()
    for name in _REAL:
        (programs / name).symlink_to(_where(name))
    for name in ("apt-get", "service", "update-rc.d", "basename"):
        text = '#!/bin/sh\necho "${1##*/}"\n' if name == "basename" else _STAND_IN
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    for folder in ("/usr/lib/frr", "/usr/include/bpf"):
        if Path(folder).is_dir():
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/usr/sbin"], check=True)
    policy = Path("/usr/sbin/policy-rc.d")
    if foreign is not None:
        policy.write_text(foreign)
        policy.chmod(0o755)
    if stale:
        policy.write_text("#!/bin/sh\n# of mcastplan: make system\nexit 101\n")
    if killed:
        Path("/run/killing").touch()
    done = subprocess.run(
        ["/run/programs/sh", str(ROOT / "scripts" / "system.sh"), "/run/log"],
        env={"PATH": str(programs)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "code": done.returncode,
        "stderr": done.stderr,
        "said": Path("/run/said").read_text().splitlines(),
        "policy": policy.read_text() if policy.exists() else None,
    }


def _where(name: str) -> str:
    found = shutil.which(name)
    assert found is not None
    return str(Path(found).resolve())
