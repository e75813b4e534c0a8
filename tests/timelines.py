"""Hand-made results of `fail` and `sweep`: what their reports are drawn from in tests.

The numbers are those of one failure on GEANT, worked out by hand, not computed by the planner::

    NL--BE fails at 10 s, light goes out       detection   10 ms
    each LSA crosses some routers               flooding   12 ms + 3 ms a router
    SPF waits 50 ms and runs 2 ms               throttle   50 ms, spf 2 ms
    the FIB takes 3 ms, the BIFT 1 ms more      fib 3 ms, bift 1 ms
    PIM: Joins along the new path               join       40 ms
"""

from __future__ import annotations

from functools import cache

import msgspec

from mcastplan import compare, load_scenario
from mcastplan.model.question import Network
from mcastplan.model.sweep import (
    Distribution,
    Harmful,
    HarmfulScheme,
    Remedy,
    SchemeSweep,
    Sweep,
)
from mcastplan.model.timeline import (
    CloudTimeline,
    FailureRow,
    Loss,
    Outage,
    RouterTimeline,
    SchemeTimeline,
    Span,
    Timeline,
    TransferTimeline,
)

AT_S, UP_S = 10.0, 70.0
SCRIPT = "</script><script>alert(1)</script>"
RATE = 5e9  # bytes of a receiver's second

ROUTERS = ("NL", "BE", "DE", "UK", "FR", "LU", "CH", "AT", "IT", "ES", "PT", "PL")
CLOUDS = ("brussels", "paris", "madrid", "lisbon", "zurich")


@cache
def geant() -> Network:
    found = compare(load_scenario("builtin:geant")).network
    assert found is not None
    return found


def igp(event_s: float, hops: int, silent_s: float, *more: tuple[str, float]) -> tuple[Span, ...]:
    """One router's way through an event."""
    at, spans = event_s, []
    flooding = 0.012 + 0.003 * hops if hops else 0.0
    stages = [("detection", silent_s), ("flooding", flooding), ("throttle", 0.050), ("spf", 0.002)]
    for stage, seconds in (*stages, ("fib", 0.003), *more):
        if seconds:
            spans.append(Span(stage, at, at + seconds))
            at += seconds
    return tuple(spans)


def gap(event_s: float, stages: dict[str, float], where: str = "no route at NL") -> Outage:
    return Outage(event_s + 0.004, event_s + 0.004 + sum(stages.values()), stages, where)


STAGES_BY_SCHEME: dict[str, dict[str, float]] = {
    "ingress-replication": {"detection": 0.010, "throttle": 0.050, "spf": 0.002, "fib": 0.003},
    "pim-sm": {
        **{"detection": 0.010, "flooding": 0.015, "throttle": 0.050, "spf": 0.002},
        **{"fib": 0.003, "join": 0.040, "propagation": 0.011},
    },
    "sr-p2mp": {
        **{"detection": 0.010, "flooding": 0.021, "compute": 0.5, "program": 0.120},
        **{"switch": 0.002},
    },
    "bier": {
        **{"detection": 0.010, "throttle": 0.050, "spf": 0.002, "fib": 0.003, "bift": 0.001},
        "propagation": 0.008,
    },
}


def scheme(
    name: str,
    clouds: tuple[str, ...] = CLOUDS,
    silent_s: float = 0.010,
    up: bool = False,
    routers: tuple[str, ...] = ROUTERS,
) -> SchemeTimeline:
    """The failure, and with ``up`` the repair, after which only PIM has a gap."""
    base = {**STAGES_BY_SCHEME[name], "detection": silent_s}
    rows = []
    for number, cloud in enumerate(clouds):
        stages = {**base, "propagation": base.get("propagation", 0.0) + 0.001 * number}
        hit = number % 4 != 3
        gaps = [gap(AT_S, stages)] if hit else []
        if up and name == "pim-sm" and hit:
            gaps.append(gap(UP_S, {"join": 0.035}, "RPF check: wrong interface at BE"))
        total = sum(sum(each.stages.values()) for each in gaps)
        ready = {"provision": 30.0, "setup": 0.2, "transfer": 160.0, "repair": 2 * total}
        ready |= {"load": 60.0, "warm_up": 45.0}
        rows.append(
            CloudTimeline(
                name=cloud,
                outages=tuple(gaps),
                outage_s=total,
                lost_bytes=total * RATE,
                duplicate_bytes=0.0,
                transfer_s=160.0,
                repair_s=2 * total,
                ready_s=sum(ready.values()),
                ready_without_s=295.2,
                stages=ready,
            )
        )
    worst = max((row.outages[0] for row in rows if row.outages), key=lambda o: o.to_s or 0.0)
    more = {"bier": [("bift", 0.001)], "pim-sm": [("join", 0.040)]}.get(name, [])
    if name == "sr-p2mp":
        more = [("compute", 0.5), ("program", 0.12), ("switch", 0.002)]
    found = []
    for hops, router in enumerate(routers):
        spans = igp(AT_S, hops // 2, silent_s, *(more if hops < 5 else ()))
        if up and hops < 4:
            spans += (Span("adjacency", UP_S, UP_S + 8.0), *igp(UP_S + 8.0, hops, 0.0, *more))
        found.append(RouterTimeline(router, spans))
    last = max(span.to_s for row in found for span in row.spans)
    lost = sum(row.lost_bytes for row in rows)
    ends = [each.to_s for row in rows for each in row.outages if each.to_s is not None]
    assert worst.to_s is not None
    return SchemeTimeline(
        name=name,
        feasible=True,
        reason=None,
        settled_s=last,
        restored_s=max(ends),
        worst_outage_s=worst.to_s - worst.from_s,
        state_before=0 if name == "ingress-replication" else 41,
        state_peak=0 if name == "ingress-replication" else 58,
        state_after=0 if name == "ingress-replication" else 42,
        copies_before=27,
        copies_peak=30,
        copies_after=28,
        transfers=(
            TransferTimeline(
                name="push",
                data_start_s=0.2,
                completion_s=160.5,
                completion_without_s=160.0,
                unreachable=(),
                evicted=(),
                lost_bytes=lost,
                repaired_bytes=lost / 3,
                clouds=tuple(rows),
            ),
        ),
        routers=tuple(found),
        losses=(
            Loss(*("push", "NL->BE", "lost on a link that is down"), AT_S, AT_S + 0.01, clouds[:3]),
            Loss(*("push", "NL", "no route", AT_S + 0.01, AT_S + 0.06), clouds[:3]),
            Loss(*("push", "DE", "TTL expired", AT_S + 0.06, AT_S + 0.063), clouds[:1]),
        ),
        notes=(f"{name}: one note",),
    )


def refused(name: str = "unicast") -> SchemeTimeline:
    return SchemeTimeline(name=name, feasible=False, reason="over the limit of 4 entries")


def timeline(
    schemes: tuple[SchemeTimeline, ...] | None = None,
    failures: tuple[FailureRow, ...] | None = None,
    network: Network | None = None,
) -> Timeline:
    row = FailureRow(AT_S, None, "carrier", ("NL--BE",), (), ())
    return Timeline(
        schema="mcastplan.timeline/1",
        scenario="geant",
        assumptions=("light loss is noticed after 10 ms", "LSAs are never lost"),
        failures=(row,) if failures is None else failures,
        preset="tuned",
        profile="nack-ideal",
        schemes=tuple(map(scheme, STAGES_BY_SCHEME)) if schemes is None else schemes,
        because=(
            "ingress-replication is back first: its tunnels follow the IGP and need nothing else",
            "sr-p2mp waits 500 ms for the controller to compute",
        ),
        network=network,
    )


def repaired() -> Timeline:
    """The link comes back a minute later, and one scheme is not possible."""
    row = FailureRow(AT_S, UP_S, "carrier", ("NL--BE",), (), ())
    schemes = (refused(), *(scheme(name, up=True) for name in STAGES_BY_SCHEME))
    return timeline(schemes, (row,))


def cut_off() -> Timeline:
    """A router fails silently under a 40 s dead timer: one cloud is never reached again, and one
    was given up."""
    row = FailureRow(AT_S, None, "silent", (), ("BE",), ())
    found = []
    for each in (scheme(name, silent_s=40.0) for name in STAGES_BY_SCHEME):
        (push,) = each.transfers
        dead = msgspec.structs.replace(
            push.clouds[0],
            outages=(Outage(AT_S, None, {}, "no route at NL"),),
            outage_s=None,
            ready_s=None,
            transfer_s=None,
            repair_s=None,
            stages={},
        )
        transfer = msgspec.structs.replace(
            push,
            unreachable=(dead.name,),
            evicted=(CLOUDS[1],) if each.name == "sr-p2mp" else (),
            clouds=(dead, *push.clouds[1:]),
        )
        loss = Loss("push", "NL", "no route", AT_S + 40, None, (dead.name,))
        found.append(
            msgspec.structs.replace(each, transfers=(transfer,), losses=(*each.losses, loss))
        )
    return timeline(tuple(found), (row,))


def quiet() -> Timeline:
    """A link that nobody uses: no outage, no change."""
    found = []
    for name in STAGES_BY_SCHEME:
        each = scheme(name)
        (push,) = each.transfers
        clouds = tuple(
            msgspec.structs.replace(cloud, outages=(), outage_s=0.0, lost_bytes=0.0, repair_s=0.0)
            for cloud in push.clouds
        )
        transfer = msgspec.structs.replace(push, clouds=clouds, lost_bytes=0.0, repaired_bytes=0.0)
        more = {"transfers": (transfer,), "routers": (), "losses": (), "worst_outage_s": 0.0}
        found.append(msgspec.structs.replace(each, restored_s=None, settled_s=AT_S, **more))
    return timeline(tuple(found))


def large() -> Timeline:
    """500 clouds, 300 routers."""
    clouds = tuple(f"cloud-{number:03}" for number in range(500))
    routers = tuple(f"router-{number:03}" for number in range(300))
    return timeline(tuple(scheme(n, clouds=clouds, routers=routers) for n in STAGES_BY_SCHEME))


def hostile() -> Timeline:
    """Texts that a page may trip over."""
    row = FailureRow(AT_S, None, "carrier", (SCRIPT,), (), ())
    each = scheme("bier", clouds=(SCRIPT, '"><img src=x onerror=alert(1)>'), routers=(SCRIPT,))
    spans = (Span('x" onmouseover="alert(1)', AT_S, AT_S + 1),)
    odd = msgspec.structs.replace(
        each,
        name=SCRIPT,
        routers=(*each.routers, RouterTimeline("R", spans)),
        losses=(Loss("push", SCRIPT, SCRIPT, AT_S, None, (SCRIPT,)),),
    )
    result = timeline((odd, each, refused(SCRIPT)), (row,))
    return msgspec.structs.replace(result, scenario=SCRIPT, because=(SCRIPT,), preset=SCRIPT)


# A failure's harm on GEANT, by hand: (link, clouds cut off, replicas, delay under each scheme).
HARM = (
    ("IE--UK", ("dublin",), 24, 0.0),
    ("IS--UK", ("reykjavik",), 8, 0.0),
    ("DE--NL", (), 0, 61.0),
    ("CH--DE", (), 0, 30.5),
    ("FR--UK", (), 0, 12.0),
)
SCHEMES = ("unicast", "ingress-replication", "pim-sm", "sr-p2mp", "bier")


def distribution(base: float | None, values: tuple[float, ...], count: int = 58) -> Distribution:
    if base is None:
        return Distribution(None, 0, None, None, None, None)
    ordered = sorted([*values, *[base] * (count - len(values))])
    p50, p90, p99 = (ordered[min(count - 1, int(part * count))] for part in (0.5, 0.9, 0.99))
    return Distribution(base, count, p50, p90, p99, ordered[-1], tuple(sorted(values)))


def sweep(transient: bool = True, failures: str = "single-link") -> Sweep:
    network = geant()
    names = [link.link for link in network.links]
    schemes = []
    for number, name in enumerate(SCHEMES):
        base = (310.0, 120.0, 55.2, 55.1, 55.4)[number]
        delays = tuple(base + d * (5 - number) / 5 for _, _, _, d in HARM if d)
        delays += tuple(base + 0.01 * 2**k for k in range(8 - number))
        gaps = tuple(0.06 * (1 + number / 3) + 0.002 * k for k in range(30 - 4 * number))
        hurt = len(delays) + 2
        schemes.append(
            SchemeSweep(
                name=name,
                feasible=True,
                reason=None,
                touched=40 - 3 * number,
                harmless=58 - hurt,
                completion_s=distribution(base, delays),
                unreachable=distribution(0.0, (1.0, 1.0)),
                outage_s=distribution(0.0, gaps) if transient else None,
                repaired=14 if name == "sr-p2mp" else 0,
                fresh=3 if name == "sr-p2mp" else 0,
            )
        )
    harm = HARM if failures == "single-link" else [("UK", ("dublin",), 24, 3.0)]
    worst = tuple(
        Harmful(
            # The link of the drawn network that comes nearest, so that the map has it.
            name if name in names or failures != "single-link" else names[3 * k],
            (name if name in names else names[3 * k],) if failures == "single-link" else (),
            cut,
            replicas,
            tuple(
                HarmfulScheme(each, len(cut), delay * (5 - n) / 5, 0.07 if transient else None)
                for n, each in enumerate(SCHEMES)
            ),
        )
        for k, (name, cut, replicas, delay) in enumerate(harm)
    )
    return Sweep(
        schema="mcastplan.sweep/1",
        scenario="geant",
        assumptions=("every failure counts the same",),
        failures=failures,
        total=len(names),
        chosen=58,
        evaluated=58,
        seed=7,
        transient=transient,
        complete=True,
        schemes=tuple(schemes),
        worst=worst,
        remedy=Remedy(
            "added", network.nodes[2].name, network.nodes[9].name, 32, 8, 410.0, 99.5, 70
        ),
        because=("2 of 58 links cut a cloud off when they fail, whatever the scheme",),
        network=network,
    )


def harmless() -> Sweep:
    """Nothing touches anything."""
    found = sweep(transient=True)
    schemes = tuple(
        msgspec.structs.replace(
            each,
            touched=0,
            harmless=58,
            completion_s=distribution(each.completion_s and each.completion_s.base, ()),
            unreachable=distribution(0.0, ()),
            outage_s=distribution(0.0, ()),
        )
        for each in found.schemes
    )
    return msgspec.structs.replace(found, schemes=schemes, worst=(), remedy=None)
