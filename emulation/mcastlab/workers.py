"""Processes of the lab itself inside hosts: forked from the engine, told and heard by messages.

Each has a socket pair of whole messages (SOCK_SEQPACKET) that carry msgspec structs as JSON. Fork
early, while the engine is small and has one thread. A worker is killed by the kernel when its
parent dies. `poll` is the engine's one loop over all of them.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from mcastlab.errors import LabError

if TYPE_CHECKING:
    from mcastlab.network import Network

_PR_SET_PDEATHSIG = 1
_MESSAGE_BYTES = 1 << 16
_END_S = 5.0  # budget for a killed worker to be gone
_libc = ctypes.CDLL(None, use_errno=True)

T = TypeVar("T")


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The worker ended with an exception that is a defect or a lack of this machine."""

    text: str


class Channel(Generic[T]):
    """A worker's end: sends any of its events, receives commands of type ``T``."""

    def __init__(self, end: socket.socket, commands: Any) -> None:
        self._end = end
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(commands)

    def fileno(self) -> int:
        """For select and epoll: readable once a command is there."""
        return self._end.fileno()

    def send(self, event: msgspec.Struct) -> None:
        self._end.send(msgspec.json.encode(event))

    def receive(self, timeout_s: float | None = None) -> T | None:
        """The next command; None if none came in time. Ends the worker if the engine is gone."""
        ready, _, _ = select.select([self._end], [], [], timeout_s)
        if not ready:
            return None
        content = self._end.recv(_MESSAGE_BYTES)
        if not content:
            raise SystemExit(0)
        return self._decoder.decode(content)


class Worker(Generic[T]):
    """A forked process in a host's network namespace; sends events of type ``T``.

    ``main`` gets its channel; ``commands`` and ``events`` are the types (unions of tagged structs)
    that go in and come out. What ``main`` closes over is the worker's own copy.
    """

    def __init__(
        self,
        network: Network,
        host: str,
        name: str,
        main: Callable[[Channel[Any]], None],
        *,
        commands: Any,
        events: Any,
    ) -> None:
        self.name = name
        self._decoder: msgspec.json.Decoder[T | Failed] = msgspec.json.Decoder(events | Failed)
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        engine = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            here.close()
            _child(network, host, main, Channel(there, commands), engine)
        there.close()
        self._end = here

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, command: msgspec.Struct) -> None:
        """Raises `LabError` if the worker is gone."""
        try:
            self._end.send(msgspec.json.encode(command))
        except OSError:
            raise LabError(f"{self.name} ended before it was told to") from None

    def receive(self) -> T:
        """The next event, waiting for it. Raises `LabError` if the worker failed or is gone."""
        try:
            content = self._end.recv(_MESSAGE_BYTES)
        except ConnectionResetError:  # killed before it had read what it was told
            content = b""
        if not content:
            raise LabError(f"{self.name} ended without a word")
        event = self._decoder.decode(content)
        if isinstance(event, Failed):
            raise LabError(f"{self.name}: {event.text}")
        return event

    def close(self) -> None:
        """End it, whatever it does. May be called twice."""
        if self.pid == 0:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self._end.close()
        self.pid = 0


def poll(workers: Sequence[Worker[T]], timeout_s: float) -> Iterator[tuple[Worker[T], T]]:
    """What the workers have to say: waits for the first event at most ``timeout_s``, then gives
    all that are there. Raises `LabError` for a worker that failed."""
    ready, _, _ = select.select(workers, [], [], timeout_s)
    while ready:
        for worker in ready:
            yield worker, worker.receive()
        ready, _, _ = select.select(workers, [], [], 0)


def die_with_parent() -> None:
    """For this process, or between fork and exec of a child (``preexec_fn``)."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def first_in_line() -> None:
    """Run before ordinary processes: a sender must not wait for its turn on a busy machine.

    Where real-time priorities are refused (some containers) the sender stays an ordinary process.
    """
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def _child(
    network: Network,
    host: str,
    main: Callable[[Channel[Any]], None],
    channel: Channel[Any],
    engine: int,
) -> None:
    code = 1
    try:
        die_with_parent()
        if os.getppid() != engine:  # it died before the line above
            os._exit(1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        gc.freeze()  # the engine's objects are not this process' to collect
        with network.inside(host):
            main(channel)
        code = 0
    except SystemExit:
        code = 0
    except BaseException as error:
        with contextlib.suppress(OSError):
            channel.send(Failed(_words(error)))
    finally:
        os._exit(code)


def _words(error: BaseException) -> str:
    """One line: the error and the place in this program where it came up."""
    if isinstance(error, LabError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"
