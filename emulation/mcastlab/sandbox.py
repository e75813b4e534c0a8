"""The lab's own namespaces, seen from outside.

::

    this process --stdin, stdout, stderr--> setpriv, then unshare --> mcastlab.inside, PID 1 of a
    new PID, mount, network, UTS and IPC namespace --> the engine and all that it starts

Nothing is made on the host but one record file (`mcastlab.record`). Three things end the sandbox,
each enough by itself: `Sandbox.stop` kills its first process; the kernel kills `unshare` when this
process dies (``setpriv --pdeathsig``), and that one's child with it (``--kill-child``); the first
process ends at the end of its standard input. The kernel then kills whatever is left in the PID
namespace and takes the network namespaces, mounts and BPF pins with it.

The sandbox dies with the *thread* that started it (prctl(2), PR_SET_PDEATHSIG): start it in the
main one.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import selectors
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any, NoReturn, Self

import msgspec

from mcastlab import job, record
from mcastlab.errors import LabError
from mcastlab.events import ERROR, RESULT, UP, Emit, Event, decode, encode
from mcastplan.errors import UsageError

NAMESPACES = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--pid", "--fork", "--kill-child", "--mount", "--net", "--uts", "--ipc"),
    *("--mount-proc", "--propagation", "private"),
)
UP_BUDGET_S = 60.0  # until the first process inside runs Python, on a busy machine
STDERR_LINES = 40
_TOOLS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SandboxError(Exception):
    """The function inside raised what it should not; ``traceback`` is its own."""

    def __init__(self, message: str, traceback: str) -> None:
        super().__init__(message)
        self.traceback = traceback

    def __str__(self) -> str:
        return f"{self.args[0]}\n{self.traceback}".rstrip()


class Sandbox:
    """Calls ``module:function(given, emit)`` in new namespaces.

    ::

        with Sandbox("module:function", {"links": 3}, what="diamond, bier") as sandbox:
            for event in sandbox.events():
                ...
            result = sandbox.result

    ``given`` is anything `mcastlab.events.encode` takes; it arrives as plain JSON values. ``path``
    are folders for ``sys.path`` inside, before what this process was given in PYTHONPATH.
    """

    def __init__(
        self, function: str, given: object, *, what: str = "lab", path: Sequence[Path] = ()
    ) -> None:
        self._function, self._job, self._what = function, encode(given), what
        self._path = tuple(path)
        self._record: record.Record | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._init: record.Process | None = None
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._finished = False
        self._result: Any = None
        self._handlers: dict[signal.Signals, Any] = {}

    @property
    def result(self) -> Any:
        """What the function returned, as plain JSON values; there once `events` has ended."""
        assert self._finished, "events() has not ended"
        return self._result

    @property
    def stderr(self) -> tuple[str, ...]:
        """The last lines that anything inside wrote to its standard output or error."""
        return tuple(self._stderr)

    @property
    def pids(self) -> tuple[int, ...]:
        """``unshare`` and the first process inside, by the ids they have out here."""
        assert self._record is not None
        return tuple(each.pid for each in self._record.processes)

    def __enter__(self) -> Self:
        try:
            self._catch_signals()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def events(self) -> Iterator[Event]:
        """Every event as it happens, but for the last, which is the result.

        Raises LabError or UsageError with what the function raised, SandboxError for anything
        else that it raised, and LabError when the sandbox ended without a word.
        """
        for event in self._lines(None):
            if event.kind == RESULT:
                self._result, self._finished = event.data["value"], True
            elif event.kind == ERROR:
                self._raise(event.data)
            else:
                yield event
        if not self._finished:
            raise LabError(f"the lab ended without a result{self._last_words()}")

    def stop(self) -> None:
        """End everything inside, wait until it is gone, remove the record. May be called twice.

        Raises LabError when a process does not end; the record then stays for `record.clean`.
        """
        for number in self._handlers:  # one that came now would leave the record behind
            signal.signal(number, signal.SIG_IGN)
        try:
            if self._child is not None:
                self._end(self._child)
            if self._record is not None:
                record.remove(self._record)
                self._record = None
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            self._handlers = {}

    # --- start ------------------------------------------------------------------------------------

    def _start(self) -> None:
        if os.geteuid() != 0:
            raise LabError("the lab needs root: run it with sudo")
        path = search_path()
        for tool in ("setpriv", "unshare", "ip"):
            if shutil.which(tool, path=path) is None:
                raise LabError(f"{tool} is not here (Debian: apt-get install util-linux iproute2)")
        self._record = record.new(self._what)
        # A session of its own: Ctrl-C in the terminal reaches this process and not what it started.
        self._child = subprocess.Popen(
            (*NAMESPACES, sys.executable, "-P", "-m", "mcastlab.inside", self._function),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment(path),
            cwd="/",
            start_new_session=True,
        )
        self._note(record.process(self._child.pid))
        first = next(self._lines(UP_BUDGET_S), None)
        if first is None or first.kind != UP:
            raise LabError(f"the kernel gives no new namespaces here{self._last_words()}")
        self._init = record.child(self._child.pid)
        self._note(self._init)
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(self._job)
            self._child.stdin.flush()
        except BrokenPipeError:
            raise LabError(f"the lab ended before it began{self._last_words()}") from None

    def _note(self, found: record.Process | None) -> None:
        """Add a process to the record; one that has ended already shows on its output."""
        if found is not None and self._record is not None:
            known = (*self._record.processes, found)
            self._record = msgspec.structs.replace(self._record, processes=known)
            record.write(self._record)

    def _environment(self, path: str) -> dict[str, str]:
        env = {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8"}
        here = Path(__file__).parents[1]  # wherever this package was found, there it is inside too
        given = [*map(str, self._path), str(here), os.environ.get("PYTHONPATH", "")]
        env["PYTHONPATH"] = os.pathsep.join(filter(None, given))
        return env

    def _catch_signals(self) -> None:
        """SIGTERM and SIGHUP leave through `stop` too, as Ctrl-C does, and as all of them do where
        they were ignored (a script with `&` ignores Ctrl-C) but for SIGHUP: nohup stays nohup."""
        if threading.current_thread() is threading.main_thread():
            for number in _ENDING:
                ignored = signal.getsignal(number) == signal.SIG_IGN
                if not (ignored and number == signal.SIGHUP):
                    self._handlers[number] = signal.signal(number, _leave)

    # --- output -----------------------------------------------------------------------------------

    def _lines(self, budget_s: float | None) -> Iterator[Event]:
        """Events until standard output ends; ``budget_s`` bounds each wait for one."""
        assert self._child is not None and self._child.stdout and self._child.stderr
        out, err = self._child.stdout, self._child.stderr
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            selector.register(err, selectors.EVENT_READ)
            rest = b""
            while True:
                ready = selector.select(budget_s)
                if not ready:
                    raise LabError(f"the sandbox is not up after {budget_s:g} s")
                files = [key.fileobj for key, _ in ready]
                if err in files and not self._keep(err):
                    selector.unregister(err)
                if out in files:
                    piece = os.read(out.fileno(), 1 << 16)
                    if not piece:
                        self._drain(err)
                        return
                    *lines, rest = (rest + piece).split(b"\n")
                    yield from map(decode, lines)

    def _keep(self, stream: IO[bytes]) -> bool:
        """Keep what stands on standard error; whether there may be more."""
        piece = os.read(stream.fileno(), 1 << 16)
        lines = piece.decode(errors="replace").splitlines()
        self._stderr.extend(line for line in lines if line.strip())
        return bool(piece)

    def _drain(self, stream: IO[bytes]) -> None:
        os.set_blocking(stream.fileno(), False)
        try:
            while self._keep(stream):
                pass
        except BlockingIOError:
            pass

    def _last_words(self) -> str:
        return f": {self._stderr[-1].strip()}" if self._stderr else ""

    def _raise(self, data: dict[str, Any]) -> NoReturn:
        if data["exit_code"] == UsageError.exit_code:
            raise UsageError(data["message"])
        if data["exit_code"] is not None:
            raise LabError(data["message"])
        raise SandboxError(f"{data['name']}: {data['message']}", data["traceback"])

    # --- end --------------------------------------------------------------------------------------

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin and child.stdout and child.stderr
        if self._init is not None:
            record.end(self._init)  # returns when all of its namespace is gone
        child.kill()
        child.wait()
        with contextlib.suppress(BrokenPipeError):  # a job that was never read
            child.stdin.close()
        # A first process that was not yet known ends now, and with it the last writer.
        while select.select((child.stdout,), (), (), record.KILL_BUDGET_S)[0]:
            if not os.read(child.stdout.fileno(), 1 << 16):
                break
        child.stdout.close()
        child.stderr.close()
        self._child = None


def run_job(function: str, whole: job.Job) -> Generator[job.Event, None, None]:
    """Calls ``module:function(job, tell)`` in a sandbox; everything that it tells, as it happens.

    Raises what `Sandbox.events` raises. Closing the iterator ends the sandbox.
    """
    asked = {"function": function, "job": job.packed(whole)}
    with Sandbox(f"{__name__}:call_job", asked, what=whole.spec.scenario.name) as sandbox:
        for event in sandbox.events():
            yield job.unpacked(event.data["packed"], job.Event)


def call_job(asked: dict[str, str], emit: Emit) -> None:
    """In the sandbox: what `run_job` asked for."""
    module, _, name = asked["function"].partition(":")
    main: Callable[[job.Job, Callable[[job.Event], None]], None]
    main = getattr(importlib.import_module(module), name)

    def tell(event: job.Event) -> None:
        emit("job", packed=job.packed(event))

    main(job.unpacked(asked["job"], job.Job), tell)


def search_path() -> str:
    """PATH with the folders of system tools, which cron and su leave out."""
    known = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys((*filter(None, known), *_TOOLS)))


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Once: a second Ctrl-C would interrupt the clean-up. `Sandbox.stop` restores the handlers."""
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)
