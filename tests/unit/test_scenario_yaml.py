"""YAML 1.2 core scalars and what is refused; JSON the same way."""

from __future__ import annotations

import pytest
import yaml

from mcastplan.errors import ScenarioError
from mcastplan.scenario import builtin_names, builtin_path, yamlcore
from mcastplan.scenario.reading import parse_json
from mcastplan.scenario.yamlcore import line_of, parse_yaml, path_parts, written_at


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2001-01-01", "2001-01-01"),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-7", -7),
        ("+7", 7),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("0b11", "0b11"),
        ("-0x1F", "-0x1F"),
        ("0o8", "0o8"),
        ("+", "+"),
        ("-.", "-."),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("nan", "nan"),
        ("inf", "inf"),
        ("<<", "<<"),
        ("=", "="),
        ("'010'", "010"),
        ('"true"', "true"),
        ('""', ""),
        ("٣", "٣"),  # an Arabic three is a digit to Python, not to YAML
    ],
)
def test_core_scalars(text: str, value: object) -> None:
    parsed = parse_yaml(f"key: {text}\n")
    assert parsed == {"key": value}
    assert isinstance(parsed, dict)
    assert type(parsed["key"]) is type(value)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: 1\nb: 2\na: 3\n", "", r"key 'a' is repeated.*\(line 3\)"),
        ("c:\n  - {x: 1}\n  - {x: 1, x: 2}\n", "c[1]", r"key 'x' is repeated.*\(line 3\)"),
        ("c: [1, {d: &a 1}]\n", "c[1].d", "anchor &a"),
        ("a: [1, *b]\n", "a[1]", r"alias \*b"),
        ("a: !!int 3\n", "a", "tag !!int"),
        ("a: ! 3\n", "a", "tag !"),
        ("a: !x {b: 1}\n", "a", "tag !x"),
        ("a: &x [1]\n", "a", "anchor &x"),
        ("1: x\n", "", "key 1 is not text"),
        ("true: x\n", "", "key true is not text"),
        ("{a: {? [1] : 2}}\n", "a", "used as a key"),
        ("a: .inf\n", "a", "not a finite number"),
        ("a: -.INF\n", "a", "not a finite number"),
        ("a: [0, .nan]\n", "a[1]", "not a finite number"),
        ("a: 1e400\n", "a", "too large"),
        (f"a: {'9' * 500}.0\n", "a", "too large"),
        ("a: 1\n---\nb: 2\n", "", "second document"),
        ("a: [1, 2\n", "", "not valid YAML"),
        ("a: '\n", "", "not valid YAML"),
        ("a: \x1b\n", "", "not valid YAML"),
        ("%YAML 3.0\n---\na: 1\n", "", "not valid YAML"),
        ("a: " + "[" * 65 + "]" * 65, None, "nested deeper than 64"),
        ("a: " + "{a: " * 65 + "1" + "}" * 65, None, "nested deeper than 64"),
    ],
)
def test_refused(text: str, where: str | None, what: str) -> None:
    with pytest.raises(ScenarioError, match=what) as caught:
        parse_yaml(text)
    assert "\n" not in str(caught.value)
    if where is not None:
        assert caught.value.where == where


def test_a_very_long_integer_is_text_not_a_crash() -> None:
    parsed = parse_yaml(f"a: {'9' * 5000}x\nb: 1\n")
    assert isinstance(parsed, dict)
    with pytest.raises(ScenarioError, match="too large"):
        parse_yaml(f"a: {'9' * 5000}\n")


def test_hostile_nesting_ends_at_once() -> None:
    for opening in "[", "{a: ", "- ", "? ":
        with pytest.raises(ScenarioError):
            parse_yaml(opening * 500_000)


def test_empty_documents() -> None:
    assert parse_yaml("# only a comment\n") is None
    assert parse_yaml("---\n...\n") is None


def test_pure_python_loader_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [builtin_path(f"builtin:{name}", "scenario").read_text() for name in builtin_names()]
    fast = [parse_yaml(text) for text in texts]
    monkeypatch.setattr(yamlcore, "_LOADER", yaml.SafeLoader)
    assert [parse_yaml(text) for text in texts] == fast
    assert parse_yaml("{a: NO, b: 010, c: ! x}".replace("! x", "'x'")) == {
        "a": "NO",
        "b": 10,
        "c": "x",
    }
    for bad in ["a: &x 1", "a: !!str 1", "a: 1\na: 2", "a: [", "a: \x1b", "---\na: 1\n---\n"]:
        with pytest.raises(ScenarioError):
            parse_yaml(bad)


def test_lines() -> None:
    text = "name: x\nclouds:\n  - name: a\n    node: N\n  - {name: b}\n"
    assert line_of(text, "clouds[0].node") == 4
    assert line_of(text, "clouds[1]") == 5
    assert line_of(text, "clouds[1].node") == 5  # missing: the line of what should have it
    assert line_of(text, "clouds[7]") == 3
    assert line_of(text, "") is None
    assert line_of(text, "other") is None
    assert path_parts("a[2][3].sr-p2mp") == ["a", 2, 3, "sr-p2mp"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"a": 1, "a": 2}', r"'a' is repeated; keep one of them \(line 1\)"),
        ('{"b": [{"a": 1,\n"a": 2}]}', r"b\[0\]: the key 'a' is repeated.*line 2"),
        ('{"\\u0061": 1, "a": 2}', "'a' is repeated"),
        ('{"a": NaN}', "NaN is not a finite number"),
        ('{"a": -Infinity}', "not a finite number"),
        ('{"a": 1e999}', "too large"),
        ('{"a": ' + "9" * 5000 + "}", "too large"),
        ("{", "not valid JSON"),
        ("[" * 200_000, "nested deeper"),
        ('{"a": 01}', "not valid JSON"),
    ],
)
def test_json_refused(text: str, what: str) -> None:
    with pytest.raises(ScenarioError, match=what) as caught:
        parse_json(text)
    assert "\n" not in str(caught.value)


def test_json_values() -> None:
    assert parse_json('{"a": [1, 2.5, "NO", true, null, {}]}') == {
        "a": [1, 2.5, "NO", True, None, {}]
    }


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("a", "0x1F"),
        ("b[1].c", "001"),
        ("b[0]", "True"),
        ("d", None),  # in quotes, it is shown so
        ("b", None),
        ("b[7]", None),
        ("b[1].x", None),
        ("", None),
    ],
)
def test_a_scalar_as_the_file_has_it(where: str, text: str | None) -> None:
    assert written_at("a: 0x1F\nb: [True, {c: 001}]\nd: '7'\n", where) == text
