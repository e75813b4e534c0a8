"""The forwarding plane of SR-P2MP: ``replicate.bpf.c`` on every router, with maps of its own.

End.Replicate runs on core ports, imposition on the ports of origins; any tree may use any router.
Without segments it forwards nothing, and packets that are not for a Replication-SID pass it by.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path

from mcastlab import bpf
from mcastlab.bpf import Loaded
from mcastlab.errors import LabError
from mcastlab.network import Network
from mcastlab.schemes.sr_segments import counted, node_value
from mcastplan.lab.spec import LabSpec

PINS = Path("/run/bpf/sr")


class Plane:
    """What `start` attaches and pins, `stop` removes."""

    def __init__(self, network: Network, spec: LabSpec) -> None:
        self._network, self._spec = network, spec
        self.loaded: dict[str, Loaded] = {}  # by router host
        self._attached: list[tuple[str, str]] = []

    def start(self) -> None:
        """Raises `LabError` with what clang, the kernel or tc refuse."""
        compiled = bpf.compile("replicate")
        for router in self._spec.routers:
            loaded = self.loaded[router.host] = bpf.load(compiled, PINS / router.host)
            with contextlib.closing(loaded.map("node")) as node:
                node.update(bytes(4), node_value(router))
            for port in router.ports:
                self._attach(router.host, port.name, loaded.program("replicate"))
        for origin in self._spec.origins:
            self._attach(origin.router, origin.port, self.loaded[origin.router].program("impose"))

    def _attach(self, host: str, port: str, program: Path) -> None:
        bpf.attach(self._network, host, port, "ingress", program)
        self._attached.append((host, port))

    def pins(self) -> dict[str, Path]:
        """By router host, for another process."""
        return {host: loaded.pins for host, loaded in self.loaded.items()}

    def ifindex(self) -> dict[tuple[str, str], int]:
        """Of core and site ports, by (host, port)."""
        core = [(router.host, port.name) for router in self._spec.routers for port in router.ports]
        sites = [(site.router, site.port) for site in self._spec.sites]
        return {place: self._network.ifindex(*place) for place in (*core, *sites)}

    def counters(self, host: str | None = None) -> Counter[str]:
        """Every counter, of one router or of all together."""
        totals: Counter[str] = Counter()
        for each, loaded in self.loaded.items():
            if host in (None, each):
                totals.update(counted(loaded))
        return totals

    def stop(self) -> None:
        """Safe halfway and twice."""
        for host, port in reversed(self._attached):
            # A port that went away took its filters along.
            with contextlib.suppress(LabError):
                bpf.detach(self._network, host, port, "ingress")
        self._attached.clear()
        for loaded in self.loaded.values():
            bpf.unload(loaded)
        self.loaded.clear()
        with contextlib.suppress(FileNotFoundError):
            PINS.rmdir()
