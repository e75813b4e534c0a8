"""``mcastplan compare``."""

from __future__ import annotations

import click

from mcastplan.cli.folder import check_folder, deliver_with_report
from mcastplan.cli.options import outside_option, report_option
from mcastplan.cli.output import check_target, json_option
from mcastplan.cli.progress import progress


@click.command("compare", short_help="When every replica is ready, under each scheme, and why.")
@click.argument("scenario")
@outside_option
@json_option
@report_option
@click.option("--verify", is_flag=True, help="Walk every scheme's tables, packet by packet.")
def command(
    scenario: str,
    json_target: str | None,
    folder: str | None,
    verify: bool,
    allow_outside: bool,
) -> int:
    """Compare unicast, ingress replication, PIM-SM, SR-P2MP and BIER for one push.

    SCENARIO is a YAML or JSON file, or builtin:NAME. Prints when the replicas are ready, what it
    costs the network, what binds, and which scheme to take. The exit code is 1 if a requested
    receiver cannot be reached. With --report the last line is the path of the HTML page.
    """
    check_target(json_target, scenario)
    if folder is not None:
        check_folder(folder, "--report", scenario)
    from mcastplan.scenario import load_scenario
    from mcastplan.study.compare import compare

    with progress() as report:
        loaded = load_scenario(scenario, allow_outside=allow_outside)
        result = compare(loaded, verify=verify, progress=report)

    def view() -> str:
        from mcastplan.cli.show.compare import show_compare
        from mcastplan.cli.show.page import Page

        return show_compare(
            result, loaded, scenario, verified=verify, page=Page().gaps(loaded.gaps)
        )

    deliver_with_report(result, json_target, view, folder)
    return 1 if any(scheme.unreachable for scheme in result.schemes) else 0
