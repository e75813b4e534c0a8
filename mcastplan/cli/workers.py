"""A map over several processes, and one that Ctrl-C ends early instead of tearing apart."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

CHUNKS = 16  # for each process: few enough to be cheap, enough to share the work evenly
LONGEST_CHUNK = 64  # so that progress moves and Ctrl-C loses little

_call: Callable[[Any], Any]


def _keep(function: Callable[[Any], Any]) -> None:
    """In a new process: hold on to what every task needs; Ctrl-C is the parent's affair."""
    global _call
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _call = function
    gc.freeze()  # what every task needs is no garbage: not looked at again and again


def _one(item: Any) -> Any:
    return _call(item)


def parallel_map(workers: int) -> Callable[[Callable[[T], R], Sequence[T]], Iterable[R]]:
    """Like the builtin `map` over so many processes, in order. ``function`` goes to each process
    once. Processes are spawned, so that it works alike on every platform."""

    def mapped(function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        if workers == 1 or len(items) < 2:
            gc.freeze()
            yield from map(function, items)
            return
        chunk = max(1, min(LONGEST_CHUNK, len(items) // (workers * CHUNKS)))
        pool = multiprocessing.get_context("spawn").Pool(
            min(workers, len(items)), initializer=_keep, initargs=(function,)
        )
        with pool:  # terminated at the end, also of an early one
            yield from pool.imap(_one, items, chunk)

    return mapped


@contextmanager
def until_interrupted() -> Iterator[Callable[[], bool]]:
    """Yields what says whether Ctrl-C was pressed; a second one interrupts at once."""
    asked = False

    def ask(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    old = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, old)
