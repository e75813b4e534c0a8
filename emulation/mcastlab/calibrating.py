"""Stage constants, measured in the sandbox on the calibration's own topology.

Each is the median of several events, read off the kernels' own messages (which router's route
changed when) or off the stage itself, never off the outage or the ready time that it will predict.
How they add up is the planner's model: `mcastplan.converge`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from statistics import median

import msgspec

from mcastlab.experiment import Tell, active, model, standing
from mcastlab.faults import Faults
from mcastlab.follow import RouteChange, RouteFollower
from mcastlab.job import Constants, Doing, Job
from mcastlab.reach import setups
from mcastlab.receiver import read_tensors
from mcastlab.run import announced
from mcastlab.schemes import Lab
from mcastlab.schemes.sr_p2mp import SrP2mpLab
from mcastlab.shards import sha256
from mcastplan.lab.spec import LabPush, LabSpec
from mcastplan.model.topology import Link
from mcastplan.study.compare import context_of
from mcastplan.units import BITS_PER_BYTE

SETUPS = 5
# Of each link: where in its interval BFD stands when a link goes silent is chance.
SILENCES = 3
PUSHES = 3
HASHES = 5
# After a failure or repair nothing changes any more once nothing has for this long: longer than
# the hold time of a second SPF.
QUIET_S = 0.8
CHANGE_BUDGET_S = 30.0
POLL_S = 0.05
NANO = 1e9


def main(job: Job, tell: Tell) -> None:
    """What `mcastlab.calibrate` calls. Raises `LabError`."""
    spec = job.spec
    (push,) = spec.pushes
    timers: dict[str, float] = {}
    with standing(spec, {"pim-sm", "sr-p2mp", "bier"}, tell) as lab:
        tell(Doing("calibrating: hashing and loading"))
        verify_bps, load_bps = _rates(lab, push)
        tell(Doing("calibrating: failures and repairs, link by link"))
        timers |= _igp(lab)
        tell(Doing("calibrating: PIM, BIER and SR-P2MP set-up"))
        timers |= _pim(lab, push) | _bier(lab, push, job) | _sr(lab, push)
    samples = len(_used(spec))
    tell(Constants(verify_bps, load_bps, timers, samples))


def _rates(lab: Lab, push: LabPush) -> tuple[float, float]:
    """Of one replica with the machine to itself [bit/s]: hashing, and reading the tensors."""
    folder, manifest = model(lab, push)
    verify, load = [], []
    for _ in range(HASHES):
        start = time.monotonic()
        for shard in manifest.shards:
            sha256(folder / shard.name)
        verify.append(time.monotonic() - start)
        start = time.monotonic()
        for shard in manifest.shards:
            read_tensors(folder / shard.name)
        load.append(time.monotonic() - start)
    bits = manifest.size_bytes * BITS_PER_BYTE
    return bits / median(verify), bits / median(load)


class _Event(msgspec.Struct, frozen=True):
    """One failure or repair: when each router first and last wrote a route because of it [s after
    it], how many it wrote, and how many hops it is from the nearer end of the link."""

    gone_s: float | None  # the first route that an end of the link lost
    first_s: dict[str, float]
    last_s: dict[str, float]
    count: dict[str, int]
    hops: dict[str, int]


def _igp(lab: Lab) -> dict[str, float]:
    """Detection, flooding, SPF and writing, from every link's carrier loss, silence and return."""
    spec = lab.spec
    delay_s = spec.scenario.timers.spf_delay_s
    carrier: list[_Event] = []
    silent: list[_Event] = []
    back: list[_Event] = []
    follower = RouteFollower(lab.network, spec)
    follower.start()
    try:
        with Faults(lab.network, spec) as faults:
            for link in _used(spec):
                for quiet, into in ((False, carrier), *SILENCES * ((True, silent),)):
                    faults.prepare([link.id], quiet)
                    follower.changes()
                    into.append(_event(spec, link.id, faults.down([link.id], quiet), follower))
                    up = _event(spec, link.id, faults.up([link.id]), follower)
                    if not quiet:
                        back.append(up)
                    lab.frr.wait_converged(CHANGE_BUDGET_S)
                    _quiet(follower)
    finally:
        follower.stop()
    gone = median(each.gone_s for each in carrier if each.gone_s is not None)
    write = median(
        (event.last_s[host] - event.first_s[host]) / (event.count[host] - 1)
        for event in carrier
        for host in event.first_s
        if event.count[host] > 1
    )
    flood = max(0.0, _per_hop(carrier))
    # What every router needs once it knows: its SPF's delay and run, and the first write.
    after = median(min(event.first_s.values()) for event in carrier if event.first_s) - gone - flood
    return {
        "carrier": gone,
        "write": write,
        "flood": flood,
        "spf_run": max(0.0, after - delay_s - write),
        "silent": median(min(event.first_s.values()) for event in silent) - flood - after,
        "adjacency": median(min(event.first_s.values()) for event in back) - flood - after,
    }


def _used(spec: LabSpec) -> list[Link]:
    """Links that carry the route between their own ends: without one of the others nothing
    changes."""
    routes, graph = context_of(spec.scenario).routes, spec.scenario.topology.graph
    return [
        link
        for arc, link in zip(
            range(0, len(graph.head), 2), spec.scenario.topology.links, strict=True
        )
        if routes.next_arc(graph.tail[arc], graph.head[arc]) == arc
    ]


def _event(spec: LabSpec, link: str, at_ns: int, follower: RouteFollower) -> _Event:
    ends = {router.host for router in spec.routers for port in router.ports if port.link == link}
    changes = _quiet(follower, wait=True)
    written: dict[str, list[float]] = {}
    gone: list[float] = []
    for change in changes:
        at_s = (change.heard_ns - at_ns) / NANO
        if change.next_hop is None:
            if change.host in ends:
                gone.append(at_s)
        else:
            written.setdefault(change.host, []).append(at_s)
    return _Event(
        min(gone, default=None),
        {host: min(times) for host, times in written.items()},
        {host: max(times) for host, times in written.items()},
        {host: len(times) for host, times in written.items()},
        _hops(spec, ends),
    )


def _quiet(follower: RouteFollower, *, wait: bool = False) -> list[RouteChange]:
    """All changes until nothing changes for `QUIET_S`; with ``wait`` there is one at least."""
    found: list[RouteChange] = []
    end_s = time.monotonic() + (CHANGE_BUDGET_S if wait else QUIET_S)
    while time.monotonic() < end_s:
        now = follower.changes()
        if now:
            found += now
            end_s = time.monotonic() + QUIET_S
        time.sleep(POLL_S)
    return found


def _per_hop(events: Iterable[_Event]) -> float:
    """How much later a router one hop farther from the failure writes its first route [s]."""
    later = [
        (at_s - min(event.first_s.values())) / event.hops[host]
        for event in events
        for host, at_s in event.first_s.items()
        if event.hops[host]
    ]
    return median(later) if later else 0.0


def _hops(spec: LabSpec, ends: set[str]) -> dict[str, int]:
    """From the nearer of ``ends``, by host."""
    near = {router.host: {port.peer for port in router.ports} for router in spec.routers}
    hops = dict.fromkeys(ends, 0)
    edge = list(ends)
    for host in edge:
        for peer in sorted(near[host] - hops.keys()):
            hops[peer] = hops[host] + 1
            edge.append(peer)
    return hops


def _pim(lab: Lab, push: LabPush) -> dict[str, float]:
    """The first Join goes hop by hop: the set-up of a replica's PE at h hops is igmp + h joins."""
    spec, graph = lab.spec, lab.spec.scenario.topology.graph
    routes = context_of(spec.scenario).routes
    origin = graph.index[spec.router[push.origin.router].name]
    hops = {}
    for site in spec.receiving(push):
        path = routes.path(graph.index[spec.router[site.router].name], origin)
        assert path is not None  # the calibration's topology is connected
        hops.update({each.host: len(path) for each in site.replicas})
    reached: dict[int, list[float]] = {}
    with active(lab, "pim-sm") as scheme:
        for _ in range(SETUPS):
            for host, seconds in setups(lab, scheme, push).items():
                reached.setdefault(hops[host], []).append(seconds)
    typical = {count: median(times) for count, times in reached.items()}
    near, far = min(typical), max(typical)
    join = max(0.0, (typical[far] - typical[near]) / (far - near))
    return {"join": join, "igmp": max(0.0, typical[near] - near * join)}


def _bier(lab: Lab, push: LabPush, job: Job) -> dict[str, float]:
    """One write at the BFIR, and how long UFTP takes to announce a push."""
    with active(lab, "bier") as scheme:
        signal = [seconds for _ in range(SETUPS) for seconds in setups(lab, scheme, push).values()]
        folder, manifest = model(lab, push)
        (asked,) = job.pushes
        announce = [announced(lab, scheme, push, folder, manifest, asked) for _ in range(PUSHES)]
    return {"signal": median(signal), "announce": median(announce)}


def _sr(lab: Lab, push: LabPush) -> dict[str, float]:
    """The controller's own log: it is asked, computes, programs the tree, switches the root."""
    discovery, compute, program = [], [], []
    with active(lab, "sr-p2mp") as scheme:
        assert isinstance(scheme, SrP2mpLab)
        for _ in range(SETUPS):
            before = len(scheme.history)
            asked_ns = time.monotonic_ns()
            scheme.open(push)
            scheme.close(push)
            for each in scheme.history[before:]:
                if each.programmed_ns is None or each.switched_ns is None:
                    continue
                discovery.append((each.started_ns - asked_ns) / NANO)
                compute.append((each.computed_ns - each.started_ns) / NANO)
                # The tree's nodes, then the root: the model has one constant for both.
                program.append((each.switched_ns - each.computed_ns) / 2 / NANO)
    return {
        "discovery": max(0.0, median(discovery)),
        "compute": median(compute),
        "program": median(program),
    }
