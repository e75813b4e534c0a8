"""``campaign`` as a user meets it: manners, one screen, a page that draws what the JSON says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mcastplan.cli import app
from mcastplan.cli.campaign import churn_points
from mcastplan.cli.show.campaign import show_campaign
from mcastplan.cli.show.page import Page
from mcastplan.model.campaign import Campaign
from mcastplan.report.campaign import headline
from mcastplan.report.html import render_html
from mcastplan.report.markdown import render_markdown
from mcastplan.scenario import load_scenario
from mcastplan.study.campaign import campaign

GEANT = ("campaign", "builtin:geant", "--pushes", "12", "--steps", "3")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--churn", "2"], "--churn 2: not a share"),
        (["--churn", "1..0"], "--churn 1..0: not a share"),
        (["--churn", "0..0"], "--churn 0..0: not a share"),
        (["--churn", "0.2.."], "--churn 0.2..: not a share"),
        (["--churn", "half"], "--churn half: not a share"),
        (["--churn", "nan"], "--churn nan: not a share"),
        (["--churn=-0.1"], "--churn -0.1: not a share"),
        (["--pushes", "1"], "1 is not in the range 2<=x<=10000"),
        (["--steps", "1"], "1 is not in the range 2<=x<=101"),
        (["--share", "0"], "--share 0: not a share"),
        (["--share", "1.5"], "--share 1.5: not a share"),
        (["--share", "nan"], "--share nan: not a share"),
        (["--share", "1"], "there is nobody to replace them by"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--transfer", "nope"], "no transfer 'nope' in scenario"),
        (["--json", "/no/such/folder/x.json"], "there is no folder"),
    ],
)
def test_what_is_refused(given: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stderr, exit code 2."""
    assert app.run([*GEANT, *given]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    assert said in err


def test_points_of_a_range() -> None:
    assert churn_points("0.2", 11) == [0.2]
    assert churn_points("0..1", 5) == [0, 0.25, 0.5, 0.75, 1]
    assert churn_points("0.5..1", 2) == [0.5, 1]


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("name", ["builtin:geant", "builtin:rl-delta", "builtin:global-inference"])
def test_one_screen(name: str, width: int) -> None:
    """At most 48 lines, none wider than the terminal; the answer is on it."""
    out = show_campaign(result_of(name, pushes=3), Page(width))
    lines = out.splitlines()
    assert len(lines) <= 48
    assert max(map(len, lines)) <= width
    for words in ("which is better", "time to ready", "pim-sm or bier", "later"):
        assert words in out


def test_json_and_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed, written and reported is the same result; `report` makes the same page."""
    saved, folder, again = tmp_path / "r.json", tmp_path / "report", tmp_path / "again"
    assert app.run([*GEANT, "--json", "-"]) == 0
    printed = capsys.readouterr().out
    assert app.run([*GEANT, "--json", str(saved), "--report", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(folder / "report.html")
    assert saved.read_text() == printed == (folder / "result.json").read_text()
    result = json.loads(printed)
    assert result["schema"] == "mcastplan.campaign/1"
    assert [point["churn"] for point in result["schemes"][0]["points"]] == [0, 0.5, 1]
    assert app.run(["report", str(saved), "--out", str(again)]) == 0
    for name in ("report.html", "report.md"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


def result_of(name: str, **options: Any) -> Campaign:
    given: dict[str, Any] = {"pushes": 8, "churns": [0.0, 0.5, 1.0], **options}
    return campaign(load_scenario(name), **given)


def test_the_page_draws_every_measure() -> None:
    """Five charts; each dot says its value; a ring for each crossing that is drawn."""
    result = result_of("builtin:geant")
    page = render_html(result)
    assert page.count("<figure>") == 5
    assert "bier" in {row.name for row in result.schemes}
    messages = next(row for row in result.schemes if row.name == "bier").points[2].messages
    assert f"BIER at 100\N{NO-BREAK SPACE}%: {messages:g}" in page.replace(
        "100 %", "100\N{NO-BREAK SPACE}%"
    )
    assert page.count("class=ring") + page.count('class="ring"') == sum(
        each.churn is not None for each in result.crossings
    )
    assert headline(result) in render_markdown(result).replace("\\", "")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("builtin:minimal", {"share": 0.4}),
        ("builtin:two-models", {}),
        ("builtin:geant", {"churns": [0.0]}),
        ("builtin:geant", {"churns": [0.3]}),
        ("builtin:geant", {"pushes": 2}),
        ("builtin:fat-tree-k12", {"pushes": 3}),
        ("builtin:rl-delta", {"pushes": 3}),
    ],
)
def test_any_result_can_be_drawn(name: str, options: dict[str, Any]) -> None:
    page = render_html(result_of(name, **options))
    assert not re.search(r"\b(?:nan|inf)\b", " ".join(re.findall(r'(?:d|style)="([^"]*)"', page)))


def test_text_from_a_file_is_no_markup() -> None:
    evil = "<script>alert(1)</script>"
    result = result_of("builtin:geant", limits={evil: 5})
    assert evil not in render_html(result)
