"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

outside_option: Callable[[Any], Any] = click.option(
    "--allow-outside",
    is_flag=True,
    help="Let the scenario name a topology file outside its own folder.",
)

report_option: Callable[[Any], Any] = click.option(
    "--report",
    "folder",
    metavar="DIR",
    help="Also write report.html, report.md and result.json to this folder.",
)
