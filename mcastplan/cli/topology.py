"""``mcastplan topology list``, ``show`` and ``lint``: the networks, and what is wrong with them."""

from __future__ import annotations

import click

from mcastplan.cli.options import outside_option
from mcastplan.cli.output import check_target, deliver, json_option

reference_argument = click.argument("reference", metavar="REF")


@click.group("topology", short_help="The networks a scenario can name: list, show, lint.")
def group() -> None:
    """List the networks a scenario can name, show one, or say what is wrong with it.

    REF is topohub:GROUP/NAME, builtin:NAME, generate:KIND/..., a topology file (YAML, JSON,
    GraphML), or a scenario, for its network.
    """


@group.command("list", short_help="Every network there is, with its size.")
@click.option("--group", "only", metavar="GROUP", help="One group: builtin, topozoo, sndlib, ...")
@json_option
def list_command(only: str | None, json_target: str | None) -> int:
    """List built-in networks, generators (an example of each) and the 707 of topohub.

    Nodes and links are counted as the source has them, cable waypoints included.
    """
    check_target(json_target)
    from mcastplan.scenario.inventory import topology_list

    result = topology_list(only)

    def view() -> str:
        from mcastplan.cli.show.topology import show_list

        return show_list(result)

    deliver(result, json_target, view)
    return 0


@group.command("show", short_help="Size, capacities, delays, connectivity, extent, source.")
@reference_argument
@outside_option
@json_option
def show_command(reference: str, allow_outside: bool, json_target: str | None) -> int:
    """Show one network as it is planned on: waypoints merged, gaps filled and said."""
    check_target(json_target, reference)
    from mcastplan.scenario.inventory import find_network
    from mcastplan.study.network import describe

    loaded = find_network(reference, allow_outside)
    result = describe(loaded.topology, loaded.assumptions, loaded.demands)

    def view() -> str:
        from mcastplan.cli.show.topology import show_facts

        return show_facts(result)

    deliver(result, json_target, view)
    return 0


@group.command("lint", short_help="Bridges, cut nodes, parts, gaps, odd metrics.")
@reference_argument
@outside_option
@json_option
def lint_command(reference: str, allow_outside: bool, json_target: str | None) -> int:
    """Say what is wrong with a network for a push, and what it means.

    The exit code is 1 if the network is in several parts, so that some clouds cannot be reached
    from some origins; warnings and notes leave it 0.
    """
    check_target(json_target, reference)
    from mcastplan.scenario.inventory import find_network
    from mcastplan.study.network import lint

    loaded = find_network(reference, allow_outside)
    result = lint(
        loaded.topology, loaded.no_capacity, loaded.unread, loaded.guessed, loaded.assumed
    )

    def view() -> str:
        from mcastplan.cli.show.topology import show_lint

        return show_lint(result)

    deliver(result, json_target, view)
    return 0 if result.connected else 1
