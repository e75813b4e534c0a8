"""Plain values to file Structs; msgspec's complaints become what, where and what to do."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from mcastplan.errors import ScenarioError
from mcastplan.scenario.words import hint, listed, shortened, shown
from mcastplan.scenario.yamlcore import path_parts

T = TypeVar("T")
Written = Callable[[str], str | None]

_MESSAGE = re.compile(r"(?P<what>.*?)(?: - at `\$?\.?(?P<where>.*)`)?", re.DOTALL)
_KEY_MESSAGE = re.compile(r"Expected `str`(?:, got `\w+`)? - at `key` in `\$?\.?(.*)`")
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_MAX_ERROR_PATH = 300  # characters


def decode(value: object, kind: type[T], written: Written | None = None) -> T:
    """``value`` as the file Struct ``kind``. Raises `ScenarioError` with the path inside.

    ``written`` gives the text of a number or word in the file, for errors: ``001``, not 1.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _explained(str(error), value, kind, written) from None
    except UnicodeEncodeError:  # JSON can spell half a character, as in "\ud800"
        raise ScenarioError("a key holds half a surrogate pair; write the character") from None
    except RecursionError:
        raise ScenarioError("nested too deeply; flatten it") from None


class _Place:
    """A value and the type the format gives it, with the annotations on the way there."""

    def __init__(self, kind: Any, value: object) -> None:
        self.metas: list[msgspec.Meta] = []
        self.value = value
        self.said = shown(value)  # as the file has it
        self.kind = self._chosen(kind)

    def _chosen(self, kind: Any) -> Any:
        """The member of a union that this value was most likely meant to be."""
        while True:
            origin = get_origin(kind)
            if origin is Annotated:
                self.metas += [m for m in get_args(kind)[1:] if isinstance(m, msgspec.Meta)]
                kind = get_args(kind)[0]
            elif origin is Union or origin is types.UnionType:
                members = [m for m in get_args(kind) if m is not type(None)]
                kind = next((m for m in members if self._fits(m)), members[0])
            else:
                return kind

    def _fits(self, kind: Any) -> bool:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        if isinstance(self.value, Mapping):
            return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        if isinstance(self.value, list | tuple):
            return get_origin(kind) is list
        return kind is str or get_origin(kind) is Literal

    def step(self, part: str | int) -> _Place | None:
        if isinstance(part, int):
            if get_origin(self.kind) is not list or not isinstance(self.value, Sequence):
                return None
            return _Place(get_args(self.kind)[0], self.value[part])
        if get_origin(self.kind) is dict and isinstance(self.value, Mapping):
            return _Place(get_args(self.kind)[1], self.value.get(part))
        for item in self.fields():
            if item.encode_name == part and isinstance(self.value, Mapping):
                return _Place(item.type, self.value.get(part))
        return None

    def faulty(self) -> str:
        """Of a mapping, the first key whose value is not what it should be."""
        entry, found = get_args(self.kind)[1], self.value
        for key, value in found.items() if isinstance(found, Mapping) else ():
            try:
                msgspec.convert(value, entry)
            except msgspec.ValidationError:
                return str(key)
        return "..."

    def fields(self) -> Sequence[Any]:
        is_struct = isinstance(self.kind, type) and issubclass(self.kind, msgspec.Struct)
        return msgspec.structs.fields(self.kind) if is_struct else ()

    def example(self) -> str:
        for meta in self.metas:
            if meta.examples:
                return str(meta.examples[0])
        return ""

    def quantity(self) -> str:
        for meta in self.metas:
            if meta.extra and "quantity" in meta.extra:
                return str(meta.extra["quantity"])
        return ""


def _explained(message: str, value: object, kind: type, written: Written | None) -> ScenarioError:
    if match := _KEY_MESSAGE.fullmatch(message):
        return ScenarioError("a key is not text; every key is", match[1][:_MAX_ERROR_PATH])
    match = _MESSAGE.fullmatch(message)
    what, where = (match["what"], match["where"] or "") if match else (message, "")
    place: _Place | None = _Place(kind, value)
    before, entry, after = where.partition("[...]")  # of a mapping with names of the user's
    for part in path_parts(before):
        place = place.step(part) if place else None
    if entry and place is not None:
        name = place.faulty()
        where = f"{before}.{name}{after}"
        place = place.step(name)
        for part in path_parts(after):
            place = place.step(part) if place else None
    if place and written and isinstance(place.value, int | float | None):
        place.said = shortened(written(where) or place.said)
    text = _what(what, place) if place else what
    return ScenarioError(text, where[:_MAX_ERROR_PATH])


def _what(message: str, place: _Place) -> str:
    if match := re.fullmatch(r"Object contains unknown field `(.*)`", message, re.DOTALL):
        known = [item.encode_name for item in place.fields()]
        advice = hint(match[1], known) or f"; known: {listed(known)}"
        if not known:
            advice = "; no key is allowed here"
        return f"unknown key {shown(match[1])}{advice}"
    if match := re.fullmatch(r"Object missing required field `(.*)`", message):
        member = _Place(next(f.type for f in place.fields() if f.encode_name == match[1]), None)
        example = member.example()
        return f"{match[1]!r} is missing; add it" + (
            f", for example '{match[1]}: {example}'" if example else ""
        )
    if message.startswith("Invalid enum value"):
        return _not_a_choice(place)
    if match := re.fullmatch(r"Expected `([^`]*)`, got `([^`]*)`", message):
        return _wrong_type(match[1], match[2], place)
    if match := re.fullmatch(r"Expected `\w+` (>=|<=) (\S+)", message):
        bound = f"{float(match[2]):.15g}"
        side = "at least" if match[1] == ">=" else "at most"
        return f"{place.said} is out of range; it is {side} {bound}"
    if re.fullmatch(r"Expected `array` of length >= 1", message):
        return "the list is empty; put at least one entry in it"
    if re.fullmatch(r"Expected `array` of length .*", message):
        return f"{shown(place.value)} has {len(_items(place.value))} entries; write two: [A, B]"
    return message[:1].lower() + message[1:]


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) else ()


def _not_a_choice(place: _Place) -> str:
    choices = [str(choice) for choice in get_args(place.kind)]
    close = hint(str(place.value), choices)
    one = f"; write {choices[0]}"
    advice = close if "did you mean" in close else f"; choose {listed(choices)}"
    return f"{place.said} is not allowed here{advice if len(choices) > 1 else one}"


def _wrong_type(expected: str, got: str, place: _Place) -> str:
    value, quantity = place.said, place.quantity()
    if quantity and got in ("int", "float"):
        return f"{value} has no unit; a {quantity} is text such as '{place.example()}'"
    if expected.startswith("str") and got in ("int", "float", "bool"):
        return f"{value} is not text; put it in quotes: '{value}'"
    if expected == "bool" and got == "str":
        return f"{value} is text here (YAML 1.2); write true or false"
    names = [_WORDS.get(name.strip(), name.strip()) for name in expected.split("|")]
    if "nothing" in names and len(names) > 1:
        names.remove("nothing")
    wanted = f"a {quantity} such as '{place.example()}'" if quantity else " or ".join(names)
    if got == "null":
        return f"has no value ({value}); write {wanted}"
    return f"{value} is {_WORDS.get(got, got)}; write {wanted}"
