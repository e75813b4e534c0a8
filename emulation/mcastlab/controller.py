"""The SR-P2MP controller (RFC 9960): a process that hears what an ospfd of its own hears.

It sits at the root's site: a namespace with zebra and ospfd, one link to the root's router, at the
highest OSPF metric, so that it is a leaf of the network and carries nothing. Each change of the
link-state database reaches it as ospfd installs it (`mcastlab.lsdb`). As the planner's: idle, it
computes when another set of links is down than before, on the database of that instant; what it
hears meanwhile starts another computation. What comes of it: `mcastlab.schemes.sr_tree`.

It programs by writing to the routers' BPF maps itself: a management channel out of band that loses
nothing. Not modelled: several controllers for one root.
"""

from __future__ import annotations

import math
import selectors
import sys
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from mcastlab.errors import LabError
from mcastlab.lsdb import Links, Lsdb, named
from mcastlab.schemes.sr_segments import MOST_INSTANCES, Lookup
from mcastlab.schemes.sr_tree import Round, Routers, Status, Tree
from mcastplan.lab.spec import LabSpec
from mcastplan.model.topology import Arc
from mcastplan.study.compare import context_of

HEAR_S = 20.0  # until the controller's database holds every link of the lab


class Job(msgspec.Struct, frozen=True):
    """What the process is started with: pins of each router's maps, and `Lookup`'s ifindexes."""

    spec: LabSpec
    pins: Mapping[str, Path]
    ifindex: Mapping[tuple[str, str], int]


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
                    tree = self._tree(argument)
                    result = Status(tree.instance, tree.down, tree.reference_down)
                case "history":
                    result = tuple(self._history)
            engine.send((True, result))
        except LabError as error:
            engine.send((False, str(error)))
        return bool(what != "stop")

    def _open(self, transfer: str, heard_ns: int, down: frozenset[Arc]) -> Round:
        if transfer in self._trees:
            raise LabError(f"push {transfer} is open already")
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

    def _tree(self, transfer: str) -> Tree:
        if transfer not in self._trees:
            raise LabError(f"push {transfer} is not open")
        return self._trees[transfer]

    def _close(self, transfer: str) -> None:
        tree = self._tree(transfer)
        del self._trees[transfer]
        tree.close()
        # A packet of this opening must find nothing of the next one.
        self._next_instance[transfer] = tree.instance % MOST_INSTANCES + 1


def ask(engine: Connection, what: str, argument: object, budget_s: float) -> Any:
    """The engine's side: the controller's answer.

    Raises `LabError` with what the controller says, or when it says nothing in time or is gone.
    """
    try:
        engine.send((what, argument))
    except OSError as error:
        raise LabError(f"the SR-P2MP controller ended; it was asked to {what}") from error
    return answer(engine, what, budget_s)


def answer(engine: Connection, what: str, budget_s: float) -> Any:
    """As `ask`, of a question that has been sent."""
    try:
        if not engine.poll(budget_s):
            raise LabError(f"the SR-P2MP controller does not answer within {budget_s:g} s: {what}")
        good, result = engine.recv()
    except (EOFError, OSError) as error:
        raise LabError(f"the SR-P2MP controller ended; it was asked to {what}") from error
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
    if isinstance(job, Job):  # else it is told to stop before it began
        try:
            Controller(job).serve(engine)
        except LabError as error:  # whoever asks next hears that the controller ended
            sys.stderr.write(f"SR-P2MP controller: {error}\n")
            return 1
    return 0
