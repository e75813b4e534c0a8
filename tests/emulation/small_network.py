"""A network of namespaces on one kernel bridge: what the workload's tests run on.

::

    o1 --+
         |
    h1 --+-- br (no snooping: multicast floods)
    h2 --+
    ...

It answers to as much of `mcastlab.network.Network` as the workload needs, without routers or a
scheme, so that a test of a pull or a probe is about the pull or the probe. Lives in a sandbox.
"""

from __future__ import annotations

import contextlib
import math
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pyroute2 import netns

from mcastlab import ethtool
from mcastplan.lab.spec import LabOrigin, LabPush, LabReplica

ORIGIN = "198.18.1.2"


def origin() -> LabOrigin:
    return LabOrigin(
        "o1", 1, "r1", "o1", "02:00:00:00:00:fe", "198.18.1.1", ORIGIN, MAC % 2, math.inf
    )


MAC = "02:00:00:00:00:%02x"


def replica(number: int) -> LabReplica:
    address = f"198.18.1.{9 + number}"
    return LabReplica(f"cloud{number}", 0, f"h{number}", address, MAC % (9 + number))


def push(
    size_bytes: int = 4_000_000, shards: int = 4, load: str = "after", clouds: Sequence[str] = ()
) -> LabPush:
    return LabPush(
        "m",
        1,
        origin(),
        "232.1.0.1",
        "232.2.0.1",
        size_bytes,
        shards,
        "streamed" if load == "streamed" else "after",
        tuple(clouds),
    )


class SmallNetwork:
    """The origin and ``replicas`` receivers; each port of the bridge towards a receiver may be
    shaped with `shape`."""

    def __init__(self, replicas: int) -> None:
        self.spec = SimpleNamespace(mtu=1500)
        self.replicas = [replica(number) for number in range(1, replicas + 1)]
        self._holders: dict[str, subprocess.Popen[bytes]] = {}
        self._sh("ip link add name br type bridge mcast_snooping 0")
        self._sh("ip link set dev br up")
        self._host("o1", ORIGIN, MAC % 2)
        for each in self.replicas:
            self._host(each.host, each.address, each.mac)

    def _sh(self, line: str) -> str:
        done = subprocess.run(line.split(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{line}: {done.stderr.strip()}")
        return done.stdout

    def _host(self, host: str, address: str, mac: str) -> None:
        self._sh(f"ip netns add {host}")
        self._holders[host] = subprocess.Popen(["ip", "netns", "exec", host, "sleep", "infinity"])
        self._sh(f"ip link add name b-{host} type veth peer name eth0 address {mac} netns {host}")
        self._sh(f"ip link set dev b-{host} master br up")
        self._sh(f"bridge fdb replace {mac} dev b-{host} master static")
        for line in ("link set lo up", f"address add {address}/24 dev eth0", "link set eth0 up"):
            self._sh(f"ip -n {host} {line}")
        self._sh(f"ip -n {host} route add default dev eth0")
        with socket.socket() as control:
            ethtool.offloads_off(control, f"b-{host}")
        with self.inside(host), socket.socket() as control:
            ethtool.offloads_off(control, "eth0")
        self._settle(host)

    def _settle(self, host: str) -> None:
        """Wait until the holder is in its namespace: `ip netns exec` enters it after its start."""
        inside = Path(f"/run/netns/{host}").stat().st_ino
        own = Path(f"/proc/{self._holders[host].pid}/ns/net")
        while own.stat().st_ino != inside:
            time.sleep(0.001)

    def shape(self, host: str, rate_bps: float, queue_s: float = 0.020) -> None:
        """Shape the bridge's port towards the host, as the lab shapes its links."""
        burst = max(1600, round(rate_bps / 8 / 1000))
        limit = max(16 * 1600, round(rate_bps * queue_s / 8))
        dev = f"b-{host}"
        if " htb " in self._sh(f"tc qdisc show dev {dev}"):
            self._sh(f"tc qdisc del dev {dev} root")
        self._sh(f"tc qdisc add dev {dev} root handle 1: htb default 1")
        self._sh(
            f"tc class add dev {dev} parent 1: classid 1:1 htb rate {round(rate_bps)}bit"
            f" burst {burst} cburst {burst} overhead 24"
        )
        self._sh(f"tc qdisc add dev {dev} parent 1:1 handle 2: bfifo limit {limit}")

    def link(self, host: str, state: str) -> int:
        """Set the bridge's port up or down; the instant after [ns]."""
        self._sh(f"ip link set b-{host} {state}")
        return time.monotonic_ns()

    def pid(self, host: str) -> int:
        return self._holders[host].pid

    def ifindex(self, host: str, port: str) -> int:
        return int(self._sh(f"ip netns exec {host} cat /sys/class/net/{port}/ifindex"))

    def run(self, host: str, *argv: str, text: str | None = None) -> str:
        done = subprocess.run(
            ["ip", "netns", "exec", host, *argv], input=text, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{argv}: {done.stderr.strip()}")
        return done.stdout

    def popen(self, host: str, *argv: str, **kwargs: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["nsenter", f"--net=/run/netns/{host}", *argv], **kwargs)

    @contextlib.contextmanager
    def inside(self, host: str) -> Iterator[None]:
        with Path("/proc/self/ns/net").open() as own:
            netns.setns(host)
            try:
                yield
            finally:
                netns.setns(own.fileno())
