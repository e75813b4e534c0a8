"""A failure asked for beside the file: what the options of ``fail`` mean on this topology."""

from __future__ import annotations

from collections.abc import Sequence

from mcastplan.errors import ScenarioError
from mcastplan.model.failure import Failure
from mcastplan.model.scenario import Scenario
from mcastplan.scenario.files import FileFailure
from mcastplan.scenario.names import NodeFinder
from mcastplan.scenario.options import decode_failures


def failures_of(
    scenario: Scenario,
    links: Sequence[str] = (),
    nodes: Sequence[str] = (),
    srlgs: Sequence[str] = (),
    *,
    at: str | None = None,
    up_at: str | None = None,
    silent: bool = False,
) -> tuple[Failure, ...]:
    """All of these together as one failure; a link is ``A,B`` (every link between the two) or an
    id. Raises `ScenarioError`, whose ``where`` names the option."""
    finder = NodeFinder(scenario.topology.nodes)
    try:
        file = FileFailure(
            links=[_pair(text) if "," in text else text for text in links],
            nodes=list(nodes),
            srlgs=list(srlgs),
            kind="silent" if silent else "carrier",
            at=at,
            up_at=up_at,
        )
        return decode_failures([file], scenario.topology, finder)
    except ScenarioError as error:
        field = error.where.removeprefix("failures[0].").partition("[")[0]
        option = {"links": "--link", "nodes": "--node", "srlgs": "--srlg", "up_at": "--up-at"}
        what = error.what.replace("[A, B]", "A,B")  # as an option has it
        raise ScenarioError(what, option.get(field, f"--{field}")) from None


def _pair(text: str) -> list[str]:
    ends = [part.strip() for part in text.split(",")]
    if len(ends) != 2 or not all(ends):
        what = f"{text!r} is not a link; write A,B for the links between two nodes, or a link id"
        raise ScenarioError(what, "links")
    return ends
