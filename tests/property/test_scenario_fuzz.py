"""Whatever a file holds, the answer is a scenario or one line of text."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.errors import UsageError
from mcastplan.model.scenario import Scenario
from mcastplan.scenario import builtin_path, load_scenario
from mcastplan.scenario.reading import Document
from mcastplan.scenario.yamlcore import parse_yaml

BASE: Any = parse_yaml(builtin_path("builtin:minimal", "scenario").read_text())
BASE |= {
    "underlay": {"metric": "delay", "capacity": "1Gbps", "mtu": 1500},
    "schemes": {"bier": {"bsl": 64}, "pim-sm": {"mode": "asm", "rp": "B"}, "only": ["bier"]},
    "timers": {"preset": "lab", "join": "1ms"},
    "failures": [{"links": [["A", "B"], "A--C"], "nodes": ["C"], "at": "1s"}],
    "background": [{"from": "A", "to": "C", "rate": "1Gbps"}],
    "prices": [{"from": "A", "to": "C", "usd_per_gb": 1}],
    "limits": {"state_entries": 9},
}

words = st.sampled_from(
    [
        *("A", "B", "all", "none", "east", "delay", "A--C", "", "x:", "../x", "a\nb", "\ud800"),
        *("1Gbps", "1GB", "0s", "-1s", "topohub:sndlib/abilene", "builtin:rfc8279", "topohub:"),
    ]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    words,
    st.text(max_size=8),
    st.sampled_from([10**30, -1, 0, 2**63, 1e300]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(words | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def mutants(draw: st.DrawFn) -> Any:
    """The base scenario with one to three places changed, removed or added."""
    root = {"root": copy.deepcopy(BASE)}
    for _ in range(draw(st.integers(1, 3))):
        parent: Any = root
        key: Any = "root"
        while draw(st.integers(0, 4)) and isinstance(parent[key], dict | list) and parent[key]:
            parent = parent[key]
            keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
            key = draw(st.sampled_from(keys))
        match draw(st.integers(0, 3)):
            case 0 if parent is not root:
                del parent[key]
            case 1 if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[key]))
            case 2 if isinstance(parent[key], dict):
                parent[key][draw(words)] = draw(values)
            case _:
                parent[key] = draw(values)
    return root["root"]


def check(load: Any) -> None:
    try:
        assert isinstance(load(), Scenario)
    except UsageError as error:
        text = str(error)
        assert text
        assert text.isprintable()
        assert len(text) < 1000


@given(mutants())
@settings(max_examples=250)
def test_mappings(value: Any) -> None:
    if isinstance(value, dict):
        check(lambda: load_scenario(value))


@given(st.text(alphabet=st.sampled_from("ab: -[]{}&*!|>'\"\n\t?,#%@`~0.x"), max_size=60))
@settings(max_examples=400)
def test_texts(text: str) -> None:
    for is_json in (False, True):
        try:
            Document("x", text, is_json)
        except UsageError as error:
            assert str(error).isprintable()


@given(st.data())
@settings(max_examples=150)
def test_damaged_files(tmp_path_factory: Any, data: st.DataObject) -> None:
    """A shipped file with some bytes replaced, removed or repeated."""
    original = builtin_path("builtin:minimal", "scenario").read_bytes()
    start = data.draw(st.integers(0, len(original)))
    end = start + data.draw(st.integers(0, 20))
    damaged = original[:start] + data.draw(st.binary(max_size=8)) + original[end:]
    path: Path = tmp_path_factory.getbasetemp() / "damaged.yaml"
    path.write_bytes(damaged)
    check(lambda: load_scenario(path))
