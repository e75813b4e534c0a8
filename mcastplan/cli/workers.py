"""A map over several processes, and one that Ctrl-C ends early instead of tearing apart.

Each process has a pipe of its own, over which work goes out and results come back. No lock is
shared, as by the queues of `multiprocessing.Pool`: a process that is killed while it holds one
would hang all the others.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from mcastplan.cli import Terminated
from mcastplan.errors import EnvironmentLacksError

T = TypeVar("T")
R = TypeVar("R")

CHUNKS = 16  # for each process: few enough to be cheap, enough to share the work evenly
LONGEST_CHUNK = 64  # so that progress moves and Ctrl-C loses little
_ENDING = (signal.SIGINT, signal.SIGTERM)
_PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h


def parallel_map(
    workers: int,
) -> Callable[[Callable[[T], R], Sequence[T]], Generator[R, None, None]]:
    """Like the builtin `map` over so many processes, in order. ``function`` goes to each process
    once. Processes are spawned, so that it works alike on every platform; they end with the
    iterator, and with this process however that ends.

    Raises what ``function`` raises, and `EnvironmentLacksError` where a process is killed.
    """

    def mapped(function: Callable[[T], R], items: Sequence[T]) -> Generator[R, None, None]:
        if workers == 1 or len(items) < 2:
            gc.freeze()
            yield from map(function, items)
            return
        size = max(1, min(LONGEST_CHUNK, len(items) // (workers * CHUNKS)))
        chunks = [items[start : start + size] for start in range(0, len(items), size)]
        started: list[tuple[BaseProcess, Connection]] = []
        try:
            _start(started, min(workers, len(chunks)), function)
            for results in _in_order([pipe for _, pipe in started], chunks):
                yield from results
        finally:
            for process, pipe in started:
                process.kill()
                process.join()
                pipe.close()

    return mapped


def _start(
    started: list[tuple[BaseProcess, Connection]], number: int, function: Callable[[Any], Any]
) -> None:
    """Adds to ``started``. Ctrl-C and SIGTERM, which come to a whole group, are this process'
    affair: the others are born with them blocked."""
    resource_tracker.ensure_running()  # unblocks signals when it starts
    context = multiprocessing.get_context("spawn")
    old = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        for _ in range(number):
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there, function, os.getpid()))
            process.start()
            there.close()  # its end of file is then the other process' end
            started.append((process, here))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def _in_order(pipes: Sequence[Connection], chunks: Sequence[Sequence[T]]) -> Iterator[list[Any]]:
    """The results of each chunk; each pipe's process works on one at a time."""
    todo = iter(enumerate(chunks))
    works_on: dict[Any, int] = {}
    ready: dict[int, list[Any]] = {}  # results that wait for those of an earlier chunk
    try:
        for pipe, (number, chunk) in zip(pipes, todo, strict=False):
            pipe.send(chunk)
            works_on[pipe] = number
        for number in range(len(chunks)):
            while number not in ready:
                for free in wait(list(works_on)):
                    assert isinstance(free, Connection)
                    found = free.recv()
                    if isinstance(found, Exception):
                        raise found
                    ready[works_on.pop(free)] = found
                    for following, chunk in todo:
                        free.send(chunk)
                        works_on[free] = following
                        break
            yield ready.pop(number)
    except (EOFError, ConnectionError):
        raise EnvironmentLacksError(
            "a worker process was killed, for want of memory perhaps; take fewer --workers"
        ) from None


def _serve(pipe: Connection, function: Callable[[Any], Any], parent: int) -> None:
    """The life of a process: chunks in, results out, until the other end is closed."""
    _die_with(parent)
    gc.freeze()  # what every task needs is no garbage: not looked at again and again
    try:
        while True:
            chunk = pipe.recv()
            try:
                answer: Any = [function(item) for item in chunk]
            except Exception as error:
                answer = error
            pipe.send(answer)
    except (EOFError, ConnectionError):
        return


def _die_with(parent: int) -> None:
    """However the parent ends. Where the kernel has no such call, the end of the pipe does it, once
    the chunk in hand is done."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(1)


@contextmanager
def until_interrupted() -> Iterator[Callable[[], KeyboardInterrupt | None]]:
    """Yields what says whether Ctrl-C or SIGTERM came, and which; a second one ends at once."""
    asked: KeyboardInterrupt | None = None

    def ask(number: int, frame: Any) -> None:
        nonlocal asked
        end = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
        if asked is not None:
            raise end
        asked = end

    old = {number: signal.signal(number, ask) for number in _ENDING}
    try:
        yield lambda: asked
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
