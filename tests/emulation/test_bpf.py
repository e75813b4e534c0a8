"""Loading, attaching and maps, against a program of the test's own."""

from __future__ import annotations

from tests.emulation.sandboxed import in_sandbox


def test_maps(lab: None) -> None:
    out = in_sandbox("bpf_jobs:maps")
    assert out["items"] == [["01000000", "12345678"], ["02000000", "abcdefgh"]]
    assert out["deleted"] == [True, False]
    assert out["gone"] is None
    assert out["number"] == "wxyz"
    assert out["cpus"] == ["0500000000000000"] * out["possible"]
    assert out["sum"] == 5 * out["possible"]
    assert out["child"] == "of child"


def test_programs_come_and_leave_nothing(lab: None) -> None:
    """Filters on ingress, on egress, and clsact, after each step."""
    out = in_sandbox("bpf_jobs:attached")
    coming = [[0, 0, 0], [1, 0, 1], [1, 0, 1], [2, 0, 1], [2, 1, 1]]
    leaving = [[1, 1, 1], [0, 1, 1], [0, 0, 0]]
    assert out["steps"] == coming + leaving
    assert out["pins"] == []


def test_what_fails_is_said_in_one_line(lab: None) -> None:
    said = in_sandbox("bpf_jobs:refusals")
    assert said.pop("left of wild") == "False"
    assert all("\n" not in line for line in said.values())
    starts = {
        "compile": "cannot compile broken.bpf.c: ",
        "verify": "cannot load wild.bpf.o at /run/bpf/wild: prog 'wild': BPF program load failed: ",
        "twice": "cannot load three.bpf.o: something is pinned at /run/bpf/bpf-test",
        "no map": "cannot open BPF pin /run/bpf/bpf-test/m/nothing: No such file or directory",
        "full": "cannot write to BPF map /run/bpf/bpf-test/m/table: Argument list too long",
        "port": 'cannot attach count to r1 e9 ingress: Cannot find device "e9"',
        "not there": "cannot detach priority 1 from r1 lo ingress: ",
    }
    assert said.keys() == starts.keys()
    for name, start in starts.items():
        assert said[name].startswith(start), said[name]
    assert "nothing" in said["compile"]
