"""What each scheme puts on which arc, holds at which router, and waits for beforehand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, NamedTuple

from tests.small_model.net import Arc, Net, exact

Receivers = list[tuple[str, str, int]]  # cloud, its PE, its replicas


class Stream(NamedTuple):
    """Packets that share one rate. ``arcs``: (copies, header bytes of all of them) by arc."""

    clouds: tuple[str, ...]
    arcs: dict[Arc, tuple[int, int]]
    pulls: int = 1


class Planned(NamedTuple):
    streams: list[Stream]
    inner: int  # IP and transport [B]
    header: int  # the largest [B]
    state: Counter[str]
    setup: dict[str, Fraction]


def reverse(arc: Arc) -> Arc:
    return Arc(arc.head, arc.tail, arc.link)


def way(net: Net, name: str, origin: str, pe: str) -> list[Arc] | None:
    """Of packets to a PE: origin and routers choose, or under PIM the PE chooses towards it."""
    if name == "pim-sm":
        back = net.route(pe, origin)
        return None if back is None else [reverse(arc) for arc in back]
    return net.route(origin, pe)


def _pes(receivers: Receivers) -> list[str]:
    return sorted({pe for _, pe, _ in receivers})


def _ways(net: Net, name: str, origin: str, pes: Iterable[str]) -> list[list[Arc]]:
    found = [way(net, name, origin, pe) for pe in pes]
    return [each for each in found if each is not None]


def _together(receivers: Receivers, arcs: dict[Arc, tuple[int, int]]) -> list[Stream]:
    return [Stream(tuple(cloud for cloud, _, _ in receivers), arcs)] if receivers else []


def _farthest(net: Net, origin: str, receivers: Receivers) -> Fraction:
    return max((net.away(pe, origin) for pe in _pes(receivers)), default=Fraction(0))


def _signalled(net: Net, scenario: Any, origin: str, receivers: Receivers) -> dict[str, Fraction]:
    """Each egress PE tells the ingress, which writes one entry."""
    timers = scenario.timers
    return {
        "announce": exact(timers.announce_s),
        "signal": exact(timers.signal_s) + _farthest(net, origin, receivers),
        "write": exact(timers.write_s),
    }


def unicast(net: Net, scenario: Any, transfer: Any, receivers: Receivers) -> Planned:
    each = scenario.schemes.unicast.per == "replica"
    streams = [
        Stream(
            (cloud,),
            dict.fromkeys(net.route(transfer.origin, pe) or (), (1, 0)),
            replicas if each else 1,
        )
        for cloud, pe, replicas in receivers
    ]
    return Planned(streams, 40, 0, Counter(), {"announce": exact(scenario.timers.announce_s)})


def ingress_replication(net: Net, scenario: Any, transfer: Any, receivers: Receivers) -> Planned:
    tunnels = Counter(
        arc for each in _ways(net, "", transfer.origin, _pes(receivers)) for arc in each
    )
    arcs = {arc: (copies, 50 * copies) for arc, copies in tunnels.items()}
    remote = len(set(_pes(receivers)) - {transfer.origin})
    state = Counter({transfer.origin: remote} if remote else {})
    setup = _signalled(net, scenario, transfer.origin, receivers)
    return Planned(_together(receivers, arcs), 28, 50, state, setup)


def pim_ssm(net: Net, scenario: Any, transfer: Any, receivers: Receivers) -> Planned:
    origin, pes, timers = transfer.origin, _pes(receivers), scenario.timers
    tree = {arc for each in _ways(net, "pim-sm", origin, pes) for arc in each}
    state = Counter({arc.head for arc in tree} | ({origin} if receivers else set()))
    # A Join leaves every receiving PE at 0, and every other router as soon as it has handled its
    # first: from the far end of the tree on, arc by arc.
    sent = {pe: Fraction(0) for pe in pes}
    last = Fraction(0)
    for arc in sorted(tree, key=lambda arc: -net.towards(origin)[0][arc.head]):
        handled = sent[arc.head] + net.delay[arc] + exact(timers.join_s)
        last = max(last, handled)
        sent[arc.tail] = min(sent.get(arc.tail, handled), handled)
    setup = {
        "announce": exact(timers.announce_s),
        "igmp": exact(timers.igmp_s),
        "join": last,
    }
    return Planned(_together(receivers, dict.fromkeys(tree, (1, 0))), 28, 0, state, setup)


def sr_p2mp(net: Net, scenario: Any, transfer: Any, receivers: Receivers) -> Planned:
    """The tree of shortest paths; a segment at the root, at receivers and where it branches."""
    origin, pes, timers = transfer.origin, _pes(receivers), scenario.timers
    srv6 = scenario.schemes.sr_p2mp.dataplane == "srv6"
    tree = {arc.head: arc for each in _ways(net, "", origin, pes) for arc in each}
    below = Counter(arc.tail for arc in tree.values())
    segments = {*pes, *(node for node, branches in below.items() if branches > 1)}
    state = Counter[str]()
    if receivers:
        segments.add(origin)
        state = Counter(segments)
        state[origin] += 1  # the policy
    header = {}
    for leaf in segments - {origin}:
        branch = [tree[leaf]]
        while branch[-1].tail not in segments:
            branch.append(tree[branch[-1].tail])
        size = 40 if srv6 else 4 if len(branch) == 1 else 8
        header.update(dict.fromkeys(branch, (1, size)))
    largest = max((size for _, size in header.values()), default=40 if srv6 else 4)
    rounds = [net.away(origin, node) + net.away(node, origin) for node in segments]
    setup = {
        "announce": exact(timers.announce_s),
        "discovery": exact(timers.discovery_s) + _farthest(net, origin, receivers),
        "compute": exact(timers.compute_s),
        "program": exact(timers.program_s) + max(rounds, default=Fraction(0)),
        "root": exact(timers.program_s),
    }
    if not receivers:
        largest = 0
    return Planned(_together(receivers, header), 28, largest, state, setup)


def bier(net: Net, scenario: Any, transfer: Any, receivers: Receivers) -> Planned:
    """PEs with a cloud are numbered first, then those that only send; both in order of name."""
    options, origin = scenario.schemes.bier, transfer.origin
    receiving = sorted({cloud.node for cloud in scenario.clouds})
    sending = sorted({each.origin for each in scenario.transfers} - set(receiving))
    number = {pe: place for place, pe in enumerate([*receiving, *sending])}
    header = 12 + options.bsl // 8
    copies = Counter[Arc]()
    pes = _pes(receivers)
    for identifier in {number[pe] // options.bsl for pe in pes}:
        inside = [pe for pe in pes if number[pe] // options.bsl == identifier]
        copies.update({arc for each in _ways(net, "", origin, inside) for arc in each})
    arcs = {arc: (count, header * count) for arc, count in copies.items()}
    setup = _signalled(net, scenario, origin, receivers)
    return Planned(
        _together(receivers, arcs), 28, header, Counter({origin: 1} if receivers else {}), setup
    )


def bift_rows(net: Net, scenario: Any) -> Counter[str]:
    """On every router a row for each BFR-id that it reaches, its own included."""
    numbered = {cloud.node for cloud in scenario.clouds}
    numbered |= {each.origin for each in scenario.transfers}
    return Counter(name for pe in numbered for name in net.towards(pe)[0])


SCHEMES: dict[str, Callable[[Net, Any, Any, Receivers], Planned]] = {
    "unicast": unicast,
    "ingress-replication": ingress_replication,
    "pim-sm": pim_ssm,
    "sr-p2mp": sr_p2mp,
    "bier": bier,
}
