"""The whole way: a scenario file to a checked `Scenario`, a reference to a topology."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from mcastplan.errors import ScenarioError
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Topology
from mcastplan.scenario import quantities, sources
from mcastplan.scenario.attributes import attributes_of, given_attributes
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
from mcastplan.scenario.shape import Written, decode
from mcastplan.scenario.words import printable


def load_scenario(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    topology: Topology | LoadedTopology | None = None,
    allow_outside: bool = False,
) -> Scenario:
    """Read and check a scenario: a path, ``builtin:NAME``, or a mapping already parsed.

    ``topology`` takes the place of the file's, whose ``topology`` key may then be missing; that of
    `read_topology` or `read_networkx` brings its assumptions with it.
    ``allow_outside`` lets that key name a file outside the scenario's own folder, which a scenario
    from somebody else should not do unasked.
    Raises `ScenarioError` (one line: what, where, what to do); `EnvironmentLacksError` when a
    topohub topology is asked for and the package is not there.
    """
    if isinstance(source, Mapping):
        return _scenario(source, topology, Home(None))
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
        home = Home(path.parent, shown_folder, allow_outside)
        return _scenario(document.value, topology, home, document.written)
    except ScenarioError as error:
        document.blame(error)


def read_topology(
    reference: str | os.PathLike[str] | Mapping[str, Any],
    *,
    metric: MetricRule | None = None,
    capacity_bps: float | None = None,
    route_factor: float = DEFAULT_ROUTE_FACTOR,
    waypoints: WaypointRule = "merge",
    folder: str | os.PathLike[str] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> LoadedTopology:
    """`load_topology`, with the assumptions made on the way and the waypoints merged."""
    given = given_attributes(attributes)
    underlay = Underlay(metric, capacity_bps, route_factor, waypoints, given)
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
    metric: MetricRule | None = None,
    capacity_bps: float | None = None,
    route_factor: float = DEFAULT_ROUTE_FACTOR,
    waypoints: WaypointRule = "merge",
    folder: str | os.PathLike[str] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> Topology:
    """A complete topology from ``topohub:GROUP/NAME``, ``builtin:NAME``,
    ``generate:KIND/...``, a path (YAML, JSON, GraphML) or a mapping.

    ``metric`` None: the links' own where every link has one, else delay; an error where only some
    do. ``capacity_bps`` [bit/s] fills in links without a capacity (None: the least that is known,
    else 100 Gb/s); ``route_factor`` is fibre length
    over great circle. With ``folder``, a path is taken inside that folder and may not leave it.
    ``attributes`` says which attributes of a GraphML file's edges are capacity, delay and metric,
    as a scenario's ``underlay.attributes`` does: ``{"delay": {"name": "latency", "unit": "1ms"}}``.
    Raises `ScenarioError`.
    """
    return read_topology(
        reference,
        metric=metric,
        capacity_bps=capacity_bps,
        route_factor=route_factor,
        waypoints=waypoints,
        folder=folder,
        attributes=attributes,
    ).topology


def _scenario(
    value: object,
    topology: Topology | LoadedTopology | None,
    home: Home,
    written: Written | None = None,
) -> Scenario:
    sources.check_schema(value, "scenario", written)
    if topology is not None and isinstance(value, Mapping):
        value = {**value, "topology": "given by the caller"}
    file = decode(value, FileScenario, written)
    check_text(file.name, "name", required=True)
    if topology is not None:
        loaded = _given(topology, file.underlay)
    else:
        underlay = underlay_of(file.underlay)
        loaded = sources.load(
            file.topology, underlay, home.folder, file.name, home.shown, home.allow_outside
        )
    finder = loaded.finder()
    notes = list(loaded.assumptions)
    clouds = decode_clouds(file.clouds, Engines(file.engines), finder, notes)
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
        gaps=loaded.gaps,
    )


def underlay_of(file: FileUnderlay) -> Underlay:
    """A scenario's ``underlay`` in SI. Raises `ScenarioError`."""
    capacity_bps = None
    if file.capacity is not None:
        capacity_bps = quantities.rate(file.capacity, "underlay.capacity")
    factor = DEFAULT_ROUTE_FACTOR if file.route_factor is None else file.route_factor
    attributes = attributes_of(file.attributes)
    return Underlay(file.metric, capacity_bps, factor, file.waypoints, attributes)


def _given(topology: Topology | LoadedTopology, file: FileUnderlay) -> LoadedTopology:
    loaded = topology if isinstance(topology, LoadedTopology) else LoadedTopology(topology)
    default = FileUnderlay(ecmp=file.ecmp, mtu=file.mtu, protection=file.protection)
    if file != default:
        note = (
            "The topology was given complete by the caller: underlay metric, capacity,"
            " route_factor, waypoints and attributes have no effect."
        )
        loaded = msgspec.structs.replace(loaded, assumptions=(*loaded.assumptions, note))
    return loaded
