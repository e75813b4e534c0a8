"""Fetch the report's foreign files from the npm registry again, and check every byte.

``mcastplan/report/assets/vendored.json`` lists package, version, licence and SHA-256. Needs npm.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ASSETS = Path(__file__).parents[1] / "mcastplan" / "report" / "assets"


def checked(data: bytes, sha256: str, name: str) -> bytes:
    """The data itself. Exits with one line if its checksum differs."""
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        sys.exit(f"{name}: SHA-256 is {found}, not {sha256}; nothing of it was written")
    return data


def main() -> None:
    npm = shutil.which("npm")
    if npm is None:
        print("make vendor needs npm (Debian: apt-get install npm)", file=sys.stderr)
        sys.exit(3)
    for package in json.loads((ASSETS / "vendored.json").read_text())["packages"]:
        name = f"{package['package']}@{package['version']}"
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [npm, "pack", "--silent", "--pack-destination", folder, name],
                stdout=subprocess.DEVNULL,
                check=True,
            )
            (archive,) = Path(folder).glob("*.tgz")
            checked(archive.read_bytes(), package["sha256"], name)
            with tarfile.open(archive) as members:
                for file in package["files"]:
                    member = members.extractfile(file["from"])
                    assert member is not None
                    data = checked(member.read(), file["sha256"], f"{name}: {file['from']}")
                    (ASSETS / file["to"]).write_bytes(data)
                    print(f"{name} ({package['licence']}): {file['to']}, {len(data):,} bytes")


if __name__ == "__main__":
    main()
