"""``mcastplan lab``: doctor, run, clean. The lab itself is `mcastlab`, imported when it is used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from mcastplan.cli.folder import check_folder, deliver_with_report
from mcastplan.cli.options import outside_option, report_option
from mcastplan.cli.output import SUBCOMMAND, check_target, deliver, json_option
from mcastplan.errors import EnvironmentLacksError

if TYPE_CHECKING:
    from mcastplan.model.measurement import Measurement


@click.group("lab", short_help="The same push on real daemons, measured beside the plan (root).")
@click.pass_context
def group(ctx: click.Context) -> None:
    """Run a push in a network of Linux namespaces, with FRR, eBPF and UFTP, and measure it."""
    ctx.meta[SUBCOMMAND] = ctx.invoked_subcommand


@group.command("doctor", short_help="What this machine has and lacks for the lab.")
@json_option
def doctor(json_target: str | None) -> int:
    """What the lab needs, what is missing, what each lack costs, and the one command that mends it.

    Exit code 3 where something that `lab run` cannot do without is missing.
    """
    check_target(json_target)
    from mcastplan.cli.show.doctor import show_doctor
    from mcastplan.cli.show.page import Page

    examined = _lab("doctor").examine()
    deliver(examined, json_target, lambda: show_doctor(examined, Page()))
    return 0 if examined.fit else 3


@group.command("clean", short_help="Remove what a killed lab left behind, and nothing else.")
@json_option
def clean(json_target: str | None) -> int:
    """End labs whose command is gone and remove their records; a running lab is left alone."""
    check_target(json_target)
    removed = _lab("record").clean()

    def view() -> str:
        lines = [f"removed: {each}" for each in removed.removed]
        lines += [f"running, left alone: {each}" for each in removed.running]
        return "\n".join(lines or ["nothing to remove"]) + "\n"

    deliver(removed, json_target, view)
    return 0


@group.command("run", short_help="Build the network, push, measure, and compare with the plan.")
@click.argument("scenario")
@click.option(
    "--scheme",
    "schemes",
    multiple=True,
    metavar="SCHEME",
    help="This scheme alone; may be repeated. All five if not given.",
)
@click.option(
    "--fail",
    "links",
    multiple=True,
    metavar="LINK[@WHEN]",
    help="This link fails during the push, as in A,B@5s or A,B@40%; at 40% if not given. May be"
    " repeated: all links fail together.",
)
@click.option("--up", metavar="TIME", help="How long after its start the push sees them up again.")
@click.option("--silent", is_flag=True, help="No loss of carrier: only BFD or hello timers notice.")
@click.option("--repeat", type=click.IntRange(1, 100), default=1, help="Each push this often.")
@click.option(
    "--rate-scale", type=float, default=1e-3, show_default=True, help="Lab rate / real rate."
)
@click.option(
    "--seconds",
    type=float,
    default=20.0,
    show_default=True,
    help="The slowest scheme's transfer takes this long; sets the bytes.",
)
@click.option("--pcap", metavar="DIR", help="Capture every link into this folder.")
@click.option("--calibrate", is_flag=True, help="Measure this machine's stage constants anew.")
@outside_option
@json_option
@report_option
def run(
    scenario: str,
    schemes: tuple[str, ...],
    links: tuple[str, ...],
    up: str | None,
    silent: bool,
    repeat: int,
    rate_scale: float,
    seconds: float,
    pcap: str | None,
    calibrate: bool,
    allow_outside: bool,
    json_target: str | None,
    folder: str | None,
) -> int:
    """Push SCENARIO's model through a network of real daemons, and set it beside the prediction.

    SCENARIO is a YAML or JSON file, or builtin:NAME. Needs root on Linux; `mcastplan lab doctor`
    says what is missing. Rates and bytes are scaled, timers are not. Exit code 1: a replica did
    not get ready.
    """
    check_target(json_target, scenario)
    if folder is not None:
        check_folder(folder, "--report", scenario)
    if pcap is not None:
        check_folder(pcap, "--pcap")
    from mcastplan.scenario import load_scenario

    loaded = load_scenario(scenario, allow_outside=allow_outside)
    ask = _lab("ask")
    asked = ask.Asked(
        schemes=schemes,
        links=links,
        up=up,
        silent=silent,
        repeat=repeat,
        rate_scale=rate_scale,
        seconds=seconds,
        pcap=pcap,
        calibrate=calibrate,
    )
    from mcastplan.cli.live import live

    with live() as watch:
        result: Measurement = ask.measure(loaded, asked, watch)

    def view() -> str:
        from mcastplan.cli.show.measurement import show_measurement
        from mcastplan.cli.show.page import Page

        return show_measurement(result, scenario, Page())

    deliver_with_report(result, json_target, view, folder)
    if result.interrupted:
        from mcastplan.cli import INTERRUPTED

        return INTERRUPTED
    return 0 if ask.all_ready(result) else 1


def _lab(module: str) -> Any:
    """A module of the lab, which needs more packages than the planner. Raises
    `EnvironmentLacksError` where one is missing."""
    try:
        return importlib.import_module(f"mcastlab.{module}")
    except ModuleNotFoundError as error:
        package = (error.name or "mcastlab").partition(".")[0]
        raise EnvironmentLacksError(
            f"the lab needs the Python package {package}: pip install 'mcastplan[lab]'"
        ) from None
