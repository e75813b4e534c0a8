"""The experiment: build the network, converge it, push under every scheme, measure each push.

In the sandbox. Schemes run one after another on the same network; a push that does not count (a BFD
session flapped, the machine was busy) is repeated.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from mcastlab import links
from mcastlab.capture import Capture
from mcastlab.frr import Frr
from mcastlab.inside import RUN_DIR
from mcastlab.job import REPEATS_OF_INVALID, Doing, Ended, Event, Job, Push, Ran, Up
from mcastlab.network import Network
from mcastlab.run import one_run
from mcastlab.schemes import Lab, LabScheme
from mcastlab.schemes.bier import Bier
from mcastlab.schemes.ingress_replication import IngressReplication
from mcastlab.schemes.pim_sm import PimSm
from mcastlab.schemes.sr_p2mp import SrP2mpLab
from mcastlab.schemes.unicast import Unicast
from mcastlab.shards import Manifest, make
from mcastplan.lab.spec import LabPush, LabSpec

CONVERGED_BUDGET_S = 60.0
Tell = Callable[[Event], None]

LAB_SCHEMES: tuple[type[LabScheme], ...] = (Unicast, IngressReplication, PimSm, SrP2mpLab, Bier)


def main(job: Job, tell: Tell) -> None:
    """What `mcastlab.sandbox.run_job` calls. Raises `LabError` where the machine fails."""
    names = {push.scheme for push in job.pushes}
    with standing(job.spec, names, tell) as lab, _captured(lab, job.pcap):
        for scheme, pushes in groupby(job.pushes, key=lambda push: push.scheme):
            tell(Doing(f"{scheme}: setting up"))
            with active(lab, scheme) as active_scheme:
                for push in pushes:
                    _counted(lab, active_scheme, push, job.push_s, tell)
        tell(Doing("taking it down"))
    tell(Ended())


@contextmanager
def standing(spec: LabSpec, schemes: set[str], tell: Tell) -> Iterator[Lab]:
    """A network that is up, checked rate by rate, and converged."""
    tell(Doing(f"building {len(spec.routers)} routers"))
    network = Network(spec, RUN_DIR)
    start_s = time.monotonic()
    try:
        network.start()
        built_s = time.monotonic() - start_s
        tell(Doing("measuring every link"))
        worst = links.measure(network, spec)
        daemons = {one for kind in LAB_SCHEMES if kind.name in schemes for one in kind.daemons}
        tell(Doing("waiting for OSPF, BFD and every route"))
        frr = Frr(network, spec, frozenset(daemons))
        try:
            frr.start()
            converged_s = frr.wait_converged(CONVERGED_BUDGET_S)
            tell(Up(built_s, converged_s, worst, frr.memory_bytes()))
            yield Lab(spec=spec, network=network, frr=frr, run_dir=RUN_DIR)
        finally:
            frr.stop()
    finally:
        network.stop()


@contextmanager
def active(lab: Lab, name: str) -> Iterator[LabScheme]:
    """The scheme's standing state, there and gone again."""
    (kind,) = (kind for kind in LAB_SCHEMES if kind.name == name)
    scheme = kind(lab)
    try:
        scheme.start()
        yield scheme
    finally:
        scheme.stop()


def model(lab: Lab, push: LabPush) -> tuple[Path, Manifest]:
    """The push's files, made anew."""
    folder = lab.run_dir / "model" / str(push.tree_id)
    if folder.exists():
        shutil.rmtree(folder)
    return folder, make(folder, push)


def _counted(lab: Lab, scheme: LabScheme, push: Push, push_s: float, tell: Tell) -> None:
    """Each of the push's runs, with those that do not count; where none of three does, the
    machine cannot do it now, and the others are left."""
    (own,) = (each for each in lab.spec.pushes if each.transfer == push.transfer)
    folder, manifest = model(lab, own)
    counts, times = True, push.times
    while counts and times:
        times -= 1
        for attempt in range(1, 2 + REPEATS_OF_INVALID):
            invalid, measured = one_run(lab, scheme, own, folder, manifest, push, push_s, tell)
            tell(Ran(push, attempt, invalid, measured))
            counts = not invalid
            if counts:
                break
    shutil.rmtree(folder)  # before the next push makes its own: all of it is memory


@contextmanager
def _captured(lab: Lab, folder: str | None) -> Iterator[None]:
    if folder is None:
        yield
        return
    capture = Capture(lab.network, lab.spec, Path(folder))
    capture.start()
    try:
        yield
    finally:
        capture.stop()
