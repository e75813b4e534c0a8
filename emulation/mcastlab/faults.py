"""Links that fail and come back: carrier loss, or loss that nobody is told of.

Carrier loss sets both ends down through netlink sockets that were opened beforehand, one after the
other (a process for each would part them by milliseconds). Silent loss is one map write a link:
a program on clsact egress of both ends, attached beforehand, drops everything from then on.

Not modelled: a link that fails in one direction, one that flaps, optics that fade.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from mcastlab import bpf
from mcastlab.errors import LabError
from mcastlab.job import Fault
from mcastlab.network import Network
from mcastplan.lab.spec import LabSpec

PINS = Path("/run/bpf/faults")
PRIORITY = 1  # on clsact egress of a core port: before whatever else is there
_KEY = struct.pack("=I", 0)
_IFF_UP = 1
_NEWLINK, _GETLINK, _ERROR = 16, 18, 2  # RTM_NEWLINK, RTM_GETLINK, NLMSG_ERROR
_REQUEST, _ACK = 1, 4


class End(msgspec.Struct, frozen=True):
    """One end of a link, and a route socket in its namespace."""

    host: str
    port: str
    index: int
    netlink: socket.socket


class Faults:
    """Cuts and mends core links by their ids; `close` mends what is still cut.

    `prepare` does everything slow, so that `down` and `up` are only the event itself; they prepare
    what was not.
    """

    def __init__(self, network: Network, spec: LabSpec) -> None:
        self._network = network
        self._ports: dict[str, list[tuple[str, str]]] = {}
        for router in spec.routers:
            for port in router.ports:
                self._ports.setdefault(port.link, []).append((router.host, port.name))
        self._sockets: dict[str, socket.socket] = {}
        self._ends: dict[str, tuple[End, ...]] = {}
        self._programs: dict[str, bpf.Loaded] = {}
        self._gates: dict[str, bpf.Map] = {}
        self._down: dict[str, bool] = {}  # link: silent

    def __enter__(self) -> Faults:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def prepare(self, links: Iterable[str], silent: bool) -> None:
        """Sockets, and for silent loss the programs on both ends, which pass everything yet.

        Raises `LabError` for a link the lab does not have.
        """
        for link in links:
            if link not in self._ports:
                raise LabError(f"no link {link!r} in this lab")
            if link not in self._ends:
                self._ends[link] = tuple(self._end(*each) for each in self._ports[link])
            if silent and link not in self._gates:
                self._gate(link)

    def down(self, links: Sequence[str], silent: bool) -> int:
        """Cut the links, all their ends at once. Returns the monotonic ns at which it began.

        Raises `LabError` for an unknown link or one that is down.
        """
        self.prepare(links, silent)
        for link in links:
            if link in self._down:
                raise LabError(f"link {link} is down already")
        gates = [self._gates[link] for link in links] if silent else []
        # A veth carries nothing once one end is down: first an end of every link, then the others.
        pairs = [] if silent else [self._ends[link] for link in links]
        cut = struct.pack("=I", 1)
        at = time.monotonic_ns()
        for gate in gates:
            gate.update(_KEY, cut)
        for number in range(2):
            for pair in pairs:
                _set_link(pair[number], up=False)
        self._down.update(dict.fromkeys(links, silent))
        return at

    def up(self, links: Sequence[str]) -> int:
        """Mend the links. Returns the monotonic ns at which the last of them carried again.

        Raises `LabError` for a link that is not down.
        """
        for link in links:
            if link not in self._down:
                raise LabError(f"link {link} is not down")
        silent = [self._gates[link] for link in links if self._down[link]]
        ends = [end for link in links if not self._down[link] for end in self._ends[link]]
        whole = struct.pack("=I", 0)
        for gate in silent:
            gate.update(_KEY, whole)
        for end in ends:
            _set_link(end, up=True)
        for end in ends:
            _read_link(end)
        at = time.monotonic_ns()
        for end in ends:
            self._network.restore_neighbours(end.host, [end.port])
        for link in links:
            del self._down[link]
        return at

    def schedule(
        self, fault: Fault | None, begin_ns: int, setup_s: float, say: Callable[[str], None]
    ) -> list[tuple[int, Callable[[], None]]]:
        """What is due, and when [ns], the first first. Instants of a fault count from the push's
        start; at ``begin_ns`` the set-up is over."""
        if fault is None:
            return []
        named = " and ".join(fault.links)

        def at(seconds: float) -> int:
            return begin_ns + round((seconds - setup_s) * 1e9)

        def down() -> None:
            self.down(fault.links, fault.silent)
            say(f"{named} {'drops everything' if fault.silent else 'is down'}")

        def up() -> None:
            self.up(fault.links)
            say(f"{named} carries again")

        due: list[tuple[int, Callable[[], None]]] = [(at(fault.at_s), down)]
        if fault.up_at_s is not None:
            due.append((at(fault.up_at_s), up))
        return due

    def close(self) -> None:
        """Mend what is down; take programs, pins and sockets away."""
        if self._down:
            self.up(tuple(self._down))
        for link, loaded in self._programs.items():
            self._gates.pop(link).close()
            for host, port in self._ports[link]:
                bpf.detach(self._network, host, port, "egress", PRIORITY)
            bpf.unload(loaded)
        self._programs.clear()
        for each in self._sockets.values():
            each.close()
        self._sockets.clear()
        self._ends.clear()

    def _end(self, host: str, port: str) -> End:
        if host not in self._sockets:
            with self._network.inside(host):
                self._sockets[host] = socket.socket(
                    socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE
                )
        return End(host, port, self._network.ifindex(host, port), self._sockets[host])

    def _gate(self, link: str) -> None:
        """A program and a map of the link's own, on both its ends."""
        pins = PINS / str(sorted(self._ports).index(link))  # not the id: that came from a file
        loaded = bpf.load(bpf.compile("drop"), pins)
        self._programs[link] = loaded
        self._gates[link] = loaded.map("cut")
        for host, port in self._ports[link]:
            bpf.attach(self._network, host, port, "egress", loaded.program("drop"), PRIORITY)


def _set_link(end: End, *, up: bool) -> None:
    """IFF_UP on or off; the kernel has done it when this returns. Raises `LabError`."""
    flags = _IFF_UP if up else 0
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, end.index, flags, _IFF_UP)
    header = struct.pack("=IHHII", 16 + len(body), _NEWLINK, _REQUEST | _ACK, 0, 0)
    end.netlink.send(header + body)
    answer = end.netlink.recv(65536)
    kind, error = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
    if kind != _ERROR or error:
        raise LabError(f"{end.host}: cannot set {end.port} {'up' if up else 'down'}: {-error}")


def _read_link(end: End) -> None:
    """Makes the kernel act on the port's carrier now instead of within a second (linkwatch)."""
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, end.index, 0, 0)
    end.netlink.send(struct.pack("=IHHII", 16 + len(body), _GETLINK, _REQUEST, 0, 0) + body)
    end.netlink.recv(65536)
