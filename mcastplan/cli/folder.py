"""The folder of a report: three files, each complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from mcastplan.cli.output import STDOUT, deliver, emit, plain, try_all, write_file
from mcastplan.errors import UsageError

HTML, MARKDOWN, JSON = "report.html", "report.md", "result.json"


def check_folder(target: str, option: str, source: str | None = None) -> None:
    """Refuse, before anything is computed, a folder that cannot be written. ``source`` is a file
    that must not be overwritten. Raises `UsageError`."""
    path = Path(target)
    try:
        if not target:
            raise UsageError(f"{option} '': not a folder name")
        if path.exists() and not path.is_dir():
            raise UsageError(f"{option} {target}: not a folder; name another one")
        above = path
        while not above.exists() and above != above.parent:
            above = above.parent
        if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
            raise UsageError(f"{option} {target}: {above} cannot be written; name another folder")
        for name in (HTML, MARKDOWN, JSON):
            if (path / name).is_dir():
                raise UsageError(f"{option} {target}: {name} in it is a folder; name another one")
            if (path / name).is_symlink():
                raise UsageError(f"{option} {target}: {name} in it is a link; name another one")
            if source and _same(path / name, Path(source)):
                raise UsageError(f"{option} {target}: {name} in it is {source}; name another one")
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"{option} {target}: {why}") from None


def write_report(data: bytes, target: str, option: str, source: str) -> dict[str, str]:
    """Render the result whose JSON is ``data`` into the folder, made if it is missing; the page is
    written last. ``source`` is what the user calls the result. Returns where the files are.

    Raises `UsageError`.
    """
    from mcastplan.report.html import render_html
    from mcastplan.report.markdown import render_markdown
    from mcastplan.report.saved import decode

    result = decode(data, source)
    folder = Path(target)
    files = [
        (folder / MARKDOWN, render_markdown(result).encode()),
        (folder / HTML, render_html(result).encode()),
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        same = _same(folder / JSON, Path(source))
    except OSError as error:
        raise UsageError(f"{option} {target}: cannot be made: {error.strerror}") from None
    if not same:
        files.insert(0, (folder / JSON, data))
    for path, content in files:
        write_file(str(path), content, option)
    return {
        "schema": "mcastplan.report/1",
        "html": str(folder / HTML),
        "markdown": str(folder / MARKDOWN),
        "json": str(folder / JSON),
    }


def deliver_with_report(
    result: object, json_target: str | None, view: Callable[[], str], folder: str | None
) -> None:
    """`deliver`, then the report, if one is asked for; its page is the last line."""

    def report() -> None:
        from mcastplan.report.json import render

        if folder is not None:
            # What a saved result would give: the same bytes as `report` later.
            written = write_report(render(result), folder, "--report", "")
            if json_target != STDOUT:
                emit(f"{plain(written['html'])}\n")

    try_all((lambda: deliver(result, json_target, view), report))


def _same(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)
