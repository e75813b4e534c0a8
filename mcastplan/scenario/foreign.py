"""Files of other formats: recognised by how they begin, and told how to become one that is read.

Asked only about text that is no topology and no scenario, so nothing valid is ever taken for
something else. Not tried: converting it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mcastplan.errors import ScenarioError

READS = "mcastplan reads YAML, JSON and GraphML"
_BEGINNING = 20_000  # characters; what a format begins with, after its comments

_PACKED = (
    (b"\x1f\x8b", "compressed with gzip; unpack it first (gunzip)"),
    (b"PK\x03\x04", "a ZIP archive; unpack it first (unzip), and name the file in it"),
    (b"BZh", "compressed with bzip2; unpack it first (bunzip2)"),
    (b"\xfd7zXZ\0", "compressed with xz; unpack it first (unxz)"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard; unpack it first (unzstd)"),
)
_LISTED = "write its nodes and links as a YAML file of 'schema: mcastplan.topology/1'"


def _networkx(reader: str) -> str:
    return f"convert it with networkx.write_graphml(networkx.{reader}, 'net.graphml')"


_GML = ("GML", _networkx("read_gml(FILE, label='id')"))
_DOT = ("a DOT file of Graphviz", _networkx("nx_pydot.read_dot(FILE)"))
_PAJEK = ("a Pajek file", _networkx("read_pajek(FILE)"))
_GEXF = ("GEXF", _networkx("read_gexf(FILE)"))
_REPETITA = ("a REPETITA file", _LISTED)
_SNDLIB = ("an SNDlib file", "name it as 'topohub:sndlib/NAME', or write a YAML file")
_HTML = ("a web page", "download the file itself, not the page that shows it")
_GRAPHML = ("GraphML, a network and no scenario", "name it as the 'topology' of a scenario")
_CSV = (
    "a table (CSV)",
    _networkx("from_pandas_edgelist(pandas.read_csv(FILE), 'source', 'target', edge_attr=True)"),
)
_CONTAINERLAB = ("a containerlab topology", _LISTED)

# How a text begins, comments and keys before it left out.
_TEXTS = (
    (re.compile(r"^\?SNDlib", re.ASCII), _SNDLIB),
    (re.compile(r"^(NODES|DEMANDS) [0-9]+\s", re.ASCII), _REPETITA),
    (re.compile(r"^\s*graph\s*\[", re.MULTILINE), _GML),
    (re.compile(r"^\s*(strict\s+)?(di)?graph\b[^\[\n]{0,200}\{", re.MULTILINE), _DOT),
    (re.compile(r"^\*(vertices|network)\b", re.MULTILINE | re.IGNORECASE), _PAJEK),
)
_OURS = re.compile(r"""^["{ ]*schema["']? *: *["']?mcastplan\.""", re.MULTILINE)
_ELEMENTS = {"graphml": _GRAPHML, "network": _SNDLIB, "gexf": _GEXF, "html": _HTML}
_SUFFIXES = {
    ".gml": _GML,
    ".dot": _DOT,
    ".gv": _DOT,
    ".csv": _CSV,
    ".tsv": _CSV,
    ".gexf": _GEXF,
    ".graph": _REPETITA,
    ".demands": _REPETITA,
    ".html": _HTML,
}
_PROLOG = re.compile(r"\s*(<\?.*?\?>|<!--.*?-->)", re.DOTALL)
_ELEMENT = re.compile(r"\s*<(!DOCTYPE\s+)?([A-Za-z_][\w.:-]*)", re.IGNORECASE)


def check_packed(data: bytes) -> None:
    """Raises `ScenarioError` where ``data`` is compressed or an archive."""
    for magic, what in _PACKED:
        if data.startswith(magic):
            raise ScenarioError(f"is {what}")


def is_xml(text: str) -> bool:
    """Whether ``text`` is meant as XML: no YAML or JSON that is read begins so."""
    return text.lstrip().startswith("<")


def check_text(text: str, name: str, graphml_is_read: bool = False) -> None:
    """Raises `ScenarioError` where ``text``, of a file called ``name``, is another format's."""
    found = _recognised(text[:_BEGINNING])
    if found is None and not is_xml(text) and not _OURS.search(text[:_BEGINNING]):
        found = _SUFFIXES.get("." + name.lower().rpartition(".")[2])
    if found is not None and not (graphml_is_read and found is _GRAPHML):
        raise _error(found)


def check_mapping(value: Mapping[str, object]) -> None:
    """Raises `ScenarioError` where a mapping without a ``schema`` is another program's."""
    inner = value.get("topology")
    if isinstance(inner, Mapping) and isinstance(inner.get("nodes"), Mapping):
        raise _error(_CONTAINERLAB)
    if {"directed", "multigraph", "nodes"} <= value.keys():
        key = "links" if "links" in value else "edges"
        reader = f"node_link_graph(json.load(open(FILE)), edges={key!r})"
        raise _error(("networkx's node-link JSON", _networkx(reader)))


def _error(found: tuple[str, str]) -> ScenarioError:
    return ScenarioError(f"this is {found[0]}; {READS}: {found[1]}")


def _recognised(text: str) -> tuple[str, str] | None:
    if is_xml(text):
        return _ELEMENTS.get(_first_element(text))
    if _OURS.search(text):
        return None
    for pattern, found in _TEXTS:
        if pattern.search(text):
            return found
    return _CSV if _is_table(text) else None


def _first_element(text: str) -> str:
    """Its local name, in small letters; that of a DOCTYPE if one comes first; else nothing."""
    place = 0
    while match := _PROLOG.match(text, place):
        place = match.end()
    match = _ELEMENT.match(text, place)
    return match[2].rpartition(":")[2].lower() if match else ""


def _is_table(text: str) -> bool:
    """Two or more lines with as many commas (semicolons, tabs) each, and no YAML in the first."""
    lines = [line for line in text.splitlines()[:20] if line and not line.startswith("#")]
    if len(lines) < 2 or re.search(r"[{}\[\]]|: |:$|^- ", lines[0]):
        return False
    return any(
        lines[0].count(mark) > 0 and len({line.count(mark) for line in lines}) == 1
        for mark in ",;\t"
    )
