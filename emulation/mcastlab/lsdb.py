"""An OSPF link-state database as its own ospfd holds it, told of each change as it is installed.

ospfd's API server (``ospfd -a``) sends every router-LSA to a client as it enters or leaves the
database, so nothing is polled: between ospfd's install and `Lsdb.read` lies one message on a local
socket. The client connects to port 2607 from a port P, and ospfd connects back to P + 1 for what it
has to tell (FRR ospfd/ospf_api.h).

Read from the database: which links are up. As in SPF (RFC 2328 section 16.1) a link counts only if
the router-LSAs of both ends show it as a point-to-point link. Not read: metrics, other LSA types.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import time
from collections.abc import Iterator

import msgspec

from mcastlab.errors import LabError
from mcastplan.lab.spec import LabSpec
from mcastplan.model.topology import Arc

API_PORT = 2607
FIRST_PORT, LAST_PORT = 49_152, 65_000
CONNECT_S = 5.0
POLL_S = 0.02  # between two tries to connect to a daemon that is starting
_VERSION = 1
_REGISTER_EVENT, _SYNC_LSDB, _REPLY, _UPDATED, _DELETED = 3, 4, 10, 12, 13
_HEADER = struct.Struct("!BBHI")
# All types (which bit is which differs from one FRR to the next), own ones too, all areas.
_EVERYTHING = struct.pack("!HBB", 0xFFFF, 2, 0)
_NOTIFY_BYTES = 12  # before the LSA: interface address, area, whether self-originated
_LSA = struct.Struct("!HBBIIIHH")
_MAX_AGE_S = 3600
_POINT_TO_POINT = 1
_LINK = struct.Struct("!IIBBH")


class RouterLsa(msgspec.Struct, frozen=True):
    """Who says it, the addresses of its own ends of point-to-point links, and whether it is at
    MaxAge: withdrawn."""

    router_id: str
    ends: frozenset[str]
    withdrawn: bool = False


def router_lsa(data: bytes) -> RouterLsa | None:
    """A router-LSA (RFC 2328 A.4.2); None for another type.

    Raises `ValueError` where it is cut short.
    """
    try:
        age_s, _, kind, _, advertiser, _, _, _ = _LSA.unpack_from(data)
        if kind != 1:
            return None
        ends = frozenset(_ends(data))
    except struct.error as error:
        raise ValueError(f"a router-LSA of {len(data)} bytes is cut short") from error
    return RouterLsa(str(ipaddress.IPv4Address(advertiser)), ends, age_s >= _MAX_AGE_S)


def _ends(data: bytes) -> Iterator[str]:
    (links,) = struct.unpack_from("!H", data, _LSA.size + 2)
    place = _LSA.size + 4
    for _ in range(links):
        _, own, kind, metrics, _ = _LINK.unpack_from(data, place)
        if kind == _POINT_TO_POINT:
            yield str(ipaddress.IPv4Address(own))
        place += _LINK.size + 4 * metrics


class Links:
    """Which of the lab's links the database shows, kept up to date with `learn`."""

    def __init__(self, spec: LabSpec) -> None:
        self._ends = {
            port.address: (router.loopback, port.arc)
            for router in spec.routers
            for port in router.ports
        }
        self._arcs = frozenset(arc for _, arc in self._ends.values())
        self._shown: dict[str, frozenset[Arc]] = {}
        self.down = self._arcs

    def learn(self, lsa: RouterLsa) -> bool:
        """Whether another set of links is down now."""
        # Ends that are not the lab's belong to what is attached to it, as a controller.
        self._shown[lsa.router_id] = frozenset(
            self._ends[end][1]
            for end in (() if lsa.withdrawn else lsa.ends)
            if end in self._ends and self._ends[end][0] == lsa.router_id
        )
        before, shown = self.down, frozenset[Arc]().union(*self._shown.values())
        self.down = frozenset(arc for arc in self._arcs if arc not in shown or arc ^ 1 not in shown)
        return self.down != before


class Lsdb:
    """The connection to an ospfd in this network namespace."""

    def __init__(self, links: Links, budget_s: float = CONNECT_S) -> None:
        """Raises `LabError` where no API server answers in time."""
        self.links = links
        self._late = bytearray()
        deadline_s = time.monotonic() + budget_s
        while True:
            try:
                self._ask, self._told = _connect()
                break
            except ConnectionRefusedError as error:
                if time.monotonic() > deadline_s:
                    raise LabError("the controller's ospfd has no API server (ospfd -a)") from error
                time.sleep(POLL_S)
        self._request(1, _REGISTER_EVENT)
        self._request(2, _SYNC_LSDB)
        self._told.setblocking(False)

    def fileno(self) -> int:
        """Readable when ospfd has something to tell."""
        return self._told.fileno()

    def read(self) -> bool:
        """Take in what ospfd has told; whether another set of links is down now.

        Raises `LabError` when ospfd is gone.
        """
        try:
            while part := self._told.recv(1 << 16):
                self._late += part
            raise LabError("the controller's ospfd has closed its API")
        except BlockingIOError:
            pass
        before = self.links.down
        for kind, body in self._messages():
            if kind in (_UPDATED, _DELETED):
                lsa = router_lsa(body[_NOTIFY_BYTES:])
                # An LSA that is replaced is told as deleted first; only MaxAge takes one away.
                if lsa is not None and (kind == _UPDATED or lsa.withdrawn):
                    self.links.learn(lsa)
        return self.links.down != before

    def _messages(self) -> Iterator[tuple[int, bytes]]:
        while len(self._late) >= _HEADER.size:
            _, kind, size, _ = _HEADER.unpack_from(self._late)
            if len(self._late) < _HEADER.size + size:
                return
            body = bytes(self._late[_HEADER.size : _HEADER.size + size])
            del self._late[: _HEADER.size + size]
            yield kind, body

    def _request(self, number: int, kind: int) -> None:
        self._ask.sendall(_HEADER.pack(_VERSION, kind, len(_EVERYTHING), number) + _EVERYTHING)
        header = _exactly(self._ask, _HEADER.size)
        _, reply, size, _ = _HEADER.unpack(header)
        body = _exactly(self._ask, size)
        if reply != _REPLY or struct.unpack_from("b", body)[0] != 0:
            raise LabError(f"the controller's ospfd refuses API request {kind}: {body.hex()}")

    def close(self) -> None:
        self._ask.close()
        self._told.close()


def _connect() -> tuple[socket.socket, socket.socket]:
    """Both connections; two neighbouring free ports are sought."""
    for port in range(FIRST_PORT, LAST_PORT, 2):
        ask = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            for each, number in ((ask, port), (listener, port + 1)):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                each.settimeout(CONNECT_S)
                each.bind(("127.0.0.1", number))
            listener.listen(1)
            ask.connect(("127.0.0.1", API_PORT))
            told, _ = listener.accept()
        except ConnectionRefusedError:
            ask.close()
            raise
        except TimeoutError as error:
            ask.close()
            raise LabError("the controller's ospfd does not answer on its API") from error
        except OSError:  # a port is taken
            ask.close()
            continue
        finally:
            listener.close()
        return ask, told
    raise LabError("no two neighbouring ports are free for the controller's ospfd API")


def _exactly(connection: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        part = connection.recv(size - len(got))
        if not part:
            raise LabError("the controller's ospfd has closed its API")
        got += part
    return got


def named(spec: LabSpec, arcs: frozenset[Arc]) -> tuple[str, ...]:
    """Ids of the links, sorted."""
    links = spec.scenario.topology.links
    return tuple(sorted({links[arc >> 1].id for arc in arcs}))
