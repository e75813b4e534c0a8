"""Every link's packets into files: ``--pcap DIR``.

One capture a link, at the end whose name is smaller: both directions pass there, sent packets after
the queue. Files are named by link id (``@`` and what no file name should hold is percent-encoded),
access links ``origin@TRANSFER.pcap`` and ``cloud@NAME.pcap``; a file has its name only once it is
whole: `stop` waits until each capture has as many packets as the port's counters.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import msgspec

from mcastlab.counters import traffic
from mcastlab.errors import LabError
from mcastlab.network import Network
from mcastplan.lab.spec import LabSpec

TOOL = "dumpcap"
BUFFER_MIB = "16"  # more than a second at 100 Mb/s
START_S = 20.0  # budget for all captures to run
STOP_S = 10.0  # and for all to have what their ports carried
POLL_S = 0.01
_COUNT = re.compile(rb"Packets(?: captured)?: (\d+)")


class Point(msgspec.Struct, frozen=True):
    """Where one link is captured, and into which file."""

    host: str
    port: str
    file: str


def points(spec: LabSpec) -> tuple[Point, ...]:
    """Every core link once, every site's and every origin's access link."""
    found = {
        port.link: Point(router.host, port.name, f"{_name(port.link)}.pcap")
        for router in spec.routers
        for port in router.ports
        if port.arc % 2 == 0
    }
    core = [found[link] for link in sorted(found)]
    clouds = [
        Point(site.router, site.port, f"cloud@{_name(site.cloud)}.pcap") for site in spec.sites
    ]
    origins = {
        push.origin.host: Point(
            push.origin.router, push.origin.port, f"origin@{_name(push.transfer)}.pcap"
        )
        for push in reversed(spec.pushes)
    }
    return (*core, *clouds, *reversed(origins.values()))


def _name(text: str) -> str:
    """Different names stay different, and none leaves its folder."""
    return quote(text, safe="#")


def discard(spec: LabSpec, folder: Path) -> None:
    """Remove what a capture that never came to `stop` left there; whole files stay."""
    for point in points(spec):
        _temporary(folder, point).unlink(missing_ok=True)
        _log(folder, point).unlink(missing_ok=True)


def _temporary(folder: Path, point: Point) -> Path:
    return folder / f".{point.file}.part"


def _log(folder: Path, point: Point) -> Path:
    return folder / f".{point.file}.log"


class Running(msgspec.Struct):
    """One capture under way. ``before``: packets the port had carried when it surely ran."""

    point: Point
    process: subprocess.Popen[bytes]
    log: Path
    before: int = 0


class Capture:
    """`start` returns once every capture runs; `stop` once every file is whole."""

    def __init__(self, network: Network, spec: LabSpec, folder: Path) -> None:
        self._network = network
        self._points = points(spec)
        self._folder = folder
        self._running: list[Running] = []

    def start(self) -> None:
        """Raises `LabError` if there is no tool, or one does not capture."""
        if shutil.which(TOOL) is None:
            raise LabError(
                f"--pcap needs {TOOL}: apt-get install wireshark-common, or leave out --pcap"
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        for point in self._points:
            self._running.append(self._begin(point))
        end = time.monotonic() + START_S
        for each in self._running:
            while b"File:" not in each.log.read_bytes():
                if each.process.poll() is not None or time.monotonic() > end:
                    raise LabError(f"cannot capture {each.point.file}: {_last(each.log)}")
                time.sleep(POLL_S)
            each.before = self._carried(each.point)

    def stop(self) -> tuple[Path, ...]:
        """End the captures and give the files their names.

        Raises `LabError` naming a file that lacks packets; it keeps its temporary name.
        """
        running, self._running = self._running, []
        due = [self._carried(each.point) - each.before for each in running]
        end = time.monotonic() + STOP_S
        for each, packets in zip(running, due, strict=True):
            while _captured(each) < packets and time.monotonic() < end:
                time.sleep(POLL_S)
        for each in running:
            each.process.send_signal(signal.SIGINT)
        written, failed = [], []
        for each, packets in zip(running, due, strict=True):
            code = each.process.wait()
            lost = packets - _captured(each)
            if code or lost > 0:
                failed.append(f"{each.point.file} ({_last(each.log) if code else f'{lost} lost'})")
                continue
            written.append(self._folder / each.point.file)
            _temporary(self._folder, each.point).rename(written[-1])
            each.log.unlink()
        if failed:
            raise LabError(f"captures are not whole: {', '.join(failed)}")
        return tuple(written)

    def _begin(self, point: Point) -> Running:
        log = _log(self._folder, point)
        file = str(_temporary(self._folder, point))
        # fmt: off
        argv = [TOOL, "-P", "-p", "-B", BUFFER_MIB, "-i", point.port, "-w", file]
        # fmt: on
        with log.open("wb") as said:
            process = self._network.popen(
                point.host,
                *argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
        return Running(point, process, log)

    def _carried(self, point: Point) -> int:
        """Packets through the port in both directions so far."""
        _, received, _, sent = traffic(self._network, point.host)[point.port]
        return received + sent


def _captured(running: Running) -> int:
    counts = _COUNT.findall(running.log.read_bytes())
    return int(counts[-1]) if counts else 0


def _last(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"
