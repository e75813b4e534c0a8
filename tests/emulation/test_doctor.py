"""`mcastplan lab doctor`: what is there is found, what is not is named, with its cost and mend."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from mcastlab import doctor, sandbox
from mcastlab.doctor import Examined, Finding
from tests.emulation.host import host
from tests.emulation.sandboxed import ROOT


def found(examined: Examined) -> dict[str, Finding]:
    return {each.what: each for each in examined.findings}


@pytest.mark.usefixtures("lab")
def test_this_machine_is_fit_and_stays_as_it_is() -> None:
    before = host()
    examined = doctor.examine()
    assert host() == before
    assert examined.fit
    assert doctor.lacking(examined.findings) == ()
    assert (examined.packets_per_s or 0) > 1000
    rows = found(examined)
    assert rows["root"].found
    assert rows["FRR"].value.endswith("zebra, ospfd, ospf6d, pimd, bfdd")
    assert rows["netem"].found == examined.netem
    assert all(each.costs for each in examined.findings)
    assert msgspec.json.decode(msgspec.json.encode(examined), type=Examined) == examined


@pytest.mark.usefixtures("lab")
def test_a_missing_program_is_found_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    which = doctor._which
    absent = {"uftp", "clang", "bpftool", "dumpcap"}
    monkeypatch.setattr(doctor, "_which", lambda name: None if name in absent else which(name))
    examined = doctor.examine()
    assert not examined.fit
    assert {each.what for each in doctor.lacking(examined.findings)} == {
        *("UFTP", "clang", "bpftool"),
    }
    assert found(examined)["UFTP"].value == "no uftp"
    assert not found(examined)["capture"].found
    needed = "apt-get update && apt-get install -y --no-install-recommends uftp clang bpftool"
    assert examined.mend == f"{needed} wireshark-common"
    assert doctor.refusal(examined) == (  # nothing that a lab can do without
        "this machine lacks UFTP (no uftp); clang (no clang); bpftool (no bpftool); mend it with:"
        f" {needed}; `mcastplan lab doctor` says what each is for"
    )


@pytest.mark.usefixtures("lab")
def test_a_missing_package_and_a_missing_frr(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    version = importlib.metadata.version

    def lacks(name: str) -> str:
        if name in ("mininet", "jinja2"):
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", lacks)
    monkeypatch.setattr(doctor, "FRR_FOLDER", tmp_path)
    examined = doctor.examine()
    lacking = {each.what: each.value for each in doctor.lacking(examined.findings)}
    assert lacking == {
        "FRR": f"no zebra, no ospfd, no ospf6d, no pimd, no bfdd in {tmp_path}",
        "Python package mininet": "not installed",
        "Python package jinja2": "not installed",
    }
    assert examined.mend == (
        "apt-get update && apt-get install -y --no-install-recommends frr &&"
        f" {sys.executable} -m pip install 'mininet<3,>=2.3.0.dev6' 'jinja2>=3.1'"
    )


@pytest.mark.usefixtures("lab")
def test_a_kernel_that_gives_no_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = ("sh", "-c", "echo unshare failed: Operation not permitted >&2; exit 1")
    monkeypatch.setattr(sandbox, "NAMESPACES", refused)
    examined = doctor.examine()
    rows = found(examined)
    assert rows["namespaces (CAP_SYS_ADMIN)"].value == (
        "the kernel gives no new namespaces here: unshare failed: Operation not permitted"
    )
    assert rows["VXLAN"].value == "not tried: no namespaces"
    assert (examined.fit, examined.packets_per_s) == (False, None)


def test_without_root_it_says_so_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    examined = doctor.examine()
    rows = found(examined)
    assert (examined.fit, rows["root"].found, rows["root"].value) == (False, False, "user id 1000")
    assert rows["root"].mend == f"sudo {sys.executable} -m mcastplan lab doctor"
    assert rows["VXLAN"].value == rows["packets per second"].value == "not tried: needs root"
    assert "root (user id 1000)" in doctor.refusal(examined)


def test_a_module_that_is_not_installed_costs_no_traceback() -> None:
    """As on a machine with the planner alone: nothing of the lab's extra can be imported."""
    script = (
        "import sys\n"
        "for name in ('mininet', 'pyroute2', 'jinja2', 'numpy', 'safetensors'):\n"
        "    sys.modules[name] = None\n"
        "from mcastlab import doctor, record, sandbox\n"
        "assert doctor.examine().findings\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_mending_as_a_user_goes_through_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        Finding("A", False, "", "required", "x", "apt-get install -y a"),
        Finding("B", False, "", "optional", "x", "apt-get install -y b"),
        Finding("C", False, "", "required", "x", "python -m pip install c"),
        Finding("D", False, "", "required", "x"),
        Finding("E", True, "", "required", "x", "apt-get install -y e"),
    ]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert doctor._mend(rows) == (
        "sudo apt-get update && sudo apt-get install -y a b && python -m pip install c"
    )
    assert [each.what for each in doctor.lacking(rows)] == ["A", "C", "D"]
