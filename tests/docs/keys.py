"""Every key of a published format, as the reference must name it: path, kind, default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mcastplan.scenario.files import NAME_PATTERN
from mcastplan.units import RATE_UNITS, SIZE_UNITS, TIME_UNITS, quantity_pattern

DOCS = Path(__file__).parents[2] / "docs"
REQUIRED = "required"
CUT = "...\n"  # lines of a printed example left out

_PATTERNS = {
    quantity_pattern(RATE_UNITS): "rate",
    quantity_pattern(SIZE_UNITS): "size",
    quantity_pattern(TIME_UNITS): "time",
    f"^{NAME_PATTERN}$": "name",
}
_TYPES = {"boolean": "true or false", "string": "text", "null": "null", "object": "mapping"}
_NUMBERS = {"integer": "whole number", "number": "number"}

# | `path` | kind | default | meaning |
_ROW = re.compile(r"^\| `(?P<path>[^`]+)` \| (?P<rest>.+) \|$", re.MULTILINE)


class Key(NamedTuple):
    path: str
    kind: str
    default: str  # as the table says it; "" where the format has none (null)


def keys(
    schema: dict[str, Any], stop: frozenset[str] = frozenset(), result: bool = False
) -> list[Key]:
    """All keys of a JSON schema, depth first. Structs named in ``stop`` are another page's.

    In a result null is a value like any other; in a file it is what a missing key means.
    """
    found = _keys(schema, schema, "", stop)
    if result:
        return list(found)
    return [key._replace(kind=key.kind.removesuffix(" or null")) for key in found]


def _keys(schema: Any, node: Any, path: str, stop: frozenset[str]) -> Iterator[Key]:
    node, name = _resolved(schema, node)
    if name in stop:
        return
    required = node.get("required", ())
    for key, value in node.get("properties", {}).items():
        where = f"{path}.{key}" if path else key
        yield Key(where, kind(schema, value), _default(value, key in required))
        for inner, below in _inside(schema, value):
            yield from _keys(schema, inner, where + below, stop)


def _resolved(schema: Any, node: Any) -> tuple[Any, str]:
    """(the object, name of its Struct); of several choices the mapping."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return schema["$defs"][name], name
    for choice in node.get("anyOf", ()):
        found = _resolved(schema, choice)
        if found[0].get("type") == "object":
            return found
    return node, ""


def _inside(schema: Any, value: Any) -> Iterator[tuple[Any, str]]:
    """What lies below a key, and what its path adds."""
    choices = value.get("anyOf", [value])
    for choice in choices:
        if choice.get("type") == "array" and isinstance(choice.get("items"), dict):
            yield from ((inner, f"[]{more}") for inner, more in _inside(schema, choice["items"]))
        elif _resolved(schema, choice)[0].get("properties"):
            yield choice, ""


def _default(value: Any, required: bool) -> str:
    if required:
        return REQUIRED
    default = value.get("default")
    if default is None or "$ref" in value:
        return ""
    if default in ("", [], {}):
        return "empty"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def kind(schema: Any, value: Any) -> str:
    """One to a few words."""
    if "anyOf" in value:
        words = [kind(schema, choice) for choice in value["anyOf"]]
        return " or ".join(dict.fromkeys(words))
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return " or ".join(f"`{choice}`" for choice in value["enum"])
    if "$ref" in value:
        return "mapping"
    if value.get("type") == "array":
        return _list(schema, value)
    if "pattern" in value:
        return _PATTERNS[value["pattern"]]
    if value.get("type") in _NUMBERS:
        return _number(value)
    if value.get("additionalProperties"):
        inner = kind(schema, value["additionalProperties"]).partition(" of ")[0]
        return f"mapping of names to {inner}s"
    return _TYPES[value["type"]]


def _list(schema: Any, value: Any) -> str:
    if "prefixItems" in value:
        return f"[{', '.join(kind(schema, item) for item in value['prefixItems'])}]"
    item = kind(schema, value["items"])
    if item == "text" and value.get("maxItems") == 2:
        return "[text, text]"
    if item.startswith("list of "):
        return f"list of lists of {item.removeprefix('list of ')}"
    many = {"mapping": "mappings", "text": "texts", "name": "names"}
    many["whole number"] = "whole numbers"
    return f"list of {many.get(item, item)}"


def _number(value: Any) -> str:
    low, high = value.get("minimum"), value.get("maximum")
    word = _NUMBERS[value["type"]]
    return word if low is None else f"{word}, {low:,.15g} to {high:,.15g}"


class Row(NamedTuple):
    path: str
    cells: tuple[str, ...]


def rows(page: str, heading: str) -> list[Row]:
    """The rows of all tables under a heading of the second level."""
    text = (DOCS / page).read_text(encoding="utf-8")
    part = re.split(r"^## ", text, flags=re.MULTILINE)
    (section,) = [each for each in part if each.startswith(f"{heading}\n")]
    found = []
    for match in _ROW.finditer(section):
        cells = tuple(cell.strip() for cell in match["rest"].replace("\\|", "¦").split(" | "))
        found.append(Row(match["path"], cells))
    return found


def cut_as(shown: str, text: str) -> str:
    """``text`` with the middle left out where the page leaves it out."""
    if CUT not in shown:
        return text
    head, _, tail = shown.partition(CUT)
    lines = text.splitlines(keepends=True)
    kept = len(lines) - tail.count("\n")
    return "".join((*lines[: head.count("\n")], CUT, *lines[kept:]))
