"""Terminal text for hand-made results, compared with golden files.

``UPDATE_GOLDEN=1 pytest tests/cli/test_show.py`` rewrites the files; read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from mcastplan.cli.show.compare import show_compare
from mcastplan.cli.show.hardware import hardware_line
from mcastplan.cli.show.page import Column, Page, aligned, some
from mcastplan.cli.show.plan import show_plan
from mcastplan.model.results import Comparison, NodeState, PlanNode, PlanResult
from mcastplan.model.scenario import Scenario
from mcastplan.units import counted


def golden(root: Path, name: str, text: str) -> None:
    path = root / "tests" / "golden" / "terminal" / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def page() -> Page:
    return Page(width=100, colour=False)


def test_compare_48_clouds(root: Path, comparison: Comparison, scenario: Scenario) -> None:
    text = show_compare(comparison, scenario, "builtin:hand-made", page=page())
    golden(root, "compare.txt", text)
    lines = text.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 100
    assert text.isascii()


def test_compare_with_everything_at_once(root: Path, awkward: tuple[Comparison, Scenario]) -> None:
    text = show_compare(*awkward, "my file.yaml", verified=True, page=page())
    golden(root, "compare-awkward.txt", text)
    assert "[bold]Not markup[/bold]" in text
    assert "\x1b" not in text
    assert len(text.splitlines()) <= 48


def test_compare_nothing_possible(root: Path, awkward: tuple[Comparison, Scenario]) -> None:
    """Only the scheme that is ruled out is left, so nothing is recommended."""
    comparison, scenario = awkward
    comparison = msgspec.structs.replace(
        comparison, schemes=comparison.schemes[-1:], recommendation=None
    )
    text = show_compare(comparison, scenario, "x.yaml", page=page())
    golden(root, "compare-nothing.txt", text)


def test_a_terminal_gets_colour_and_the_same_words(
    comparison: Comparison, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = show_compare(comparison, scenario, "x.yaml", page=Page(width=100, colour=True))
    assert "\x1b[1m" in text
    monkeypatch.setenv("NO_COLOR", "1")
    text = show_compare(comparison, scenario, "x.yaml", page=Page(width=100, colour=True))
    assert "\x1b[3" not in text


def test_80_columns_wrap_words_and_lose_no_number(
    comparison: Comparison, scenario: Scenario
) -> None:
    text = show_compare(comparison, scenario, "x.yaml", page=Page(width=80, colour=False))
    for word in ("ingress-replication", "46 min 27 s", "6.495 PB", "8,540"):
        assert word in text


def test_plan_of_the_ingress(root: Path, plan_result: PlanResult) -> None:
    golden(root, "plan.txt", show_plan(plan_result, None))


def test_plan_of_one_node(root: Path, plan_result: PlanResult) -> None:
    one = msgspec.structs.replace(plan_result, nodes=plan_result.nodes[:1])
    golden(root, "plan-node.txt", show_plan(one, "A"))


def test_plan_lists_many_routers_and_counts_the_rest(plan_result: PlanResult) -> None:
    many = tuple(PlanNode(f"N{i:03}", i, ()) for i in range(60))
    text = show_plan(msgspec.structs.replace(plan_result, nodes=many), None)
    assert "Other routers on the way (60;" in text
    assert "N039 39" in text
    assert "N040" not in text
    assert text.endswith("  and 20 more\n")


def test_a_page_keeps_markup_and_drops_control_characters() -> None:
    sheet = page()
    sheet.line("[red]a[/red] \x1b[31mb\x07 :smile:")
    sheet.table([Column("[b]name"), Column("n")], [("[i]x\x1b", "1")])
    text = sheet.text()
    assert "[red]a[/red] \\x1b[31mb\\x07 :smile:" in text
    assert "[b]name" in text
    assert "[i]x\\x1b" in text
    assert "\x1b" not in text


def test_aligned_never_wraps() -> None:
    """Columns as wide as their widest cell, two blanks between, none at the end."""
    wide = "f" * 200
    assert aligned(("a", "b"), [("1", wide), ("22", "x")]) == ["a   b", f"1   {wide}", "22  x"]
    assert aligned(("a", "b"), []) == ["a  b"]


def test_words() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some(["a", "b", "c"], 2) == "a, b and 1 more"
    assert counted(1, "cloud") == "1 cloud"
    assert counted(1204, "copy", "copies") == "1,204 copies"


def test_state_against_hardware(comparison: Comparison) -> None:
    """Nothing to say about a few mroutes; 20,000 do not fit every router."""
    assert hardware_line(comparison) is None
    full = tuple(
        msgspec.structs.replace(row, nodes=(NodeState("P07", 20_000),))
        if row.name == "pim-sm"
        else row
        for row in comparison.schemes
    )
    assert hardware_line(msgspec.structs.replace(comparison, schemes=full)) == (
        "pim-sm: P07 holds 20,000 mroutes; hardware holds: campus switch 1,000 to 40,000, Nokia"
        " 7750 16,000, Cisco NCS 5500 100,000, Cisco 8000 128,000 (too many for: Nokia 7750)"
    )
