"""FRR's configuration of one router: templates, and the scenario's timers in FRR's own terms."""

from __future__ import annotations

import ipaddress
import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from mcastlab.errors import LabError
from mcastplan.errors import ScenarioError
from mcastplan.lab.spec import LabRouter, LabSpec
from mcastplan.model.timers import Timers

LOGS = Path("/run/mcastlab/frr")
PROFILE = "lab"  # of BFD
BFD_MULTIPLIER = 3
# Until every route is there the SPF follows at once: with the scenario's own throttle the start of
# 28 routers would push the hold time to its maximum, and a failure would meet it there.
START_SPF_MS = (0, 50, 50)
# RFC 2328: RouterDeadInterval is four hellos.
HELLOS_TO_DEATH = 4
HELLO_S, FAST_HELLO_S = 10, 1
# PIM neighbours must be back before the IGP adjacency: a Join to none goes nowhere.
PIM_HELLO_S = 1
ASM_PERIODIC_S = 5  # t_periodic of Joins and Prunes; see `mcastlab.schemes.pim_sm`
MIN_LS_ARRIVAL_MS = 1000  # RFC 2328 MinLSArrival, FRR's default
_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z][0-9]{1,5}")


class FrrTimers(msgspec.Struct, frozen=True):
    """A scenario's timers as FRR 8.4 counts them. ``bfd_ms`` None: no BFD."""

    hello_s: int
    dead_s: int
    bfd_ms: int | None
    spf_ms: tuple[int, int, int]  # delay, hold, max hold
    lsa_ms: int  # MinLSInterval

    @property
    def pim_hold_s(self) -> int:
        """A PIM neighbour is given up no sooner than an OSPF one."""
        return self.dead_s

    @property
    def min_arrival_ms(self) -> int:
        return min(MIN_LS_ARRIVAL_MS, self.lsa_ms)


def frr_timers(timers: Timers) -> FrrTimers:
    """The timers for ospfd, ospf6d and bfdd.

    BFD takes ``silent_s`` as three intervals; under ``no-bfd`` that is OSPF's dead interval.
    Hellos go each second where the preset's adjacency comes up sooner than RFC 2328's HelloInterval
    allows. Raises `ScenarioError` for timers that FRR does not have (RFC 8405 back-off).
    """
    if timers.spf != "frr-throttle":
        raise ScenarioError(
            f"the lab's routers run FRR, which has no {timers.spf} back-off"
            f" (timers: {timers.preset}); use timers: lab, frr-defaults or no-bfd",
            "timers",
        )
    if timers.preset == "no-bfd":
        dead_s = max(HELLOS_TO_DEATH, round(timers.silent_s))
        hello_s, bfd_ms = dead_s // HELLOS_TO_DEATH, None
    else:
        hello_s = FAST_HELLO_S if timers.adjacency_s < HELLO_S else HELLO_S
        dead_s, bfd_ms = HELLOS_TO_DEATH * hello_s, _bfd_ms(timers.silent_s)
    return FrrTimers(
        hello_s,
        dead_s,
        bfd_ms,
        (_ms(timers.spf_delay_s), _ms(timers.spf_hold_s), _ms(timers.spf_max_hold_s)),
        _ms(timers.lsa_interval_s),
    )


def _bfd_ms(silent_s: float) -> int:
    """Raises `ScenarioError` outside what bfdd takes as an interval."""
    interval = round(silent_s * 1000 / BFD_MULTIPLIER)
    if not 10 <= interval <= 60_000:
        raise ScenarioError(
            f"the lab notices a silent failure by BFD, {BFD_MULTIPLIER} x 10 ms to"
            f" {BFD_MULTIPLIER} x 60 s; {silent_s:g} s is outside",
            "timers.silent",
        )
    return interval


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def throttles(timers: FrrTimers, daemon: str) -> tuple[str, ...]:
    """Commands that put the scenario's own throttles in place of those of the start.

    ospf6d 8.4 has no MinLSInterval: it originates at once whatever ``lsa_interval`` says.
    """
    commands = [
        "configure terminal",
        "router ospf" if daemon == "ospfd" else "router ospf6",
        f"timers throttle spf {_spf(timers.spf_ms)}",
        f"timers lsa min-arrival {timers.min_arrival_ms}",
    ]
    if daemon == "ospfd":
        commands.append(f"timers throttle lsa all {timers.lsa_ms}")
    return (*commands, "end")


def access_ports(spec: LabSpec, host: str) -> tuple[str, ...]:
    """A PE's ports towards sites, then those towards origins."""
    sites = tuple(site.port for site in spec.sites if site.router == host)
    return sites + tuple(origin.port for origin in spec.origins if origin.router == host)


def checked(spec: LabSpec) -> None:
    """Raises `LabError` where a name or an address is not one that `LabSpec` makes: nothing else
    may reach a configuration file, a path or a command."""
    for router in spec.routers:
        _check_name(router.host)
        for address in (router.loopback, router.loopback6):
            _check(ipaddress.ip_address, address)
        _check(ipaddress.IPv6Network, router.locator)
        for port in router.ports:
            _check_name(port.name)
            _check(ipaddress.IPv4Address, port.address)
        for name in access_ports(spec, router.host):
            _check_name(name)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise LabError(f"{name!r} is no name of a lab host or port")


def _check(kind: Any, text: str) -> None:
    try:
        kind(text)
    except ValueError as error:
        raise LabError(f"the lab's address plan is wrong: {error}") from error


def render(
    spec: LabSpec, router: LabRouter, timers: FrrTimers, daemon: str, *, with_v6: bool
) -> str:
    """The daemon's configuration file."""
    locator = ipaddress.IPv6Network(router.locator)
    return _template(daemon).render(
        router=router,
        log=log_of(router.host, daemon),
        timers=timers,
        access=access_ports(spec, router.host),
        profile=PROFILE,
        asm=spec.scenario.schemes.pim_sm.mode == "asm",
        asm_periodic_s=ASM_PERIODIC_S,
        pim_hello_s=PIM_HELLO_S,
        multiplier=BFD_MULTIPLIER,
        start_spf=_spf(START_SPF_MS),
        with_v6=with_v6,
        locator_address=f"{locator.network_address}/{locator.prefixlen}",
    )


def log_of(host: str, daemon: str) -> Path:
    """The daemon's log."""
    return LOGS / f"{host}-{daemon}.log"


def _spf(spf_ms: tuple[int, int, int]) -> str:
    return " ".join(map(str, spf_ms))


@cache
def _template(daemon: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  (not HTML; `checked` has seen every value)
    )
    return environment.get_template(f"{daemon}.conf.j2")
