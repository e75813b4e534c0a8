"""``mcastplan campaign``."""

from __future__ import annotations

import re

import click

from mcastplan.cli.folder import check_folder, deliver_with_report
from mcastplan.cli.options import outside_option, report_option
from mcastplan.cli.output import check_target, json_option
from mcastplan.cli.progress import progress
from mcastplan.errors import UsageError

MOST_PUSHES, MOST_STEPS = 10_000, 101
_SHARE = r"([0-9]{1,3}(?:\.[0-9]{1,12})?)"
_RANGE = re.compile(rf"{_SHARE}(?:\.\.{_SHARE})?")


@click.command("campaign", short_help="Many pushes to changing receiver sets, under each scheme.")
@click.argument("scenario")
@click.option(
    "--pushes",
    type=click.IntRange(2, MOST_PUSHES),
    default=100,
    show_default=True,
    help="How many pushes; means leave out the first, to all new receivers.",
)
@click.option(
    "--churn",
    metavar="SHARE|LOW..HIGH",
    default="0..1",
    show_default=True,
    help="The share of receivers that others replace between two pushes.",
)
@click.option(
    "--steps",
    type=click.IntRange(2, MOST_STEPS),
    default=11,
    show_default=True,
    help="At how many points of a range of --churn.",
)
@click.option(
    "--share",
    type=float,
    default=0.5,
    show_default=True,
    help="The share of the transfer's clouds that one push goes to.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Which clouds are taken; equal seeds give equal results.",
)
@click.option("--transfer", metavar="NAME", help="The transfer to repeat; else the first.")
@report_option
@outside_option
@json_option
def command(
    scenario: str,
    pushes: int,
    churn: str,
    steps: int,
    share: float,
    seed: int,
    transfer: str | None,
    folder: str | None,
    json_target: str | None,
    allow_outside: bool,
) -> int:
    """Push again and again, to receivers that stay or change: what does each change cost?

    SCENARIO is a YAML or JSON file, or builtin:NAME. Set-up time, signalling messages, forwarding
    writes, state and time to ready under each scheme, and the churn at which the trees of PIM-SM
    and SR-P2MP lose to BIER's bits.
    """
    churns = churn_points(churn, steps)
    if not 0 < share <= 1:
        raise UsageError(f"--share {share:g}: not a share; give a number above 0, up to 1")
    check_target(json_target, scenario)
    if folder is not None:
        check_folder(folder, "--report", scenario)
    from mcastplan.scenario import load_scenario
    from mcastplan.scenario.catalogue import mroute_limits
    from mcastplan.study.campaign import campaign

    with progress() as report:
        loaded = load_scenario(scenario, allow_outside=allow_outside)
        result = campaign(
            loaded,
            pushes=pushes,
            churns=churns,
            share=share,
            seed=seed,
            transfer=transfer,
            limits={row.name: row.entries_low for row in mroute_limits()},
            progress=report,
        )

    def view() -> str:
        from mcastplan.cli.show.campaign import show_campaign
        from mcastplan.cli.show.page import Page

        return show_campaign(result, Page().gaps(loaded.gaps))

    deliver_with_report(result, json_target, view, folder)
    return 0


def churn_points(text: str, steps: int) -> list[float]:
    """``"0.2"`` -> one point, ``"0..1"`` -> ``steps`` equal steps. Raises `UsageError`."""
    found = _RANGE.fullmatch(text)
    ends = [float(part) for part in found.groups() if part is not None] if found else []
    if not ends or max(ends) > 1 or sorted(set(ends)) != ends:
        raise UsageError(
            f"--churn {text[:40]}: not a share; give a number from 0 to 1, or a range as in 0..1"
        )
    if len(ends) == 1:
        return ends
    low, high = ends
    return [low + (high - low) * step / (steps - 1) for step in range(steps)]
