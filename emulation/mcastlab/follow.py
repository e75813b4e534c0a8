"""One process that follows the routes of every router, node by node, as the kernels change them.

It has a netlink socket in each router's namespace and learns of a route when that router's own
kernel does, never of the routes of another. What is to be done about it (BIER: write rows of a
BIFT) is a function that is called in that process, so that no message between processes lies in
between; every change is also kept, with the instant it was read and the instant that function was
done, for whoever wants to know when which router had which route.
"""

from __future__ import annotations

import errno
import gc
import select
import socket
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from mcastlab.errors import LabError
from mcastlab.routes import (
    NLMSG_DONE,
    NLMSG_ERROR,
    RTM_GETLINK,
    RTM_GETROUTE,
    Routes,
    messages,
    request,
)
from mcastlab.workers import Channel, Worker, first_in_line

if TYPE_CHECKING:
    from mcastlab.network import Network
    from mcastplan.lab.spec import LabSpec

# linux/rtnetlink.h: LINK 1, IPV4_ROUTE 7, NEXTHOP 32
_GROUPS = 1 << 0 | 1 << 6 | 1 << 31
_SO_RCVBUFFORCE = 33
_BUFFER_BYTES = 8 << 20
_READ_BYTES = 1 << 17
_CHUNK = 200  # changes in a message to the engine
READY_S = 30.0  # budget for every router's routes to be read once


class RouteChange(msgspec.Struct, frozen=True, array_like=True):
    """A router's route to another's loopback is now this one; ``next_hop`` None: there is none.

    ``heard_ns``: the message was read; ``done_ns``: what follows from it was written.
    """

    host: str
    prefix: str
    next_hop: str | None
    port: str | None
    heard_ns: int
    done_ns: int


# (host, [(loopback, port)]): called in the follower's process, once for what came together.
OnChange = Callable[[str, Sequence[tuple[str, str | None]]], None]


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Every router's routes are known and acted upon."""


class Changes(msgspec.Struct, frozen=True, tag=True):
    """``more``: others follow in the next message."""

    changes: list[RouteChange]
    more: bool


class Report(msgspec.Struct, frozen=True, tag=True):
    """Tell what has changed since the last time."""


def _nothing(host: str, changes: Sequence[tuple[str, str | None]]) -> None:
    """For those who only want to know."""


class RouteFollower:
    """Follows each router's IPv4 routes to the loopbacks of all routers."""

    def __init__(self, network: Network, spec: LabSpec, on_change: OnChange = _nothing) -> None:
        self._network, self._spec, self._on_change = network, spec, on_change
        self._worker: Worker[Any] | None = None

    def start(self) -> None:
        """Returns once every route that is there has been acted upon. Raises `LabError`."""
        self._worker = Worker(
            self._network,
            self._spec.routers[0].host,
            "route follower",
            self._main,
            commands=Report,
            events=Ready | Changes,
        )
        ready, _, _ = select.select([self._worker], [], [], READY_S)
        if not ready:
            raise LabError(f"the route follower has not read all routes within {READY_S:g} s")
        self._worker.receive()

    def changes(self) -> tuple[RouteChange, ...]:
        """What changed since `start` or the last call, in the order it was heard.

        Raises `LabError` if the process is gone.
        """
        assert self._worker is not None, "start comes first"
        self._worker.send(Report())
        found: list[RouteChange] = []
        while True:
            event = self._worker.receive()
            found += event.changes
            if not event.more:
                return tuple(found)

    def check(self) -> None:
        """Raises `LabError` with its reason if the process has ended, and routes go unheeded."""
        if self._worker is not None and select.select([self._worker], [], [], 0)[0]:
            self._worker.receive()

    def stop(self) -> None:
        """End the process. May be called twice."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _main(self, channel: Channel[Report]) -> None:
        first_in_line()
        gc.disable()  # nothing here makes cycles, and a collection costs milliseconds
        loopbacks = frozenset(router.loopback for router in self._spec.routers)
        kernels = [
            _Kernel(self._network, router.host, loopbacks, self._on_change)
            for router in self._spec.routers
        ]
        by_number = {each.fileno(): each for each in kernels}
        for each in kernels:
            each.read_all()
        channel.send(Ready())
        record: list[RouteChange] = []
        poller = select.epoll()
        for number in by_number:
            poller.register(number, select.EPOLLIN)
        poller.register(channel.fileno(), select.EPOLLIN)
        while True:
            for number, _ in poller.poll():
                if number in by_number:
                    record += by_number[number].read()
                else:
                    channel.receive()
                    for each in kernels:  # what was said before the question is in the answer
                        record += each.read()
                    _tell(channel, record)
                    record = []


def _tell(channel: Channel[Report], record: list[RouteChange]) -> None:
    for at in range(0, max(1, len(record)), _CHUNK):
        channel.send(Changes(record[at : at + _CHUNK], at + _CHUNK < len(record)))


class _Kernel:
    """One router's kernel: its netlink socket, and what it has said."""

    def __init__(
        self, network: Network, host: str, loopbacks: frozenset[str], on_change: OnChange
    ) -> None:
        self._host, self._on_change = host, on_change
        self._names = {socket.inet_aton(each): each for each in loopbacks}
        self._routes = Routes(frozenset(self._names))
        self._now: dict[bytes, tuple[int, bytes] | None] = dict.fromkeys(self._names)
        with network.inside(host):
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            self._ports = dict(socket.if_nameindex())
        self._netlink.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        self._netlink.bind((0, _GROUPS))

    def fileno(self) -> int:
        return self._netlink.fileno()

    def read_all(self) -> list[RouteChange]:
        """Ask for everything, at the start and after messages were lost."""
        self._netlink.setblocking(True)
        while not self._dumped():
            pass  # messages were lost once more
        self._netlink.setblocking(False)
        return self._act(set(self._names))

    def _dumped(self) -> bool:
        """Whether all links and routes were read and no message was lost meanwhile."""
        whole = True
        self._routes.forget()
        for sequence, kind in enumerate((RTM_GETLINK, RTM_GETROUTE), 1):
            self._netlink.send(request(kind, sequence))
            done = False
            while not done:
                try:
                    data = self._netlink.recv(_READ_BYTES)
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise
                    whole = False
                    continue
                for what, begin, end in messages(data):
                    if what == NLMSG_ERROR:
                        raise LabError(f"{self._host}: netlink refuses to list its routes")
                    done = done or what == NLMSG_DONE
                    self._routes.take(what, data, begin, end)
        return whole

    def read(self) -> list[RouteChange]:
        """Everything that has been said; acted upon when nothing more is there to read."""
        touched: set[bytes] = set()
        while True:
            try:
                data = self._netlink.recv(_READ_BYTES)
            except BlockingIOError:
                return self._act(touched)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                return self.read_all()
            for kind, begin, end in messages(data):
                touched |= self._routes.take(kind, data, begin, end)

    def _act(self, touched: set[bytes]) -> list[RouteChange]:
        heard_ns = time.monotonic_ns()
        changed: dict[bytes, tuple[int, bytes] | None] = {}
        for prefix in touched:
            route = self._routes.best(prefix)
            now = None if route is None else (route.ifindex, route.gateway)
            if now != self._now[prefix]:
                self._now[prefix] = changed[prefix] = now
        if not changed:
            return []
        hops = [
            (self._names[prefix], None if now is None else self._ports[now[0]])
            for prefix, now in changed.items()
        ]
        self._on_change(self._host, hops)
        done_ns = time.monotonic_ns()
        return [
            RouteChange(
                self._host,
                name,
                socket.inet_ntoa(now[1]) if now is not None and now[1] else None,
                port,
                heard_ns,
                done_ns,
            )
            for (name, port), now in zip(hops, changed.values(), strict=True)
        ]
