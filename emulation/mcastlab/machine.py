"""What this machine is, for results that carry it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path

from mcastplan.model.measurement import Machine

UNKNOWN = "unknown"


def machine() -> Machine:
    """The kernel, the processor and the programs that forward and send here."""
    return Machine(
        kernel=platform.release(),
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        frr=_version("/usr/lib/frr/zebra", "--version", pattern=r"zebra version (\S+)"),
        uftp=_version("dpkg-query", "-W", "-f", "${Version}", "uftp", pattern=r"([\d.]+)"),
        mininet=_mininet(),
    )


def same(one: Machine, other: Machine) -> bool:
    """Whether stage constants of one hold for the other: memory is not what they depend on."""
    return (one.kernel, one.cpu, one.cores, one.frr) == (
        other.kernel,
        other.cpu,
        other.cores,
        other.frr,
    )


def _cpu() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return found.group(1).strip() if found else platform.machine()


def _version(*argv: str, pattern: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return UNKNOWN
    found = re.search(pattern, done.stdout)
    return found.group(1) if found else UNKNOWN


def _mininet() -> str:
    try:
        return importlib.metadata.version("mininet")
    except importlib.metadata.PackageNotFoundError:
        return UNKNOWN
