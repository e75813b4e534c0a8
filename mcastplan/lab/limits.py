"""What a scenario may ask for that the lab has no real part for: refused by name, before a build.

A number that is left out here is refused nowhere: the lab must carry it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from mcastplan.errors import UsageError
from mcastplan.model.scenario import Scenario

MOST_ROUTERS = 100  # each runs four to six daemons of some 10 MB
MOST_CLOUDS = 250  # subnets
MOST_REPLICAS = 250  # network namespaces of receivers
MOST_SITE_REPLICAS = 240  # addresses .10 and up of a /24
MOST_TRANSFERS = 250  # groups
MOST_LINKS = 30_000  # /31 of a /16
MOST_BSL = 1024
# Linux has 32 virtual interfaces in an mroute table (MAXVIFS, linux/mroute.h); pimd takes one for
# Register messages.
MOST_PIM_PORTS = 31


def check(scenario: Scenario, schemes: Sequence[str]) -> None:
    """Raises `UsageError` with the first thing the lab cannot run, and what to do."""
    for said in _refusals(scenario, schemes):
        raise UsageError(f"scenario {scenario.name}: the lab {said}")


def _refusals(scenario: Scenario, schemes: Sequence[str]) -> Iterator[str]:
    yield from _network(scenario)
    yield from _counts(scenario)
    if "unicast" in schemes and scenario.schemes.unicast.per == "cloud":
        yield "pulls a copy for each replica, not `unicast: {per: cloud}`; use per: replica"
    if "unicast" in schemes and scenario.schemes.unicast.per_pull_bps is not None:
        yield "has no ceiling of a pull; leave out `unicast: {per_pull: ...}`"
    if "pim-sm" in schemes:
        yield from _pim(scenario)
    if "sr-p2mp" in schemes:
        yield from _sr(scenario)
    if "bier" in schemes:
        bier = scenario.schemes.bier
        if bier.bsl > MOST_BSL:
            yield f"forwards BitStrings of up to {MOST_BSL} bits, not `bier: {{bsl: {bier.bsl}}}`"
        if bier.frr != "none":
            yield f"has no BIER-FRR (`bier: {{frr: {bier.frr}}}`); use none"


def _network(scenario: Scenario) -> Iterator[str]:
    if scenario.timers.spf != "frr-throttle":
        yield (
            f"runs FRR, whose SPF throttle is not that of the `{scenario.timers.preset}` timers"
            " (RFC 8405); use `timers: lab`, frr-defaults or no-bfd"
        )
    if scenario.background:
        yield "has no background traffic; leave out `background` and `background_demands`"
    if scenario.protection != "none":
        yield f"has no fast reroute (`underlay: {{protection: {scenario.protection}}}`); use none"
    for cloud in scenario.clouds:
        if cloud.fanout == "cache":
            yield f"has no site caches; use `fanout: multicast` for cloud {cloud.name}"


def _counts(scenario: Scenario) -> Iterator[str]:
    replicas = [cloud.replicas for cloud in scenario.clouds]
    for what, count, most in (
        ("routers", len(scenario.topology.nodes), MOST_ROUTERS),
        ("links", len(scenario.topology.links), MOST_LINKS),
        ("clouds", len(scenario.clouds), MOST_CLOUDS),
        ("replicas", sum(replicas), MOST_REPLICAS),
        ("replicas in one cloud", max(replicas), MOST_SITE_REPLICAS),
        ("transfers", len(scenario.transfers), MOST_TRANSFERS),
    ):
        if count > most:
            yield f"has room for {most:,} {what}, not {count:,}; take a smaller scenario"


def _pim(scenario: Scenario) -> Iterator[str]:
    if scenario.schemes.pim_sm.mofrr:
        yield "has no MoFRR: pimd does not know it; leave out `pim-sm: {mofrr: true}`"
    ports = Counter(end for link in scenario.topology.links for end in (link.a, link.b))
    ports.update(cloud.node for cloud in scenario.clouds)
    origins = {(each.origin, each.origin_egress_bps) for each in scenario.transfers}
    ports.update(node for node, _ in origins)
    for node in sorted(node.name for node in scenario.topology.nodes):
        if ports[node] > MOST_PIM_PORTS:
            yield (
                f"cannot run pim-sm at {node}: {ports[node]} interfaces, and Linux routes multicast"
                f" over {MOST_PIM_PORTS}; leave out pim-sm"
            )


def _sr(scenario: Scenario) -> Iterator[str]:
    options = scenario.schemes.sr_p2mp
    if options.dataplane != "srv6":
        yield f"has no `sr-p2mp: {{dataplane: {options.dataplane}}}`, only srv6"
    if options.protected_adjacencies:
        yield "has no protected adjacencies; leave out `sr-p2mp: {protected_adjacencies: true}`"
