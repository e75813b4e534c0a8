"""Names: what one may look like, slugs of imported labels, and how a reference finds its node."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from mcastplan.errors import ScenarioError
from mcastplan.model.topology import NodeInfo
from mcastplan.scenario.files import LINK_ID_PATTERN, MAX_NAME, NAME_PATTERN
from mcastplan.scenario.words import hint, listed, shown

_NAME = re.compile(NAME_PATTERN, re.ASCII)
_LINK_ID = re.compile(LINK_ID_PATTERN, re.ASCII)
_MAX_LINK_ID = 2 * MAX_NAME + 12  # <a>--<b>#<number>
_MAX_TEXT = 300
_OTHER = re.compile(r"[^A-Za-z0-9_.]+", re.ASCII)  # "-" included, so that no "--" arises


def is_name(text: str) -> bool:
    """Whether ``text`` may name a node, a cloud or a transfer."""
    return len(text) <= MAX_NAME and bool(_NAME.fullmatch(text)) and "--" not in text


def check_name(text: str, where: str) -> str:
    """``text``, if it may name a node, a cloud or a transfer. Raises `ScenarioError`."""
    if not is_name(text):
        what = (
            f"{shown(text)} is not a name; use letters, digits, '_', '.' and '-', at most"
            f" {MAX_NAME}, starting with a letter or digit, without '--'"
        )
        raise ScenarioError(what, where)
    return text


def check_link_id(text: str, where: str) -> str:
    """``text``, if it may be a link id. Raises `ScenarioError`."""
    if len(text) > _MAX_LINK_ID or not _LINK_ID.fullmatch(text):
        what = (
            f"{shown(text)} is not a link id; use letters, digits and '_.:/#-', at most"
            f" {_MAX_LINK_ID}, starting with a letter or digit"
        )
        raise ScenarioError(what, where)
    return text


def check_text(text: str, where: str, required: bool = False) -> str:
    """``text``, if it is one printable line. Raises `ScenarioError`."""
    if len(text) > _MAX_TEXT or not text.isprintable() or (required and not text.strip()):
        what = f"{shown(text)} is not one line of printable text of 1 to {_MAX_TEXT} characters"
        raise ScenarioError(f"{what}; shorten or clean it", where)
    return text


def slug(label: str) -> str:
    """A label as a name, perhaps empty: NFKD, non-ASCII dropped, other runs one ``-``."""
    text = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode("ascii")
    return _OTHER.sub("-", text).strip("-._")[:MAX_NAME].rstrip("-._")


class Namer:
    """Gives every imported node a free name, in source order and in linear time."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[tuple[str, int], int] = {}  # (stem, digits) -> next number to try

    def keep(self, name: str) -> str:
        """Take a valid name as it is; ahead of all others, so that it is free."""
        self._taken.add(name)
        return name

    def name(self, label: str, node_id: object) -> str:
        """Slug of ``label``, else ``n<id>``; where taken, the next free ``-2``, ``-3``, ..."""
        base = slug(label) or f"n{slug(str(node_id))}"[:MAX_NAME].rstrip("-._")
        chosen = base if base not in self._taken else self._numbered(base)
        self._taken.add(chosen)
        return chosen

    def _numbered(self, base: str) -> str:
        # Counters are per stem and length: cut stems of different long labels share theirs, so
        # no number is tried twice.
        digits = 1
        while True:
            stem = base[: MAX_NAME - digits - 1].rstrip("-._")
            number = self._next.get((stem, digits), 2 if digits == 1 else 10 ** (digits - 1))
            while number < 10**digits and f"{stem}-{number}" in self._taken:
                number += 1
            self._next[stem, digits] = min(number + 1, 10**digits)
            if number < 10**digits:
                return f"{stem}-{number}"
            digits += 1


class NodeFinder:
    """Resolves node references: a name, or a label only one node has."""

    def __init__(self, nodes: Iterable[NodeInfo], merged: Iterable[str] = ()) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._merged = frozenset(merged)
        self._labels: dict[str, list[str]] = {}
        for node in self._nodes.values():
            if node.label:
                self._labels.setdefault(node.label, []).append(node.name)

    def knows(self, name: str) -> bool:
        """Whether a node has that name."""
        return name in self._nodes

    def find(self, reference: str, where: str) -> str:
        """The node's name. Raises `ScenarioError`: unknown, or a label several nodes have."""
        if reference in self._nodes:
            return reference
        names = self._labels.get(reference, [])
        if len(names) == 1:
            return names[0]
        if names:
            what = f"{len(names)} nodes have the label {shown(reference)}; write one of the names"
            raise ScenarioError(f"{what} {listed(sorted(names))}", where)
        if reference in self._merged:
            what = f"node {shown(reference)} is a cable waypoint that was merged into its link"
            raise ScenarioError(f"{what}; set underlay.waypoints: keep, or name a router", where)
        advice = hint(reference, [*self._nodes, *self._labels], "nodes")
        what = f"no node has the name or label {shown(reference)}"
        raise ScenarioError(f"{what}{advice or '; look it up in the topology'}", where)

    def find_pe(self, reference: str, where: str) -> str:
        """The name of a node that may be a PE: any but a cable waypoint."""
        name = "" if reference in self._merged else self.find(reference, where)
        if not name or self._nodes[name].kind == "waypoint":
            what = f"{shown(reference)} is a cable waypoint, not a router, and cannot be a PE"
            raise ScenarioError(f"{what}; choose a node on land", where)
        return name

    def namesakes(self, name: str) -> int:
        """How many other nodes have ``name`` as their label: a reference that may surprise."""
        return sum(other != name for other in self._labels.get(name, ()))
