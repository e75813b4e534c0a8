"""The progress bar: only on a terminal, only after a while, and gone at the end."""

from __future__ import annotations

import io
import sys
import time

import pytest

from mcastplan.cli.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_terminal_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress() as report:
        assert report is None


def attach(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Stands in for stderr; called in the test itself, after pytest has set its own."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    return terminal


def test_quick_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = attach(monkeypatch)
    with progress() as report:
        assert report is not None
        report("bier", 0.5)
    assert terminal.getvalue() == ""


def test_longer_work_shows_a_bar_that_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar names what is done, as text; erasing its line (ESC [2K) is the last thing drawn."""
    terminal = attach(monkeypatch)
    with progress(patience_s=0.01) as report:
        assert report is not None
        report("[b]bier", 0.5)
        while "[b]bier" not in terminal.getvalue():
            time.sleep(0.01)
        report("[b]bier", 0.75)
    drawn = terminal.getvalue()
    assert "[b]bier" in drawn
    assert "\x1b[2K" in drawn.rpartition("[b]bier")[2]


def test_an_error_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    attach(monkeypatch)
    with pytest.raises(ZeroDivisionError), progress(patience_s=0.0):
        raise ZeroDivisionError
