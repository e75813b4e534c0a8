"""``mcastplan report``."""

from __future__ import annotations

from pathlib import Path

import click

from mcastplan.cli.folder import check_folder, write_report
from mcastplan.cli.output import check_target, deliver, json_option, plain
from mcastplan.errors import UsageError

MOST_BYTES = 1 << 30  # of a saved result; 10,000 routers and 1,000 clouds take some 30 MB


@click.command("report", short_help="A saved result as an HTML page, Markdown and JSON.")
@click.argument("file", metavar="RESULT.json")
@click.option(
    "--out", metavar="DIR", required=True, help="The folder to write to; made if it is missing."
)
@json_option
def command(file: str, out: str, json_target: str | None) -> int:
    """Render a result that `compare`, `fail`, `sweep`, `campaign` or `lab run` saved with --json:
    report.html, report.md and result.json.

    The page holds everything it needs and loads nothing. Its path is the last line printed.
    """
    check_target(json_target, file)
    data = _read(file)
    from mcastplan.report.saved import decode

    decode(data, file)  # before anything is said about the folder
    check_folder(out, "--out")
    written = write_report(data, out, "--out", file)
    deliver(written, json_target, lambda: f"{plain(written['html'])}\n")
    return 0


def _read(file: str) -> bytes:
    path = Path(file)
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{file}: not a file")
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{file}: over {MOST_BYTES >> 30} GiB, no result of this program")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"{file}: {why}") from None
