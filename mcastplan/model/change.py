"""What changes in the network after an event: who does what, when, and what it waited for."""

from __future__ import annotations

import msgspec

from mcastplan.model.plan import Demand, Entry, Key, Packet, ReplicationPlan, Routes
from mcastplan.model.topology import Arc, Node

# What an instant of an outage waits for, in the order in which a failure meets them.
STAGES: dict[str, str] = {
    "down": "the link or node itself is down",
    "detection": "nobody has noticed yet",
    "protect": "the router next to it puts a pre-computed backup in place",
    "adjacency": "the IGP adjacency over a repaired link forms",
    "flooding": "the LSA is originated and flooded to the router that must act",
    "throttle": "that router's SPF throttle waits",
    "spf": "its SPF runs",
    "fib": "its FIB is written",
    "bift": "its BIFT is written",
    "hello": "PIM's Hello over a repaired link is awaited, without which no Join is sent",
    "join": "Joins travel and mroutes are written",
    "compute": "the controller computes",
    "program": "the controller programs the new tree and hears its acknowledgements",
    "switch": "the root switches to the new tree",
    "hold": "the old tree is kept for packets that are on it",
    "propagation": "packets are on the new, longer way",
}


class Cause(msgspec.Struct, frozen=True):
    """One stage of a causal chain; it ended at ``until_s`` and began when ``before`` ended (the
    first one: at the event itself, whose own stage is ``down`` with ``before`` None)."""

    stage: str
    until_s: float
    before: Cause | None = None

    def then(self, stage: str, until_s: float) -> Cause:
        return Cause(stage, until_s, self)


class Update(msgspec.Struct, frozen=True):
    """One node changes one thing at one instant.

    ``routes``: from now on it forwards by these. ``entry``: its state for a key, None to remove it.
    ``impose``: the packets that it imposes for the transfer from now on.
    """

    at_s: float
    node: Node
    cause: Cause
    routes: Routes | None = None
    entry: tuple[Key, Entry | None] | None = None
    impose: tuple[Packet, ...] | None = None


class Heard(msgspec.Struct, frozen=True):
    """What one node holds to be down from ``at_s`` on: its link-state database, or (in `Igp.own`)
    its own interfaces (arcs out of it and back)."""

    at_s: float
    down: frozenset[Arc]
    cause: Cause


class Transition(msgspec.Struct, frozen=True):
    """What a scheme does about one transfer between two steady states.

    ``updates`` in time order: entries and imposition (not routes: those are `Scheme.forwarding`).
    ``demand`` and ``after`` are what holds in the end.
    """

    demand: Demand
    after: ReplicationPlan
    updates: tuple[Update, ...] = ()
    notes: tuple[str, ...] = ()
