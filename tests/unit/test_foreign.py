"""Files of other formats: what is recognised, and what never is."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import networkx as nx
import pytest

from mcastplan.cli import app
from mcastplan.errors import ScenarioError
from mcastplan.scenario import load_topology
from mcastplan.scenario.foreign import check_text
from mcastplan.scenario.inventory import find_network

GRAPHML = """<?xml version="1.0"?>
<!-- a drawing -->
<graphml><key id="s" for="edge" attr.name="LinkSpeedRaw"/>
<graph edgedefault="undirected"><node id="0"/><node id="1"/>
<edge source="0" target="1"><data key="s">1e10</data></edge></graph></graphml>
"""
TOPOLOGY = "nodes: [{name: A, label: 'graph [ node'}, {name: B}]\nlinks: [{a: A, b: B}]\n"


@pytest.mark.parametrize("name", ["net.xml", "net.graphml", "net.yaml", "net.json", "net"])
def test_graphml_is_read_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(GRAPHML)
    assert [link.capacity_bps for link in load_topology(path).links] == [1e10]
    assert find_network(str(path)).topology == load_topology(path)


@pytest.mark.parametrize("name", ["net.gml", "net.csv", "net.html", "net.graph", "net"])
def test_a_topology_is_read_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(TOPOLOGY)
    assert [node.name for node in load_topology(path).nodes] == ["A", "B"]


@pytest.mark.parametrize(
    "text",
    ["name: x\n", "A\nB\n", "graphs: [a]\n", "- a, b\n- c, d\n", "{'a', 'b'}\n", "subgraph\n"],
)
def test_what_is_not_recognised_keeps_its_own_error(text: str) -> None:
    check_text(text, "net.yaml")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('# by hand\nCreator "me"\ngraph\n[\n  directed 0\n]\n', "this is GML;"),
        ("graph{a--b}", "this is a DOT file"),
        ("digraph {\n a -> b\n}\n", "this is a DOT file"),
        ("a;b;1\nb;c;2\n", "this is a table (CSV);"),
        ("a\tb\nb\tc\n", "this is a table (CSV);"),
        ("a b\n", "this is GML;"),  # by its name
        ("DEMANDS 2\nlabel src dest bw\n", "this is a REPETITA file;"),
        ("<!DOCTYPE html>\n<html></html>", "this is a web page;"),
    ],
)
def test_recognised(text: str, what: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        check_text(text, "net.gml")
    assert str(caught.value).startswith(what)


def test_the_way_out_of_gml_leads_to_a_topology(tmp_path: Path) -> None:
    """What the error says, done as it says it."""
    source, target = tmp_path / "zoo.gml", tmp_path / "net.graphml"
    source.write_text(
        'graph [ node [ id 0 label "A" ] node [ id 1 label "A" ]'
        " edge [ source 0 target 1 LinkSpeedRaw 1.0e10 ] ]"
    )
    with pytest.raises(ScenarioError, match=r"read_gml\(FILE, label='id'\)"):
        load_topology(source)
    nx.write_graphml(nx.read_gml(source, label="id"), target)
    assert [link.capacity_bps for link in load_topology(target).links] == [1e10]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("args", [["compare"], ["topology", "show"], ["models"]])
def test_packed(
    pack: object, args: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(pack(TOPOLOGY.encode()))  # type: ignore[operator]
    assert app.run([*args, str(path)]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "is compressed with" in err
    assert "; unpack it first" in err
