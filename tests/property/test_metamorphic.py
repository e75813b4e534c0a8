"""What a comparison must not care about: two scenarios whose answers are known to belong together.

Names, the unit of bytes, a router that nobody uses, one push told as two, and the order of a file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Link, NodeInfo, Topology
from mcastplan.report.json import render
from mcastplan.scenario import load_scenario
from mcastplan.study.compare import compare
from tests.small_model.drawn import files

EVEN = 1e-9
replace = msgspec.structs.replace


@st.composite
def any_files(draw: st.DrawFn) -> dict[str, Any]:
    """With options that the small model leaves out as well."""
    file = draw(files())
    asm = draw(st.booleans())
    nodes = [node["name"] for node in file["topology"]["nodes"]]
    file["underlay"]["ecmp"] = draw(st.sampled_from(["first", "hash"]))
    file["schemes"]["bier"]["bfr_ids"] = draw(st.sampled_from(["dense", "by-tree"]))
    file["schemes"]["sr-p2mp"]["objective"] = draw(st.sampled_from(["shortest", "min-cost"]))
    file["schemes"]["pim-sm"] = (
        {"mode": "asm", "rp": draw(st.sampled_from(nodes))}
        if asm
        else {"mofrr": draw(st.booleans())}
    )
    return file


def answer(scenario: Scenario) -> Any:
    return json.loads(render(compare(scenario)))


def unlike(one: Any, other: Any, factor: float = 1.0, key: str = "") -> Iterator[str]:
    """Where two answers differ, texts aside; bytes and rates of ``other`` are to be ``factor``
    times those of ``one``."""
    if isinstance(one, dict):
        yield from () if one.keys() == other.keys() else [f"{key}: {sorted(other)}"]
        for name in one.keys() & other.keys():
            yield from unlike(one[name], other[name], factor, f"{key}.{name}")
    elif isinstance(one, list):
        yield from () if len(one) == len(other) else [f"{key}: {len(other)} rows"]
        for place, (a, b) in enumerate(zip(one, other, strict=False)):
            yield from unlike(a, b, factor, f"{key}[{place}]")
    elif isinstance(one, float | int) and isinstance(other, float | int):
        grows = key.endswith(("size_bytes", "wire_bytes", "egress_bytes", "_bps"))
        wanted = one * factor if grows else one
        if not math.isclose(wanted, other, rel_tol=EVEN, abs_tol=EVEN):
            yield f"{key}: {other}, not {wanted}"
    elif type(one) is not type(other):
        yield f"{key}: {other!r}, not {one!r}"


@given(file=any_files(), data=st.data())
@settings(max_examples=60)
def test_names_change_nothing_but_names(file: dict[str, Any], data: st.DataObject) -> None:
    """Other names in the same order: the same JSON but for them, byte by byte.

    They start with A to m, so that they stay before ``origin:`` in the order of the rows.
    """
    plain = sorted(node["name"] for node in file["topology"]["nodes"])
    drawn = st.from_regex(r"[A-Ma-m][A-Za-z0-9_.]{0,5}(-[0-9])?", fullmatch=True)
    others = data.draw(st.sets(drawn, min_size=len(plain), max_size=len(plain)))
    called = dict(zip(plain, sorted(others), strict=True))

    def renamed(text: str) -> str:
        return re.sub(r"\bn\d\b", lambda found: called[found[0]], text)

    again = json.loads(renamed(json.dumps(file)))
    before, after = (render(compare(load_scenario(each))).decode() for each in (file, again))
    assert after == renamed(before)


def tenfold(scenario: Scenario) -> Scenario:
    """Ten times the bytes over ten times the rates, in the network, at the sites and in engines."""
    topology = scenario.topology
    links = tuple(
        replace(
            link,
            capacity_bps=link.capacity_bps * 10,
            capacity_reverse_bps=link.capacity_reverse_bps * 10,
        )
        for link in topology.links
    )
    clouds = tuple(
        replace(
            cloud,
            ingress_bps=cloud.ingress_bps * 10,
            fabric_bps=cloud.fabric_bps * 10,
            engine=cloud.engine
            and replace(
                cloud.engine,
                verify_bps=cloud.engine.verify_bps * 10,
                load_bps=cloud.engine.load_bps * 10,
            ),
        )
        for cloud in scenario.clouds
    )
    transfers = tuple(
        replace(
            each,
            size_bytes=each.size_bytes * 10,
            origin_egress_bps=each.origin_egress_bps * 10,
        )
        for each in scenario.transfers
    )
    background = tuple(replace(row, rate_bps=row.rate_bps * 10) for row in scenario.background)
    return replace(
        scenario,
        topology=Topology.make(topology.name, topology.nodes, links),
        clouds=clouds,
        transfers=transfers,
        background=background,
    )


@given(file=any_files())
@settings(max_examples=60)
def test_ten_times_the_bytes_at_ten_times_the_rates(file: dict[str, Any]) -> None:
    """All times stay, set-up too; bytes and rates grow tenfold, copies, headers and state do not;
    the recommendation stays."""
    scenario = load_scenario(file)
    before, after = answer(scenario), answer(tenfold(scenario))
    for key in ("question", "network", "assumptions"):
        del before[key], after[key]
    assert list(unlike(before, after, factor=10)) == []
    pick, again = ((each["recommendation"] or {}).get("scheme") for each in (before, after))
    assert pick == again


@given(file=any_files(), data=st.data())
@settings(max_examples=60)
def test_a_leaf_that_nobody_uses(file: dict[str, Any], data: st.DataObject) -> None:
    """A router with one link, without cloud or origin, named last: no packet goes there. BIER alone
    holds rows on it, one for each BFR-id that its neighbour reaches.

    Its metric is the same both ways: where any link's differ, `min-cost` tries a second tree.
    """
    scenario = load_scenario(file)
    topology = scenario.topology
    at = data.draw(st.sampled_from([node.name for node in topology.nodes]))
    metric = data.draw(st.integers(1, 3))
    leaf = Link(f"{at}--z", at, "z", 1e9, 2e9, 0.001, metric, metric)
    wider = Topology.make(topology.name, (*topology.nodes, NodeInfo("z")), (*topology.links, leaf))
    before = answer(scenario)
    after = answer(replace(scenario, topology=wider))
    assert list(unlike(before["transfers"], after["transfers"])) == []
    for one, other in zip(before["schemes"], after["schemes"], strict=True):
        if one["name"] == "bier" and one["feasible"]:
            rows = {node["name"]: node["state_entries"] for node in one["nodes"]}
            of_it = rows.get(at, 0) - sum(
                bool(each["clouds"]) and transfer.origin == at
                for each, transfer in zip(one["transfers"], scenario.transfers, strict=True)
            )
            if of_it:
                one["nodes"].append({"name": "z", "state_entries": of_it})
            one["totals"]["state_entries"] += of_it
        assert list(unlike(one, other)) == []
    assert list(unlike(before["bier_choice"], after["bier_choice"])) == []


def summed(result: Any) -> Any:
    """Bytes and times by what two halves of a push have in common: their first letter and digit."""
    found: dict[Any, float] = {}
    for scheme in result["schemes"]:
        for row in scheme["links"]:
            place = scheme["name"], row["from"].removesuffix("-b"), row["to"], row["link"]
            found[place] = found.get(place, 0.0) + row["wire_bytes"] / 1e9
            found[*place, "full"] = max(found.get((*place, "full"), 0), row["busiest_utilisation"])
        for transfer in scheme["transfers"]:
            whole = scheme["name"], transfer["name"].removesuffix("-b")
            for cloud in transfer["clouds"]:
                ready = max(group["ready_s"] for group in cloud["replica_groups"])
                for key, value in (("ready", ready), ("transfer", cloud["transfer_s"])):
                    place = *whole, cloud["name"], key
                    found[place] = max(found.get(place, 0.0), value)
    return found


@given(file=files())
@settings(max_examples=60)
def test_one_push_told_as_two_halves(file: dict[str, Any]) -> None:
    """All pushes are cut in two, so that each has two flows where it had one: whatever they share,
    the halves together get what the whole got, and the last of them ends when it did.

    Receivers are known, nothing is streamed, and nothing is behind the ingress: a fabric and an
    engine are each push's own in the model.
    """
    scenario = load_scenario(file)
    clouds = tuple(replace(each, fabric_bps=math.inf, engine=None) for each in scenario.clouds)
    wholes = [replace(each, load="after", receivers="known") for each in scenario.transfers]
    halves = [
        replace(each, name=each.name + tail, size_bytes=each.size_bytes // 2)
        for each in wholes
        for tail in ("", "-b")
    ]
    before, after = (
        summed(answer(replace(scenario, clouds=clouds, transfers=tuple(transfers))))
        for transfers in (wholes, halves)
    )
    assert before.keys() == after.keys()
    assert [
        (place, value, after[place])
        for place, value in before.items()
        if not math.isclose(value, after[place], rel_tol=EVEN, abs_tol=EVEN)
    ] == []


def backwards(value: Any) -> Any:
    """Every list and every mapping of a file the other way round."""
    if isinstance(value, dict):
        return {key: backwards(inner) for key, inner in reversed(value.items())}
    return [backwards(inner) for inner in reversed(value)] if isinstance(value, list) else value


@given(file=any_files())
@settings(max_examples=60)
def test_a_file_read_backwards(file: dict[str, Any]) -> None:
    one, other = (render(compare(load_scenario(each))) for each in (file, backwards(file)))
    assert one == other
