"""YAML 1.2 core scalars from PyYAML's event stream: no 1.1 surprises, no constructor.

`NO`, `yes`, `12:30` and `1_000` are text, `010` is ten. Anchors, aliases, tags, repeated keys,
keys that are not text, several documents and numbers that are not finite are errors. Values are
built from events, one pass and no recursion, so a hostile file cannot exhaust the stack.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from mcastplan.errors import ScenarioError

MAX_DEPTH = 64  # a scenario is 6 deep
MAX_VALUES = 2_000_000  # keys included; a topology of 10,000 nodes and 20,000 links has 200,000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NUMBER_START = frozenset("+-.0123456789")
_INT = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]+", re.ASCII)
_HEX = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)
_WORDS: dict[str, object] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
TOO_MANY = f"holds more than {MAX_VALUES:,} values; split off or shrink the topology"
_LONGEST_PATH = 120  # characters, in an error
_LONGEST_NUMBER = 400  # characters; the largest float has 309 digits


def scalar(text: str) -> object:
    """Value of a plain scalar by the core schema (YAML 1.2.2 section 10.3.2).

    Raises `ValueError` for a number that is not finite or absurdly long.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    value: int | float
    if _INT.fullmatch(text) and len(text) <= _LONGEST_NUMBER:
        return int(text)
    if _OCTAL.fullmatch(text) and len(text) <= _LONGEST_NUMBER:
        return int(text[2:], 8)
    if _HEX.fullmatch(text) and len(text) <= _LONGEST_NUMBER:
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        value = float(text) if len(text) <= _LONGEST_NUMBER else math.inf
        if math.isinf(value):
            raise ValueError("the number is too large")
        return value
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a finite number")
    return text


class _Frame:
    """One open mapping or sequence; ``key`` is the key whose value comes next."""

    __slots__ = ("key", "keyed", "value")

    def __init__(self, value: Any, keyed: bool) -> None:
        self.value, self.keyed = value, keyed
        self.key: str | None = None


def _where(stack: list[_Frame]) -> str:
    path = ""
    for frame in stack:
        if frame.keyed:
            if frame.key is not None:
                key = frame.key if frame.key.isprintable() else ascii(frame.key)
                path += f".{key[:80]}" if path else key[:80]
        else:
            path += f"[{len(frame.value)}]"
    return path if len(path) <= _LONGEST_PATH else path[: _LONGEST_PATH - 3] + "..."


class _Builder:
    def __init__(self) -> None:
        self.stack: list[_Frame] = []
        self.root: object = None

    def error(self, what: str, event: Any) -> ScenarioError:
        return ScenarioError(f"{what} (line {event.start_mark.line + 1})", _where(self.stack))

    def add(self, value: object) -> None:
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        if frame.keyed:
            frame.value[frame.key] = value
            frame.key = None
        else:
            frame.value.append(value)

    def key_due(self) -> bool:
        return bool(self.stack) and self.stack[-1].keyed and self.stack[-1].key is None

    def scalar(self, event: Any) -> None:
        if event.anchor is not None or event.tag is not None:
            raise self.unwanted(event)
        try:
            value = scalar(event.value) if event.implicit[0] else event.value
        except ValueError as error:
            raise self.error(f"{error}; write a plain number", event) from None
        if not self.key_due():
            self.add(value)
            return
        frame = self.stack[-1]
        if not isinstance(value, str):
            shown = event.value[:40] or "(empty)"
            raise self.error(f"the key {shown} is not text; put it in quotes", event)
        if value in frame.value:
            raise self.error(f"the key {value[:80]!r} is repeated; keep one of them", event)
        frame.key = value

    def open(self, event: Any, keyed: bool) -> None:
        if event.anchor is not None or event.tag is not None:
            raise self.unwanted(event)
        if self.key_due():
            raise self.error("a mapping or list is used as a key; a key is text", event)
        if len(self.stack) >= MAX_DEPTH:
            raise self.error(f"nested deeper than {MAX_DEPTH} levels; flatten it", event)
        self.stack.append(_Frame({} if keyed else [], keyed))

    def close(self) -> None:
        self.add(self.stack.pop().value)

    def unwanted(self, event: Any) -> ScenarioError:
        if event.anchor is not None:
            return self.error(f"anchor &{event.anchor[:40]}: write the value out instead", event)
        tag = event.tag.replace("tag:yaml.org,2002:", "!!")
        return self.error(f"tag {tag[:60]}: remove it; values are plain YAML", event)


def parse_yaml(text: str) -> object:
    """The one document in ``text`` as dict, list, str, int, float, bool or None.

    Raises `ScenarioError` with the path and the line of what is wrong.
    """
    try:
        loader = _LOADER(text)
        try:
            return _build(loader)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ScenarioError(f"not valid YAML: {error.problem or error.context}{line}") from None
    except yaml.YAMLError as error:
        reason = getattr(error, "reason", None) or str(error).partition("\n")[0]
        raise ScenarioError(f"not valid YAML: {reason}; save it as plain UTF-8 text") from None


def _build(loader: Any) -> object:
    builder = _Builder()
    documents = events = 0
    next_event = loader.get_event
    while True:
        event = next_event()
        kind = type(event)
        events += 1
        if events > MAX_VALUES:
            raise ScenarioError(TOO_MANY)
        if kind is yaml.ScalarEvent:
            builder.scalar(event)
        elif kind is yaml.MappingStartEvent:
            builder.open(event, keyed=True)
        elif kind is yaml.SequenceStartEvent:
            builder.open(event, keyed=False)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            builder.close()
        elif kind is yaml.AliasEvent:
            raise builder.error(f"alias *{event.anchor[:40]}: write the value out instead", event)
        elif kind is yaml.DocumentStartEvent:
            documents += 1
            if documents > 1:
                raise builder.error("a second document begins here; keep one per file", event)
        elif kind is yaml.StreamEndEvent:
            return builder.root


def line_of(text: str, where: str) -> int | None:
    """Line (from 1) of the value at ``where`` (``clouds[2].node``), or of what encloses it.

    For a text `parse_yaml` has accepted. None where nothing on the path can be found.
    """
    loader = _LOADER(text)
    try:
        return _line(loader, path_parts(where))
    except yaml.YAMLError:
        return None
    finally:
        loader.dispose()


def written_at(text: str, where: str) -> str | None:
    """The plain scalar at ``where`` as the file has it (``0x1F``), None where none stands there.

    For a text `parse_yaml` or `parse_json` has accepted.
    """
    parts = path_parts(where)
    loader = _LOADER(text)
    try:
        event, depth = _follow(loader, parts)
    except yaml.YAMLError:  # not all JSON is YAML
        return None
    finally:
        loader.dispose()
    plain = type(event) is yaml.ScalarEvent and event.implicit[0]
    return str(event.value) if plain and depth == len(parts) else None


def _line(loader: Any, parts: list[str | int]) -> int | None:
    found, depth = _follow(loader, parts)
    return int(found.start_mark.line) + 1 if depth else None


def _follow(loader: Any, parts: list[str | int]) -> tuple[Any, int]:
    """Go down ``parts`` event by event, in constant memory, as far as they lead: event, depth."""
    found, depth = None, 0
    event = _after(loader, 2)  # the stream and the document begin
    for part in parts:
        if type(event) is yaml.MappingStartEvent and isinstance(part, str):
            event = _value(loader, part)
        elif type(event) is yaml.SequenceStartEvent and isinstance(part, int):
            event = _item(loader, part)
        else:
            break
        if event is None:
            break
        found, depth = event, depth + 1
    return found, depth


def _after(loader: Any, events: int) -> Any:
    for _ in range(events):
        loader.get_event()
    return loader.get_event()


def _value(loader: Any, wanted: str) -> Any:
    """The event that begins the value of a key of the mapping just opened, None without it."""
    while type(key := loader.get_event()) is not yaml.MappingEndEvent:
        value = loader.get_event()
        if key.value == wanted:
            return value
        _skip(loader, value)
    return None


def _item(loader: Any, wanted: int) -> Any:
    """The event that begins an item of the sequence just opened, None where it is shorter."""
    while type(value := loader.get_event()) is not yaml.SequenceEndEvent:
        if wanted == 0:
            return value
        wanted -= 1
        _skip(loader, value)
    return None


def _skip(loader: Any, event: Any) -> None:
    """Go past what ``event`` begins."""
    depth = 0
    while True:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth == 0:
            return
        event = loader.get_event()


def path_parts(where: str) -> list[str | int]:
    """``clouds[2].node`` -> ``["clouds", 2, "node"]``."""
    return [
        int(number) if number else key
        for key, number in re.findall(r"([^.\[\]]+)|\[([0-9]+)\]", where)
    ]
