"""``mcastplan sweep``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, cast

import click

from mcastplan.cli import INTERRUPTED
from mcastplan.cli.folder import check_folder, deliver_with_report
from mcastplan.cli.options import outside_option, report_option
from mcastplan.cli.output import STDOUT, check_target, complain, json_option
from mcastplan.cli.progress import progress

if TYPE_CHECKING:
    from mcastplan.model.sweep import Case, Row

KINDS = ("single-link", "single-node", "srlg", "double-link")


@click.command("sweep", short_help="Every failure: which links must never fail during a push.")
@click.argument("scenario")
@click.option(
    "--failures",
    "kind",
    required=True,
    type=click.Choice(KINDS),
    help="What fails, each by itself: a link, a node, a shared-risk group, a pair of links.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only N of them, those whose names hash lowest.",
)
@click.option("--seed", type=int, metavar="S", help="Another sample; 0 if not given.")
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    default=1,
    metavar="N",
    help="In so many processes; the numbers stay the same.",
)
@click.option(
    "--transient", is_flag=True, help="Also how long receivers get nothing until all has converged."
)
@click.option(
    "--rows",
    "rows_target",
    metavar="FILE",
    help="Write every failure's row to this file, and go on from it if it is there.",
)
@outside_option
@json_option
@report_option
def command(
    scenario: str,
    kind: str,
    sample: int | None,
    seed: int | None,
    workers: int,
    transient: bool,
    rows_target: str | None,
    allow_outside: bool,
    json_target: str | None,
    folder: str | None,
) -> int:
    """Evaluate every failure of one kind under every scheme, and say which hurt.

    SCENARIO is a YAML or JSON file, or builtin:NAME. Prints, for each scheme, how many failures
    leave receivers without a way or make the push later, the ten that hurt most, and the one link
    that would help most. Ctrl-C ends with what is done (exit code 130); with --rows the next run
    goes on from there.
    """
    check_target(json_target, scenario)
    if folder is not None:
        check_folder(folder, "--report", scenario)
    from mcastplan.cli.rows import OPTION, RowsFile, header_of
    from mcastplan.cli.workers import parallel_map, until_interrupted
    from mcastplan.errors import UsageError
    from mcastplan.scenario import load_scenario
    from mcastplan.study.failures import Kind, number_of
    from mcastplan.study.sweep import sweep
    from mcastplan.units import counted

    if seed is not None and sample is None:
        raise UsageError("--seed picks a sample; give --sample as well")
    chosen = cast("Kind", kind)
    check_target(rows_target, scenario, OPTION)
    if rows_target is not None and rows_target in (json_target, STDOUT):
        raise UsageError(f"{OPTION} {rows_target}: name a file of its own")
    with progress() as report:
        loaded = load_scenario(scenario, allow_outside=allow_outside)
        # Refuses before any file is made.
        total = number_of(loaded.topology, chosen, sample)
        number = min(total, sample or total)
        file = RowsFile(rows_target, header_of(loaded, kind, transient)) if rows_target else None

        known = 0  # rows of this sweep that were in the file

        def recorded(function: Callable[[Case], Row], cases: Sequence[Case]) -> Iterator[Row]:
            nonlocal known
            known = number - len(cases)
            found: Iterable[Row] = parallel_map(workers)(function, cases)
            with until_interrupted() as asked:
                for row in found:
                    if file is not None:
                        file.write(row)
                    yield row
                    if asked():
                        return

        with closing(file) if file is not None else nullcontext():
            result = sweep(
                loaded,
                chosen,
                sample=sample,
                seed=seed or 0,
                transient=transient,
                map=recorded,
                progress=report,
                done=file.done if file is not None else None,
            )

    def view() -> str:
        from mcastplan.cli.show.page import Page
        from mcastplan.cli.show.sweep import show_sweep

        return show_sweep(result, scenario, Page())

    deliver_with_report(result, json_target, view, folder)
    if known:
        rows = counted(known, "row")
        complain("mcastplan sweep", f"{rows} of {number:,} came from {rows_target}")
    if result.complete:
        return 0
    said = f"interrupted after {result.evaluated:,} of {result.chosen:,} failures"
    if rows_target is not None:
        said += f"; their rows are in {rows_target}, run the same command again to go on"
    complain("mcastplan sweep", said)
    return INTERRUPTED
