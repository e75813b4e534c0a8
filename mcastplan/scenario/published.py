"""The JSON schemas this project publishes, made from the very Structs that are read and written."""

from __future__ import annotations

from typing import Any

import msgspec

from mcastplan.model.campaign import Campaign
from mcastplan.model.measurement import Measurement
from mcastplan.model.network import LintResult, NetworkFacts, NetworkList
from mcastplan.model.results import Comparison, PlanResult
from mcastplan.model.sweep import Sweep
from mcastplan.model.timeline import Timeline
from mcastplan.scenario.files import FileScenario, FileTopology

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """JSON schema (2020-12) of each format, by the name files carry in ``schema``.

    The two file formats allow no other keys; results may gain keys.
    """
    return {
        "mcastplan.scenario/1": _published("mcastplan.scenario/1", FileScenario),
        "mcastplan.topology/1": _published("mcastplan.topology/1", FileTopology),
        "mcastplan.compare/1": _published("mcastplan.compare/1", Comparison),
        "mcastplan.plan/1": _published("mcastplan.plan/1", PlanResult),
        "mcastplan.timeline/1": _published("mcastplan.timeline/1", Timeline),
        "mcastplan.campaign/1": _published("mcastplan.campaign/1", Campaign),
        "mcastplan.sweep/1": _published("mcastplan.sweep/1", Sweep),
        "mcastplan.measurement/1": _published("mcastplan.measurement/1", Measurement),
        "mcastplan.topology-list/1": _published("mcastplan.topology-list/1", NetworkList),
        "mcastplan.topology-show/1": _published("mcastplan.topology-show/1", NetworkFacts),
        "mcastplan.topology-lint/1": _published("mcastplan.topology-lint/1", LintResult),
    }


def _published(name: str, kind: type) -> dict[str, Any]:
    schema: dict[str, Any] = msgspec.json.schema(kind)
    top: dict[str, Any] = schema["$defs"][kind.__name__]
    # msgspec writes an only choice as an enum, and a free string in results; both are one text.
    described = top["properties"]["schema"]
    top["properties"]["schema"] = {"const": name}
    if "default" in described:
        top["properties"]["schema"]["default"] = name
    return {"$schema": _DIALECT, "title": name, **schema}
