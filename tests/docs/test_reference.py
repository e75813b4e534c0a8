"""The reference names every command, option and key there is, and none that is not."""

from __future__ import annotations

import re

import click
import pytest

from mcastplan.cli import app
from mcastplan.model.change import STAGES as OUTAGE_STAGES
from mcastplan.model.results import STAGES
from mcastplan.model.scenario import PimOptions
from mcastplan.model.timers import TIMER_ROWS, Timers
from mcastplan.scenario import schemas
from mcastplan.scenario.files import FileTransport
from mcastplan.scenario.options import decode_transport
from mcastplan.scenario.raw import DEFAULT_CAPACITY_BPS, Underlay
from mcastplan.units import parse_rate, parse_time
from tests.docs.keys import DOCS, REQUIRED, Row, keys, rows

FILES = {
    "mcastplan.scenario/1": (
        "reference/scenario.md",
        *("The whole", "Clouds", "Transfers", "Underlay", "Schemes", "Timers", "Transport"),
        *("Failures", "Background", "Prices and limits"),
    ),
    "mcastplan.topology/1": ("reference/topology.md", "The whole", "Nodes", "Links"),
}
# Rows of these describe another page's keys, or the same ten stages twice.
STOP = frozenset({"FileTopology", "Stages"})
RESULTS = sorted(set(schemas()) - set(FILES))


def documented(name: str) -> list[Row]:
    page, *headings = FILES[name]
    return [row for heading in headings for row in rows(page, heading)]


@pytest.mark.parametrize("name", FILES)
def test_every_key_of_a_file(name: str) -> None:
    """In any order: its path, its kind, its default where the format has one, its meaning."""
    stop = STOP if name.startswith("mcastplan.scenario") else frozenset[str]()
    wanted = {key.path: key for key in keys(schemas()[name], stop)}
    found = documented(name)
    assert sorted(row.path for row in found) == sorted(wanted)
    for row in found:
        key = wanted[row.path]
        kind, default, meaning = row.cells
        assert kind == key.kind, row.path
        if key.default == REQUIRED:
            assert default == "**required**", row.path
        elif key.default:
            assert default == key.default, row.path
        else:
            assert default and default != "**required**", row.path
        assert meaning


def test_defaults_that_the_planner_fills_in() -> None:
    """The format says null; the table says what that comes to."""
    said = {row.path: row.cells[1].strip("`") for row in documented("mcastplan.scenario/1")}
    assert parse_rate(said["underlay.capacity"]) == DEFAULT_CAPACITY_BPS
    assert float(said["underlay.route_factor"]) == Underlay().route_factor
    limit = said["schemes.pim-sm.register_limit"]
    assert parse_rate(limit) == PimOptions().register_limit_bps
    evict = said["transport.evict_after"].split("`, `uftp`: `")
    files = FileTransport("nack-ideal"), FileTransport("uftp")
    filled = [decode_transport(file).evict_after_s for file in files]
    assert [parse_time(time) for time in evict] == filled
    for row in TIMER_ROWS:
        assert parse_time(said[f"timers.{row.key}"]) == getattr(Timers(), row.field), row.key


@pytest.mark.parametrize("name", RESULTS)
def test_every_key_of_a_result(name: str) -> None:
    wanted = {key.path: key.kind for key in keys(schemas()[name], STOP, result=True)}
    found = rows("reference/results.md", name)
    assert sorted(row.path for row in found) == sorted(wanted)
    for row in found:
        kind, meaning = row.cells
        assert kind == wanted[row.path], row.path
        assert meaning


def test_every_stage() -> None:
    assert [row.path for row in rows("reference/results.md", "Stages")] == list(STAGES)


def test_every_stage_of_an_outage() -> None:
    found = rows("reference/results.md", "Stages of an outage")
    assert [(row.path, row.cells[0]) for row in found] == list(OUTAGE_STAGES.items())


def commands(group: click.Command, path: str) -> dict[str, click.Command]:
    """Every command that does something, by what the user types."""
    found = {path: group}
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            inner = group.get_command(context, name)
            assert inner is not None
            found |= commands(inner, f"{path} {name}")
    return {
        name: command
        for name, command in found.items()
        if name == "mcastplan" or not isinstance(command, click.Group)
    }


COMMANDS = commands(app.cli, "mcastplan")


def sections() -> dict[str, str]:
    text = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: part for part in parts}


def test_every_command() -> None:
    assert set(sections()) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option(name: str) -> None:
    """Each option in a row of its own, with its value; each argument in the line above."""
    command, text = COMMANDS[name], sections()[name]
    table = re.findall(r"^\| (`.+?`) \| .+ \|$", text, flags=re.MULTILINE)
    said = {option for cell in table for option in re.findall(r"`(--?[a-z-]+)", cell)}
    context = click.Context(command)
    there = {option for param in command.get_params(context) for option in param.opts}
    arguments = [param for param in command.params if isinstance(param, click.Argument)]
    there -= {option for argument in arguments for option in argument.opts}
    help_names = {"-h", "--help"}  # said once, for all
    assert said - help_names == there - help_names
    assert (help_names <= said) == (name == "mcastplan")
    for argument in arguments:
        assert argument.make_metavar(context).strip("[]") in text
    for param in command.params:
        if isinstance(param, click.Option) and param.metavar:
            for value in param.metavar.split("|"):
                assert f"{param.opts[0]} {value}`" in text
