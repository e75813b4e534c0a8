"""The whole way: a scenario file to a checked `Scenario`, a reference to a topology."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcastplan.errors import ScenarioError
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Topology
from mcastplan.scenario import quantities, sources
from mcastplan.scenario.complete import LoadedTopology
from mcastplan.scenario.demand import Home, decode_clouds, decode_transfers
from mcastplan.scenario.files import FileScenario, FileTopology, FileUnderlay
from mcastplan.scenario.names import check_text
from mcastplan.scenario.options import (
    decode_background,
    decode_demands,
    decode_failures,
    decode_prices,
    decode_schemes,
    decode_timers,
    decode_transport,
)
from mcastplan.scenario.profiles import Engines
from mcastplan.scenario.raw import DEFAULT_ROUTE_FACTOR, MetricRule, Underlay, WaypointRule
from mcastplan.scenario.reading import read_document
from mcastplan.scenario.shape import decode
from mcastplan.scenario.words import printable

_DEFAULT_CAPACITY_BPS = Underlay().capacity_bps


def load_scenario(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    topology: Topology | None = None,
    allow_outside: bool = False,
) -> Scenario:
    """Read and check a scenario: a path, ``builtin:NAME``, or a mapping already parsed.

    ``topology`` takes the place of the file's, whose ``topology`` key may then be missing.
    ``allow_outside`` lets that key name a file outside the scenario's own folder, which a scenario
    from somebody else should not do unasked.
    Raises `ScenarioError` (one line: what, where, what to do); `EnvironmentLacksError` when a
    topohub topology is asked for and the package is not there.
    """
    if isinstance(source, Mapping):
        return _scenario(source, topology, None, "")
    name = os.fsdecode(source)
    if sources.is_builtin(name):
        path = sources.builtin_path(name, "scenario")
        shown_folder = ""
    else:
        path = Path(name)
        shown_folder = str(path.parent)
        if name in sources.builtin_names() and not path.exists():
            raise ScenarioError(f"no such file; did you mean builtin:{name}?", source=name)
    document = read_document(path, printable(name))
    try:
        return _scenario(document.value, topology, path.parent, shown_folder, allow_outside)
    except ScenarioError as error:
        document.blame(error)


def read_topology(
    reference: str | os.PathLike[str] | Mapping[str, Any],
    *,
    metric: MetricRule = "delay",
    capacity_bps: float = _DEFAULT_CAPACITY_BPS,
    route_factor: float = DEFAULT_ROUTE_FACTOR,
    waypoints: WaypointRule = "merge",
    folder: str | os.PathLike[str] | None = None,
) -> LoadedTopology:
    """`load_topology`, with the assumptions made on the way and the waypoints merged."""
    underlay = Underlay(metric, capacity_bps, route_factor, waypoints)
    if isinstance(reference, Mapping):
        sources.check_schema(reference, "topology")
        file = decode(reference, FileTopology)
        return sources.load(file, underlay, None)
    text = os.fspath(reference)
    if folder is None and not text.startswith(("topohub:", "builtin:", "generate:")):
        path = Path(text)  # named by the caller: wherever a link leads
        return sources.load(
            path.name,
            underlay,
            path.parent,
            shown_folder=str(path.parent),
            allow_outside=True,
        )
    shown_folder = "" if folder is None else os.fspath(folder)
    home = None if folder is None else Path(folder)
    return sources.load(text, underlay, home, shown_folder=shown_folder)


def load_topology(
    reference: str | os.PathLike[str] | Mapping[str, Any],
    *,
    metric: MetricRule = "delay",
    capacity_bps: float = _DEFAULT_CAPACITY_BPS,
    route_factor: float = DEFAULT_ROUTE_FACTOR,
    waypoints: WaypointRule = "merge",
    folder: str | os.PathLike[str] | None = None,
) -> Topology:
    """A complete topology from ``topohub:GROUP/NAME``, ``builtin:NAME``,
    ``generate:KIND/...``, a path (YAML, JSON, GraphML) or a mapping.

    ``capacity_bps`` [bit/s] fills in links without a capacity; ``route_factor`` is fibre length
    over great circle. With ``folder``, a path is taken inside that folder and may not leave it.
    Raises `ScenarioError`.
    """
    return read_topology(
        reference,
        metric=metric,
        capacity_bps=capacity_bps,
        route_factor=route_factor,
        waypoints=waypoints,
        folder=folder,
    ).topology


def _scenario(
    value: object,
    topology: Topology | None,
    folder: Path | None,
    shown_folder: str,
    allow_outside: bool = False,
) -> Scenario:
    sources.check_schema(value, "scenario")
    if topology is not None and isinstance(value, Mapping):
        value = {**value, "topology": "given by the caller"}
    file = decode(value, FileScenario)
    check_text(file.name, "name", required=True)
    if topology is not None:
        loaded = _given(topology, file.underlay)
    else:
        underlay = underlay_of(file.underlay)
        loaded = sources.load(
            file.topology, underlay, folder, file.name, shown_folder, allow_outside
        )
    finder = loaded.finder()
    notes = list(loaded.assumptions)
    clouds = decode_clouds(file.clouds, Engines(file.engines), finder, notes)
    home = Home(folder, shown_folder, allow_outside)
    transfers = decode_transfers(file.transfers, clouds, finder, notes, home)
    return Scenario(
        name=file.name,
        topology=loaded.topology,
        clouds=clouds,
        transfers=transfers,
        mtu=file.underlay.mtu,
        ecmp=file.underlay.ecmp,
        schemes=decode_schemes(file.schemes, finder),
        timers=decode_timers(file.timers),
        protection=file.underlay.protection,
        transport=decode_transport(file.transport),
        failures=decode_failures(file.failures, loaded.topology, finder),
        background=(
            *decode_background(file.background, finder),
            *decode_demands(file.background_demands, loaded.demands, notes),
        ),
        prices=decode_prices(file.prices, loaded.topology, finder, notes),
        state_limit=file.limits.state_entries,
        assumptions=tuple(notes),
    )


def underlay_of(file: FileUnderlay) -> Underlay:
    """A scenario's ``underlay`` in SI. Raises `ScenarioError`."""
    capacity_bps = _DEFAULT_CAPACITY_BPS
    if file.capacity is not None:
        capacity_bps = quantities.rate(file.capacity, "underlay.capacity")
    factor = DEFAULT_ROUTE_FACTOR if file.route_factor is None else file.route_factor
    return Underlay(file.metric, capacity_bps, factor, file.waypoints)


def _given(topology: Topology, file: FileUnderlay) -> LoadedTopology:
    notes: tuple[str, ...] = ()
    default = FileUnderlay(ecmp=file.ecmp, mtu=file.mtu, protection=file.protection)
    if file != default:
        notes = (
            "The topology was given complete by the caller: underlay metric, capacity,"
            " route_factor and waypoints have no effect.",
        )
    return LoadedTopology(topology, notes)
