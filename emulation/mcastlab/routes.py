"""What one kernel's IPv4 routes to a few /32 prefixes are, kept from its netlink messages.

The kernel announces routes that come, change or are deleted, but says nothing of those it removes
because their interface or next-hop object went away (linux/net/ipv4/fib_semantics.c: a flush
notifies nobody). So links and next hops are followed as well, and a route over a dead one is gone.

Not followed: tables but main, multipath beyond its first hop (the lab has no equal-cost paths),
the removal of an address that routes name as their source.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_DELNEXTHOP = 105
NLMSG_ERROR, NLMSG_DONE = 2, 3

_AF_INET = 2
_RT_TABLE_MAIN, _RTN_UNICAST = 254, 1
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_MULTIPATH = 1, 4, 5, 6, 9
_RTA_TABLE, _RTA_NH_ID = 15, 30
_NHA_ID = 1
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_DUMP = 0x1 | 0x300  # NLM_F_REQUEST | NLM_F_DUMP

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_RTMSG = struct.Struct("=BBBBBBBBI")
_IFINFOMSG = struct.Struct("=BxHiII")
_ATTRIBUTE = struct.Struct("=HH")
_U32 = struct.Struct("=I")


class Route(NamedTuple):
    """Where a prefix goes; ``gateway`` is empty for a neighbour on the link itself."""

    ifindex: int
    gateway: bytes
    nexthop_id: int


def request(kind: int, sequence: int) -> bytes:
    """Ask for all links or all IPv4 routes."""
    if kind == RTM_GETLINK:
        body = _IFINFOMSG.pack(0, 0, 0, 0, 0)
    else:
        body = _RTMSG.pack(_AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)
    return _HEADER.pack(_HEADER.size + len(body), kind, _DUMP, sequence, 0) + body


def messages(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(type, begin, end) of each message's body."""
    at, end = 0, len(data)
    while at + _HEADER.size <= end:
        length, kind, _, _, _ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            return
        yield kind, at + _HEADER.size, at + length
        at += (length + 3) & ~3


def _attributes(data: bytes, at: int, end: int) -> dict[int, bytes]:
    found = {}
    while at + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < 4:
            break
        found[kind] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def _u32(value: bytes | None) -> int:
    return int(_U32.unpack(value)[0]) if value else 0


class Routes:
    """Routes and links of one network namespace.

    `take` is given what a netlink socket read, and answers which prefixes it may have changed;
    `best` is where such a prefix goes now.
    """

    def __init__(self, prefixes: frozenset[bytes]) -> None:
        self._prefixes = prefixes
        self._routes: dict[bytes, dict[tuple[int, int], Route]] = {each: {} for each in prefixes}
        self._usable: dict[int, bool] = {}

    def forget(self) -> None:
        """Before everything is asked for anew."""
        for routes in self._routes.values():
            routes.clear()

    def best(self, prefix: bytes) -> Route | None:
        """The route with the lowest metric whose port can send; None: unreachable."""
        routes = self._routes[prefix]
        usable = [key for key, route in routes.items() if self._usable.get(route.ifindex, True)]
        return routes[min(usable)] if usable else None

    def take(self, kind: int, data: bytes, begin: int, end: int) -> set[bytes]:
        """One message. The result is empty for what does not concern these prefixes."""
        if kind in (RTM_NEWROUTE, RTM_DELROUTE):
            return self._route(kind == RTM_NEWROUTE, data, begin, end)
        if kind in (RTM_NEWLINK, RTM_DELLINK):
            return self._link(kind == RTM_NEWLINK, data, begin)
        if kind == RTM_DELNEXTHOP:
            gone = _u32(_attributes(data, begin + 8, end).get(_NHA_ID))
            return self._purge(lambda route: bool(gone) and route.nexthop_id == gone)
        return set()

    def _route(self, new: bool, data: bytes, begin: int, end: int) -> set[bytes]:
        family, length, _, tos, table, _, _, kind, _ = _RTMSG.unpack_from(data, begin)
        if family != _AF_INET or length != 32:
            return set()
        found = _attributes(data, begin + _RTMSG.size, end)
        prefix = found.get(_RTA_DST, b"")
        if prefix not in self._prefixes or kind != _RTN_UNICAST:
            return set()
        if (_u32(found.get(_RTA_TABLE)) or table) != _RT_TABLE_MAIN:
            return set()
        routes, key = self._routes[prefix], (_u32(found.get(_RTA_PRIORITY)), tos)
        if new:
            routes[key] = _hop(found)
        else:
            routes.pop(key, None)
        return {prefix}

    def _link(self, new: bool, data: bytes, begin: int) -> set[bytes]:
        _, _, ifindex, flags, _ = _IFINFOMSG.unpack_from(data, begin)
        before = self._usable.get(ifindex)
        self._usable[ifindex] = usable = new and bool(flags & _IFF_UP and flags & _IFF_RUNNING)
        if not new or not flags & _IFF_UP:
            return self._purge(lambda route: route.ifindex == ifindex)
        if before == usable:
            return set()
        return {
            prefix
            for prefix, routes in self._routes.items()
            if any(route.ifindex == ifindex for route in routes.values())
        }

    def _purge(self, gone: Callable[[Route], bool]) -> set[bytes]:
        touched = set()
        for prefix, routes in self._routes.items():
            for key in [key for key, route in routes.items() if gone(route)]:
                del routes[key]
                touched.add(prefix)
        return touched


def _hop(found: dict[int, bytes]) -> Route:
    nexthop_id = _u32(found.get(_RTA_NH_ID))
    several = found.get(_RTA_MULTIPATH)
    if several:  # struct rtnexthop: length, flags, hops, ifindex; then attributes
        length, _, ifindex = struct.unpack_from("=HHi", several)
        gateway = _attributes(several, 8, length).get(_RTA_GATEWAY, b"")
        return Route(ifindex, gateway, nexthop_id)
    return Route(_u32(found.get(_RTA_OIF)), found.get(_RTA_GATEWAY, b""), nexthop_id)
