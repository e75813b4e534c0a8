"""HTML in pieces. `esc` is the only way from text to markup, and every helper uses it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

import msgspec

Number = int | float | None


def esc(text: object) -> str:
    """Text as HTML, also inside a quoted attribute; characters that no page may hold are shown."""
    clean = "".join(
        char if char.isprintable() or char == "\n" else " " if char.isspace() else "\ufffd"
        for char in str(text)
    )
    return escape(clean, quote=True)


_UNIT = re.compile(
    r"(?<=\d) (?=(?:[kMGTP]?B|[kMGTP]?b/s|ms|s|min|h|x)\b|%)"
    r"|(?<=\d h) (?=\d+ min)|(?<=\d min) (?=\d+ s)"
)


def prose(text: object) -> str:
    """A sentence as HTML: numbers keep their unit on their line, and A->B gets its arrow."""
    return _UNIT.sub("\u00a0", esc(text)).replace("-&gt;", "\u2060\u2192\u2060")


def attributes(**values: object) -> str:
    """``data_tip="x"`` as `` data-tip="x"``; None leaves it out."""
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{esc(value)}"'
        for name, value in values.items()
        if value is not None
    )


def section(key: str, heading: str, lead: str, *parts: str) -> str:
    """``lead`` is plain text."""
    words = f"<p class=lead>{prose(lead)}</p>" if lead else ""
    return f'<section id="{key}"><h2>{esc(heading)}</h2>{words}{"".join(parts)}</section>\n'


def items(lines: Iterable[str], kind: str = "") -> str:
    """A list of plain texts."""
    rows = "".join(f"<li>{prose(line)}" for line in lines)
    return f"<ul{attributes(class_=kind or None)}>{rows}</ul>"


def precise(value: Number) -> str:
    """A number as the JSON has it."""
    return "" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)


class Cell(msgspec.Struct, frozen=True):
    """``value`` is what the column is sorted by; words without one are sorted as words."""

    text: str
    value: Number = None
    note: str = ""


class Column(msgspec.Struct, frozen=True):
    heading: str
    words: bool = False  # stands left and may wrap
    tip: str = ""


def table(
    columns: Sequence[Column],
    rows: Iterable[tuple[str, Sequence[Cell]]],
    strong: str | None = None,
    key: str = "",
) -> str:
    """Sortable; each row has a name, and the one called ``strong`` stands out."""
    head = "".join(
        f"<th scope=col{' class=w' if column.words else ''}"
        f"{attributes(data_tip=column.tip or None)}>"
        f"<button type=button>{esc(column.heading)}</button>"
        for column in columns
    )
    body = []
    for name, cells in rows:
        mark = " class=strong" if name == strong else ""
        done = "".join(
            _cell(column, cell, number == 0)
            for number, (column, cell) in enumerate(zip(columns, cells, strict=True))
        )
        body.append(f"<tr{mark}{attributes(data_name=name)}>{done}")
    return (
        f"<div class=wide tabindex=0><table class=sortable{attributes(id=key or None)}>"
        f"<thead><tr>{head}<tbody>{''.join(body)}</table></div>"
    )


def _cell(column: Column, cell: Cell, first: bool) -> str:
    note = f"<small>{esc(cell.note)}</small>" if cell.note else ""
    value = attributes(data_v=precise(cell.value) if cell.value is not None else None)
    if first:
        return f"<th scope=row{value}>{prose(cell.text)}{note}"
    return f"<td{' class=w' if column.words else ''}{value}>{prose(cell.text)}{note}"


def switch(key: str, choices: Sequence[tuple[str, str]], picked: int, panes: str) -> str:
    """Radio buttons over ``panes``: an element of class ``pane pN`` shows with choice N (from 1).

    Plain HTML and CSS, so that it works where scripts do not run.
    """
    buttons = []
    for number, (name, text) in enumerate(choices, 1):
        on = " checked" if number == picked + 1 else ""
        buttons.append(
            f'<input type=radio name="{key}" id="{key}-{number}"{on}{attributes(value=name)}>'
            f'<label for="{key}-{number}">{esc(text)}</label>'
        )
    return f"<div class=switch>{''.join(buttons)}<div class=panes>{panes}</div></div>"


def bar(kind: str, part: float, whole: float) -> str:
    """A horizontal bar of colour class ``kind``; nothing at all is drawn as nothing."""
    none = " none" if part <= 0 else ""
    return f'<i class="{kind}{none}" style="width:{percent(part, whole)}"></i>'


def percent(part: float, whole: float) -> str:
    """A share as a CSS length."""
    return f"{max(0.0, min(100.0, 100 * part / whole)) if whole > 0 else 0:.3g}%"
