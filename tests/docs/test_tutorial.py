"""Every command of the tutorial is run, in order, and prints what the page shows.

``UPDATE_GOLDEN=1 pytest tests/docs/test_tutorial.py`` puts the real output into the page.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from mcastplan.cli import app
from tests.docs.keys import DOCS, cut_as

PAGE = DOCS / "tutorial.md"
FENCE = re.compile(r"^```(yaml|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SAVED = re.compile(r"\bas\s+`([\w.]+)`[^`]*$")


def printed(command: str, capfd: pytest.CaptureFixture[str]) -> str:
    words = shlex.split(command)
    assert words[0] == "mcastplan"
    app.run(words[1:])
    out, err = capfd.readouterr()
    return out + err


def test_the_tutorial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    real, end, commands = "", 0, 0
    for match in FENCE.finditer(page):
        language, block = match[1], match[2]
        real += page[end : match.start(2)]
        end = match.end(2)
        if language == "yaml":
            name = SAVED.search(page[: match.start()])
            assert name is not None, block
            Path(name[1]).write_text(block, encoding="utf-8")
            real += block
            continue
        command, _, shown = block.removeprefix("$ ").partition("\n")
        real += f"$ {command}\n{cut_as(shown, printed(command, capfd))}"
        commands += 1
    real += page[end:]
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(real, encoding="utf-8")
    else:
        assert page == real
    assert commands >= 7
    assert Path("out/report.html").is_file()
