"""Where a topology or a scenario comes from: topohub, shipped files, files beside, inline."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from mcastplan.errors import ScenarioError
from mcastplan.scenario.complete import LoadedTopology, complete
from mcastplan.scenario.files import SCENARIO_SCHEMA, TOPOLOGY_SCHEMA, FileTopology
from mcastplan.scenario.inline import raw_from_file
from mcastplan.scenario.raw import RawTopology, Underlay
from mcastplan.scenario.reading import Document, read_document
from mcastplan.scenario.shape import decode
from mcastplan.scenario.topohub import raw_from_topohub
from mcastplan.scenario.words import hint, printable, shown

Kind = Literal["scenario", "topology"]

_PACKAGED = Path(__file__).parent / "data" / "topologies"  # in a wheel
_CHECKOUT = Path(__file__).parents[2] / "topologies"  # in a source checkout
_BUILTIN = "builtin:"
_TOPOHUB = "topohub:"
_SCHEMA_LINE = re.compile(r"^schema: *mcastplan\.(scenario|topology)/", re.MULTILINE)


def builtin_folder() -> Path:
    """The folder with the shipped scenario and topology files."""
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


@cache
def _builtin_kinds() -> dict[str, str]:
    kinds = {}
    for path in builtin_folder().glob("*.yaml"):
        match = _SCHEMA_LINE.search(path.read_text(encoding="utf-8"))
        if match:
            kinds[path.stem] = match[1]
    return kinds


def builtin_names(kind: Kind = "scenario") -> tuple[str, ...]:
    """NAMEs that ``builtin:NAME`` accepts for a scenario (or for a topology), sorted."""
    return tuple(sorted(name for name, found in _builtin_kinds().items() if found == kind))


def builtin_path(reference: str, kind: Kind, where: str = "") -> Path:
    """File behind ``builtin:NAME``. Raises `ScenarioError` when there is none of that kind."""
    name = reference.removeprefix(_BUILTIN)
    # The name is checked against the wanted files alone: one stat and no folder to read.
    path = builtin_folder() / f"{name}.yaml"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or not path.is_file():
        advice = hint(name, builtin_names(kind))
        raise ScenarioError(f"there is no built-in {kind} {shown(name)}{advice}", where)
    return path


def is_builtin(reference: str) -> bool:
    return reference.startswith(_BUILTIN)


def load(
    reference: str | FileTopology,
    underlay: Underlay,
    folder: Path | None,
    name: str = "topology",
    shown_folder: str = "",
) -> LoadedTopology:
    """Resolve what a scenario's ``topology`` key holds. Raises `ScenarioError`.

    ``folder`` is where files may lie, None for nowhere; ``name`` is given to an inline topology
    that has none; ``shown_folder`` is the folder as the user wrote it, for errors.
    """
    if isinstance(reference, FileTopology):
        return complete(raw_from_file(reference, "topology.", name), underlay)
    if reference.startswith(_TOPOHUB):
        raw = raw_from_topohub(reference.removeprefix(_TOPOHUB))
        return complete(raw, underlay)
    if is_builtin(reference):
        path = builtin_path(reference, "topology", "topology")
        document = read_document(path, reference)
    elif match := re.match(r"([a-z][a-z0-9]+):", reference):
        what = f"{shown(match[1] + ':')} is not a topology source"
        raise ScenarioError(f"{what}; use topohub:GROUP/NAME, builtin:NAME or a file", "topology")
    else:
        path = _beside(reference, folder)
        document = read_document(path, printable(str(Path(shown_folder) / reference)))
    try:
        raw = topology_document(document, path.stem)
        return complete(raw, underlay)
    except ScenarioError as error:
        document.blame(error)


def topology_document(document: Document, name: str) -> RawTopology:
    """The raw topology in a file of its own."""
    check_schema(document.value, "topology")
    return raw_from_file(decode(document.value, FileTopology), name=name)


def check_schema(value: object, kind: Kind) -> None:
    """Tell a wrong or missing ``schema`` before anything else. Raises `ScenarioError`."""
    wanted = SCENARIO_SCHEMA if kind == "scenario" else TOPOLOGY_SCHEMA
    if value is None:
        raise ScenarioError(f"holds nothing; start it with 'schema: {wanted}'")
    if not isinstance(value, Mapping):
        what = f"{shown(value)} is not a mapping"
        raise ScenarioError(f"{what}; start the file with 'schema: {wanted}'")
    schema = value.get("schema")
    if schema == wanted or (kind == "topology" and "schema" not in value):
        return
    if "schema" not in value:
        raise ScenarioError(f"'schema' is missing; start the file with 'schema: {wanted}'")
    other = TOPOLOGY_SCHEMA if kind == "scenario" else SCENARIO_SCHEMA
    if schema == other:
        kept = other.removeprefix("mcastplan.").partition("/")[0]
        raise ScenarioError(f"this file is a {kept}; a {kind} ('{wanted}') is needed", "schema")
    raise ScenarioError(f"{shown(schema)} is not known; this version reads '{wanted}'", "schema")


def _beside(reference: str, folder: Path | None) -> Path:
    if folder is None:
        what = f"{shown(reference)} is a file, but this scenario has no folder"
        raise ScenarioError(f"{what}; give the topology inline or as topohub:...", "topology")
    try:
        home = folder.resolve()
        path = (home / reference).resolve()
    except (OSError, ValueError, RuntimeError):
        raise ScenarioError(f"{shown(reference)} is not a usable file name", "topology") from None
    if not path.is_relative_to(home):
        what = f"{shown(reference)} lies outside the scenario's folder"
        raise ScenarioError(f"{what}; copy the topology beside the scenario", "topology")
    if not path.is_file():
        what = f"there is no file {shown(reference)} beside the scenario"
        raise ScenarioError(f"{what}; use topohub:GROUP/NAME, builtin:NAME or a file", "topology")
    return path
