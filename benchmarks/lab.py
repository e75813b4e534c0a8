"""The lab beside the plan (as root): cold starts, failures, forwarding speed, start-up.

A run that does not count (a BFD session flapped, the machine was busy) is repeated by the lab, at
most twice; a third one that does not is a miss under that name. Stage constants of this machine
are the stored ones, or are measured first (about two minutes). Each part takes at most nine
minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from benchmarks import lab_forwarding, lab_judge, lab_replicate, lab_start
from benchmarks.budget import Report
from mcastlab import ask, doctor, job
from mcastlab.plans import Asked
from mcastplan.errors import EnvironmentLacksError
from mcastplan.model.measurement import Measurement
from mcastplan.scenario import load_scenario
from mcastplan.units import counted

SCHEMES = ("unicast", "ingress-replication", "pim-sm", "sr-p2mp", "bier")
MULTICAST = SCHEMES[1:]
# Receivers are behind these links under every scheme. What is in flight matters, not how much.
FAILS = {"lab-diamond": "B,D@40%", "lab-abilene": "DNVRng,KSCYng@40%"}
OUTAGE_TRANSFER_S = 2.0
# A part is over by then, and what was measured until then is judged.
PART_S = 520.0

Judge = Callable[[Measurement, Sequence[str], int], list[lab_judge.Line]]


def measure(report: Report, part: str, repeat: int) -> None:
    """One part: ``start``, ``forwarding``, ``fidelity-NETWORK``, ``outage-NETWORK-carrier`` or
    ``outage-NETWORK-silent``. Raises `EnvironmentLacksError` where the machine lacks something."""
    examined = doctor.examine()
    if not examined.fit:
        raise EnvironmentLacksError(doctor.refusal(examined))
    match part.split("-"):
        case ["start"]:
            lab_start.measure(report)
        case ["forwarding"]:
            lab_forwarding.measure(report)
            lab_replicate.measure(report)
        case ["fidelity", network]:
            _fidelity(report, f"lab-{network}", repeat)
        case ["outage", network, how]:
            _outage(report, f"lab-{network}", repeat, silent=how == "silent")


def _fidelity(report: Report, scenario: str, repeat: int) -> None:
    what = f"{scenario}, cold start"
    report.section(f"{what} measured beside predicted, median of {repeat}")
    asked = Asked(schemes=SCHEMES, repeat=repeat)  # as long as `lab run` makes it
    _judge(report, scenario, what, asked, lab_judge.fidelity)


def _outage(report: Report, scenario: str, repeat: int, *, silent: bool) -> None:
    link, _, share = FAILS[scenario].partition("@")
    what = f"{scenario}, {link} {'goes silent' if silent else 'loses its carrier'}"
    report.section(f"{what} at {share} of the transfer, median of {repeat}")
    asked = Asked(
        schemes=MULTICAST,
        links=(FAILS[scenario],),
        silent=silent,
        repeat=repeat,
        seconds=OUTAGE_TRANSFER_S,
    )
    _judge(report, scenario, what, asked, lab_judge.outage)


def _judge(report: Report, scenario: str, what: str, asked: Asked, judge: Judge) -> None:
    """One lab, all schemes."""
    watch = _Watch(report, time.monotonic() + PART_S)
    loaded = load_scenario(f"builtin:{scenario}")
    try:
        result = ask.measure(loaded, asked, watch)
    except KeyboardInterrupt:
        if not watch.late:
            raise
        report.failed(what, f"not up within {PART_S:.0f} s")
        return
    except Exception as error:  # a lab's defect, too, is a line
        first, *more = f"{type(error).__name__}: {error}".splitlines()
        report.failed(what, first)
        for text in more:
            report.note(text)
        return
    watch.told()
    report.note(
        f"calibration of {result.calibration.date}; shaped rates within"
        f" {100 * result.lab.worst_link_error:.1f} %"
    )
    for line in judge(result, asked.schemes, asked.repeat):
        _show(report, what, line)
    if watch.late:
        report.note(f"ended after {PART_S:.0f} s")
    elif result.interrupted:
        raise KeyboardInterrupt


def _show(report: Report, what: str, line: lab_judge.Line) -> None:
    """One budget, and after a miss what was measured."""
    if line.why is not None:
        report.failed(line.what, line.why)
    else:
        report.line(line.what, line.measured, line.budget, line.unit, line.kind)
    if not line.met:
        report.missed[-1] = f"{what}: {line.what}"  # the same names are in every section
        for text in line.details:
            report.note(f"  {text}")


class _Watch:
    """Says after each scheme how its runs went, and ends the lab when time is up."""

    def __init__(self, report: Report, end_s: float) -> None:
        self.late = False
        self._report, self._end_s = report, end_s
        self._scheme, self._runs, self._lost = "", 0, 0
        self._from_s = self._until_s = time.monotonic()

    def __call__(self, event: job.Event) -> None:
        if isinstance(event, job.Up):
            self._from_s = time.monotonic()
        elif isinstance(event, job.Ran):
            if event.push.scheme != self._scheme:
                self.told()
                self._scheme = event.push.scheme
            self._runs += 1
            self._lost += bool(event.invalid)
            self._until_s = time.monotonic()
        if time.monotonic() > self._end_s:
            self.late = True
            raise KeyboardInterrupt  # which gets what was measured so far

    def told(self) -> None:
        """The scheme so far is over."""
        if not self._runs:
            return
        took = f"{counted(self._runs, 'run')} in {self._until_s - self._from_s:.0f} s"
        lost = f"; {self._lost} did not count" if self._lost else ""
        self._report.note(f"{self._scheme}: {took}{lost}")
        self._runs, self._lost, self._from_s = 0, 0, self._until_s
