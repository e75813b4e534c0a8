"""The sandbox: what is inside stays inside, and nothing of it outlives its command."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcastlab import record
from mcastlab import sandbox as sandbox_module
from mcastlab.errors import LabError
from mcastlab.sandbox import Sandbox, SandboxError
from mcastplan.errors import UsageError
from tests.emulation.host import Host, Outer, host, marked, outer, wait_until
from tests.emulation.sandboxed import ROOT, in_sandbox

pytestmark = pytest.mark.usefixtures("lab")


@pytest.fixture
def untouched(lab: None) -> Iterator[None]:
    """The host is after the test what it was before it."""
    before = host()
    yield
    after: list[Host] = []

    def same() -> bool:
        after.append(host())
        return after[-1] == before

    with contextlib.suppress(AssertionError):
        wait_until(same, "")
    assert after[-1] == before


def sandbox(function: str, *args: object) -> Sandbox:
    job = {"function": function, "args": args}
    return Sandbox("tests.emulation.sandboxed:call", job, what="test", path=(ROOT,))


def own_records() -> list[record.Record]:
    return [each for each in record.records() if each.owner.pid == os.getpid()]


@pytest.mark.usefixtures("untouched")
class TestInside:
    def test_a_value_comes_back_as_it_went(self) -> None:
        value = {"text": "naïve \n line", "list": [1, 2.5, None, True], "unshaped": float("inf")}
        assert in_sandbox("sandbox_jobs:echo", value) == value

    def test_a_job_larger_than_any_pipe(self) -> None:
        value = ["x" * 1000] * 5000
        assert in_sandbox("sandbox_jobs:echo", value) == value

    def test_only_its_own_is_seen(self) -> None:
        before = time.monotonic_ns()
        seen = in_sandbox("sandbox_jobs:view")
        assert len(seen["links"]) == 1 and "lo: <LOOPBACK,UP" in seen["links"][0]
        assert seen["interfaces"] == ["lo"]
        assert seen["run"] == ["bpf", "frr", "lock", "mcastlab", "netns"]
        assert (seen["pins"], seen["netns"], seen["frr"]) == ([], "", [])
        assert (seen["parent"], seen["stdin"]) == (1, True)
        assert len(seen["processes"]) == 2  # PID 1 and the engine
        assert seen["temporary"] == "/run/mcastlab/tmp"
        assert before < seen["now_ns"] < time.monotonic_ns()  # one clock

    def test_carelessness_stays_inside(self) -> None:
        name, logs = socket.gethostname(), Path("/var/tmp/frr/zebra.1").exists()
        in_sandbox("sandbox_jobs:write_around")
        assert socket.gethostname() == name
        assert Path("/var/tmp/frr/zebra.1").exists() == logs
        for folder in ("/run", "/run/frr", "/var/tmp", "/etc/frr"):
            assert not (Path(folder) / "left-by-a-test").exists()

    def test_files_of_the_user_under_var_tmp_stay_reachable(self) -> None:
        """A capture folder may be there."""
        folder = Path("/var/tmp") / f"mcastplan-test-{os.getpid()}"
        folder.mkdir()
        try:
            (folder / "given").write_text("outside")
            assert in_sandbox("sandbox_jobs:read_var_tmp", folder.name) == "outside"
            assert (folder / "written").read_text() == "inside"
        finally:
            shutil.rmtree(folder)

    def test_orphans_are_reaped(self) -> None:
        assert in_sandbox("sandbox_jobs:orphans", 40) == 0


@pytest.mark.usefixtures("untouched")
class TestEnds:
    """However it ends: no process, no record, a word that says why."""

    def test_a_function_that_returns_takes_its_daemons_with_it(self) -> None:
        with outer("sandbox_jobs:leave_daemons") as lab:
            lab.read("end")
            assert lab.process.wait(30) == 0
            assert marked(lab.mark) == []  # not in a while: stop() has waited
            assert lab.records == []

    @pytest.mark.parametrize(
        ("kind", "error"), [("lab", LabError), ("usage", UsageError), ("defect", SandboxError)]
    )
    def test_errors_come_out_as_what_they_are(self, kind: str, error: type[Exception]) -> None:
        with pytest.raises(error, match=f"a {kind} error") as caught:
            in_sandbox("sandbox_jobs:fail", kind)
        assert ("Traceback" in str(caught.value)) == (kind == "defect")
        assert own_records() == []

    def test_a_result_that_is_not_json_is_a_defect(self) -> None:
        with pytest.raises(SandboxError, match="TypeError"):
            in_sandbox("sandbox_jobs:no_json")

    def test_an_engine_that_is_killed_says_by_what(self) -> None:
        with pytest.raises(LabError, match=r"ended by SIGKILL: is the machine out of memory\?"):
            in_sandbox("sandbox_jobs:end_oneself", signal.SIGKILL)
        with pytest.raises(LabError, match="ended by SIGSEGV"):
            in_sandbox("sandbox_jobs:end_oneself", signal.SIGSEGV)

    def test_events_in_order_whatever_else_is_printed(self) -> None:
        with sandbox("sandbox_jobs:events", 500) as lab:
            seen = list(lab.events())
            assert lab.result == 500
        assert [event.data["index"] for event in seen] == list(range(500))
        stamps = [event.at_ns for event in seen]
        assert stamps == sorted(stamps)
        assert set(lab.stderr) == {"noise on standard output", "noise on standard error"}

    def test_an_error_outside_ends_the_inside(self) -> None:
        with pytest.raises(ZeroDivisionError), sandbox("sandbox_jobs:deaf") as lab:
            first = next(lab.events())
            assert first.kind == "ready"
            assert [each.what for each in own_records()] == ["test"]
            assert [each.pid for each in own_records()[0].processes] == list(lab.pids)
            pids = lab.pids
            raise ZeroDivisionError
        assert [record.process(pid) for pid in pids] == [None, None]
        assert own_records() == []

    def test_the_end_of_its_input_is_enough(self) -> None:
        """Without any signal: as when this process dies before the kernel was told to tell."""
        with sandbox("sandbox_jobs:deaf") as lab:
            next(lab.events())
            child = lab._child
            assert child is not None and child.stdin is not None
            child.stdin.close()
            assert child.wait(30) == 0
            assert record.process(lab.pids[1]) is None

    @pytest.mark.parametrize("victim", ["unshare", "init"])
    def test_either_process_outside_may_be_killed(self, victim: str) -> None:
        with outer("sandbox_jobs:deaf") as lab:
            lab.read("ready")
            os.kill(lab.pids[victim], signal.SIGKILL)
            message = lab.read("lab-error")["message"]
            assert message.startswith("the lab ended without a result")
            assert lab.process.wait(30) == 3
            assert (marked(lab.mark), lab.records) == ([], [])

    def test_a_polite_signal_to_the_first_process_is_enough(self) -> None:
        with outer("sandbox_jobs:deaf") as lab:
            lab.read("ready")
            os.kill(lab.pids["init"], signal.SIGTERM)
            assert lab.read("lab-error")
            assert lab.process.wait(30) == 3

    @pytest.mark.parametrize(
        ("number", "code", "ignored"),
        [
            (signal.SIGINT, 130, ()),
            (signal.SIGTERM, 143, ()),
            (signal.SIGHUP, 129, ()),
            (signal.SIGINT, 130, (signal.SIGINT,)),  # a script's `command &`
            (signal.SIGTERM, 143, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)),
        ],
    )
    def test_signals_to_the_whole_group_leave_nothing(
        self, number: int, code: int, ignored: tuple[int, ...]
    ) -> None:
        """As the terminal sends Ctrl-C and its own end; also where they were ignored before."""
        with outer("sandbox_jobs:messy", "group", 2, True, ignored=ignored) as lab:
            lab.read("ready")
            os.killpg(lab.process.pid, number)
            assert lab.process.wait(30) == code
            assert (marked(lab.mark), lab.records) == ([], [])

    def test_under_nohup_the_end_of_the_terminal_is_not_its_own(self) -> None:
        """Else it would end by SIGHUP, which comes first, with 129."""
        with outer("sandbox_jobs:messy", "nohup", 2, True, ignored=(signal.SIGHUP,)) as lab:
            lab.read("ready")
            os.killpg(lab.process.pid, signal.SIGHUP)
            os.killpg(lab.process.pid, signal.SIGTERM)
            assert lab.process.wait(30) == 143
            assert (marked(lab.mark), lab.records) == ([], [])

    def test_impatience_does_no_harm(self) -> None:
        """Ctrl-C again and again, also while the sandbox is taken down."""
        with outer("sandbox_jobs:messy", "impatient", 2, True) as lab:
            lab.read("ready")
            while lab.process.poll() is None:
                os.killpg(lab.process.pid, signal.SIGINT)
                time.sleep(0.001)
            assert lab.process.returncode in (130, -signal.SIGINT)  # after it had cleaned up
            assert (marked(lab.mark), lab.records) == ([], [])

    def test_kill_9_of_the_command(self) -> None:
        with outer("sandbox_jobs:messy", "killed", 2, True) as lab:
            lab.read("ready")
            assert len(marked(lab.mark)) >= 6
            lab.process.kill()
            lab.gone()
            assert lab.records != []  # nobody could remove it: that is what `clean` is for
            record.clean()
            assert lab.records == []

    def test_kill_9_at_once(self) -> None:
        """Before or while the namespaces are made."""
        for _ in range(5):
            lab = Outer("sandbox_jobs:deaf")
            wait_until(lambda lab=lab: bool(lab.records), "no record")  # type: ignore[misc]
            lab.process.kill()
            lab.gone()
            assert lab.process.stdout is not None
            lab.process.stdout.close()
        record.clean()


def test_a_machine_without_namespaces_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = ("sh", "-c", "echo unshare: unshare failed: Operation not permitted >&2; exit 1")
    monkeypatch.setattr(sandbox_module, "NAMESPACES", refused)
    with pytest.raises(LabError) as caught:
        in_sandbox("sandbox_jobs:echo", 1)
    assert str(caught.value) == (
        "the kernel gives no new namespaces here: unshare: unshare failed: Operation not permitted"
    )
    assert own_records() == []


def test_inside_refuses_the_host() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mcastlab.inside", "os:getpid"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (70, "")
