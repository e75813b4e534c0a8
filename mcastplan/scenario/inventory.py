"""Which networks one can refer to, and what a reference means to `topology show` and `lint`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcastplan.errors import ScenarioError
from mcastplan.model.network import NetworkList, NetworkRow
from mcastplan.scenario import sources
from mcastplan.scenario.complete import LoadedTopology, complete
from mcastplan.scenario.files import SCENARIO_SCHEMA, FileScenario
from mcastplan.scenario.foreign import is_xml
from mcastplan.scenario.generators import GENERATORS, PREFIX, raw_from_generator
from mcastplan.scenario.loading import read_topology, underlay_of
from mcastplan.scenario.raw import Underlay
from mcastplan.scenario.reading import Document, read_text
from mcastplan.scenario.shape import decode
from mcastplan.scenario.sources import builtin_names
from mcastplan.scenario.topohub import topohub_sizes
from mcastplan.scenario.words import hint, printable, shown

SCHEMA = "mcastplan.topology-list/1"
BUILTIN, GENERATE = "builtin", "generate"
_YAML_SUFFIXES = (".yaml", ".yml", ".json")


def topology_list(group: str | None = None) -> NetworkList:
    """Built-in topologies, generators (an example each) and topohub's, in this order.

    ``group`` leaves the others out. Sizes are those of the source, cable waypoints included.
    Raises `ScenarioError` for a group that does not exist.
    """
    rows = [*_builtins(), *_generators()] if group in (None, BUILTIN, GENERATE) else []
    if group not in (BUILTIN, GENERATE):
        rows += [
            NetworkRow(f"topohub:{name}", name.partition("/")[0], nodes, links)
            for name, nodes, links in topohub_sizes()
        ]
    groups = {row.group for row in rows}
    if group is not None:
        rows = [row for row in rows if row.group == group]
        if not rows:
            groups |= {BUILTIN, GENERATE}
            raise ScenarioError(f"no group is called {shown(group)}{hint(group, groups, 'groups')}")
    return NetworkList(SCHEMA, tuple(rows))


def _builtins() -> list[NetworkRow]:
    rows = []
    for name in builtin_names("topology"):
        topology = read_topology(f"builtin:{name}").topology
        rows.append(
            NetworkRow(f"builtin:{name}", BUILTIN, len(topology.nodes), len(topology.links))
        )
    return rows


def _generators() -> list[NetworkRow]:
    rows = []
    for generator in GENERATORS:
        key = f"{generator.name}/{generator.example}"
        raw = raw_from_generator(key)
        rows.append(NetworkRow(f"{PREFIX}{key}", GENERATE, len(raw.nodes), len(raw.links)))
    return rows


def find_network(reference: str, allow_outside: bool = False) -> LoadedTopology:
    """A topology by reference or path, or the network of a scenario under its own underlay.

    ``builtin:NAME`` is a topology where there is one of that name, else a scenario.
    ``allow_outside`` lets a scenario name a topology outside its folder.
    Raises `ScenarioError`.
    """
    if sources.is_builtin(reference):
        name = reference.removeprefix("builtin:")
        if name not in builtin_names() or name in builtin_names("topology"):
            return read_topology(reference)
        path, folder = sources.builtin_path(reference, "scenario"), ""
    elif Path(reference).suffix.lower() in _YAML_SUFFIXES:
        path, folder = Path(reference), str(Path(reference).parent)
    else:
        return read_topology(reference)
    name = printable(reference)
    text = read_text(path, name)
    if is_xml(text):  # GraphML, whatever it is called
        return read_topology(reference)
    document = Document(name, text, path.suffix.lower() == ".json")
    try:
        return _network(document, path, folder, allow_outside)
    except ScenarioError as error:
        document.blame(error)


def _network(document: Document, path: Path, folder: str, allow_outside: bool) -> LoadedTopology:
    value = document.value
    if not isinstance(value, Mapping) or value.get("schema") != SCENARIO_SCHEMA:
        return complete(sources.topology_document(document, path.stem), Underlay())
    file = decode(value, FileScenario, document.written)
    underlay = underlay_of(file.underlay)
    return sources.load(file.topology, underlay, path.parent, file.name, folder, allow_outside)
