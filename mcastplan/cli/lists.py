"""``mcastplan models``, ``engines`` and ``timers``: the catalogues, with their sources in JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import click

from mcastplan.cli.output import check_target, deliver, json_option


@click.command("models", short_help="The models a scenario can name.")
@click.argument("file", required=False)
@json_option
def models(file: str | None, json_target: str | None) -> int:
    """List the models a transfer can name, with their sizes; --json adds their sources.

    FILE is a model's own model.safetensors.index.json (or pytorch_model.bin.index.json): shows that
    one instead, and how the weights beside it differ. A transfer can name such a file, beside the
    scenario, as its model.
    """
    check_target(json_target, file)
    from mcastplan.scenario import models as catalogue
    from mcastplan.scenario.safetensors import read_index
    from mcastplan.units import show_size

    notes: list[str] = []
    rows = catalogue() if file is None else (read_index(Path(file), file, notes),)

    def view() -> str:
        headings = ("model", "size", "shards", "precision", "title")
        return _table(
            headings,
            [
                (row.name, show_size(row.size_bytes), str(row.shards), row.precision, row.title)
                for row in rows
            ],
            text=True,
            notes=notes,
        )

    result = {"schema": "mcastplan.models/1", "models": rows}
    if notes:
        result["assumptions"] = tuple(notes)
    deliver(result, json_target, view)
    return 0


@click.command("engines", short_help="The engine profiles a cloud can name.")
@json_option
def engines(json_target: str | None) -> int:
    """List what replicas do after the last byte, stage by stage; --json adds the sources."""
    check_target(json_target)
    from mcastplan.scenario import engines as catalogue
    from mcastplan.units import show_rate, show_time

    rows = catalogue()

    def rate(bps: float) -> str:
        return "-" if math.isinf(bps) else show_rate(bps)

    def view() -> str:
        cells = [
            (
                row.name,
                show_time(row.provision_s),
                rate(row.verify_bps),
                rate(row.load_bps),
                show_time(row.compile_s),
                show_time(row.compile_cached_s),
                show_time(row.graphs_s),
                show_time(row.warm_up_s),
            )
            for row in rows
        ]
        headings = ("engine", "provision", "verify", "load", "compile", "if cached")
        return _table(
            (*headings, "graphs", "warm-up"),
            cells,
            notes=[f"{row.name}: {row.hardware}" for row in rows],
        )

    deliver({"schema": "mcastplan.engines/1", "engines": rows}, json_target, view)
    return 0


@click.command("timers", short_help="The control-plane times of each preset, and their sources.")
@json_option
def timers(json_target: str | None) -> int:
    """List the control-plane times a scenario can override: values by preset, meaning, source."""
    check_target(json_target)
    from mcastplan.model.timers import PRESETS, TIMER_ROWS, Timers
    from mcastplan.units import show_time

    presets = {name: Timers.of(name) for name in PRESETS}
    throttles = {name: each.spf for name, each in presets.items()}

    def view() -> str:
        cells = [
            (
                row.key,
                *(show_time(getattr(each, row.field)) for each in presets.values()),
                f"{row.meaning} [{row.source}]",
            )
            for row in TIMER_ROWS
        ]
        used = ", ".join(f"{name} {throttle}" for name, throttle in throttles.items())
        notes = [f"spf, the SPF throttle: {used}"]
        return _table(("timer", *PRESETS, "what it is [source]"), cells, text=True, notes=notes)

    rows = [
        {
            "key": row.key,
            "default_s": getattr(presets["tuned"], row.field),
            "presets_s": {name: getattr(each, row.field) for name, each in presets.items()},
            "meaning": row.meaning,
            "source": row.source,
        }
        for row in TIMER_ROWS
    ]
    result = {
        "schema": "mcastplan.timers/1",
        "presets": PRESETS,
        "spf": throttles,
        "timers": rows,
    }
    deliver(result, json_target, view)
    return 0


def _table(
    headings: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    text: bool = False,
    notes: Sequence[str] = (),
) -> str:
    """First column left, the others right; the last one left and wrapped if it is ``text``."""
    from mcastplan.cli.show.page import Column, Page

    page = Page()
    last = len(headings) - 1
    columns = [Column(heading, wrap=text and i == last) for i, heading in enumerate(headings)]
    page.table(columns, rows)
    if notes:
        page.line()
    for note in notes:
        page.line(note)
    return page.text()
