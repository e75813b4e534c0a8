"""What the lab is told to do and what it tells, as data that crosses into the sandbox and back.

Msgpack, since JSON knows no infinity: an unlimited fabric must stay one.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from mcastplan.lab.spec import LabSpec
from mcastplan.model.measurement import Measured

# A run that does not count is repeated this often.
REPEATS_OF_INVALID = 2


class Fault(msgspec.Struct, frozen=True):
    """Links (by id) that go down ``at_s`` after the push's start, and up again if ``up_at_s``."""

    links: tuple[str, ...]
    at_s: float
    up_at_s: float | None
    silent: bool


class Push(msgspec.Struct, frozen=True):
    """One transfer under one scheme, ``times`` times. ``payload_bytes``: what fits into a packet
    beside the scheme's header (UFTP's block)."""

    scheme: str
    transfer: str
    payload_bytes: int
    fault: Fault | None = None
    times: int = 1


class Job(msgspec.Struct, frozen=True):
    """``push_s``: a push that takes longer is ended and its replicas are ``unfinished``."""

    spec: LabSpec
    pushes: tuple[Push, ...]
    push_s: float
    pcap: str | None = None  # a folder


class Up(msgspec.Struct, frozen=True, tag="up"):
    """The network stands: seconds until every router had its routes, worst error of any rate."""

    built_s: float
    converged_s: float
    worst_link_error: float
    memory_bytes: int


class Doing(msgspec.Struct, frozen=True, tag="doing"):
    """What is going on, for people."""

    what: str


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """Where the replicas of the running push are; ``share`` is of the bytes received."""

    scheme: str
    transfer: str
    elapsed_s: float
    replicas: tuple[tuple[str, int, str, float], ...]  # cloud, index, stage, share


class Ran(msgspec.Struct, frozen=True, tag="ran"):
    """A push is over."""

    push: Push
    attempt: int
    invalid: tuple[str, ...]
    measured: Measured


class Constants(msgspec.Struct, frozen=True, tag="constants"):
    """What a calibration found; see `mcastplan.model.measurement.Calibration`."""

    verify_bps: float
    load_bps: float
    timers: dict[str, float]
    samples: int


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """All that was asked for is done."""


Event = Up | Doing | Progress | Ran | Constants | Ended


def packed(value: msgspec.Struct) -> str:
    return base64.b64encode(msgspec.msgpack.encode(value)).decode("ascii")


def unpacked(text: str, kind: Any) -> Any:
    return msgspec.msgpack.decode(base64.b64decode(text), type=kind)
