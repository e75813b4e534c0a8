"""Fixtures of the lab's tests: they need root, Linux and what `mcastplan lab doctor` asks for."""

from __future__ import annotations

import pytest

from tests.emulation.sandboxed import need_lab


@pytest.fixture
def lab() -> None:
    """Skips the test, under CI=true fails it, where no lab can be."""
    need_lab()
