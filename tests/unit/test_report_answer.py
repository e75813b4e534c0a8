"""The page's first words on results whose parts differ, and on results that others have written."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from mcastplan.errors import UsageError
from mcastplan.model.cloud import Cloud, EngineProfile
from mcastplan.model.results import Comparison
from mcastplan.model.scenario import SchemeOptions
from mcastplan.report.html import render_html
from mcastplan.report.json import render
from mcastplan.report.saved import decode
from mcastplan.study.compare import compare
from mcastplan.units import show_time
from tests.networks import link, network, push

# Keys of the result that the format promises; the others may be missing in somebody else's.
PROMISED: dict[str, set[str]] = {
    "": {"schema", "scenario", "assumptions", "transfers", "schemes", "recommendation"},
    ".schemes[]": {
        *("name", "feasible", "reason", "transfers", "links", "nodes", "totals"),
    },
    ".schemes[].transfers[]": {
        *("name", "setup_s", "completion_s", "rate_bps", "ratio_to_bound", "binding"),
        *("unreachable", "clouds"),
    },
}


def unequal() -> Comparison:
    """k1 gets its pull quickly and compiles for long; k2 has a slow uplink and no engine."""
    net = network(link("s", "a"), link("s", "b"))
    scenario = push(net, "s", ("a", "b"), size_gb=60, schemes=SchemeOptions(only=("unicast",)))
    engine = EngineProfile("slow", compile_s=600.0)
    clouds = (
        Cloud("k1", "a", 40e9, engine=engine),
        Cloud("k2", "b", 1e9),
    )
    one = msgspec.structs.replace(scenario.transfers[0], clouds=("k1", "k2"))
    return compare(msgspec.structs.replace(scenario, clouds=clouds, transfers=(one,)))


def test_the_transfer_named_is_that_of_the_replica_that_is_ready_last() -> None:
    result = unequal()
    groups = {
        cloud.name: cloud.replica_groups[0] for cloud in result.schemes[0].transfers[0].clouds
    }
    assert groups["k1"].ready_s > groups["k2"].ready_s
    assert groups["k1"].stages.transfer < groups["k2"].stages.transfer
    page = render_html(result).replace("\u00a0", " ")
    facts = page[page.index("class=facts") :][:1500]
    assert f"<b>{show_time(groups['k1'].stages.transfer)}</b><span>of this is the transfer" in facts


def stripped(value: Any, where: str = "") -> Any:
    if isinstance(value, dict):
        kept = PROMISED.get(where, set(value))
        return {key: stripped(each, f"{where}.{key}") for key, each in value.items() if key in kept}
    if isinstance(value, list):
        return [stripped(each, f"{where}[]") for each in value]
    return value


def test_a_result_with_the_promised_keys_alone_is_rendered() -> None:
    saved = stripped(json.loads(render(unequal())))
    assert "question" not in saved
    assert "setup_terms" not in saved["schemes"][0]["transfers"][0]
    page = render_html(decode(json.dumps(saved).encode(), "r.json"))
    assert "unicast" in page.lower()


def column(value: Any, key: str, number: float) -> Any:
    if isinstance(value, dict):
        return {k: number if k == key else column(v, key, number) for k, v in value.items()}
    if isinstance(value, list):
        return [column(each, key, number) for each in value]
    return value


@pytest.mark.parametrize(
    ("key", "number", "said"),
    [
        ("count", 0, "a group without replicas"),
        ("ready_s", -1e308, "out of range"),
        ("ready_s", 1e308, "out of range"),
        ("wire_bytes", -1.0, "out of range"),
    ],
)
def test_numbers_that_no_result_has(key: str, number: float, said: str) -> None:
    saved = column(json.loads(render(unequal())), key, number)
    with pytest.raises(UsageError, match=said):
        decode(json.dumps(saved).encode(), "r.json")


@pytest.mark.parametrize("key", ["ready_s", "transfer_s", "wire_bytes", "completion_s"])
def test_a_column_of_zeros_is_rendered(key: str) -> None:
    saved = column(json.loads(render(unequal())), key, 0)
    assert render_html(decode(json.dumps(saved).encode(), "r.json"))
