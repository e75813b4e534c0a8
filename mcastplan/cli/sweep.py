"""``mcastplan sweep``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, cast

import click

from mcastplan.cli import how_ended
from mcastplan.cli.folder import check_folder, deliver_with_report
from mcastplan.cli.options import outside_option, report_option
from mcastplan.cli.output import STDOUT, check_target, complain, json_option, same_place
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
    that would help most. Ctrl-C (exit code 130) and SIGTERM (143) end with what is done; with
    --rows the next run goes on from there.
    """
    check_target(json_target, scenario)
    if folder is not None:
        check_folder(folder, "--report", scenario)
    from mcastplan.cli.rows import OPTION, RowsFile, header_of
    from mcastplan.cli.workers import parallel_map, until_interrupted
    from mcastplan.errors import EnvironmentLacksError, UsageError
    from mcastplan.scenario import load_scenario
    from mcastplan.study.failures import Kind, number_of
    from mcastplan.study.sweep import sweep
    from mcastplan.study.sweep_words import how_far
    from mcastplan.units import counted

    if seed is not None and sample is None:
        raise UsageError("--seed picks a sample; give --sample as well")
    chosen = cast("Kind", kind)
    check_target(rows_target, scenario, OPTION)
    if rows_target == STDOUT or same_place(rows_target, json_target):
        raise UsageError(f"{OPTION} {rows_target}: name a file of its own")
    with progress() as report:
        loaded = load_scenario(scenario, allow_outside=allow_outside)
        # Refuses before any file is made.
        total = number_of(loaded.topology, chosen, sample)
        number = min(total, sample or total)
        file = RowsFile(rows_target, header_of(loaded, kind, transient)) if rows_target else None
        known = 0  # rows of this sweep that were in the file
        broken: EnvironmentLacksError | None = None
        asked: Callable[[], KeyboardInterrupt | None] = lambda: None  # noqa: E731

        with ExitStack() as ends:
            if file is not None:
                ends.enter_context(closing(file))

            def recorded(function: Callable[[Case], Row], cases: Sequence[Case]) -> Iterator[Row]:
                # From here to the end there is something to keep; until then Ctrl-C just ends.
                nonlocal known, asked, broken
                known = number - len(cases)
                asked = ends.enter_context(until_interrupted())
                with closing(parallel_map(workers)(function, cases)) as found:
                    try:
                        for row in found:
                            if file is not None:
                                file.write(row)
                            yield row
                            if asked():
                                return
                    except EnvironmentLacksError as error:
                        broken = error

            result = sweep(
                loaded,
                chosen,
                sample=sample,
                seed=seed or 0,
                transient=transient,
                map=recorded,
                progress=report,
                done=file.done if file is not None else None,
                enough=lambda: asked() is not None,
            )

    def view() -> str:
        from mcastplan.cli.show.page import Page
        from mcastplan.cli.show.sweep import show_sweep

        return show_sweep(result, scenario, Page().gaps(loaded.gaps))

    deliver_with_report(result, json_target, view, folder)
    if known:
        rows = counted(known, "row")
        complain("mcastplan sweep", f"{rows} of {number:,} came from {rows_target}")
    if file is not None and file.lost is not None and result.complete:
        raise UsageError(f"{file.lost}; not all rows are in it, the answer above is whole")
    if result.complete:
        return 0
    done = f"after {how_far(result)}"
    if file is not None and file.lost is not None:
        done += f"; {file.lost}, not all rows are in it"
    elif file is not None:
        done += f"; their rows are in {rows_target}, run the same command again to go on"
    if broken is not None:
        raise EnvironmentLacksError(f"{broken}; it ended {done}")
    code, word = how_ended(asked() or KeyboardInterrupt())
    complain("mcastplan sweep", f"{word} {done}")
    return code
