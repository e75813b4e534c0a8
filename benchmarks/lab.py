"""The lab beside the plan (as root): cold starts, failures, forwarding speed, start-up.

A run that does not count (a BFD session flapped, the machine was busy) is repeated by the lab, at
most twice; a third one that does not is a miss under that name. Stage constants of this machine
are the stored ones, or are measured first (about a minute). Each part takes at most nine minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks import lab_forwarding, lab_judge, lab_replicate, lab_start
from benchmarks.budget import Report
from mcastlab import ask, doctor, job
from mcastplan.errors import EnvironmentLacksError
from mcastplan.model.measurement import Measurement
from mcastplan.scenario import load_scenario
from mcastplan.units import counted

SCHEMES = ("unicast", "ingress-replication", "pim-sm", "sr-p2mp", "bier")
MULTICAST = SCHEMES[1:]
# Transfer of the slowest scheme: long beside what UFTP does between files.
FIDELITY_S = {"lab-diamond": 6.0, "lab-abilene": 8.0}
# Receivers are behind these links under every scheme. What is in flight matters, not how much.
FAILS = {"lab-diamond": "B,D@40%", "lab-abilene": "DNVRng,KSCYng@40%"}
OUTAGE_TRANSFER_S = 2.0
# One scenario of one part. What was measured until then is judged.
PART_S = 520.0

Judge = Callable[[Measurement, ask.Asked], list[lab_judge.Line]]


def measure(report: Report, part: str, repeat: int) -> None:
    """One part: fidelity, outage (each ``-diamond`` or ``-abilene``), forwarding or start. Raises
    `EnvironmentLacksError` where the machine lacks something."""
    examined = doctor.examine()
    if not examined.fit:
        raise EnvironmentLacksError(doctor.refusal(examined))
    kind, _, network = part.partition("-")
    scenario = f"lab-{network}"
    if kind == "fidelity":
        _fidelity(report, scenario, repeat)
    elif kind == "outage":
        _outage(report, scenario, repeat)
    elif kind == "forwarding":
        lab_forwarding.measure(report)
        lab_replicate.measure(report)
    else:
        lab_start.measure(report)


def _fidelity(report: Report, scenario: str, repeat: int) -> None:
    report.section(f"{scenario}: cold start, measured beside predicted, median of {repeat}")
    asked = ask.Asked(schemes=SCHEMES, repeat=repeat, seconds=FIDELITY_S[scenario])
    _judge(report, scenario, "cold start", asked, lab_judge.fidelity, time.monotonic() + PART_S)


def _outage(report: Report, scenario: str, repeat: int) -> None:
    fails, end_s = FAILS[scenario], time.monotonic() + PART_S
    for silent, how in ((False, "loses its carrier"), (True, "goes silent")):
        link, _, share = fails.partition("@")
        report.section(f"{scenario}: {link} {how} at {share} of the transfer, median of {repeat}")
        asked = ask.Asked(
            schemes=MULTICAST,
            links=(fails,),
            silent=silent,
            repeat=repeat,
            seconds=OUTAGE_TRANSFER_S,
        )
        _judge(report, scenario, how, asked, lab_judge.outage, end_s)


def _judge(
    report: Report, scenario: str, what: str, asked: ask.Asked, judge: Judge, end_s: float
) -> None:
    """One lab, all schemes."""
    what = f"{scenario}, {what}"
    watch = _Watch(report, end_s)
    loaded = load_scenario(f"builtin:{scenario}")
    try:
        result = ask.measure(loaded, asked, watch)
    except Exception as error:  # the other failure can still be measured
        report.failed(what, f"{type(error).__name__}: {str(error).splitlines()[0]}")
        for text in str(error).splitlines()[1:]:
            report.note(text)
        return
    watch.told()
    report.note(
        f"calibration of {result.calibration.date}; shaped rates within"
        f" {100 * result.lab.worst_link_error:.1f} %"
    )
    for line in judge(result, asked):
        show(report, line)
    if watch.late:
        report.note(f"ended after {PART_S:.0f} s")
    elif result.interrupted:
        raise KeyboardInterrupt


def show(report: Report, line: lab_judge.Line) -> None:
    """One budget, and after a miss what was measured."""
    if line.why is not None:
        report.failed(line.what, line.why)
    else:
        report.line(line.what, line.measured, line.budget, line.unit, line.kind)
    if not line.met:
        for text in line.details:
            report.note(f"  {text}")


class _Watch:
    """Says after each scheme how its runs went, and ends the lab when time is up."""

    def __init__(self, report: Report, end_s: float) -> None:
        self.late = False
        self._report, self._end_s = report, end_s
        self._scheme, self._runs = "", 0
        self._invalid: list[str] = []
        self._from_s = self._until_s = time.monotonic()

    def __call__(self, event: job.Event) -> None:
        if isinstance(event, job.Up):
            self._from_s = time.monotonic()
        elif isinstance(event, job.Ran):
            if event.push.scheme != self._scheme:
                self.told()
                self._scheme = event.push.scheme
            self._runs += 1
            self._invalid += event.invalid
            self._until_s = time.monotonic()
        if time.monotonic() > self._end_s:
            self.late = True
            raise KeyboardInterrupt  # which gets what was measured so far

    def told(self) -> None:
        """The scheme so far is over."""
        if not self._runs:
            return
        took = f"{counted(self._runs, 'run')} in {self._until_s - self._from_s:.0f} s"
        lost = f"; did not count: {'; '.join(self._invalid)}" if self._invalid else ""
        self._report.note(f"{self._scheme}: {took}{lost}")
        self._runs, self._from_s = 0, self._until_s
        self._invalid.clear()
