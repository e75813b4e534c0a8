"""One push under one scheme: set it up, find its rate, push, fail a link, measure.

The clock of a push has two parts. Before it, `open` asks for the scheme's state and a probe waits
until it reaches every replica: that is the set-up. Then trains find the highest rate without loss,
which takes seconds that no push would wait for and that do not count. Then all replicas request
the model at once, and times go on from the end of the set-up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeVar

from mcastlab import counters, reach, trains
from mcastlab.cpu import Cpu
from mcastlab.errors import LabError
from mcastlab.faults import Faults
from mcastlab.job import Doing, Event, Progress
from mcastlab.job import Push as Asked
from mcastlab.probe import Probe
from mcastlab.pull import Server
from mcastlab.replica import Replica, watch
from mcastlab.rows import arc_name, replica_row, worst_outage_s
from mcastlab.schemes import Lab, LabScheme
from mcastlab.shards import Manifest
from mcastlab.tap import Source, Tap
from mcastlab.uftp import Session
from mcastplan.converge.transport import UFTP_RATE_SHARE
from mcastplan.lab.control import watched_s
from mcastplan.lab.predict import OVERLOAD
from mcastplan.lab.spec import LabPush
from mcastplan.model.measurement import Measured

CONVERGED_BUDGET_S = 30.0
ANNOUNCED_BUDGET_S = 30.0
POLL_S = 0.02
TELL_S = 0.25
BUSY = 0.8  # share of all cores above which a run does not count
NANO = 1e9

Tell = Callable[[Event], None]


class _Part(Protocol):
    def close(self) -> None: ...


P = TypeVar("P", bound=_Part)


def one_run(
    lab: Lab,
    scheme: LabScheme,
    push: LabPush,
    folder: Path,
    manifest: Manifest,
    asked: Asked,
    push_s: float,
    tell: Tell,
) -> tuple[tuple[str, ...], Measured]:
    """Why it does not count (nothing if it does), and what was measured."""
    with _running(_Run(lab, scheme, push, folder, manifest, asked, tell)) as run:
        return run.measure(push_s)


def announced(
    lab: Lab, scheme: LabScheme, push: LabPush, folder: Path, manifest: Manifest, asked: Asked
) -> float:
    """Seconds from the request to the first byte at a replica, with the push's state in place.

    Raises `LabError` where none comes."""
    with _running(_Run(lab, scheme, push, folder, manifest, asked, lambda event: None)) as run:
        run.measure(ANNOUNCED_BUDGET_S)
        if run.announced_s is None:
            raise LabError(
                f"{scheme.name} {push.transfer}: no byte of it came within {ANNOUNCED_BUDGET_S:g} s"
            )
        return run.announced_s


@contextmanager
def _running(run: _Run) -> Iterator[_Run]:
    """Closes it; what went wrong before that is what is told."""
    try:
        yield run
    except BaseException:
        with suppress(LabError):
            run.close()
        raise
    run.close()


class _Run:
    """The parts of one push; `close` takes all of them away whatever happened."""

    def __init__(
        self,
        lab: Lab,
        scheme: LabScheme,
        push: LabPush,
        folder: Path,
        manifest: Manifest,
        asked: Asked,
        tell: Tell,
    ) -> None:
        self._lab, self._scheme, self._push, self._asked = lab, scheme, push, asked
        self._folder, self._manifest, self._tell = folder, manifest, tell
        self._unicast = scheme.name == "unicast"
        self._closers: list[Callable[[], None]] = []
        self._session: Session | None = None
        self._server: Server | None = None
        self._told_s = 0.0
        self.announced_s: float | None = None  # from the request to the first byte

    def _make(self) -> None:
        """The parts, and each replica ready to be told to begin."""
        lab, network, push = self._lab, self._lab.network, self._push
        replicas = [each for site in lab.spec.receiving(push) for each in site.replicas]
        self._taps = [self._kept(Tap(network, each)) for each in replicas]
        self._source = self._kept(Source(network, push.origin))
        # Forked before anything is big: every worker is a copy of this process.
        self._probe = self._kept(Probe(network, push, self._taps, self._unicast))
        self._replicas = [
            self._kept(
                Replica(
                    network,
                    push,
                    each,
                    self._manifest,
                    lab.run_dir / "received" / each.host,
                    transport="http" if self._unicast else "uftp",
                    tap=tap,
                )
            )
            for each, tap in zip(replicas, self._taps, strict=True)
        ]
        self._faults = self._kept(Faults(network, lab.spec))
        for replica in self._replicas:
            replica.start()
        for replica in self._replicas:
            replica.wait_prepared()

    def _kept(self, part: P) -> P:
        self._closers.append(part.close)
        return part

    def close(self) -> None:
        """Everything is gone, even where a part fails to go; the first failure is raised."""
        failed: Exception | None = None
        for closer in reversed(self._closers):
            try:
                closer()
            except LabError as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def measure(self, push_s: float) -> tuple[tuple[str, ...], Measured]:
        # A link that failed in the push before may still be on its way back.
        self._lab.frr.wait_converged(CONVERGED_BUDGET_S)
        self._make()
        setup_s = self._set_up()
        probe_bps, sent_bps, binding = self._rate()
        # Whatever the scheme's state needed for its data is there by now: what it says is checked.
        tables = self._scheme.tables(self._push)
        for counter in (*self._taps, self._source):
            counter.reset()
        if self._asked.fault is not None:
            self._faults.prepare(self._asked.fault.links, self._asked.fault.silent)
            self._probe.start()
            reach.wait_probed(self._scheme, self._push, self._probe)
        cpu, flaps, drops = Cpu(), self._flaps(), self._scheme.drops()
        before = counters.read(self._lab.network)
        begin_ns = self._begin()
        self._follow(cpu, begin_ns, setup_s, push_s)
        cpu.end()
        after = counters.read(self._lab.network)
        outages = self._probe.stop() if self._asked.fault is not None else {}
        flaps = self._flaps() - flaps
        # PIM's counts are of the entries that there are now.
        drops = {why: max(0, n - drops.get(why, 0)) for why, n in self._scheme.drops().items()}
        rows = tuple(replica_row(each, begin_ns, setup_s, outages) for each in self._replicas)
        first_ns = [each.first_byte_ns for each in self._replicas if each.first_byte_ns]
        last_ns = [each.last_byte_ns for each in self._replicas]
        ready_s = [row.ready_s for row in rows if row.ready_s is not None]
        whole = len(ready_s) == len(rows)
        if first_ns:
            self.announced_s = (min(first_ns) - begin_ns) / NANO
        measured = Measured(
            setup_s=setup_s + (self.announced_s or 0.0),
            probe_bps=probe_bps,
            sent_bps=sent_bps,
            binding=binding,
            transfer_s=(max(each for each in last_ns if each) - min(first_ns)) / NANO
            if all(last_ns) and first_ns
            else None,
            ready_s=max(ready_s) if whole else None,
            worst_outage_s=worst_outage_s(rows),
            repaired_bytes=float(self._repaired()),
            cpu=cpu.busiest,
            bfd_flaps=flaps,
            replicas=rows,
            links=counters.arcs(self._lab.spec, self._push, before, after),
            tables=tables,
            drops=drops,
        )
        return self._invalid(cpu, flaps), measured

    def _set_up(self) -> float:
        """Seconds from asking for the push's state until a probe has reached every replica."""
        self._say("setting up")
        for counter in (*self._taps, self._source):
            counter.reset()
        # Last of all to go: while a replica's uftpd runs, the replica is a member of the group.
        self._closers.insert(0, self._close_scheme)
        setup_s = max(reach.set_up(self._scheme, self._push, self._probe).values())
        reach.settle(self._lab, self._scheme, self._push, self._probe)
        return setup_s

    def _close_scheme(self) -> None:
        """Once the link that failed is back: a Prune to a neighbour that is not there is lost."""
        if self._asked.fault is not None:
            self._lab.frr.wait_converged(CONVERGED_BUDGET_S)
        self._scheme.close(self._push)

    def _rate(self) -> tuple[float | None, float | None, tuple[str, ...]]:
        """(highest rate without loss, what UFTP shall send, arcs that drop at more)."""
        if self._unicast:
            self._server = self._kept(Server(self._lab.network, self._push, self._folder))
            return None, None, ()
        self._say("looking for the highest rate without loss")
        network, payload = self._lab.network, self._asked.payload_bytes
        probe_bps = trains.highest_rate(network, self._push, self._taps, payload)
        before = counters.read(network)
        trains.overload(network, self._push, self._taps, payload, OVERLOAD * probe_bps)
        rows = counters.arcs(self._lab.spec, self._push, before, counters.read(network))
        binding = tuple(arc_name(self._lab.spec, row) for row in rows if row.dropped)
        sent_bps = UFTP_RATE_SHARE * probe_bps
        self._session = Session(
            network,
            self._push,
            self._manifest,
            self._folder,
            [each.replica for each in self._replicas],
            rate_bps=sent_bps,
            payload_bytes=payload,
            evict_after_s=self._lab.spec.scenario.transport.evict_after_s,
        )
        self._closers.append(self._session.stop)
        return probe_bps, self._session.sent_bps, binding

    def _begin(self) -> int:
        """Every replica requests the model; the instant [ns]."""
        self._say("pushing")
        begin_ns = time.monotonic_ns()
        for replica in self._replicas:
            replica.begin()
        if self._session is not None:
            self._session.start()
        return begin_ns

    def _follow(self, cpu: Cpu, begin_ns: int, setup_s: float, push_s: float) -> None:
        """Until every replica is ready or lost and every failure has been watched."""
        watched_ns, fault = begin_ns, self._asked.fault
        events = self._faults.schedule(
            fault, begin_ns, setup_s, lambda what: self._say(f"pushing; {what}")
        )
        if fault is not None:
            over_s = watched_s(
                self._lab.spec.scenario.timers, fault.at_s, fault.up_at_s, silent=fault.silent
            )
            watched_ns += round((over_s - setup_s) * NANO)
        while True:
            now_ns = time.monotonic_ns()
            if events and events[0][0] <= now_ns:
                events.pop(0)[1]()
                continue
            # UFTP is heard all the time: it would block on a full pipe.
            over = self._sent() and all(each.over for each in self._replicas)
            if over and now_ns >= watched_ns:
                break
            if (now_ns - begin_ns) / NANO > push_s:
                break
            wait_s = min(POLL_S, (events[0][0] - now_ns) / NANO) if events else POLL_S
            watch(self._replicas, wait_s)
            cpu.look()
            self._show(begin_ns, setup_s)

    def _sent(self) -> bool:
        """Whether the sender is done; it may give receivers up."""
        if self._session is None:
            return True
        if self._session.poll():
            return False
        gave_up = self._session.outcome().gave_up
        for replica in self._replicas:
            if replica.replica.host in gave_up:
                replica.give_up(gave_up[replica.replica.host])
        return True

    def _show(self, begin_ns: int, setup_s: float) -> None:
        elapsed_s = (time.monotonic_ns() - begin_ns) / NANO
        if elapsed_s - self._told_s < TELL_S:
            return
        self._told_s = elapsed_s
        rows = tuple(
            (each.replica.cloud, each.replica.index, str(each.stage), each.share)
            for each in self._replicas
        )
        self._tell(Progress(self._scheme.name, self._push.transfer, setup_s + elapsed_s, rows))

    def _say(self, what: str) -> None:
        self._tell(Doing(f"{self._scheme.name}, {self._push.transfer}: {what}"))

    def _flaps(self) -> int:
        fault = self._asked.fault
        return self._lab.frr.bfd_flaps(fault.links if fault is not None else ())

    def _repaired(self) -> int:
        """Bytes of files that were sent more than once."""
        if self._server is not None:
            return self._server.retransmitted_bytes()
        return max(0, self._source.data().bytes - self._manifest.size_bytes)

    def _invalid(self, cpu: Cpu, flaps: int) -> tuple[str, ...]:
        why = []
        if flaps:
            why.append(f"{flaps} BFD sessions flapped")
        if cpu.busiest > BUSY:
            why.append(f"the machine was busy: {cpu.busiest:.0%} of its cores")
        return tuple(why)
