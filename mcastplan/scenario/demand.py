"""Clouds and transfers: from the file's text to the model's nouns."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from mcastplan.errors import ScenarioError
from mcastplan.model.cloud import Cloud
from mcastplan.model.transfer import Model, Transfer
from mcastplan.scenario import quantities
from mcastplan.scenario.catalogue import SHARD_BYTES, find_model, shards_of
from mcastplan.scenario.files import FileCloud, FileTransfer
from mcastplan.scenario.names import NodeFinder, check_name
from mcastplan.scenario.profiles import Engines
from mcastplan.scenario.safetensors import is_index, read_index
from mcastplan.scenario.sources import beside
from mcastplan.scenario.weights import is_weights
from mcastplan.scenario.words import hint, printable, shown
from mcastplan.units import show_rate, show_size


def _rate_or_unlimited(text: str | None, where: str) -> float:
    return math.inf if text is None else quantities.rate(text, where)


def _check_unique(name: str, where: str, seen: dict[str, str]) -> None:
    check_name(name, f"{where}.name")
    if name in seen:
        what = f"the name {shown(name)} is already {seen[name]}; rename one"
        raise ScenarioError(what, f"{where}.name")
    seen[name] = where


def decode_clouds(
    files: list[FileCloud], engines: Engines, finder: NodeFinder, notes: list[str]
) -> tuple[Cloud, ...]:
    """Clouds, sorted by name. Raises `ScenarioError`; adds to ``notes``."""
    seen: dict[str, str] = {}
    clouds = []
    for i, file in enumerate(files):
        where = f"clouds[{i}]"
        _check_unique(file.name, where, seen)
        clouds.append(_cloud(file, where, engines, finder))
    for cloud in sorted(clouds, key=lambda cloud: cloud.name):
        _note_namesakes(f"Cloud {cloud.name}", cloud.node, finder, notes)
    notes += engines.notes()
    return tuple(sorted(clouds, key=lambda cloud: cloud.name))


def _cloud(file: FileCloud, where: str, engines: Engines, finder: NodeFinder) -> Cloud:
    engine = engines.of(file, f"{where}.engine")
    provision_s = engine.provision_s if engine else 0.0
    if file.provision is not None:
        provision_s = quantities.time(file.provision, f"{where}.provision")
    return Cloud(
        name=file.name,
        node=finder.find_pe(file.node, f"{where}.node"),
        ingress_bps=quantities.rate(file.ingress, f"{where}.ingress"),
        egress_bps=_rate_or_unlimited(file.egress, f"{where}.egress"),
        replicas=file.replicas,
        fabric_bps=_rate_or_unlimited(file.fabric, f"{where}.fabric"),
        fanout=file.fanout,
        engine=engine,
        provision_s=provision_s,
    )


def _note_namesakes(who: str, node: str, finder: NodeFinder, notes: list[str]) -> None:
    if others := finder.namesakes(node):
        notes.append(f"{who} is on the node named {node}; other nodes with that label: {others}.")


class Home(msgspec.Struct, frozen=True):
    """Where files beside the scenario lie; ``shown`` is the folder as the user wrote it."""

    folder: Path | None
    shown: str = ""
    allow_outside: bool = False


def decode_transfers(
    files: list[FileTransfer],
    clouds: tuple[Cloud, ...],
    finder: NodeFinder,
    notes: list[str],
    home: Home,
) -> tuple[Transfer, ...]:
    """Transfers, sorted by name. Raises `ScenarioError`; adds to ``notes``."""
    known = {cloud.name for cloud in clouds}
    seen: dict[str, str] = {}
    transfers = []
    for i, file in enumerate(files):
        where = f"transfers[{i}]"
        _check_unique(file.name, where, seen)
        transfers.append(_transfer(file, where, known, finder, home, notes))
    transfers = _one_egress(files, transfers, notes)
    for transfer in transfers:
        _note_namesakes(f"The origin of {transfer.name}", transfer.origin, finder, notes)
        if transfer.load == "streamed" and transfer.model is None:
            notes.append(
                f"Transfer {transfer.name} is cut into {transfer.shards} files of"
                f" {show_size(SHARD_BYTES)} at most, the default shard size of Hugging Face"
                " save_pretrained; streamed loading overlaps file by file."
            )
    return tuple(transfers)


def _one_egress(
    files: list[FileTransfer], transfers: list[Transfer], notes: list[str]
) -> list[Transfer]:
    """Transfers from one node share its egress; one that states none takes what another states.

    Returns them by name: the file's order must not show in the notes.
    """
    rows = sorted(
        zip(transfers, files, range(len(files)), strict=True), key=lambda row: row[0].name
    )
    source: dict[str, tuple[Transfer, str, int]] = {}
    for transfer, file, place in rows:
        egress = file.origin.egress
        if egress is None:
            continue
        one, stated, first = source.setdefault(transfer.origin, (transfer, egress, place))
        if transfer.origin_egress_bps != one.origin_egress_bps:
            (first, stated), (place, egress) = sorted([(first, stated), (place, egress)])
            raise ScenarioError(
                f"{shown(egress)} at {transfer.origin}, where transfers[{first}] has"
                f" {shown(stated)}; an origin has one egress, which its transfers share: give both"
                " the same",
                f"transfers[{place}].origin.egress",
            )
    shared = []
    for transfer, file, _ in rows:
        if file.origin.egress is None and transfer.origin in source:
            one, _, _ = source[transfer.origin]
            notes.append(
                f"Transfer {transfer.name} states no egress at {transfer.origin}: it shares the"
                f" {show_rate(one.origin_egress_bps)} of transfer {one.name}."
            )
            transfer = msgspec.structs.replace(transfer, origin_egress_bps=one.origin_egress_bps)
        shared.append(transfer)
    return shared


def _model(name: str, where: str, home: Home, notes: list[str]) -> Model:
    if not is_index(name):
        if is_weights(name):
            what = f"{shown(name)} holds weights, which are not read"
            advice = "name its *.index.json, or give 'size' instead of 'model'"
            raise ScenarioError(f"{what}; {advice}", where)
        return find_model(name, where)
    instead = "a row of 'mcastplan models' or a file"
    beside(name, home.folder, home.allow_outside, where, instead)
    assert home.folder is not None
    # As it is named, not where links lead: its neighbours are compared, and its folder's name read.
    return read_index(home.folder / name, printable(str(Path(home.shown) / name)), notes)


def _transfer(
    file: FileTransfer,
    where: str,
    known: set[str],
    finder: NodeFinder,
    home: Home,
    notes: list[str],
) -> Transfer:
    if (file.model is None) == (file.size is None):
        both = "both 'model' and 'size' are given" if file.model else "'model' or 'size' is missing"
        raise ScenarioError(f"{both}; give one of them", where)
    model = None
    if file.model is not None:
        model = _model(file.model, f"{where}.model", home, notes)
        size_bytes, shards = model.size_bytes, model.shards
    else:
        size_bytes = quantities.size(str(file.size), f"{where}.size")
        shards = shards_of(size_bytes)
    origin = f"{where}.origin"
    return Transfer(
        name=file.name,
        size_bytes=size_bytes,
        shards=shards,
        origin=finder.find_pe(file.origin.node, f"{origin}.node"),
        clouds=_receivers(file.to, f"{where}.to", known),
        origin_egress_bps=_rate_or_unlimited(file.origin.egress, f"{origin}.egress"),
        start_s=quantities.time(file.start, f"{where}.start") if file.start is not None else 0.0,
        load=file.load,
        receivers=file.receivers,
        ship_compile_cache=file.ship_compile_cache,
        model=model.name if model else None,
    )


def _receivers(to: str | list[str], where: str, known: set[str]) -> tuple[str, ...]:
    if to == "all":
        return tuple(sorted(known))
    if isinstance(to, str):
        raise ScenarioError(f"{shown(to)} is not a list; write all, or [{to[:40]}]", where)
    seen: set[str] = set()
    for i, name in enumerate(to):
        if name not in known:
            what = f"no cloud is called {shown(name)}{hint(name, known, 'clouds')}"
            raise ScenarioError(what, f"{where}[{i}]")
        if name in seen:
            raise ScenarioError(f"cloud {shown(name)} is repeated; name it once", f"{where}[{i}]")
        seen.add(name)
    return tuple(sorted(seen))
