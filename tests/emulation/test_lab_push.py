"""Whole labs through the command: every scheme brings every replica the same bytes over the arcs
that the planner names. Times depend on the machine and are only printed."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from mcastplan.model.measurement import Measurement
from tests.emulation.lab_command import (
    LEAST_BYTES,
    SEVERAL_RUNS_S,
    counted,
    lab_run,
    not_ready,
    wrong_bytes,
    wrong_tables,
)

APART = 0.10  # predictions that differ by more must be measured in the same order
SCHEMES = ["unicast", "ingress-replication", "pim-sm", "sr-p2mp", "bier"]

pytestmark = pytest.mark.timeout(SEVERAL_RUNS_S)


@pytest.fixture(scope="module")
def diamond(tmp_path_factory: pytest.TempPathFactory) -> Measurement:
    """All five schemes."""
    done = lab_run(tmp_path_factory.mktemp("diamond"), "builtin:lab-diamond", "--seconds", "3")
    assert (done.code, done.err) == (0, "")
    assert done.result is not None
    assert "no number is" in done.out  # the tables are printed beside the file
    return done.result


def test_every_replica_is_ready_under_every_scheme(diamond: Measurement) -> None:
    assert list(counted(diamond)) == SCHEMES
    assert not_ready(diamond) == []
    assert {len(run.measured.replicas) for run in diamond.runs} == {6}
    assert not diamond.interrupted


def test_tables_of_routers_are_the_planners(diamond: Measurement) -> None:
    assert wrong_tables(diamond) == []
    tables = {name: len(run.measured.tables) for name, run in counted(diamond).items()}
    assert all(tables[name] >= 4 for name in ("pim-sm", "sr-p2mp", "bier")), tables


def test_bytes_of_every_link_are_the_predicted_ones(diamond: Measurement) -> None:
    runs = counted(diamond).values()
    assert [each for run in runs for each in wrong_bytes(run)] == []
    assert diamond.lab.worst_link_error < 0.05
    for run in runs:
        heavy = [row for row in run.predicted.links if row.wire_bytes > LEAST_BYTES]
        assert len(heavy) == 7  # the origin, three clouds, A->B, A->C and B->D


def test_packets_are_dropped_at_the_binding_arc_and_nowhere_else(diamond: Measurement) -> None:
    for run in counted(diamond).values():
        if run.scheme != "unicast":
            assert run.predicted.binding_arc == "D->cloud:delft"
            assert run.predicted.overloaded == ("D->cloud:delft",)
            assert run.measured.binding == ("D->cloud:delft",), run.scheme


def test_schemes_end_in_the_predicted_order(diamond: Measurement) -> None:
    runs, compared = counted(diamond), 0
    for one, other in combinations(runs.values(), 2):
        said = (one.predicted.transfer_s or 0.0) - (other.predicted.transfer_s or 0.0)
        if abs(said) > APART * (other.predicted.transfer_s or 0.0):
            found = (one.measured.transfer_s or 0.0) - (other.measured.transfer_s or 0.0)
            assert found * said > 0, (one.scheme, other.scheme)
            compared += 1
    assert compared == 4  # two replicas behind one link pull for twice as long as one tree takes


def test_sr_and_bier_on_abilene(tmp_path: Path) -> None:
    """Twelve routers, eight clouds; loading is streamed."""
    options = ("--scheme", "sr-p2mp", "--scheme", "bier", "--seconds", "2")
    done = lab_run(tmp_path, "builtin:lab-abilene", *options)
    assert (done.code, done.err) == (0, "")
    assert done.result is not None
    runs = counted(done.result)
    assert list(runs) == ["sr-p2mp", "bier"]
    assert not_ready(done.result) == []
    assert wrong_tables(done.result) == []
    assert {len(run.measured.replicas) for run in runs.values()} == {16}
    assert [each for run in runs.values() for each in wrong_bytes(run)] == []


@pytest.mark.parametrize("kind", ["carrier", "silent"])
def test_a_pulled_cable(kind: str, tmp_path: Path) -> None:
    """B-D carries delft's copy; it fails and comes back while the push runs. Under BIER and PIM
    everybody ends with the same bytes, and who is behind B-D alone has an outage."""
    options = ["--scheme", "bier", "--scheme", "pim-sm", "--seconds", "3"]
    options += ["--fail", "B,D@40%", "--up", "2.5s", *(["--silent"] if kind == "silent" else [])]
    done = lab_run(tmp_path, "builtin:lab-diamond", *options)
    assert (done.code, done.err) == (0, "")
    assert done.result is not None
    assert list(counted(done.result)) == ["pim-sm", "bier"]
    assert not_ready(done.result) == []
    for run in done.result.runs:
        assert run.failure is not None
        assert (run.failure.kind, run.failure.links) == (kind, ("B--D",))
    for name, run in counted(done.result).items():
        outages = {(each.cloud, each.outage_s) for each in run.measured.replicas}
        assert {cloud for cloud, outage_s in outages if outage_s} == {"delft"}, (name, outages)
        assert all(outage_s is not None for _, outage_s in outages)
        assert run.measured.worst_outage_s == max(outage_s or 0.0 for _, outage_s in outages)
        assert run.measured.repaired_bytes > 0
        # Both ways round have carried what is for delft: the probe at least, since UFTP waits for
        # delft where the failure meets the end of a file. Nothing else but hellos is on D->C.
        carried = {(row.source, row.target): row.wire_bytes for row in run.measured.links}
        assert carried["B", "D"] > LEAST_BYTES
        assert carried["C", "D"] > 5 * carried["D", "C"]
