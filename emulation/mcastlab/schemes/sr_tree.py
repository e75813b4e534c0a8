"""One SR-P2MP tree as its controller keeps it: compute, program, switch, remove (RFC 9960).

As `mcastplan.schemes.sr_controller` does on paper, on the maps of real routers. Where other
segments come out of a computation than are in place:

- make-before-break: a new instance with new SIDs on every router of the new tree, those farthest
  from the root first; then the root's policy is switched, one write for each of the push's two
  groups; ``mbb_hold`` later the old instance goes.
- in place: segments that differ are replaced, the root's first of all; then routers that the new
  tree leaves are cleaned up.

A write is a system call on the router's map, its return the acknowledgement. Every step is stamped
with CLOCK_MONOTONIC (`Round`). Not modelled: candidate paths, routers that fail.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from mcastlab.bpf import Loaded, Map
from mcastlab.lsdb import named
from mcastlab.schemes.sr_segments import (
    MOST_INSTANCES,
    Lookup,
    policy_value,
    segment_value,
    sid_key,
    stream_keys,
)
from mcastplan.lab.spec import LabPush, LabSpec
from mcastplan.model.plan import Demand, ReplicationPlan
from mcastplan.model.topology import Arc
from mcastplan.schemes.sr_controller import Kind, TreeKey, renamed
from mcastplan.schemes.sr_p2mp import SrP2mp
from mcastplan.underlay.routes import IgpRoutes

Cause = Literal["open", "change"]


class Round(msgspec.Struct, frozen=True):
    """One computation for one push, each instant on CLOCK_MONOTONIC [ns]. None: it came to no
    programming (the same segments), or to no switch (in place)."""

    transfer: str
    cause: Cause
    heard_ns: int  # the request to open, or the message of ospfd that changed the set of links
    started_ns: int  # later than heard where another push came first
    computed_ns: int
    programmed_ns: int | None  # the last router's acknowledgement
    switched_ns: int | None
    kind: Kind
    instance: int  # in place after this round
    entries: int  # written
    down: tuple[str, ...]  # links, as the computation knew them


class Status(msgspec.Struct, frozen=True):
    """Where a push stands. A tree that `replan` repairs hangs on the arcs that were down when the
    tree it repairs was grown: ``reference_down``."""

    instance: int
    down: frozenset[Arc]
    reference_down: frozenset[Arc]


class Routers:
    """What the controller writes to: maps by router host."""

    def __init__(self, pins: Mapping[str, Path]) -> None:
        loaded = {host: Loaded(path) for host, path in pins.items()}
        self.segments: Mapping[str, Map] = {
            host: each.map("segments") for host, each in loaded.items()
        }
        self.policies: Mapping[str, Map] = {
            host: each.map("policies") for host, each in loaded.items()
        }


class Tree:
    """What the controller does for one push: compute, program, switch, remove."""

    def __init__(
        self,
        spec: LabSpec,
        push: LabPush,
        demand: Demand,
        routes: IgpRoutes,
        routers: Routers,
        lookup: Lookup,
        first_instance: int,
    ) -> None:
        self.push, self._demand, self._intact = push, demand, routes
        self._scheme = SrP2mp(spec.scenario, routes)
        self._in_place = spec.scenario.schemes.sr_p2mp.update == "in-place"
        self._hold_ns = round(spec.scenario.timers.mbb_hold_s * 1e9)
        self._spec, self._routers, self._lookup = spec, routers, lookup
        self.instance = first_instance
        self._key = TreeKey("tree", push.transfer, 1)
        nothing = ReplicationPlan(push.transfer, (), (), 0, {})
        self._active, self._reference = nothing, nothing
        self.down: frozenset[Arc] = frozenset()
        self.reference_down: frozenset[Arc] = frozenset()
        self._held: dict[str, bytes] = {}  # segments of the active instance by router
        self._old: list[tuple[int, int, tuple[str, ...]]] = []  # (until [ns], instance, routers)

    def compute(self, cause: Cause, heard_ns: int, down: frozenset[Arc]) -> Round:
        """One computation and all that follows from it."""
        started_ns = time.monotonic_ns()
        routes = self._intact.without(down)
        dist = routes.dist_from(self._demand.origin)
        reached = {name for name, pe, _ in self._demand.clouds if dist[pe] >= 0}
        demand = self._demand.only(reached)
        fresh = cause == "open" or not self.down <= down
        self.down = down
        plan, kind = self._scheme.replan(routes, demand, self._reference, fresh)
        if fresh:
            self._reference, self.reference_down = plan, down
        plan = renamed(plan, self._key)
        values = self._values(plan, self.instance)
        computed_ns = time.monotonic_ns()
        done: tuple[int | None, int | None, int] = None, None, 0
        if plan.entries != self._active.entries or cause == "open":
            if self._in_place and cause != "open":
                done = self._replace(values, plan)
            else:
                done = self._install(plan, first=cause == "open")
        self._active = plan
        where = named(self._spec, down)
        return Round(
            self.push.transfer, cause, heard_ns, started_ns, computed_ns, *done[:2], kind,
            self.instance, done[2], where,
        )  # fmt: skip

    def _values(self, plan: ReplicationPlan, instance: int) -> dict[str, bytes]:
        """The element of each router's `segments`; the farthest from the root first."""
        dist = self._intact.dist_from(self._demand.origin)
        found = self._lookup.segments(self.push, plan)
        index = self._spec.scenario.topology.graph.index
        order = sorted(found, key=lambda host: -dist[index[self._spec.router[host].name]])
        return {host: segment_value(found[host], self.push, instance) for host in order}

    def _install(self, plan: ReplicationPlan, *, first: bool) -> tuple[int, int, int]:
        """A new instance beside the old one; then the root switches."""
        before, held = self.instance, tuple(self._held)
        if not first:
            self.instance = before % MOST_INSTANCES + 1
        values = self._values(plan, self.instance)
        key = sid_key(self.push, self.instance)
        for host, value in values.items():
            self._routers.segments[host].update(key, value)
        programmed_ns = time.monotonic_ns()
        self._switch(plan)
        switched_ns = time.monotonic_ns()
        if not first:
            self._old.append((switched_ns + self._hold_ns, before, held))
        self._held = values
        return programmed_ns, switched_ns, len(values)

    def _switch(self, plan: ReplicationPlan) -> None:
        policies = self._routers.policies[self.push.origin.router]
        value = policy_value(self.push, self.instance)
        for key in stream_keys(self.push):
            if plan.impose:
                policies.update(key, value)
            else:
                policies.delete(key)

    def _replace(
        self, values: Mapping[str, bytes], plan: ReplicationPlan
    ) -> tuple[int, int | None, int]:
        """The same instance: what differs is replaced, then what is left over removed."""
        key, written = sid_key(self.push, self.instance), 0
        for host in reversed(list(values)):
            if self._held.get(host) != values[host]:
                self._routers.segments[host].update(key, values[host])
                written += 1
        programmed_ns, switched_ns = time.monotonic_ns(), None
        if plan.impose != self._active.impose:
            self._switch(plan)
            switched_ns = time.monotonic_ns()
        for host in self._held.keys() - values.keys():
            self._routers.segments[host].delete(key)
        self._held = dict(values)
        return programmed_ns, switched_ns, written

    def due_ns(self) -> float:
        """When `tidy` has something to remove; infinity if nothing is held."""
        return min((until_ns for until_ns, _, _ in self._old), default=math.inf)

    def tidy(self, now_ns: float) -> None:
        """Remove instances whose hold time is over."""
        for entry in [entry for entry in self._old if entry[0] <= now_ns]:
            self._old.remove(entry)
            _, instance, hosts = entry
            key = sid_key(self.push, instance)
            for host in hosts:
                self._routers.segments[host].delete(key)

    def close(self) -> None:
        """Nothing of this push is left on any router, the root's policy first."""
        for key in stream_keys(self.push):
            self._routers.policies[self.push.origin.router].delete(key)
        self._old.append((0, self.instance, tuple(self._held)))
        self._held = {}
        self.tidy(math.inf)
