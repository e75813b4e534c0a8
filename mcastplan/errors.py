"""Every exception this package raises on purpose, and the exit code the command gives it.

::

    McastplanError                 (1)  something the user can act on
    +-- UsageError                 (2)  bad usage or a bad file: what, where, what to do
    |   +-- UnitError              (2)  a quantity whose text is not "number unit"
    |   +-- ScenarioError          (2)  a scenario or topology that does not hold up
    |   +-- InfeasibleError        (2)  a limit of one scheme rules it out here
    +-- EnvironmentLacksError      (3)  the machine lacks something the command needs
"""

from __future__ import annotations


class McastplanError(Exception):
    """Base of all errors with a message for the user; one line, no traceback."""

    exit_code = 1


class UsageError(McastplanError):
    """Bad usage or a bad file."""

    exit_code = 2


class UnitError(UsageError):
    """A rate, size or time whose text cannot be read; the message names the text and the units."""


class ScenarioError(UsageError):
    """A scenario or topology that does not hold together.

    ``where`` is the path inside the file (``links[3].capacity``), empty for the whole file;
    ``source`` is the file as the user named it and may be filled in on the way up.
    """

    def __init__(self, what: str, where: str = "", source: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.source = what, where, source

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.source, self.where) if part)
        return f"{place}: {self.what}" if place else self.what


class InfeasibleError(UsageError):
    """A limit of one scheme (SIs, BFR-ids, header against MTU, state) rules it out here."""


class EnvironmentLacksError(McastplanError):
    """The machine lacks something the command needs."""

    exit_code = 3
