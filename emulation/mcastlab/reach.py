"""The set-up of a push: its state is asked for, and a probe tells when it reaches each replica."""

from __future__ import annotations

import time

from mcastlab.errors import LabError
from mcastlab.probe import Probe
from mcastlab.schemes import Lab, LabScheme
from mcastlab.tap import Tap
from mcastplan.lab.spec import LabPush

SETUP_BUDGET_S = 30.0
# From the first packets of an ASM group until the last of pimd's periodic Joins has pruned the
# shared tree's second copy. Where that never ends, the run shows which table is not the planner's.
SETTLED_BUDGET_S = 15.0
POLL_S = 0.002
TABLES_POLL_S = 0.2
NANO = 1e9


def setups(lab: Lab, scheme: LabScheme, push: LabPush) -> dict[str, float]:
    """The push's state made and taken away once: when a probe first reached each replica (host),
    in seconds after it was asked for. Raises `LabError` where none does."""
    replicas = [each for site in lab.spec.receiving(push) for each in site.replicas]
    taps = [Tap(lab.network, each) for each in replicas]
    probe = Probe(lab.network, push, taps, scheme.name == "unicast")
    try:
        return set_up(scheme, push, probe)
    finally:
        scheme.close(push)
        probe.close()
        for tap in taps:
            tap.close()


def set_up(scheme: LabScheme, push: LabPush, probe: Probe) -> dict[str, float]:
    """As `setups`, of a push that stays open; its taps have been reset."""
    probe.start()
    asked_ns = time.monotonic_ns()
    scheme.open(push)
    reached = wait_probed(scheme, push, probe)
    probe.stop()
    return {host: max(0.0, (at_ns - asked_ns) / NANO) for host, at_ns in reached.items()}


def wait_probed(scheme: LabScheme, push: LabPush, probe: Probe) -> dict[str, int]:
    """When a probe first reached each replica that one goes to [ns]. Raises `LabError`."""
    end_s = time.monotonic() + SETUP_BUDGET_S
    while True:
        reached = probe.reached()
        missing = sorted(probe.hosts - reached.keys())
        if not missing:
            return reached
        if time.monotonic() > end_s:
            raise LabError(
                f"{scheme.name} {push.transfer}: no probe reaches {', '.join(missing)} within"
                f" {SETUP_BUDGET_S:g} s"
            )
        time.sleep(POLL_S)


def settle(lab: Lab, scheme: LabScheme, push: LabPush, probe: Probe) -> None:
    """In PIM ASM packets make a group's source tree: some to both groups, until every table is
    the planner's. Else UFTP's announcement would be the first packet of its own."""
    if scheme.name != "pim-sm" or lab.spec.scenario.schemes.pim_sm.mode != "asm":
        return
    probe.start(announce=True)
    end_s = time.monotonic() + SETTLED_BUDGET_S
    while time.monotonic() < end_s and not all(each.same for each in scheme.tables(push)):
        time.sleep(TABLES_POLL_S)
    probe.stop()
