"""Outages as a replica has them: a probe of 1,000 packets a second on the push's own way.

Multicast schemes carry it in the same (S,G) as the data. Where every replica pulls its own copy it
is a stream to each replica, beyond `PROBE_STREAMS` of them one to the first replica of each cloud,
whose outage is that of the whole cloud (they part behind its bridge); `Outages.measured` tells
which replicas had a stream.

An outage is a run of probes that did not arrive, between one that did and the next one that did,
longer than `GAP_S`. Its length is the time from the arrival before to the arrival after, less one
interval: what a stream without any loss would show is 0, and the error is at most one interval
plus the sender's own lateness at either end. Probes of a shorter run are lost, no outage. Arrivals
are those at the replica's tap, duplicates left out. Probes take 0.6 Mb/s of a wire (74 B each)
and the scheme's header: let the trains run beside them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from mcastlab.sender import LABEL, UDP_BYTES, Send, Sender
from mcastlab.tap import PROBES, Tap
from mcastplan.lab.control import PROBE_STREAMS
from mcastplan.lab.spec import PROBE_PORT, LabPush

if TYPE_CHECKING:
    from mcastlab.network import Network

INTERVAL_S = 1e-3
GAP_S = 2e-3
LAST_S = 0.25  # after the last probe: what is not here by then is lost
LAST_POLL_S = 0.01


class Outages(msgspec.Struct, frozen=True):
    """Of one replica. ``outage_s``: all its gaps together; None: the last one has no end, the
    replica was not reached again. ``longest_s`` is the longest that ended. ``measured`` False: no
    stream went to this replica, the numbers are those of another one of its cloud."""

    outage_s: float | None
    gaps: int
    lost: int
    sent: int
    longest_s: float
    duplicates: int
    measured: bool = True


class Probe:
    """1 kpps from `start` to `stop`, at most 131 s. Fork it early."""

    def __init__(self, network: Network, push: LabPush, taps: Sequence[Tap], unicast: bool) -> None:
        self._push, self._taps, self._unicast = push, taps, unicast
        self._sender = Sender(network, push, "probe")
        self._probed = _probed(taps) if unicast else {tap.replica.host: tap for tap in taps}

    @property
    def hosts(self) -> frozenset[str]:
        """Replicas (hosts) that a stream goes to."""
        return frozenset(tap.replica.host for tap in self._probed.values())

    def start(self, *, announce: bool = False) -> None:
        """Begin to send, with ``announce`` to the push's other group too. Taps must have been
        reset since the last probe, if it is to tell of outages."""
        if self._unicast:
            addresses = tuple(sorted({tap.replica.address for tap in self._probed.values()}))
        else:
            addresses = (self._push.group, *((self._push.announce,) if announce else ()))
        size, gap_ns = UDP_BYTES + LABEL.size, INTERVAL_S * 1e9
        self._sender.send(Send(addresses, PROBE_PORT, 0, size, PROBES, gap_ns))

    def reached(self) -> dict[str, int]:
        """Receivers (hosts) that any probe has reached, and when the first did [ns]."""
        first = {}
        for host, tap in self._probed.items():
            arrived = tap.probes(PROBES)
            if arrived.any():
                first[host] = int(arrived[arrived > 0].min())
        return first

    def stop(self) -> dict[str, Outages]:
        """End it; outages by replica (host). What came before a receiver's first probe arrived is
        setup, not outage."""
        sent_ns = self._sender.stop()
        self._last(len(sent_ns))
        found = {}
        for tap in self._taps:
            host = tap.replica.host
            probed = self._probed[host]
            each = outages(sent_ns, probed.probes(len(sent_ns)), probed.duplicates())
            found[host] = msgspec.structs.replace(each, measured=probed is tap)
        return found

    def close(self) -> None:
        self._sender.close()

    def _last(self, count: int) -> None:
        """Wait for what is still on the way."""
        end = time.monotonic() + LAST_S
        taps = list({id(tap): tap for tap in self._probed.values()}.values())
        while time.monotonic() < end and not all(tap.probes(count)[-1:].all() for tap in taps):
            time.sleep(LAST_POLL_S)


def outages(
    sent_ns: NDArray[np.int64], arrived_ns: NDArray[np.int64], duplicates: int = 0
) -> Outages:
    """What one receiver missed, from the instants of sending and arrival by sequence (0: lost)."""
    count = len(sent_ns)
    here = np.flatnonzero(arrived_ns)
    if not len(here):
        return Outages(None, 1 if count else 0, count, count, 0.0, duplicates)
    missing = np.diff(here) - 1
    gap_s = np.diff(arrived_ns[here]) / 1e9 - INTERVAL_S
    ended = gap_s[(missing > 0) & (gap_s > GAP_S)]
    lost = count - int(here[0]) - len(here)  # the ones before the first are setup
    tail_s = (count - 1 - int(here[-1])) * INTERVAL_S
    open_ended = tail_s > GAP_S
    return Outages(
        None if open_ended else float(ended.sum()),
        len(ended) + open_ended,
        lost,
        count,
        float(ended.max()) if len(ended) else 0.0,
        duplicates,
    )


def _probed(taps: Sequence[Tap]) -> Mapping[str, Tap]:
    """Which tap tells of each replica (host)."""
    if len(taps) <= PROBE_STREAMS:
        return {tap.replica.host: tap for tap in taps}
    first: dict[str, Tap] = {}
    for tap in sorted(taps, key=lambda each: (each.replica.cloud, each.replica.index)):
        first.setdefault(tap.replica.cloud, tap)
    return {tap.replica.host: first[tap.replica.cloud] for tap in taps}
