"""The whole small model, and where a result of `compare` differs from it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from tests.small_model.net import Net, exact
from tests.small_model.rates import Curve, Flow, run
from tests.small_model.ready import ready
from tests.small_model.schemes import SCHEMES, Planned, Receivers, Stream, bift_rows, way

FRAME = 38  # Ethernet's header and check sequence, preamble, gap [B]
EVEN = 1e-9

Ends = tuple[str, str, str | None]


class Pushed(NamedTuple):
    """One transfer under one scheme. ``flows``: places in the list of all flows, by stream."""

    transfer: Any
    receivers: Receivers
    unreachable: list[str]
    no_room: list[str]
    plan: Planned
    begin: Fraction
    provision: Fraction
    flows: list[int]

    def factor(self, mtu: int, copies: int, headers: int) -> Fraction:
        """Wire bytes on an arc for one byte of payload."""
        payload = mtu - self.plan.inner - self.plan.header
        return Fraction(copies * (payload + self.plan.inner + FRAME) + headers, payload)


def near(said: Any, ours: Fraction | float | None) -> bool:
    if said is None or ours is None:
        return said is None and ours is None
    return math.isclose(said, float(ours), rel_tol=EVEN, abs_tol=EVEN)


def differences(scenario: Any, result: Any) -> Iterator[str]:
    """One line for each number of a result, as JSON, that is not the small model's."""
    net = Net(scenario.topology, scenario.background)
    bounds = [bound(net, scenario, transfer) for transfer in scenario.transfers]
    for (ours, _), said in zip(bounds, result["transfers"], strict=True):
        if not near(said["bound_s"], ours):
            yield f"{said['name']}: bound {said['bound_s']}, not {ours and float(ours)}"
    assert [row["name"] for row in result["schemes"]] == list(SCHEMES)
    for row in result["schemes"]:
        for line in _scheme(net, scenario, row, bounds):
            yield f"{row['name']}: {line}"


def bound(net: Net, scenario: Any, transfer: Any) -> tuple[Fraction | None, set[str]]:
    """(least seconds, the clouds that it is about: those to which something is left)."""
    bits = Fraction(transfer.size_bytes) * 8
    seconds: dict[str, Fraction] = {}
    for name in transfer.clouds:
        cloud = scenario.cloud[name]
        limits = [exact(cloud.ingress_bps)]
        if transfer.origin_egress_bps < math.inf:
            limits.append(exact(transfer.origin_egress_bps))
        if cloud.node != transfer.origin:
            limits.append(net.most(transfer.origin, cloud.node))
        if min(limits):
            seconds[name] = bits / min(limits)
    return max(seconds.values(), default=None), set(seconds)


def _scheme(net: Net, scenario: Any, row: Any, bounds: list[Any]) -> Iterator[str]:
    if not row["feasible"]:
        yield f"not feasible: {row['reason']}"
        return
    flows: list[Flow] = []
    pushes = [_push(net, scenario, row["name"], each, flows) for each in scenario.transfers]
    rates = {("core", arc): room for arc, room in net.room.items()}
    limited = _access(scenario)
    curves, peak = run(flows, rates | limited)
    for push, (seconds, covered), said in zip(pushes, bounds, row["transfers"], strict=True):
        for line in _transfer(scenario, row["name"], push, seconds, covered, curves, said):
            yield f"{push.transfer.name}: {line}"
    yield from _links(net, scenario, pushes, peak, limited, row)
    yield from _state(net, scenario, row["name"], pushes, row)


def _access(scenario: Any) -> dict[Any, Fraction]:
    """Rates of origins, by node, and of clouds."""
    rates = {("cloud", cloud.name): exact(cloud.ingress_bps) for cloud in scenario.clouds}
    for transfer in scenario.transfers:
        if transfer.origin_egress_bps < math.inf:
            rates["origin", transfer.origin] = exact(transfer.origin_egress_bps)
    return rates


def _push(net: Net, scenario: Any, name: str, transfer: Any, flows: list[Flow]) -> Pushed:
    """The transfer with its flows, which are added to ``flows``."""
    receivers, unreachable, no_room = [], [], []
    for cloud in transfer.clouds:
        site = scenario.cloud[cloud]
        path = way(net, name, transfer.origin, site.node)
        if path is None or net.full.intersection(path):
            unreachable.append(cloud)
            no_room += [] if path is None else [cloud]
        else:
            receivers.append((cloud, site.node, site.replicas))
    plan = SCHEMES[name](net, scenario, transfer, receivers)
    if transfer.receivers == "known":
        plan = plan._replace(setup={})
    provision = max(
        (exact(scenario.cloud[cloud].provision_s) for cloud, _, _ in receivers), default=Fraction(0)
    )
    begin = exact(transfer.start_s) + provision + sum(plan.setup.values())
    first = len(flows)
    push = Pushed(
        transfer,
        receivers,
        unreachable,
        no_room,
        plan,
        begin,
        provision,
        list(range(first, first + len(plan.streams))),
    )
    native = push.factor(scenario.mtu, 1, 0)
    for stream in plan.streams:
        weights: dict[Any, Fraction] = {
            ("core", arc): push.factor(scenario.mtu, *load) * stream.pulls
            for arc, load in stream.arcs.items()
        }
        weights["origin", transfer.origin] = native * stream.pulls
        weights |= {("cloud", cloud): native * stream.pulls for cloud in stream.clouds}
        flows.append(Flow(begin, Fraction(transfer.size_bytes) * 8, weights))
    return push


def _transfer(
    scenario: Any,
    name: str,
    push: Pushed,
    seconds: Fraction | None,
    covered: set[str],
    curves: list[Curve],
    said: Any,
) -> Iterator[str]:
    plan, transfer = push.plan, push.transfer
    terms = plan.setup if push.receivers else {}
    setup = sum(terms.values(), Fraction(0)) if push.receivers else None
    pulled = {
        cloud: curves[number]
        for number, stream in zip(push.flows, plan.streams, strict=True)
        for cloud in stream.clouds
    }
    lasted = {cloud: curve[-1][0] - push.begin for cloud, curve in pulled.items()}
    completion = max(lasted.values(), default=None)
    bits = Fraction(transfer.size_bytes) * 8
    ours: dict[str, Any] = {
        "setup_s": setup,
        "completion_s": completion,
        "rate_bps": completion and bits / completion,
        "ratio_to_bound": (
            completion / seconds if completion and seconds and covered == set(pulled) else None
        ),
    }
    ours |= {f"term {term}": value for term, value in terms.items()}
    told = said | {f"term {term}": value for term, value in said["setup_terms"].items()}
    if len(said["setup_terms"]) != len(terms):
        yield f"set-up terms {said['setup_terms']}"
    for key, value in ours.items():
        if not near(told.get(key), value):
            yield f"{key} {told.get(key)}, not {None if value is None else float(value)}"
    if (said["unreachable"], said["no_room"]) != (push.unreachable, push.no_room):
        yield f"unreachable {said['unreachable']}, no room {said['no_room']}"
    if [cloud["name"] for cloud in said["clouds"]] != sorted(pulled):
        yield f"clouds {[cloud['name'] for cloud in said['clouds']]}, not {sorted(pulled)}"
        return
    for site in said["clouds"]:
        for line in _cloud(scenario, name, push, pulled[site["name"]], site):
            yield f"{site['name']}: {line}"


def _cloud(scenario: Any, name: str, push: Pushed, curve: Curve, said: Any) -> Iterator[str]:
    cloud, transfer = scenario.cloud[said["name"]], push.transfer
    direct = name == "unicast" and scenario.schemes.unicast.per == "replica"
    cached = name == "unicast" or cloud.fanout == "cache"
    fan_out, at = ready(cloud, transfer, curve, direct=direct, cached=cached)
    lasted = curve[-1][0] - push.begin
    if not near(said["transfer_s"], lasted):
        yield f"transfer {said['transfer_s']}, not {float(lasted)}"
    groups = said["replica_groups"]
    if sum(group["count"] for group in groups) != cloud.replicas:
        yield f"{len(groups)} groups of other than {cloud.replicas} replicas"
    stages = {
        "provision": push.provision,
        "setup": sum(push.plan.setup.values(), Fraction(0)),
        "transfer": lasted,
        "fan_out": fan_out,
    }
    for group in groups:
        if not near(group["ready_s"], at - exact(transfer.start_s)):
            yield f"ready {group['ready_s']}, not {float(at - exact(transfer.start_s))}"
        for stage, value in stages.items():
            if not near(group["stages"][stage], value):
                yield f"{stage} {group['stages'][stage]}, not {float(value)}"


def _links(
    net: Net, scenario: Any, pushes: list[Pushed], peak: Any, limited: Any, row: Any
) -> Iterator[str]:
    copies, wire, full = Counter[Ends](), dict[Ends, Fraction](), dict[Ends, Fraction]()
    for push in pushes:
        for stream in push.plan.streams:
            for ends, place, load in _rows(scenario, push, stream):
                copies[ends] += load[0] * stream.pulls
                size = Fraction(push.transfer.size_bytes) * stream.pulls
                wire[ends] = wire.get(ends, 0) + push.factor(scenario.mtu, *load) * size
                rate, beside = limited.get(place), Fraction(0)
                if place[0] == "core":
                    rate, beside = net.capacity[place[1]], net.background.get(place[1], beside)
                full[ends] = (peak[place] + beside) / rate if rate else Fraction(0)
    said = {(each["from"], each["to"], each["link"]): each for each in row["links"]}
    for ends in sorted({*said, *copies}, key=str):
        each = said.get(ends)
        if each is None or not copies[ends]:
            yield f"{ends} carries {copies[ends]} copies, said {each}"
            continue
        same = each["copies"] == copies[ends] and near(each["wire_bytes"] / 1e9, wire[ends] / 10**9)
        if not (same and near(each["busiest_utilisation"], full[ends])):
            ours = copies[ends], float(wire[ends]), float(full[ends])
            yield f"{ends} {each}, not {ours}"
        if each["kind"] != ("core" if ends[2] else "access"):
            yield f"{ends} is {each['kind']}"
    core = [ends for ends in copies if ends[2]]
    out = [ends for ends in copies if ends[0].startswith("origin:")]
    totals = {
        "link_copies": Fraction(sum(copies[ends] for ends in core)),
        "wire_bytes": sum((wire[ends] for ends in core), Fraction(0)),
        "origin_egress_bytes": sum((wire[ends] for ends in out), Fraction(0)),
    }
    for key, value in totals.items():
        if not near(row["totals"][key] / 1e9, value / 10**9):
            yield f"total {key} {row['totals'][key]}, not {float(value)}"


def _rows(
    scenario: Any, push: Pushed, stream: Stream
) -> Iterator[tuple[Ends, Any, tuple[int, int]]]:
    """(row of the result, place of the small model, (copies, header bytes)) of one stream."""
    origin = push.transfer.origin
    for arc, load in stream.arcs.items():
        yield arc, ("core", arc), load
    yield (f"origin:{push.transfer.name}", origin, None), ("origin", origin), (1, 0)
    for cloud in stream.clouds:
        node = scenario.cloud[cloud].node
        yield (node, f"cloud:{cloud}", None), ("cloud", cloud), (1, 0)


def _state(net: Net, scenario: Any, name: str, pushes: list[Pushed], row: Any) -> Iterator[str]:
    state = sum((push.plan.state for push in pushes), Counter[str]())
    if name == "bier":
        state += bift_rows(net, scenario)
    said = {each["name"]: each["state_entries"] for each in row["nodes"]}
    if said != state or row["totals"]["state_entries"] != state.total():
        yield f"state {said}, not {dict(state)}"
