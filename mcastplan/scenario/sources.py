"""Where a topology or a scenario comes from: topohub, shipped files, files beside, inline."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from mcastplan.errors import ScenarioError
from mcastplan.scenario.attributes import Attributes
from mcastplan.scenario.complete import LoadedTopology, complete
from mcastplan.scenario.files import SCENARIO_SCHEMA, TOPOLOGY_SCHEMA, FileTopology
from mcastplan.scenario.foreign import check_text, is_xml
from mcastplan.scenario.generators import raw_from_generator
from mcastplan.scenario.inline import raw_from_file
from mcastplan.scenario.raw import RawTopology, Underlay
from mcastplan.scenario.reading import Document, read_document, read_text
from mcastplan.scenario.shape import Written, decode
from mcastplan.scenario.topohub import raw_from_topohub
from mcastplan.scenario.words import hint, printable, shortened, shown

Kind = Literal["scenario", "topology"]

_PACKAGED = Path(__file__).parent / "data" / "topologies"  # in a wheel
_CHECKOUT = Path(__file__).parents[2] / "topologies"  # in a source checkout
_BUILTIN = "builtin:"
_TOPOHUB = "topohub:"
_GENERATE = "generate:"
_SOURCES = "topohub:GROUP/NAME, builtin:NAME, generate:KIND/... or a file"
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
    allow_outside: bool = False,
) -> LoadedTopology:
    """Resolve what a scenario's ``topology`` key holds. Raises `ScenarioError`.

    ``folder`` is where files may lie, None for nowhere, and ``allow_outside`` lets them lie
    elsewhere; ``name`` is given to an inline topology that has none; ``shown_folder`` is the folder
    as the user wrote it, for errors.
    """
    if isinstance(reference, FileTopology) or reference.startswith((_TOPOHUB, _GENERATE, _BUILTIN)):
        _check_no_attributes(underlay)
    if isinstance(reference, FileTopology):
        return complete(raw_from_file(reference, "topology.", name), underlay)
    if reference.startswith(_TOPOHUB):
        raw = raw_from_topohub(reference.removeprefix(_TOPOHUB))
        return complete(raw, underlay)
    if reference.startswith(_GENERATE):
        raw = raw_from_generator(reference.removeprefix(_GENERATE))
        return complete(raw, underlay)
    if is_builtin(reference):
        path = builtin_path(reference, "topology", "topology")
        document = read_document(path, reference)
    elif match := re.match(r"([a-z][a-z0-9]+):", reference):
        what = f"{shown(match[1] + ':')} is not a topology source"
        raise ScenarioError(f"{what}; use {_SOURCES}", "topology")
    else:
        path = beside(reference, folder, allow_outside, "topology", _SOURCES)
        shown_path = printable(str(Path(shown_folder) / reference))
        text = read_text(path, shown_path)
        if is_xml(text) or path.suffix.lower() == ".graphml":
            return _graphml(text, path.stem, shown_path, underlay)
        _check_no_attributes(underlay)
        document = Document(shown_path, text, path.suffix.lower() == ".json")
    try:
        raw = topology_document(document, path.stem)
        return complete(raw, underlay)
    except ScenarioError as error:
        document.blame(error)


def _check_no_attributes(underlay: Underlay) -> None:
    if underlay.attributes != Attributes():
        what = "is for the edges of a GraphML file, and the topology is none; remove it"
        raise ScenarioError(what, "underlay.attributes")


def _graphml(text: str, name: str, shown_path: str, underlay: Underlay) -> LoadedTopology:
    from mcastplan.scenario.graphml import raw_from_graphml  # noqa: PLC0415  (imports expat)

    try:
        check_text(text, shown_path, graphml_is_read=True)
        return complete(raw_from_graphml(text, name, underlay.attributes), underlay)
    except ScenarioError as error:
        if not error.where.startswith("underlay."):  # that is the scenario's
            error.source = shown_path
        raise


def topology_document(document: Document, name: str) -> RawTopology:
    """The raw topology in a file of its own."""
    check_schema(document.value, "topology", document.written)
    return raw_from_file(decode(document.value, FileTopology, document.written), name=name)


def check_schema(value: object, kind: Kind, written: Written | None = None) -> None:
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
    said = shown(schema)
    if written and not isinstance(schema, str):
        said = shortened(written("schema") or said)
    raise ScenarioError(f"{said} is not known; this version reads '{wanted}'", "schema")


def beside(
    reference: str, folder: Path | None, allow_outside: bool, where: str, instead: str
) -> Path:
    """A file in the scenario's folder. Raises `ScenarioError`; ``instead`` is what else there is.

    ``folder`` None is a scenario that came as a mapping; ``allow_outside`` lets the file lie
    elsewhere.
    """
    if folder is None:
        what = f"{shown(reference)} is a file, but this scenario has no folder"
        raise ScenarioError(f"{what}; use {instead.removesuffix(' or a file')}", where)
    try:
        home = folder.resolve()
        path = (home / reference).resolve()
        exists = _exists(path)
    except (OSError, ValueError, RuntimeError):
        what = f"{shown(reference)} is not a usable file name"
        raise ScenarioError(f"{what}; use {instead}", where) from None
    if not allow_outside and not path.is_relative_to(home):
        what = f"{shown(reference)} lies outside the scenario's folder"
        advice = f"copy the {where.rpartition('.')[2]} beside the scenario, or give --allow-outside"
        raise ScenarioError(f"{what}; {advice}", where)
    if not exists:
        what = f"there is no file {shown(reference)} beside the scenario"
        raise ScenarioError(f"{what}; use {instead}", where)
    return path


def _exists(path: Path) -> bool:
    """Raises OSError for a name that no file can have, where Python 3.14 says it does not exist."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
