"""What a lab run measured (``mcastplan.measurement/1``), beside what was predicted for it.

Everything in `Measured` was read off clocks, counters and tables; everything in `Predicted` was
computed before the run from the scaled scenario and the stored calibration. Times are seconds after
the push's start (all replicas request at once) on one clock; bytes on the wire count 38 B of L1 and
L2 for each packet, as `compare` does. None: it did not happen.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from mcastplan.model.timeline import FailureRow

# ready: verified and loaded. gave-up: UFTP dropped the receiver. corrupt: a shard's hash is wrong.
# unfinished: the run ended first.
ReplicaStatus = Literal["ready", "gave-up", "corrupt", "unfinished"]


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    kernel: str
    cpu: str
    cores: int
    memory_bytes: int
    frr: str
    uftp: str
    mininet: str


class Calibration(msgspec.Struct, frozen=True):
    """Stage constants of one machine, measured on another topology than they are used for.

    ``timers`` overrides the ``lab`` preset, by the keys of `mcastplan.model.timers.TIMER_ROWS`.
    """

    date: str
    machine: Machine
    topology: str
    verify_bps: float
    load_bps: float
    timers: dict[str, float]
    samples: int


class Replica(msgspec.Struct, frozen=True):
    """One replica's cold start. ``outage_s``: what the probe missed, all gaps together. ``why`` a
    replica is not ready, in words."""

    cloud: str
    index: int
    status: ReplicaStatus
    why: str | None = None
    first_byte_s: float | None = None
    last_byte_s: float | None = None
    verified_s: float | None = None
    loaded_s: float | None = None
    ready_s: float | None = None
    outage_s: float | None = None
    outages: int | None = None
    probes_lost: int | None = None


class ArcBytes(msgspec.Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """One direction of one link while the push ran; named as in `compare`."""

    source: str
    target: str
    link: str | None
    kind: str  # core | access
    wire_bytes: float
    packets: int
    dropped: int


class TableCheck(msgspec.Struct, frozen=True):
    """One router's tables (`show ip mroute`, BPF maps) against the planner's."""

    node: str
    what: str
    expected: tuple[str, ...]
    found: tuple[str, ...]

    @property
    def same(self) -> bool:
        return self.expected == self.found


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """``setup_s``: from asking for the push's state until a probe reached every receiver, and from
    the replicas' request to the first byte at any. ``probe_bps`` is the highest rate of payload and
    headers inside the Ethernet frame that a probe got through without loss, ``sent_bps`` what UFTP
    was told (0.95 of it). ``binding`` names the arcs whose queues dropped packets of a train at
    1.15 times that rate, as ``A->B``. ``transfer_s``: first byte to last byte at the last replica.
    ``worst_outage_s`` None: nobody looked, or one did not end. ``cpu`` is the busiest second's
    share of all cores."""

    setup_s: float
    probe_bps: float | None
    sent_bps: float | None
    binding: tuple[str, ...]
    transfer_s: float | None
    ready_s: float | None  # the last replica's
    worst_outage_s: float | None
    repaired_bytes: float
    cpu: float
    bfd_flaps: int
    replicas: tuple[Replica, ...]
    links: tuple[ArcBytes, ...]
    tables: tuple[TableCheck, ...]
    drops: dict[str, int] = {}  # by reason, of the eBPF forwarding plane


class PredictedCloud(msgspec.Struct, frozen=True):
    name: str
    transfer_s: float | None
    ready_s: float | None
    outage_s: float | None


class Predicted(msgspec.Struct, frozen=True, kw_only=True):
    """The same push as the planner sees it; ``binding_arc`` is named as in `Measured.binding`.
    ``overloaded``: it, and whatever else a rate of 1.15 times the highest fills."""

    setup_s: float | None
    transfer_s: float | None
    ready_s: float | None
    worst_outage_s: float | None
    rate_bps: float | None
    binding: str | None
    binding_arc: str | None
    overloaded: tuple[str, ...] = ()
    clouds: tuple[PredictedCloud, ...]
    links: tuple[ArcBytes, ...]
    repaired_bytes: float = 0.0


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One push under one scheme. ``invalid`` says why the numbers do not count (a BFD session
    flapped, the machine was busy); an invalid run is kept and shown as such."""

    scheme: str
    transfer: str
    attempt: int
    invalid: tuple[str, ...]
    failure: FailureRow | None
    measured: Measured
    predicted: Predicted


class Lab(msgspec.Struct, frozen=True):
    """What was built."""

    rate_scale: float
    size_scale: float
    mtu: int
    routers: int
    links: int
    replicas: int
    size_bytes: int
    shards: int
    converged_s: float
    worst_link_error: float  # of rates measured against those asked for, before the experiment
    netem: bool


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """``interrupted``: Ctrl-C came before the last run; what is here was measured."""

    schema: str
    scenario: str
    date: str
    machine: Machine
    calibration: Calibration
    lab: Lab
    assumptions: tuple[str, ...]
    runs: tuple[Run, ...]
    interrupted: bool = False
