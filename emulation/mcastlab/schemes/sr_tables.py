"""The segments that routers hold against those that the planner says, as rows of text.

A row is a router's role, one of its branches (downstream node, and whether the FIB or a pinned
adjacency leads there) or a site it delivers to. Roles are read off the maps: a policy makes a root,
sites a leaf or bud, one branch alone a waypoint.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator, Mapping

from mcastlab.bpf import Loaded
from mcastlab.schemes.sr_segments import (
    Lookup,
    policy_key,
    read_segment,
    sid_key,
    stream_keys,
)
from mcastlab.schemes.sr_tree import Status
from mcastplan.lab.spec import LabPush, LabRouter, LabSpec
from mcastplan.model.measurement import TableCheck
from mcastplan.model.plan import Demand, Entry, ReplicationPlan, Steer
from mcastplan.schemes.sr_p2mp import SrP2mp
from mcastplan.underlay.routes import IgpRoutes

WHAT = "replication segments"


def checks(
    spec: LabSpec,
    push: LabPush,
    routes: IgpRoutes,
    demand: Demand,
    status: Status,
    lookup: Lookup,
    loaded: Mapping[str, Loaded],
) -> tuple[TableCheck, ...]:
    """One for each router that holds or should hold a segment of the active instance."""
    plan = planned(spec, routes, demand, status)
    graph = routes.graph
    expected = {
        graph.names[node]: tuple(_planned_rows(spec, push, routes, node, entry))
        for (node, _), entry in plan.entries.items()
    }
    found = {
        router.name: tuple(_held_rows(spec, push, router, status.instance, lookup, loaded))
        for router in spec.routers
    }
    return tuple(
        TableCheck(router.name, WHAT, expected.get(router.name, ()), found[router.name])
        for router in spec.routers
        if expected.get(router.name) or found[router.name]
    )


def planned(spec: LabSpec, routes: IgpRoutes, demand: Demand, status: Status) -> ReplicationPlan:
    """What the planner's controller has in place with those links down."""
    scheme = SrP2mp(spec.scenario, routes)
    reference = scheme.install(
        routes.without(status.reference_down), _reached(routes, demand, status.reference_down)
    )
    if status.down == status.reference_down:
        return reference
    rest = routes.without(status.down)
    plan, _ = scheme.replan(rest, _reached(routes, demand, status.down), reference, False)
    return plan


def _reached(routes: IgpRoutes, demand: Demand, down: frozenset[int]) -> Demand:
    dist = routes.without(down).dist_from(demand.origin)
    return demand.only({name for name, pe, _ in demand.clouds if dist[pe] >= 0})


def _planned_rows(
    spec: LabSpec, push: LabPush, routes: IgpRoutes, node: int, entry: Entry
) -> Iterator[str]:
    graph = routes.graph
    yield entry.role
    rows = []
    for steer in entry.out:
        assert isinstance(steer, Steer)
        via = "IGP" if steer.via is None else f"adjacency to {graph.names[graph.head[steer.via]]}"
        rows.append(f"branch to {graph.names[steer.dests[0]]} by {via}")
    yield from sorted(rows)
    here = spec.router_named[graph.names[node]].host
    for site in spec.receiving(push):
        if entry.local and site.router == here:
            yield f"cloud {site.cloud}"


def _held_rows(
    spec: LabSpec,
    push: LabPush,
    router: LabRouter,
    instance: int,
    lookup: Lookup,
    loaded: Mapping[str, Loaded],
) -> Iterator[str]:
    key = sid_key(push, instance)
    with contextlib.closing(loaded[router.host].map("segments")) as segments:
        value = segments.lookup(key)
    if value is None:
        return
    branches, ports = read_segment(value)
    with contextlib.closing(loaded[router.host].map("policies")) as policies:
        pointing = [policies.lookup(each) for each in stream_keys(push)]
    root = all(each is not None and policy_key(each) == key for each in pointing)
    yield _role(root, len(branches), bool(ports))
    rows = []
    for there, pinned in branches:
        via = "IGP" if not pinned else f"adjacency to {lookup.neighbour(router, pinned)}"
        rows.append(f"branch to {_owner(spec, there, key)} by {via}")
    yield from sorted(rows)
    yield from (f"cloud {lookup.cloud(router, port)}" for port in ports)


def _owner(spec: LabSpec, there: bytes, key: bytes) -> str:
    """Whose SID it is; the address itself where it is none of this instance."""
    for router in spec.routers:
        locator = ipaddress.IPv6Network(router.locator)
        if ipaddress.IPv6Address(there) in locator and there[6:10] == key:
            return router.name
    return str(ipaddress.IPv6Address(there))


def _role(root: bool, branches: int, delivers: bool) -> str:
    if root:
        return "root and bud" if delivers else "root"
    if delivers:
        return "bud" if branches else "leaf"
    return "waypoint" if branches == 1 else "branch"
