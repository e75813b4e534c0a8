"""Bytes on disk to plain values, within limits; every failure is one line."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from mcastplan.errors import ScenarioError
from mcastplan.scenario import foreign
from mcastplan.scenario.words import shown
from mcastplan.scenario.yamlcore import (
    MAX_DEPTH,
    MAX_VALUES,
    TOO_MANY,
    line_of,
    parse_yaml,
    written_at,
)

MAX_FILE_BYTES = 32 * 1024 * 1024  # 32 MiB; a YAML topology of 10,000 nodes is under 3 MB

_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels; flatten it"


class Document:
    """One file: its value, and how to say where in it something is wrong."""

    __slots__ = ("is_json", "name", "text", "value")

    def __init__(self, name: str, text: str, is_json: bool) -> None:
        self.name, self.text, self.is_json = name, text, is_json
        try:
            self.value = self._parsed()
        except ScenarioError as error:
            error.source = name
            raise

    def _parsed(self) -> object:
        try:
            value = parse_json(self.text) if self.is_json else parse_yaml(self.text)
        except ScenarioError:
            foreign.check_text(self.text, self.name)
            raise
        if not isinstance(value, Mapping):
            foreign.check_text(self.text, self.name)
        elif "schema" not in value:
            foreign.check_mapping(value)
        return value

    def written(self, where: str) -> str | None:
        """The number or word at ``where`` as the file has it: ``0x1F``, not 31."""
        return written_at(self.text, where)

    def blame(self, error: ScenarioError) -> NoReturn:
        """Raise ``error`` with this file's name, and the line where YAML knows it."""
        if error.source:
            raise error
        line = None if self.is_json else line_of(self.text, error.where)
        what = f"{error.what} (line {line})" if line else error.what
        raise ScenarioError(what, error.where, self.name) from None


def read_document(path: Path, name: str) -> Document:
    """Read one YAML or JSON (``.json``) file, called ``name``. Raises `ScenarioError`."""
    return Document(name, read_text(path, name), path.suffix.lower() == ".json")


def _checked(status: os.stat_result, name: str) -> None:
    """Only a regular file of a sane size is read. Raises `ScenarioError`."""
    if stat.S_ISDIR(status.st_mode):
        raise ScenarioError("is a folder; name the file in it", source=name)
    if not stat.S_ISREG(status.st_mode):
        raise ScenarioError("is not a regular file; save it to one", source=name)
    if status.st_size > MAX_FILE_BYTES:
        raise _too_large(name)


def _too_large(name: str) -> ScenarioError:
    what = f"is larger than {MAX_FILE_BYTES // 2**20} MiB; split off or shrink the topology"
    return ScenarioError(what, source=name)


def _opener(path: str, flags: int) -> int:
    # Should a pipe take the file's place after it was checked, opening it does not wait.
    return os.open(path, flags | os.O_NONBLOCK)


def read_text(path: Path, name: str) -> str:
    """Text of a file, called ``name``, of whatever format. Raises `ScenarioError`."""
    try:
        _checked(path.stat(), name)
        with open(path, "rb", opener=_opener) as file:
            _checked(os.fstat(file.fileno()), name)
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        what = "no such file; give a path, or builtin:NAME for a shipped scenario"
        if name == "-":
            what = "standard input is not read; name a file"
        raise ScenarioError(what, source=name) from None
    except (OSError, ValueError) as error:
        # Names with a null byte: what Python says of them differs from version to version.
        reason = getattr(error, "strerror", None) or "a file name holds no null byte"
        raise ScenarioError(f"cannot be read: {reason}", source=name) from None
    if len(data) > MAX_FILE_BYTES:  # /proc tells no size
        raise _too_large(name)
    try:
        foreign.check_packed(data)
        text = data.decode("utf-8-sig")
    except ScenarioError as error:
        error.source = name
        raise
    except UnicodeDecodeError as error:
        what = f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
        raise ScenarioError(what, source=name) from None
    if not text.strip():
        raise ScenarioError("is empty; start it with 'schema: ...'", source=name)
    return text


def parse_json(text: str) -> object:
    """JSON with repeated keys and numbers that are not finite as errors."""
    try:
        return _parse_json(text)
    except ScenarioError as error:
        if "repeated" in error.what:
            _repeated_key(text)
        raise


def _repeated_key(text: str) -> None:
    """Raise with path and line: nearly every JSON text is YAML, and that parser knows them."""
    try:
        parse_yaml(text)
    except ScenarioError as error:
        if "repeated" in error.what:
            raise error from None


def _parse_json(text: str) -> object:
    if text.count(",") > MAX_VALUES:  # before any of them takes memory
        raise ScenarioError(TOO_MANY)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_not_finite,
            parse_float=_float,
            parse_int=_int,
        )
    except json.JSONDecodeError as error:
        what = f"not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        raise ScenarioError(what) from None
    except RecursionError:
        raise ScenarioError(_TOO_DEEP) from None
    _check_depth(value)
    return value


def _check_depth(value: object) -> None:
    """The same limit as for YAML, level by level. Raises `ScenarioError`."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        items = (
            item for each in level for item in (each.values() if isinstance(each, dict) else each)
        )
        level = [item for item in items if isinstance(item, dict | list)]
        if not level:
            return
    raise ScenarioError(_TOO_DEEP)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ScenarioError(f"the key {shown(key)} is repeated; keep one of them")
            seen.add(key)
    return value


def _not_finite(text: str) -> NoReturn:
    raise ScenarioError(f"{text} is not a finite number; write a plain number")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ScenarioError(f"{shown(text)} is too large; write a plain number")
    return value


def _int(text: str) -> int:
    if len(text) > 400:
        raise ScenarioError(f"{shown(text)} is too large; write a plain number")
    return int(text)
