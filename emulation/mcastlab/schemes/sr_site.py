"""Where an SR-P2MP controller lives: a namespace with zebra and ospfd, on a link to the root.

Made by `Site`, removed by `Site.close`: processes, the veth pair (it goes with the namespace),
files of FRR, and the OSPF configuration of the root's port towards it. The link has OSPF's highest
cost on both sides and the controller has no other, so that no path leads through it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mcastlab import controller
from mcastlab.errors import LabError
from mcastlab.frr import BINARIES, CONFIGURATION, USER, Frr
from mcastlab.frr_config import LOGS
from mcastlab.frr_vty import STATE, socket_of
from mcastlab.network import Network
from mcastplan.lab.spec import LabRouter, LabSpec

COST = 65_535  # the highest there is, RFC 2328 appendix C.3
PORT = "eth0"  # the controller's
START_S = 20.0  # until the process answers, and until its ospfd has heard of every link
ANSWER_S = 30.0  # of any request: a computation of the lab's size takes milliseconds
END_S = 5.0
# Not ``-m``: what the controller answers with must be of the module that the engine imports.
_MAIN = "import sys; from mcastlab.controller import main; sys.exit(main(sys.argv[1:]))"
POLL_S = 0.01  # between two looks for a daemon's socket


class Site:
    """One controller and its link to the router ``root``; ``number`` tells sites apart."""

    def __init__(
        self,
        network: Network,
        frr: Frr,
        spec: LabSpec,
        root: LabRouter,
        number: int,
        pins: Mapping[str, Path],
        ifindex: Mapping[tuple[str, str], int],
    ) -> None:
        """Returns once it hears what the root hears. Raises `LabError`, with nothing left."""
        self._network, self._frr, self._root = network, frr, root
        self._name = f"k{number}"
        self._addresses = f"10.254.0.{2 * number}", f"10.254.0.{2 * number + 1}"
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._process, self._engine = _started()
        try:
            controller.answer(self._engine, "start", START_S)
            self._link()
            self._run_daemons()
            self._engine.send(controller.Job(spec, dict(pins), dict(ifindex)))
            controller.answer(self._engine, "hear every link", START_S + controller.HEAR_S)
        except (LabError, OSError):
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The controller's process."""
        return self._process.pid

    def check(self) -> None:
        """Raises `LabError` if the controller has ended, and failures go unheeded."""
        # Between questions it says nothing: what can be read is the end.
        if self._engine.poll():
            raise LabError(f"the SR-P2MP controller of {self._root.name} ended")

    def ask(self, what: str, argument: object = None) -> Any:
        """The controller's answer. Raises `LabError` with what went wrong there."""
        return controller.ask(self._engine, what, argument, ANSWER_S)

    def _link(self) -> None:
        here, there = self._addresses
        pid = self._process.pid
        for line in (
            f"link add name {self._name} type veth peer name {PORT} netns {pid}",
            f"address add {here}/31 dev {self._name}",
            f"link set {self._name} up",
        ):
            self._network.run(self._root.host, "ip", *line.split())
        for line in ("link set lo up", f"address add {there}/31 dev {PORT}", f"link set {PORT} up"):
            _run("nsenter", f"--net=/proc/{pid}/ns/net", "ip", *line.split())
        self._frr.configure(
            self._root.host,
            "ospfd",
            f"interface {self._name}",
            "ip ospf area 0",
            *self._adjacency(),
        )

    def _adjacency(self) -> tuple[str, ...]:
        timers = self._frr.timers
        return (
            "ip ospf network point-to-point",
            f"ip ospf hello-interval {timers.hello_s}",
            f"ip ospf dead-interval {timers.dead_s}",
            f"ip ospf cost {COST}",
            "ip ospf mtu-ignore",
        )

    def _run_daemons(self) -> None:
        for base in (CONFIGURATION, STATE, LOGS):
            folder = base / self._name if base is not LOGS else base
            folder.mkdir(parents=True, exist_ok=True)
            shutil.chown(folder, USER, USER)
        self._spawn("zebra", ())
        lines = [
            f"interface {PORT}",
            *(f" {line}" for line in ("ip ospf area 0", *self._adjacency())),
            "router ospf",
            f" ospf router-id {self._addresses[1]}",
            # It must take what the root floods as fast as the root does.
            f" timers lsa min-arrival {self._frr.timers.min_arrival_ms}",
        ]
        self._spawn("ospfd", lines, "-a")

    def _spawn(self, daemon: str, lines: tuple[str, ...] | list[str], *extra: str) -> None:
        file = CONFIGURATION / self._name / f"{daemon}.conf"
        file.write_text("\n".join([f"hostname {self._name}", *lines, ""]))
        shutil.chown(file, USER, USER)
        log = LOGS / f"{self._name}-{daemon}.log"
        # fmt: off
        argv = ["nsenter", f"--net=/proc/{self._process.pid}/ns/net", str(BINARIES / daemon),
                "-N", self._name, "-P", "0", "--log", f"file:{log}", *extra]
        # fmt: on
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._daemons.append(process)
        wanted = [socket_of(self._name, daemon)]
        if daemon == "zebra":  # an ospfd that does not find it tries again only after seconds
            wanted.append(STATE / self._name / "zserv.api")
        deadline_s = time.monotonic() + START_S
        while lack := next((path for path in wanted if not path.exists()), None):
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise LabError(f"the SR-P2MP controller's {daemon} has not made {lack}; see {log}")
            time.sleep(POLL_S)

    def close(self) -> None:
        """Nothing of it is left. Safe halfway and twice."""
        with contextlib.suppress(LabError):
            self.ask("stop")
        self._engine.close()
        for process in (*reversed(self._daemons), self._process):
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._daemons.clear()
        # The namespace takes its end of the veth pair along a little later than its processes.
        with contextlib.suppress(LabError):
            self._network.run(self._root.host, "ip", "link", "delete", self._name)
        with contextlib.suppress(LabError):
            undo = [" ".join(("no", *line.split()[:3])) for line in self._adjacency()]
            commands = (f"interface {self._name}", "no ip ospf area 0", *undo, "exit")
            self._frr.configure(self._root.host, "ospfd", *commands, f"no interface {self._name}")
        for base in (CONFIGURATION, STATE):
            shutil.rmtree(base / self._name, ignore_errors=True)


def _started() -> tuple[subprocess.Popen[bytes], Connection]:
    """The controller's process in a network namespace of its own, and the way to talk to it."""
    ours, theirs = socket.socketpair()
    # fmt: off
    argv = ["unshare", "--net", sys.executable, "-c", _MAIN, str(theirs.fileno())]
    # fmt: on
    path = os.pathsep.join(each for each in sys.path if each)
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(theirs.fileno(),),
        env=os.environ | {"PYTHONPATH": path},
    )
    theirs.close()
    return process, Connection(ours.detach())


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        raise LabError(f"{' '.join(argv)}: {lines[0]}")
