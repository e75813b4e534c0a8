"""The lab's network: Mininet hosts joined by veth pairs, from a `LabSpec`.

Routers, sites, replicas and origins are Mininet nodes: a namespace and the shell that holds it.
Everything inside them is made by ``ip -batch`` and ``tc -batch`` in that namespace (one process a
host, all hosts at once), never through the root namespace and never with a name from a file.

Not made: switches, controllers, and Mininet's own shaping (it leaves rates above 1 Gb/s unshaped
with a log line, and its 15 kB bursts are not those of `mcastlab.shaping`). ``Mininet.inited`` is
set beforehand because its `fixLimits` writes sysctls of the whole machine.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mininet.link import Intf, Link
from mininet.net import Mininet
from mininet.node import Node

from mcastlab import ethtool, wiring
from mcastlab.errors import LabError
from mcastlab.wiring import BRIDGE, cables, link_local
from mcastplan.lab.spec import LabSpec

__all__ = ["LinuxRouter", "Network", "link_local"]

LINE_END_S = 20.0  # budget of one batch in one namespace
_NEWNET = 0x40000000  # CLONE_NEWNET
_libc = ctypes.CDLL(None, use_errno=True)


class LinuxRouter(Node):  # type: ignore[misc]  # Mininet has no types
    """A Mininet node that forwards."""


class _Port(Intf):  # type: ignore[misc]
    """Known to Mininet, configured by `Network`: its own way is three processes a port."""

    def config(self, **_: object) -> dict[str, object]:
        return {}


class _Veth(Link):  # type: ignore[misc]
    """Known to Mininet, made by `Network` in one batch and gone with its namespaces."""

    @classmethod
    def makeIntfPair(cls, *_: object, **__: object) -> None:  # noqa: N802
        return None

    def stop(self) -> None:
        return None


class Network:
    """Namespaces and links of one lab; `start` makes them, `stop` (also halfway) removes them."""

    def __init__(self, spec: LabSpec, run_dir: Path) -> None:
        Mininet.inited = True
        self.spec = spec
        self.run_dir = run_dir
        self.hosts: tuple[str, ...] = (
            *(router.host for router in spec.routers),
            *(site.host for site in spec.sites),
            *(replica.host for site in spec.sites for replica in site.replicas),
            *(origin.host for origin in spec.origins),
        )
        self.mininet: Any = None
        self._namespace: dict[str, int] = {}

    def start(self) -> None:
        """Everything up, shaped and addressed; no routes yet but connected and default ones.

        Raises `LabError` with the line that a tool refused.
        """
        # A rate that cannot be shaped is refused before anything exists.
        tc = wiring.tc_lines(self.spec)
        self.mininet = Mininet(controller=None, build=False)
        routers = {router.host for router in self.spec.routers}
        for host in self.hosts:
            kind = LinuxRouter if host in routers else Node
            node = self.mininet.addHost(host, cls=kind, ip=None)
            path = f"/proc/{node.pid}/ns/net"
            self._namespace[host] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._sysctls(host, wiring.sysctls(host in routers))
        self._connect()
        self.batch("ip", wiring.ip_lines(self.spec))
        self._settle()
        self.batch("tc", tc)
        self.batch("bridge", wiring.fdb_lines(self.spec))

    def stop(self) -> None:
        """End the shells that hold the namespaces; links, queues and addresses go with them."""
        net, self.mininet = self.mininet, None
        if net is not None:
            net.stop()
        for namespace in self._namespace.values():
            os.close(namespace)
        self._namespace.clear()

    def pid(self, host: str) -> int:
        """A process that holds the host's network namespace."""
        return int(self.mininet.nameToNode[host].pid)

    def ifindex(self, host: str, port: str) -> int:
        """Raises `LabError` if the host has no such port."""
        with self.inside(host):
            try:
                return socket.if_nametoindex(port)
            except OSError:
                raise LabError(f"{host} has no port {port}") from None

    def run(self, host: str, *argv: str, text: str | None = None) -> str:
        """What a command writes in the host's namespace; ``text`` is its input.

        Raises `LabError` with the command and the last line it complained with.
        """
        process = self.popen(
            host,
            *argv,
            stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = process.communicate(None if text is None else text.encode())
        if process.returncode:
            raise LabError(f"{host}: {' '.join(argv)}: {_complaint(err, process.returncode)}")
        return out.decode()

    def popen(self, host: str, *argv: str, **kwargs: Any) -> subprocess.Popen[bytes]:
        """Start a command in the host's namespace. Raises `LabError` if it is not installed."""
        with self.inside(host):
            try:
                return subprocess.Popen(argv, **kwargs)
            except FileNotFoundError:
                raise LabError(f"{argv[0]} is not installed; see mcastplan lab doctor") from None

    @contextlib.contextmanager
    def inside(self, host: str) -> Iterator[None]:
        """This thread in the host's network namespace; sockets made there stay there."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(self._namespace[host])
            yield
        finally:
            _setns(before)
            os.close(before)

    def restore_neighbours(self, host: str, ports: Iterable[str]) -> None:
        """Permanent neighbour entries of core ports again: the kernel drops them on link down."""
        wanted = set(ports)
        lines = [
            line
            for port in self.spec.router[host].ports
            if port.name in wanted
            for line in wiring.neighbours(port.name, port.peer_address, port.peer_mac)
        ]
        self.batch("ip", {host: lines})

    def _sysctls(self, host: str, values: dict[str, str]) -> None:
        with self.inside(host):  # /proc/sys/net shows the namespace of who opens it
            for name, value in values.items():
                Path("/proc/sys", name).write_text(value)

    def _connect(self) -> None:
        nodes = self.mininet.nameToNode
        for each in cables(self.spec):
            self.mininet.addLink(
                nodes[each.host],
                nodes[each.peer],
                cls=_Veth,
                intf=_Port,
                intfName1=each.port,
                intfName2=each.peer_port,
                addr1=each.mac,
                addr2=each.peer_mac,
            )
        self.batch("ip", wiring.link_lines(self.spec, self.pid))

    def _settle(self) -> None:
        """Offloads off (eBPF programs and HTB must see packets as they are on a wire, with their
        checksums), and every port's carrier known to its kernel, which else may take a second."""
        ports: dict[str, list[str]] = defaultdict(list)
        for each in cables(self.spec):
            ports[each.host].append(each.port)
            ports[each.peer].append(each.peer_port)
        for host, names in ports.items():
            with self.inside(host), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
                for name in names:
                    ethtool.offloads_off(control, name)
                    if not ethtool.carrier(control, name):
                        raise LabError(f"{host}: port {name} has no carrier")
        for site in self.spec.sites:  # a bridge has carrier once a port has
            with self.inside(site.host), socket.socket() as control:
                ethtool.carrier(control, BRIDGE)

    def batch(self, tool: str, lines: dict[str, list[str]]) -> None:
        """One ``tool -batch -`` a host, all at once."""
        started: list[tuple[str, subprocess.Popen[bytes]]] = []
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        failed: LabError | None = None
        for host, batch in lines.items():
            if batch:
                started.append((host, self.popen(host, tool, "-batch", "-", **pipes)))
        for host, process in started:
            text = "\n".join(lines[host]) + "\n"
            try:
                _, err = process.communicate(text.encode(), timeout=LINE_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                failed = failed or LabError(f"{host}: {tool} is not done within {LINE_END_S:g} s")
                continue
            if process.returncode and failed is None:
                failed = LabError(f"{host}: {tool}: {_refused(err, lines[host])}")
        if failed is not None:
            raise failed


def _setns(namespace: int) -> None:
    # os.setns exists from Python 3.12 only.
    if _libc.setns(namespace, _NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def _complaint(err: bytes, code: int) -> str:
    lines = [line for line in err.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"exit status {code}"


def _refused(err: bytes, lines: list[str]) -> str:
    """``ip -batch`` says why, then "Command failed -:7": the reason and that line."""
    said = err.decode(errors="replace").splitlines()
    number = next((line.rsplit(":", 1)[1] for line in said if "Command failed" in line), "")
    reason = next((line.strip() for line in said if line.strip()), "no reason given")
    at = f" in {lines[int(number) - 1]!r}" if number.isdigit() else ""
    return f"{reason}{at}"
