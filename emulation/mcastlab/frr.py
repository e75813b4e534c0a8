"""FRR on every router: started, converged, asked, stopped.

One set of daemons a namespace, told apart by FRR's path space (``-N HOST``): configuration in
/etc/frr/HOST, sockets in /run/frr/HOST, both private to the lab's sandbox. zebra comes first on
all routers, because a daemon that finds no `zserv.api` tries again only after seconds; ospfd comes
last, so that its BFD sessions do not start under the load of the others.

Not modelled: watchfrr; a daemon that dies is an error of the lab.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcastlab.errors import LabError
from mcastlab.frr_config import LOGS, checked, frr_timers, log_of, render, throttles
from mcastlab.frr_state import (
    expected_routes,
    kernel_routes,
    missing_session,
    throttle_rests,
    wrong_route,
)
from mcastlab.frr_vty import STATE, ask, ask_json, owner, socket_of
from mcastlab.frr_wait import until
from mcastplan.lab.spec import LabRouter, LabSpec

if TYPE_CHECKING:
    from mcastlab.network import Network

BINARIES = Path("/usr/lib/frr")
CONFIGURATION = Path("/etc/frr")
USER = "frr"  # that the daemons become
# Written without regard to the path space (graceful restart, RFC 7166 sequence numbers).
_SHARED = ("ospfd-gr.json", "ospf6d-gr.json", "ospf6d-at-seq-no.dat")
ALWAYS = frozenset({"zebra", "bfdd", "ospfd"})
START_ORDER = ("zebra", "bfdd", "pimd", "ospf6d", "ospfd")
START_BUDGET_S = 30.0  # until all sockets of all daemons are there
STOP_BUDGET_S = 5.0
ZEBRA = "11"  # RTPROT_ZEBRA
_BFD_DOWN = re.compile(r"state-change: \[.*\bifname:(\w+).*\] up -> down")


class Frr:
    """The lab's routing daemons. Raises `ScenarioError` for timers that FRR does not have."""

    def __init__(self, network: Network, spec: LabSpec, daemons: frozenset[str]) -> None:
        checked(spec)
        self._network, self._spec = network, spec
        self.timers = frr_timers(spec.scenario.timers)
        self.daemons = tuple(name for name in START_ORDER if name in ALWAYS | daemons)
        self.with_v6 = "ospf6d" in daemons
        self._running: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        self._began_s = 0.0  # monotonic, of `start`
        self._flaps_before: dict[str, int] = {}

    def start(self) -> None:
        """Every daemon on every router runs and answers; routes are still to come.

        Raises `LabError` naming the router and daemon that does not.
        """
        self._began_s = time.monotonic()
        deadline_s = self._began_s + START_BUDGET_S
        LOGS.mkdir(parents=True, exist_ok=True)
        shutil.chown(LOGS, USER, USER)
        for router in self._spec.routers:
            self._configure(router)
        for daemon in self.daemons:
            for router in self._spec.routers:
                self._spawn(router.host, daemon)
            for router in self._spec.routers:
                self._await_socket(router.host, daemon, deadline_s)

    def _configure(self, router: LabRouter) -> None:
        for base in (CONFIGURATION, STATE):
            base.mkdir(exist_ok=True)
            base.chmod(0o755)
            (base / router.host).mkdir()
            shutil.chown(base / router.host, USER, USER)
        for daemon in self.daemons:
            file = CONFIGURATION / router.host / f"{daemon}.conf"
            file.write_text(render(self._spec, router, self.timers, daemon, with_v6=self.with_v6))
            shutil.chown(file, USER, USER)

    def _spawn(self, host: str, daemon: str) -> None:
        # -P 0: no TCP port. IPv6 routes are replaced in one step, as IPv4's are: the default,
        # delete and add, loses what comes between.
        extra = ("--v6-rr-semantics",) if daemon == "zebra" else ()
        self._running[host, daemon] = self._network.popen(
            host,
            str(BINARIES / daemon),
            *("-N", host, "-P", "0", *extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _await_socket(self, host: str, daemon: str, deadline_s: float) -> None:
        ready = [socket_of(host, daemon)]
        if daemon == "zebra":
            ready.append(STATE / host / "zserv.api")

        def missing() -> str | None:
            lack = next((path for path in ready if not path.exists()), None)
            return None if lack is None else f"{host}: {daemon} has not made {lack.name}"

        until(missing, deadline_s, self._check_alive)

    def _check_alive(self) -> None:
        for (host, daemon), process in self._running.items():
            status = process.poll()
            if status is not None:
                log = log_of(host, daemon)
                lines = log.read_text().splitlines() if log.exists() else []
                last = lines[-1] if lines else "it logged nothing"
                raise LabError(f"{host}: {daemon} ended with status {status}: {last}")

    def wait_converged(self, budget_s: float) -> float:
        """Seconds since `start` until every router's kernel has the planner's next hop for every
        loopback, access subnet and locator, adjacencies, PIM neighbours and BFD sessions are up,
        and the SPF throttle rests at the scenario's own values.

        Raises `LabError` naming the router and what it still lacks after ``budget_s`` of waiting.
        """
        deadline_s = time.monotonic() + budget_s
        expected = expected_routes(self._spec, with_v6=self.with_v6)
        steps: list[Callable[[LabRouter], str | None]] = [
            self._no_session,
            lambda router: self._no_route(router.host, expected[router.host]),
        ]
        self._until_everywhere(steps, deadline_s)
        for host, daemon in self._running:
            if daemon in ("ospfd", "ospf6d"):
                ask(host, daemon, *throttles(self.timers, daemon))
        self._until_everywhere([self._no_rest], deadline_s)
        self._flaps_before = self._bfd_downs()
        return time.monotonic() - self._began_s

    def _no_session(self, router: LabRouter) -> str | None:
        lack = missing_session(
            router, self.timers, with_v6=self.with_v6, with_pim="pimd" in self.daemons
        )
        return None if lack is None else f"{router.host}: {lack}"

    def _no_route(self, host: str, wanted: dict[str, tuple[str, str]]) -> str | None:
        found = kernel_routes(self._network, host, with_v6=self.with_v6)
        lack = wrong_route(wanted, found)
        return None if lack is None else f"{host}: {lack}"

    def _until_everywhere(
        self, steps: list[Callable[[LabRouter], str | None]], deadline_s: float
    ) -> None:
        for lacks in steps:
            for router in self._spec.routers:
                until(partial(lacks, router), deadline_s, self._check_alive)

    def _no_rest(self, router: LabRouter) -> str | None:
        for daemon in ("ospfd", "ospf6d"):
            if daemon in self.daemons and not throttle_rests(router.host, daemon):
                return f"{router.host}: the SPF throttle of {daemon} does not come to rest"
        return None

    def stop(self) -> None:
        """No daemon runs and none of its routes, sockets or configuration is left."""
        for daemon in reversed(self.daemons):
            mine = [each for (_, name), each in self._running.items() if name == daemon]
            for process in mine:
                process.terminate()
            for process in mine:
                try:
                    process.wait(STOP_BUDGET_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self._running.clear()
        for router in self._spec.routers:
            # zebra takes its routes along, and leaves their nexthop objects to the kernel.
            self._network.run(router.host, "ip", "nexthop", "flush", "protocol", ZEBRA)
            for base in (CONFIGURATION, STATE):
                shutil.rmtree(base / router.host, ignore_errors=True)
        for name in _SHARED:
            (STATE / name).unlink(missing_ok=True)

    def vtysh(self, host: str, *commands: str) -> str:
        """What the daemon that owns the first command prints for all of them; a configuration
        needs `ask`, which is told the daemon."""
        return ask(host, owner(commands[0]), *commands)

    def json(self, host: str, command: str) -> Any:
        """A ``show ... json``, read."""
        return ask_json(host, owner(command), command)

    def configure(self, host: str, daemon: str, *commands: str) -> None:
        """Commands of configuration mode. Raises `LabError` with the one that is refused."""
        ask(host, daemon, "configure terminal", *commands, "end")

    def memory_bytes(self) -> int:
        """Proportional set size of all daemons: shared pages count once."""
        total = 0
        for process in self._running.values():
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            total += int(re.findall(r"^Pss: +(\d+) kB", text, re.MULTILINE)[0]) * 1024
        return total

    def bfd_flaps(self, failed: Collection[str] = ()) -> int:
        """BFD sessions that went down since `wait_converged`, both ends and families counted,
        without those on the ``failed`` links (ids), which went down on purpose.

        Raises `LabError` for a daemon that has ended: neighbours of a zebra would not notice.
        """
        self._check_alive()
        downs = self._bfd_downs()
        return sum(
            count - self._flaps_before.get(link, 0)
            for link, count in downs.items()
            if link not in failed
        )

    def _bfd_downs(self) -> dict[str, int]:
        """By link. From the logs: bfdd forgets a session's counters with its last client, and
        OSPF is no client of a neighbour that is down."""
        found: dict[str, int] = {}
        for router in self._spec.routers:
            link = {port.name: port.link for port in router.ports}
            for name in _BFD_DOWN.findall(log_of(router.host, "bfdd").read_text()):
                found[link[name]] = found.get(link[name], 0) + 1
        return found
