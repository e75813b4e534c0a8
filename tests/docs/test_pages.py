"""What the pages say can be run: commands, snippets, the words of the schemes."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from mcastplan.cli import app
from mcastplan.evaluate.scheme import install
from mcastplan.model.failure import Failure
from mcastplan.scenario import (
    builtin_path,
    load_scenario,
    load_topology,
    schemas,
    to_networkx,
)
from mcastplan.scenario.yamlcore import parse_yaml
from mcastplan.schemes import SCHEMES
from mcastplan.study.compare import compare, context_of
from mcastplan.study.fail import fail
from tests.docs.keys import DOCS, keys

PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
COMMANDS = [
    (page, line.strip())
    for page in PAGES
    for line in (DOCS / page).read_text(encoding="utf-8").splitlines()
    if line.startswith("    mcastplan ")
]
SNIPPETS = [
    (page, block)
    for page in PAGES
    if page != "tutorial.md"
    for block in re.findall(
        r"^```yaml\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
]
GEANT: Any = parse_yaml(builtin_path("builtin:geant", "scenario").read_text())
ASM = {"pim-sm": {"mode": "asm", "rp": "DE"}}


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_on_a_page(
    page: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "SCENARIO" not in command and ".json" not in command:
        assert app.run(shlex.split(command)[1:]) == 0


@pytest.mark.parametrize(("page", "text"), SNIPPETS)
def test_a_snippet_on_a_page(page: str, text: str, tmp_path: Path) -> None:
    """A scenario or topology loads as it is; a part of one, in a scenario.

    One that explains attributes, over a GraphML file whose edges have them.
    """
    value: Any = parse_yaml(text)
    kind = value.get("schema", "")
    if kind.startswith("mcastplan.topology"):
        assert load_topology(value).nodes
        return
    scenario = value if kind else {**GEANT, **value}
    if value.get("underlay", {}).get("attributes"):
        graph = to_networkx(load_scenario(GEANT).topology)
        for *_, data in graph.edges(data=True):
            data |= {"bandwidth": 10_000, "latency": 2.5, "weight": 7}
        nx.write_graphml(graph, tmp_path / "net.graphml")
        path = tmp_path / "snippet.json"
        path.write_text(json.dumps({**scenario, "topology": "net.graphml"}))
        scenario = path
    assert compare(load_scenario(scenario)).recommendation


@pytest.mark.parametrize("kind", SCHEMES)
def test_the_page_of_a_scheme(kind: Any) -> None:
    """It names every set-up term and every option, the header, what is left out, and sources."""
    page = (DOCS / "schemes" / f"{kind.name}.md").read_text(encoding="utf-8")
    for options in ({}, ASM):
        context = context_of(load_scenario({**GEANT, "schemes": options}))
        installed = install(context, kind)
        for demand, plan in installed.plans:
            for term in installed.scheme.setup(context.routes, demand, plan):
                assert f"`{term}`" in page, term
    header = {"unicast": 40}.get(kind.name, installed.plans[0][1].header_bytes)
    assert f"{header} B" in page
    prefix = f"schemes.{kind.name}."
    for key in keys(schemas()["mcastplan.scenario/1"], frozenset({"FileTopology"})):
        if key.path.startswith(prefix):
            option = key.path.removeprefix(prefix)
            assert re.search(rf"\b{option}\b", page), option
    for heading in ("**Set-up**", "**Not modelled**", "**References**", "| copies on a core arc |"):
        assert heading in page


def test_the_failure_worked_by_hand() -> None:
    """Its table has what `fail` computes, to the hundredth of a millisecond."""
    page = (DOCS / "convergence.md").read_text(encoding="utf-8")
    row = re.compile(r"^\| ([a-z0-9-]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", re.M)
    said = {name: tuple(map(float, times)) for name, *times in row.findall(page)}
    scenario = load_scenario("builtin:minimal")
    result = fail(scenario, (Failure(10.0, links=("A--B",)),))
    assert list(said) == [scheme.name for scheme in result.schemes]
    for scheme in result.schemes:
        found = []
        for cloud in scheme.transfers[0].clouds:
            (outage,) = cloud.outages
            assert outage.to_s is not None
            found += [outage.to_s - 10, outage.to_s - outage.from_s]
        assert said[scheme.name] == pytest.approx([1000 * each for each in found], abs=0.005)


def test_every_page_is_in_the_navigation() -> None:
    text = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    assert sorted(re.findall(r": (\S+\.md)$", text, flags=re.MULTILINE)) == PAGES
