"""What the README shows is what happens.

``UPDATE_GOLDEN=1 pytest tests/cli/test_readme.py`` puts the real output into the README.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mcastplan.cli import app
from tests.docs.keys import cut_as

EXAMPLE = re.compile(r"<!-- example: mcastplan (.+?) -->\n```text\n(.*?)```\n", re.DOTALL)


def blocks(root: Path, language: str) -> list[str]:
    text = (root / "README.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


EXAMPLES = EXAMPLE.findall((Path(__file__).parents[2] / "README.md").read_text())


@pytest.mark.parametrize("command", [command for command, _ in EXAMPLES])
def test_an_example_is_the_real_output(
    root: Path, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """All of it, or up to where the README says that more follows."""
    readme = root / "README.md"
    (match,) = [each for each in EXAMPLE.finditer(readme.read_text()) if each[1] == command]
    assert app.run(command.split()) == 0
    out = capfd.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    shown = cut_as(match[2], out)
    if os.environ.get("UPDATE_GOLDEN"):
        text = readme.read_text()
        readme.write_text(text[: match.start(2)] + shown + text[match.end(2) :])
    else:
        assert match[2] == shown
    assert len(shown.splitlines()) <= 45


def test_the_examples_are_the_four_questions() -> None:
    commands = [command.split()[0] for command, _ in EXAMPLES]
    assert commands == ["compare", "fail", "sweep", "campaign"]


@pytest.mark.parametrize("number", [0, 1])
def test_each_scenario_is_planned(
    root: Path, tmp_path: Path, number: int, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(blocks(root, "yaml")[number])
    assert app.run(["compare", str(path), "--verify"]) == 0
    assert "Verified:" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("node: ES, ingress: 10Gbps", "node: ES, ingress: 40Gbps"),
        ("model: deepseek-v3-fp8", "size: 20GB"),
    ],
)
def test_the_two_lines_to_change_change_the_answer(
    root: Path, tmp_path: Path, old: str, new: str, capfd: pytest.CaptureFixture[str]
) -> None:
    text = blocks(root, "yaml")[0]
    assert old in text
    path = tmp_path / "mine.yaml"
    answers = []
    for scenario in (text, text.replace(old, new)):
        path.write_text(scenario)
        assert app.run(["compare", str(path)]) == 0
        answers.append(capfd.readouterr().out)
    assert answers[0] != answers[1]


def test_the_python_example_runs(root: Path) -> None:
    (script,) = blocks(root, "python")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("unicast ")


def test_links_lead_to_files(root: Path) -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (root / name).read_text()):
            assert target.startswith("https://") or (root / target).exists(), target
