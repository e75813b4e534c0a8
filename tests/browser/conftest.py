"""One browser for all pages; without one these tests are skipped, under CI=true they fail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcastplan import compare, load_scenario
from mcastplan.report.html import render_html
from tests.browser.chrome import Chrome, installed
from tests.reports import awkward


@pytest.fixture(scope="session")
def chrome() -> Iterator[Chrome]:
    path = installed()
    if path is None:
        lacks = "no chromium here (Debian: apt-get install chromium, or make system as root)"
        if os.environ.get("CI") == "true":
            pytest.fail(lacks)
        pytest.skip(lacks)
    with Chrome(path) as browser:
        yield browser


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Name -> the page's file."""
    folder = tmp_path_factory.mktemp("pages")
    names = ("global-inference", "minimal", "geant")
    results = {name: compare(load_scenario(f"builtin:{name}")) for name in names}
    results["awkward"] = awkward()
    found = {}
    for name, result in results.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(render_html(result), encoding="utf-8")
    return found
