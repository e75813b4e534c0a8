"""What people do today: every replica pulls its own copy by HTTP, along the IGP's routes."""

from __future__ import annotations

from typing import ClassVar

from mcastlab.schemes import Lab
from mcastplan.lab.spec import LabPush
from mcastplan.model.measurement import TableCheck


class Unicast:
    """Nothing to install: routers have their routes, and no state for a push (`mcastlab.pull` is
    the transport)."""

    name: ClassVar[str] = "unicast"
    daemons: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def start(self) -> None:
        """The IGP's routes are there."""

    def open(self, push: LabPush) -> None:
        """A pull needs nobody's consent."""

    def close(self, push: LabPush) -> None:
        """Nothing was made."""

    def tables(self, push: LabPush) -> tuple[TableCheck, ...]:
        """None: no router knows of a push."""
        return ()

    def drops(self) -> dict[str, int]:
        """None: the kernel forwards."""
        return {}

    def stop(self) -> None:
        """Nothing was made."""
