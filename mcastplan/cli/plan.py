"""``mcastplan plan``."""

from __future__ import annotations

import click

from mcastplan.cli.output import check_target, deliver, json_option
from mcastplan.cli.progress import progress


@click.command("plan", short_help="What the routers hold under one scheme, as show commands do.")
@click.argument("scenario")
@click.option(
    "--scheme",
    required=True,
    metavar="SCHEME",
    help="unicast, ingress-replication, pim-sm, sr-p2mp or bier.",
)
@click.option("--node", metavar="NODE", help="The router whose tables to show; else the ingress.")
@json_option
def command(scenario: str, scheme: str, node: str | None, json_target: str | None) -> int:
    """Print what one scheme installs: what the ingress imposes, and the tables of a router.

    SCENARIO is a YAML or JSON file, or builtin:NAME. The tables are walked before they are shown.
    """
    check_target(json_target, scenario)
    from mcastplan.scenario import load_scenario
    from mcastplan.study.plan import plan

    with progress() as report:
        loaded = load_scenario(scenario)
        result = plan(loaded, scheme, node, progress=report)

    def view() -> str:
        from mcastplan.cli.show.plan import show_plan

        return show_plan(result, node)

    deliver(result, json_target, view)
    return 0
