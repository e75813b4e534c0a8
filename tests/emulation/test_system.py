"""`make system` installs programs and starts no service: tried with stand-ins, in a sandbox."""

from __future__ import annotations

from tests.emulation.sandboxed import in_sandbox

SYSTEM = "system_jobs:system"


def test_packages_come_while_services_may_not_start() -> None:
    out = in_sandbox(SYSTEM, None, False, False)
    assert (out["code"], out["stderr"], out["policy"]) == (0, "", None)
    calls = [line for line in out["said"] if line.startswith("apt-get install")]
    assert {call.split()[-1] for call in calls} >= {
        *("frr", "mininet", "uftp", "clang", "bpftool", "libbpf-dev", "tshark", "chromium"),
    }
    assert all("--no-install-recommends" in call for call in calls)
    said = out["said"]
    assert {said[said.index(call) + 1] for call in calls} == {"policy 101"}
    for service in ("frr", "uftp"):
        assert f"service {service} stop" in said
        assert f"update-rc.d {service} disable" in said


def test_an_answer_that_was_there_stays() -> None:
    foreign = "#!/bin/sh\nexit 104\n"
    out = in_sandbox(SYSTEM, foreign, False, False)
    assert out["policy"] == foreign
    assert "policy 104" in out["said"] and "policy 101" not in out["said"]
    assert "service frr stop" in out["said"]  # which may have started it


def test_ours_from_a_run_that_was_killed_is_taken_away() -> None:
    assert in_sandbox(SYSTEM, None, True, False)["policy"] is None


def test_a_run_that_is_killed_takes_its_answer_along() -> None:
    out = in_sandbox(SYSTEM, None, False, True)
    assert (out["code"], out["policy"]) == (143, None)
    assert out["said"] == ["apt-get update -qq", "policy 101"]
