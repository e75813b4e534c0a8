"""Files that must fail, each with its exact message: tests/errors/*.yaml|json and *.txt."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mcastplan.errors import ScenarioError
from mcastplan.scenario import load_scenario

FOLDER = Path(__file__).parents[1] / "errors"
CASES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".yaml", ".json"))


@pytest.mark.parametrize("case", CASES)
def test_message(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    expected = Path(case).with_suffix(".txt").read_text(encoding="utf-8")
    if "not valid YAML" in expected and not hasattr(yaml, "CSafeLoader"):
        pytest.skip("the words of libyaml, which is not here")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(case)
    assert f"{caught.value}\n" == expected
    assert caught.value.exit_code == 2


def test_every_message_has_its_case() -> None:
    assert len(CASES) >= 35
    texts = {path.stem for path in FOLDER.glob("*.txt")}
    assert texts == {Path(case).stem for case in CASES}


@pytest.mark.parametrize("case", CASES)
def test_message_says_what_to_do(case: str) -> None:
    """One line: file, then what is wrong, then what to do (after a semicolon) or what is known."""
    text = (FOLDER / case).with_suffix(".txt").read_text(encoding="utf-8")
    assert text.count("\n") == 1
    assert len(text) < 330
    if "not valid" not in text:
        assert any(mark in text for mark in ("; ", ": write", ": remove"))
