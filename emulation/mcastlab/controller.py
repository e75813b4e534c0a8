"""The SR-P2MP controller (RFC 9960): a process that hears what an ospfd of its own hears.

It sits at the root's site: a namespace with zebra and ospfd, one link to the root's router, at the
highest OSPF metric, so that it is a leaf of the network and carries nothing. Each change of the
link-state database reaches it as ospfd installs it (`mcastlab.lsdb`). As `sr_controller` of the
planner: idle, it computes when another set of links is down than before, on the database of that
instant; what it hears meanwhile starts another computation. Where other segments come out:

- make-before-break: a new instance with new SIDs on every router of the new tree, those farthest
  from the root first; then the root's policy is switched, one write for each of the push's two
  groups; ``mbb_hold`` later the old instance goes.
- in place: segments that differ are replaced, the root's first of all; then routers that the new
  tree leaves are cleaned up.

Programming is a write to a router's BPF map from this process: a management channel that is out of
band, never lost, and acknowledged by the system call's return. Every step is stamped with
CLOCK_MONOTONIC (`Round`). Not modelled: several controllers, candidate paths, routers that fail.
"""

from __future__ import annotations

import math
import selectors
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import msgspec

from mcastlab.bpf import Loaded, Map
from mcastlab.errors import LabError
from mcastlab.lsdb import Links, Lsdb, named
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
from mcastplan.study.compare import context_of
from mcastplan.underlay.routes import IgpRoutes

HEAR_S = 20.0  # until the controller's database holds every link of the lab
Cause = Literal["open", "change"]


class Round(msgspec.Struct, frozen=True):
    """One computation for one push, each instant on CLOCK_MONOTONIC [ns]. None: it came to no
    programming (the same segments), or to no switch (in place)."""

    transfer: str
    cause: Cause
    heard_ns: int  # the request to open, or the message of ospfd that changed the set of links
    started_ns: int  # later than heard where the controller was busy
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


class Job(msgspec.Struct, frozen=True):
    """What the process is started with: pins of each router's maps, and `Lookup`'s ifindexes."""

    spec: LabSpec
    pins: Mapping[str, Path]
    ifindex: Mapping[tuple[str, str], int]


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


class Controller:
    """The process: ospfd's messages, the engine's requests, and instances to remove in time."""

    def __init__(self, job: Job) -> None:
        context = context_of(job.spec.scenario)
        self._spec, self._routes = job.spec, context.routes
        self._demands = {demand.transfer: demand for demand in context.demands}
        self._routers, self._lookup = Routers(job.pins), Lookup(job.spec, job.ifindex)
        self._trees: dict[str, Tree] = {}
        self._next_instance: dict[str, int] = {}
        self._history: list[Round] = []
        self._pushes = {push.transfer: push for push in job.spec.pushes}

    def serve(self, engine: Connection) -> None:
        """Until told to stop, or the engine is gone. Answers (True, result) or (False, message)."""
        try:
            lsdb = self._heard_all()
        except LabError as error:
            engine.send((False, str(error)))
            return
        engine.send((True, None))
        with selectors.DefaultSelector() as ready:
            ready.register(lsdb, selectors.EVENT_READ, "ospfd")
            ready.register(engine, selectors.EVENT_READ, "engine")
            while True:
                due_ns = min((tree.due_ns() for tree in self._trees.values()), default=math.inf)
                wait_s = None
                if due_ns < math.inf:
                    wait_s = max(0.0, (due_ns - time.monotonic_ns()) / 1e9)
                # The network first: what it says may change the answer to the engine.
                for key, _ in sorted(
                    ready.select(wait_s), key=lambda each: each[0].data != "ospfd"
                ):
                    if key.data == "ospfd":
                        self._hear(lsdb)
                    elif not self._answer(engine, lsdb):
                        lsdb.close()
                        return
                for tree in self._trees.values():
                    tree.tidy(time.monotonic_ns())

    def _heard_all(self) -> Lsdb:
        """Connected, and every link of the lab in the database.

        Links that are down at the start would be missed for ever: `LabError` names them.
        """
        lsdb = Lsdb(Links(self._spec))
        deadline_s = time.monotonic() + HEAR_S
        with selectors.DefaultSelector() as ready:
            ready.register(lsdb, selectors.EVENT_READ)
            while lsdb.links.down:
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    missing = ", ".join(named(self._spec, lsdb.links.down))
                    raise LabError(f"the controller's ospfd does not hear of {missing}")
                if ready.select(left_s):
                    lsdb.read()
        return lsdb

    def _hear(self, lsdb: Lsdb) -> None:
        while lsdb.read():
            heard_ns, down = time.monotonic_ns(), lsdb.links.down
            for tree in self._trees.values():
                self._history.append(tree.compute("change", heard_ns, down))

    def _answer(self, engine: Connection, lsdb: Lsdb) -> bool:
        """Do what the engine asks for; whether to go on."""
        heard_ns = time.monotonic_ns()
        try:
            what, argument = engine.recv()
        except EOFError:
            return False
        result: object = None
        try:
            match what:
                case "open":
                    result = self._open(argument, heard_ns, lsdb.links.down)
                case "close":
                    self._close(argument)
                case "status":
                    tree = self._trees[argument]
                    result = Status(tree.instance, tree.down, tree.reference_down)
                case "history":
                    result = tuple(self._history)
            engine.send((True, result))
        except LabError as error:
            engine.send((False, str(error)))
        return bool(what != "stop")

    def _open(self, transfer: str, heard_ns: int, down: frozenset[Arc]) -> Round:
        tree = Tree(
            self._spec,
            self._pushes[transfer],
            self._demands[transfer],
            self._routes,
            self._routers,
            self._lookup,
            self._next_instance.get(transfer, 1),
        )
        done = tree.compute("open", heard_ns, down)
        self._trees[transfer] = tree
        self._history.append(done)
        return done

    def _close(self, transfer: str) -> None:
        tree = self._trees.pop(transfer)
        tree.close()
        # A packet of this opening must find nothing of the next one.
        self._next_instance[transfer] = tree.instance % MOST_INSTANCES + 1


def ask(engine: Connection, what: str, argument: object, budget_s: float) -> Any:
    """The engine's side: the controller's answer.

    Raises `LabError` with what the controller says, or when it says nothing in time or is gone.
    """
    try:
        engine.send((what, argument))
        return answer(engine, what, budget_s)
    except (EOFError, OSError) as error:
        raise LabError(f"the SR-P2MP controller ended; it was asked to {what}") from error


def answer(engine: Connection, what: str, budget_s: float) -> Any:
    """As `ask`, of a question that has been sent."""
    if not engine.poll(budget_s):
        raise LabError(f"the SR-P2MP controller does not answer within {budget_s:g} s: {what}")
    good, result = engine.recv()
    if not good:
        raise LabError(f"SR-P2MP controller: {result}")
    return result


def main(argv: list[str]) -> int:
    """Serve the engine at the other end of the socket whose descriptor is the only argument.

    The namespace is there before the first answer; daemons join it before the job comes.
    """
    engine = Connection(int(argv[0]))
    engine.send((True, None))
    try:
        job = engine.recv()
    except EOFError:
        return 0
    Controller(job).serve(engine)
    return 0
