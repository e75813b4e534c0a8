"""`mcastplan lab doctor`: what this machine has and lacks for the lab, and how to mend it.

Programs and Python packages are looked up; what the kernel can do is tried (`mcastlab.trial`), in a
sandbox that leaves nothing behind. Without root nothing can be tried, and the findings say so.

Not examined: disk space, other load on the machine (a run measures that), firmware or hypervisor.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from mcastlab.sandbox import Sandbox, search_path
from mcastplan.errors import McastplanError

FRR_FOLDER = Path("/usr/lib/frr")
FRR_DAEMONS = ("zebra", "ospfd", "ospf6d", "pimd", "bfdd")
BPF_HEADER = Path("/usr/include/bpf/bpf_helpers.h")
MEMORY_BYTES = 2_500_000_000  # 28 routers with their daemons, and their replicas
CORES = 2
PACKETS_PER_S = 50_000.0  # 600 Mb/s of full packets; abilene's busiest link at 1/1000 needs 400
VERSION_BUDGET_S = 10.0

Needed = Literal["required", "optional"]

_NOT_TRIED = "not tried: needs root"
_UNTRIED_SANDBOX = "not tried: no namespaces"
_ALL = "no lab at all"
_MULTICAST = "no multicast scheme: UFTP carries the model over them"
_EBPF = "no BIER, no SR-P2MP, no silent failures, no arrival times"


class Finding(msgspec.Struct, frozen=True):
    """One thing that the lab needs or would use.

    ``costs``: what cannot be done without it. ``mend``: the command that brings it, empty where no
    command does.
    """

    what: str
    found: bool
    value: str  # a version, a number, or why it was not found
    needed: Needed
    costs: str
    mend: str = ""


class Examined(msgspec.Struct, frozen=True):
    """``fit``: nothing that is required lacks. ``netem``: links can have a delay.
    ``packets_per_s`` None: not measured. ``mend``: one command for all that a command can mend."""

    fit: bool
    netem: bool
    packets_per_s: float | None
    findings: tuple[Finding, ...]
    mend: str


class _Program(NamedTuple):
    what: str
    names: tuple[str, ...]
    package: str  # Debian's
    costs: str


class _Feature(NamedTuple):
    trial: str
    what: str
    costs: str
    needed: Needed = "required"
    option: str = ""  # of the kernel


_PROGRAMS = (
    _Program("iproute2", ("ip", "tc", "bridge"), "iproute2", _ALL),
    _Program("bash", ("bash",), "bash", _ALL),  # Mininet's, one for each host
    _Program("util-linux", ("unshare", "setpriv", "nsenter"), "util-linux", _ALL),
    _Program("Mininet's programs", ("mnexec", "ifconfig"), "mininet", _ALL),
    _Program("UFTP", ("uftp", "uftpd"), "uftp", _MULTICAST),
    _Program("clang", ("clang",), "clang", _EBPF),
    _Program("bpftool", ("bpftool",), "bpftool", _EBPF),
)
_PACKAGES = ("mininet", "pyroute2", "jinja2", "numpy", "safetensors")
_CAPTURE = "dumpcap"
_JIT = Path("/proc/sys/net/core/bpf_jit_enable")
_UPDATE = "apt-get update"  # images of containers come without the lists of packages
_FEATURES = (
    _Feature("mnexec", "mnexec makes namespaces", _ALL),
    _Feature("bridge", "bridge", "no clouds", option="CONFIG_BRIDGE"),
    _Feature("htb", "HTB shaping", "no link has its rate", option="CONFIG_NET_SCH_HTB"),
    _Feature("ipv6", "IPv6 with SRv6", "no SR-P2MP", option="CONFIG_IPV6_SEG6_LWTUNNEL"),
    _Feature("vxlan", "VXLAN", "no ingress replication", option="CONFIG_VXLAN"),
    _Feature("multicast", "IPv4 multicast routing", "no PIM-SM", option="CONFIG_IP_PIMSM_V2"),
    _Feature(
        "ebpf", "eBPF on clsact (cls_bpf)", _EBPF, option="CONFIG_NET_CLS_BPF, CONFIG_NET_CLS_ACT"
    ),
    _Feature(
        "netem", "netem", "links without delay, in the prediction too", "optional",
        "CONFIG_NET_SCH_NETEM",
    ),
)  # fmt: skip


def examine() -> Examined:
    """Look and try; takes about two seconds as root. Raises nothing for what is missing."""
    findings = [_system(), _root()]
    findings += [_program(each) for each in _PROGRAMS]
    findings += [_headers(), _frr(), *map(_package, _PACKAGES)]
    tried, why = _tried(findings)
    findings.append(_namespaces(tried, why))
    findings += [_feature(each, tried, why) for each in _FEATURES]
    findings += [_jit(), _capture(), _memory(), _cores()]
    rate = _rate(tried)
    findings.append(_carries(rate, why))
    return Examined(
        fit=not lacking(findings),
        netem=any(each.what == "netem" and each.found for each in findings),
        packets_per_s=rate,
        findings=tuple(findings),
        mend=_mend(findings),
    )


def lacking(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What `lab run` cannot do without, and is not here."""
    return tuple(each for each in findings if each.needed == "required" and not each.found)


def refusal(examined: Examined) -> str:
    """Why `lab run` will not start: what lacks, and the one command that brings just that."""
    lacks = lacking(examined.findings)
    named = "; ".join(f"{each.what} ({each.value})" if each.value else each.what for each in lacks)
    command = _mend(lacks)
    mend = f"; mend it with: {command}" if command else ""
    return f"this machine lacks {named}{mend}; `mcastplan lab doctor` says what each is for"


# --- what is looked up ----------------------------------------------------------------------------


def _system() -> Finding:
    name = platform.system()
    return Finding("Linux", name == "Linux", platform.release(), "required", _ALL)


def _root() -> Finding:
    if os.geteuid() == 0:
        return Finding("root", True, "", "required", _ALL)
    again = f"sudo {shlex.quote(sys.executable)} -m mcastplan lab doctor"
    return Finding("root", False, f"user id {os.geteuid()}", "required", _ALL, again)


def _program(each: _Program) -> Finding:
    missing = [name for name in each.names if _which(name) is None]
    value = f"no {', no '.join(missing)}" if missing else ", ".join(each.names)
    return Finding(each.what, not missing, value, "required", each.costs, _apt(each.package))


def _headers() -> Finding:
    found = BPF_HEADER.is_file()
    value = str(BPF_HEADER) if found else f"no {BPF_HEADER}"
    return Finding("libbpf headers", found, value, "required", _EBPF, _apt("libbpf-dev"))


def _frr() -> Finding:
    missing = [name for name in FRR_DAEMONS if not (FRR_FOLDER / name).is_file()]
    if _which("vtysh") is None:
        missing.append("vtysh")
    if missing:
        value = f"no {', no '.join(missing)} in {FRR_FOLDER}"
        return Finding("FRR", False, value, "required", _ALL, _apt("frr"))
    said = _output(str(FRR_FOLDER / "zebra"), "--version")
    version = re.search(r"version (\S+)", said)
    value = f"{version.group(1) if version else 'version unknown'}: {', '.join(FRR_DAEMONS)}"
    return Finding("FRR", True, value, "required", _ALL)


def _package(name: str) -> Finding:
    mend = f"{shlex.quote(sys.executable)} -m pip install {shlex.quote(_asked(name))}"
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(f"Python package {name}", False, "not installed", "required", _ALL, mend)
    return Finding(f"Python package {name}", True, version, "required", _ALL)


def _asked(name: str) -> str:
    """What pip is asked for: the package in the versions that the lab's extra names."""
    try:
        asked = importlib.metadata.requires("mcastplan") or []
    except importlib.metadata.PackageNotFoundError:  # run from a checkout, not installed
        asked = []
    known = (each.partition(";")[0].strip() for each in asked)
    return next((each for each in known if re.match(rf"{name}\b", each, re.IGNORECASE)), name)


def _jit() -> Finding:
    """The sandbox does not see this: the kernel shows it to the first network namespace only."""
    costs, mend = "BIER and SR-P2MP forward several times slower", ""
    try:
        on = _JIT.read_text(encoding="ascii").strip() != "0"
        value = "on" if on else "off"
        mend = f"sh -c 'echo 1 >{_JIT}'"
    except OSError:
        on, value = False, "unknown: this kernel has none, or this is a container"
    return Finding("eBPF JIT", on, value, "optional", costs, mend)


def _capture() -> Finding:
    found = _which(_CAPTURE) is not None
    value = _CAPTURE if found else f"no {_CAPTURE}"
    return Finding("capture", found, value, "optional", "no --pcap", _apt("wireshark-common"))


def _memory() -> Finding:
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        text = ""
    found = re.search(r"MemAvailable:\s+(\d+) kB", text)
    free = int(found.group(1)) * 1024 if found else 0
    value = f"{free / 1e9:.1f} GB available" if free else "unknown"
    costs = f"28 routers take up to {MEMORY_BYTES / 1e9:g} GB; smaller networks less"
    return Finding("memory", free >= MEMORY_BYTES, value, "optional", costs)


def _cores() -> Finding:
    number = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    costs = "daemons and packets wait for each other; runs may be invalid"
    return Finding("processor cores", number >= CORES, str(number), "optional", costs)


# --- what is tried --------------------------------------------------------------------------------


def _tried(findings: Iterable[Finding]) -> tuple[dict[str, tuple[bool, str]], str]:
    """Trial -> whether it works and its text; nothing, and why, where no sandbox can be."""
    if any(each.what == "root" and not each.found for each in findings):
        return {}, _NOT_TRIED
    try:
        with Sandbox("mcastlab.trial:main", None, what="doctor") as sandbox:
            for _ in sandbox.events():
                pass
            result: Any = sandbox.result
    except (McastplanError, OSError) as error:
        return {}, str(error)
    return msgspec.convert(result, dict[str, tuple[bool, str]]), ""


def _namespaces(tried: dict[str, tuple[bool, str]], why: str) -> Finding:
    what = "namespaces (CAP_SYS_ADMIN)"
    return Finding(what, bool(tried), why, "required", _ALL)


def _feature(each: _Feature, tried: dict[str, tuple[bool, str]], why: str) -> Finding:
    if each.trial not in tried:
        untried = _NOT_TRIED if why == _NOT_TRIED else _UNTRIED_SANDBOX
        return Finding(each.what, False, untried, each.needed, each.costs)
    found, value = tried[each.trial]
    if not found and each.option:
        value = f"{value} (kernel: {each.option})"
    return Finding(each.what, found, value, each.needed, each.costs)


def _rate(tried: dict[str, tuple[bool, str]]) -> float | None:
    found, value = tried.get("rate", (False, ""))
    return float(value) if found else None


def _carries(rate: float | None, why: str) -> Finding:
    what, costs = "packets per second", "lower --rate-scale, or rates are not reached"
    if rate is None:
        return Finding(what, False, why or "not measured", "optional", costs)
    value = f"{rate:,.0f}: one sender over two hops, one core, no eBPF"
    return Finding(what, rate >= PACKETS_PER_S, value, "optional", costs)


# --- how to mend it -------------------------------------------------------------------------------


def _apt(package: str) -> str:
    if _which("apt-get") is None:
        return ""
    return f"apt-get install -y --no-install-recommends {package}"


def _mend(findings: Collection[Finding]) -> str:
    """The mends of all that lacks as one command; packages of one installer in one call."""
    calls: dict[str, list[str]] = {}
    if any(not each.found and each.mend.startswith("apt-get ") for each in findings):
        calls[_UPDATE] = []
    for each in findings:
        if not each.found and each.mend and each.what != "root":
            call, _, last = each.mend.rpartition(" ")
            names = calls.setdefault(call, [])
            if last not in names:
                names.append(last)
    sudo = "" if os.geteuid() == 0 else "sudo "
    return " && ".join(
        " ".join((f"{'' if ' pip ' in call else sudo}{call}", *names))
        for call, names in calls.items()
    )


def _which(name: str) -> str | None:
    return shutil.which(name, path=search_path())


def _output(*argv: str) -> str:
    """What a program says, empty if it cannot."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=VERSION_BUDGET_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
