"""What the tests of SR-P2MP's controller do inside a sandbox: FRR, a controller, failures."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from mcastlab.errors import LabError
from mcastlab.faults import Faults
from mcastlab.frr import Frr
from mcastlab.frr_vty import ask
from mcastlab.network import Network
from mcastlab.schemes import Lab
from mcastlab.schemes.sr_p2mp import SrP2mpLab
from mcastplan.lab.spec import LabSpec
from tests.emulation.sr_network import (
    HOLD_S,
    RUN_DIR,
    diamond,
    drained,
    numbered,
    origin_socket,
    receivers,
    spec_of,
    two_pushes,
)

CONVERGED_S = 30.0
BUDGET_S = 15.0  # of one thing that is waited for
POLL_S = 0.01
GAP_S = 0.001


@contextlib.contextmanager
def converged(spec: LabSpec) -> Iterator[Lab]:
    network = Network(spec, RUN_DIR)
    frr = Frr(network, spec, SrP2mpLab.daemons)
    try:
        network.start()
        try:
            frr.start()
            frr.wait_converged(CONVERGED_S)
            yield Lab(spec, network, frr, RUN_DIR)
        finally:
            frr.stop()
    finally:
        network.stop()


def _until(what: str, true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + BUDGET_S
    while not true():
        assert time.monotonic() < end_s, f"{what} does not happen"
        time.sleep(POLL_S)


class Listener:
    """Sequence numbers at every cloud as they come, read by a thread."""

    def __init__(self, targets: dict[str, socket.socket]) -> None:
        self._targets = targets
        self.got: dict[str, list[tuple[int, int]]] = {name: [] for name in targets}  # (ns, number)
        self._on = True
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        names = {target: name for name, target in self._targets.items()}
        while self._on:
            for target in select.select(list(names), [], [], 0.1)[0]:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        number = int(struct.unpack("!I", target.recv(2000)[:4])[0])
                        self.got[names[target]].append((time.monotonic_ns(), number))

    def last(self, name: str) -> int:
        return self.got[name][-1][1] if self.got[name] else -1

    def stop(self) -> None:
        self._on = False
        self._thread.join()


class Train:
    """Probes into the data group until stopped."""

    def __init__(self, lab: Lab) -> None:
        self._start = origin_socket(lab.network, lab.spec.pushes[0])
        self._group = lab.spec.pushes[0].group
        self.sent = 0
        self._on = True
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        while self._on:
            numbered(self._start, self._group, 10, GAP_S, self.sent)
            self.sent += 10

    def stop(self) -> None:
        self._on = False
        self._thread.join()


def _lost(got: list[tuple[int, int]], first: int, last: int) -> list[int]:
    return sorted(set(range(first, last)) - {number for _, number in got})


def _twice(got: list[tuple[int, int]]) -> int:
    return len(got) - len({number for _, number in got})


def failure() -> dict[str, Any]:
    """B--D fails while the controller is stopped: the FIB heals it. The controller goes on: it
    moves to a new instance. The link comes back: it moves again."""
    spec = diamond()
    with converged(spec) as lab, Faults(lab.network, spec) as faults:
        scheme = SrP2mpLab(lab)
        scheme.start()
        push = spec.pushes[0]
        scheme.open(push)
        steady = [check.same for check in scheme.tables(push)]
        listener = Listener(receivers(lab.network, spec, push))
        train = Train(lab)
        pid, cloud = scheme.controller_pid(push), "c000-D"
        _until("the first probe", lambda: listener.last(cloud) > 100)
        os.kill(pid, signal.SIGSTOP)
        before = train.sent
        at_ns = faults.down(["B--D"], silent=False)
        _until("the probe stops", lambda: train.sent > listener.last(cloud) + 20)
        _until("the FIB heals it", lambda: listener.last(cloud) > train.sent - 20 > before + 100)
        gap_ns = next(
            ns for ns, number in listener.got[cloud] if ns > at_ns and number > before + 20
        )
        healed = train.sent
        _until("probes by the healed way", lambda: listener.last(cloud) > healed + 200)
        calm = train.sent
        os.kill(pid, signal.SIGCONT)
        _until("a new instance", lambda: len(scheme.history) == 2)
        _until(
            "probes by the new tree", lambda: listener.last(cloud) > train.sent - 20 > calm + 300
        )
        moved = train.sent
        down_rows = [(check.node, list(check.found), check.same) for check in scheme.tables(push)]
        up_ns = faults.up(["B--D"])
        _until("the old tree again", lambda: len(scheme.history) == 3)
        _until("the IGP", lambda: listener.last(cloud) > train.sent - 20 > moved + 1000)
        up_rows = [check.same for check in scheme.tables(push)]
        train.stop()
        listener.stop()
        held = _held(scheme)
        scheme.close(push)
        closed = _held(scheme)
        rounds = [msgspec.to_builtins(each) for each in scheme.history]
        drops = scheme.drops()
        scheme.stop()
        return {
            "steady": steady,
            "healed_ms": (gap_ns - at_ns) / 1e6,
            "switch": {
                name: {"lost": _lost(got, healed + 50, moved - 20), "twice": _twice(got)}
                for name, got in listener.got.items()
            },
            "down": down_rows,
            "up": up_rows,
            "held": held,
            "closed": closed,
            "rounds": rounds,
            "failed_ns": at_ns,
            "restored_ns": up_ns,
            "drops": drops,
            "left": _left(lab),
        }


def _held(scheme: SrP2mpLab) -> dict[str, list[str]]:
    """Instances on the routers once the hold time is over."""
    time.sleep(HOLD_S + 0.2)
    found = {}
    for host, loaded in scheme.plane.loaded.items():
        keys = [
            key.hex() for name in ("segments", "policies") for key, _ in loaded.map(name).items()
        ]
        if keys:
            found[host] = sorted(keys)
    return found


def _left(lab: Lab) -> dict[str, Any]:
    """What a scheme that was stopped has left on routers and in the file system."""
    root = lab.spec.pushes[0].origin.router
    filters = [
        line
        for router in lab.spec.routers
        for port in router.ports
        for line in lab.network.run(
            router.host, "tc", "filter", "show", "dev", port.name, "ingress"
        ).splitlines()
    ]
    configuration = "".join(ask(root, each, "show running-config") for each in ("zebra", "ospfd"))
    return {
        "filters": filters,
        "links": [
            line for line in lab.network.run(root, "ip", "-br", "link").split() if "k1" in line
        ],
        "configured": [line for line in configuration.splitlines() if "k1" in line],
        "pins": [str(path) for path in Path("/run/bpf").glob("sr*")],
        "files": [
            str(path) for path in (*Path("/run/frr").glob("k*"), *Path("/etc/frr").glob("k*"))
        ],
        "processes": subprocess.run(
            ["pgrep", "-fc", "mcastlab.controller|-N k1"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip(),
    }


def latency(which: str, rounds: int) -> dict[str, Any]:
    """Every core link of the tree fails and comes back in turn: the controller's steps [ms]."""
    spec = spec_of(which)
    with converged(spec) as lab, Faults(lab.network, spec) as faults:
        scheme = SrP2mpLab(lab)
        begun_s = time.monotonic()
        scheme.start()
        started_s = time.monotonic() - begun_s
        push = spec.pushes[0]
        scheme.open(push)
        links = [link.id for link in spec.scenario.topology.links][:rounds]
        steps, wrong = [], []
        for link in links:
            for go in ("down", "up"):
                known = len(scheme.history)
                at_ns = faults.down([link], silent=False) if go == "down" else faults.up([link])
                _until(f"{link} {go}", lambda known=known: len(scheme.history) > known)  # type: ignore[misc]
                each = scheme.history[-1]
                stamps = (each.heard_ns, each.computed_ns, each.programmed_ns, each.switched_ns)
                steps.append([go, *((ns - at_ns) / 1e6 if ns else None for ns in stamps)])
                wrong += [
                    (link, go, check.node, check.found, check.expected)
                    for check in scheme.tables(push)
                    if not check.same
                ]
        scheme.stop()
        return {"started_s": started_s, "steps": steps, "wrong": wrong}


def two_roots() -> dict[str, Any]:
    """Two pushes from different routers to different sites, each with a controller of its own."""
    spec = two_pushes()
    with converged(spec) as lab:
        scheme = SrP2mpLab(lab)
        scheme.start()
        got, same = {}, []
        for push in spec.pushes:
            scheme.open(push)
        for push in spec.pushes:
            same += [check.same for check in scheme.tables(push)]
            targets = receivers(lab.network, spec, push)
            numbered(origin_socket(lab.network, push), push.group, 50, GAP_S)
            got[push.transfer] = drained(targets)
            for each in targets.values():
                each.close()
        roots = sorted(push.origin.router for push in spec.pushes)
        delivered = scheme.counters()["delivered"]
        said = ""
        try:
            scheme.open(spec.pushes[0])
        except LabError as error:
            said = str(error)
        for push in spec.pushes:
            scheme.close(push)
        held = _held(scheme)
        drops = scheme.drops()
        scheme.stop()
        return {
            "got": got,
            "same": same,
            "roots": roots,
            "delivered": delivered,
            "said": said,
            "held": held,
            "drops": drops,
            "left": _left(lab),
        }


def killed() -> dict[str, Any]:
    """The controller's process dies: the next request says so, and `stop` still cleans up."""
    spec = diamond()
    with converged(spec) as lab:
        scheme = SrP2mpLab(lab)
        scheme.start()
        push = spec.pushes[0]
        scheme.open(push)
        os.kill(scheme.controller_pid(push), signal.SIGKILL)
        said = []
        for question in (partial(scheme.tables, push), scheme.drops):
            try:
                question()
            except LabError as error:
                said.append(str(error))
        scheme.stop()
        scheme.start()  # once more, on the same network
        scheme.open(push)
        same = [check.same for check in scheme.tables(push)]
        scheme.stop()
        return {"said": said, "same": same, "left": _left(lab)}
