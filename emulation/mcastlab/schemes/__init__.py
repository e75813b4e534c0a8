"""One file per scheme, and what each is to the experiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import msgspec

from mcastplan.lab.spec import LabPush, LabSpec
from mcastplan.model.measurement import TableCheck

if TYPE_CHECKING:
    from mcastlab.frr import Frr
    from mcastlab.network import Network


class Lab(msgspec.Struct, frozen=True):
    """What a scheme is given: a network that is up and converged."""

    spec: LabSpec
    network: Network
    frr: Frr
    run_dir: Path


class LabScheme(Protocol):
    """A scheme on the lab's forwarding plane. Several run one after another on one network: what
    `start` and `open` make, `close` and `stop` remove."""

    name: ClassVar[str]
    daemons: ClassVar[frozenset[str]]  # of FRR, besides zebra, ospfd and bfdd

    def __init__(self, lab: Lab) -> None: ...

    def start(self) -> None:
        """State that is there whatever the push: BIFTs and their agent, tunnels, a controller."""

    def open(self, push: LabPush) -> None:
        """This push's own state: bitstring, tree, joins. Returns once it is asked for."""

    def close(self, push: LabPush) -> None:
        """Take that state away."""

    def tables(self, push: LabPush) -> tuple[TableCheck, ...]:
        """What routers hold for the push against what the planner says, one row a router."""

    def drops(self) -> dict[str, int]:
        """Packets that the scheme's own forwarding plane dropped since `start`, by reason."""

    def stop(self) -> None:
        """Leave the network as it was before `start`."""
