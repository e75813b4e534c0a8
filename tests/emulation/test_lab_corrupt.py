"""A file that is not what its hash says is reported, and no replica that has it is ready."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.emulation.lab_command import SEVERAL_RUNS_S, counted, lab_run
from tests.emulation.sandboxed import ROOT

pytestmark = pytest.mark.timeout(SEVERAL_RUNS_S)


def test_a_corrupted_file_is_reported_and_never_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = (sys.executable, "-m", "tests.emulation.corrupt_jobs")
    options = ("--scheme", "unicast", "--scheme", "bier", "--seconds", "1")
    done = lab_run(tmp_path, "builtin:lab-diamond", *options, command=command)
    assert (done.code, done.err) == (1, "")
    assert done.result is not None
    assert list(counted(done.result)) == ["unicast", "bier"]
    for run in done.result.runs:
        assert run.measured.ready_s is None
        for each in run.measured.replicas:
            assert (each.status, each.ready_s) == ("corrupt", None), run.scheme
            assert each.why is not None
            assert each.why.startswith("model-00002-of-0000"), each.why
    assert "corrupt" in done.out or "hash is wrong" in done.out
