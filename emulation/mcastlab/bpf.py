"""eBPF objects of the lab: compile, load, attach; read and write their maps.

bpftool loads (libbpf does BTF, relocations and pins), `tc` attaches, and maps are read and written
by `mcastlab.bpf_maps`. Every failure is one `LabError` that says what failed and how the tool or
the kernel names it. Pins lie in the lab's own bpffs (a private /run), so that they vanish with it.
"""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from mcastlab.bpf_maps import Map
from mcastlab.errors import LabError

if TYPE_CHECKING:
    from mcastlab.network import Network

__all__ = ["Direction", "Loaded", "Map", "attach", "compile", "detach", "load", "unload"]

SOURCES = Path(__file__).parent / "ebpf"
OBJECTS = Path("/run/mcastlab/bpf")

Direction = Literal["ingress", "egress"]


class Loaded(msgspec.Struct, frozen=True):
    """An object that the kernel accepted; its programs and maps are pinned under ``pins``."""

    pins: Path

    def program(self, name: str) -> Path:
        """Where the program of this C function is pinned."""
        return self.pins / "p" / name

    def map(self, name: str) -> Map:
        """The map of this name. Raises `LabError` if the object has none."""
        return Map(self.pins / "m" / name)


def _complaint(stderr: str) -> str:
    """The line that says most: libbpf's verdict, then what calls itself an error."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    libbpf = [line.removeprefix("libbpf: ") for line in lines if line.startswith("libbpf: ")]
    verdicts = [line for line in libbpf if "failed: " in line]
    errors = [line for line in lines if "rror: " in line or line.startswith("Error")]
    return next(iter((*verdicts, *errors, *lines)), "")


def _told(argv: list[str], what: str, text: str | None = None) -> str:
    """What the command printed. Raises `LabError` with the line that names the trouble."""
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LabError(f"{what}: no {argv[0]} here; install it") from None
    if done.returncode:
        raise LabError(f"{what}: {_complaint(done.stderr) or f'exit {done.returncode}'}")
    return done.stdout


@cache
def compile(  # noqa: A001 - bpf.compile is what it is called
    source: str, folder: Path = OBJECTS, sources: Path = SOURCES
) -> Path:
    """The object made of ``<sources>/<source>.bpf.c``, once for each process and folder.

    Raises `LabError` with clang's first error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{source}.bpf.o"
    # Debian keeps asm/types.h, which linux/bpf.h includes, in the architecture's folder.
    headers = f"/usr/include/{platform.machine()}-linux-gnu"
    # fmt: off
    argv = ["clang", "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror", "-I", headers,
            "-I", str(SOURCES), "-c", str(sources / f"{source}.bpf.c"), "-o", str(target)]
    # fmt: on
    _told(argv, f"cannot compile {source}.bpf.c")
    return target


def load(obj: Path, pins: Path) -> Loaded:
    """Load every program of the object and pin programs and maps below ``pins``, in a bpffs.

    Each call makes programs and maps of its own. Raises `LabError` with libbpf's first error.
    """
    if pins.exists():
        raise LabError(f"cannot load {obj.name}: something is pinned at {pins}")
    pins.mkdir(parents=True)
    # fmt: off
    argv = ["bpftool", "prog", "loadall", str(obj), str(pins / "p"), "pinmaps", str(pins / "m")]
    # fmt: on
    try:
        _told(argv, f"cannot load {obj.name} at {pins}")
    except LabError:
        pins.rmdir()  # bpftool pins all or nothing
        raise
    return Loaded(pins)


def unload(loaded: Loaded) -> None:
    """Remove the pins; the kernel frees what nothing else holds."""
    for folder in (loaded.pins / "p", loaded.pins / "m"):
        for pin in sorted(folder.iterdir()):
            pin.unlink()
        folder.rmdir()
    loaded.pins.rmdir()


def _tc(network: Network, host: str, what: str, *lines: str) -> str:
    """What tc says to these lines in the host's namespace: one process for all of them."""
    argv = ["nsenter", f"--net=/proc/{network.pid(host)}/ns/net", "tc", "-batch", "-"]
    return _told(argv, what, "\n".join(lines) + "\n")


def attach(
    network: Network,
    host: str,
    port: str,
    direction: Direction,
    program: Path,
    priority: int = 1,
) -> None:
    """Run the pinned program on every packet of the port, direct action; lower priority first.

    What had this priority there is replaced. Raises `LabError`.
    """
    _tc(
        network,
        host,
        f"cannot attach {program.name} to {host} {port} {direction}",
        f"qdisc replace dev {port} clsact",
        f"filter replace dev {port} {direction} protocol all prio {priority} handle 1"
        f" bpf da object-pinned {program}",
    )


def detach(network: Network, host: str, port: str, direction: Direction, priority: int = 1) -> None:
    """Take the program of this priority away, and clsact with the last one. Raises `LabError`."""
    what = f"cannot detach priority {priority} from {host} {port} {direction}"
    left = _tc(
        network,
        host,
        what,
        f"filter del dev {port} {direction} protocol all prio {priority}",
        f"filter show dev {port} ingress",
        f"filter show dev {port} egress",
    )
    if not left.strip():
        _tc(network, host, what, f"qdisc del dev {port} clsact")
