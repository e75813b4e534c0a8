"""One self-contained page: style, script, charts and map inside, nothing fetched.

Charts are plain SVG and HTML made here; the script only adds sorting, hover and zoom. The page's
own content security policy lets no other script run and nothing be loaded, whatever text a result
holds.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from mcastplan import __version__
from mcastplan.report.markup import esc
from mcastplan.report.saved import Result, kind_of

_COASTLINES = " Coastlines: Natural Earth, by way of world-atlas."


def render_html(result: Result) -> str:
    """The page as text."""
    kind = kind_of(result)
    style, script = _asset("report.css"), _asset("report.js")
    # A numeric character reference would be text inside <script> and <style>: none is needed.
    assert "</" not in script
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )
    body = "".join(chapter(result) for chapter in kind.chapters)
    coastlines = _COASTLINES if "class=land" in body else ""
    return (
        "<!doctype html>\n"
        '<html lang=en><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        '<meta name=color-scheme content="light dark">'
        f"<title>{esc(result.scenario)}: {esc(kind.headline(result))}</title>"
        f'<link rel=icon href="data:,"><style>{style}</style></head>\n'
        f"<body><main>{body}</main>"
        f"<footer>Made by mcastplan {esc(__version__)} from a result of the format"
        f" {esc(result.schema)}.{coastlines}</footer>"
        f"<div id=tip hidden></div><script>{script}</script></body></html>\n"
    )


def _asset(name: str) -> str:
    return files("mcastplan.report").joinpath(f"assets/{name}").read_text(encoding="utf-8")
