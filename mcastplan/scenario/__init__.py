"""Files in, `mcastplan.model.scenario.Scenario` out; the rim of the program, and the only reader.

Scenario and topology files (YAML, JSON), shipped scenarios, topohub, networkx graphs, and the
catalogues of models and engines. Everything that is wrong with a file is a `ScenarioError` of one
line: what, where, what to do.
"""

from __future__ import annotations

from typing import Any

from mcastplan.scenario.catalogue import engines, models
from mcastplan.scenario.complete import LoadedTopology
from mcastplan.scenario.graphs import from_networkx, read_networkx, to_networkx
from mcastplan.scenario.loading import load_scenario, load_topology, read_topology
from mcastplan.scenario.sources import builtin_names, builtin_path
from mcastplan.scenario.topohub import topohub_names

__all__ = [
    "LoadedTopology",
    "builtin_names",
    "builtin_path",
    "engines",
    "from_networkx",
    "load_scenario",
    "load_topology",
    "models",
    "read_networkx",
    "read_topology",
    "schemas",
    "to_networkx",
    "topohub_names",
]


def schemas() -> dict[str, dict[str, Any]]:
    """JSON schema of each published format, by name; see `mcastplan.scenario.published`."""
    from mcastplan.scenario import published  # noqa: PLC0415  (imports the results)

    return published.schemas()
