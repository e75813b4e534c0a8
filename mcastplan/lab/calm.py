"""One push of the lab as it runs when nothing fails: the transport of the lab over the plan.

`study.compare` answers for a scenario's own transport and for all transfers together; the lab sends
one after another, over UFTP or by TCP pulls, as `study.fail` has them before anything fails.
"""

from __future__ import annotations

import math

import msgspec

from mcastplan.converge.courses import Course, Delivery, FlowCourse, Piece
from mcastplan.converge.transport import carried, transmit
from mcastplan.evaluate.push import Planned
from mcastplan.evaluate.scheme import Context, Installed, install, planned_push
from mcastplan.model.plan import ReplicationPlan
from mcastplan.model.scenario import Scenario
from mcastplan.schemes import SCHEMES
from mcastplan.schemes.base import Scheme
from mcastplan.study.compare import context_of

# IPv4 20, TCP 20 and the timestamp option that Linux sends (RFC 7323 section 3.2) 12.
TCP_BYTES = 52

# When pushes start that are in the scenario only because their origins have BFR-ids [s]: later
# than any other ends, and near enough for a clock of nanoseconds.
LATER_S = 1e6


class Calm(msgspec.Struct, frozen=True):
    """``plan`` is the push's, the transfer at ``place`` of the context's scenario, with what the
    transport puts between IP and payload."""

    context: Context
    kind: type[Scheme]
    installed: Installed
    place: int
    plan: ReplicationPlan
    delivery: Delivery

    @property
    def planned(self) -> Planned:
        return self.delivery.planned


def scheme_of(name: str) -> type[Scheme]:
    """The scheme of that name. Raises `KeyError`."""
    return {kind.name: kind for kind in SCHEMES}[name]


def alone(scenario: Scenario, transfer: str, scheme: str) -> Scenario:
    """The scenario when the lab runs this push: no other one is in the network.

    Under BIER the others stay, and start after it has ended: their origins have BFR-ids, thus
    rows in every BIFT, whether they send or not.
    """
    one = tuple(
        msgspec.structs.replace(each, start_s=0.0 if each.name == transfer else LATER_S)
        for each in scenario.transfers
        if scheme == "bier" or each.name == transfer
    )
    only = msgspec.structs.replace(scenario.schemes, only=(scheme,))
    return msgspec.structs.replace(scenario, transfers=one, schemes=only, failures=())


def run_calm(scenario: Scenario, transfer: str, scheme: str) -> Calm:
    """Run one push without failure. Raises `InfeasibleError` where the scheme meets a limit."""
    scenario = alone(scenario, transfer, scheme)
    context, kind = context_of(scenario), scheme_of(scheme)
    installed = install(context, kind)
    place = next(n for n, each in enumerate(scenario.transfers) if each.name == transfer)
    demand, plan = installed.plans[place]
    tcp = scheme == "unicast"
    if tcp:
        plan = msgspec.structs.replace(plan, inner_bytes=TCP_BYTES)
    else:
        plan = carried(plan, scenario.transport)
    push = planned_push(context, installed.scheme, scenario.transfers[place], demand, plan)
    flows = tuple(
        FlowCourse(load.flow, (Piece(-math.inf, math.inf, load.weights, frozenset(), {}),))
        for load in push.loads
    )
    course = Course(push, flows, tcp)
    (delivery,) = transmit(context.space, [course], scenario.transport, scenario.timers)
    return Calm(context, kind, installed, place, plan, delivery)


def completion_s(delivery: Delivery) -> float | None:
    """Seconds from the first byte to the last one of the clouds that get all; None: of none."""
    return max(
        (
            pull.here_s
            for cloud in delivery.clouds.values()
            if cloud.complete
            for pull in cloud.pulls
        ),
        default=None,
    )
