"""`LabSpec`: everything that the lab builds, as data, with the scaled scenario it is made from.

No name that came from a file is used for an interface, a namespace or a path: hosts and ports get
short names of their own, and the results translate back.

=========  ==========================  ==========================================
routers    ``r<number>``, ``e1`` ...   10.255.x.y/32, fd00:0:<number>::1
core       veth pairs, a /31 each      10.1.0.0/16, and link-local IPv6
sites      ``s<number>``, ``br``       10.16.0.0/12, a /24 each; the PE is .1
replicas   ``h<number>``, ``eth0``     .10 and up in the site's /24
origins    ``o<number>``, ``eth0``     198.18.<number>.2/24; the PE is .1
=========  ==========================  ==========================================

A PE's port is ``c<number>`` towards a site and ``o<number>`` towards an origin.
``number`` counts from 1 in the order of the sorted names.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import msgspec

from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Arc

DATA_PORT = 1044  # UFTP's own
PROBE_PORT = 7001  # the 1 kpps probe that measures outages
TRAIN_PORT = 7002  # trains that search for the highest rate without loss
HTTP_PORT = 8080


class LabPort(msgspec.Struct, frozen=True):
    """A router's end of a core link. ``rate_bps`` is what it may send: the capacity of ``arc``."""

    name: str
    mac: str
    address: str  # IPv4, without the /31
    link: str  # the link's id
    arc: Arc  # out of this port, in the scaled scenario's graph
    rate_bps: float
    delay_s: float
    metric: int  # of `arc`
    peer: str  # host of the router at the other end
    peer_port: str
    peer_mac: str
    peer_address: str


class LabRouter(msgspec.Struct, frozen=True):
    """One router, in a namespace of its own. ``bfr_id`` None: no PE with a cloud or an origin."""

    name: str  # the topology's
    host: str
    number: int
    loopback: str  # IPv4, a /32
    loopback6: str  # IPv6 inside the locator, a /128
    locator: str  # IPv6 prefix /48 that the SIDs of this router lie in
    bfr_id: int | None
    ports: tuple[LabPort, ...]


class LabReplica(msgspec.Struct, frozen=True):
    """One GPU server: a namespace that wants a full copy."""

    cloud: str
    index: int
    host: str
    address: str
    mac: str


class LabSite(msgspec.Struct, frozen=True):
    """A cloud: a bridge without snooping between its PE and its replicas.

    The PE's ``port`` sends at ``ingress_bps``, the bridge sends up at ``egress_bps`` and down to
    each replica at ``fabric_bps``; infinity is not shaped.
    """

    cloud: str
    host: str
    number: int
    router: str  # host of its PE
    port: str  # the PE's interface towards it
    port_mac: str
    gateway: str  # IPv4 of that interface, a /24
    subnet: str
    ingress_bps: float
    egress_bps: float
    fabric_bps: float
    replicas: tuple[LabReplica, ...]


class LabOrigin(msgspec.Struct, frozen=True):
    """Where a push starts: a host behind the origin's PE."""

    host: str
    number: int
    router: str
    port: str  # the PE's interface towards it
    port_mac: str
    gateway: str
    address: str
    mac: str
    egress_bps: float


class LabPush(msgspec.Struct, frozen=True):
    """One transfer. The origin sends to ``group`` (data, probes) and ``announce`` (UFTP's public
    group); both take the same way in every scheme. ``tree_id`` is the transfer's number from 1."""

    transfer: str
    tree_id: int
    origin: LabOrigin
    group: str
    announce: str
    size_bytes: int
    shards: int
    load: Literal["after", "streamed"]
    clouds: tuple[str, ...]


class LabSpec(msgspec.Struct, frozen=True, dict=True):
    """``scenario`` is the scaled one: every prediction is made for it, every rate is from it."""

    scenario: Scenario
    rate_scale: float  # lab rate / scenario rate
    size_scale: float
    netem: bool  # whether links have the scenario's delays
    routers: tuple[LabRouter, ...]
    sites: tuple[LabSite, ...]
    pushes: tuple[LabPush, ...]
    notes: tuple[str, ...] = ()

    @property
    def mtu(self) -> int:
        return self.scenario.mtu

    @cached_property
    def router(self) -> dict[str, LabRouter]:
        """Routers by host."""
        return {router.host: router for router in self.routers}

    @cached_property
    def router_named(self) -> dict[str, LabRouter]:
        """Routers by the topology's name."""
        return {router.name: router for router in self.routers}

    @cached_property
    def site(self) -> dict[str, LabSite]:
        """Sites by cloud name."""
        return {site.cloud: site for site in self.sites}

    @cached_property
    def origins(self) -> tuple[LabOrigin, ...]:
        """Every origin host once."""
        return tuple({push.origin.host: push.origin for push in self.pushes}.values())

    def receiving(self, push: LabPush) -> tuple[LabSite, ...]:
        """The sites that want this push."""
        return tuple(self.site[name] for name in push.clouds)
