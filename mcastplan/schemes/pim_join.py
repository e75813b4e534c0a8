"""The Join/Prune machines of all routers through one episode of failures and repairs (RFC 7761).

Discrete events, all transfers together, because a router writes its MFC entry by entry. A router's
RPF'(S,G) follows its RIB, so only FIB flips that come from an SPF move it: the IIF moves at once,
Join goes to the new upstream and Prune to the old one in that instant (section 4.5.7). A message
crosses a link in its delay and is handled ``join_s`` after its arrival; what it changes is written
``write_s`` later for every entry that the router has yet to write. A router without state sends its
own Join as soon as it has handled the first one. Prune-pending is 0: links are point to point.

Over a link that comes back no Join or Prune is sent until both ends have heard a Hello,
``pim_hello_s`` after the link is up (section 4.3.1); with 0 that is before the IGP adjacency. A
Join that is lost is sent again at multiples of t_periodic (60 s) from the first; a Prune that is
lost leaves a branch that forwards until its holdtime (210 s) ends, here counted from the Prune.
Over an interface that comes back while RPF' still points there, Join is sent at once (t_override,
0 to 2.5 s, taken as 0).

Not modelled: time to write an IIF that moves; Assert; Hellos that are lost; neighbours that
outlive a silent failure; Joins and Prunes bundled in one message.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import count

import msgspec

from mcastplan.model.change import Cause, Heard, Update
from mcastplan.model.plan import Demand, ReplicationPlan
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import Igp
from mcastplan.schemes.pim_state import Mroutes, Sg

T_PERIODIC_S = 60.0  # RFC 7761 section 4.11
HOLDTIME_S = 3.5 * T_PERIODIC_S  # of a Join; section 4.11

# What goes first where instants are equal: a router sees its interfaces before it computes, and
# its own tables before what others send.
_NODE, _INTERFACE, _FLIP, _WRITE, _MESSAGE = range(5)


class _Message(msgspec.Struct, frozen=True):
    """For one transfer, over an arc towards the upstream neighbour. ``primary`` None: a Prune;
    False: a Join for a MoFRR spare. ``first_s``: when it was first sent."""

    place: int
    arc: Arc
    primary: bool | None
    cause: Cause
    sent_s: float
    first_s: float


class JoinPrune:
    """Runs once, by `run`; what comes of it is in ``mroutes``."""

    def __init__(
        self, igp: Igp, plans: Sequence[tuple[Demand, ReplicationPlan]], mofrr: bool = False
    ) -> None:
        self._igp, self._mofrr = igp, mofrr
        self.mroutes = Mroutes(igp, plans, mofrr)
        self._unused: dict[Node, frozenset[Arc]] = {}
        self._hello_s: dict[Arc, float] = {}  # when the neighbour over a repaired link is heard
        self._idle_s: dict[Node, float] = {}  # from when on a router's MFC writer is idle
        self._heap: list[tuple[float, int, int, Callable[[float], None]]] = []
        self._order = count()
        self._settled_s = 0.0  # the network and its IGP change no more

    def run(self) -> None:
        self._schedule()
        physical = (end for spans in self._igp.down.values() for _, end in spans)
        planned = (at for at, *_ in self._heap)
        self._settled_s = max((at for at in (*physical, *planned) if at < math.inf), default=0.0)
        while self._heap:
            at, _, _, event = heappop(self._heap)
            event(at)

    def _push(self, at: float, rank: int, event: Callable[[float], None]) -> None:
        heappush(self._heap, (at, rank, next(self._order), event))

    def _schedule(self) -> None:
        """What the IGP and the failures do, router by router."""
        igp = self._igp
        # A failed router without links is known to nobody else.
        ends = {igp.graph.tail[arc] for arc in igp.down}
        for node in sorted(ends.union(demand.origin for demand in self.mroutes.demands)):
            for begin, end in igp.node_down(node):
                self._push(begin, _NODE, partial(self._die, node))
                if end < math.inf:
                    self._push(end, _NODE, partial(self._boot, node))
        for node in sorted(self._concerned(ends)):
            for heard in igp.own(node):
                self._push(heard.at_s, _INTERFACE, partial(self._see, node, heard))
            if node not in ends and self._keeps_rpf(node):
                continue
            for update in igp.flips(node):
                if update.cause.stage == "fib":
                    self._push(update.at_s, _FLIP, partial(self._flip, node, update))

    def _keeps_rpf(self, node: Node) -> bool:
        """Whether RPF' is the same in the end, where there is nothing in between but the network as
        it was: one link is down in the end. A spare may move all the same."""
        igp = self._igp
        if self._mofrr or len(igp.down) != 2 or igp.after.base is not igp.before:
            return False
        return all(igp.after.stays(node, each.origin) for each in self.mroutes.demands)

    def _concerned(self, ends: set[Node]) -> set[Node]:
        """Routers next to a failure, and those with it on a shortest path to a source: whatever
        part of it the IGP knows, RPF' of others stays. MoFRR: with their neighbours, of which they
        may be spares."""
        graph, arcs = self._igp.graph, self._igp.down
        found = set(ends)
        for root in sorted({demand.origin for demand in self.mroutes.demands}):
            found |= self._igp.before.above(arcs, root)
        if self._mofrr:
            found.update([u for v in found for u, _, _ in graph.into[v]])
        return found

    # A router's own events.

    def _die(self, node: Node, at: float) -> None:
        self.mroutes.follow(node, None)  # nor after the reboot, before its first SPF
        self._unused.pop(node, None)
        for place in range(len(self.mroutes.demands)):
            self.mroutes.lose(node, place)
            self.mroutes.show(node, place, Cause("down", at), at)

    def _boot(self, node: Node, at: float) -> None:
        """Its receivers report again; its neighbours join it over interfaces that come back."""
        for place, demand in enumerate(self.mroutes.demands):
            if node in demand.pes:
                report = partial(self._report, node, place, Cause("down", at))
                self._push(at + self._igp.timers.igmp_s, _MESSAGE, report)

    def _report(self, node: Node, place: int, cause: Cause, at: float) -> None:
        if self._igp.alive(node, at):
            state = self.mroutes.make(node, place)
            if not state.wanted:
                self.mroutes.turn(node, place, state)
            state.local = state.installed = True
            self._tell(node, place, state, cause.then("join", at), at)
            self.mroutes.show(node, place, cause.then("join", at), at)

    def _see(self, node: Node, heard: Heard, at: float) -> None:
        """OIFs on interfaces out of use go at once; RPF' waits for the FIB."""
        if not self._igp.alive(node, at):
            return
        before = self._unused.get(node, frozenset())
        self._unused[node] = heard.down
        self._meet(before - heard.down, at)
        for place, state in enumerate(self.mroutes.at(node)):
            if state is None:
                continue
            for arc in heard.down - before:
                state.joined.pop(arc, None)
                state.written.pop(arc, None)
            self._tell(node, place, state, heard.cause, at)
            state.installed = state.wanted or bool(state.written)
            self._spare(node, place, state, heard, at)
            self.mroutes.show(node, place, heard.cause, at)
            for arc in sorted(before - heard.down):
                if arc in state.upstreams:
                    self._join(place, arc, state.upstreams[arc], heard.cause, at)

    def _meet(self, back: frozenset[Arc], at: float) -> None:
        """Interfaces that are in use again: Hellos count from when the link came up."""
        for arc in back:
            ups = [end for _, end in self._igp.down.get(arc, ()) if end <= at]
            self._hello_s[arc] = max(ups, default=at) + self._igp.timers.pim_hello_s

    def _spare(self, node: Node, place: int, state: Sg, heard: Heard, at: float) -> None:
        """MoFRR: accept from the secondary upstream once RPF' is out of use, until the next FIB
        flip (RFC 7431)."""
        primary, spare = state.rpf_neighbor, state.spare
        if primary is None or spare is None or state.accepted != primary:
            return
        if primary in heard.down and spare not in heard.down:
            done = at + self._igp.timers.protect_s
            cause = heard.cause.then("protect", done)
            self._push(done, _WRITE, partial(self._switch, node, place, primary, cause))

    def _switch(self, node: Node, place: int, primary: Arc, cause: Cause, at: float) -> None:
        state, unused = self.mroutes.get(node, place), self._unused.get(node, ())
        if state is None or state.rpf_neighbor != primary or primary not in unused:
            return
        if state.spare is not None and state.spare not in unused:
            state.accepted = state.spare
            self.mroutes.show(node, place, cause, at)

    def _flip(self, node: Node, update: Update, at: float) -> None:
        if not self._igp.alive(node, at):
            return
        self.mroutes.follow(node, update.routes)
        for place, state in enumerate(self.mroutes.at(node)):
            if state is not None and state.wanted:
                self.mroutes.turn(node, place, state)
                self.mroutes.show(node, place, update.cause, at)
                self._tell(node, place, state, update.cause, at)

    # Messages.

    def _tell(self, node: Node, place: int, state: Sg, cause: Cause, at: float) -> None:
        """Joins and Prunes that bring the upstream neighbours up to what is wanted now."""
        old = state.upstreams
        new = state.upstreams = self.mroutes.desired(node, place, state)
        for arc, primary in new.items():
            if old.get(arc) is not primary:
                self._join(place, arc, primary, cause, at)
        for arc in old:
            if arc not in new:
                self._join(place, arc, None, cause, at)

    def _join(self, place: int, arc: Arc, primary: bool | None, cause: Cause, at: float) -> None:
        self._send(_Message(place, arc, primary, cause, at, at))

    def _send(self, message: _Message) -> None:
        igp, arc, sent = self._igp, message.arc, message.sent_s
        heard_s = self._hello_s.get(arc, sent)
        if sent < heard_s:
            self._push(heard_s, _MESSAGE, partial(self._greet, message))
            return
        arrives = sent + igp.graph.delay_s[arc]
        used = arc not in self._unused.get(igp.graph.tail[arc], ())
        if used and igp.up(arc, sent, arrives) and igp.alive(igp.graph.head[arc], arrives):
            handled = arrives + igp.timers.join_s
            self._push(handled, _MESSAGE, partial(self._handle, message))
        else:
            self._lost(message)

    def _lost(self, message: _Message) -> None:
        """t_periodic repeats a Join, holdtime takes the place of a Prune."""
        if message.primary is None:
            expire = partial(self._expire, message)
            self._push(message.sent_s + HOLDTIME_S, _MESSAGE, expire)
        elif message.sent_s <= self._settled_s:
            rounds = round((message.sent_s - message.first_s) / T_PERIODIC_S) + 1
            again = partial(self._again, message)
            self._push(message.first_s + rounds * T_PERIODIC_S, _MESSAGE, again)

    def _greet(self, message: _Message, at: float) -> None:
        """The neighbour is known now: it is told what is wanted now. It holds nothing to prune."""
        state = self.mroutes.get(self._igp.graph.tail[message.arc], message.place)
        if state is not None and message.arc in state.upstreams:
            primary, cause = state.upstreams[message.arc], message.cause.then("hello", at)
            self._send(_Message(message.place, message.arc, primary, cause, at, at))

    def _again(self, message: _Message, at: float) -> None:
        state = self.mroutes.get(self._igp.graph.tail[message.arc], message.place)
        if state is not None and message.arc in state.upstreams:
            primary = state.upstreams[message.arc]
            self._send(msgspec.structs.replace(message, primary=primary, sent_s=at))

    def _expire(self, message: _Message, at: float) -> None:
        below = self.mroutes.get(self._igp.graph.tail[message.arc], message.place)
        if below is None or message.arc not in below.upstreams:
            self._take(message, at)

    def _handle(self, message: _Message, at: float) -> None:
        """At the upstream neighbour, ``join_s`` after the arrival."""
        node, oif = self._igp.graph.head[message.arc], message.arc ^ 1
        if not self._igp.alive(node, at) or oif in self._unused.get(node, ()):
            self._lost(message)
        else:
            self._take(message, at)

    def _take(self, message: _Message, at: float) -> None:
        node, oif, place = self._igp.graph.head[message.arc], message.arc ^ 1, message.place
        state = self.mroutes.make(node, place)
        before = state.joined.get(oif)
        if before is message.primary:
            return
        if not state.wanted:
            self.mroutes.turn(node, place, state)
        if message.primary is None:
            del state.joined[oif]
        else:
            state.joined[oif] = message.primary
        self._tell(node, place, state, message.cause.then("join", at), at)
        if before is None or message.primary is None:
            self._write(node, place, oif, message.cause, at)

    def _write(self, node: Node, place: int, oif: Arc, cause: Cause, at: float) -> None:
        """``join_s`` holds the write itself; those before it come on top."""
        done = max(at, self._idle_s.get(node, at))
        self._idle_s[node] = done + self._igp.timers.write_s
        self._push(done, _WRITE, partial(self._written, node, place, oif, cause))

    def _written(self, node: Node, place: int, oif: Arc, cause: Cause, at: float) -> None:
        self.mroutes.write(node, place, oif)
        self.mroutes.show(node, place, cause.then("join", at), at)
