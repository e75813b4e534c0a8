"""``mcastplan plan``."""

from __future__ import annotations

from functools import partial

import click

from mcastplan.cli.options import outside_option
from mcastplan.cli.output import (
    STDOUT,
    check_target,
    deliver,
    emit,
    json_option,
    same_place,
    try_all,
    write_file,
)
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
@click.option(
    "--to",
    metavar="CLOUD,CLOUD",
    help="Plan for these receiving clouds of the transfers only; BFR-ids stay as they are.",
)
@click.option(
    "--pcap",
    metavar="-|FILE",
    help="One packet of each flow, on each arc it crosses, as a capture file (pcapng).",
)
@outside_option
@json_option
def command(
    scenario: str,
    scheme: str,
    node: str | None,
    to: str | None,
    pcap: str | None,
    json_target: str | None,
    allow_outside: bool,
) -> int:
    """Print what one scheme installs: what the ingress imposes, and the tables of a router.

    SCENARIO is a YAML or JSON file, or builtin:NAME. The tables are walked before they are shown.
    Wireshark and tshark open what --pcap writes; --pcap - prints it instead of the tables.
    """
    check_target(json_target, scenario)
    check_target(pcap, scenario, "--pcap")
    if same_place(pcap, json_target):
        raise click.UsageError(f"--pcap and --json both name {pcap}; name two files")
    receivers = None if to is None else [name.strip() for name in to.split(",")]
    from mcastplan.scenario import load_scenario
    from mcastplan.study.plan import plan

    with progress() as report:
        loaded = load_scenario(scenario, allow_outside=allow_outside)
        result = plan(loaded, scheme, node, progress=report, to=receivers)
        captured = None
        if pcap is not None:
            from mcastplan.wire.capture import capture

            captured = capture(loaded, scheme, receivers)

    code = 1 if any(transfer.unreachable for transfer in result.transfers) else 0
    if captured is not None and pcap == STDOUT:
        steps = [partial(emit, captured.data)]
        if json_target is not None:
            from mcastplan.report.json import render

            steps.append(partial(write_file, json_target, render(result)))
        try_all(steps)
        return code

    def view() -> str:
        from mcastplan.cli.show.page import Page
        from mcastplan.cli.show.plan import show_capture, show_plan

        text = Page().gaps(loaded.gaps).text() if loaded.gaps else ""
        text += show_plan(result, node)
        if captured is not None and pcap is not None:
            text += show_capture(captured, pcap)
        return text

    files = [(pcap, "--pcap", captured.data)] if captured is not None and pcap is not None else []
    deliver(result, json_target, view, *files)
    return code
