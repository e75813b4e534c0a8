"""mcastplan: plan the push of a large model to many GPU clouds.

``import mcastplan`` imports nothing else; public names arrive on first use (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mcastplan.errors import McastplanError, ScenarioError
    from mcastplan.model.results import Comparison
    from mcastplan.model.scenario import Scenario
    from mcastplan.model.topology import Topology
    from mcastplan.scenario import from_networkx, load_scenario, to_networkx
    from mcastplan.study.compare import compare

_HOME = {
    "Comparison": "mcastplan.model.results",
    "McastplanError": "mcastplan.errors",
    "Scenario": "mcastplan.model.scenario",
    "ScenarioError": "mcastplan.errors",
    "Topology": "mcastplan.model.topology",
    "compare": "mcastplan.study.compare",
    "from_networkx": "mcastplan.scenario",
    "load_scenario": "mcastplan.scenario",
    "to_networkx": "mcastplan.scenario",
}

__all__ = [
    "Comparison",
    "McastplanError",
    "Scenario",
    "ScenarioError",
    "Topology",
    "compare",
    "from_networkx",
    "load_scenario",
    "to_networkx",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
