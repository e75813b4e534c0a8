"""(S,G) state of all routers while it changes, and the forwarding caches (MFC) it is written to."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mcastplan.model.change import Cause, Update
from mcastplan.model.plan import Demand, Entry, ReplicationPlan, Routes
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.base import Igp
from mcastplan.schemes.mofrr import alternate
from mcastplan.schemes.mroute import NO_RPF, Tree, keys_of
from mcastplan.underlay.routes import IgpRoutes


class Sg(msgspec.Struct):
    """(S,G) of one router: one transfer.

    ``joined``: arcs on which a Join holds, and whether it is for the sender's primary stream (not a
    MoFRR spare); ``written``: those in the MFC. ``rpf_neighbor``: the arc towards RPF'(S,G).
    ``accepted``: the arc over which data is accepted the other way. ``upstreams``: whom it has
    joined, as in ``joined``. ``installed``: the MFC has an entry.
    """

    joined: dict[Arc, bool]
    written: dict[Arc, None]
    local: bool = False
    installed: bool = False
    rpf_neighbor: Arc | None = None
    accepted: Arc | None = None
    upstreams: dict[Arc, bool] = {}

    @property
    def wanted(self) -> bool:
        """JoinDesired(S,G)."""
        return self.local or bool(self.joined)

    @property
    def spare(self) -> Arc | None:
        """The arc towards the secondary upstream neighbour."""
        return next(
            (arc for arc, primary in self.upstreams.items() if arc != self.rpf_neighbor), None
        )


class Mroutes:
    """Of all routers and transfers (by place), loaded from the plans where first needed.

    ``updates`` and ``entries`` by place: ``entries`` holds what routers that changed anything have
    by now, None where removed.
    """

    def __init__(
        self, igp: Igp, plans: Sequence[tuple[Demand, ReplicationPlan]], mofrr: bool
    ) -> None:
        self._igp, self._mofrr = igp, mofrr
        self._plans = [plan for _, plan in plans]
        self.demands = [demand for demand, _ in plans]
        self._keys = [keys_of(demand.transfer)[0] for demand in self.demands]
        self._primary = [self._primary_arcs(place) for place in range(len(plans))] if mofrr else []
        self._states: dict[tuple[Node, int], Sg | None] = {}
        self._routes: dict[Node, Routes | None] = {}
        self.updates: list[list[Update]] = [[] for _ in plans]
        self.entries: list[dict[Node, Entry | None]] = [{} for _ in plans]

    def at(self, node: Node) -> list[Sg | None]:
        """The router's state, a place for each transfer."""
        return [self.get(node, place) for place in range(len(self._plans))]

    def get(self, node: Node, place: int) -> Sg | None:
        if (node, place) not in self._states:
            self._states[node, place] = self._loaded(node, place)
        return self._states[node, place]

    def make(self, node: Node, place: int) -> Sg:
        """The router's state, empty where it had none."""
        state = self.get(node, place)
        if state is None:
            state = self._states[node, place] = Sg({}, {})
        return state

    def lose(self, node: Node, place: int) -> None:
        self._states[node, place] = None

    def follow(self, node: Node, routes: Routes | None) -> None:
        """From now on the router's RIB is this one; None: it has none."""
        self.at(node)  # what it had so far was chosen by the routes before
        self._routes[node] = routes

    def turn(self, node: Node, place: int, state: Sg) -> None:
        """RPF'(S,G), and the IIF with it, by the router's RIB of now."""
        routes, root = self._routes.get(node, self._igp.before), self.demands[place].origin
        arc = None
        if routes is not None and node != root:
            arc = routes.next_arc(node, root, self._keys[place])
        state.rpf_neighbor = state.accepted = arc

    def desired(self, node: Node, place: int, state: Sg) -> dict[Arc, bool]:
        """Whom the router has to join: a spare only for a primary stream of somebody."""
        primary, routes = state.rpf_neighbor, self._routes.get(node, self._igp.before)
        if not state.wanted or primary is None:
            return {}
        first = state.local or any(state.joined.values())
        found = {primary: first}
        # What a router has before its SPF knows of its own interfaces names no alternates.
        if self._mofrr and first and isinstance(routes, IgpRoutes):
            spare = alternate(routes, node, self.demands[place].origin, primary)
            if spare is not None:
                found[spare] = False
        return found

    def write(self, node: Node, place: int, oif: Arc) -> None:
        """What holds by now is written: a Prune overtaken by a Join leaves no trace."""
        state = self.get(node, place)
        if state is None:
            return
        if oif in state.joined:
            state.written[oif] = None
        else:
            state.written.pop(oif, None)
        state.installed = state.wanted or bool(state.written)

    def show(self, node: Node, place: int, cause: Cause, at_s: float) -> None:
        """An update, where what the router forwards by has changed."""
        state, entry = self.get(node, place), None
        if state is not None and state.installed:
            entry = self._entry(node, place, state)
        key, shown = self._keys[place], self.entries[place]
        before = shown[node] if node in shown else self._plans[place].entries.get((node, key))
        if entry != before:
            shown[node] = entry
            self.updates[place].append(Update(at_s, node, cause, entry=(key, entry)))

    def _entry(self, node: Node, place: int, state: Sg) -> Entry:
        """inherited_olist(S,G) less the RPF interface; without a route nothing may enter."""
        back = state.accepted
        iif = NO_RPF if back is None else back ^ 1
        out = tuple(arc for arc in state.written if arc != back)
        root = self.demands[place].origin
        return Entry(out, None if node == root else iif, state.local, "(S,G)")

    def _loaded(self, node: Node, place: int) -> Sg | None:
        entry = self._plans[place].entries.get((node, self._keys[place]))
        if entry is None:
            return None
        out = [arc for arc in entry.out if isinstance(arc, int)]
        joined = {arc: not self._mofrr or arc in self._primary[place] for arc in out}
        state = Sg(joined, dict.fromkeys(out), entry.local, installed=True)
        self.turn(node, place, state)
        state.upstreams = self.desired(node, place, state)
        return state

    def _primary_arcs(self, place: int) -> frozenset[Arc]:
        demand = self.demands[place]
        tree = Tree(self._igp.before, demand.origin, self._keys[place], demand.pes)
        return frozenset(arc for oifs in tree.oifs.values() for arc in oifs)
