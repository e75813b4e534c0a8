"""One router's FIB through one life: interfaces that go, backups, and what its SPFs write."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from mcastplan.converge.reroutes import Reroutes
from mcastplan.model.change import Cause, Update
from mcastplan.model.plan import Routes
from mcastplan.model.timers import Timers
from mcastplan.model.topology import Arc, Node
from mcastplan.underlay.protection import Protection, local_routes
from mcastplan.underlay.routes import IgpRoutes


class Spf(msgspec.Struct, frozen=True):
    """One run: what it computes, on a database without ``down``."""

    start_s: float
    routes: IgpRoutes
    down: frozenset[Arc]
    cause: Cause  # up to its start


# (when, order at one instant, own interfaces out of use, or None: a backup is ready, or an SPF's
# routes are written, why)
_Step = tuple[float, int, frozenset[Arc] | Spf | None, Cause]


class Fib:
    """Turns a router's interfaces and SPFs into updates of its routes."""

    def __init__(
        self, node: Node, timers: Timers, protection: Protection, reroutes: Reroutes
    ) -> None:
        self._node = node
        self._timers = timers
        self._protection = protection
        self._reroutes = reroutes

    def updates(
        self,
        routes: IgpRoutes,
        down: frozenset[Arc],
        own: Sequence[tuple[float, frozenset[Arc], Cause]],
        spfs: Sequence[Spf],
    ) -> list[Update]:
        """From a FIB of ``routes``, which do without ``down``. ``own``: (from when, the router's
        interfaces out of use, why)."""
        steps: list[_Step] = []
        gone: frozenset[Arc] = frozenset()
        for at_s, now, cause in own:
            steps.append((at_s, 0, now, cause))
            if now - gone and self._protection != "none":
                ready_s = at_s + self._timers.protect_s
                steps.append((ready_s, 1, None, cause.then("protect", ready_s)))
            gone = now
        steps += self._written(routes, spfs)
        steps.sort(key=lambda step: step[:2])
        return self._replay(routes, down, steps)

    def _written(self, routes: IgpRoutes, spfs: Sequence[Spf]) -> list[_Step]:
        """When each SPF's routes are in the FIB: one SPF's after another's."""
        free_s = -math.inf
        found: list[_Step] = []
        for spf in spfs:
            ended_s = spf.start_s + self._timers.spf_run_s
            count = self._reroutes.count(self._node, routes, spf.routes)
            free_s = max(ended_s, free_s) + count * self._timers.write_s
            routes = spf.routes
            cause = spf.cause.then("spf", ended_s).then("fib", free_s)
            found.append((free_s, 2, spf, cause))
        return found

    def _replay(
        self,
        routes: IgpRoutes,
        down: frozenset[Arc],
        steps: Sequence[_Step],
    ) -> list[Update]:
        """An SPF that changes nothing writes nothing, except that it brings an interface back."""
        found: list[Update] = []
        own: frozenset[Arc] = frozenset()
        since_s = -math.inf  # the last interface to go
        patched = False  # forwards by less than ``routes``
        for at_s, _, what, cause in steps:
            if isinstance(what, Spf):
                if what.down == down and not patched:
                    continue
                routes, down = what.routes, what.down
                patched = not own <= down
                use = self._local(routes, own, "none") if patched else routes
            elif what is None:
                if own <= down or at_s < since_s + self._timers.protect_s:
                    continue
                use = self._local(routes, own, self._protection)
            else:
                if what - own:
                    since_s = at_s
                lost, own = what - own, what
                if not lost or (own <= down and found):
                    continue
                patched = patched or not own <= down
                use = self._local(routes, own, "none") if patched else routes
            found.append(Update(at_s, self._node, cause, routes=use))
        return found

    def _local(self, routes: IgpRoutes, own: frozenset[Arc], protection: Protection) -> Routes:
        return local_routes(routes, self._node, own, protection)
