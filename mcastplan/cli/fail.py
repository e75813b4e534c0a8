"""``mcastplan fail``."""

from __future__ import annotations

import click

from mcastplan.cli.folder import check_folder, deliver_with_report
from mcastplan.cli.options import outside_option, report_option
from mcastplan.cli.output import check_target, json_option
from mcastplan.cli.progress import progress


@click.command("fail", short_help="Who stops receiving when something fails, and for how long.")
@click.argument("scenario")
@click.option(
    "--link",
    "links",
    multiple=True,
    metavar="A,B|ID",
    help="This link fails: all links between two nodes, or one by its id; may be repeated.",
)
@click.option(
    "--node",
    "nodes",
    multiple=True,
    metavar="NODE",
    help="This router fails, with all its links; may be repeated.",
)
@click.option(
    "--srlg",
    "srlgs",
    multiple=True,
    metavar="SRLG",
    help="All links of this shared-risk group fail; may be repeated.",
)
@click.option("--at", metavar="TIME", help="When, as in 10s or 500ms; 10s if not given.")
@click.option("--up-at", metavar="TIME", help="When it is up again; never if not given.")
@click.option(
    "--silent", is_flag=True, help="No loss of carrier: only BFD or the IGP's dead timer notices."
)
@outside_option
@json_option
@report_option
def command(
    scenario: str,
    links: tuple[str, ...],
    nodes: tuple[str, ...],
    srlgs: tuple[str, ...],
    at: str | None,
    up_at: str | None,
    silent: bool,
    allow_outside: bool,
    json_target: str | None,
    folder: str | None,
) -> int:
    """Follow one failure through every scheme: who is cut off, from when to when, and why.

    SCENARIO is a YAML or JSON file, or builtin:NAME. All links, nodes and groups named fail
    together; without any, the failures that the scenario lists. Times are on the scenario's clock,
    as transfers[].start. Unreachable receivers are part of the answer: the exit code stays 0.
    """
    check_target(json_target, scenario)
    if folder is not None:
        check_folder(folder, "--report", scenario)
    from mcastplan.errors import UsageError
    from mcastplan.scenario import load_scenario
    from mcastplan.scenario.failing import failures_of
    from mcastplan.study.fail import fail

    with progress() as report:
        loaded = load_scenario(scenario, allow_outside=allow_outside)
        if links or nodes or srlgs:
            failures = failures_of(
                loaded, links, nodes, srlgs, at=at or "10s", up_at=up_at, silent=silent
            )
        elif at or up_at or silent:
            raise UsageError("nothing fails; name it with --link, --node or --srlg")
        else:
            failures = loaded.failures
        if not failures:
            raise UsageError(
                f"nothing fails; name it with --link, --node or --srlg, or list failures in"
                f" {scenario}"
            )
        result = fail(loaded, failures, progress=report)

    def view() -> str:
        from mcastplan.cli.show.page import Page
        from mcastplan.cli.show.timeline import show_timeline

        return show_timeline(result, scenario, Page().gaps(loaded.gaps))

    deliver_with_report(result, json_target, view, folder)
    return 0
