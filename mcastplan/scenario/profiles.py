"""Engine profiles: rows of the catalogue, and the scenario's own, measured by whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mcastplan.errors import ScenarioError
from mcastplan.model.cloud import EngineProfile
from mcastplan.scenario import quantities
from mcastplan.scenario.catalogue import engines
from mcastplan.scenario.files import FileCloud, FileEngine
from mcastplan.scenario.names import check_name
from mcastplan.scenario.words import hint, listed, shown

NONE = "none"
_RATES = ("verify", "load")
_TIMES = ("compile", "compile_cached", "graphs", "warm_up", "provision")
# What a replica does between the last byte and its first answer; one that is not stated takes 0 s.
_STAGES = ("verify", "load", "compile", "graphs", "warm_up")


class Engines:
    """What a cloud can name, and what was assumed about those that the scenario states."""

    def __init__(self, own: Mapping[str, FileEngine]) -> None:
        """``own`` is the scenario's ``engines``. Raises `ScenarioError`."""
        self._catalogue = {row.name: row for row in engines()}
        self._files = dict(own)
        self._own: dict[str, EngineProfile] = {}
        self._used: dict[str, list[str]] = {}  # own engine -> clouds
        self._inline: dict[FileEngine, list[str]] = {}
        for name, file in own.items():
            where = f"engines.{name}"
            check_name(name, "engines")
            if name in self._catalogue or name == NONE:
                what = "is a row of 'mcastplan engines'" if name != NONE else "means no engine"
                raise ScenarioError(f"{shown(name)} {what}; give yours another name", where)
            if file.like in own:
                what = f"{shown(file.like)} is one of yours; take a row of 'mcastplan engines'"
                raise ScenarioError(what, f"{where}.like")
            self._own[name] = self._profile(file, name, where, self._catalogue)

    def of(self, cloud: FileCloud, where: str) -> EngineProfile | None:
        """A cloud's engine. Raises `ScenarioError`."""
        said = cloud.engine
        if said is None or said == NONE:
            return None
        known = {**self._catalogue, **self._own}
        if isinstance(said, str):
            if said in self._own:
                self._used.setdefault(said, []).append(cloud.name)
            return _found(said, known, where)
        self._inline.setdefault(said, []).append(cloud.name)
        if said.like in self._own:
            self._used.setdefault(said.like, []).append(cloud.name)
        name = "own" if said.like is None else f"like {said.like}"
        return self._profile(said, name, where, known)

    def notes(self) -> list[str]:
        """What the scenario's own engines leave to this program."""
        found = [
            f"No cloud has the engine {name}, which the scenario states."
            for name in sorted(self._own)
            if name not in self._used
        ]
        for name in sorted(self._used):
            found += _notes(f"Engine {name}", self._files[name])
        for file, clouds in sorted(self._inline.items(), key=lambda item: min(item[1])):
            found += _notes(f"The engine of {listed(sorted(clouds))}", file)
        return found

    def _profile(
        self, file: FileEngine, name: str, where: str, known: Mapping[str, EngineProfile]
    ) -> EngineProfile:
        if file == FileEngine():
            raise ScenarioError(
                f"states nothing; write {NONE}, or what you measured, as in {{load: 50Gbps,"
                " compile: 45s}",
                where,
            )
        base = EngineProfile("") if file.like is None else _found(file.like, known, f"{where}.like")
        given: dict[str, float] = {}
        for key in _RATES:
            if (text := getattr(file, key)) is not None:
                given[f"{key}_bps"] = quantities.rate(text, f"{where}.{key}")
        for key in _TIMES:
            if (text := getattr(file, key)) is not None:
                given[f"{key}_s"] = quantities.time(text, f"{where}.{key}")
        if "compile_s" in given and "compile_cached_s" not in given:
            cached_s = base.compile_cached_s if file.like else given["compile_s"]
            given["compile_cached_s"] = min(cached_s, given["compile_s"])
        return msgspec.structs.replace(
            base,
            name=name,
            hardware=file.hardware or base.hardware,
            source=file.source or "stated in the scenario",
            **given,
        )


def _found(name: str, known: Mapping[str, EngineProfile], where: str) -> EngineProfile:
    if name in known:
        return known[name]
    advice = hint(name, known, "engines")
    or_else = " Or" if advice.endswith("?") else "; or"
    raise ScenarioError(
        f"no engine is called {shown(name)}{advice}{or_else} state your own, as in"
        " {like: NAME, compile: 45s}",
        where,
    )


def _notes(title: str, file: FileEngine) -> list[str]:
    stated = {key: getattr(file, key) for key in (*_RATES, *_TIMES)}
    if file.like is not None:
        changed = ", ".join(f"{key} {text}" for key, text in stated.items() if text is not None)
        return [f"{title} is {file.like} with the scenario's own {changed}."] if changed else []
    found = []
    lacking = [key for key in _STAGES if stated[key] is None]
    if lacking:
        found.append(f"{title} states no {', '.join(lacking)}: taken as 0 s.")
    if stated["compile"] is not None and stated["compile_cached"] is None:
        found.append(f"{title} states no compile_cached: a shipped compile cache saves nothing.")
    return found
