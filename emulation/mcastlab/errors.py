"""What goes wrong in the lab and is not a defect of this program."""

from __future__ import annotations

from mcastplan.errors import EnvironmentLacksError


class LabError(EnvironmentLacksError):
    """The machine, a daemon or the kernel did not do what the lab needs; the message says which."""
