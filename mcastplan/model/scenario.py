"""One whole question: a network, clouds, pushes, and the options of the schemes."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import msgspec

from mcastplan.model.cloud import Cloud
from mcastplan.model.failure import Failure
from mcastplan.model.timers import Timers
from mcastplan.model.topology import Topology
from mcastplan.model.transfer import Background, Price, Transfer


class UnicastOptions(msgspec.Struct, frozen=True):
    """``per_pull_bps``: the most payload that one pull carries, however empty its way; None: no
    ceiling."""

    per: Literal["replica", "cloud"] = "replica"
    per_pull_bps: float | None = None


class PimOptions(msgspec.Struct, frozen=True):
    """``rp`` is a node name and must be set in ASM mode; ``register_limit_bps`` is what the RP
    takes out of Register messages before the native path is up."""

    mode: Literal["ssm", "asm"] = "ssm"
    rp: str | None = None
    spt_switchover: bool = True
    register_limit_bps: float = 10e6
    mofrr: bool = False  # RFC 7431


class SrP2mpOptions(msgspec.Struct, frozen=True):
    dataplane: Literal["srv6", "mpls"] = "srv6"
    objective: Literal["min-cost", "shortest"] = "min-cost"
    update: Literal["make-before-break", "in-place"] = "make-before-break"
    protected_adjacencies: bool = False


class BierOptions(msgspec.Struct, frozen=True):
    bsl: Literal[64, 128, 256, 512, 1024, 2048, 4096] = 256
    bfr_ids: Literal["dense", "by-tree"] = "dense"
    ecmp: Literal["node", "bfer"] = "node"
    sub_domain: int = 0
    frr: Literal["none", "tunnel", "lfa"] = "none"  # draft-ietf-bier-frr


class SchemeOptions(msgspec.Struct, frozen=True):
    """``only`` leaves the other schemes out of the result; None keeps all."""

    unicast: UnicastOptions = UnicastOptions()
    pim_sm: PimOptions = PimOptions()
    sr_p2mp: SrP2mpOptions = SrP2mpOptions()
    bier: BierOptions = BierOptions()
    only: tuple[str, ...] | None = None


class Transport(msgspec.Struct, frozen=True):
    """How a multicast push repairs what was lost; a receiver gone longer than ``evict_after_s`` is
    dropped. Unicast pulls are TCP."""

    profile: Literal["nack-ideal", "uftp"] = "nack-ideal"
    evict_after_s: float = 60.0


class Scenario(msgspec.Struct, frozen=True, dict=True):
    """Complete and checked: every name resolves, every quantity is SI.

    ``clouds`` and ``transfers`` are sorted by name. ``assumptions`` are sentences about how the
    file was completed (route factor, merged waypoints, ...) that every result repeats; ``gaps``
    those of them that a reader must see at once: what the source has and was not read, or lacks
    where other parts of it do not.
    """

    name: str
    topology: Topology
    clouds: tuple[Cloud, ...]
    transfers: tuple[Transfer, ...]
    mtu: int = 9000
    ecmp: Literal["first", "hash"] = "first"
    schemes: SchemeOptions = SchemeOptions()
    timers: Timers = Timers()
    protection: Literal["none", "lfa", "ti-lfa"] = "none"  # of the unicast underlay
    transport: Transport = Transport()
    failures: tuple[Failure, ...] = ()
    background: tuple[Background, ...] = ()
    prices: tuple[Price, ...] = ()
    state_limit: int | None = None  # forwarding entries per node
    assumptions: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()

    @cached_property
    def cloud(self) -> dict[str, Cloud]:
        """Clouds by name."""
        return {cloud.name: cloud for cloud in self.clouds}
