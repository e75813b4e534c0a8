"""Everything beside clouds and transfers: scheme options, timers, failures, background, prices."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mcastplan.errors import ScenarioError
from mcastplan.model.failure import Failure
from mcastplan.model.scenario import (
    BierOptions,
    PimOptions,
    SchemeOptions,
    SrP2mpOptions,
    Transport,
    UnicastOptions,
)
from mcastplan.model.timers import TIMER_ROWS, Timers
from mcastplan.model.topology import Topology
from mcastplan.model.transfer import Background, Price
from mcastplan.scenario import quantities
from mcastplan.scenario.files import (
    SCHEME_NAMES,
    FileBackground,
    FileBackgroundDemands,
    FileFailure,
    FilePrice,
    FileSchemes,
    FileTimers,
    FileTransport,
)
from mcastplan.scenario.names import NodeFinder
from mcastplan.scenario.words import hint, shown
from mcastplan.units import show_rate


def decode_schemes(file: FileSchemes, finder: NodeFinder) -> SchemeOptions:
    """Options of all schemes. Raises `ScenarioError`."""
    pim = file.pim_sm
    where = "schemes.pim-sm"
    if pim.mode == "asm" and pim.rp is None:
        raise ScenarioError("'rp' is missing; mode: asm needs the node that is the RP", where)
    limit_bps = PimOptions().register_limit_bps
    if pim.register_limit is not None:
        limit_bps = quantities.rate(pim.register_limit, f"{where}.register_limit")
    per_pull_bps = None
    if file.unicast.per_pull is not None:
        per_pull_bps = quantities.rate(file.unicast.per_pull, "schemes.unicast.per_pull")
    only = None
    if file.only is not None:
        for i, name in enumerate(file.only):
            if name in file.only[:i]:
                what = f"scheme {shown(name)} is repeated; name it once"
                raise ScenarioError(what, f"schemes.only[{i}]")
        only = tuple(name for name in SCHEME_NAMES if name in file.only)
    return SchemeOptions(
        unicast=UnicastOptions(file.unicast.per, per_pull_bps),
        pim_sm=PimOptions(
            mode=pim.mode,
            rp=None if pim.rp is None else finder.find(pim.rp, f"{where}.rp"),
            spt_switchover=pim.spt_switchover,
            register_limit_bps=limit_bps,
            mofrr=pim.mofrr,
        ),
        sr_p2mp=SrP2mpOptions(
            file.sr_p2mp.dataplane,
            file.sr_p2mp.objective,
            file.sr_p2mp.update,
            file.sr_p2mp.protected_adjacencies,
        ),
        bier=BierOptions(
            file.bier.bsl,
            file.bier.bfr_ids,
            file.bier.ecmp,
            file.bier.sub_domain,
            file.bier.frr,
        ),
        only=only,
    )


LEAST_RTO_S = 0.001


def decode_timers(file: str | FileTimers) -> Timers:
    """A preset and what overrides it. Raises `ScenarioError`."""
    if isinstance(file, str):
        return decode_timers(FileTimers(preset=file))  # type: ignore[arg-type]
    given = {row: getattr(file, row.key, None) for row in TIMER_ROWS}
    overrides = {
        row.field: quantities.time(text, f"timers.{row.key}")
        for row, text in given.items()
        if text is not None
    }
    if overrides.get("rto_s", 1.0) < LEAST_RTO_S:
        raise ScenarioError("below 1 ms; a timer that doubles never comes from 0", "timers.rto")
    if file.spf is not None:
        return Timers.of(file.preset, spf=file.spf, **overrides)
    return Timers.of(file.preset, **overrides)


def decode_transport(file: FileTransport) -> Transport:
    """Raises `ScenarioError`."""
    # UFTP gives a receiver up sooner: the 10 s that -s 50 -r 0.5:0.5:15 survived.
    evict_s = 10.0 if file.profile == "uftp" else Transport().evict_after_s
    if file.evict_after is not None:
        evict_s = quantities.time(file.evict_after, "transport.evict_after")
    return Transport(file.profile, evict_s)


def decode_failures(
    files: list[FileFailure], topology: Topology, finder: NodeFinder
) -> tuple[Failure, ...]:
    """Failures in order of time, whatever their order in the file. Raises `ScenarioError`."""
    if not files:
        return ()
    between: dict[frozenset[str], list[str]] = {}
    for link in topology.links:
        between.setdefault(frozenset((link.a, link.b)), []).append(link.id)
    ids = {link.id for link in topology.links}
    srlgs = {srlg for link in topology.links for srlg in link.srlgs}
    failures = []
    for i, file in enumerate(files):
        where = f"failures[{i}]"
        if not (file.links or file.nodes or file.srlgs):
            raise ScenarioError("nothing fails; name links, nodes or srlgs", where)
        links: set[str] = set()
        for j, entry in enumerate(file.links):
            place = f"{where}.links[{j}]"
            if isinstance(entry, str):
                links.add(_link_id(entry, place, ids, finder))
            else:
                links.update(_between(entry, place, between, finder))
        for j, srlg in enumerate(file.srlgs):
            if srlg not in srlgs:
                what = f"no link is in the SRLG {shown(srlg)}{hint(srlg, srlgs, 'SRLGs')}"
                raise ScenarioError(what, f"{where}.srlgs[{j}]")
        at_s = quantities.time(file.at, f"{where}.at") if file.at is not None else 0.0
        up_at_s = None
        if file.up_at is not None:
            up_at_s = quantities.time(file.up_at, f"{where}.up_at")
            if up_at_s <= at_s:
                what = f"{shown(file.up_at)} is not after the failure; repair follows 'at'"
                raise ScenarioError(what, f"{where}.up_at")
        nodes = {finder.find(name, f"{where}.nodes[{j}]") for j, name in enumerate(file.nodes)}
        failures.append(
            Failure(
                at_s=at_s,
                links=tuple(sorted(links)),
                nodes=tuple(sorted(nodes)),
                srlgs=tuple(sorted(set(file.srlgs))),
                kind=file.kind,
                up_at_s=up_at_s,
            )
        )
    return tuple(sorted(failures, key=_failure_order))


def _failure_order(failure: Failure) -> tuple[object, ...]:
    up_at_s = math.inf if failure.up_at_s is None else failure.up_at_s
    return (failure.at_s, failure.links, failure.nodes, failure.srlgs, failure.kind, up_at_s)


def _link_id(text: str, where: str, ids: set[str], finder: NodeFinder) -> str:
    if text not in ids:
        if finder.knows(text):
            what = f"{shown(text)} is a node; write [A, B] for the links between two nodes"
            raise ScenarioError(what, where)
        advice = hint(text, ids, "links") or "; write [A, B] for the links between two nodes"
        raise ScenarioError(f"no link has the id {shown(text)}{advice}", where)
    return text


def _between(
    pair: list[str], where: str, between: dict[frozenset[str], list[str]], finder: NodeFinder
) -> list[str]:
    a, b = (finder.find(name, f"{where}[{k}]") for k, name in enumerate(pair))
    found = between.get(frozenset((a, b)))
    if found is None:
        neighbours = sorted({end for ends in between if a in ends for end in ends if end != a})
        what = f"no link joins {a} and {b}{hint(b, neighbours, f'{a} is joined to')}"
        raise ScenarioError(what if neighbours else f"{what}; {a} has no links", where)
    return found


def decode_background(files: list[FileBackground], finder: NodeFinder) -> tuple[Background, ...]:
    """Background traffic by (from, to). Raises `ScenarioError`."""
    rows = []
    for i, file in enumerate(files):
        where = f"background[{i}]"
        source, target = _ends(file.source, file.target, where, finder)
        rows.append(Background(source, target, quantities.rate(file.rate, f"{where}.rate")))
    return tuple(sorted(rows, key=lambda row: (row.source, row.target, row.rate_bps)))


def decode_demands(
    file: FileBackgroundDemands | None,
    demands: Sequence[tuple[str, str, float]],
    notes: list[str],
) -> tuple[Background, ...]:
    """The topology's demands as background. Raises `ScenarioError`; adds to ``notes``."""
    if file is None:
        return ()
    where = "background_demands"
    if not demands:
        what = "the topology has no demands; topohub:sndlib/... have: write the rates in background"
        raise ScenarioError(what, where)
    unit_bps = quantities.rate(file.unit, f"{where}.unit")
    rows = tuple(Background(source, to, units * unit_bps) for source, to, units in demands)
    largest = max(row.rate_bps for row in rows)
    if largest > quantities.MAX_RATE_BPS:
        what = f"{shown(file.unit)} makes a demand of {show_rate(largest)}; write a smaller one"
        raise ScenarioError(what, f"{where}.unit")
    notes.append(
        f"Background: the topology's {len(rows):,} demands, {show_rate(unit_bps)} for each of their"
        f" units, together {show_rate(sum(row.rate_bps for row in rows))}."
    )
    return rows


def decode_prices(
    files: list[FilePrice], topology: Topology, finder: NodeFinder, notes: list[str]
) -> tuple[Price, ...]:
    """Prices by (from, to), each pair once. Raises `ScenarioError`; adds to ``notes``."""
    rows: dict[tuple[str, str], Price] = {}
    for i, file in enumerate(files):
        where = f"prices[{i}]"
        pair = _ends(file.source, file.target, where, finder)
        if pair in rows:
            what = f"a price from {pair[0]} to {pair[1]} is already given; keep one"
            raise ScenarioError(what, where)
        rows[pair] = Price(*pair, file.usd_per_gb)
    arcs = {(link.a, link.b) for link in topology.links}
    for source, target in sorted(rows):
        if (source, target) not in arcs and (target, source) not in arcs:
            notes.append(f"The price from {source} to {target} has no effect: no link joins them.")
    return tuple(rows[pair] for pair in sorted(rows))


def _ends(source: str, target: str, where: str, finder: NodeFinder) -> tuple[str, str]:
    ends = finder.find(source, f"{where}.from"), finder.find(target, f"{where}.to")
    if ends[0] == ends[1]:
        raise ScenarioError(f"leads from {ends[0]} to itself; change one end", where)
    return ends
