"""PID 1 of the sandbox: ``python -P -m mcastlab.inside module:function``.

It makes the private mounts, forks the engine, which calls ``function(job, emit)``, and then does
two things until the end: it reaps what the engine's children leave behind, and it watches its
standard input. End of file there means that the process outside is gone. When PID 1 exits, for that
or any other reason, the kernel kills every process of the PID namespace, and with the last of them
go all namespaces, veths, BPF pins and mounts. So PID 1 does no work that can hang or fail, and the
engine may fork, block and crash as it likes.

The job is the first line on standard input, JSON. Events leave on standard output; what the engine
or a library prints goes to standard error.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from mcastlab.errors import LabError
from mcastlab.events import ERROR, RESULT, UP, Emitter
from mcastplan.errors import McastplanError

RUN_DIR = Path("/run/mcastlab")  # of this sandbox: its /run is a file system of its own
BPF_DIR = Path("/run/bpf")
TEMPORARY = RUN_DIR / "tmp"

_FOLDERS = (RUN_DIR, TEMPORARY, BPF_DIR, Path("/run/netns"), Path("/run/frr"), Path("/run/lock"))
_FRR_CONFIG = Path("/etc/frr")
_VAR_TMP = Path("/var/tmp")  # noqa: S108 - FRR writes crash logs to /var/tmp/frr, wherever that is
_FRR_LOGS = "frr"
_MS_BIND, _MS_REC = 4096, 16384
_DEFECT = 70
_SIGNALLED = 128  # + the signal's number, as shells count


def main(argv: list[str]) -> int:
    """Exit code: 0 the function returned, else not; 128 + n after signal n."""
    emit = Emitter(os.dup(1))
    os.dup2(2, 1)
    if os.getpid() != 1:  # or else the mounts below would be the host's
        print("mcastlab.inside is PID 1 of a sandbox or nothing", file=sys.stderr)  # noqa: T201
        return _DEFECT
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # unshare may have blocked some
    emit(UP)
    line = _first_line(0)
    if line is None:
        return 0
    try:
        _prepare()
        call, job = _function(argv[1]), json.loads(line)
    except Exception as error:
        emit(ERROR, **_explained(error))
        return 1
    return _supervise(_forked(call, job, emit), emit)


def _first_line(fd: int) -> bytes | None:
    """Up to the first newline; None when the writer is gone before it."""
    pieces: list[bytes] = []
    while not pieces or not pieces[-1].endswith(b"\n"):
        piece = os.read(fd, 1 << 16)
        if not piece:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _function(name: str) -> Callable[[Any, Emitter], object]:
    module, _, attribute = name.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    assert callable(found)
    return found  # type: ignore[no-any-return]


# --- the private file systems ---------------------------------------------------------------------


def _prepare() -> None:
    """Mounts that only this sandbox sees, and the loopback interface up."""
    _private_var_tmp()
    _mount("tmpfs", "/run", "mode=0755")
    for folder in _FOLDERS:
        folder.mkdir(mode=0o755)
    # The old one shows the host's interfaces, and the host's BPF pins.
    _mount("sysfs", "/sys")
    _mount("bpf", str(BPF_DIR))
    if _FRR_CONFIG.is_dir():
        _mount("tmpfs", str(_FRR_CONFIG), "mode=0755")
        with contextlib.suppress(LookupError):  # a build of FRR that runs as root
            shutil.chown("/run/frr", "frr", "frr")
            shutil.chown(_FRR_CONFIG, "frr", "frr")
    os.environ["TMPDIR"] = str(TEMPORARY)
    done = subprocess.run(
        ("ip", "link", "set", "lo", "up"), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LabError(f"ip link set lo up: {done.stderr.strip()}")


def _private_var_tmp() -> None:
    """A /var/tmp of our own with all that is in the host's but FRR's logs, which FRR would leave
    there: the user's files may well be under it."""
    if not _VAR_TMP.is_dir():
        return
    entries = [entry for entry in _VAR_TMP.iterdir() if entry.name != _FRR_LOGS]
    hosts = os.open(_VAR_TMP, os.O_PATH | os.O_DIRECTORY)
    _mount("tmpfs", str(_VAR_TMP), "mode=1777")
    for entry in entries:
        source = f"/proc/self/fd/{hosts}/{entry.name}"
        if Path(source).is_symlink():
            entry.symlink_to(Path(source).readlink())
            continue
        if Path(source).is_dir():
            entry.mkdir()
        else:
            entry.touch()
        _mount(source, str(entry), flags=_MS_BIND | _MS_REC)
    os.close(hosts)


def _mount(source: str, target: str, options: str = "", *, flags: int = 0) -> None:
    """mount(2); ``source`` is the type too, but for a bind mount."""
    libc = ctypes.CDLL(None, use_errno=True)
    kind = None if flags else source.encode()
    if libc.mount(source.encode(), target.encode(), kind, flags, options.encode() or None):
        code = ctypes.get_errno()
        raise LabError(f"cannot mount {source} on {target}: {os.strerror(code)}")


# --- the engine -----------------------------------------------------------------------------------


def _forked(call: Callable[[Any, Emitter], object], job: Any, emit: Emitter) -> int:
    """The engine's process id."""
    engine = os.fork()
    if engine:
        return engine
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        code = _engine(call, job, emit)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # the process outside is gone, or the machine is out of memory
        code = _DEFECT
    os._exit(code)


def _engine(call: Callable[[Any, Emitter], object], job: Any, emit: Emitter) -> int:
    try:
        emit(RESULT, value=call(job, emit))
    except BaseException as error:
        emit(ERROR, **_explained(error))
        return 1
    return 0


def _explained(error: BaseException) -> dict[str, object]:
    return {
        "name": type(error).__name__,
        "message": str(error),
        "exit_code": error.exit_code if isinstance(error, McastplanError) else None,
        "traceback": "".join(traceback.format_exception(error)),
    }


# --- the supervisor -------------------------------------------------------------------------------


def _supervise(engine: int, emit: Emitter) -> int:
    """Reap until the engine ends or standard input does."""
    wake, woken = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _only_wake)
    for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ending, _leave)
    while True:
        # First, since the engine may have ended before the handler was there.
        status = _reap(engine)
        if status is not None:
            break
        ready, _, _ = select.select((0, wake), (), ())
        if wake in ready:
            os.read(wake, 4096)
        if 0 in ready and not os.read(0, 4096):
            return 0
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        emit(ERROR, **_killed(-code))
        return _SIGNALLED - code
    return code


def _reap(engine: int) -> int | None:
    """The engine's wait status, once it has ended."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == engine:
            found = status


def _killed(number: int) -> dict[str, object]:
    name = signal.Signals(number).name
    hint = ": is the machine out of memory?" if number == signal.SIGKILL else ""
    return {
        "name": "LabError",
        "message": f"the lab's own process was ended by {name}{hint}",
        "exit_code": LabError.exit_code,
        "traceback": "",
    }


def _only_wake(number: int, frame: object) -> None:
    """The wake-up descriptor does the work; without a handler Python writes nothing to it."""


def _leave(number: int, frame: object) -> NoReturn:
    os._exit(_SIGNALLED + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
